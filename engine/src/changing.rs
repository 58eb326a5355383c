//! Changes of a storage that is stored: its name, its configuration, its consent.

use charon_provider::Consent;
use charon_schema::{Mistake, Mistakes};
use serde_json::{Map, Value};

use crate::{
    engine::Engine,
    error::Error,
    host::unseal,
    ids::StorageId,
    storages::{StorageView, refuse_bad_name, refuse_unnameable},
    store::{Changed, StorageRow},
};

/// What somebody makes of a storage.
#[derive(Clone, Debug)]
pub struct StorageChange {
    /// Its name.
    pub name: String,
    /// Its whole configuration. Secrets that it leaves out, or gives as the dots that were shown, are kept; those that it gives as
    /// null, or blank, are forgotten.
    pub config: Map<String, Value>,
    /// The version that they have seen; `None` for whichever it is.
    pub seen: Option<i64>,
}

/// Whose account a consent is of, as far as that was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountTold {
    /// As people know it: an e-mail address.
    pub name: Option<String>,
    /// Its id that stays.
    pub id: Option<String>,
}

impl Engine {
    /// Replaces the whole configuration of a storage, as [`change_storage`](Engine::change_storage) does.
    pub async fn update_storage(&self, name: &str, config: Map<String, Value>) -> Result<StorageView, Error> {
        let id = self.storage_row(name).await?.id;
        self.change_storage(id, StorageChange { name: name.to_owned(), config, seen: None }).await
    }

    /// Replaces the name and the whole configuration of a storage. Secrets that it leaves out are kept, unless a field says anew
    /// where they go: whoever changes an endpoint enters the secrets again (I6). What the ledger knows stays, and its plans name it by
    /// its new name. Sends no request.
    ///
    /// # Errors
    /// [`Error::Changed`] when it is not the version that was seen; every mistake in the configuration; a name that is taken; a
    /// configuration of another client, to which the ledger would not apply (I11).
    pub async fn change_storage(&self, id: StorageId, change: StorageChange) -> Result<StorageView, Error> {
        let StorageChange { name, config, seen } = change;
        loop {
            let old = self.row_of(id).await?;
            let changed = || Error::Changed { what: format!("the storage {}", old.name) };
            if seen.is_some_and(|seen| seen != old.revision) {
                return Err(changed());
            }
            if name != old.name {
                refuse_bad_name("storage", &name)?;
                // One that does not open can be renamed all the same.
                let may_keep = self.declared_by(&old).is_ok_and(|facts| facts.capabilities.destination);
                if may_keep || !self.kept_by(&old.name).await?.is_empty() {
                    refuse_unnameable(&name)?;
                }
            }
            let config = self.with_kept_secrets(&old, config.clone())?;
            if let Some(view) = self.replace(&old, &name, config, None).await? {
                return Ok(view);
            }
            // A token was renewed meanwhile, or somebody was faster: who has said what they saw is told that the next time round.
        }
    }

    /// A new configuration with the stored secrets that it leaves out.
    pub(crate) fn with_kept_secrets(
        &self,
        old: &StorageRow,
        config: Map<String, Value>,
    ) -> Result<Map<String, Value>, Error> {
        let schema = &self.registry.provider(&old.provider)?.describe().schema;
        let config = schema.without_dots(config);
        // Secrets that do not open any more cannot be kept; what is then missing is told as missing.
        let mut kept = unseal(&self.vault, old).map(|stored| stored.expose()).unwrap_or_default();
        kept.retain(|field, _| !config.contains_key(field));
        let mut config = schema.without_blank_secrets(config);
        let rebound = schema.rebound(&old.config, &config);
        if !kept.is_empty() && !rebound.is_empty() {
            let reason = format!("is to be entered again, since {} is another one now", rebound.join(", "));
            let mistakes = kept.keys().map(|field| Mistake::in_field(field, reason.clone())).collect();
            return Err(Error::Config {
                what: format!("the storage {}", old.name),
                mistakes: Mistakes(mistakes),
            });
        }
        config.extend(kept);
        Ok(config)
    }

