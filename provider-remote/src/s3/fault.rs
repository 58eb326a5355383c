//! What a store's refusal means.

use charon_provider::{Class, Error, Reason};
use reqwest::{Method, StatusCode};

use crate::wire::{Refusal, Wire};

const RIGHTS: &str =
    "give the key the rights to list, read, write and delete in this bucket, or enter another key";
const KEYS: &str = "check access_key_id and secret_access_key, and that the key has not been withdrawn";
const PLACE: &str = "check endpoint, region and bucket; the bucket has to exist";
const FULL: &str = "make room in the store, or raise its limit";

/// A refusal as an error of its class.
pub(super) fn of(doing: &str, refusal: &Refusal, wire: &Wire) -> Error {
    let (code, message) = code_and_message(&refusal.body);
    let status = refusal.status;
    let said = match (code.as_str(), message.as_str()) {
        ("", _) => format!("HTTP {status}"),
        (code, "") => code.to_owned(),
        (code, message) => format!("{message} ({code})"),
    };
    let cause = format!("the store says: {}", wire.quoted(&said));
    let (class, cure) = match judged(&code, status) {
        (Class::Transient, None)
            if status == StatusCode::SERVICE_UNAVAILABLE && refusal.retry_after.is_some() =>
        {
            (Class::Throttled, None)
        }
        judged => judged,
    };
    let mut error = Error::new(class, doing, cause).after(refusal.retry_after);
    // To HEAD it says no more than 404; whoever has to know whether it is the bucket lists what is there.
    if code == "NoSuchKey"
        || (status == StatusCode::NOT_FOUND && code.is_empty() && refusal.method == Method::HEAD)
    {
        error = Error { cause: "there is no such file".to_owned(), ..error }.because(Reason::NotFound);
    }
    if let Some(cure) = cure { error.cured_by(cure) } else { error }
}

fn judged(code: &str, status: StatusCode) -> (Class, Option<&'static str>) {
    match code {
        "NoSuchKey" => return (Class::Item, None),
        "NoSuchBucket"
        | "InvalidBucketName"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => return (Class::Destination, Some(PLACE)),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken" => {
            return (Class::Destination, Some(KEYS));
        }
        "RequestTimeTooSkewed" | "RequestExpired" => {
            return (
                Class::Destination,
                Some("set the clock of this machine; it is too far off that of the store"),
            );
        }
        "QuotaExceeded"
        | "ServiceQuotaExceeded"
        | "StorageFull"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "StorageQuotaExceeded"
        | "TotalStorageExceeded" => return (Class::Destination, Some(FULL)),
        "SlowDown" | "TooManyRequests" | "RequestLimitExceeded" | "Throttling" => {
            return (Class::Throttled, None);
        }
        "RequestTimeout" | "BadDigest" | "IncompleteBody" | "OperationAborted" | "InternalError"
        | "NoSuchUpload" => {
            return (Class::Transient, None);
        }
        "EntityTooLarge" => return (Class::Item, Some("the store takes no files of this size")),
        "KeyTooLongError" => return (Class::Item, Some("give it a shorter name")),
        "InvalidObjectState" => {
            return (
                Class::Item,
                Some("it is in a class that has to be thawed first; do that in the store's console"),
            );
        }
        _ => {}
    }
    match status.as_u16() {
        429 => (Class::Throttled, None),
        507 => (Class::Destination, Some(FULL)),
        401 => (Class::Destination, Some(KEYS)),
        402 | 403 | 405 => (Class::Destination, Some(RIGHTS)),
        300..=399 | 404 => (Class::Destination, Some(PLACE)),
        408 | 500..=599 => (Class::Transient, None),
        _ => (Class::Item, None),
    }
}

fn code_and_message(body: &str) -> (String, String) {
    let Ok(document) = roxmltree::Document::parse(body.trim_start_matches('\u{feff}')) else {
        return Default::default();
    };
    let text = |name: &str| {
        let found = document.descendants().find(|node| node.tag_name().name() == name);
        found.and_then(|node| node.text()).unwrap_or_default().trim().to_owned()
    };
    (text("Code"), text("Message"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use charon_provider::{Class, Reason};
    use reqwest::{Method, StatusCode};

    use super::of;
    use crate::wire::{Refusal, tests::wire};

    fn refusal(method: Method, status: u16, body: &str) -> Refusal {
        Refusal {
            method,
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.to_owned(),
        }
    }

    fn xml(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Some words.</Message></Error>")
    }

    #[test]
    fn a_refusal_has_its_class() {
        for (status, code, class) in [
            (403, "AccessDenied", Class::Destination),
            (403, "SignatureDoesNotMatch", Class::Destination),
            (403, "RequestTimeTooSkewed", Class::Destination),
            (404, "NoSuchBucket", Class::Destination),
            (301, "PermanentRedirect", Class::Destination),
            (403, "QuotaExceeded", Class::Destination),
            (507, "XMinioStorageFull", Class::Destination),
            (405, "MethodNotAllowed", Class::Destination),
            (503, "SlowDown", Class::Throttled),
            (429, "", Class::Throttled),
            (503, "ServiceUnavailable", Class::Transient),
            (500, "InternalError", Class::Transient),
            (400, "RequestTimeout", Class::Transient),
            (400, "KeyTooLongError", Class::Item),
            (400, "EntityTooLarge", Class::Item),
            (404, "NoSuchKey", Class::Item),
        ] {
            let error = of("write", &refusal(Method::PUT, status, &xml(code)), &wire());
            assert_eq!(error.class, class, "{status} {code}: {error}");
            let is_cured = error.cure.is_some() || !matches!(class, Class::Destination);
            assert!(is_cured, "{status} {code} has no cure");
        }
    }

    #[test]
    fn what_is_not_there_is_told_apart_from_a_bucket_that_is_not_there() {
        let reason = |method, body: &str| of("look", &refusal(method, 404, body), &wire()).reason;
        assert_eq!(reason(Method::GET, &xml("NoSuchKey")), Reason::NotFound);
        assert_eq!(reason(Method::HEAD, ""), Reason::NotFound);
        assert_eq!(reason(Method::GET, &xml("NoSuchBucket")), Reason::Other);
        assert_eq!(reason(Method::GET, "<html>nginx</html>"), Reason::Other);
    }

    #[test]
    fn a_store_that_says_when_to_come_back_is_left_alone_until_then() {
        let mut refusal = refusal(Method::PUT, 503, &xml("ServiceUnavailable"));
        refusal.retry_after = Some(Duration::from_secs(7));
        let error = of("write", &refusal, &wire());
        assert_eq!((error.class, error.retry_after), (Class::Throttled, Some(Duration::from_secs(7))));
    }

    #[test]
    fn a_store_that_repeats_the_secret_is_not_quoted() {
        // I6
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>not hunter2\n at all</Message></Error>";
        let error = of("write", &refusal(Method::PUT, 403, body), &wire());
        assert_eq!(error.cause, "the store says: not [secret] at all (SignatureDoesNotMatch)");
    }
}
