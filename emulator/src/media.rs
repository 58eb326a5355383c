//! The bytes behind a base URL: `=d`, `=dv`, `=wN-hN[-c][-no]`, HEAD and Range (facts §4).
//!
//! No authorization is asked for. Rendering happens on a blocking thread and holds no lock.

use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use bytes::Bytes;

use crate::{
    base_url::{Dead, resolve},
    call::Call,
    content::Content,
    error::answer,
    fault::Action,
    jpeg,
    moved::Receipt,
    operation::Operation,
    picture::{Picture, draw_play, thumbnail},
    random::Random,
    ranges::{File, Manners, Part, Source},
    resource::is_processing,
    state::Item,
    video::{Video, transcoded},
};

/// What the text after `=` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Download,
    DownloadVideo,
    Thumbnail { width: u32, height: u32, crop: bool, overlay: bool },
}

impl Wanted {
    fn of(parameter: &str) -> Option<Wanted> {
        match parameter {
            "d" => return Some(Wanted::Download),
            "dv" => return Some(Wanted::DownloadVideo),
            // A base URL must carry a parameter; without one Google shows a small picture.
            "" => return Some(Wanted::Thumbnail { width: 512, height: 512, crop: false, overlay: true }),
            _ => {}
        }
        let (mut width, mut height, mut crop, mut overlay) = (None, None, false, true);
        for part in parameter.split('-') {
            match part {
                "c" => crop = true,
                "no" => overlay = false,
                "d" | "dv" => return None,
                _ => {
                    let pixels = part.get(1..)?.parse().ok().filter(|pixels| (1..=16383).contains(pixels))?;
                    match part.as_bytes().first()? {
                        b'w' => width = Some(pixels),
                        b'h' => height = Some(pixels),
                        b's' => (width, height) = (Some(pixels), Some(pixels)),
                        _ => return None,
                    }
                }
            }
        }
        let most = 16383;
        Some(Wanted::Thumbnail {
            width: width.unwrap_or(most),
            height: height.unwrap_or(most),
            crop,
            overlay,
        })
    }
}

/// Answers GET and HEAD of a base URL.
pub(crate) async fn serve(call: &Call, token: &str, parameter: &str) -> Response<Body> {
    let Some(wanted) = Wanted::of(parameter) else { return refused(StatusCode::BAD_REQUEST) };
    let now = call.world.now();
    let (number, item, keep_bytes, no_video) = {
        let mut state = call.world.lock();
        if call.faults.contains(&Action::ExpiredBaseUrls) {
            state.base_url_generation += 1;
        }
        let number = match resolve(&state, now, token) {
            Ok(number) => number,
            Err(Dead::Expired) => return expired(token, parameter),
            Err(Dead::Missing) => return missing(state.settings.missing_media_is_png),
        };
        if call.faults.contains(&Action::ContentChanged) {
            state.change_content(number);
        }
        let owner = state.items[number].owner.clone();
        let settings = state.settings.clone();
        if let Err(refused) = state.quota.spend(&settings, now, &owner, &call.operation) {
            return refused.structured(call.alt_json());
        }
        let processing = is_processing(call, &state, now, number);
        let item = state.items[number].clone();
        let still = !item.is_video() && item.clip.is_none();
        let no_video = wanted == Wanted::DownloadVideo && (processing || still);
        (number, item, settings.keep_bytes, no_video.then_some(settings.no_video_status))
    };
    if let Some(status) = no_video {
        return refused(StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND));
    }
    let head = matches!(call.operation, Operation::Media { head: true, .. });
    let method = if head { Method::HEAD } else { Method::GET };
    if call.faults.contains(&Action::Placeholder) {
        let (source, mime_type) = (Source::Held(Bytes::from_static(PIXEL)), "image/png".to_owned());
        let file = File { source, mime_type, name: String::new(), etag: None };
        return file.answer(&method, &call.headers, Manners::Ignores);
    }
    let manners = if call.faults.contains(&Action::RangeIgnored) {
        Manners::Ignores
    } else if call.faults.contains(&Action::WrongRange) {
        Manners::Elsewhere
    } else {
        Manners::Right
    };
    let etag = entity_tag(&item, parameter, keep_bytes);
    let Ok((source, mime_type)) = tokio::task::spawn_blocking({
        let item = item.clone();
        move || render(&item, wanted, keep_bytes)
    })
    .await
    else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let name = match wanted {
        Wanted::Thumbnail { .. } => String::new(),
        Wanted::DownloadVideo if item.clip.is_some() => {
            let stem = item.filename.rsplit_once('.').map_or(item.filename.as_str(), |(stem, _)| stem);
            format!("{stem}.mp4")
        }
        _ => item.filename,
    };
    let mut response =
        File { source, mime_type, name, etag: Some(etag) }.answer(&method, &call.headers, manners);
    let is_file = matches!(wanted, Wanted::Download | Wanted::DownloadVideo);
    if let Some(Part { start, end, size }) = response.extensions_mut().remove().filter(|_| is_file) {
        let video = wanted == Wanted::DownloadVideo;
        response.extensions_mut().insert(Receipt::Media { item: number, video, start, end, size });
    }
    response
}

/// A strong tag: another one whenever the bytes are others.
fn entity_tag(item: &Item, parameter: &str, keep_bytes: bool) -> String {
    let kept = [u8::from(keep_bytes)];
    let parts = [item.id.as_bytes(), &item.version.to_le_bytes(), parameter.as_bytes(), &kept];
    format!("\"{:016x}\"", Random::of(&parts).next_u64())
}

