//! Which of the runs that wait may begin now, and what the others wait for. Looks at nothing but what it is given.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    fmt,
};

use charon_provider::Class;
use jiff::Timestamp;

use crate::{
    ids::{PlanId, RunId},
    run::RunState,
    schedule::Windows,
    store::LiveRun,
    timing::Pause,
};

/// What a plan says of when its runs may be at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) windows: Windows,
    /// Whether its schedule is paused.
    pub(crate) pause: Option<Pause>,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Its turn, which is now.
    Turn,
    /// Nobody is there who runs plans.
    Engine,
    /// The lane of its account, which another run is in.
    Lane { storage: String, plan: String },
    /// Another run of the same plan.
    SamePlan { state: RunState },
    /// One of the others to end: so many are at work at once.
    Limit(usize),
    /// Its time.
    Time(Timestamp),
    /// A window of its plan.
    Window(Option<Timestamp>),
    /// Its plan, which is paused.
    Pause(Option<Timestamp>),
    /// The budget.
    Budget(Timestamp),
    /// The account, which asked to be left alone.
    Account(Timestamp),
    /// The next attempt.
    Attempt(Timestamp),
    /// Somebody who does something about this.
    Person(String),
    /// Somebody who resumes it.
    Resume,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn => f.write_str("its turn"),
            Self::Engine => f.write_str("nobody runs plans now: start `charon serve`, or run the plan"),
            Self::Lane { storage, plan } => write!(f, "lane of {storage} busy with {plan}"),
            Self::SamePlan { state } => write!(f, "the run of the same plan before it, which is {state}"),
            Self::Limit(most) => write!(f, "one of the {most} runs that may be at work at once"),
            Self::Time(at) => write!(f, "begins at {}", Minute(*at)),
            Self::Window(Some(at)) => write!(f, "window opens {}", Minute(*at)),
            Self::Window(None) => f.write_str("none of the plan's windows ever opens"),
            Self::Pause(Some(until)) => write!(f, "the plan is paused until {}", Minute(*until)),
            Self::Pause(None) => f.write_str("the plan is paused"),
            Self::Budget(until) => write!(f, "budget until {}", Minute(*until)),
            Self::Account(until) => write!(f, "the account asked to be left alone until {}", Minute(*until)),
            Self::Attempt(at) => write!(f, "next attempt at {}", Minute(*at)),
            Self::Person(why) => write!(f, "you: {why}"),
            Self::Resume => f.write_str("you: resume it when it is to go on"),
        }
    }
}

/// A moment as people read it: today's date is told too, since nobody knows when this is read.
struct Minute(Timestamp);

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M UTC"))
    }
}

/// What follows from the queue as it is.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// The runs that may begin, in order.
    pub(crate) begin: Vec<RunId>,
    /// What all others that are not at work wait for.
    pub(crate) waiting: HashMap<RunId, Waiting>,
    /// When to look again, if nothing happens before.
    pub(crate) again_at: Option<Timestamp>,
}

/// Chooses among the runs that have not ended: one at a time in each lane and of each plan, so many in all, those that somebody
/// asked for before those that were due, and the older before the younger.
pub(crate) fn choose(
    live: &[LiveRun],
    allowed: &HashMap<PlanId, Allowed>,
    now: Timestamp,
    most: usize,
) -> Choice {
    let mut choice = Choice::default();
    let is_at_work = |run: &&LiveRun| matches!(run.state, RunState::Running | RunState::Pausing);
    let mut lanes = Lanes::default();
    live.iter().filter(is_at_work).for_each(|run| lanes.enter(run));
    // The runs of a plan go one after the other; one that is parked or paused goes on before a later one begins.
    // One that does something else waits only for the one that is at work.
    let mut plans: HashMap<PlanId, Vec<&LiveRun>> = HashMap::new();
    for run in live.iter().filter(|run| run.state != RunState::Queued) {
        plans.entry(run.plan).or_default().push(run);
    }
    let before_it = |run: &LiveRun, of_plan: Option<&Vec<&LiveRun>>| {
        let in_the_way = |other: &&&LiveRun| {
            !matches!(other.state, RunState::Parked | RunState::Paused)
                || other.options.job.is_like(&run.options.job)
        };
        of_plan.and_then(|others| others.iter().find(in_the_way).map(|other| other.state))
    };
    // What an inbox holds is little, and somebody may wait for it: its runs do not count.
    let counts = |run: &LiveRun| !run.is_inbox;
    let mut at_work: HashSet<RunId> =
        live.iter().filter(is_at_work).filter(|run| counts(run)).map(|run| run.run).collect();
    let mut queue: Vec<&LiveRun> = live.iter().filter(|run| run.state == RunState::Queued).collect();
    // One that has begun goes on before another of its plan begins.
    queue.sort_by_key(|run| (Reverse(run.priority), Reverse(run.attempt.min(1)), run.run));
    for run in queue {
        let waiting = match (
            stands_in_the_way(run, allowed.get(&run.plan), now),
            before_it(run, plans.get(&run.plan)),
            lanes.in_the_way_of(run),
        ) {
            (Some((waiting, until)), ..) => {
                choice.again_at = earlier(choice.again_at, until);
                waiting
            }
            (None, Some(state), _) => Waiting::SamePlan { state },
            (None, None, Some(other)) => {
                Waiting::Lane { storage: run.storage_name.clone(), plan: other.plan_name.clone() }
            }
            (None, None, None) if counts(run) && at_work.len() >= most => Waiting::Limit(most),
            (None, None, None) => {
                lanes.enter(run);
                plans.entry(run.plan).or_default().push(run);
                if counts(run) {
                    at_work.insert(run.run);
                }
                choice.begin.push(run.run);
                Waiting::Turn
            }
        };
        choice.waiting.insert(run.run, waiting);
    }
    for run in live.iter().filter(|run| matches!(run.state, RunState::Parked | RunState::Paused)) {
        let until = rests_until(run, allowed.get(&run.plan), now);
        choice.again_at = earlier(choice.again_at, until);
        choice.waiting.insert(run.run, waiting_of(run, until));
    }
    choice
}

