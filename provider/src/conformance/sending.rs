//! Sending and committing.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::SignedDuration;

use super::{
    Sample,
    case::{Case, Ends, Opened, Stop},
    staging::{self, NotKept},
};
use crate::{Class, Placement, Position, Reason, RemoteId, UploadToken};

/// Checks that the account holds these bytes for an item, as far as anybody can know.
async fn same_bytes(case: &Case<'_>, opened: &Opened, id: &RemoteId, sample: &Sample) {
    if let Ok(held) = opened.world.bytes_of(id).await {
        case.expect(held == sample.bytes, || {
            format!("{} bytes were sent, and {} other ones are held", sample.bytes.len(), held.len())
        });
    }
}

pub(super) async fn what_is_sent_and_committed_can_be_seen(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let sample = opened.world.sample(1);
    let made = staging::upload(case, &opened, std::slice::from_ref(&sample)).await?;
    let item = made.first().ok_or_else(|| Stop::Failed("no result for an item".into()))?;
    case.expect(!item.id.0.is_empty(), || "the new item has no id".into());
    same_bytes(case, &opened, &item.id, &sample).await;
    if let Ok(source) = opened.source() {
        let listed = staging::everything(case, source).await?;
        let times = listed.iter().filter(|listed| listed.id == item.id).count();
        case.expect(times == 1, || format!("the new item is listed {times} times"));
        let found = staging::look_up(case, source, &item.id).await?;
        case.expect(found.file_name == sample.file_name, || {
            format!("{} has become {}", sample.file_name, found.file_name)
        });
    }
    Ok(())
}

pub(super) async fn nothing_can_be_seen_before_it_is_committed(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let (sink, source) = (opened.sink()?, opened.source()?);
    let staged = staging::send(case, sink, &opened.world.sample(1)).await?;
    case.expect(staged.token.valid_until > opened.world.now(), || "the upload token has expired".into());
    let listed = staging::everything(case, source).await?.len();
    case.expect(listed == 0, || format!("{listed} items can be seen before the commit"));
    Ok(())
}

pub(super) async fn nothing_to_commit_is_no_request(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let results = case.fine("commit nothing", opened.sink()?.commit(None, &[]).await)?;
    case.expect(results.is_empty(), || format!("{} results of nothing", results.len()));
    let permits = opened.host.take_permits();
    case.expect(permits.is_empty(), || "a request was made to commit nothing".into());
    Ok(())
}

pub(super) async fn results_come_in_the_order_of_what_was_staged(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let sink = opened.sink()?;
    let size = u32::try_from(opened.storage.facts().batch.size.min(5)).unwrap_or(5);
    let samples: Vec<_> = (1..=size).map(|number| opened.world.sample(number)).collect();
    let mut batch = Vec::new();
    for sample in &samples {
        batch.push(staging::send(case, sink, sample).await?);
    }
    // Not in the order in which they were sent.
    batch.reverse();
    let results = case.fine("commit", sink.commit(None, &batch).await)?;
    case.expect(results.len() == batch.len(), || format!("{} results of {}", results.len(), batch.len()));
    for ((result, staged), sample) in results.into_iter().zip(&batch).zip(samples.iter().rev()) {
        let item = case.fine("make an item of a file", result)?;
        case.expect(item.file_name == staged.file_name, || {
            format!("the result for {} is {}", staged.file_name, item.file_name)
        });
        same_bytes(case, &opened, &item.id, sample).await;
    }
    Ok(())
}

pub(super) async fn a_full_batch_is_taken(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let size = u32::try_from(opened.storage.facts().batch.size.min(250)).unwrap_or(250);
    let samples: Vec<_> = (1..=size).map(|number| opened.world.sample(number)).collect();
    let items = staging::upload(case, &opened, &samples).await?;
    let ids: HashSet<_> = items.into_iter().map(|item| item.id).collect();
    case.expect(ids.len() == samples.len(), || format!("{size} files have become {} items", ids.len()));
    Ok(())
}

