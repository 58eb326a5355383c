//! The lives of a program that is killed again and again: when each of them ends, and that it ended by SIGKILL.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt};

use gphotos_emulator::Stats;
use tokio::{
    io::AsyncReadExt,
    process::Child,
    time::{Duration, Instant, sleep},
};

use crate::support::{Place, dice::Dice};

const SIGKILL: i32 = 9;
/// How many kills of each way; `CHARON_KILLS` asks for more or fewer.
const KILLS: u64 = 50;
/// About so many pieces of work are begun in each life and not ended.
const UNDER_WAY: u64 = 16;
/// By then a start has usually asked for something.
const START_MS: u64 = 250;

/// How many kills there are to be.
pub(super) fn kills() -> u64 {
    number("CHARON_KILLS").unwrap_or(KILLS)
}

/// What makes a sequence of kills another one.
pub(super) fn seed() -> u64 {
    number("CHARON_KILL_SEED").unwrap_or(1)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// When a life ends.
#[derive(Debug)]
pub(super) enum Moment {
    /// So long after its start: while it opens its database, or before it has asked for anything, or soon after that.
    Start(Duration),
    /// When the emulator has seen so many more requests of a kind, or one of a rare kind, or a little later.
    Requests { kind: &'static str, more: u64, rare: Option<&'static str>, then: Duration },
}

impl Moment {
    /// One of all moments of a life that has `left` pieces of work before it, a request or more of `kind` for each, and
    /// after which so many lives are to come. Some end at a `rare` request.
    pub(super) fn random(
        dice: &mut Dice,
        left: u64,
        lives: u64,
        kind: &'static str,
        rare: &[&'static str],
    ) -> Moment {
        let then = |dice: &mut Dice, most: u64| Duration::from_micros(dice.roll(2) * dice.roll(1000 * most));
        let dies_early = left < 2 || dice.roll(100) < 15;
        if dies_early {
            return Moment::Start(Duration::from_micros(dice.roll(1000 * START_MS)));
        }
        // So that the work lasts for all of the lives, and each gets on, although what is under way at its end is lost.
        let share = left / (lives + 1);
        let more = (1 + dice.roll(2 * share + UNDER_WAY)).min(left - 1);
        let is_rare = dice.roll(100) < 20;
        let rare = is_rare.then(|| rare[usize::try_from(dice.roll(rare.len() as u64)).expect("a few")]);
        Moment::Requests { kind, more, rare, then: then(dice, if is_rare { 10 } else { 20 }) }
    }
}

/// Runs a plan until a moment comes and kills it; gives false if it came to its end before that.
pub(super) async fn kill_at(place: &Place, plan: &str, moment: &Moment) -> bool {
    let before = place.world().stats();
    let mut child = place.spawn(&["run", plan, "--json"]);
    let comes = async {
        match moment {
            Moment::Start(after) => sleep(*after).await,
            Moment::Requests { kind, more, rare, then } => {
                let came = |stats: &Stats, kind: &str| stats.count(kind) - before.count(kind);
                let is_there = |stats: &Stats| {
                    came(stats, kind) >= *more || rare.is_some_and(|rare| came(stats, rare) > 0)
                };
                place.until(kind, is_there).await;
                sleep(*then).await;
            }
        }
    };
    tokio::select! {
        _ = child.wait() => {}
        () = comes => child.start_kill().expect("it can be killed"),
    }
    was_killed(&mut child).await
}

/// Starts a command, waits for what `comes`, and kills it; gives false if it came to its end before that.
pub(super) async fn kill_when(mut child: Child, comes: impl Future<Output = ()>) -> bool {
    tokio::select! {
        _ = child.wait() => return false,
        () = comes => child.start_kill().expect("it can be killed"),
    }
    child.wait().await.expect("it ends").signal() == Some(SIGKILL)
}

/// Whether it ended by the kill. A run that was not killed has to have worked.
async fn was_killed(child: &mut Child) -> bool {
    let status = child.wait().await.expect("it ends");
    if status.signal() == Some(SIGKILL) {
        return true;
    }
    let (mut said, mut told) = (String::new(), String::new());
    child.stdout.take().expect("its output").read_to_string(&mut told).await.expect("text");
    child.stderr.take().expect("its errors").read_to_string(&mut said).await.expect("text");
    assert_eq!(status.code(), Some(0), "a life that nobody ended: {told} {said}");
    false
}

/// What is told of a sequence of kills when it is over.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) way: &'static str,
    pub(super) began: Instant,
    pub(super) kills: u64,
    /// Those before the emulator had seen anything of that life.
    pub(super) before_any_request: u64,
    /// How much of the work was done at each kill, of a hundred.
    pub(super) done_at: Vec<u64>,
    /// How many files, and how many bytes, moved again although they had come.
    pub(super) times_again: u64,
    pub(super) bytes_again: u64,
    /// The most files of one life.
    pub(super) most_again: u64,
    /// How many bytes there are.
    pub(super) bytes: u64,
    /// How many bytes may move again: those of the largest files, one for each connection, that may have been under way at
    /// each of the kills.
    pub(super) allowed: u64,
    /// The kills before the last life, and the files that moved in it.
    pub(super) kills_before: u64,
    pub(super) kills_allowed_for: u64,
    pub(super) touched: BTreeMap<String, u64>,
}

impl Figures {
    pub(super) fn new(way: &'static str, bytes: u64) -> Figures {
        Figures {
            way,
            began: Instant::now(),
            kills: 0,
            before_any_request: 0,
            done_at: Vec::new(),
            times_again: 0,
            bytes_again: 0,
            most_again: 0,
            bytes,
            allowed: 0,
            kills_before: 0,
            kills_allowed_for: 0,
            touched: BTreeMap::new(),
        }
    }

    pub(super) fn tell(&self) {
        let Figures {
            way,
            kills,
            before_any_request,
            times_again,
            bytes_again,
            most_again,
            bytes,
            allowed,
            ..
        } = self;
        let seconds = self.began.elapsed().as_secs_f64();
        let (first, last) = (self.done_at.first(), self.done_at.last());
        let quarter = |n: u64| self.done_at.iter().filter(|done| (**done).min(99) / 25 == n).count();
        let quarters = [quarter(0), quarter(1), quarter(2), quarter(3)];
        eprintln!(
            "{way}: {kills} kills ({before_any_request} before the first request), seed {}, from {}% to {}% of the work, by quarters \
             {quarters:?}; {bytes_again} of {bytes} bytes moved again, in {times_again} files, of at most {allowed}; the most \
             files of one life: {most_again}; {seconds:.1} s",
            seed(),
            first.unwrap_or(&0),
            last.unwrap_or(&0),
        );
    }
}
