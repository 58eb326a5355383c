//! Examining: whether a file may be taken for what it is said to be. It is read to its end, and hashed.

use charon_provider::{Class, Destination, Fidelity, Kind};
use futures::TryStreamExt;
use sha2::Digest;

use super::tree::{Bytes, Found};
use crate::{
    error::Error,
    ids::Sha256,
    sniff::{self, HEAD_BYTES},
    whole::Looking,
};

/// A file that may be adopted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Good {
    pub(super) sha256: Sha256,
    pub(super) size: u64,
    pub(super) fidelity: Fidelity,
}

/// Reads a file. Gives what is wrong with it, if something is, as words that read well after its path.
pub(super) async fn examine(
    files: &dyn Destination,
    found: &Found,
    is_video: bool,
    written: Option<Bytes>,
) -> Result<Result<Good, String>, Error> {
    let least = found.known.as_ref().map_or(0, |known| known.least_size);
    if found.size == 0 {
        return Ok(Err("is empty".into()));
    }
    if found.size < least {
        return Ok(Err(format!("is cut off: it had {least} bytes")));
    }
    let (mut hasher, mut size, mut head, mut looking) =
        (sha2::Sha256::new(), 0, Vec::new(), Looking::default());
    let read = async {
        let mut pieces = files.read(&found.path, 0, None).await?;
        while let Some(piece) = pieces.try_next().await? {
            hasher.update(&piece);
            size += piece.len() as u64;
            let wanted = HEAD_BYTES.saturating_sub(head.len()).min(piece.len());
            head.extend_from_slice(&piece[..wanted]);
            looking.take(&piece);
        }
        Ok::<_, charon_provider::Error>(())
    };
    match read.await {
        Ok(()) => {}
        Err(error) if error.class == Class::Item => return Ok(Err(format!("cannot be read: {error}"))),
        Err(error) => return Err(error.into()),
    }
    let sha256 = Sha256(hasher.finalize().into());
    if written.is_some_and(|written| written.sha256 != sha256) {
        return Ok(Err("has other bytes than its sidecar says".into()));
    }
    let is_well_known = found.name().rsplit_once('.').is_some_and(|(_, ending)| sniff::is_well_known(ending));
    let kind = sniff::kind(&head);
    let wrong = match (sniff::not_media(&head, is_well_known), kind) {
        (Some(what), _) => Some(format!("is not what its name says: its content {what}")),
        (None, Some(Kind::Photo)) if is_video => Some("is a picture in place of the video".into()),
        (None, Some(Kind::Video)) if !is_video && is_well_known => {
            Some("is a video in place of the picture".into())
        }
        _ => looking.missing().map(str::to_owned),
    };
    // The very bytes that Charon once found good need no second opinion.
    Ok(match wrong.filter(|_| written.is_none()) {
        Some(wrong) => Err(wrong),
        None => {
            Ok(Good { sha256, size, fidelity: written.map_or(Fidelity::ApiCopy, |written| written.fidelity) })
        }
    })
}
