//! The table of faults: what each does to both ways through.

use gphotos_emulator::{Action, Fault, Limit, Oddity, SessionAnswer};

/// What a run comes to while a fault is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// Everything is done: the fault does not touch this way, or is got over within the run.
    Through,
    /// The run comes to its end with items that failed, each with this class.
    Partly(&'static str),
    /// The run comes to its end, and some items are left for a later one without having failed.
    Short,
    /// The run waits for a quota or a person, for this class of trouble.
    Parked(&'static str),
    /// The run ends before its end, for this class of trouble.
    Failed(&'static str),
}

use Comes::{Failed, Parked, Partly, Short, Through};

/// A fault, and what it does to a way through.
pub(super) struct Case {
    pub(super) action: Action,
    /// The methods it is played on; empty for all that it fits.
    pub(super) on: &'static [&'static str],
    /// How many requests pass before it happens, and how often it then does, when it passes.
    pub(super) when: (u64, u64),
    /// Another fault, without which this one would meet nothing: a body that breaks off.
    pub(super) with: Option<Fault>,
    /// Whether it meets a way at all: backup, upload.
    pub(super) meets: [bool; 2],
    /// When it happens twice and then never again: backup, upload.
    pub(super) passing: [Comes; 2],
    /// When it stays: backup, upload. `None` where it cannot stay for ever or where staying is no other matter.
    pub(super) staying: [Option<Comes>; 2],
}

fn case(action: Action, passing: [Comes; 2], staying: [Option<Comes>; 2]) -> Case {
    Case { action, on: &[], when: (1, 2), with: None, meets: [true, true], passing, staying }
}

impl Case {
    fn on(mut self, methods: &'static [&'static str]) -> Self {
        self.on = methods;
        self
    }

    /// Happens while bodies break off.
    fn with_broken_bodies(mut self) -> Self {
        self.with =
            Some(Fault::always(Action::TruncatedBody { bytes: Some(900) }).on(&["media"]).share(0.15, 3));
        self
    }

    /// Meets backups alone.
    fn of_backups(mut self) -> Self {
        self.meets = [true, false];
        self
    }

    /// Meets uploads alone.
    fn of_uploads(mut self) -> Self {
        self.meets = [false, true];
        self
    }

    /// Happens so often, after so many requests.
    fn when(mut self, after: u64, times: u64) -> Self {
        self.when = (after, times);
        self
    }
}

