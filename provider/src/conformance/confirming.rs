//! Direct look-ups.

use super::{
    case::{Case, Ends, Stop},
    staging,
};
use crate::{Existence, RemoteId, RemoteItem};

/// Two items, by whatever means.
async fn two_items(case: &Case<'_>, opened: &super::case::Opened) -> Result<Vec<RemoteId>, Stop> {
    if let Ok(ids) = opened.world.put_many(2).await {
        return Ok(ids);
    }
    let samples = [opened.world.sample(1), opened.world.sample(2)];
    let items: Vec<RemoteItem> = staging::upload(case, opened, &samples).await?;
    Ok(items.into_iter().map(|item| item.id).collect())
}

pub(super) async fn looked_up_ids_are_answered_in_their_order(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let items = two_items(case, &opened).await?;
    let (one, two) = (items[0].clone(), items[1].clone());
    let nobody = RemoteId("AnIdThatNobodyGave".into());
    let asked = [two.clone(), nobody.clone(), one.clone(), two, one, nobody];
    for ids in asked.chunks(source.confirm_limit().max(1)) {
        let answers = case.fine("look up", source.confirm(ids).await)?;
        case.expect(answers.len() == ids.len(), || {
            format!("{} ids are answered with {} answers", ids.len(), answers.len())
        });
        for (id, answer) in ids.iter().zip(&answers) {
            let is_there = items.contains(id);
            match answer {
                Existence::Found(item) => {
                    case.expect(item.id == *id, || format!("{id} is answered with {}", item.id));
                }
                Existence::NotFound => case.expect(!is_there, || format!("{id} is there, and not found")),
                Existence::Unknown(why) => {
                    case.expect(!is_there, || format!("nothing is known of {id}, which is there: {why}"));
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn as_many_ids_can_be_looked_up_as_was_declared(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let limit = source.confirm_limit().clamp(1, 500);
    let ids = opened.world.put_many(u32::try_from(limit).unwrap_or(500)).await?;
    let answers = case.fine("look up as many as may be", source.confirm(&ids).await)?;
    let found = answers.iter().filter(|answer| matches!(answer, Existence::Found(_))).count();
    case.expect(found == limit, || format!("of {limit} ids that are there, {found} are found"));
    Ok(())
}

pub(super) async fn nothing_looked_up_is_nothing_answered(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let answers = case.fine("look up nothing", opened.source()?.confirm(&[]).await)?;
    case.expect(answers.is_empty(), || format!("{} answers to no question", answers.len()));
    let permits = opened.host.take_permits();
    case.expect(permits.is_empty(), || "a request was made to look up nothing".into());
    Ok(())
}
