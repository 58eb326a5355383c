//! `/`: whether the photos are safe, what calls for somebody, how the last days went.

use axum::extract::State;
use charon_engine::{
    Attention, BudgetView, Cure, Dashboard, DayOfRequests, LiveStatus, PlanStatus, Tone, in_brief,
    with_commas,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use maud::{Markup, html};

use super::{
    charts::Chart,
    failing::Failing,
    layout::{Page, PageOf, Section},
    states, strip, words,
};
use crate::app::App;

/// Days of requests that are shown.
const REQUESTS: u32 = 90;

pub(crate) async fn show(page: PageOf, State(app): State<App>) -> Result<Page, Failing> {
    let engine = app.engine();
    let zone = app.time_zone().await;
    // Whoever listens from here on misses nothing of what came after this was looked up.
    let after = engine.newest_event().await?;
    let dashboard = engine.dashboard(&zone).await?;
    let (budget, requests) = (engine.budget().await?, engine.requests_by_day(REQUESTS).await?);
    let has_storage = !engine.storages().await?.is_empty();
    let content = html! {
        h1.visually-hidden { "Dashboard" }
        div data-live={ "/api/v1/events?items=false" } data-after=(after) {
            div data-part="sentence" { (sentence(&dashboard, &zone)) }
            div data-part="attention" { (attention(&page, &dashboard.attention, has_storage)) }
            div data-part="live" { (live(&dashboard.live)) }
            div data-part="plans" { (plans(&dashboard.plans)) }
        }
        (meters(&budget, dashboard.at))
        (pictures(&dashboard, &budget, &requests))
    };
    Ok(page.titled("Dashboard", Section::Dashboard, &content))
}

fn sentence(dashboard: &Dashboard, zone: &TimeZone) -> Markup {
    html! {
        section.sentence.(states::tone(dashboard.sentence.tone)) aria-label="Whether the photos are safe" {
            p.headline { (dashboard.sentence.text) }
            p.soft { "As of " time datetime=(dashboard.at) { (words::moment(dashboard.at, zone)) } ". " a href="/" { "Look again" } }
        }
    }
}

fn attention(page: &PageOf, all: &[Attention], has_storage: bool) -> Markup {
    if all.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="attention" {
            h2 id="attention" { "What needs you" }
            ul.attention {
                @for one in all {
                    li.notice.(if one.is_urgent { "bad" } else { "warn" }) {
                        div { h3 { (one.title) } p { (one.text) } }
                        div.actions { (cure(page, &one.cure, has_storage)) }
                    }
                }
            }
        }
    }
}

/// The button that cures it.
fn cure(page: &PageOf, cure: &Cure, has_storage: bool) -> Markup {
    let post = |path: String, words: &str| {
        html! { form method="post" action=(path) { (page.csrf()) button type="submit" { (words) } } }
    };
    match cure {
        Cure::Reconnect { storage, .. } => post(format!("/storages/{storage}/reconnect"), "Connect again"),
        Cure::ResumeRun { run } => html! {
            (post(format!("/runs/{run}/resume"), "Let it go on"))
            a.button.second href={ "/runs/" (run) } { "Look at the run" }
        },
        Cure::RetryFailed { run } => html! {
            (post(format!("/runs/{run}/retry-failed"), "Try again now"))
            a.button.second href={ "/runs/" (run) } { "See which" }
        },
        Cure::RunNow { plan } => html! {
            (post(format!("/plans/{plan}/run"), "Run it now"))
            a.button.second href={ "/plans/" (plan) } { "Look at the plan" }
        },
        Cure::ResumePlan { plan } => post(format!("/plans/{plan}/resume"), "Resume it"),
        Cure::TestChannel { channel } => html! {
            a.button.second href={ "/settings/notifications/" (channel) } { "Look at the channel" }
        },
        Cure::AnswerDeletion { plan } => html! {
            a.button href={ "/plans/" (plan) "/trash" } { "See which, and answer" }
        },
        Cure::Repair { plan } => html! {
            (post(format!("/plans/{plan}/run"), "Run it now"))
            a.button.second href={ "/plans/" (plan) "/mirror" } { "Look at the mirror" }
        },
        Cure::AddPlan if has_storage => {
            html! { a.button href="/plans/new?kind=backup" { "Make a backup plan" } }
        }
        Cure::AddPlan => html! { a.button href="/storages/new" { "Add a storage" } },
        Cure::LookAtInbox { storage } => {
            html! { a.button.second href={ "/storages/" (storage) "/send" } { "See what came in" } }
        }
        Cure::LookAtLog => html! { a.button.second href="/healthz" { "See what it says" } },
    }
}

