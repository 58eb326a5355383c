//! rclone's configuration file, and what a Google Photos storage takes over from it.
//!
//! The file is sections of `name = value` lines. What a value shall be is told by the schema of the provider.

use serde_json::{Map, Value};

/// The names under which rclone knows its Google Photos backend.
const TYPES: [&str; 3] = ["google photos", "googlephotos", "gphotos"];
/// The first line, after comments, of a file that is encrypted as a whole.
const ENCRYPTED: &str = "RCLONE_ENCRYPT_V";

/// One section of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Its name.
    pub(crate) name: String,
    /// Its lines; a later one of the same name has the last word.
    lines: Vec<(String, String)>,
}

/// Why a file cannot be read. No line is quoted: it may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is encrypted with a password.
    #[error("is encrypted; let rclone open it: rclone config show REMOTE | charon storage import -")]
    Encrypted,
    /// A line is none of those that such a file has.
    #[error("is not an rclone.conf: line {0} is neither [remote] nor name = value")]
    Line(usize),
}

/// What becomes of a remote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The configuration of the storage.
    pub(crate) config: Map<String, Value>,
    /// The names of the lines that have no place in it.
    pub(crate) left: Vec<String>,
}

/// Reads all sections.
pub(crate) fn parse(text: &str) -> Result<Vec<Remote>, Unreadable> {
    let mut remotes: Vec<Remote> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with(ENCRYPTED) {
            return Err(Unreadable::Encrypted);
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            remotes.push(Remote { name: name.trim().to_owned(), ..Remote::default() });
            continue;
        }
        let (Some((name, value)), Some(remote)) = (line.split_once('='), remotes.last_mut()) else {
            return Err(Unreadable::Line(index + 1));
        };
        remote.lines.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(remotes)
}

impl Remote {
    /// Whether it is of Google Photos.
    pub(crate) fn is_google_photos(&self) -> bool {
        TYPES.contains(&self.kind())
    }

    /// Its type.
    pub(crate) fn kind(&self) -> &str {
        self.get("type").unwrap_or_default()
    }

    /// What its line of this name says, if it says anything.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let lines = self.lines.iter().rev();
        lines
            .filter(|(line, value)| line == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
            .next()
    }

    /// The configuration that it makes, by the schema of the provider.
    pub(crate) fn to_config(&self, schema: &Value) -> Taken {
        let mut taken = Taken { config: Map::new(), left: Vec::new() };
        for (name, value) in self.lines.iter().filter(|(name, value)| name != "type" && !value.is_empty()) {
            match schema.pointer(&format!("/properties/{name}")) {
                Some(field) => {
                    taken.config.insert(name.clone(), typed(name, value, field));
                }
                None if taken.left.contains(name) => {}
                None => taken.left.push(name.clone()),
            }
        }
        taken
    }
}

/// The value as the schema has it. One that does not fit stays as it is, and the schema says so.
fn typed(name: &str, value: &str, field: &Value) -> Value {
    match field.get("type").and_then(Value::as_str) {
        // As Go reads a boolean.
        Some("boolean") => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true.into(),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false.into(),
            other => other.into(),
        },
        Some("integer") => value.parse::<i64>().map_or_else(|_| value.into(), Value::from),
        // rclone reads a bare number as seconds.
        _ if name.ends_with("_timeout") && value.parse::<f64>().is_ok() => format!("{value}s").into(),
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Unreadable, parse};

    #[test]
    fn sections_comments_and_values_with_equal_signs_are_read() {
        let text = "\u{feff}# a comment\n; another\n\n[family]\r\ntype = google photos\nclient_id=1-a\n  token = {\"a\":\"b=c\"}\n\
                    client_id = 2-b\nscope =\n[ my drive ]\ntype = drive\n";
        let remotes = parse(text).expect("a configuration");
        assert_eq!(remotes.len(), 2);
        assert!(remotes[0].is_google_photos() && !remotes[1].is_google_photos());
        assert_eq!((remotes[1].name.as_str(), remotes[1].kind()), ("my drive", "drive"));
        assert_eq!(remotes[0].get("client_id"), Some("2-b"), "the last one counts");
        assert_eq!(remotes[0].get("token"), Some("{\"a\":\"b=c\"}"));
        assert_eq!(remotes[0].get("scope"), None);
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn what_is_no_such_file_is_told_without_quoting_it() {
        assert_eq!(parse("# Encrypted\n\nRCLONE_ENCRYPT_V0:\nabc=\n"), Err(Unreadable::Encrypted));
        assert_eq!(parse("token = hunter2"), Err(Unreadable::Line(1)));
        let error = parse("[a]\ntype = drive\nhunter2").expect_err("no such file");
        assert_eq!(error, Unreadable::Line(3));
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn values_become_what_the_schema_wants() {
        let schema = json!({"properties": {
            "read_only": {"type": "boolean"}, "start_year": {"type": "integer"}, "token": {"type": "string"},
            "batch_timeout": {"type": "string"}, "include_archived": {"type": "boolean"},
        }});
        let text = "[a]\ntype=google photos\nread_only=True\nstart_year=1990\ntoken={}\nbatch_timeout=10\nencoding=Slash\n\
                    encoding=None\ninclude_archived=maybe\nproxy=\n";
        let taken = parse(text).expect("a configuration")[0].to_config(&schema);
        let expected = json!({"read_only": true, "start_year": 1990, "token": "{}", "batch_timeout": "10s",
            "include_archived": "maybe"});
        assert_eq!(json!(taken.config), expected);
        assert_eq!(taken.left, ["encoding"]);
        let unset = parse("[a]\nbatch_timeout=1m30s").expect("a configuration")[0].to_config(&schema);
        assert_eq!(json!(unset.config), json!({"batch_timeout": "1m30s"}));
    }
}
