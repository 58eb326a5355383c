//! What a plan does, in words.

use charon_engine::{
    AfterUpload, AlbumFiles, AlbumPosition, BackupConfig, Estimate, Gone, MissedPolicy, OverlapPolicy,
    PlanConfig, PlanView, Sidecars, Upcoming, UploadConfig, with_commas,
};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};

use crate::ui::words::{bytes, counted};

/// What it does, as a list of facts.
pub(super) fn facts(plan: &PlanView, upcoming: &Upcoming) -> Markup {
    let storage = html! { a href={ "/storages/" (plan.storage_id) } { (plan.config.storage()) } };
    html! {
        dl.facts {
            @match &plan.config {
                PlanConfig::Backup(backup) => { (of_backup(backup, &storage)) },
                PlanConfig::Upload(upload) => { (of_upload(upload, &storage)) },
            }
            dt { "Runs" }
            dd {
                @match &upcoming.words {
                    Some(words) => (words),
                    None => "when somebody asks for it",
                }
            }
            @for policy in policies(&plan.config) { dt { (policy.0) } dd { (policy.1) } }
        }
    }
}

fn of_backup(backup: &BackupConfig, storage: &Markup) -> Markup {
    html! {
        dt { "Brings home" } dd { (backup.selection.in_words()) }
        dt { "From" } dd { (storage) }
        dt { "To" } dd { code { (backup.destination) } }
        @if !backup.has_usual_layout() {
            dt { "Layout" } dd { code { (backup.layout) } ", by the dates of " (backup.time_zone) }
        }
        dt { "Albums" }
        dd {
            @match backup.albums {
                None => "links, or JSON files where there are no links",
                Some(AlbumFiles::Symlink) => "symbolic links",
                Some(AlbumFiles::Hardlink) => "hard links",
                Some(AlbumFiles::Copy) => "copies",
                Some(AlbumFiles::Manifest) => "JSON files",
                Some(AlbumFiles::None) => "none",
            }
        }
        dt { "Sidecars" }
        dd {
            @match backup.sidecars {
                Sidecars::Both => "JSON and XMP",
                Sidecars::Json => "JSON",
                Sidecars::Xmp => "XMP",
                Sidecars::None => "none",
            }
        }
        @if backup.verify_percent > 0 { dt { "Verified in each run" } dd { (backup.verify_percent) " %" } }
        dt { "Gone from the account" }
        dd {
            @match backup.deletion.gone {
                Gone::Keep => "stays at home",
                Gone::Trash => {
                    "to the trash after " (backup.deletion.after_listings) " whole listings, for "
                    (counted(u64::from(backup.deletion.trash_days), "day", "days"))
                    "; asks above " (backup.deletion.most_percent) " % of the library"
                },
            }
        }
        dt { "Whole listing" }
        dd {
            @match backup.full_listing_hours {
                0 => "in every run",
                1 => "once an hour at least",
                24 => "once a day at least",
                hours => { "every " (hours) " hours at least" },
            }
        }
    }
}

fn of_upload(upload: &UploadConfig, storage: &Markup) -> Markup {
    html! {
        dt { "Sends" }
        dd { @for (index, source) in upload.sources.iter().enumerate() {
            @if index > 0 { br; }
            code { (source.display()) }
        } }
        dt { "To" } dd { (storage) }
        @if let Some(album) = &upload.album {
            dt { "Into the album" }
            dd {
                (album) ", "
                @match upload.album_position {
                    AlbumPosition::Last => "behind all others",
                    AlbumPosition::First => "before all others",
                }
            }
        }
        @if !upload.include.is_empty() { dt { "Only" } dd { (globs(&upload.include)) } }
        @if !upload.exclude.is_empty() { dt { "Without" } dd { (globs(&upload.exclude)) } }
        @if upload.after != AfterUpload::Keep {
            dt { "Afterwards" }
            dd {
                @match (&upload.after, &upload.move_to) {
                    (AfterUpload::Delete, _) => "files are deleted once the storage has them",
                    (_, Some(folder)) => { "files are moved to " code { (folder.display()) } },
                    _ => {},
                }
            }
        }
        dt { "Descriptions" }
        dd { @if upload.descriptions { "from sidecar files" } @else { "not sent" } }
    }
}

fn globs(globs: &[String]) -> Markup {
    html! { @for (index, glob) in globs.iter().enumerate() { @if index > 0 { ", " } code { (glob) } } }
}

