//! What failed in a run, grouped by cause: a thousand files that one full disk has kept from their place are one cause and not a
//! thousand.

use std::collections::{BTreeSet, HashMap};

use charon_provider::Class;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    engine::Engine,
    error::Error,
    ids::RunId,
    job::Job,
    run::Outcome,
    store::{ItemFilter, ItemRecord},
};

/// Items that are looked at in one run. More than that have some of their causes told, and that there are more.
const LOOKED_AT: u32 = 10_000;
/// Examples of each cause.
const EXAMPLES: usize = 5;
/// Causes that are told.
const CAUSES: usize = 50;

/// What failed in a run, by cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Failures {
    /// The causes, the most frequent first.
    pub causes: Vec<Cause>,
    /// How many items were looked at.
    pub looked_at: u64,
    /// Whether there are more than were looked at, or more causes than are told.
    pub is_cut: bool,
}

/// A cause, and what failed for it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cause {
    /// The class of the error.
    pub class: Option<Class>,
    /// The reason, without what is of one item alone: names, paths and ids are `…`.
    pub reason: String,
    /// How many items failed for it.
    pub items: u64,
    /// Some of them.
    pub examples: Vec<Example>,
    /// What a person can do about it.
    pub cure: String,
    /// Whether a later run tries these items again.
    pub is_tried_again: bool,
}

/// An item that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Example {
    /// Its media id or its local path.
    pub item: String,
    /// What people call it.
    pub name: String,
}

impl Engine {
    /// What failed in a run, by cause.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn run_failures(&self, run: RunId) -> Result<Failures, Error> {
        let failed = ItemFilter { outcome: Some(Outcome::Failed), after: None };
        let items = self.store.run_items(run, &failed, LOOKED_AT + 1).await?;
        let record = self.store.run(run).await?;
        // What somebody has asked for once is not done again by itself; what is damaged, a backup mends.
        let comes_again =
            record.is_none_or(|record| matches!(record.options.job, Job::Plan | Job::Verify(_)));
        Ok(by_cause(&items, comes_again))
    }
}

/// Groups items by why they failed.
fn by_cause(items: &[ItemRecord], is_tried_again: bool) -> Failures {
    let most = LOOKED_AT as usize;
    let mut places: HashMap<(Option<Class>, String), usize> = HashMap::new();
    let mut causes: Vec<Cause> = Vec::new();
    for item in items.iter().take(most) {
        let reason = without_particulars(item);
        let place = *places.entry((item.class, reason)).or_insert_with_key(|(class, reason)| {
            causes.push(Cause {
                class: *class,
                reason: reason.clone(),
                items: 0,
                examples: Vec::new(),
                cure: cure(*class, is_tried_again).to_owned(),
                is_tried_again,
            });
            causes.len() - 1
        });
        let cause = &mut causes[place];
        cause.items += 1;
        if cause.examples.len() < EXAMPLES {
            cause.examples.push(Example { item: item.item.clone(), name: item.name.clone() });
        }
    }
    causes.sort_by(|one, other| other.items.cmp(&one.items).then_with(|| one.reason.cmp(&other.reason)));
    let is_cut = items.len() > most || causes.len() > CAUSES;
    causes.truncate(CAUSES);
    Failures { causes, looked_at: items.len().min(most) as u64, is_cut }
}

