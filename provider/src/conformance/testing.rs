//! The connection test.

use std::collections::HashSet;

use futures::{FutureExt, StreamExt};

use super::{
    case::{Case, Ends, Opened},
    staging,
};
use crate::{Check, Verdict};

async fn stages(case: &Case<'_>, opened: &Opened) -> Vec<Check> {
    let checks: Vec<Check> = opened.storage.test().collect().await;
    let mut names = HashSet::new();
    for check in &checks {
        case.told(check);
        case.expect(!check.stage.trim().is_empty(), || "a stage has no name".into());
        case.expect(names.insert(check.stage), || format!("there are two stages {:?}", check.stage));
        case.expect(!check.found.trim().is_empty(), || format!("the stage {:?} found nothing", check.stage));
    }
    case.expect(!checks.is_empty(), || "the test has no stages".into());
    checks
}

pub(super) async fn a_right_account_passes_its_test(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    drop(opened.world.put_many(3).await);
    let listed = async || match opened.storage.source() {
        Some(source) => staging::everything(case, source).await.map(|items| items.len()),
        None => Ok(0),
    };
    let before = listed().await?;
    for check in stages(case, &opened).await {
        case.expect(check.verdict != Verdict::Failed, || {
            format!("the stage {:?} fails: {}", check.stage, check.found)
        });
    }
    case.expect(listed().await? == before, || "the test leaves something behind".into());
    if let Some(albums) = opened.storage.albums() {
        let made = case.fine("list albums", albums.list(None).await)?.albums.len();
        case.expect(made == 0, || "the test leaves an album behind".into());
    }
    Ok(())
}

pub(super) async fn a_test_ends_with_the_first_failure(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    opened.world.refuse().await?;
    let checks = stages(case, &opened).await;
    let failed: Vec<usize> = (0..checks.len()).filter(|at| checks[*at].verdict == Verdict::Failed).collect();
    case.expect(failed == [checks.len().saturating_sub(1)], || {
        format!("of {} stages these fail, counted from 0: {failed:?}", checks.len())
    });
    if let Some(last) = checks.last() {
        let cured = last.cure.as_ref().is_some_and(|cure| !cure.trim().is_empty());
        case.expect(cured, || format!("the stage {:?} fails and tells no cure", last.stage));
    }
    Ok(())
}

pub(super) async fn a_test_that_is_given_up_does_no_harm(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    drop(opened.world.expire_token().await);
    // In the middle of its first request; then after each of its stages.
    drop(opened.storage.test().next().now_or_never());
    for stages in 1..4 {
        drop(opened.storage.test().take(stages).collect::<Vec<_>>().await);
    }
    if let Some(source) = opened.storage.source() {
        staging::everything(case, source).await?;
    }
    for check in stages(case, &opened).await {
        case.expect(check.verdict != Verdict::Failed, || {
            format!("after tests that were given up, the stage {:?} fails: {}", check.stage, check.found)
        });
    }
    Ok(())
}
