//! Descriptions from sidecars: what somebody has written of a photo, in a file beside it.
//!
//! Google Takeout writes JSON, cut short in ways of its own (`.supplemental-metadata` to any length, and the whole name to 46
//! UTF-16 units); cameras and photo managers write XMP. A sidecar that cannot be read is no reason not to send the photo.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use roxmltree::{Document, Node};
use serde_json::Value;

/// A larger file is no sidecar.
const MOST_BYTES: u64 = 1024 * 1024;
/// What Takeout puts between the name of a photo and `.json`.
const TAKEOUT: &str = ".supplemental-metadata";
/// Where Takeout cuts a name, without its `.json`.
const TAKEOUT_UNITS: usize = 46;
const DUBLIN_CORE: &str = "http://purl.org/dc/elements/1.1/";
const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The description of a photo or video, at most so many characters of it. Blocks.
pub(super) fn description_of(path: &Path, most_chars: usize) -> Option<String> {
    if most_chars == 0 {
        return None;
    }
    candidates(path).into_iter().find_map(|(sidecar, kind)| {
        let text = match read(&sidecar) {
            Ok(text) => text?,
            Err(error) => {
                tracing::warn!(path = %sidecar.display(), %error, "a sidecar cannot be read");
                return None;
            }
        };
        let description = match kind {
            Kind::Json => in_json(&text),
            Kind::Xmp => in_xmp(&text),
        };
        match description {
            Ok(description) => description.and_then(|text| tidy(&text, most_chars)),
            Err(error) => {
                tracing::warn!(path = %sidecar.display(), error, "a sidecar is not what its name says");
                None
            }
        }
    })
}

/// The sidecars that lie beside a photo. Blocks.
pub(super) fn beside(path: &Path) -> Vec<PathBuf> {
    let is_file = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    candidates(path).into_iter().map(|(sidecar, _)| sidecar).filter(is_file).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Xmp,
}

/// The files that may be sidecars of a photo, the likeliest first.
fn candidates(path: &Path) -> Vec<(PathBuf, Kind)> {
    let Some(name) = path.file_name() else { return Vec::new() };
    let with = |end: &str| {
        let mut whole = name.to_owned();
        whole.push(end);
        whole
    };
    let mut json: Vec<OsString> =
        (0..=TAKEOUT.len()).rev().map(|length| with(&format!("{}.json", &TAKEOUT[..length]))).collect();
    if let Some(cut) = name.to_str().and_then(cut_by_takeout) {
        json.push(cut.into());
    }
    let xmp = [with(".xmp"), with(".XMP")].map(|name| path.with_file_name(name));
    let beside = ["xmp", "XMP"].map(|extension| path.with_extension(extension));
    let json = json.into_iter().map(|name| (path.with_file_name(name), Kind::Json));
    json.chain(xmp.into_iter().chain(beside).map(|path| (path, Kind::Xmp))).collect()
}

/// The sidecar of a name that Takeout had to cut, the photo's own name included.
fn cut_by_takeout(name: &str) -> Option<String> {
    let units: Vec<u16> = name.encode_utf16().take(TAKEOUT_UNITS + 1).collect();
    let cut = units.get(..TAKEOUT_UNITS).filter(|_| units.len() > TAKEOUT_UNITS)?;
    // A character that was cut in half names no file that we could look for.
    String::from_utf16(cut).ok().map(|stem| format!("{stem}.json"))
}

/// The text of a sidecar; `None` if there is none, or what is there is no file of its own.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it has more than a megabyte"));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

fn in_json(text: &str) -> Result<Option<String>, String> {
    let sidecar: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(sidecar.get("description").and_then(Value::as_str).map(str::to_owned))
}

/// `dc:description`, in the default language if it is in several.
fn in_xmp(text: &str) -> Result<Option<String>, String> {
    // A document type is refused, and with it every entity that somebody could have declared.
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let Some(description) =
        document.descendants().find(|node| node.has_tag_name((DUBLIN_CORE, "description")))
    else {
        return Ok(None);
    };
    let mut languages = description.descendants().filter(|node| node.has_tag_name((RDF, "li")));
    let is_default = |node: &Node<'_, '_>| node.attribute((XML, "lang")) == Some("x-default");
    let first = languages.clone().next();
    let words = languages.find(is_default).or(first).unwrap_or(description);
    Ok(words.text().map(str::to_owned))
}

/// The text as it can be sent: without control characters but for line breaks, and not too long. Counted in UTF-16, the strictest
/// reading of "characters" that there is.
pub(super) fn tidy(text: &str, most_chars: usize) -> Option<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
    let mut room = most_chars;
    let kept: String = text
        .trim()
        .chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .take_while(|c| {
            let fits = c.len_utf16() <= room;
            room = room.saturating_sub(c.len_utf16());
            fits
        })
        .collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests;
