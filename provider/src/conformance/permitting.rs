//! Permits: one for each request, and none sent without. // I7

use std::collections::BTreeMap;

use super::{
    case::{Case, Ends, Opened, Stop},
    staging,
};
use crate::{Class, Cost, Error, Part, Selection, Sink, Verdict};
use futures::StreamExt;

pub(super) async fn every_request_has_its_permit(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let mut seen = opened.world.requests()?;
    let compare = |doing: &str, seen: &mut u64| {
        let permits = opened.host.take_permits();
        let now = opened.world.requests().unwrap_or_default();
        let requests = now - std::mem::replace(seen, now);
        case.expect(permits.len() as u64 == requests, || {
            format!("{doing}: {requests} requests with {} permits", permits.len())
        });
    };
    // So that the renewal of a token is among them.
    drop(opened.world.expire_token().await);
    let album = match opened.albums() {
        Ok(albums) => {
            case.fine("list albums", albums.list(None).await)?;
            compare("list albums", &mut seen);
            if opened.storage.sink().is_some() {
                let album = case.fine("make an album", albums.create("An album").await)?;
                compare("make an album", &mut seen);
                Some(album)
            } else {
                None
            }
        }
        Err(_) => None,
    };
    let mut item = None;
    if let Ok(sink) = opened.sink() {
        let staged = staging::send(case, sink, &opened.world.sample(2)).await?;
        compare("send a file", &mut seen);
        let mut results = case.fine("commit", sink.commit(None, &[staged]).await)?;
        compare("commit", &mut seen);
        item = results.pop().and_then(Result::ok);
    }
    if let (Some(album), Some(item), Ok(albums)) = (&album, &item, opened.albums()) {
        let ids = std::slice::from_ref(&item.id);
        case.fine("add to an album", albums.add(&album.id, ids).await)?;
        compare("add to an album", &mut seen);
    }
    if let Ok(source) = opened.source() {
        case.fine("list", source.list(&Selection::default(), None).await)?;
        compare("list", &mut seen);
        let item = match item {
            Some(item) => item,
            None => staging::one_item(case, &opened).await?,
        };
        case.fine("look up", source.confirm(std::slice::from_ref(&item.id)).await)?;
        compare("look up", &mut seen);
        let item = staging::look_up(case, source, &item.id).await?;
        let body = case.fine("fetch", source.open(&item, Part::Whole, None).await)?;
        staging::drain(case, body).await?;
        compare("fetch", &mut seen);
        case.fine("measure", source.measure(&item).await)?;
        compare("measure", &mut seen);
    }
    let checks: Vec<_> = opened.storage.test().collect().await;
    for check in &checks {
        case.told(check);
    }
    compare("test", &mut seen);
    Ok(())
}

pub(super) async fn what_is_not_permitted_is_not_sent(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    // Everything that is needed is made ready while it is permitted.
    let item = match opened.source() {
        Ok(_) => staging::one_item(case, &opened).await.ok(),
        Err(_) => None,
    };
    let staged = match opened.sink() {
        Ok(sink) => Some(staging::send(case, sink, &opened.world.sample(3)).await?),
        Err(_) => None,
    };
    let before = opened.world.requests()?;
    opened.host.refuse_permits(true);
    let refused = |doing: &str, error: Result<(), Error>| -> Ends {
        let error = case.fails(doing, error)?;
        case.expect(error.class == Class::Quota, || {
            format!("{doing}: the refusal of the host comes through as {:?}: {error}", error.class)
        });
        let requests = opened.world.requests()? - before;
        case.expect(requests == 0, || format!("{doing}: a request was sent that was not permitted"));
        Ok(())
    };
    if let Ok(source) = opened.source() {
        refused("list", source.list(&Selection::default(), None).await.map(drop))?;
        if let Some(item) = &item {
            refused("look up", source.confirm(std::slice::from_ref(&item.id)).await.map(drop))?;
            refused("fetch", source.open(item, Part::Whole, None).await.map(drop))?;
        }
    }
    if let Ok(sink) = opened.sink() {
        let sample = opened.world.sample(4);
        refused("send", sink.send(&staging::content(&sample), None, &staging::NotKept).await.map(drop))?;
        let staged: Vec<_> = staged.into_iter().collect();
        refused("commit", sink.commit(None, &staged).await.map(drop))?;
    }
    if let Ok(albums) = opened.albums() {
        refused("list albums", albums.list(None).await.map(drop))?;
        if opened.storage.sink().is_some() {
            refused("make an album", albums.create("An album").await.map(drop))?;
        }
    }
    let checks: Vec<_> = opened.storage.test().collect().await;
    case.expect(checks.iter().any(|check| check.verdict == Verdict::Failed), || {
        "test: it passes although nothing is permitted".into()
    });
    let requests = opened.world.requests()? - before;
    case.expect(requests == 0, || "test: a request was sent that was not permitted".into());
    Ok(())
}