/// One case at least for each kind of fault.
pub(super) fn cases() -> Vec<Case> {
    let too_many = |limit, retry_after_seconds| Action::TooManyRequests { limit, retry_after_seconds };
    let both = |comes| [comes, comes];
    let stays = |comes| [Some(comes), Some(comes)];
    let never = [None, None];
    let no_header = |name: &str| Action::MissingHeader { name: name.into() };
    let refused = |code| Action::ItemError { code, positions: vec![0, 2] };
    let odd = |oddity| Action::OddItem { oddity, positions: vec![1, 4] };
    let mut cases = vec![
        case(Action::Latency { ms: 20 }, both(Through), stays(Through)),
        case(too_many(Limit::AllRequestsPerDay, None), both(Parked("quota")), stays(Parked("quota"))),
        case(too_many(Limit::WritesPerMinutePerUser, None), both(Through), stays(Parked("throttled")))
            .of_uploads(),
        case(too_many(Limit::WritesPerMinutePerUser, Some(5)), both(Through), never).of_uploads(),
        case(too_many(Limit::ConcurrentWrites, None), both(Through), stays(Parked("throttled"))).of_uploads(),
        case(too_many(Limit::RequestsPerMinutePerUser, None), both(Through), stays(Parked("throttled"))),
        case(too_many(Limit::RequestsPerMinutePerUser, Some(5)), both(Through), never)
            .on(&["media", "uploads"]),
        case(Action::ServerError { status: 500 }, both(Through), stays(Failed("transient"))),
        case(Action::ServerError { status: 502 }, both(Through), never),
        case(Action::ServerError { status: 503 }, both(Through), never),
        case(Action::ServerError { status: 504 }, both(Through), never),
        case(Action::ConnectionReset, both(Through), stays(Failed("transient"))),
        case(Action::ResponseLost, both(Through), stays(Failed("transient"))),
        case(Action::TruncatedBody { bytes: None }, both(Through), never),
        case(Action::TruncatedBody { bytes: Some(900) }, both(Through), [Some(Partly("transient")), None])
            .on(&["media"])
            .of_backups(),
        case(Action::Standstill { reads_body: true }, both(Through), never),
        case(Action::Standstill { reads_body: false }, both(Through), never),
        case(Action::StalledBody { bytes: None }, both(Through), never),
        case(Action::ErrorAfterEffect { status: 503 }, both(Through), never),
        case(Action::Html, both(Through), stays(Failed("transient"))),
        // The account and its consent.
        case(Action::ExpiredAccessToken, both(Through), stays(Parked("auth"))),
        case(Action::ApiDisabled, both(Parked("auth")), stays(Parked("auth"))),
        // A send that is refused so is tried with a new token, twice.
        case(Action::InsufficientScopes, [Parked("auth"), Through], stays(Parked("auth"))),
        case(Action::RevokedRefreshToken, both(Parked("auth")), never).when(0, 2),
        // Listings.
        case(Action::EmptyPage, both(Through), never).when(0, 2),
        case(Action::RepeatedItem, both(Through), stays(Through)).of_backups(),
        case(Action::ShortListing { share: 0.4, seed: 3 }, both(Short), stays(Short)).of_backups(),
        case(Action::SmallPages { items: 2 }, both(Through), stays(Through)).of_backups(),
        case(Action::ShiftedPages { items: 3 }, both(Through), stays(Through)).of_backups(),
        case(Action::ShiftedPages { items: -3 }, both(Short), never).of_backups(),
        case(Action::ExpiredPageTokens, both(Through), never).of_backups(),
        case(odd(Oddity::NoFilename), both(Through), stays(Through)).of_backups(),
        case(odd(Oddity::NoCreationTime), both(Through), stays(Through)).of_backups(),
        case(odd(Oddity::UnreadableCreationTime), both(Through), stays(Through)).of_backups(),
        case(odd(Oddity::FutureCreationTime), both(Through), stays(Through)).of_backups(),
        case(odd(Oddity::NoBaseUrl), both(Through), never).of_backups(),
        // Bytes that come home.
        case(Action::ExpiredBaseUrls, both(Through), stays(Partly("item"))).of_backups(),
        case(Action::VideoProcessing, both(Short), stays(Short)).when(0, 1).of_backups(),
        case(Action::Placeholder, both(Through), stays(Partly("item"))).of_backups(),
        case(Action::RangeIgnored, both(Through), stays(Through)).with_broken_bodies().of_backups(),
        case(Action::WrongRange, both(Through), stays(Through)).with_broken_bodies().of_backups(),
        case(Action::ContentChanged, both(Through), never).with_broken_bodies().of_backups(),
        case(no_header("ETag"), both(Through), stays(Through)).with_broken_bodies().of_backups(),
        // Bytes that go out.
        case(no_header("X-Goog-Upload-URL"), both(Through), never)
            .on(&["uploads.start"])
            .when(0, 2)
            .of_uploads(),
        case(no_header("X-Goog-Upload-Status"), both(Through), stays(Through)).on(&["uploads"]).of_uploads(),
        case(Action::BrokenChunk { bytes: None }, both(Through), never).when(0, 2).of_uploads(),
        case(Action::BrokenChunk { bytes: Some(1) }, both(Through), never).when(0, 2).of_uploads(),
        // Making items.
        case(refused(3), both(Partly("item")), stays(Partly("item"))).of_uploads(),
        case(refused(13), both(Through), stays(Partly("transient"))).of_uploads(),
        // Alone in its batch, nothing is there already.
        case(refused(6), both(Through), never).when(0, 1).of_uploads(),
        case(Action::SpentUploadTokens, both(Through), never).when(0, 1).of_uploads(),
        case(Action::StorageFull, both(Failed("destination")), stays(Failed("destination"))).of_uploads(),
        case(Action::Aborted, both(Through), stays(Parked("throttled"))).of_uploads(),
        case(Action::NotFound, both(Through), never).on(&["mediaItems.batchCreate"]).when(0, 1).of_uploads(),
    ];
    for answer in
        [SessionAnswer::NotFound, SessionAnswer::Gone, SessionAnswer::Final, SessionAnswer::Cancelled]
    {
        cases.push(case(Action::LostSession { answer }, both(Through), never).when(0, 2).of_uploads());
    }
    // Whatever breaks on the way, on the requests that leave traces: was it done, or was it not?
    for method in [&["mediaItems.batchCreate"], &["albums.create"]] {
        for action in [
            Action::ServerError { status: 503 },
            Action::ConnectionReset,
            Action::ResponseLost,
            Action::TruncatedBody { bytes: None },
            Action::Standstill { reads_body: true },
            Action::StalledBody { bytes: None },
            Action::ErrorAfterEffect { status: 500 },
            Action::Html,
        ] {
            cases.push(case(action, both(Through), never).on(method).when(0, 1).of_uploads());
        }
    }
    cases
}

macro_rules! kinds {
    ($($pattern:pat => $name:literal,)*) => {
        /// The kinds of faults that there are.
        pub(super) const KINDS: &[&str] = &[$($name),*];

        /// The kind of a fault. Without a wildcard, so that a new kind is not forgotten.
        pub(super) fn kind(action: &Action) -> &'static str {
            match action { $($pattern => $name,)* }
        }
    };
}

kinds! {
    Action::Latency { .. } => "latency",
    Action::TooManyRequests { .. } => "too many requests",
    Action::ServerError { .. } => "server error",
    Action::ConnectionReset => "connection reset",
    Action::ResponseLost => "response lost",
    Action::TruncatedBody { .. } => "truncated body",
    Action::Html => "html",
    Action::ExpiredBaseUrls => "expired base urls",
    Action::ExpiredAccessToken => "expired access token",
    Action::RevokedRefreshToken => "revoked refresh token",
    Action::EmptyPage => "empty page",
    Action::RepeatedItem => "repeated item",
    Action::ShortListing { .. } => "short listing",
    Action::SmallPages { .. } => "small pages",
    Action::ItemError { .. } => "item error",
    Action::SpentUploadTokens => "spent upload tokens",
    Action::StorageFull => "storage full",
    Action::Aborted => "aborted",
    Action::NotFound => "not found",
    Action::VideoProcessing => "video processing",
    Action::ApiDisabled => "api disabled",
    Action::InsufficientScopes => "insufficient scopes",
    Action::Standstill { .. } => "standstill",
    Action::StalledBody { .. } => "stalled body",
    Action::ErrorAfterEffect { .. } => "error after effect",
    Action::MissingHeader { .. } => "missing header",
    Action::LostSession { .. } => "lost session",
    Action::BrokenChunk { .. } => "broken chunk",
    Action::Placeholder => "placeholder",
    Action::RangeIgnored => "range ignored",
    Action::WrongRange => "wrong range",
    Action::ContentChanged => "content changed",
    Action::ShiftedPages { .. } => "shifted pages",
    Action::ExpiredPageTokens => "expired page tokens",
    Action::OddItem { .. } => "odd item",
}
