//! Counting: what is taken, given back, lost with a process, and what a day is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use charon_provider::{Class, Cost, Meter, Reason, Resets};
use jiff::civil::Date;
use proptest::prelude::*;

use super::{Ahead, Budgets, Purpose, Spending, counter::BLOCK, reserve};
use crate::{
    clock::{Clock, ManualClock},
    parking,
    store::Store,
};

const API: Cost = Cost("api");
const DAY: Duration = Duration::from_hours(24);

fn meter(account: &str, limit: u32) -> Meter {
    Meter { id: API.0, account: account.into(), limit, resets: Resets::DailyAt("America/Los_Angeles") }
}

struct Place {
    clock: Arc<ManualClock>,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("charon.db")).await.expect("a database");
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().expect("a time")));
        Self { clock, store, _folder: folder }
    }

    /// What another process has.
    fn budgets(&self) -> Budgets {
        Budgets::new(self.store.clone(), self.clock.clone())
    }

    fn spending(&self, purpose: Purpose, meter: &Meter) -> Spending {
        spending_of(&self.budgets(), purpose, meter)
    }

    fn day(&self) -> Date {
        parking::day_of(&Resets::DailyAt("America/Los_Angeles"), self.clock.now())
    }

    async fn used(&self, account: &str) -> u64 {
        self.used_on(account, self.day()).await
    }

    async fn used_on(&self, account: &str, day: Date) -> u64 {
        self.store.day_count(account, API.0, day).await.expect("a look-up").used
    }
}

fn spending_of(budgets: &Budgets, purpose: Purpose, meter: &Meter) -> Spending {
    let spending = Spending::new(budgets.clone(), purpose);
    spending.declare(std::slice::from_ref(meter));
    spending
}

/// Asks until there is a refusal; gives how many were permitted, and the refusal.
async fn use_up(spending: &Spending) -> (u64, charon_provider::Error) {
    let mut permitted = 0;
    loop {
        match spending.permit(API).await {
            Ok(()) => permitted += 1,
            Err(error) => return (permitted, error),
        }
    }
}

#[test]
fn a_reserve_is_two_in_a_hundred_and_never_much() {
    for (limit, kept) in
        [(10_000, 200), (75_000, 1_500), (1_000, 20), (100, 20), (79, 19), (40, 10), (4, 1), (3, 0), (1, 0)]
    {
        assert_eq!(reserve(limit), kept, "of {limit}");
    }
    assert_eq!(reserve(u32::MAX), 85_899_345);
}

#[tokio::test]
async fn runs_use_all_but_the_reserve_and_a_person_the_rest_and_the_next_day_begins_anew() {
    // I7
    let place = Place::new().await;
    let meter = meter("1234", 1_000);
    let (run, person) = (place.spending(Purpose::Run, &meter), place.spending(Purpose::Person, &meter));
    let (permitted, refused) = use_up(&run).await;
    assert_eq!(permitted, 980);
    assert_eq!((refused.class, refused.reason, refused.cost), (Class::Quota, Reason::OverBudget, Some(API)));
    assert_eq!(
        refused.to_string(),
        "failed to make a request: the day's 1,000 api requests of project 1234 are used up but for 20 that are kept for \
         your own use; the count starts again at 08:00 UTC"
    );
    let (permitted, refused) = use_up(&person).await;
    assert_eq!(permitted, 20);
    assert!(refused.cause.contains("are used up; the count starts again"), "{refused}");
    assert_eq!(place.used("1234").await, 1_000);
    let midnight = "2026-11-22T08:00:00Z".parse().expect("a time");
    assert_eq!(run.until(&refused, &[meter]), Some(midnight));
    place.clock.advance(midnight.duration_since(place.clock.now()).unsigned_abs());
    assert_eq!(use_up(&run).await.0, 980);
}

#[tokio::test]
async fn a_block_is_worth_nothing_after_midnight_and_its_day_gets_it_back() {
    let place = Place::new().await;
    let run = place.spending(Purpose::Run, &meter("1", 1_000));
    let yesterday = place.day();
    for _ in 0..3 {
        run.permit(API).await.expect("permitted");
    }
    assert_eq!(place.used_on("1", yesterday).await, u64::from(BLOCK));
    place.clock.advance(DAY);
    run.permit(API).await.expect("permitted");
    assert_eq!((place.used_on("1", yesterday).await, place.used("1").await), (3, u64::from(BLOCK)));
    run.give_back().await;
    assert_eq!(place.used("1").await, 1);
}

