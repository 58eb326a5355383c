//! What a person can do about items that were left out.

use std::collections::BTreeMap;

use charon_provider::Selection;

use crate::{
    numbers::with_commas,
    plan::{BackupConfig, MediaKind},
};

/// For each reason that has a way around it, how many items it left out, and the way.
pub(crate) fn of(skipped: &BTreeMap<String, u64>, plan: &BackupConfig, storage: &Selection) -> Vec<String> {
    let hint = |(reason, count): (&String, &u64)| {
        let items = items(*count);
        let of_plan =
            |chosen: bool| if chosen { "the plan".to_owned() } else { format!("storage {}", plan.storage) };
        match reason.as_str() {
            "before start_year" => {
                let year = plan.selection.start_year.or(storage.start_year)?;
                Some(format!(
                    "{items} taken before {year} (start_year of {}): set start_year lower, in the storage or in the \
                     plan's selection, to include them",
                    of_plan(plan.selection.start_year.is_some())
                ))
            }
            "a photo, and the selection is of videos" | "a video, and the selection is of photos" => {
                let others = if reason.starts_with("a photo") { "photos" } else { "videos" };
                let only = plan.selection.kind.map(|kind| match kind {
                    MediaKind::Photo => "photo",
                    MediaKind::Video => "video",
                });
                Some(format!(
                    "{items} {others}, and the selection (kind {} of {}) has none of them: leave kind out to include them",
                    only.unwrap_or(if others == "photos" { "video" } else { "photo" }),
                    of_plan(only.is_some())
                ))
            }
            _ => None,
        }
    };
    skipped.iter().filter_map(hint).collect()
}

/// `1 item was`, `1,204 items were`.
fn items(count: u64) -> String {
    if count == 1 { "1 item was".into() } else { format!("{} items were", with_commas(count)) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use charon_provider::Selection;
    use serde_json::json;

    use super::of;
    use crate::plan::BackupConfig;

    fn hints(reason: &str, count: u64, selection: &serde_json::Value) -> Vec<String> {
        let plan: BackupConfig =
            serde_json::from_value(json!({"storage": "family", "destination": "/m", "selection": selection}))
                .expect("a plan");
        let storage = Selection { start_year: Some(2000), ..Selection::default() };
        of(&BTreeMap::from([(reason.to_owned(), count)]), &plan, &storage)
    }

    #[test]
    fn what_a_selection_left_out_is_told_with_the_way_to_include_it() {
        // I9
        assert_eq!(
            hints("before start_year", 1_204, &json!({})),
            [
                "1,204 items were taken before 2000 (start_year of storage family): set start_year lower, in the storage or \
                 in the plan's selection, to include them"
            ]
        );
        assert_eq!(
            hints("before start_year", 1, &json!({"start_year": 2010})),
            [
                "1 item was taken before 2010 (start_year of the plan): set start_year lower, in the storage or in the \
                 plan's selection, to include them"
            ]
        );
        assert_eq!(
            hints("a video, and the selection is of photos", 2, &json!({"kind": "photo"})),
            [
                "2 items were videos, and the selection (kind photo of the plan) has none of them: leave kind out to include them"
            ]
        );
        assert_eq!(hints("still being processed", 2, &json!({})), [""; 0]);
    }
}
