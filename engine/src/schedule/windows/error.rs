//! Why a window is refused: what is wrong, and what is accepted instead.

/// Windows, or their time zone, that were refused.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WindowError(#[from] Fault);

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the window \"{window}\" is wrong: {what}")]
    Window { window: String, what: What },
    #[error("there is no time zone \"{0}\"; write one of the IANA database, such as Europe/Berlin or UTC")]
    Zone(String),
}

/// What is wrong with a window.
#[derive(Debug, thiserror::Error)]
pub(super) enum What {
    #[error(
        "it is neither two times with a dash between, nor days and these; write it such as 22:00-06:00 or mon-fri 22:00-06:00"
    )]
    Form,
    #[error(
        "\"{found}\" is no day of the week; accepted are mon, tue, wed, thu, fri, sat, sun, ranges such as mon-fri, and lists such as sat,sun"
    )]
    Day { found: String },
    #[error("\"{found}\" is no time of the day; accepted is 00:00-23:59, and 24:00 at the end of a window")]
    Time { found: String },
    #[error("it closes when it opens; write 00:00-24:00 for whole days")]
    NoTime,
}