#[tokio::test]
async fn storages_of_one_project_count_together_and_each_obeys_its_own_limit() {
    let place = Place::new().await;
    let (high, low) =
        (place.spending(Purpose::Run, &meter("1", 400)), place.spending(Purpose::Run, &meter("1", 100)));
    for _ in 0..90 {
        high.permit(API).await.expect("permitted");
    }
    assert_eq!(use_up(&low).await.0, 0, "eighty are for its runs");
    high.give_back().await;
    assert_eq!(use_up(&high).await.0, 290);
    assert_eq!(use_up(&place.spending(Purpose::Run, &meter("2", 100))).await.0, 80, "another project");
}

#[tokio::test]
async fn what_the_server_says_of_a_day_holds_for_all_runs_until_the_next_and_a_test_that_passes_lifts_it() {
    // I7
    let place = Place::new().await;
    let budgets = place.budgets();
    let spending = |purpose, limit| spending_of(&budgets, purpose, &meter("1", limit));
    let run = spending(Purpose::Run, 1_000);
    run.permit(API).await.expect("permitted");
    let spent = charon_provider::Error::new(Class::Quota, "list", "All requests per day").at_cost(API);
    run.learn_from(&spent).await;
    let (permitted, refused) = use_up(&run).await;
    assert_eq!(permitted, 0, "not even what it had taken");
    assert!(refused.cause.contains("the server has said that nothing is left"), "{refused}");
    let raised = spending(Purpose::Run, 5_000);
    assert_eq!(use_up(&raised).await.0, 0, "a higher limit says nothing of what the server thinks");
    let person = spending(Purpose::Person, 1_000);
    person.permit(API).await.expect("a person may look");
    person.it_works().await.expect("lifted");
    raised.permit(API).await.expect("permitted");
    run.permit(API).await.expect("permitted");
    run.learn_from(&spent).await;
    assert_eq!(use_up(&raised).await.0, 0);
    place.clock.advance(DAY);
    raised.permit(API).await.expect("permitted");
}

#[tokio::test]
async fn a_server_whose_day_begins_a_little_later_is_asked_again_a_little_later() {
    let place = Place::new().await;
    let meter = meter("1", 1_000);
    let run = place.spending(Purpose::Run, &meter);
    let spent = charon_provider::Error::new(Class::Quota, "list", "All requests per day").at_cost(API);
    // Midnight is at eight.
    place.clock.advance(Duration::from_hours(20) + Duration::from_mins(5));
    run.learn_from(&spent).await;
    assert_eq!(
        run.until(&spent, std::slice::from_ref(&meter)),
        Some("2026-11-22T08:20:00Z".parse().expect("a time"))
    );
    run.permit(API).await.expect("it is not taken for the whole day");
    place.clock.advance(Duration::from_mins(11));
    assert_eq!(run.until(&spent, &[meter]), Some("2026-11-23T08:00:00Z".parse().expect("a time")));
}

#[tokio::test]
async fn of_two_meters_the_one_that_is_spent_says_until_when() {
    let place = Place::new().await;
    let mut other = meter("1", 10);
    (other.id, other.resets) = ("media", Resets::DailyAt("Asia/Tokyo"));
    let meters = [meter("1", 10), other];
    let run = Spending::new(place.budgets(), Purpose::Run);
    run.declare(&meters);
    let until = async |cost| loop {
        if let Err(error) = run.permit(cost).await {
            return run.until(&error, &meters).expect("a time").to_string();
        }
    };
    assert_eq!(until(API).await, "2026-11-22T08:00:00Z");
    assert_eq!(until(Cost("media")).await, "2026-11-21T15:00:00Z");
    run.permit(Cost("proxy")).await.expect("what no meter counts");
}

#[tokio::test]
async fn what_is_more_than_a_whole_day_has_is_refused_for_good() {
    let place = Place::new().await;
    let run = place.spending(Purpose::Run, &meter("1", 10));
    let error = run.ahead(&BTreeMap::from([(API.0, 9)])).await.expect_err("eight a day");
    assert_eq!(error.class, Class::Config, "{error}");
    let taken = run.ahead(&BTreeMap::from([(API.0, 8)])).await.expect("all of a day");
    assert_eq!(use_up(&run).await.0, 0);
    drop(taken);
    assert_eq!(use_up(&run).await.0, 8);
}

