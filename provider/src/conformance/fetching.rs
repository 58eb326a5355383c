//! The bytes of items.

use super::{
    case::{Case, Ends, Stop},
    staging,
};
use crate::{Fidelity, Part, Reason, RemoteItem, ResumePoint};

pub(super) async fn the_bytes_are_those_that_were_promised(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let item = staging::one_item(case, &opened).await?;
    let truth = opened.world.bytes_of(&item.id).await?;
    let body = case.fine("fetch", source.open(&item, Part::Whole, None).await)?;
    let (offset, length) = (body.offset, body.length);
    case.expect(offset == 0, || format!("bytes from the beginning begin at {offset}"));
    case.expect(body.validator.as_deref() != Some(""), || "the validator is blank".into());
    let bytes = staging::drain(case, body).await?;
    case.expect(length.is_none_or(|length| length == bytes.len() as u64), || {
        format!("{length:?} bytes were promised, and {} came", bytes.len())
    });
    case.expect(bytes == truth, || format!("{} other bytes came than the {}", bytes.len(), truth.len()));
    Ok(())
}

/// What came from a resume point: the bytes that are the whole then.
async fn from_the_middle(case: &Case<'_>, validator: Option<&str>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let item = staging::one_item(case, &opened).await?;
    let body = case.fine("fetch", source.open(&item, Part::Whole, None).await)?;
    let Some(given) = body.validator.clone() else {
        return Err(Stop::Skipped("the storage gives no validator: what is broken is fetched anew".into()));
    };
    let whole = staging::drain(case, body).await?;
    let offset = whole.len() as u64 / 2;
    let is_ours = validator.is_none();
    let point = ResumePoint { offset, validator: validator.map_or(given, str::to_owned) };
    let rest = match source.open(&item, Part::Whole, Some(&point)).await {
        // Other bytes may also be told as an error.
        Err(error) if !is_ours => return case.fails("fetch", Err::<(), _>(error)).map(drop),
        rest => case.fine("fetch from the middle", rest)?,
    };
    let (begun, length) = (rest.offset, rest.length);
    let fits = begun == 0 || (is_ours && begun == offset);
    case.expect(fits, || format!("asked to go on at {offset}, the bytes begin at {begun}"));
    let bytes = staging::drain(case, rest).await?;
    let kept = usize::try_from(begun).unwrap_or(usize::MAX).min(whole.len());
    let together = [&whole[..kept], &bytes[..]].concat();
    case.expect(together == whole, || "the two halves are not the whole".into());
    let total = whole.len() as u64;
    case.expect(length.is_none_or(|length| length == total), || {
        format!("the item has {total} bytes, and the second half says {length:?}")
    });
    Ok(())
}

pub(super) async fn broken_bytes_go_on_where_they_broke_off(case: &Case<'_>) -> Ends {
    from_the_middle(case, None).await
}

pub(super) async fn other_bytes_are_not_put_behind_these(case: &Case<'_>) -> Ends {
    from_the_middle(case, Some("\"the validator of other bytes\"")).await
}

pub(super) async fn an_item_without_an_address_has_to_be_looked_up(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let mut item = staging::one_item(case, &opened).await?;
    let Some(address) = item.address.take() else {
        return Err(Stop::Skipped("the items of this storage need no address".into()));
    };
    case.printed("an address", &address);
    case.expect(address.valid_until > opened.world.now(), || "a fresh address has expired already".into());
    let error = case.fails("fetch without an address", source.open(&item, Part::Whole, None).await)?;
    case.expect(error.reason == Reason::StaleAddress, || format!("it is told as {:?}", error.reason));
    item.address = Some(crate::Address { valid_until: opened.world.now(), ..address });
    let error = case.fails("fetch from an old address", source.open(&item, Part::Whole, None).await)?;
    case.expect(error.reason == Reason::StaleAddress, || format!("an old one is told as {:?}", error.reason));
    Ok(())
}

pub(super) async fn an_expired_address_is_told_and_renewed(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let item = staging::one_item(case, &opened).await?;
    opened.world.expire_addresses().await?;
    let error = case.fails("fetch from an expired address", source.open(&item, Part::Whole, None).await)?;
    case.expect(error.reason == Reason::StaleAddress, || format!("it is told as {:?}", error.reason));
    let fresh = staging::look_up(case, source, &item.id).await?;
    let body = case.fine("fetch from a fresh address", source.open(&fresh, Part::Whole, None).await)?;
    staging::drain(case, body).await?;
    Ok(())
}

pub(super) async fn a_measured_size_is_the_true_one(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let item = staging::one_item(case, &opened).await?;
    let Some(size) = case.fine("measure", source.measure(&item).await)? else {
        return Err(Stop::Skipped("the storage does not say how many bytes an item has".into()));
    };
    let body = case.fine("fetch", source.open(&item, Part::Whole, None).await)?;
    let bytes = staging::drain(case, body).await?.len() as u64;
    case.expect(size == bytes, || format!("measured are {size} bytes, and {bytes} came"));
    Ok(())
}

pub(super) async fn a_clip_is_fetched_or_told_to_be_missing(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let plain = staging::one_item(case, &opened).await?;
    let error = case.fails("fetch the clip of a plain photo", source.open(&plain, Part::Clip, None).await)?;
    case.expect(error.reason == Reason::NoSuchPart, || {
        format!("a clip that is not there is told as {:?}: {error}", error.reason)
    });
    let (id, clip) = opened.world.put_with_clip().await?;
    let item = staging::look_up(case, source, &id).await?;
    case.expect(item.has_clip, || "nothing is said of a clip that is there".into());
    let body = case.fine("fetch a clip", source.open(&item, Part::Clip, None).await)?;
    let fidelity = body.fidelity;
    let bytes = staging::drain(case, body).await?;
    case.expect(bytes == clip || fidelity != Fidelity::Original, || "the clip has other bytes".into());
    case.expect(!bytes.is_empty(), || "the clip is empty".into());
    Ok(())
}

pub(super) async fn a_preview_is_a_picture_or_told_to_be_missing(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let item = staging::one_item(case, &opened).await?;
    if !opened.storage.facts().capabilities.previews {
        let error = case.fails("fetch a small picture that there is not", source.preview(&item, 64).await)?;
        case.expect(error.reason == Reason::NoSuchPart, || {
            format!("it is told as {:?}: {error}", error.reason)
        });
        return Ok(());
    }
    for pixels in [64, 320] {
        let body = case.fine("fetch a small picture", source.preview(&item, pixels).await)?;
        let length = body.length;
        let bytes = staging::drain(case, body).await?;
        case.expect(length.is_none_or(|length| length == bytes.len() as u64), || {
            format!("{length:?} bytes were promised, and {} came", bytes.len())
        });
        let begins = |magic: &[u8]| bytes.starts_with(magic);
        let is_picture = begins(b"\xff\xd8\xff") || begins(b"\x89PNG") || begins(b"GIF8") || begins(b"RIFF");
        case.expect(is_picture, || "what came is no picture that a browser shows".into());
    }
    if item.address.is_some() {
        let homeless = RemoteItem { address: None, ..item };
        let error = case.fails("fetch a picture without an address", source.preview(&homeless, 64).await)?;
        case.expect(error.reason == Reason::StaleAddress, || format!("it is told as {:?}", error.reason));
    }
    Ok(())
}