// I2
pub(super) async fn the_same_bytes_are_one_item(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let sink = opened.sink()?;
    let sample = opened.world.sample(1);
    let first = staging::upload(case, &opened, std::slice::from_ref(&sample)).await?.remove(0);
    let again = staging::send(case, sink, &sample).await?;
    let result = case.fine("commit the same bytes later", sink.commit(None, &[again]).await)?.pop();
    match result {
        Some(Ok(item)) => case.expect(item.id == first.id, || "the same bytes are a second item".into()),
        Some(Err(error)) => case.expect(error.reason == Reason::AlreadyExists, || {
            format!("the same bytes are refused as {:?}: {error}", error.reason)
        }),
        None => return Err(Stop::Failed("no result for an item".into())),
    }
    if opened.storage.facts().batch.size < 2 {
        return Ok(());
    }
    let twin = opened.world.sample(2);
    let batch = [staging::send(case, sink, &twin).await?, staging::send(case, sink, &twin).await?];
    let results = case.fine("commit the same bytes twice at once", sink.commit(None, &batch).await)?;
    let mut ids = HashSet::new();
    for result in results {
        match result {
            Ok(item) => drop(ids.insert(item.id)),
            Err(error) => case.expect(error.reason == Reason::AlreadyExists, || {
                format!("the second of two is refused as {:?}: {error}", error.reason)
            }),
        }
    }
    case.expect(ids.len() == 1, || format!("the same bytes twice at once are {} items", ids.len()));
    Ok(())
}

pub(super) async fn a_bad_token_harms_no_other_item(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let sink = opened.sink()?;
    let valid_until =
        opened.world.now().saturating_add(SignedDuration::from_hours(1)).unwrap_or(opened.world.now());
    let nobody_s = UploadToken { token: "nobody-gave-this-token".into(), valid_until };
    let bad = staging::staged(&opened.world.sample(9), nobody_s);
    if opened.storage.facts().batch.size < 3 {
        let error = match sink.commit(None, std::slice::from_ref(&bad)).await {
            Err(error) => error,
            Ok(mut results) => match results.pop() {
                Some(Err(error)) => error,
                _ => return Err(Stop::Failed("a token that nobody gave has become an item".into())),
            },
        };
        case.expect(error.reason == Reason::UploadToken, || format!("it is told as {:?}", error.reason));
        return Ok(());
    }
    let (one, two) = (opened.world.sample(1), opened.world.sample(2));
    let good = [staging::send(case, sink, &one).await?, staging::send(case, sink, &two).await?];
    let batch = [good[0].clone(), bad, good[1].clone()];
    let items = match sink.commit(None, &batch).await {
        Ok(results) => {
            let mut items = Vec::new();
            for (at, result) in results.into_iter().enumerate() {
                if at == 1 {
                    let error = case.fails("commit a token that nobody gave", result)?;
                    let told = error.class == Class::Item || error.reason == Reason::UploadToken;
                    case.expect(told, || format!("it is told as {:?}, {:?}", error.class, error.reason));
                } else {
                    items.push(case.fine("commit beside a token that nobody gave", result)?);
                }
            }
            items
        }
        Err(error) => {
            let error = case.fails("commit a token that nobody gave", Err::<(), _>(error))?;
            case.expect(error.reason == Reason::UploadToken, || {
                format!("the whole is refused as {:?}: {error}", error.reason)
            });
            let results = case.fine("commit the others on their own", sink.commit(None, &good).await)?;
            let mut items = Vec::new();
            for result in results {
                items.push(case.fine("commit the others on their own", result)?);
            }
            items
        }
    };
    case.expect(items.len() == 2, || format!("two good files have become {} items", items.len()));
    for (item, sample) in items.iter().zip([&one, &two]) {
        same_bytes(case, &opened, &item.id, sample).await;
    }
    Ok(())
}

pub(super) async fn a_commit_puts_its_items_into_an_album(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let (sink, albums) = (opened.sink()?, opened.albums()?);
    let album = case.fine("make an album", albums.create("An album").await)?;
    let staged = staging::send(case, sink, &opened.world.sample(1)).await?;
    let placement = Placement { album: album.id.clone(), position: Position::Last };
    let mut results = case.fine("commit into an album", sink.commit(Some(&placement), &[staged]).await)?;
    let result = results.pop().ok_or_else(|| Stop::Failed("no result for an item".into()))?;
    let item = case.fine("commit into an album", result)?;
    let held = opened.world.album_of(&album.id).await?;
    case.expect(held == [item.id], || format!("the album holds {} items", held.len()));
    Ok(())
}

