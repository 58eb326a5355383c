//! Reading what is there.

use super::tried::{Tried, noise};
use crate::{Reason, conformance::case::Ends};

pub(super) async fn a_part_of_a_file_is_read(tried: &Tried<'_>) -> Ends {
    let bytes = noise(100_000, 5);
    tried.put("a.jpg", &bytes).await?;
    for (from, most) in
        [(0, None), (0, Some(1)), (1, Some(1)), (99_999, None), (50_000, None), (1_000, Some(70_000))]
    {
        let read = tried.read("a.jpg", from, most).await?;
        let start = usize::try_from(from).unwrap_or(usize::MAX);
        let length = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let wanted: Vec<u8> = bytes.iter().skip(start).take(length).copied().collect();
        tried.expect(read == wanted, || {
            format!("from {from} on, at most {most:?}: {} bytes are read, or others", read.len())
        });
    }
    Ok(())
}

pub(super) async fn what_is_beyond_the_end_is_nothing(tried: &Tried<'_>) -> Ends {
    tried.put("a.jpg", b"0123456789").await?;
    tried.put("empty", b"").await?;
    for (name, from, most, wanted) in [
        ("a.jpg", 8, Some(100), "89"),
        ("a.jpg", 10, None, ""),
        ("a.jpg", 10, Some(1), ""),
        ("a.jpg", 1_000, None, ""),
        ("a.jpg", 3, Some(0), ""),
        ("empty", 0, None, ""),
        ("empty", 0, Some(5), ""),
        ("empty", 5, Some(5), ""),
    ] {
        let read = tried.read(name, from, most).await?;
        tried.expect(read == wanted.as_bytes(), || {
            format!("of {name}, from {from} on, at most {most:?}: {} bytes are read, or others", read.len())
        });
    }
    Ok(())
}

pub(super) async fn a_file_that_is_not_there_cannot_be_read(tried: &Tried<'_>) -> Ends {
    tried.put("a.jpg", b"a").await?;
    for name in ["b.jpg", "no/such/folder/a.jpg"] {
        for (from, most) in [(0, None), (0, Some(5)), (7, None), (0, Some(0))] {
            let read = tried.destination.read(&tried.at(name), from, most).await.map(drop);
            let error = tried.fails(&format!("read {name}, which is not there"), read)?;
            tried.expect(error.reason == Reason::NotFound, || {
                format!("the reason is {:?}: {error}", error.reason)
            });
        }
    }
    Ok(())
}
