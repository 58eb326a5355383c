//! What a destination promises, tried on any one that is empty and may be written to.

mod listing;
mod moving;
mod names;
mod putting;
mod reading;
mod tried;

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, future::BoxFuture};

use self::tried::Tried;
use super::{CaseReport, Outcome, Report, case::Ends, case::Stop, words_of};
use crate::Destination;

/// No case may take longer. Some put a thousand files on a server.
const PATIENCE: Duration = Duration::from_mins(3);

type Run = for<'a> fn(&'a Tried<'a>) -> BoxFuture<'a, Ends>;

macro_rules! cases {
    ($($room:ident { $($name:ident)* })*) => {
        &[$($((stringify!($name), |tried| $room::$name(tried).boxed())),*),*]
    };
}

/// Every promise. The name of a case is a sentence.
const CASES: &[(&str, Run)] = cases! {
    putting {
        what_is_put_is_there
        an_existing_file_is_replaced
        an_empty_file_is_kept
        a_large_file_arrives_whole
        folders_are_made
        files_that_are_put_at_the_same_time_all_arrive
        nothing_half_is_seen_while_a_file_is_put
        a_put_that_is_given_up_leaves_nothing_half
        a_file_that_cannot_be_read_changes_nothing
    }
    names {
        names_are_kept_as_they_are
        what_looks_alike_is_told_apart
    }
    listing {
        many_are_looked_at_in_their_order
        a_look_sees_what_was_just_written
        a_folder_is_listed_with_its_folders
        a_tree_is_listed_with_its_files_alone
        a_folder_that_is_not_there_holds_nothing
        a_folder_of_many_files_is_listed_whole
    }
    reading {
        a_part_of_a_file_is_read
        what_is_beyond_the_end_is_nothing
        a_file_that_is_not_there_cannot_be_read
    }
    moving {
        a_file_gets_another_path
        a_file_is_renamed_over_another
        a_file_that_is_renamed_to_its_own_path_stays
        what_is_not_there_cannot_be_renamed
        a_removed_file_is_gone
        what_is_not_there_is_removed_already
        a_folder_with_something_in_it_is_not_removed
        an_empty_folder_is_removed
        what_is_settled_stays
    }
};

/// Tries every promise of a destination, each in a folder of its own below it. Something may be there already, and nothing else
/// is touched; what the cases write stays.
pub async fn try_destination(destination: &dyn Destination) -> Report {
    let mut cases = Vec::new();
    for (number, (name, run)) in CASES.iter().enumerate() {
        let tried = Tried::new(destination, format!("case {number}"));
        let attempt = AssertUnwindSafe(run(&tried)).catch_unwind();
        let ended = match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panic)) => Err(Stop::Failed(format!("it panicked: {}", words_of(&*panic)))),
            Err(_) => Err(Stop::Failed(format!("it did not end within {} seconds", PATIENCE.as_secs()))),
        };
        let outcome: Outcome = tried.judge(ended);
        cases.push(CaseReport { name: name.replace('_', " "), outcome });
    }
    Report { cases }
}
