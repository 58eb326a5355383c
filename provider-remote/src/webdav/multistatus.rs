//! What a server tells of its files and folders (RFC 4918, 207 Multi-Status).

use charon_provider::{Entry, EntryKind};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};
use url::Url;

/// What is asked for.
pub(super) const QUESTION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
    <propfind xmlns=\"DAV:\"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>";
const DAV: &str = "DAV:";

/// Why something is no such answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Strange {
    /// It begins as one. Some servers write while they look, and give up when what they look at goes away.
    BrokenOff,
    /// It is something else, in words.
    Other(String),
}

/// What a server tells, by paths below `base`, the base itself as "". What it says is not there is left out.
///
/// # Errors
/// Why this is no such answer.
pub(super) fn read(xml: &str, base: &Url) -> Result<Vec<Entry>, Strange> {
    let document = Document::parse(xml.trim_start_matches('\u{feff}')).map_err(|error| {
        let begins = xml.get(..200).unwrap_or(xml).contains("multistatus") && !xml.contains("<!DOCTYPE");
        if begins { Strange::BrokenOff } else { Strange::Other(format!("it is no XML: {error}")) }
    })?;
    if !document.root_element().has_tag_name((DAV, "multistatus")) {
        return Err(Strange::Other("it is something else than a list of files".to_owned()));
    }
    let base_parts = parts_of(base).unwrap_or_default();
    let mut entries = Vec::new();
    for response in document.root_element().children().filter(|node| node.has_tag_name((DAV, "response"))) {
        let is_told = response.children().filter(|node| node.has_tag_name((DAV, "propstat"))).find(is_ok);
        let Some(properties) = is_told.and_then(|propstat| child(propstat, "prop")) else { continue };
        let href = child(response, "href").and_then(|node| node.text()).unwrap_or_default().trim();
        let parts = base.join(href).ok().as_ref().and_then(parts_of);
        let path = parts.as_ref().and_then(|parts| parts.strip_prefix(base_parts.as_slice()));
        let path = path.ok_or_else(|| {
            Strange::Other(format!("it names {href:?}, which is not below the address that was asked"))
        })?;
        entries.push(entry(path.join("/"), properties));
    }
    Ok(entries)
}

fn entry(path: String, properties: Node<'_, '_>) -> Entry {
    let text = |name| child(properties, name).and_then(|node| node.text()).map(str::trim);
    let is_folder = child(properties, "resourcetype").is_some_and(|kind| child(kind, "collection").is_some());
    let size = text("getcontentlength").and_then(|length| length.parse().ok());
    let (kind, size) = match (is_folder, size) {
        (true, _) => (EntryKind::Folder, 0),
        (false, Some(size)) => (EntryKind::File, size),
        // What has no length cannot be compared with what was put there.
        (false, None) => (EntryKind::Other, 0),
    };
    Entry { path, kind, size, modified: text("getlastmodified").and_then(moment) }
}

fn moment(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name((DAV, name)))
}

/// Whether these are properties that the server knows (`HTTP/1.1 200 OK`).
fn is_ok(propstat: &Node<'_, '_>) -> bool {
    let status = child(*propstat, "status").and_then(|node| node.text()).unwrap_or_default();
    status.split_whitespace().nth(1).is_some_and(|code| code.starts_with('2'))
}

/// The parts of the path of a URL as they are meant, without the slash at its end.
pub(super) fn parts_of(url: &Url) -> Option<Vec<String>> {
    let parts = url.path_segments()?.filter(|part| !part.is_empty());
    parts.map(|part| percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned)).collect()
}

#[cfg(test)]
mod tests {
    use charon_provider::EntryKind;
    use url::Url;

    use super::{Strange, read};

    fn base() -> Url {
        "https://nas.example.org/dav/pat%40home/My%20Photos/".parse().unwrap()
    }

    fn response(href: &str, properties: &str) -> String {
        format!(
            "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{properties}</d:prop>\
             <d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop><d:quota/></d:prop>\
             <d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"
        )
    }

    fn multistatus(responses: &str) -> String {
        format!("<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\">{responses}</d:multistatus>")
    }

    #[test]
    fn files_and_folders_are_told_by_their_paths() {
        let xml = multistatus(
            &[
                response("/dav/pat@home/My%20Photos/", "<d:resourcetype><d:collection/></d:resourcetype>"),
                response(
                    "/dav/pat%40home/My%20Photos/100%25%20%23%2B+%C3%BC.jpg",
                    "<d:resourcetype/><d:getcontentlength>17</d:getcontentlength>\
                 <d:getlastmodified>Sat, 21 Nov 2026 08:00:30 GMT</d:getlastmodified>",
                ),
                response(
                    "https://nas.example.org/dav/pat%40home/My%20Photos/a/b/",
                    "<d:resourcetype><d:collection/></d:resourcetype>",
                ),
                response("odd", "<d:resourcetype/>"),
            ]
            .concat(),
        );
        let entries = read(&xml, &base()).unwrap();
        let told: Vec<_> =
            entries.iter().map(|entry| (entry.path.as_str(), entry.kind, entry.size)).collect();
        assert_eq!(
            told,
            [
                ("", EntryKind::Folder, 0),
                ("100% #++ü.jpg", EntryKind::File, 17),
                ("a/b", EntryKind::Folder, 0),
                ("odd", EntryKind::Other, 0),
            ]
        );
        assert_eq!(entries[1].modified, Some("2026-11-21T08:00:30Z".parse().unwrap()));
    }

    #[test]
    fn what_is_not_such_an_answer_is_refused() {
        let elsewhere = multistatus(&response("/dav/other/a.jpg", "<d:resourcetype/>"));
        for xml in
            ["", "<html>Sign in</html>", "<multistatus/>", &elsewhere, "<!DOCTYPE a [<!ENTITY b \"c\">]><a/>"]
        {
            assert!(matches!(read(xml, &base()), Err(Strange::Other(_))), "{xml}");
        }
        let whole = multistatus(&response("/dav/pat@home/My%20Photos/a", "<d:resourcetype/>"));
        let broken = format!("{}Internal Server Error", &whole[..whole.len() - 30]);
        assert_eq!(read(&broken, &base()), Err(Strange::BrokenOff));
    }

    #[test]
    fn what_the_server_says_is_not_there_is_left_out() {
        let gone = "<d:response><d:href>/dav/pat%40home/My%20Photos/x</d:href><d:status>HTTP/1.1 404 Not Found</d:status>\
                    </d:response>";
        assert!(read(&multistatus(gone), &base()).unwrap().is_empty());
    }
}