pub(super) async fn new_items_take_their_position_in_an_album(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let (sink, albums) = (opened.sink()?, opened.albums()?);
    let album = case.fine("make an album", albums.create("An album").await)?.id;
    opened.world.album_of(&album).await?;
    let mut ids: Vec<RemoteId> = Vec::new();
    // 1; 1 2; 3 1 2; 3 1 4 2
    for number in 1..=4 {
        let position = match number {
            3 => Position::First,
            4 => Position::After(ids[0].clone()),
            _ => Position::Last,
        };
        let staged = staging::send(case, sink, &opened.world.sample(number)).await?;
        let placement = Placement { album: album.clone(), position: position.clone() };
        let committed = sink.commit(Some(&placement), &[staged]).await;
        let result = case.fine("commit into an album", committed)?.pop();
        let result = result.ok_or_else(|| Stop::Failed("no result for an item".into()))?;
        ids.push(case.fine(&format!("commit at the position {position:?}"), result)?.id);
    }
    let order = |id: &RemoteId| ids.iter().position(|known| known == id).map_or(0, |at| at + 1);
    let held: Vec<_> = opened.world.album_of(&album).await?.iter().map(order).collect();
    case.expect(held == [3, 1, 4, 2], || format!("the items come in the order {held:?}, not 3, 1, 4, 2"));
    Ok(())
}

pub(super) async fn the_words_on_an_item_are_kept(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let sink = opened.sink()?;
    let most = opened.storage.facts().limits.description_chars;
    if most == 0 {
        return Err(Stop::Skipped("the storage takes no words on an item".into()));
    }
    // As long as they may be, and not in letters of one byte.
    let words = "Größe ".chars().cycle().take(most - 1).chain(['.']).collect::<String>();
    let mut staged = staging::send(case, sink, &opened.world.sample(1)).await?;
    staged.description = Some(words.clone());
    let result = case.fine("commit", sink.commit(None, &[staged]).await)?.pop();
    let result = result.ok_or_else(|| Stop::Failed("no result for an item".into()))?;
    let item = case.fine("commit with words on it", result)?;
    let held = opened.world.description_of(&item.id).await?;
    case.expect(held == words, || format!("{most} characters have become {}", held.chars().count()));
    Ok(())
}

pub(super) async fn a_file_that_changes_while_it_is_sent_is_refused(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let sink = opened.sink()?;
    let sample = opened.world.sample(1);
    let bytes = sample.bytes.clone();
    let length = bytes.len();
    let shrunk = bytes.slice(..length - 1);
    let grown: Bytes = [&bytes[..], b"more"].concat().into();
    let read = |bytes: Bytes, ends_well: bool| {
        move |offset: u64| {
            let rest = bytes.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())..);
            let end = (!ends_well).then(|| Err(std::io::Error::other("the disk cannot be read")));
            stream::iter([Ok(rest)].into_iter().chain(end)).boxed()
        }
    };
    let files = [
        ("shrinks", staging::content_of(&sample, length, read(shrunk, true))),
        ("grows", staging::content_of(&sample, length, read(grown, true))),
        ("cannot be read", staging::content_of(&sample, length, read(bytes.slice(..length / 2), false))),
        ("is empty", staging::content_of(&sample, 0, read(Bytes::new(), true))),
    ];
    for (what, content) in files {
        let doing = format!("send a file that {what}");
        let error = match sink.send(&content, None, &NotKept).await {
            Err(error) => error,
            // A storage may take an empty file.
            Ok(_) if what == "is empty" => continue,
            Ok(_) => {
                case.expect(false, || format!("{doing}: this should have failed"));
                continue;
            }
        };
        let error = case.fails(&doing, Err::<(), _>(error))?;
        case.expect(error.class == Class::Item, || format!("{doing}: told as {:?}: {error}", error.class));
    }
    Ok(())
}