/// The reason of an item's failure, with all that is of this item alone replaced by `…`.
fn without_particulars(item: &ItemRecord) -> String {
    let Some(reason) = &item.reason else { return "no reason was told".to_owned() };
    let mut reason = reason.clone();
    // Longer ones first: a path ends with the name.
    let own: BTreeSet<(std::cmp::Reverse<usize>, &str)> = [item.item.as_str(), item.name.as_str()]
        .into_iter()
        .filter(|text| text.len() >= 3)
        .map(|text| (std::cmp::Reverse(text.len()), text))
        .collect();
    for (_, text) in own {
        reason = reason.replace(text, "…");
    }
    let words = reason.split(' ').map(|word| if is_particular(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a word is of one thing alone: a path, an address, an id, a large number. Small numbers say something of the cause
/// (`404`), and stay.
fn is_particular(word: &str) -> bool {
    let bare = word.trim_matches(|char: char| !char.is_alphanumeric() && char != '/');
    let digits = bare.chars().filter(char::is_ascii_digit).count();
    let is_path = bare.matches('/').count() >= 2;
    let only = |others: &str| bare.chars().all(|char| char.is_ascii_digit() || others.contains(char));
    let is_number = digits >= 5 && only(",._");
    let is_moment = digits >= 4 && bare.contains(['-', ':']) && only("-:.TZ");
    let is_id = bare.len() >= 20
        && digits >= 3
        && bare.chars().all(|char| char.is_alphanumeric() || "-_".contains(char));
    is_path || is_number || is_moment || is_id
}

/// What a person can do about what failed so.
fn cure(class: Option<Class>, is_tried_again: bool) -> &'static str {
    match class {
        Some(Class::Transient) if !is_tried_again => {
            "Do the same once more: faults of the network and of servers pass."
        }
        Some(Class::Item) if !is_tried_again => {
            "Look at one of the items: this is about the file itself. Mend it as the reason says, then do the same once more."
        }
        Some(Class::Auth) => "Connect the storage again, then retry.",
        Some(Class::Quota) => {
            "Nothing: the day's requests are used up, and the plan goes on when the count starts again."
        }
        Some(Class::Throttled) => "Retry later; if it comes back, allow the storage fewer connections.",
        Some(Class::Transient) => {
            "Retry: faults of the network and of servers pass, and the next run tries these items again as well."
        }
        Some(Class::Item) => {
            "Look at one of the items: this is about the file itself, and every later run tries it again, ever more rarely."
        }
        Some(Class::Destination) => "Make room, or let Charon write there; then retry.",
        Some(Class::Config) => "Change the plan or the storage as the reason says, then retry.",
        None => "Look at the log of the run, then retry.",
    }
}

#[cfg(test)]
mod tests {
    use charon_provider::Class;
    use jiff::Timestamp;

    use super::{CAUSES, LOOKED_AT, by_cause, cure};
    use crate::{run::Outcome, store::ItemRecord};

    fn failed(item: &str, name: &str, class: Class, reason: &str) -> ItemRecord {
        ItemRecord {
            item: item.into(),
            name: name.into(),
            outcome: Outcome::Failed,
            class: Some(class),
            reason: Some(reason.into()),
            bytes: 0,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_is_of_one_item_alone_does_not_make_a_cause_of_its_own() {
        let items = [
            failed("id-1", "a.jpg", Class::Item, "failed to fetch a.jpg: 404 Not Found"),
            failed("id-2", "b.jpg", Class::Item, "failed to fetch b.jpg: 404 Not Found"),
            failed("id-3", "c.jpg", Class::Item, "failed to fetch c.jpg: 410 Gone"),
            failed("id-4", "d.jpg", Class::Transient, "failed to fetch d.jpg: 404 Not Found"),
            failed("/p/e.jpg", "e.jpg", Class::Item, "/p/e.jpg is too large: it has 1,234,567 bytes"),
            failed("/p/f.jpg", "f.jpg", Class::Item, "/p/f.jpg is too large: it has 7654321 bytes"),
            failed("i", "n", Class::Item, "the server knows no AF1QipNabcdefghij0123456789 of i"),
            failed("k", "l", Class::Item, "it is damaged; a run after 2026-01-02 03:04 UTC tries it again"),
            failed("j", "m", Class::Item, "the server knows no AF1QipNzyxwvutsrq9876543210 of i"),
        ];
        let failures = by_cause(&items, true);
        let told: Vec<(u64, &str)> =
            failures.causes.iter().map(|cause| (cause.items, cause.reason.as_str())).collect();
        assert_eq!(
            told,
            [
                (2, "failed to fetch …: 404 Not Found"),
                (2, "the server knows no … of i"),
                (2, "… is too large: it has … bytes"),
                (1, "failed to fetch …: 404 Not Found"),
                (1, "failed to fetch …: 410 Gone"),
                (1, "it is damaged; a run after … … UTC tries it again"),
            ]
        );
        assert_eq!(failures.causes[0].examples[1].item, "id-2");
        assert_eq!(failures.causes[0].cure, cure(Some(Class::Item), true));
        assert_eq!((failures.looked_at, failures.is_cut), (9, false));
    }

    #[test]
    fn however_much_failed_so_much_is_looked_at_and_it_is_told_that_there_is_more() {
        let many: Vec<ItemRecord> = (0..=LOOKED_AT)
            .map(|number| failed(&format!("id {number}"), "a name", Class::Item, "it is empty"))
            .collect();
        let failures = by_cause(&many, true);
        assert_eq!((failures.causes[0].items, failures.is_cut), (u64::from(LOOKED_AT), true));
        assert_eq!(failures.causes[0].examples.len(), 5);
        let kinds: Vec<ItemRecord> = (0..=CAUSES)
            .map(|number| failed("id", "name", Class::Item, &format!("fault {number}")))
            .collect();
        let failures = by_cause(&kinds, true);
        assert_eq!((failures.causes.len(), failures.is_cut), (CAUSES, true));
        assert_eq!(by_cause(&[], true), super::Failures::default());
    }
}
