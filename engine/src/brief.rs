//! Reasons as they are told at a glance.

/// The longest reason that is told beside others; whoever looks into it finds the whole.
const BRIEF: usize = 120;

/// So much of a reason as fits into a line or two: to the end of a part of its own, or at least of a word.
pub fn in_brief(reason: &str) -> String {
    let reason = reason.trim();
    let Some((place, _)) = reason.char_indices().nth(BRIEF) else { return reason.to_owned() };
    let fits = &reason[..place];
    if let Some(end) = fits.rfind(". ") {
        return fits[..end].to_owned();
    }
    let parts = ["; ", ": ", " ("].into_iter().filter_map(|between| fits.rfind(between)).max();
    let end = parts.filter(|end| *end > BRIEF / 3).or_else(|| fits.rfind(' ')).unwrap_or(place);
    format!("{}…", fits[..end].trim_end_matches([',', ';', ':', '(']))
}

#[cfg(test)]
mod tests {
    use super::in_brief;

    #[test]
    fn a_reason_is_cut_where_one_of_its_parts_ends() {
        assert_eq!(in_brief(" the disk is full. "), "the disk is full.");
        let told = "failed to refresh the token: Google says: Token has been expired or revoked. (invalid_grant): most likely the \
                    consent was withdrawn, or the app is in \"Testing\"";
        assert_eq!(
            in_brief(told),
            "failed to refresh the token: Google says: Token has been expired or revoked"
        );
        let told = told.replace("revoked.", "revoked");
        assert_eq!(
            in_brief(&told),
            "failed to refresh the token: Google says: Token has been expired or revoked (invalid_grant)…"
        );
        let words = "word ".repeat(40);
        assert_eq!(in_brief(&words), format!("{}…", "word ".repeat(24).trim_end()));
        assert_eq!(in_brief(&"ä".repeat(200)), format!("{}…", "ä".repeat(120)));
    }
}
