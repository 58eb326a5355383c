//! Files that are put there.

use std::{path::Path, time::Duration};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::tried::{Tried, noise};
use crate::{
    Depth, EntryKind,
    conformance::case::{Ends, Stop},
};

/// Large enough for several parts, and no multiple of any size of a part.
const LARGE: usize = 20 * 1024 * 1024 + 4321;

pub(super) async fn what_is_put_is_there(tried: &Tried<'_>) -> Ends {
    let taken: Timestamp = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_234_567_890);
    tried.put_of("a.jpg", b"a photo", Some(taken)).await?;
    tried.holds("a.jpg", b"a photo").await?;
    if tried.destination.keeps_times() {
        let modified = tried.look("a.jpg").await?.and_then(|entry| entry.modified);
        // File systems keep times to two seconds or better.
        let is_kept = modified.is_some_and(|modified| modified.duration_since(taken).abs().as_secs() <= 2);
        tried.expect(is_kept, || format!("a file that was put with {taken} bears {modified:?}"));
    }
    Ok(())
}

pub(super) async fn an_existing_file_is_replaced(tried: &Tried<'_>) -> Ends {
    for bytes in [&b"first"[..], b"the second, which is longer", b"3"] {
        tried.put("a.jpg", bytes).await?;
        tried.holds("a.jpg", bytes).await?;
    }
    let listed = tried.list("", Depth::Tree).await?;
    tried.expect(listed == ["a.jpg"], || format!("one file was put three times, and there are {listed:?}"));
    Ok(())
}

pub(super) async fn an_empty_file_is_kept(tried: &Tried<'_>) -> Ends {
    tried.put("empty", b"").await?;
    tried.holds("empty", b"").await?;
    tried.put("full", b"full").await?;
    tried.put("full", b"").await?;
    tried.holds("full", b"").await
}

pub(super) async fn a_large_file_arrives_whole(tried: &Tried<'_>) -> Ends {
    let bytes = noise(LARGE, 1);
    tried.put("large.mp4", &bytes).await?;
    tried.holds("large.mp4", &bytes).await?;
    let from = LARGE - 12_345_678;
    let part = tried.read("large.mp4", from as u64, Some(5_000_000)).await?;
    tried.expect(part == bytes[from..from + 5_000_000], || "a part of a large file is another one".into());
    Ok(())
}

pub(super) async fn folders_are_made(tried: &Tried<'_>) -> Ends {
    let deep = "1/2/3/4/5/6/7/8/9/10/11/12/a.jpg";
    tried.put(deep, b"deep").await?;
    tried.holds(deep, b"deep").await?;
    for folder in ["1", "1/2/3/4/5/6", "1/2/3/4/5/6/7/8/9/10/11/12"] {
        let found = tried.look(folder).await?;
        let is_folder =
            found.as_ref().is_some_and(|found| found.kind == EntryKind::Folder && found.size == 0);
        tried.expect(is_folder, || format!("a look at the folder {folder} tells {found:?}"));
    }
    tried.put("1/2/b.jpg", b"beside").await?;
    tried.holds("1/2/b.jpg", b"beside").await
}

pub(super) async fn files_that_are_put_at_the_same_time_all_arrive(tried: &Tried<'_>) -> Ends {
    let put = |number: usize| async move {
        tried.put(&format!("new/folder {}/{number}.jpg", number % 3), &noise(1000 + number, 2)).await
    };
    for ended in stream::iter((0..24).map(put)).buffered(8).collect::<Vec<_>>().await {
        ended?;
    }
    for number in 0..24 {
        tried.holds(&format!("new/folder {}/{number}.jpg", number % 3), &noise(1000 + number, 2)).await?;
    }
    Ok(())
}

pub(super) async fn nothing_half_is_seen_while_a_file_is_put(tried: &Tried<'_>) -> Ends {
    tried.put("a.mp4", b"before").await?;
    let bytes = noise(LARGE, 3);
    let mut put = Box::pin(tried.put("a.mp4", &bytes));
    let seen = || async {
        // What changes while it is looked at may not be told this time.
        let is_passing = |stop: &Stop| matches!(stop, Stop::Failed(words) if words.contains("[Transient"));
        match (tried.look("a.mp4").await, tried.list("", Depth::Tree).await) {
            (Err(stop), _) | (_, Err(stop)) if is_passing(&stop) => Ok(None),
            (found, listed) => Ok::<_, Stop>(Some((found?, listed?))),
        }
    };
    loop {
        let (told, is_over) = tokio::select! {
            biased;
            ended = &mut put => {
                ended?;
                (seen().await?, true)
            }
            told = seen() => (told?, false),
        };
        let Some((found, listed)) = told else { continue };
        let size = found.map(|found| found.size);
        let sizes = if is_over { vec![bytes.len() as u64] } else { vec![6, bytes.len() as u64] };
        tried.expect(size.is_some_and(|size| sizes.contains(&size)), || {
            format!("while a file of 6 bytes was replaced by one of {LARGE}, a look told {size:?} bytes")
        });
        tried.expect(listed == ["a.mp4"], || format!("while one file was put, there were {listed:?}"));
        if is_over {
            return Ok(());
        }
    }
}

pub(super) async fn a_put_that_is_given_up_leaves_nothing_half(tried: &Tried<'_>) -> Ends {
    tried.put("old.mp4", b"before").await?;
    let bytes = noise(LARGE, 4);
    let mut given_up = 0;
    for milliseconds in [0, 2, 10, 40] {
        for name in ["old.mp4", "new.mp4"] {
            let put = tried.put(name, &bytes);
            if tokio::time::timeout(Duration::from_millis(milliseconds), put).await.is_err() {
                given_up += 1;
            }
            let size = tried.look(name).await?.map(|found| found.size);
            let is_whole = match size {
                None => name == "new.mp4",
                Some(6) => name == "old.mp4",
                Some(size) => size == bytes.len() as u64,
            };
            tried.expect(is_whole, || {
                format!(
                    "a put of {LARGE} bytes was given up after {milliseconds} ms, and {name} has {size:?}"
                )
            });
        }
    }
    let listed = tried.list("", Depth::Tree).await?;
    let is_clean = listed.iter().all(|name| name == "old.mp4" || name == "new.mp4");
    tried.expect(is_clean, || format!("puts that were given up have left {listed:?}"));
    // It can be done afterwards.
    tried.put("new.mp4", &bytes).await?;
    tried.holds("new.mp4", &bytes).await?;
    if given_up == 0 {
        return Err(Stop::Skipped("every put was over before it was given up".into()));
    }
    Ok(())
}

pub(super) async fn a_file_that_cannot_be_read_changes_nothing(tried: &Tried<'_>) -> Ends {
    tried.put("a.jpg", b"before").await?;
    let missing = Path::new("/no/such/file/on/this/machine");
    for name in ["a.jpg", "b.jpg"] {
        let put = tried.destination.put(&tried.at(name), missing, None).await;
        tried.fails("put a file that is not there", put)?;
    }
    tried.holds("a.jpg", b"before").await?;
    let found = tried.look("b.jpg").await?;
    tried.expect(found.is_none(), || format!("a put that failed has left {found:?}"));
    Ok(())
}