pub(super) async fn a_step_costs_no_more_than_was_declared(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let facts = opened.storage.facts();
    let costs = &facts.costs;
    if let Ok(sink) = opened.sink() {
        let sample = opened.world.sample(5);
        let staged = staging::send(case, sink, &sample).await?;
        compare(case, &opened, "send", &times(sink, sample.bytes.len(), &costs.send));
        case.fine("commit", sink.commit(None, &[staged]).await)?;
        compare(case, &opened, "commit", &costs.commit);
    }
    if let Ok(source) = opened.source() {
        case.fine("list", source.list(&Selection::default(), None).await)?;
        compare(case, &opened, "page", &costs.page);
        let item = staging::one_item(case, &opened).await?;
        opened.host.take_permits();
        let body = case.fine("fetch", source.open(&item, Part::Whole, None).await)?;
        staging::drain(case, body).await?;
        if facts.read_size {
            case.fine("measure", source.measure(&item).await)?;
        }
        compare(case, &opened, "fetch", &costs.fetch);
    }
    if facts.meters.is_empty() {
        return Err(Stop::Skipped("the storage counts nothing".into()));
    }
    Ok(())
}

pub(super) async fn what_sending_takes_is_declared(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let sink = opened.sink()?;
    let mut before = 1;
    for length in [0, 1, 1 << 20, 1 << 30, 20_000_000_000, u64::MAX] {
        let requests = sink.requests_to_send(length);
        case.expect(requests >= before, || {
            format!("{requests} requests send {length} bytes, and {before} send fewer")
        });
        before = before.max(requests);
    }
    let Ok(sample) = opened.world.large() else { return Ok(()) };
    opened.host.take_permits();
    staging::send(case, sink, &sample).await?;
    compare(
        case,
        &opened,
        "large upload",
        &times(sink, sample.bytes.len(), &opened.storage.facts().costs.send),
    );
    Ok(())
}

/// What it costs to send so many bytes.
fn times(sink: &dyn Sink, length: usize, send: &[Cost]) -> Vec<Cost> {
    let requests = sink.requests_to_send(u64::try_from(length).unwrap_or(u64::MAX));
    (0..requests).flat_map(|_| send.iter().copied()).collect()
}

/// Compares what was counted by a meter with what was declared. What no meter counts is free.
fn compare(case: &Case<'_>, opened: &Opened, step: &str, declared: &[Cost]) {
    let meters = &opened.storage.facts().meters;
    let count = |costs: &[Cost]| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for cost in costs.iter().filter(|cost| meters.iter().any(|meter| meter.id == cost.0)) {
            *counts.entry(cost.0).or_default() += 1;
        }
        counts
    };
    let taken = opened.host.take_permits();
    let (taken, declared) = (count(&taken), count(declared));
    for (meter, times) in taken {
        let most = declared.get(meter).copied().unwrap_or_default();
        case.expect(times <= most, || {
            format!("one {step} takes {times} of {meter}, and {most} were declared")
        });
    }
}
