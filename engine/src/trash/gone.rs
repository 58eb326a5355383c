//! Gone: what is home and no longer in the account. Absence from listings only nominates; the account itself has to say that an item is
//! not there, while it finds one that is known to be.

use std::{collections::BTreeMap, sync::Arc};

use charon_provider::{AlbumChoice, Class, Existence, RemoteId, Source};
use serde_json::json;

use super::{Answer, moving};
use crate::{
    backup::Backup, error::Error, hints::quoted, plan::Gone, retry::with_retries, run::Stop, store::Nominee,
};

/// An item that is there, though listings lack it, is looked up ever more rarely: after three times as many listings each time, up to
/// this many.
const MOST_LISTINGS: u32 = 90;

/// Looks after what a listing of this run has lacked, if it was a full one that came to its end.
///
/// Gives why the run has to stop and ask, if it has.
pub(crate) async fn after_listing(backup: &Arc<Backup>) -> Result<Option<Stop>, Error> {
    let ctx = backup.context();
    let deletion = backup.deletion();
    moving::empty_expired(backup).await?;
    let listing = ctx.store.listing(ctx.run).await?;
    let is_proof = listing.is_some_and(|listing| listing.is_full && listing.is_complete);
    let Some(source) = backup.source().filter(|_| is_proof && deletion.gone == Gone::Trash) else {
        return Ok(None);
    };
    let account = ctx.store.account(ctx.storage).await?.id;
    let under =
        json!({ "as": ctx.facts.identity, "wanted": backup.wanted(), "account": account }).to_string();
    ctx.store.count_absences(ctx.plan, ctx.storage, ctx.attempt(), &under).await?;
    // Without an item that is known to be there, an answer proves nothing.
    let Some(known) = ctx.store.shown_by(ctx.storage, ctx.run).await? else {
        // An album may be empty, and nothing be a favourite.
        if backup.wanted().albums != AlbumChoice::Library || backup.wanted().favourites {
            return Ok(None);
        }
        let lacked = ctx.store.nominees(ctx.plan, ctx.storage, deletion.after_listings, 0, 1).await?;
        return Ok((!lacked.is_empty()).then(|| {
            Stop::failed(
                Some(Class::Config),
                "the account shows none of the photos that are home, and has shown some before; nothing was moved to the trash. See \
                 that it is the account that you mean and that its photos are still there. If all of them were deleted on purpose, let the \
                 plan keep what is home: \"deletion\": {\"gone\": \"keep\"}"
                    .to_owned(),
            )
        }));
    };
    let Some(gone) = confirmed(backup, source, &known).await? else { return Ok(None) };
    let (agreed, others): (Vec<&Nominee>, Vec<&Nominee>) =
        gone.iter().partition(|nominee| nominee.answer == Answer::Agreed);
    let library = ctx.store.items_home(ctx.plan).await?;
    let is_much = others.len() as u64 * 100 > library * u64::from(deletion.most_percent);
    let moved = if is_much { agreed } else { gone.iter().collect() };
    moving::to_trash(backup, &moved).await?;
    if is_much {
        let assets: Vec<i64> = others.iter().map(|nominee| nominee.asset_id).collect();
        ctx.store.ask_about(ctx.plan, &assets).await?;
        let percent = (assets.len() as u64 * 100).div_ceil(library.max(1));
        let name = ctx.store.plan_by_id(ctx.plan).await?.map_or_else(|| "PLAN".to_owned(), |plan| plan.name);
        let plan = quoted(&name);
        return Ok(Some(Stop::failed(
            Some(Class::Config),
            format!(
                "{} of {library} items that are home ({percent} %) are gone from the account, which is more than the {} % that may \
                 go to the trash in one run without a question; nothing of them was moved, and all that is new is home. If they \
                 were deleted on purpose, agree: charon trash agree {plan}; otherwise: charon trash keep {plan} (charon trash list {plan} names them)",
                assets.len(),
                deletion.most_percent,
            ),
        )));
    }
    Ok(None)
}

/// The nominees that the account says it does not hold. `None` if it cannot be relied upon, or the run stops.
async fn confirmed(
    backup: &Arc<Backup>,
    source: &dyn Source,
    known: &RemoteId,
) -> Result<Option<Vec<Nominee>>, Error> {
    let ctx = backup.context();
    let most = u32::try_from(source.confirm_limit().saturating_sub(1).max(1)).unwrap_or(u32::MAX);
    let mut gone = Vec::new();
    let mut after = 0;
    loop {
        let mut page =
            ctx.store.nominees(ctx.plan, ctx.storage, backup.deletion().after_listings, after, most).await?;
        let is_cut = page.len() == most as usize;
        // What an item is known by is looked up together.
        let last = page.last().map(|last| last.asset_id);
        let is_one = page.first().map(|first| first.asset_id) == last;
        if is_cut && !is_one {
            page.retain(|nominee| Some(nominee.asset_id) != last);
        }
        let Some(last) = page.last().map(|last| last.asset_id) else { return Ok(Some(gone)) };
        after = last;
        let ids: Vec<RemoteId> =
            std::iter::once(known.clone()).chain(page.iter().map(|nominee| nominee.remote.clone())).collect();
        let answers = match with_retries(ctx, || source.confirm(&ids)).await {
            Some(Ok(answers)) => answers,
            Some(Err(error)) => {
                ctx.stop_for_storage(&error);
                return Ok(None);
            }
            None => return Ok(None),
        };
        let mut answers = answers.into_iter();
        if !matches!(answers.next(), Some(Existence::Found(_))) {
            tracing::warn!(
                run = %ctx.run,
                "an item that was just listed is not found when it is looked up, so nothing counts as gone in this run"
            );
            return Ok(None);
        }
        let mut items: BTreeMap<i64, (Nominee, Vec<Existence>)> = BTreeMap::new();
        for (nominee, answer) in page.into_iter().zip(answers) {
            items.entry(nominee.asset_id).or_insert_with(|| (nominee, Vec::new())).1.push(answer);
        }
        let mut there = Vec::new();
        for (nominee, answers) in items.into_values() {
            if answers.iter().any(|answer| matches!(answer, Existence::Found(_))) {
                there.push((nominee.asset_id, nominee.wanted.saturating_mul(3).min(MOST_LISTINGS)));
            } else if answers.iter().all(|answer| matches!(answer, Existence::NotFound)) {
                gone.push(nominee);
            }
        }
        ctx.store.are_there(ctx.plan, &there).await?;
    }
}
