//! One conformance suite for any provider: what the contract promises, checked against the real thing.
//!
//! Whoever writes a provider writes a [`Fixture`] for it: a provider, and worlds (accounts that can be prepared) to try
//! it on. [`run`] tries every promise in a world of its own and tells all that is broken, not only the first:
//!
//! ```ignore
//! #[tokio::test]
//! async fn it_keeps_the_contract() {
//!     let report = charon_provider::conformance::run(&MyFixture::new()).await;
//!     report.assert_kept();
//! }
//! ```
//!
//! What [`Destination`](crate::Destination) promises is tried on any that is there, by [`try_destination`].
//!
//! What a world cannot prepare is reported as skipped, with the reason. It takes a tokio runtime.

mod albums;
mod case;
mod confirming;
mod consenting;
mod describing;
mod fetching;
mod fixture;
mod host;
mod keeping;
mod listing;
mod opening;
mod permitting;
mod renewing;
mod report;
mod sending;
mod sessions;
mod staging;
mod testing;

pub use fixture::{Cannot, Fixture, Given, Sample, World};
pub use keeping::try_destination;
pub use report::{CaseReport, Outcome, Report};

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, future::BoxFuture};

use case::{Case, Ends, Stop};

/// No case may take longer.
const PATIENCE: Duration = Duration::from_mins(1);

type Run = for<'a> fn(&'a Case<'a>) -> BoxFuture<'a, Ends>;

macro_rules! cases {
    ($($room:ident { $($name:ident)* })*) => {
        &[$($((stringify!($name), |case| $room::$name(case).boxed())),*),*]
    };
}

/// Every promise. The name of a case is a sentence.
const CASES: &[(&str, Run)] = cases! {
    describing {
        a_provider_describes_itself_the_same_every_time
        every_field_is_described_for_people
        secrets_are_marked_in_the_schema
    }
    opening {
        an_opening_sends_no_request
        every_mistake_is_told_at_once_and_with_its_path
        what_is_printed_for_developers_has_no_secret
        what_a_storage_declares_fits_together
        a_read_only_storage_has_no_way_out
        another_client_has_another_identity
    }
    permitting {
        every_request_has_its_permit
        what_is_not_permitted_is_not_sent
        a_step_costs_no_more_than_was_declared
        what_sending_takes_is_declared
    }
    listing {
        a_listing_has_every_item_and_ends
        a_page_can_be_asked_for_again
        a_listed_item_is_the_one_that_was_put
        a_cursor_that_nobody_gave_is_refused
        a_listing_of_albums_has_their_items_alone
    }
    confirming {
        looked_up_ids_are_answered_in_their_order
        as_many_ids_can_be_looked_up_as_was_declared
        nothing_looked_up_is_nothing_answered
    }
    fetching {
        the_bytes_are_those_that_were_promised
        broken_bytes_go_on_where_they_broke_off
        other_bytes_are_not_put_behind_these
        an_item_without_an_address_has_to_be_looked_up
        an_expired_address_is_told_and_renewed
        a_measured_size_is_the_true_one
        a_clip_is_fetched_or_told_to_be_missing
        a_preview_is_a_picture_or_told_to_be_missing
    }
    sending {
        what_is_sent_and_committed_can_be_seen
        nothing_can_be_seen_before_it_is_committed
        nothing_to_commit_is_no_request
        results_come_in_the_order_of_what_was_staged
        a_full_batch_is_taken
        the_same_bytes_are_one_item
        a_bad_token_harms_no_other_item
        a_commit_puts_its_items_into_an_album
        new_items_take_their_position_in_an_album
        the_words_on_an_item_are_kept
        a_file_that_changes_while_it_is_sent_is_refused
    }
    sessions {
        a_session_is_kept_before_the_first_byte
        a_session_is_taken_up_by_another_opening
        a_lost_session_is_told
    }
    albums {
        an_album_that_was_made_is_listed
        the_list_of_albums_ends
        items_are_added_once
        as_many_items_can_be_added_as_was_declared
        an_album_that_is_not_there_is_told
    }
    testing {
        a_right_account_passes_its_test
        a_test_ends_with_the_first_failure
        a_test_that_is_given_up_does_no_harm
    }
    renewing {
        renewed_secrets_are_stored_at_once
        secrets_that_somebody_else_renewed_are_not_overwritten
        another_account_is_refused
    }
    consenting {
        an_asking_for_consent_sends_no_request_and_is_never_the_same
        a_consent_becomes_a_secret_that_opens_the_storage
    }
};

/// Tries every promise on a world of its own.
pub async fn run(fixture: &dyn Fixture) -> Report {
    let mut cases = Vec::new();
    for (name, run) in CASES {
        let case = Case::new(fixture);
        let attempt = AssertUnwindSafe(run(&case)).catch_unwind();
        let ended = match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panic)) => Err(Stop::Failed(format!("it panicked: {}", words_of(&*panic)))),
            Err(_) => Err(Stop::Failed(format!("it did not end within {} seconds", PATIENCE.as_secs()))),
        };
        cases.push(CaseReport { name: name.replace('_', " "), outcome: case.judge(ended) });
    }
    Report { cases }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}
