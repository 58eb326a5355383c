//! What Google's refusals mean: status and body in, class and reason and cure out.
//!
//! The table is drawn from what Google documents and what other clients have met. Google answers in several shapes
//! (see [`fault`]), and the words of a message often tell more than its code, so both are looked at, the words first.

pub(crate) mod fault;
#[cfg(test)]
mod tests;

use charon_provider::{Class, Error, Reason};
use jiff::Timestamp;
use reqwest::StatusCode;

use self::fault::Fault;
use crate::http::{Answer, Trouble};

/// What a request is about. It decides what "not found" and "invalid" mean, and whether a lost answer matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Listing or looking up; nothing is changed.
    Library,
    /// Going on with a listing from the token that its last page gave.
    NextPage,
    /// Making an album: a lost answer may hide that there is one now.
    NewAlbum,
    /// Adding to an album what is in the library already.
    Album,
    /// Sending bytes.
    Bytes,
    /// Going on with an upload session. Whatever is wrong with it, another one can be begun.
    UploadSession,
    /// Making items: a lost answer may hide that there are some now.
    Commit,
    /// Fetching bytes from a base URL.
    Media,
}

/// How to get a consent that works.
pub(crate) const AUTHORISE_AGAIN: &str = "run the authorisation again and update the storage's token";
const ENABLE_API: &str = "enable the Photos Library API for your project at \
                          https://console.cloud.google.com/apis/library/photoslibrary.googleapis.com, \
                          wait a few minutes, then test the storage";
const SCOPES: &str = "run the authorisation again, granting photoslibrary.appendonly, \
                      photoslibrary.readonly.appcreateddata and photoslibrary.edit.appcreateddata \
                      (older Photos rights were removed on 31 March 2025), and update the storage's token";
const UNREACHABLE: &str = "check the connection to the internet, and the storage's URLs if it has its own";
const CERTIFICATE: &str =
    "if a proxy inspects your traffic, let SSL_CERT_FILE name a file with its certificate";

/// What an answer that is no success means.
pub(crate) fn refused(doing: &str, subject: Subject, answer: &Answer, now: Timestamp) -> Error {
    let fault = Fault::read(answer);
    let error = |class| Error::new(class, doing, fault.words(answer.status));
    let wait = answer.retry_after.as_deref().and_then(|text| charon_http::retry_after(text, now));
    let unknowable = || if subject.leaves_traces() { Reason::Unanswered } else { Reason::Other };

    if let Some(error) = known(&fault, subject, &error) {
        return error.after(wait);
    }
    let status = answer.status.as_u16();
    let error = match (status, fault.rpc_code()) {
        (429, _) if fault.is_daily() => error(Class::Quota),
        (409 | 429, _) | (400 | 403, Some(8)) | (400, Some(10)) => error(Class::Throttled),
        (401 | 403 | 410, _) if subject == Subject::Media => {
            error(Class::Transient).because(Reason::StaleAddress)
        }
        (401, _) => {
            let sending = matches!(subject, Subject::Bytes | Subject::UploadSession);
            error(Class::Auth).cured_by(if sending { SCOPES } else { AUTHORISE_AGAIN })
        }
        // Its first page came, so it is the token that is refused.
        (400 | 410, _) if subject == Subject::NextPage => {
            error(Class::Transient).because(Reason::ListingExpired)
        }
        // If it is not the session but the account, the beginning of the next one will say so.
        (400 | 403 | 404 | 410 | 412 | 416, _) if subject == Subject::UploadSession => {
            error(Class::Transient).because(Reason::SessionLost)
        }
        (403, _) => error(Class::Auth).cured_by(SCOPES),
        (404 | 410, _) => error(subject.class_of_a_mistake()).because(Reason::NotFound),
        (413, _) => error(Class::Item).cured_by("Google takes photos up to 200 MB and videos up to 20 GB"),
        (408 | 500..=599, _) => error(Class::Transient).because(unknowable()),
        (400..=499, _) => error(subject.class_of_a_mistake()),
        // A redirect or something stranger: a captive portal, perhaps.
        _ => error(Class::Transient).because(unknowable()),
    };
    error.after(wait)
}

