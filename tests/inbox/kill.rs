//! `kill -9` of `charon serve` at random moments while files are handed over: at the end each file is there once, no receipt that was
//! given is lost, and the spool is empty. `CHARON_KILL_SEED` chooses the moments, `CHARON_INBOX_KILLS` how many there are.

use std::collections::BTreeMap;

use tokio::time::{Duration, sleep};

use super::{
    hands::{Hands, Keys},
    in_album, items_with, spooled,
};
use crate::support::{Place, dice::Dice, picture};

const FILES: u32 = 60;
const KILLS: u64 = 15;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_answered_for_is_sent_and_nothing_is_there_twice() {
    // I1, I2
    let place = Place::new().await;
    place.add_storage().await;
    let keys = Keys::make(&place).await;
    let mut dice = Dice(number("CHARON_KILL_SEED").unwrap_or(1));
    let kills = number("CHARON_INBOX_KILLS").unwrap_or(KILLS);
    // The receipts, by the number of the file.
    let mut receipts: BTreeMap<u32, String> = BTreeMap::new();
    for life in 0..=kills {
        let Some(hands) = Hands::with(&place, keys.clone()).await else { panic!("it does not start again") };
        // The last life comes to its end; each other one is to get on by a few files.
        let share = u64::from(FILES) / (kills + 1) + 1;
        let most = if life == kills { u64::MAX } else { dice.roll(2 * share) };
        let handed = hand_over(&hands, &mut receipts, most).await;
        if life < kills {
            sleep(Duration::from_micros(dice.roll(2) * dice.roll(2_000_000))).await;
            eprintln!("life {life}: {handed} files were handed over, {} in all", receipts.len());
            hands.kill().await;
            continue;
        }
        assert_eq!(receipts.len(), FILES as usize);
        for (file, receipt) in &receipts {
            let receipt = hands.until_sent(receipt).await;
            let id = receipt["media_id"].as_str().expect("a media id");
            assert_eq!(
                items_with(&place, &picture(*file)),
                [id],
                "file {file}: once, and as the receipt says"
            );
            assert!(in_album(&place, "Door", id), "file {file} is in the album");
        }
        hands.end().await;
    }
    assert_eq!(place.world().items().len(), FILES as usize, "nothing else is there");
    assert_eq!(place.world().albums().len(), 1);
    assert_eq!(spooled(&place), 0, "nothing is left in the spool");
    // Only what was under way at a kill may have gone over the wire twice.
    let again: u64 = place.world().sent().iter().map(|sent| sent.times_again).sum();
    assert!(again <= kills * 16, "{again} files were sent again");
    eprintln!("{kills} kills, {again} files were sent again");
}

/// Hands over so many of the files that have no receipt yet; one that was cut off comes again with the same key.
async fn hand_over(hands: &Hands, receipts: &mut BTreeMap<u32, String>, most: u64) -> u64 {
    let mut handed = 0;
    for file in 0..FILES {
        if handed >= most {
            break;
        }
        if receipts.contains_key(&file) {
            continue;
        }
        let path = hands.path(&format!("items?mode=async&album=Door&name=file-{file}.jpg"));
        let key = [format!("Idempotency-Key: file-{file}")];
        let Some(answer) = hands.try_post(&path, "image/jpeg", &picture(file), &key).await else { continue };
        assert!([200, 201, 202].contains(&answer.status), "{answer:?}");
        receipts.insert(file, answer.location.expect("where the receipt is"));
        handed += 1;
    }
    handed
}
