//! The rights that a storage needs of its account, and which of them a token has.
//!
//! Since 31 March 2025 these three are all that there is for the Library API; what an older consent gave is worth nothing.

/// One right, as a person ticks it on Google's page.
#[derive(Debug)]
pub(crate) struct Right {
    /// How Google names it.
    pub(crate) scope: &'static str,
    /// What does not work without it, as words that read well after "to".
    pub(crate) purpose: &'static str,
    /// Whether nearly everything works without it.
    pub(crate) is_spare: bool,
}

const READ: Right = Right {
    scope: "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata",
    purpose: "list and fetch what this client has uploaded",
    is_spare: false,
};
const APPEND: Right = Right {
    scope: "https://www.googleapis.com/auth/photoslibrary.appendonly",
    purpose: "upload and to make albums",
    is_spare: false,
};
/// Google documents either of this and `APPEND` for adding items to albums.
const EDIT: Right = Right {
    scope: "https://www.googleapis.com/auth/photoslibrary.edit.appcreateddata",
    purpose: "add to albums what is in the library already",
    is_spare: true,
};

const TO_READ: &[Right] = &[READ];
const TO_WRITE: &[Right] = &[APPEND, READ, EDIT];

/// What is asked for beside the rights, so that it can be told whose account it is.
const IDENTITY: [&str; 2] = ["openid", "email"];

/// The rights that a storage needs.
pub(crate) fn needed(read_only: bool) -> &'static [Right] {
    if read_only { TO_READ } else { TO_WRITE }
}

/// Everything that consent is asked for, space-separated.
pub(crate) fn to_ask_for(read_only: bool) -> String {
    let scopes: Vec<&str> = IDENTITY.into_iter().chain(needed(read_only).iter().map(|r| r.scope)).collect();
    scopes.join(" ")
}

/// Those of the rights needed that are not among the granted ones (space-separated).
pub(crate) fn missing(granted: &str, read_only: bool) -> Vec<&'static Right> {
    let has = |right: &Right| granted.split_whitespace().any(|scope| scope == right.scope);
    needed(read_only).iter().filter(|right| !has(right)).collect()
}

impl Right {
    /// Whether it is the one without which there is nothing to do at all.
    pub(crate) fn is_to_read(&self) -> bool {
        self.scope == READ.scope
    }

    /// Its name as Google's documentation shortens it: `photoslibrary.appendonly`.
    pub(crate) fn short(&self) -> &'static str {
        self.scope.rsplit('/').next().unwrap_or(self.scope)
    }
}

/// Which rights these are, and what for.
pub(crate) fn in_words(rights: &[&Right]) -> String {
    let words: Vec<String> =
        rights.iter().map(|right| format!("{} (needed to {})", right.short(), right.purpose)).collect();
    words.join(", ")
}