/// The lanes, and the runs that are in them. Beside another run of the same storage, that of its inbox goes too: in one process they
/// share the pace of the storage, its transfers, and its turn to commit (I8).
#[derive(Debug, Default)]
struct Lanes<'a>(HashMap<(&'a str, bool), &'a LiveRun>);

impl<'a> Lanes<'a> {
    fn enter(&mut self, run: &'a LiveRun) {
        self.0.insert((&run.lane, run.is_inbox), run);
    }

    /// The run that is in the lane already, and does not let this one in.
    fn in_the_way_of(&self, run: &LiveRun) -> Option<&'a LiveRun> {
        let of = |is_inbox: bool| self.0.get(&(run.lane.as_str(), is_inbox)).copied();
        let beside = of(!run.is_inbox).filter(|other| other.storage != run.storage);
        of(run.is_inbox).or(beside)
    }
}

/// Whether the waiting of a run that is parked or paused is over.
pub(super) fn has_rested(run: &LiveRun, allowed: &HashMap<PlanId, Allowed>, now: Timestamp) -> bool {
    rests_until(run, allowed.get(&run.plan), now).is_some_and(|until| until <= now)
}

/// Until when a run that is parked or paused waits, if it goes on by itself. One that waits for a window goes by those that its
/// plan has now; they may have been changed since.
fn rests_until(run: &LiveRun, allowed: Option<&Allowed>, now: Timestamp) -> Option<Timestamp> {
    let until = run.until?;
    if run.state != RunState::Paused {
        return Some(until);
    }
    let opens_at = allowed.map_or(Some(now), |allowed| allowed.windows.opens_at(now));
    Some(opens_at.map_or(until, |opens_at| opens_at.min(until)))
}

/// What keeps a run from its turn that has nothing to do with other runs, and until when.
fn stands_in_the_way(
    run: &LiveRun,
    allowed: Option<&Allowed>,
    now: Timestamp,
) -> Option<(Waiting, Option<Timestamp>)> {
    if let Some(at) = run.start_after.filter(|at| *at > now) {
        return Some((Waiting::Time(at), Some(at)));
    }
    let allowed = allowed.filter(|_| run.keeps_to_windows())?;
    if let Some(Pause { until }) = allowed.pause {
        return Some((Waiting::Pause(until), until));
    }
    if allowed.windows.is_open(now) {
        return None;
    }
    let opens_at = allowed.windows.opens_at(now);
    Some((Waiting::Window(opens_at), opens_at))
}

/// What a run that is parked or paused waits for.
fn waiting_of(run: &LiveRun, until: Option<Timestamp>) -> Waiting {
    match (run.state, until, run.class()) {
        (RunState::Paused, Some(until), _) => Waiting::Window(Some(until)),
        (RunState::Paused, None, _) => Waiting::Resume,
        (_, Some(until), Some(Class::Quota)) => Waiting::Budget(until),
        (_, Some(until), Some(Class::Throttled)) => Waiting::Account(until),
        (_, Some(until), _) => Waiting::Attempt(until),
        (_, None, _) => {
            Waiting::Person(run.stop.as_ref().map(|stop| stop.message.clone()).unwrap_or_default())
        }
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
