//! The bytes behind a base URL: `=d`, `=dv`, `=wN-hN[-c][-no]`, HEAD and Range (facts §4).
//!
//! No authorization is asked for. Rendering happens on a blocking thread and holds no lock.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;

use crate::{
    base_url::{Dead, resolve},
    call::Call,
    error::answer,
    fault::Action,
    jpeg,
    picture::{Picture, draw_play, thumbnail},
    resource::is_processing,
    state::{Content, Item},
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
    let (item, keep_bytes, no_video) = {
        let mut state = call.world.lock();
        if call.faults.contains(&Action::ExpiredBaseUrls) {
            state.base_url_generation += 1;
        }
        let number = match resolve(&state, now, token) {
            Ok(number) => number,
            Err(Dead::Expired) => return expired(token, parameter),
            Err(Dead::Missing) => return missing(state.settings.missing_media_is_png),
        };
        let owner = state.items[number].owner.clone();
        let settings = state.settings.clone();
        if let Err(refused) = state.quota.spend(&settings, now, &owner, &call.operation) {
            return refused.structured(call.alt_json());
        }
        let processing = is_processing(call, &state, now, number);
        let item = state.items[number].clone();
        let no_video = wanted == Wanted::DownloadVideo && (processing || !item.is_video());
        (item, settings.keep_bytes, no_video.then_some(settings.no_video_status))
    };
    if let Some(status) = no_video {
        return refused(StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND));
    }
    let video_bytes = wanted == Wanted::DownloadVideo;
    let mime_type = match wanted {
        Wanted::DownloadVideo => item.mime_type.clone(),
        Wanted::Download if !item.is_video() => match item.content {
            Content::Dropped(_) => "image/jpeg".to_owned(),
            _ => item.mime_type.clone(),
        },
        _ => "image/jpeg".to_owned(),
    };
    let name =
        if video_bytes || matches!(wanted, Wanted::Download) { item.filename.clone() } else { String::new() };
    let Ok(bytes) = tokio::task::spawn_blocking(move || render(&item, wanted, keep_bytes)).await else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR);
    };
    whole_or_range(call, bytes, &mime_type, &name)
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

fn render(item: &Item, wanted: Wanted, keep_bytes: bool) -> Bytes {
    let original = item.content.original();
    match wanted {
        Wanted::Thumbnail { width, height, crop, overlay } => {
            let decoded = if item.is_video() { None } else { original.as_deref().and_then(jpeg::decode) };
            let pixels = decoded.unwrap_or_else(|| poster(item).pixels());
            let mut small = thumbnail(&pixels, width, height, crop);
            if item.is_video() && overlay {
                draw_play(&mut small);
            }
            jpeg::encode(&small, 80).into()
        }
        Wanted::Download | Wanted::DownloadVideo if keep_bytes && original.is_some() => {
            original.unwrap_or_default()
        }
        Wanted::DownloadVideo => match (original, &item.content) {
            (Some(bytes), _) => transcoded(&bytes).into(),
            (None, Content::Dropped(seed)) => {
                Video { taken_at: Some(item.taken_at), ..Video::new(*seed) }.mp4().into()
            }
            _ => Bytes::new(),
        },
        // Without `v` a video gives its still.
        Wanted::Download if item.is_video() => jpeg::encode(&poster(item).pixels(), 85).into(),
        Wanted::Download => match (original, &item.content) {
            (Some(bytes), _) if item.mime_type == "image/jpeg" => jpeg::download_copy(&bytes).into(),
            // No decoder here: the file stays readable, but it is another one, as every copy of Google's is.
            (Some(bytes), _) if matches!(item.mime_type.as_str(), "image/heif" | "image/avif") => {
                transcoded(&bytes).into()
            }
            (Some(bytes), _) => [&bytes[..], b"\0copy"].concat().into(),
            (None, Content::Dropped(seed)) => jpeg::download_copy(&stand_in(item, *seed).jpeg()).into(),
            _ => Bytes::new(),
        },
    }
}

/// The part that a `Range` header asks for: start and end, both included.
fn range(header: &str, length: usize) -> Option<Result<(usize, usize), ()>> {
    let (start, end) = header.strip_prefix("bytes=")?.split_once('-')?;
    let last = length.checked_sub(1)?;
    Some(match (start.parse::<usize>(), end.parse::<usize>()) {
        (Ok(start), _) if start > last => Err(()),
        (Ok(start), Ok(end)) if start <= end => Ok((start, end.min(last))),
        (Ok(start), Err(_)) if end.is_empty() => Ok((start, last)),
        (Err(_), Ok(0)) if start.is_empty() => Err(()),
        (Err(_), Ok(suffix)) if start.is_empty() => Ok((length.saturating_sub(suffix), last)),
        _ => return None,
    })
}

fn whole_or_range(call: &Call, bytes: Bytes, mime_type: &str, name: &str) -> Response<Body> {
    let length = bytes.len();
    let (status, bytes, content_range) = match call.header("range").and_then(|value| range(value, length)) {
        None => (StatusCode::OK, bytes, None),
        Some(Ok((start, end))) => (
            StatusCode::PARTIAL_CONTENT,
            bytes.slice(start..=end),
            Some(format!("bytes {start}-{end}/{length}")),
        ),
        Some(Err(())) => (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(format!("bytes */{length}"))),
    };
    let size = bytes.len();
    let head = matches!(call.operation, crate::operation::Operation::Media { head: true, .. });
    let mut response = Response::new(if head { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |key, value: &str| {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(key, value);
        }
    };
    set(header::CONTENT_TYPE, mime_type);
    set(header::CONTENT_LENGTH, &size.to_string());
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CACHE_CONTROL, "private, max-age=86400, no-transform");
    if let Some(content_range) = content_range {
        set(header::CONTENT_RANGE, &content_range);
    }
    if !name.is_empty() {
        let plain: String =
            name.chars().filter(|c| c.is_ascii() && !c.is_ascii_control() && *c != '"').collect();
        set(header::CONTENT_DISPOSITION, &format!("attachment;filename=\"{plain}\""));
    }
    response
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

/// The 404 of a base URL that never was: its body is a picture.
fn missing(png: bool) -> Response<Body> {
    const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82";
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
    fn ranges_are_those_of_http() {
        assert_eq!(range("bytes=0-9", 100), Some(Ok((0, 9))));
        assert_eq!(range("bytes=90-", 100), Some(Ok((90, 99))));
        assert_eq!(range("bytes=-10", 100), Some(Ok((90, 99))));
        assert_eq!(range("bytes=100-", 100), Some(Err(())));
        assert_eq!(range("lines=1-2", 100), None);
    }

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