    /// Stores what a consent gave among the secrets of a storage. What the ledger knows stays; whether the consent is of
    /// the account that it knows is looked into before the next run does anything, unless the consent tells (I11).
    ///
    /// # Errors
    /// As for [`update_storage`](Engine::update_storage).
    pub async fn adopt_consent(&self, name: &str, consent: Consent) -> Result<StorageView, Error> {
        self.adopt_consent_of(self.storage_row(name).await?.id, consent, None).await
    }

    /// As [`adopt_consent`](Engine::adopt_consent), for the storage with this id. A consent that was asked for with another
    /// configuration goes only where that one would have sent it (I6).
    pub async fn adopt_consent_of(
        &self,
        id: StorageId,
        consent: Consent,
        asked_with: Option<&Map<String, Value>>,
    ) -> Result<StorageView, Error> {
        let told = AccountTold { name: consent.account, id: consent.account_id };
        loop {
            let old = self.row_of(id).await?;
            let schema = &self.registry.provider(&old.provider)?.describe().schema;
            let elsewhere = asked_with.map(|asked| schema.rebound(asked, &old.config)).unwrap_or_default();
            if !elsewhere.is_empty() {
                return Err(Error::Refused(format!(
                    "the storage {} was changed since the consent was asked for ({}); connect it again",
                    old.name,
                    elsewhere.join(", ")
                )));
            }
            let mut config = old.config.clone();
            config.extend(unseal(&self.vault, &old)?.with(consent.field, consent.value.clone()).expose());
            if let Some(view) = self.replace(&old, &old.name, config, told.name.clone()).await? {
                self.settle_account(id, &told).await?;
                return Ok(view);
            }
        }
    }

    /// A consent that came before the storage was saved has told whose account it is.
    pub async fn account_was_told(&self, id: StorageId, told: &AccountTold) -> Result<(), Error> {
        if let Some(name) = &told.name {
            self.store.name_account(id, name).await?;
        }
        self.settle_account(id, told).await
    }

    async fn settle_account(&self, id: StorageId, told: &AccountTold) -> Result<(), Error> {
        if let Some(account) = &told.id {
            // If it is the one that the storage has been used with, there is no doubt; another one is refused by the next run.
            self.store.settle_account(id, account).await?;
        }
        Ok(())
    }

    /// Puts another configuration in the place of one that was read. `None` if it is not any more as it was read.
    async fn replace(
        &self,
        old: &StorageRow,
        name: &str,
        config: Map<String, Value>,
        account_name: Option<String>,
    ) -> Result<Option<StorageView>, Error> {
        let (mut row, secrets) = self.judge_storage(old.id, name, &old.provider, config, old.created_at)?;
        // Old secrets that do not open any more are no reason to refuse new ones: that is how it is mended.
        let is_new_consent =
            unseal(&self.vault, old).map_or(true, |before| before.expose() != secrets.expose());
        row.account_name = if is_new_consent { account_name } else { old.account_name.clone() };
        // Nor are mistakes in the old configuration.
        let opened = || self.open_row(old).ok().map(|opened| opened.storage.facts().identity.clone());
        let before = old.identity.clone().or_else(opened);
        if before.is_some() && before != row.identity {
            return Err(Error::Refused(format!(
                "the new configuration of {name} is of another client, which would not see what this one has sent; add a \
                 storage of another name for it"
            )));
        }
        match self.store.update_storage(old, &row, is_new_consent, self.clock.now()).await? {
            Changed::Done => {}
            Changed::Meanwhile => return Ok(None),
            Changed::NameTaken => {
                return Err(Error::BadName(format!(
                    "there is a storage named {name} already; choose another name"
                )));
            }
        }
        self.let_go_on(old.id, "the storage was changed").await?;
        self.view(&self.row_of(old.id).await?).map(Some)
    }

    /// Runs that wait for a person go on: this is what the person has done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume_runs_of_storage(&self, id: StorageId) -> Result<(), Error> {
        self.let_go_on(id, "somebody resumed it").await
    }

    async fn let_go_on(&self, id: StorageId, why: &str) -> Result<(), Error> {
        self.store.requeue_those_of(id, why, self.clock.now()).await?;
        self.wake();
        Ok(())
    }
}