fn live(all: &[LiveStatus]) -> Markup {
    if all.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="live" {
            h2 id="live" { "Now" }
            ul.cards {
                @for one in all {
                    li.card data-run=(one.run) {
                        h3 { a href={ "/runs/" (one.run) } { (one.name) } " " (states::state(one.state)) }
                        (states::progress(&one.progress))
                        @if let Some(waiting) = &one.waiting { p.soft { "Waits for " (in_brief(waiting)) } }
                    }
                }
            }
        }
    }
}

fn plans(all: &[PlanStatus]) -> Markup {
    html! {
        section aria-labelledby="plans" {
            h2 id="plans" { "Plans" }
            @if all.is_empty() {
                p { "There is no plan yet. " a href="/plans/new?kind=backup" { "Make a backup plan" } "." }
            }
            ul.plans {
                @for plan in all {
                    li.card {
                        h3 { a href={ "/plans/" (plan.plan) } { (plan.name) } " " (kind(plan)) }
                        p { (plan.sentence.text) }
                        (strip::draw(&plan.name, &plan.strip))
                        @if let (Some(items), Some(bytes)) = (plan.items_home, plan.bytes_home) {
                            p.soft { (words::counted(items, "item", "items")) " at home, " (words::bytes(bytes)) ". "
                                a href={ "/runs?plan=" (plan.plan) } { "All runs of " (plan.name) } }
                        } @else {
                            p.soft { a href={ "/runs?plan=" (plan.plan) } { "All runs of " (plan.name) } }
                        }
                    }
                }
            }
        }
    }
}

fn kind(plan: &PlanStatus) -> Markup {
    let words = match plan.sentence.tone {
        Tone::Good => "well",
        Tone::Working => "at work",
        Tone::Attention => "wants a look",
        Tone::Bad => "does not get on",
    };
    html! { span.state.(states::tone(plan.sentence.tone)) { (words) } " " span.soft { (plan.kind) } }
}

fn meters(budget: &[BudgetView], now: Timestamp) -> Markup {
    if budget.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="budget" {
            h2 id="budget" { a href="/budget" { "Today's budget" } }
            ul.cards {
                @for one in budget {
                    @let id = format!("meter-{}-{}", one.account, one.meter);
                    li.card {
                        h3 id=(id) { (words::meter(&one.meter)) ", project " (one.account) }
                        meter min="0" max=(one.limit) high=(one.limit - one.reserve) value=(one.used.min(one.limit.into())) aria-labelledby=(id) {}
                        p {
                            (with_commas(one.used)) " of " (with_commas(one.limit.into())) " used; "
                            (with_commas(one.left_for_runs)) " left for runs"
                            @if let Some(at) = one.resets_at { ", starts again " (words::relative(at, now)) }
                            "."
                            @if one.spent_by_server { " The storage itself says that nothing is left today." }
                        }
                    }
                }
            }
        }
    }
}

fn pictures(dashboard: &Dashboard, budget: &[BudgetView], requests: &[DayOfRequests]) -> Markup {
    let days = |of: fn(&charon_engine::DayOfItems) -> u64| -> Vec<(Date, u64)> {
        dashboard.days.iter().map(|day| (day.date, of(day))).collect()
    };
    let (items, bytes) = (days(|day| day.items), days(|day| day.bytes));
    html! {
        section aria-labelledby="history" {
            h2 id="history" { "Over time" }
            div.charts {
                (Chart {
                    id: "items", title: "Items moved by day", unit: "Items", days: &items, limit: None,
                    in_words: |value| words::counted(value, "item", "items"),
                }.draw())
                (Chart {
                    id: "bytes", title: "Bytes moved by day", unit: "Bytes", days: &bytes, limit: None, in_words: words::bytes,
                }.draw())
                @for (place, one) in budget.iter().enumerate() {
                    @let days = requests_of(one, requests, &dashboard.days);
                    (Chart {
                        id: &format!("requests-{place}"),
                        title: &format!("{} by day, project {}", words::meter(&one.meter), one.account),
                        unit: "Requests", days: &days, limit: Some(one.limit.into()),
                        in_words: |value| words::counted(value, "request", "requests"),
                    }.draw())
                }
            }
        }
    }
}

/// The requests that one meter counted, on each of the days that the other pictures show. Its days are those of its own zone.
fn requests_of(
    meter: &BudgetView,
    requests: &[DayOfRequests],
    days: &[charon_engine::DayOfItems],
) -> Vec<(Date, u64)> {
    let of = |date: Date| {
        let mine = |one: &&DayOfRequests| {
            one.day == date && one.meter == meter.meter && one.account == meter.account
        };
        requests.iter().find(mine).map_or(0, |one| one.requests)
    };
    days.iter().map(|day| (day.date, of(day.date))).collect()
}
