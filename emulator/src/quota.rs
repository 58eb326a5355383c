//! The daily quota of a project, writes per minute, and writes under way at once (facts §5).
//!
//! A day ends at midnight in California, by the emulator's clock.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    account::Owner,
    error::{ApiError, Code},
    fault::Limit,
    operation::{Family, Operation},
    settings::Settings,
};

#[derive(Debug, Default)]
pub(crate) struct Quota {
    day: Option<Date>,
    /// Per project: requests and requests for media bytes of the day.
    spent: HashMap<String, (u64, u64)>,
    minute: i64,
    writes: HashMap<Owner, u64>,
    /// Writes under way, per user of a client.
    pub(crate) under_way: HashMap<Owner, u64>,
    /// Albums that are being written.
    pub(crate) albums: HashMap<String, u64>,
    pub(crate) uploads_under_way: u64,
    pub(crate) media_under_way: u64,
}

/// Where the day of a quota ends.
fn california() -> TimeZone {
    TimeZone::get("America/Los_Angeles").unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(-8)))
}

/// The number of the project that a client belongs to: the digits in front of its id.
pub(crate) fn project_of(client_id: &str) -> &str {
    let digits = client_id.len() - client_id.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 { "844831818923" } else { &client_id[..digits] }
}

impl Quota {
    /// Counts a request against the limits, or says which one it breaks.
    pub(crate) fn spend(
        &mut self,
        settings: &Settings,
        now: Timestamp,
        owner: &Owner,
        operation: &Operation,
    ) -> Result<(), ApiError> {
        let project = project_of(&owner.client_id);
        let today = now.to_zoned(california()).date();
        if self.day != Some(today) {
            self.day = Some(today);
            self.spent.clear();
        }
        let media = operation.family() == Family::Media;
        let spent = self.spent.entry(project.to_owned()).or_default();
        let (count, limit) = if media {
            (&mut spent.1, settings.media_requests_per_day)
        } else {
            (&mut spent.0, settings.requests_per_day)
        };
        if media || settings.uploads_count_as_requests || !operation.is_upload() {
            if limit.is_some_and(|limit| *count >= limit) {
                return Err(too_many(Limit::AllRequestsPerDay, project, limit, settings.retry_after_seconds));
            }
            *count += 1;
        }
        if !operation.is_write() {
            return Ok(());
        }
        let minute = now.as_second() / 60;
        if self.minute != minute {
            self.minute = minute;
            self.writes.clear();
        }
        let writes = self.writes.entry(owner.clone()).or_default();
        if settings.writes_per_minute.is_some_and(|limit| *writes >= limit) {
            let limit = settings.writes_per_minute;
            return Err(too_many(
                Limit::WritesPerMinutePerUser,
                project,
                limit,
                settings.retry_after_seconds,
            ));
        }
        *writes += 1;
        // This request is among those under way.
        let under_way = self.under_way.get(owner).copied().unwrap_or(0);
        if settings.concurrent_writes.is_some_and(|limit| under_way > limit) {
            return Err(too_many(Limit::ConcurrentWrites, project, None, settings.retry_after_seconds));
        }
        Ok(())
    }
}

/// The 429 of a limit.
pub(crate) fn too_many(
    limit: Limit,
    project: &str,
    value: Option<u64>,
    retry_after: Option<u64>,
) -> ApiError {
    let consumer =
        format!("of service 'photoslibrary.googleapis.com' for consumer 'project_number:{project}'.");
    let mut error = match limit {
        Limit::AllRequestsPerDay => ApiError::quota(
            "AllRequestsPerDayPerProject",
            format!(
                "Quota exceeded for quota metric 'All requests' and limit 'All requests per day' {consumer}"
            ),
            Some(value.unwrap_or(10_000)),
            project,
        ),
        Limit::WritesPerMinutePerUser => ApiError::quota(
            "WritesPerMinutePerUser",
            format!(
                "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per user' \
                 {consumer}"
            ),
            value,
            project,
        ),
        Limit::RequestsPerMinutePerUser => ApiError::quota(
            "AllRequestsPerMinutePerUser",
            format!(
                "Quota exceeded for quota metric 'All requests' and limit 'All requests per minute per user' {consumer}"
            ),
            value,
            project,
        ),
        Limit::ConcurrentWrites => ApiError::new(
            Code::ResourceExhausted,
            "Quota exceeded for quota 'concurrent write request' of service 'photoslibrary.googleapis.com'.",
        ),
    };
    error.retry_after_seconds = retry_after;
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_the_quota_ends_at_midnight_in_california() {
        let settings = Settings { requests_per_day: Some(1), ..Settings::default() };
        let mut quota = Quota::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let owner = Owner { client_id: "123-x".to_owned(), ..Owner::default() };
        let mut spend = |now| quota.spend(&settings, at(now), &owner, &Operation::AlbumsList);
        assert!(spend("2026-11-21T07:00:00Z").is_ok());
        let refused = spend("2026-11-21T07:59:59Z").unwrap_err();
        assert_eq!(
            refused.message,
            "Quota exceeded for quota metric 'All requests' and limit 'All requests per day' of service \
             'photoslibrary.googleapis.com' for consumer 'project_number:123'."
        );
        assert!(spend("2026-11-21T08:00:00Z").is_ok());
    }
}
