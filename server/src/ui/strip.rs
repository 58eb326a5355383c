//! The last days of a plan: a strip to look at, and the same in words.

use charon_engine::{DayOfPlan, DayVerdict};
use maud::{Markup, html};

/// The strip. Each day says in words how it went, and has a sign of its own besides its colour.
pub(crate) fn draw(name: &str, days: &[DayOfPlan]) -> Markup {
    html! {
        ol.strip aria-label={ "The last " (days.len()) " days of " (name) } {
            @for day in days {
                @let said = format!("{}: {}", day.date.strftime("%a %-d %b"), day.text);
                li.day.(class(day)) title=(said) {
                    span aria-hidden="true" { (sign(day.verdict)) }
                    span.visually-hidden { (said) }
                }
            }
        }
        details {
            summary { "The days on which something happened" }
            ul.days {
                @for day in days.iter().rev().filter(|day| !matches!(day.verdict, DayVerdict::Before | DayVerdict::Nothing)) {
                    li {
                        (day.date.strftime("%A, %-d %B").to_string()) ": " (day.text)
                        @if let Some(run) = day.newest { " – " a href={ "/runs/" (run) } { @if day.runs > 1 { "the last of its runs" } @else { "its run" } } }
                    }
                }
            }
        }
    }
}

fn class(day: &DayOfPlan) -> &'static str {
    match day.verdict {
        DayVerdict::Good if day.is_missed || day.is_overdue => "warn",
        DayVerdict::Good => "good",
        DayVerdict::Partial | DayVerdict::Cancelled | DayVerdict::Missed => "warn",
        DayVerdict::Failed | DayVerdict::Overdue => "bad",
        DayVerdict::Working => "busy",
        DayVerdict::Nothing | DayVerdict::Before => "none",
    }
}

fn sign(verdict: DayVerdict) -> &'static str {
    match verdict {
        DayVerdict::Good => "✓",
        DayVerdict::Partial => "!",
        DayVerdict::Failed => "✕",
        DayVerdict::Cancelled => "■",
        DayVerdict::Working => "…",
        DayVerdict::Missed => "?",
        DayVerdict::Overdue => "‼",
        DayVerdict::Nothing | DayVerdict::Before => "·",
    }
}
