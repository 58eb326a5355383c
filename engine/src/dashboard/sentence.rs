//! The one sentence that tells the truth about a plan (I10): how many items there are, how many of them are where they should be, and
//! what stands in the way of the others. "Everything" is everything that the storage shows.

use charon_provider::Class;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    facts::{Live, PlanFacts, Whole},
    words::{ago, ended, span, unended, until},
};
use crate::{
    numbers::with_commas,
    run::{RunState, named},
};

/// The longest reason that is told in a sentence; the run has the rest of it.
const REASON: usize = 240;

named! {
    /// How good what is said is.
    Tone {
        /// Everything is where it should be.
        Good = "good",
        /// It is being done, or is about to.
        Working = "working",
        /// Something is missing, and somebody should look.
        Attention = "attention",
        /// It does not get on.
        Bad = "bad",
    }
}

/// What is said of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sentence {
    /// The words.
    pub text: String,
    /// How good that is.
    pub tone: Tone,
}

/// What is said of a plan.
pub(crate) fn of_plan(plan: &PlanFacts, now: Timestamp) -> Sentence {
    let (mut sentences, tone) = match &plan.whole {
        Some(whole) => (vec![of_whole(plan, whole, now)], tone_of(plan, whole)),
        None => nothing_yet(plan),
    };
    let tone = if plan.damaged > 0 && tone == Tone::Good { Tone::Attention } else { tone };
    if plan.whole.is_some() || plan.last_end.is_some() {
        sentences.extend(plan.live.as_ref().map(|live| of_live(plan, live, now)));
    }
    if let Some(end) = &plan.last_end {
        let how = if end.state == RunState::Cancelled { "was stopped" } else { "failed" };
        let why = if end.message.is_empty() { String::new() } else { format!(": {}", cut(&end.message)) };
        sentences.push(format!("The last run {how} {}{}", ago(end.ended_at, now), ended(&why)));
    }
    if plan.damaged > 0 {
        let (count, are) = (files(plan.damaged), if plan.damaged == 1 { "is" } else { "are" });
        sentences.push(format!("{count} at home {are} known to be damaged."));
    }
    if let Some(since) = plan.overdue_since {
        sentences
            .push(format!("Overdue: there has been no good run for {}.", span(now.duration_since(since))));
    }
    sentences.extend(when(plan, now));
    Sentence { text: sentences.join(" "), tone }
}

/// What is said of all plans together.
pub(crate) fn of_all(plans: &[(&PlanFacts, &Sentence)], now: Timestamp) -> Sentence {
    match plans {
        [] => Sentence {
            text:
                "Nothing is backed up yet: there is no plan. Add a storage, then make a backup plan for it."
                    .into(),
            tone: Tone::Attention,
        },
        [(_, only)] => (*only).clone(),
        many => of_many(many, now),
    }
}

fn of_many(plans: &[(&PlanFacts, &Sentence)], now: Timestamp) -> Sentence {
    let worst = [Tone::Bad, Tone::Attention, Tone::Working];
    let tone = worst.into_iter().find(|tone| plans.iter().any(|(_, said)| said.tone == *tone));
    let wholes = |kind: &str| -> Option<(u64, u64)> {
        let mut sums = (0, 0);
        for (plan, _) in plans.iter().filter(|(plan, _)| plan.kind == kind) {
            let whole = plan.whole.as_ref()?;
            sums = (sums.0 + whole.wanted(), sums.1 + whole.safe);
        }
        Some(sums).filter(|(wanted, _)| *wanted > 0)
    };
    let count = |kind: &str| plans.iter().filter(|(plan, _)| plan.kind == kind).count();
    let mut sentences = Vec::new();
    if let Some((wanted, safe)) = wholes("backup") {
        let by = match count("backup") {
            1 => String::new(),
            many => format!(", by {many} plans"),
        };
        let providers: std::collections::BTreeSet<&str> = plans
            .iter()
            .filter(|(plan, _)| plan.kind == "backup")
            .map(|(plan, _)| plan.provider.as_str())
            .collect();
        let shown_by =
            if providers.len() == 1 { providers.into_iter().collect() } else { "the storages".to_owned() };
        let show = if count("backup") == 1 || shown_by != "the storages" { "shows" } else { "show" };
        sentences.push(if safe >= wanted {
            format!("All {} that {shown_by} {show} Charon are backed up{by}.", items(wanted))
        } else {
            format!(
                "{} of the {} that {shown_by} {show} Charon are backed up{by}.",
                with_commas(safe),
                items(wanted)
            )
        });
    } else if count("backup") > 0 {
        sentences.push("Not everything has been backed up once yet.".into());
    }
    if let Some((wanted, safe)) = wholes("upload") {
        sentences.push(if safe >= wanted {
            format!("All {} in the folders are sent.", files(wanted))
        } else {
            format!("{} of the {} in the folders are sent.", with_commas(safe), files(wanted))
        });
    }
    for tone in [Tone::Bad, Tone::Attention] {
        let names: Vec<&str> =
            plans.iter().filter(|(_, said)| said.tone == tone).map(|(plan, _)| plan.name.as_str()).collect();
        let what = if tone == Tone::Bad { "does not get on" } else { "wants a look" };
        match names.as_slice() {
            [] => {}
            [only] => sentences.push(format!("The plan {only} {what}.")),
            many => {
                let what = if tone == Tone::Bad { "do not get on" } else { "want a look" };
                sentences.push(format!("{} plans {what}: {}.", many.len(), listed(many)));
            }
        }
    }
    if sentences.is_empty() {
        sentences.push(format!("{} plans are at work or about to be.", plans.len()));
    }
    sentences.extend(when_of_many(plans, now));
    Sentence { text: sentences.join(" "), tone: tone.unwrap_or(Tone::Good) }
}

