//! Templates: text with placeholders in braces, as `{year} {folder}`. `{{` and `}}` stand for the braces themselves.

/// A text, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template<P>(Vec<Part<P>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<P> {
    Text(String),
    Placeholder(P),
}

impl<P: Copy> Template<P> {
    /// Reads a text in which these placeholders may stand.
    ///
    /// # Errors
    /// What is wrong with it, as words that read well after the name of its field.
    pub(crate) fn read(text: &str, known: &[(&str, P)]) -> Result<Self, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain += &rest[..at];
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                plain += brace;
                rest = behind;
                continue;
            }
            if brace == "}" {
                return Err("has a } that closes nothing; for the brace itself write it twice".into());
            }
            let Some((name, behind)) = rest.split_once('}') else {
                return Err("has a { that is not closed; for the brace itself write it twice".into());
            };
            let Some((_, placeholder)) = known.iter().find(|(known, _)| *known == name) else {
                let known: Vec<String> = known.iter().map(|(known, _)| format!("{{{known}}}")).collect();
                return Err(format!(
                    "has the placeholder {{{name}}}, which is not known; there are {}; for the braces themselves write them twice",
                    known.join(", ")
                ));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Placeholder(*placeholder));
            rest = behind;
        }
        plain += rest;
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// Its placeholders, in order.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = P> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Placeholder(placeholder) => Some(*placeholder),
        })
    }

    /// Whether a placeholder of this kind is the last of it.
    pub(crate) fn ends_with(&self, is: impl Fn(P) -> bool) -> bool {
        matches!(self.0.last(), Some(Part::Placeholder(placeholder)) if is(*placeholder))
    }

    /// The same with one placeholder, the first, in the place of all of this kind and of the text between them.
    pub(crate) fn merged(&self, is: impl Fn(P) -> bool) -> Self {
        let is_of_kind = |part: &Part<P>| matches!(part, Part::Placeholder(placeholder) if is(*placeholder));
        let first = self.0.iter().position(is_of_kind);
        let Some((first, last)) = first.zip(self.0.iter().rposition(is_of_kind)) else { return self.clone() };
        let stays = |at: usize, part: &Part<P>| {
            at <= first || at > last || matches!(part, Part::Placeholder(placeholder) if !is(*placeholder))
        };
        let kept = self.0.iter().enumerate().filter(|(at, part)| stays(*at, part));
        Self(kept.map(|(_, part)| part.clone()).collect())
    }

    /// The text with what each placeholder stands for; `None` if one of them stands for nothing.
    pub(crate) fn fill(&self, mut value: impl FnMut(P) -> Option<String>) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled += text,
                Part::Placeholder(placeholder) => filled += &value(*placeholder)?,
            }
        }
        Some(filled)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Template;

    const KNOWN: [(&str, char); 2] = [("year", 'y'), ("folder", 'f')];

    fn filled(text: &str) -> Result<String, String> {
        let value = |placeholder| {
            Some(match placeholder {
                'y' => "2024".to_owned(),
                _ => "A {strange} folder".to_owned(),
            })
        };
        Template::read(text, &KNOWN).map(|template| template.fill(value).expect("all stand for something"))
    }

    #[test]
    fn placeholders_stand_for_what_they_are_given_and_braces_are_written_twice() {
        for (text, expected) in [
            ("Album", "Album"),
            ("{year}", "2024"),
            ("{year}: {folder}!", "2024: A {strange} folder!"),
            ("{{year}}", "{year}"),
            ("{{{year}}}", "{2024}"),
            ("Ärger {{}}", "Ärger {}"),
            ("", ""),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_placeholder_is_a_mistake() {
        for (text, words) in [
            ("{month}", "the placeholder {month}, which is not known; there are {year}, {folder}"),
            ("{}", "the placeholder {}"),
            ("{Year}", "{Year}"),
            ("{year", "not closed"),
            ("a } b", "closes nothing"),
            ("{{year}", "closes nothing"),
        ] {
            let refused = filled(text).expect_err("a mistake");
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn any_text_with_its_braces_doubled_stands_for_itself(text in "[a-z{} äß/]{0,12}") {
            let doubled = text.replace('{', "{{").replace('}', "}}");
            prop_assert_eq!(filled(&doubled), Ok(text));
        }

        #[test]
        fn no_text_is_too_strange_to_be_judged(text in any::<String>()) {
            drop(filled(&text));
        }
    }
}
