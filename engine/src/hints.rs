//! What a person can do about items that were left out.

use std::{borrow::Cow, collections::BTreeMap};

use charon_provider::Selection;

use crate::{
    ids::RunId,
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

/// What a run has shown of a mirror.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Files that are damaged, and that this run has not mended.
    pub(crate) not_mended: u64,
    /// Files that are damaged, and that could not be mended.
    pub(crate) damaged: u64,
    /// Files that are damaged, and that nobody has tried to mend.
    pub(crate) to_repair: u64,
    /// Files that are not Charon's.
    pub(crate) strange: u64,
    /// Items that went to the trash.
    pub(crate) trashed: u64,
    /// Whether originals were looked for, and there was nothing that could have any.
    pub(crate) no_originals: bool,
    /// Whether a verification went on where it had been broken off.
    pub(crate) went_on: bool,
}

/// What a person should know of a mirror after a run, or can do about it.
pub(crate) fn of_mirror(news: &News, plan: &str, run: RunId) -> Vec<String> {
    let plan = quoted(plan);
    let mut hints = Vec::new();
    if news.trashed > 0 {
        let items = items(news.trashed);
        hints.push(format!(
            "{items} gone from the account and moved to the trash of the mirror: charon trash list {plan} shows what is there"
        ));
    }
    if news.to_repair > 0 {
        hints.push(format!(
            "charon verify {plan} --repair fetches again what is missing or changed, as far as the account still has it"
        ));
    }
    let are = |count: u64| match count {
        1 => "1 file of the mirror is damaged".to_owned(),
        _ => format!("{} files of the mirror are damaged", with_commas(count)),
    };
    if news.not_mended > 0 {
        hints.push(format!(
            "{}: charon verify {plan} --repair looks up what the account still has of that, and tells what it has not",
            are(news.not_mended)
        ));
    }
    if news.damaged > 0 {
        hints.push(format!(
            "{} and could not be fetched again; where there is another copy, put it there",
            are(news.damaged)
        ));
    }
    if news.strange > 0 {
        hints.push(format!("charon runs show {run} names the files that are not Charon's"));
    }
    if news.no_originals {
        hints.push(
            "there was nothing to look at: either all is original, or there is nothing that gives originals (the field proxy of the \
             storage, or a folder that photos were uploaded from)"
                .into(),
        );
    }
    if news.went_on {
        hints.push("it went on where an earlier attempt had been broken off, and did not read again what that had read".into());
    }
    hints
}

/// A name as it can be pasted behind a command.
pub fn quoted(name: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.:/@%+,=".contains(letter);
    if !name.is_empty() && name.chars().all(is_plain) && !name.starts_with('-') {
        return name.into();
    }
    format!("'{}'", name.replace('\'', "'\\''")).into()
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
    fn names_are_quoted_where_a_shell_would_take_them_apart() {
        for (name, shown) in [
            ("home", "home"),
            ("my home", "'my home'"),
            ("Anna's", "'Anna'\\''s'"),
            ("", "''"),
            ("-x", "'-x'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(super::quoted(name), shown);
        }
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