/// What is recognised by its words, whatever the status.
fn known(fault: &Fault, subject: Subject, error: &dyn Fn(Class) -> Error) -> Option<Error> {
    let says = |words: &str| fault.says(words);
    if says("remaining storage") {
        return Some(
            error(Class::Destination).cured_by("free some space in the Google account, or buy some"),
        );
    }
    if fault.is_limit() {
        return Some(error(if fault.is_daily() { Class::Quota } else { Class::Throttled }));
    }
    if fault.is_api_disabled() {
        let cure = fault.console_url().map_or_else(
            || ENABLE_API.to_owned(),
            |url| format!("enable the API at {url}, wait a few minutes, then test the storage"),
        );
        return Some(error(Class::Auth).cured_by(cure));
    }
    if fault.is_scope_missing() {
        return Some(error(Class::Auth).cured_by(SCOPES));
    }
    if subject == Subject::Commit && says("upload token") {
        return Some(error(Class::Item).because(Reason::UploadToken));
    }
    if says("no permission to add media items to this album") {
        let cure = "choose an album that this client made itself, or another title";
        return Some(error(Class::Config).cured_by(cure));
    }
    if says("album would have more than the allowed number") {
        return Some(error(Class::Config).cured_by("the album is full: choose another album title"));
    }
    if says("does not match any albums") || says("invalid album id") {
        return Some(error(Class::Config).because(Reason::NotFound));
    }
    if says("invalid media item id") && subject != Subject::Media {
        return Some(error(Class::Item).because(Reason::NotFound));
    }
    None
}

impl Subject {
    /// Whether the request may have taken effect although no answer says so.
    fn leaves_traces(self) -> bool {
        matches!(self, Self::Commit | Self::NewAlbum)
    }

    /// The class of a request that Google takes for wrong: it cannot succeed as it is.
    fn class_of_a_mistake(self) -> Class {
        match self {
            Self::Library | Self::NextPage | Self::NewAlbum | Self::Album => Class::Config,
            Self::Bytes | Self::UploadSession | Self::Commit | Self::Media => Class::Item,
        }
    }
}

/// What an attempt without a whole answer means. A certificate that nobody vouches for is no passing fault: trying again
/// brings the same one.
pub(crate) fn unanswered(doing: &str, subject: Subject, trouble: Trouble) -> Error {
    if trouble.words.contains("certificate") {
        return Error::new(Class::Config, doing, trouble.words).cured_by(CERTIFICATE);
    }
    let (lost, unreachable) = (trouble.sent && subject.leaves_traces(), !trouble.sent);
    let error = Error::new(Class::Transient, doing, trouble.words);
    let error = if lost { error.because(Reason::Unanswered) } else { error };
    if unreachable { error.cured_by(UNREACHABLE) } else { error }
}

/// What it means that something else came than the bytes that were asked for.
pub(crate) fn wrong_content(doing: &str, words: &str) -> Error {
    Error::new(Class::Transient, doing, words).because(Reason::WrongContent)
}

/// What a success means that cannot be read.
pub(crate) fn unreadable(doing: &str, subject: Subject, words: &str) -> Error {
    let error = Error::new(Class::Transient, doing, words);
    if subject.leaves_traces() { error.because(Reason::Unanswered) } else { error }
}

/// What the status of one item in the answer of a batch means. `code` is of `google.rpc.Code`.
pub(crate) fn item_status(doing: &str, code: i64, message: &str) -> Error {
    let fault = Fault::of_item(code, message);
    let error = |class| Error::new(class, doing, fault.words(StatusCode::OK));
    if let Some(error) = known(&fault, Subject::Commit, &error) {
        return error;
    }
    match code {
        3 => error(Class::Item).cured_by(
            "Google could not make an item of the file: it is damaged, or of a kind it does not take",
        ),
        4 | 13 | 14 => error(Class::Transient),
        5 => error(Class::Item).because(Reason::NotFound),
        6 => Error::new(
            Class::Item,
            doing,
            format!(
                "ALREADY_EXISTS: the same bytes are in this batch already; {}",
                fault.words(StatusCode::OK)
            ),
        )
        .because(Reason::AlreadyExists),
        7 => error(Class::Auth).cured_by(SCOPES),
        8 | 10 => error(Class::Throttled),
        16 => error(Class::Auth).cured_by(AUTHORISE_AGAIN),
        _ => error(Class::Item),
    }
}
