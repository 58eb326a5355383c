//! The providers that are compiled in. Adding one is one line where the binary makes the registry.

use std::sync::Arc;

use charon_provider::Provider;

use crate::error::Error;

/// The providers that are compiled in.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    providers: Vec<Arc<dyn Provider>>,
}

impl Registry {
    /// The same registry with one provider more.
    #[must_use]
    pub fn with(mut self, provider: impl Provider + 'static) -> Self {
        self.providers.push(Arc::new(provider));
        self
    }

    /// All of them.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.providers.iter()
    }

    /// The one with this id.
    ///
    /// # Errors
    /// When there is none; the error names those that there are.
    pub fn provider(&self, id: &str) -> Result<&Arc<dyn Provider>, Error> {
        self.providers.iter().find(|provider| provider.describe().id == id).ok_or_else(|| Error::Unknown {
            what: "provider",
            name: id.to_owned(),
            known: known("provider", self.providers.iter().map(|provider| provider.describe().id)),
        })
    }
}

/// A sentence on which ones there are.
pub(crate) fn known<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        [] => format!("there is no {what} yet"),
        [only] => format!("the only {what} is {only}"),
        several => format!("the {what}s are {}", several.join(", ")),
    }
}
