//! Paths below a destination.

/// Where files lie that are not finished. What is there is never told.
pub(crate) const INCOMING: &str = ".charon/incoming";

/// Whether this is among what is not finished.
pub(crate) fn is_unfinished(path: &str) -> bool {
    path.strip_prefix(INCOMING).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The folder that a path is in; that of what is at the top is "".
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path below a folder.
pub(crate) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether a path is one that the contract speaks of: none of its parts is empty, `.` or `..`.
pub(crate) fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Random letters for a name that nobody else has.
pub(crate) fn unheard_of(host: &dyn charon_provider::Host) -> String {
    let mut random = [0; 16];
    host.random(&mut random);
    format!("{:032x}", u128::from_ne_bytes(random))
}

#[cfg(test)]
mod tests {
    use super::{below, folder_of, is_plain, is_unfinished};

    #[test]
    fn what_is_not_finished_is_known_by_its_folder() {
        for (path, unfinished) in [
            (".charon/incoming", true),
            (".charon/incoming/a", true),
            (".charon/incoming-not", false),
            (".charon", false),
            ("photos/.charon/incoming/a", false),
        ] {
            assert_eq!(is_unfinished(path), unfinished, "{path}");
        }
    }

    #[test]
    fn paths_are_taken_apart_and_put_together() {
        assert_eq!((folder_of("a/b/c"), folder_of("c")), ("a/b", ""));
        assert_eq!((below("a/b", "c"), below("", "c")), ("a/b/c".to_owned(), "c".to_owned()));
        assert!(is_plain("a/b") && !is_plain("a//b") && !is_plain("a/../b") && !is_plain(""));
    }
}
