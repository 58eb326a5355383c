//! Consent, asked for and given.

use std::sync::Arc;

use url::Url;

use super::{
    World,
    case::{Case, Ends, Stop},
    host::TestHost,
};
use crate::{Authorization, Host, Revision, Secrets, Selection};

/// Where the browser is sent afterwards. Nobody listens there.
const REDIRECT: &str = "http://127.0.0.1:9/done";

fn asking(
    case: &Case<'_>,
    world: &Arc<dyn World>,
    host: &Arc<TestHost>,
) -> Result<Box<dyn Authorization>, Stop> {
    let provider = case.provider();
    let schema = &provider.describe().schema;
    let mut config = world.config();
    // What a consent gives need not be there yet; a client's own secret has to be.
    if let Some(given) =
        schema.fields().into_iter().find(|name| schema.is_secret(name) && name.contains("token"))
    {
        config.remove(given);
    }
    let config = case.config(config, Revision::default());
    let redirect = Url::parse(REDIRECT).expect("a URL");
    let asked = provider.authorize(config, &redirect, Arc::clone(host) as Arc<dyn Host>);
    asked.map_err(|mistakes| Stop::Skipped(format!("no consent is asked for: {mistakes}")))
}

pub(super) async fn an_asking_for_consent_sends_no_request_and_is_never_the_same(case: &Case<'_>) -> Ends {
    let world = case.world().await;
    let host = Arc::new(TestHost::new(Arc::clone(&world), Secrets::default()));
    let one = asking(case, &world, &host)?;
    case.expect(host.take_permits().is_empty(), || "asking for consent asked for permits".into());
    let requests = world.requests().unwrap_or_default();
    case.expect(requests == 0, || format!("asking for consent made {requests} requests"));
    let url = one.url();
    case.expect(url.query_pairs().any(|(_, value)| value == REDIRECT), || {
        "the page is not told where to send the browser".into()
    });
    // Two askings by one host: a state that can be guessed would be the same.
    case.printed("the page of a consent", url.as_str());
    let other = asking(case, &world, &host)?;
    case.expect(other.url() != url, || {
        "two askings are the same: an answer to one would fit the other".into()
    });
    Ok(())
}

pub(super) async fn a_consent_becomes_a_secret_that_opens_the_storage(case: &Case<'_>) -> Ends {
    let world = case.world().await;
    let host = Arc::new(TestHost::new(Arc::clone(&world), Secrets::default()));
    let asked = asking(case, &world, &host)?;
    let answer = world.consent(asked.url()).await?;
    // Of another asking: its state is not ours.
    let pairs = answer.query_pairs().map(|(name, value)| {
        let value = if name == "state" { "another".into() } else { value };
        (name.into_owned(), value.into_owned())
    });
    let mut strange = answer.clone();
    let pairs: Vec<(String, String)> = pairs.collect();
    strange.query_pairs_mut().clear().extend_pairs(pairs);
    for wrong in [strange.as_str(), "?error=access_denied", "no answer at all"] {
        let redeemed = asked.redeem(wrong).await;
        case.fails("redeem an answer to another question", redeemed)?;
    }
    let consent = case.fine("redeem a consent", asked.redeem(answer.as_str()).await)?;
    case.printed("a consent", &consent);
    let provider = case.provider();
    let schema = &provider.describe().schema;
    case.expect(schema.is_secret(consent.field), || format!("the field {} is no secret", consent.field));
    let mut config = world.config();
    let value = secrecy::ExposeSecret::expose_secret(&consent.value).to_owned();
    config.insert(consent.field.to_owned(), value.into());
    let opened = case.open_with(&world, config)?;
    if let Ok(source) = opened.source() {
        case.fine("list with a new consent", source.list(&Selection::default(), None).await)?;
    }
    Ok(())
}
