//! Allowed windows: the times of day, on some days of the week, at which something may run. [`Windows`] has the rules.
//!
//! From texts to stretches of real time. Nothing here reads a clock or waits.

mod error;
#[cfg(test)]
mod tests;
mod window;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{named_zone, occurrences::once};
use error::Fault;
pub use error::WindowError;
use window::Window;

/// No stretch that ends is looked for longer: the week repeats itself, but for the days on which clocks are changed.
const DAYS_AHEAD: usize = 60;

/// When something is allowed to run: windows of the day and the week, in a time zone.
///
/// # What is written
///
/// * `01:00-06:00`: every day from one to six. `22:00-06:00` goes over midnight. `00:00-24:00` is the whole day.
/// * `mon-fri 22:00-06:00` and `sat,sun 00:00-24:00`: on some days only. A window belongs to the day on which it opens, so the
///   first of these closes on Saturday morning. Days are `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun` in any case, their
///   ranges (`fri-mon` goes over Sunday), and lists of both with commas.
/// * An en dash is as good as a hyphen, and there may be spaces around dashes and commas.
/// * A window takes its first moment and leaves out its last. Windows that touch or overlap are one open stretch. Without any
///   window it is always open.
///
/// # Days on which clocks are changed
///
/// A window opens at the first moment at which the clock shows its opening time or a later one, and it closes at the first
/// moment at which the clock shows its closing time or a later one. So each opens once and closes once, as a schedule at given
/// hours is due once:
///
/// * **A time that does not exist**, because clocks skip it in spring, is the end of the gap. Where two o'clock becomes
///   three, `01:00-02:30` closes when the clock has jumped to three, after one hour; `02:30-06:00` opens then, and
///   `02:10-02:50` does not open at all that day.
/// * **A time that exists twice**, in autumn, is the first of the two. Where three o'clock becomes two, `01:00-02:30` closes
///   at the first half past two, and stays closed when the clock shows two again; `02:30-06:00` opens then, and stays open
///   through the second pass, so that it is an hour longer; `02:00-03:00` lasts two hours.
///
/// ```
/// use charon_engine::Windows;
///
/// let nights = Windows::parse(&["mon-fri 22:00-06:00".to_owned()], "Europe/Berlin")?;
/// // Saturday morning belongs to the window that Friday opened.
/// let now = "2026-11-21T03:00:00+01:00".parse()?;
/// assert!(nights.is_open(now));
/// assert_eq!(nights.closes_at(now), Some("2026-11-21T06:00:00+01:00".parse()?));
/// // The next one is Monday's.
/// assert_eq!(nights.opens_at("2026-11-21T06:00:00+01:00".parse()?), Some("2026-11-23T22:00:00+01:00".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Windows {
    zone: TimeZone,
    by_opening: Vec<Window>,
    /// There are none, or they leave nothing of the week out.
    is_always: bool,
}

// === impl Windows ===

impl Default for Windows {
    /// Always open.
    fn default() -> Self {
        Self { zone: TimeZone::UTC, by_opening: Vec::new(), is_always: true }
    }
}

impl Windows {
    /// Reads windows, for an IANA time zone such as `Europe/Berlin` or `UTC`.
    pub fn parse(windows: &[String], time_zone: &str) -> Result<Self, WindowError> {
        let zone = named_zone(time_zone).ok_or_else(|| Fault::Zone(time_zone.to_owned()))?;
        let read = |text: &String| {
            Window::parse(text).map_err(|what| Fault::Window { window: text.trim().to_owned(), what })
        };
        let mut by_opening = windows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        by_opening.sort_by_key(Window::opens);
        let is_always = by_opening.is_empty() || window::leave_nothing_out(&by_opening);
        Ok(Self { zone, by_opening, is_always })
    }

    /// Whether it is open at this moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.is_always || self.not_yet_closed(at).is_some_and(|(opens, _)| opens <= at)
    }

    /// The end of the open stretch that contains this moment: the first later moment that is closed. The moment itself, if it is
    /// closed already. `None` if it never closes.
    pub fn closes_at(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_always {
            return None;
        }
        let mut end = at;
        for (opens, closes) in self.stretches(at) {
            if opens > end {
                return Some(end);
            }
            end = end.max(closes);
        }
        None
    }

    /// The first moment, this one or a later one, that is open. `None` only at the end of representable time.
    pub fn opens_at(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_always {
            return Some(at);
        }
        self.not_yet_closed(at).map(|(opens, _)| opens.max(at))
    }

    /// The first stretch that ends after this moment.
    fn not_yet_closed(&self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.stretches(at).find(|(_, closes)| *closes > at)
    }

    /// The stretches for which single windows are open, by their beginning, from those on that may contain this moment.
    fn stretches(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        // A window ends on the day after its opening at the latest, and a zone may skip one day.
        let first_day = self.zone.to_datetime(at).date().saturating_sub(2.days());
        let days = first_day.series(1.day()).take(DAYS_AHEAD);
        days.flat_map(move |day| self.by_opening.iter().filter_map(move |window| self.stretch(window, day)))
    }

    /// When a window opens on a day, and when it closes again, if it opens at all.
    fn stretch(&self, window: &Window, day: Date) -> Option<(Timestamp, Timestamp)> {
        let instant = |minutes: i64| {
            let time = day.at(0, 0, 0, 0).checked_add(SignedDuration::from_mins(minutes)).ok()?;
            once(time, &self.zone)
        };
        let is_its_day = window.opens_on(day.weekday());
        let (opens, closes) =
            is_its_day.then(|| Some((instant(window.opens())?, instant(window.closes())?)))??;
        (opens < closes).then_some((opens, closes))
    }
}
