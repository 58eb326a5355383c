//! The table of `engine/tests/cron`, which another program worked out by another method.

use jiff::Timestamp;

use super::Schedule;

const TABLE: &str = include_str!("../../tests/cron/table.json");

#[derive(Debug, serde::Deserialize)]
struct Case {
    about: String,
    expression: String,
    zone: String,
    after: Timestamp,
    next: Vec<Timestamp>,
    /// After these there are none.
    #[serde(default)]
    ends: bool,
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(TABLE).expect("the table is JSON");
    assert!(cases.len() >= 200, "the table has {} cases", cases.len());
    cases
}

#[test]
fn occurrences_are_those_of_the_table_that_was_worked_out_independently() {
    let mut wrong = Vec::new();
    for case in cases() {
        let schedule = Schedule::parse(&case.expression, &case.zone).expect("the table has no wrong ones");
        let count = case.next.len() + usize::from(case.ends);
        let found: Vec<_> = schedule.after(case.after).take(count).collect();
        if found != case.next {
            let Case { about, expression, zone, after, next, .. } = case;
            wrong.push(format!(
                "{about}: {expression} in {zone} after {after}: expected {next:?}, found {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn looking_back_from_an_occurrence_of_the_table_finds_it_and_those_before() {
    for case in cases() {
        let schedule = Schedule::parse(&case.expression, &case.zone).expect("the table has no wrong ones");
        for (due, count) in case.next.iter().zip(1..) {
            assert_eq!(schedule.latest(case.after, *due), Some(*due), "{case:?}");
            assert_eq!(schedule.count_between(case.after, *due, 100), count, "{case:?}");
        }
    }
}