/// How old the oldest of the plans' last good runs is, and when the next run is.
fn when_of_many(plans: &[(&PlanFacts, &Sentence)], now: Timestamp) -> Option<String> {
    let good = plans.iter().map(|(plan, _)| plan.last_good_at).collect::<Option<Vec<_>>>();
    let oldest = good.and_then(|all| all.into_iter().min()).map(|at| now.duration_since(at));
    let next = plans.iter().filter(|(plan, _)| !plan.is_paused).filter_map(|(plan, _)| plan.next_at).min();
    let next = next.map(|at| until(at, now));
    let within = oldest.map(|age| if age.as_secs() < 60 { "minute".to_owned() } else { span(age) });
    match (within, next) {
        (Some(within), Some(next)) => {
            Some(format!("Each had a good run within the last {within}; next {next}."))
        }
        (Some(within), None) => Some(format!("Each had a good run within the last {within}.")),
        (None, Some(next)) => Some(format!("The next run is {next}.")),
        (None, None) => None,
    }
}

fn listed(names: &[&str]) -> String {
    let told = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(5) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// What the last run that looked at everything says.
fn of_whole(plan: &PlanFacts, whole: &Whole, now: Timestamp) -> String {
    let wanted = whole.wanted();
    let is_backup = plan.kind == "backup";
    // What has failed since may have been shown more.
    let is_now = plan.last_end.is_none() && plan.overdue_since.is_none();
    let when = if is_now { String::new() } else { format!(" {}", ago(whole.ended_at, now)) };
    let of_all = match (is_backup, is_now) {
        (true, true) => format!("that {} shows Charon", plan.provider),
        (true, false) => format!("that {} showed Charon{when}", plan.provider),
        (false, true) => "in the folders".to_owned(),
        (false, false) => format!("that were in the folders{when}"),
    };
    let noun = |count| if is_backup { items(count) } else { files(count) };
    let there = if is_backup { "backed up".to_owned() } else { format!("at the storage {}", plan.storage) };
    if whole.shown == 0 {
        return if is_backup {
            format!(
                "{} {} Charon no items{when}, so there is nothing to back up.",
                plan.provider,
                if is_now { "shows" } else { "showed" }
            )
        } else {
            format!(
                "There {} no files in the folders{when}, so there is nothing to send.",
                if is_now { "are" } else { "were" }
            )
        };
    }
    let left_out = match whole.left_out {
        0 => String::new(),
        1 => "; 1 more is left out, for a reason".to_owned(),
        many => format!("; {} more are left out, each for a reason", with_commas(many)),
    };
    if wanted == 0 {
        return format!("All {} {of_all} are left out, each for a reason.", noun(whole.shown));
    }
    if whole.safe >= wanted {
        return match wanted {
            1 => {
                format!("The only {} {of_all} is {there}{left_out}.", if is_backup { "item" } else { "file" })
            }
            many => format!("All {} {of_all} are {there}{left_out}.", noun(many)),
        };
    }
    let mut missing = Vec::new();
    if whole.failed > 0 {
        let why = whole.cause.as_ref().map(|cause| format!(" ({})", cut(cause))).unwrap_or_default();
        missing.push(format!("{} failed{why}", with_commas(whole.failed)));
    }
    if whole.processed > 0 {
        let are = if whole.processed == 1 { "is" } else { "are" };
        missing.push(format!("{} {are} still being processed there", with_commas(whole.processed)));
    }
    let missing = if missing.is_empty() { String::new() } else { format!(": {}", missing.join(", ")) };
    let are = if whole.safe == 1 { "is" } else { "are" };
    format!("{} of the {} {of_all} {are} {there}{missing}{left_out}.", with_commas(whole.safe), noun(wanted))
}

fn tone_of(plan: &PlanFacts, whole: &Whole) -> Tone {
    let failed = plan.last_end.as_ref().is_some_and(|end| end.state == RunState::Failed);
    let needs_person = plan.live.as_ref().is_some_and(|live| live.needs_person);
    if failed || needs_person || plan.overdue_since.is_some() {
        Tone::Bad
    } else if whole.failed > 0 || plan.is_paused {
        Tone::Attention
    } else if whole.safe < whole.wanted() {
        Tone::Working
    } else {
        Tone::Good
    }
}

/// No run has come to the end of its work yet.
fn nothing_yet(plan: &PlanFacts) -> (Vec<String>, Tone) {
    let is_backup = plan.kind == "backup";
    let (done, verb) = if is_backup { ("backed up", "home") } else { ("sent", "there") };
    let so_far = |count: u64| match (count, is_backup) {
        (0, _) => format!("nothing is {verb} yet"),
        (1, true) => format!("1 item is {verb} so far"),
        (1, false) => format!("1 file is {verb} so far"),
        (count, true) => format!("{} are {verb} so far", items(count)),
        (count, false) => format!("{} are {verb} so far", files(count)),
    };
    match (&plan.live, &plan.last_end) {
        (Some(live), _) if live.needs_person => {
            let why = needed(plan, live);
            (
                vec![format!("The first run waits for you: {}; {}.", unended(&why), so_far(live.safe))],
                Tone::Bad,
            )
        }
        (Some(live), None) => {
            let doing = match live.state {
                RunState::Running | RunState::Pausing => "The first run is at work",
                RunState::Queued => "The first run is in the queue",
                _ => "The first run waits",
            };
            let why = live.waiting.as_ref().map(|why| format!(" ({})", cut(why))).unwrap_or_default();
            (vec![format!("{doing}{why}: {}, and more may be found.", so_far(live.safe))], Tone::Working)
        }
        (live, Some(_)) => {
            let home = plan.home.map_or(0, |home| home.items).max(live.as_ref().map_or(0, |live| live.safe));
            let besides = if home > 0 { format!(": {}", so_far(home)) } else { String::new() };
            let words = format!(
                "It is not known yet whether everything is {done}, since no run has come to its end{besides}."
            );
            (vec![words], Tone::Bad)
        }
        (None, None) => (vec![format!("Nothing is {done} yet: there was no run.")], Tone::Attention),
    }
}

/// What a run that has not ended does.
fn of_live(plan: &PlanFacts, live: &Live, now: Timestamp) -> String {
    match live.state {
        RunState::Running | RunState::Pausing => "A run is at work now.".into(),
        _ if live.needs_person => format!("A run waits for you: {}", ended(&needed(plan, live))),
        RunState::Queued => "A run is in the queue.".into(),
        state => {
            let verb = if state == RunState::Paused { "is paused" } else { "waits" };
            let when = live.until.map(|at| format!(", and goes on {}", until(at, now))).unwrap_or_default();
            format!("A run {verb}{when}.")
        }
    }
}

/// What a run needs a person for. What a storage says of a dead consent is for whoever looks into it; what cures it is always the same.
fn needed(plan: &PlanFacts, live: &Live) -> String {
    if live.class == Some(Class::Auth) {
        return format!("the storage {} has to be connected again", plan.storage);
    }
    cut(live.waiting.as_deref().map_or("a person is needed", without_you))
}

/// When the last good run was, and when the next one is. Nothing, where a run that has not ended says it all.
fn when(plan: &PlanFacts, now: Timestamp) -> Option<String> {
    let last = plan.last_good_at.map(|at| format!("Last good run {}", ago(at, now)));
    let next = match (plan.is_paused, plan.paused_until, plan.next_at, plan.has_schedule) {
        (true, Some(at), ..) => format!("the plan is paused for another {}", span(at.duration_since(now))),
        (true, None, ..) => "the plan is paused until you resume it".to_owned(),
        (false, _, Some(at), _) => format!("next {}", until(at, now)),
        (false, _, None, false) => "the next one runs when you ask for it".to_owned(),
        (false, _, None, true) => "its schedule is never due again".to_owned(),
    };
    // Nobody has to ask for a run that is there.
    let is_next_told = plan.has_schedule || plan.is_paused || plan.live.is_none();
    Some(match last {
        Some(last) if is_next_told => format!("{last}, {next}."),
        Some(last) => format!("{last}."),
        None if !is_next_told => return None,
        None if plan.has_schedule && !plan.is_paused && plan.next_at.is_some() => {
            format!("It is due {}.", next.trim_start_matches("next "))
        }
        None if !plan.has_schedule && !plan.is_paused => "It runs when you ask for it.".into(),
        None => {
            let mut chars = next.chars();
            let first = chars.next().map(|char| char.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.", chars.as_str())
        }
    })
}

fn items(count: u64) -> String {
    if count == 1 { "1 item".into() } else { format!("{} items", with_commas(count)) }
}

fn files(count: u64) -> String {
    if count == 1 { "1 file".into() } else { format!("{} files", with_commas(count)) }
}

/// What a queue says that waits for a person begins with whom it waits for.
fn without_you(why: &str) -> &str {
    why.strip_prefix("you: ").unwrap_or(why)
}

/// So much of a reason as fits into a sentence: to the end of a sentence of its own, or at least of a word.
fn cut(reason: &str) -> String {
    let reason = reason.trim();
    let Some((place, _)) = reason.char_indices().nth(REASON) else { return reason.to_owned() };
    let fits = &reason[..place];
    match (fits.rfind(". "), fits.rfind(' ')) {
        (Some(end), _) => fits[..end].to_owned(),
        (None, Some(end)) => format!("{}…", fits[..end].trim_end_matches([',', ';', ':', '('])),
        (None, None) => format!("{fits}…"),
    }
}

#[cfg(test)]
mod tests;