fn stand_in(item: &Item, seed: u64) -> Picture {
    let (width, height) = item.dimensions.unwrap_or((320, 240));
    let shrink = (width.max(height) / 640).max(1);
    Picture {
        width: (width / shrink).max(1),
        height: (height / shrink).max(1),
        taken_at: Some(item.taken_at.to_zoned(jiff::tz::TimeZone::UTC).datetime()),
        camera: item.exif.make.clone().zip(item.exif.model.clone()),
        ..Picture::new(seed)
    }
}

fn poster(item: &Item) -> Picture {
    let seed = match &item.content {
        Content::Video(video) => video.seed,
        Content::Dropped(seed) => *seed,
        _ => item.known.map_or(0, |(hash, _)| u64::from(hash[0])),
    };
    Picture { number: None, ..stand_in(item, seed) }
}

/// The bytes and their type.
fn render(item: &Item, wanted: Wanted, keep_bytes: bool) -> (Source, String) {
    let jpeg = || "image/jpeg".to_owned();
    match wanted {
        Wanted::Thumbnail { width, height, crop, overlay } => {
            let original = if item.is_video() { None } else { item.content.original() };
            let decoded = original.as_deref().and_then(jpeg::decode);
            let pixels = decoded.unwrap_or_else(|| poster(item).pixels());
            let mut small = thumbnail(&pixels, width, height, crop);
            if (item.is_video() || item.clip.is_some()) && overlay {
                draw_play(&mut small);
            }
            (Source::Held(jpeg::encode(&small, 80).into()), jpeg())
        }
        Wanted::DownloadVideo => {
            // A clip is an MP4, whatever the camera wrote.
            let (content, mime_type) = match &item.clip {
                Some(clip) => (&clip.content, "video/mp4"),
                None => (&item.content, item.mime_type.as_str()),
            };
            (film(item, content, keep_bytes), mime_type.to_owned())
        }
        // Without `v` a video gives its still, except to a test that compares bytes.
        Wanted::Download if item.is_video() => match item.content.original().filter(|_| keep_bytes) {
            Some(bytes) => (Source::Held(bytes), jpeg()),
            None => (Source::Held(jpeg::encode(&poster(item).pixels(), 85).into()), jpeg()),
        },
        Wanted::Download => match item.content.original() {
            None => {
                let seed = if let Content::Dropped(seed) = item.content { seed } else { 0 };
                (Source::Held(jpeg::download_copy(&stand_in(item, seed).jpeg()).into()), jpeg())
            }
            Some(bytes) if keep_bytes => (Source::Held(bytes), item.mime_type.clone()),
            Some(bytes) => {
                let copy = match item.mime_type.as_str() {
                    // Encoding again would lose what was edited.
                    "image/jpeg" if item.version > 0 => {
                        jpeg::commented(&jpeg::download_copy(&bytes), &format!("edited {}", item.version))
                    }
                    "image/jpeg" => jpeg::download_copy(&bytes),
                    // No decoder here: the file stays readable, but it is another one, as every copy of Google's is.
                    "image/heif" | "image/avif" => transcoded(&bytes),
                    _ => [&bytes[..], b"\0copy"].concat(),
                };
                (Source::Held(copy.into()), item.mime_type.clone())
            }
        },
    }
}

fn film(item: &Item, content: &Content, keep_bytes: bool) -> Source {
    match (content, content.original()) {
        (Content::Large(large), _) => Source::Large(large.clone()),
        (_, Some(bytes)) if keep_bytes => Source::Held(bytes),
        (_, Some(bytes)) => Source::Held(transcoded(&bytes).into()),
        (Content::Dropped(seed), None) => {
            Source::Held(Video { taken_at: Some(item.taken_at), ..Video::new(*seed) }.mp4().into())
        }
        _ => Source::Held(Bytes::new()),
    }
}

/// The 403 page of a base URL that was good once.
fn expired(token: &str, parameter: &str) -> Response<Body> {
    let url = format!("/lr/{token}={parameter}");
    let page = format!(
        "<html lang=\"en\"><meta charset=\"utf-8\"><title>Error 403 (Forbidden)!!1</title><p><b>403.</b> <ins>That’s an \
         error.</ins><p>Your client does not have permission to get URL <code>{url}</code> from this server. <ins>That’s \
         all we know.</ins></html>"
    );
    answer(StatusCode::FORBIDDEN, "text/html; charset=UTF-8", page)
}

/// One pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82";

/// The 404 of a base URL that never was: its body is a picture.
fn missing(png: bool) -> Response<Body> {
    if png { answer(StatusCode::NOT_FOUND, "image/png", PIXEL) } else { refused(StatusCode::NOT_FOUND) }
}

fn refused(status: StatusCode) -> Response<Body> {
    let page = format!("<!DOCTYPE html><html lang=en><title>Error {status}</title><p><b>{status}</b></html>");
    answer(status, "text/html; charset=UTF-8", page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_between_1_and_16383() {
        let fit = Wanted::Thumbnail { width: 100, height: 50, crop: false, overlay: true };
        assert_eq!(Wanted::of("w100-h50"), Some(fit));
        assert_eq!(Wanted::of("w0-h50"), None);
        assert_eq!(Wanted::of("w16384-h50"), None);
        assert!(matches!(
            Wanted::of("w9-h9-c-no"),
            Some(Wanted::Thumbnail { crop: true, overlay: false, .. })
        ));
    }
}