/// What else decides about its runs.
fn policies(config: &PlanConfig) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    if let Some(schedule) = config.schedule() {
        if !schedule.windows.is_empty() {
            told.push(("At work only", schedule.windows.join(", ")));
        }
        if schedule.jitter_minutes > 0 {
            told.push(("Begins", format!("up to {} minutes later, at random", schedule.jitter_minutes)));
        }
        told.push((
            "Missed times",
            match schedule.missed {
                MissedPolicy::Skip => "are not made up for".into(),
                MissedPolicy::RunOnce => {
                    format!(
                        "one run makes up for all of them, within {} hours",
                        schedule.missed_max_age_hours
                    )
                }
            },
        ));
        let overlap = match schedule.overlap {
            OverlapPolicy::Skip => "the new time is left out",
            OverlapPolicy::QueueOne => "one more run waits for its end",
            OverlapPolicy::CancelPrevious => "that run is stopped for the new one",
        };
        told.push(("While a run is at work", overlap.into()));
    }
    let policy = config.policy();
    if let Some(minutes) = policy.time_limit_minutes {
        told.push(("A run ends", format!("after {minutes} minutes at work")));
    }
    told.push((
        "After a failure",
        match policy.retries {
            0 => "it is not tried again by itself".into(),
            times => format!("it is tried again, {} at most", counted(times.into(), "time", "times")),
        },
    ));
    if let Some(days) = policy.overdue_days {
        told.push(("Overdue", format!("after {} without a good run", counted(days.into(), "day", "days"))));
    }
    let commands = config.commands();
    let count = [&commands.before, &commands.after].into_iter().flatten().count();
    if count > 0 {
        let words = counted(count as u64, "command", "commands");
        told.push(("Commands", format!("{words} of this machine; they are set with `charon plan update`")));
    }
    told
}

/// When it is due next.
pub(super) fn next(upcoming: &Upcoming) -> Markup {
    html! {
        @if let Some(reason) = &upcoming.reason { p.soft { "Nothing comes next: " (reason) "." } }
        @if !upcoming.times.is_empty() {
            ol.times {
                @for time in &upcoming.times {
                    li { time datetime=(time.due_at) { (local(time.due_at, upcoming.timezone.as_deref())) } }
                }
            }
        }
        @for note in &upcoming.notes { p.soft { (note) } }
    }
}

/// What a schedule means, for those who are entering it.
pub(super) fn explained(upcoming: &Upcoming) -> Markup {
    html! {
        p {
            "It runs " strong { (upcoming.words.as_deref().unwrap_or("when somebody asks for it")) } "."
        }
        @if !upcoming.times.is_empty() { p.soft { "The next times:" } }
        (next(upcoming))
    }
}

/// `Sun 29 Mar 2026, 03:00`.
fn local(due_at: Timestamp, zone: Option<&str>) -> String {
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
    let due_at = due_at.to_zoned(zone);
    let format = if due_at.second() == 0 { "%a %-d %b %Y, %H:%M" } else { "%a %-d %b %Y, %H:%M:%S" };
    due_at.strftime(format).to_string()
}

/// What a run would do.
pub(super) fn estimate(estimate: &Estimate, kind: &str) -> Markup {
    let moved = if kind == "backup" { "would come home" } else { "would be sent" };
    let requests: Vec<String> = estimate
        .requests
        .iter()
        .map(|(meter, count)| {
            let left = estimate.requests_left_today.get(meter).copied().unwrap_or_default();
            format!("{} ({meter}; {} are left today)", with_commas(*count), with_commas(left))
        })
        .collect();
    html! {
        p { strong { (counted(estimate.new, "item", "items")) } " of " (with_commas(estimate.items)) " " (moved) "." }
        dl.facts {
            @if estimate.skipped > 0 { dt { "Left out" } dd { (with_commas(estimate.skipped)) } }
            @if estimate.unfit > 0 { dt { "Cannot be sent" } dd { (with_commas(estimate.unfit)) } }
            @if estimate.held_back > 0 { dt { "Tried again later" } dd { (with_commas(estimate.held_back)) } }
            dt { "Size" }
            dd { @match estimate.bytes { Some(size) => (bytes(size)), None => "not known beforehand" } }
            @if !requests.is_empty() { dt { "Requests" } dd { (requests.join("; ")) } }
            dt { "Takes" }
            dd {
                @match estimate.days {
                    0 | 1 => "today's quota is enough",
                    days => {
                        "about " (days) " days, since the daily quota "
                        @if let Some(meter) = &estimate.by { "(" (meter) ") " } "does not allow more"
                    },
                }
            }
        }
        p.soft { "This is an estimate: what nobody knows beforehand, such as tries that are repeated, is not in it." }
    }
}

#[cfg(test)]
mod tests {
    use charon_engine::{Estimate, PlanConfig};
    use serde_json::{Value, json};

    use super::{estimate, policies};

    fn plan(config: &Value) -> PlanConfig {
        PlanConfig::read(config.as_object().cloned().expect("an object")).expect("a plan")
    }

    #[test]
    fn commands_are_counted_and_not_shown() {
        let plan = plan(
            &json!({"kind": "upload", "storage": "x", "sources": ["/m"], "commands": {"before": "curl -u me:secret"}}),
        );
        let told = format!("{:?}", policies(&plan));
        assert!(told.contains("1 command") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn an_estimate_says_that_it_is_one() {
        let requests = [("api".to_owned(), 31_829)].into();
        let of = Estimate {
            items: 31_204,
            new: 31_000,
            requests,
            days: 4,
            by: Some("api".into()),
            ..Estimate::default()
        };
        let html = estimate(&of, "upload").into_string();
        for expected in
            ["31,000 items", "31,204", "would be sent", "31,829 (api", "about 4 days", "This is an estimate"]
        {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }
}
