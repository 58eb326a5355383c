//! Secrets that are renewed, and whose account they are.

use super::case::{Case, Ends, Opened, Stop};
use crate::{Class, Error, Selection};

/// A request of whatever kind the storage can make.
async fn ask(opened: &Opened) -> Result<(), Error> {
    match (opened.storage.source(), opened.storage.albums()) {
        (Some(source), _) => source.list(&Selection::default(), None).await.map(drop),
        (None, Some(albums)) => albums.list(None).await.map(drop),
        (None, None) => Ok(()),
    }
}

// I2
pub(super) async fn renewed_secrets_are_stored_at_once(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    opened.world.expire_token().await?;
    case.fine("ask with a token that has expired", ask(&opened).await)?;
    let (saves, _) = opened.host.saves_and_conflicts();
    case.expect(saves >= 1, || "the renewed secrets were not stored".into());
    let (stored, _) = opened.host.stored();
    case.printed("the stored secrets", &stored);
    let again = case.open_again(&opened)?;
    case.fine("ask with the renewed secrets", ask(&again).await)?;
    let (later, _) = opened.host.saves_and_conflicts();
    case.expect(later == saves, || "what was stored had to be renewed again".into());
    Ok(())
}

// I2
pub(super) async fn secrets_that_somebody_else_renewed_are_not_overwritten(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let other = case.open_again(&opened)?;
    opened.world.expire_token().await?;
    case.fine("the one asks", ask(&opened).await)?;
    case.fine("the other asks, with secrets that are old", ask(&other).await)?;
    // Whoever came too late once must be able to store what it renews later.
    opened.world.expire_token().await?;
    case.fine("the other asks first", ask(&other).await)?;
    let (saves, conflicts) = opened.host.saves_and_conflicts();
    case.expect(saves >= 2, || format!("secrets that expired twice were stored {saves} times"));
    case.expect(conflicts <= 4, || format!("the two were in each other's way {conflicts} times"));
    // Whatever happened: what is stored now opens the account.
    let third = case.open_again(&opened)?;
    case.fine("ask with what is stored now", ask(&third).await)?;
    let (later, _) = opened.host.saves_and_conflicts();
    case.expect(later == saves, || "what is stored is not what was renewed last".into());
    Ok(())
}

// I11
pub(super) async fn another_account_is_refused(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    opened.world.expire_token().await?;
    case.fine("ask", ask(&opened).await)?;
    let accounts = opened.host.accounts();
    let Some(account) = accounts.first() else {
        return Err(Stop::Skipped("the storage does not learn whose account it is".into()));
    };
    case.expect(accounts.iter().all(|one| one == account), || "one account has two ids".into());
    opened.host.refuse_accounts();
    opened.world.expire_token().await?;
    let error = case.fails("ask as another account", ask(&opened).await)?;
    case.expect(error.class == Class::Auth, || format!("it is told as {:?}: {error}", error.class));
    Ok(())
}