/// Something that one of several processes does.
#[derive(Clone, Debug)]
enum Step {
    Ask {
        who: usize,
        purpose: Purpose,
    },
    TakeAhead {
        who: usize,
        count: u32,
    },
    /// Uses some of what was taken ahead, and lets the rest go.
    UseAhead {
        count: u32,
    },
    GiveBack {
        who: usize,
    },
    Kill {
        who: usize,
    },
    Wait {
        hours: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let purpose =
        prop_oneof![6 => Just(Purpose::Run), 1 => Just(Purpose::Commit), 1 => Just(Purpose::Person)];
    prop_oneof![
        20 => (0..3_usize, purpose).prop_map(|(who, purpose)| Step::Ask { who, purpose }),
        3 => (0..3_usize, 1..20_u32).prop_map(|(who, count)| Step::TakeAhead { who, count }),
        2 => (0..20_u32).prop_map(|count| Step::UseAhead { count }),
        2 => (0..3_usize).prop_map(|who| Step::GiveBack { who }),
        1 => (0..3_usize).prop_map(|who| Step::Kill { who }),
        1 => (1..40_u64).prop_map(|hours| Step::Wait { hours }),
    ]
}

/// Three processes on one database, and what they have really asked for on each day.
struct Game<'a> {
    place: &'a Place,
    meter: Meter,
    processes: Vec<Budgets>,
    ahead: Vec<(usize, Ahead)>,
    asked: HashMap<Date, u64>,
    /// The most that may have been lost with a process that was killed.
    lost: u64,
}

impl Game<'_> {
    async fn play(&mut self, step: Step) {
        let now = self.place.clock.now();
        let counter = |budgets: &Budgets| budgets.counter(&self.meter);
        match step {
            Step::Ask { who, purpose } => {
                let taken = counter(&self.processes[who]).take(1, purpose, now).await.expect("the database");
                if let Ok(mut taken) = taken {
                    taken.spend_all();
                    *self.asked.entry(self.place.day()).or_default() += 1;
                }
            }
            Step::TakeAhead { who, count } => {
                let taken = counter(&self.processes[who]).take(count, Purpose::Run, now).await;
                if let Ok(taken) = taken.expect("the database") {
                    self.ahead.push((who, taken));
                }
            }
            Step::UseAhead { count } => {
                if let Some((_, mut ahead)) = self.ahead.pop()
                    && ahead.day() == self.place.day()
                {
                    let used = ahead.split(count).spend_all();
                    *self.asked.entry(self.place.day()).or_default() += u64::from(used);
                }
            }
            Step::GiveBack { who } => counter(&self.processes[who]).give_back().await.expect("the database"),
            Step::Kill { who } => {
                let old = counter(&self.processes[who]);
                self.lost += u64::from(old.unused(self.place.day())) + u64::from(BLOCK);
                let theirs = self.ahead.extract_if(.., |(whose, _)| *whose == who);
                self.lost += theirs.map(|(_, ahead)| u64::from(ahead.left())).sum::<u64>();
                self.processes[who] = self.place.budgets();
            }
            Step::Wait { hours } => self.place.clock.advance(Duration::from_hours(hours)),
        }
    }

    async fn check(&self) {
        let account = &self.meter.account;
        for (day, asked) in &self.asked {
            let used = self.place.used_on(account, *day).await;
            assert!(used >= *asked, "{asked} were asked on {day}, and {used} counted");
            assert!(used <= u64::from(self.meter.limit), "{used} on {day} of {}", self.meter.limit);
        }
    }
}

#[test]
fn no_crash_and_no_crowd_makes_the_count_too_low_or_larger_than_the_limit() {
    // I2, I7
    static GAMES: AtomicU32 = AtomicU32::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let place = runtime.block_on(Place::new());
    let games = (5..120_u32, proptest::collection::vec(step(), 1..60));
    let config = ProptestConfig { cases: 48, ..ProptestConfig::default() };
    proptest!(config, |((limit, steps) in games)| {
        runtime.block_on(async {
            let account = format!("project {}", GAMES.fetch_add(1, Ordering::Relaxed));
            let processes = (0..3).map(|_| place.budgets()).collect();
            let (ahead, asked) = (Vec::new(), HashMap::new());
            let mut game = Game { place: &place, meter: meter(&account, limit), processes, ahead, asked, lost: 0 };
            for step in steps {
                game.play(step).await;
                game.check().await;
            }
            // When all is given back, only what was lost is counted too much.
            game.ahead.clear();
            for who in 0..3 {
                game.play(Step::GiveBack { who }).await;
            }
            let mut counted = 0;
            for day in game.asked.keys() {
                counted += place.used_on(&account, *day).await;
            }
            let asked = game.asked.values().sum::<u64>();
            // What was held ahead over a midnight is not counted back.
            if game.asked.len() < 2 {
                assert!(counted <= asked + game.lost, "{counted} counted, {asked} asked, {} lost", game.lost);
            }
        });
    });
}
