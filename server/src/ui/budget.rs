//! `/budget`: what the daily quotas leave, and how many requests there were on the days before.

use std::collections::BTreeMap;

use axum::{Router, extract::State, routing::get};
use charon_engine::{BudgetView, DayOfRequests, with_commas};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use maud::{Markup, html};

use super::{
    charts::Chart,
    failing::Failing,
    layout::{Page, PageOf, Section},
    words,
};
use crate::app::App;

/// So many days are shown.
const DAYS: u32 = 30;
/// How wide the picture of a meter is, in its own units.
const WIDTH: u64 = 600;

pub(crate) fn router() -> Router<App> {
    Router::new().route("/budget", get(show))
}

async fn show(page: PageOf, State(app): State<App>) -> Result<Page, Failing> {
    let meters = app.engine().budget().await?;
    let days = app.engine().requests_by_day(DAYS).await?;
    let (now, zone) = (app.engine().now(), app.time_zone().await);
    // As the meters have it, where they tell.
    let newest =
        meters.iter().map(|meter| meter.day).max().unwrap_or_else(|| now.to_zoned(TimeZone::UTC).date());
    let content = html! {
        h1 { "Budget" }
        p { "Requests are counted by project and day where the photos are. Charon counts them too, for all storages that share a project, \
             and makes none beyond the limit: a run that needs more waits until the count starts again." }
        @if meters.is_empty() {
            p.soft { "There is no storage yet. " a href="/storages/new" { "Add a storage" } }
        }
        @for meter in &meters { (today(meter, now, &zone)) }
        (history(&meters, &days, newest))
    };
    Ok(page.titled("Budget", Section::Budget, &content))
}

fn today(meter: &BudgetView, now: Timestamp, zone: &TimeZone) -> Markup {
    let limit = u64::from(meter.limit);
    let left = limit.saturating_sub(meter.used);
    html! {
        section.card aria-label={ (words::meter(&meter.meter)) " of the project " (meter.account) } {
            h2 { (words::meter(&meter.meter)) }
            p.soft { "Project " code { (meter.account) } " · " (meter.storages.join(", ")) }
            (bar(meter))
            dl.facts {
                dt { "Used today" } dd { (with_commas(meter.used)) " of " (with_commas(limit)) " (" (words::counted(left, "request", "requests")) " left)" }
                dt { "Left for runs" } dd { (with_commas(meter.left_for_runs)) }
                dt { "Kept for people" } dd { (with_commas(u64::from(meter.reserve))) ", for tests, albums and previews" }
                @if let Some(at) = meter.resets_at {
                    dt { "Starts again" } dd { (words::ago(at, now, zone)) ", " (words::moment(at, zone)) }
                }
            }
            @if meter.spent_by_server {
                p.notice.warn { "The server says that nothing is left today. Runs wait; a connection test that passes lifts it." }
            }
        }
    }
}

/// Used, free and kept for people, as parts of the limit.
fn bar(meter: &BudgetView) -> Markup {
    let limit = u64::from(meter.limit).max(1);
    let used = meter.used.min(limit);
    let reserve = u64::from(meter.reserve).min(limit - used);
    let part = |count: u64| count * WIDTH / limit;
    let words = format!(
        "{} used, {} kept for people, of {}",
        with_commas(meter.used),
        with_commas(u64::from(meter.reserve)),
        with_commas(limit)
    );
    html! {
        svg.budget viewBox={ "0 0 " (WIDTH) " 16" } preserveAspectRatio="none" role="img" aria-label=(words) {
            rect.all x="0" y="0" width=(WIDTH) height="16" {}
            rect.used x="0" y="0" width=(part(used)) height="16" {}
            rect.kept x=(WIDTH - part(reserve)) y="0" width=(part(reserve)) height="16" {}
        }
    }
}

/// The days of each meter.
fn history(meters: &[BudgetView], days: &[DayOfRequests], today: Date) -> Markup {
    let mut of: BTreeMap<(&str, &str), Vec<&DayOfRequests>> = BTreeMap::new();
    for day in days {
        of.entry((&day.account, &day.meter)).or_default().push(day);
    }
    html! {
        h2 { "The last " (DAYS) " days" }
        @if of.is_empty() { p.soft { "No requests yet." } }
        div.charts {
            @for (place, ((account, meter), days)) in of.iter().enumerate() {
                @let limit = meters.iter().find(|one| one.account == *account && one.meter == *meter);
                (Chart {
                    id: &format!("days-{place}"),
                    title: &format!("{} of the project {account}", words::meter(meter)),
                    unit: "requests",
                    days: &each_day(days, today),
                    limit: limit.map(|one| u64::from(one.limit)),
                    in_words: with_commas,
                }.draw())
            }
        }
    }
}

/// All days up to today, those without requests too.
fn each_day(days: &[&DayOfRequests], today: Date) -> Vec<(Date, u64)> {
    let requests: BTreeMap<Date, u64> = days.iter().map(|day| (day.day, day.requests)).collect();
    let back = (0..i64::from(DAYS)).rev().filter_map(|back| today.checked_sub(back.days()).ok());
    back.map(|day| (day, requests.get(&day).copied().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use charon_engine::{BudgetView, DayOfRequests};

    use super::{bar, each_day};

    fn meter(used: u64) -> BudgetView {
        BudgetView {
            account: "1".into(),
            meter: "api".into(),
            storages: vec!["family".into()],
            day: "2026-11-28".parse().expect("a day"),
            limit: 10_000,
            used,
            left_for_runs: 0,
            reserve: 200,
            resets_at: None,
            spent_by_server: false,
        }
    }

    #[test]
    fn what_is_used_and_kept_is_never_more_than_the_whole() {
        // I10
        for (used, width) in [(0, "width=\"0\""), (5_000, "width=\"300\""), (20_000, "width=\"600\"")] {
            let drawn = bar(&meter(used)).into_string();
            assert!(drawn.contains(&format!("class=\"used\" x=\"0\" y=\"0\" {width}")), "{drawn}");
        }
    }

    #[test]
    fn days_without_requests_are_there_too() {
        let day = |text: &str, requests| DayOfRequests {
            day: text.parse().expect("a day"),
            account: "1".into(),
            meter: "api".into(),
            requests,
            spent_by_server: false,
        };
        let days = [day("2026-11-28", 100), day("2026-11-26", 50), day("2026-10-01", 9)];
        let each = each_day(&days.each_ref(), "2026-11-28".parse().expect("a day"));
        assert_eq!(each.len(), 30);
        assert_eq!(each[27..].iter().map(|(_, requests)| *requests).collect::<Vec<_>>(), [50, 0, 100]);
        assert_eq!(each[..27].iter().map(|(_, requests)| requests).sum::<u64>(), 0);
    }
}
