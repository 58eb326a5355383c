//! A strict reader of the text format of Prometheus: whatever is not exactly as the format has it fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// All samples, by name and labels.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<(String, BTreeMap<String, String>), f64>);

impl Samples {
    pub(super) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends, too");
        let (mut samples, mut families) = (Self::default(), BTreeSet::new());
        // The family that is told of, and its type once that is told.
        let mut family: Option<(String, Option<String>)> = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help");
                assert!(is_name(name) && !help.is_empty(), "{line}");
                assert!(families.insert(name.to_owned()), "a family is told of once: {line}");
                family = Some((name.to_owned(), None));
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                let family = family.as_mut().expect("a family");
                assert_eq!((&*family.0, &family.1), (name, &None), "{line}");
                family.1 = Some(kind.to_owned());
            } else {
                let (name, labels, value) = sample(line);
                let (of, kind) = family.as_ref().expect("a family");
                let is_part = kind.as_deref() == Some("histogram")
                    && ["_bucket", "_sum", "_count"].iter().any(|part| format!("{of}{part}") == name);
                assert!(kind.is_some() && (is_part || *of == name), "{line} is not of {of}");
                assert!(samples.0.insert((name, labels), value).is_none(), "told twice: {line}");
            }
        }
        samples.assert_histograms_add_up();
        samples
    }

    /// The sample that has these labels, among others maybe.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |of: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| of.get(*label).is_some_and(|found| found == value))
        };
        self.0.iter().find(|((of, found), _)| of == name && has(found)).map(|(_, value)| *value)
    }

    fn assert_histograms_add_up(&self) {
        let mut buckets: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.0 {
            let Some(family) = name.strip_suffix("_bucket") else { continue };
            let mut labels = labels.clone();
            let bound = labels.remove("le").expect("a bucket has a bound");
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a bound") };
            buckets.entry((family.to_owned(), labels)).or_default().push((bound, *value));
        }
        for ((family, labels), mut of) in buckets {
            of.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(of.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{family} grows: {of:?}");
            let last = of.last().expect("a bucket");
            assert!(last.0.is_infinite(), "{family}: {of:?}");
            assert_eq!(self.0.get(&(format!("{family}_count"), labels)), Some(&last.1), "{family}");
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_' || char == ':')
}

/// `name{label="value",…} value`, and no timestamp.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?} is no sample"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("a label in {line}"));
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            match after.split_at_checked(1).unwrap_or_else(|| panic!("{line} ends in its labels")) {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("a space in {line}"));
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("a number in {line}")))
}

/// A value up to its closing quote, and what is behind that.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return (value, &text[index + 1..]),
            '\\' => match chars.next().expect("something behind a backslash").1 {
                'n' => value.push('\n'),
                other @ ('"' | '\\') => value.push(other),
                other => panic!("\\{other} is no escape"),
            },
            other => value.push(other),
        }
    }
    panic!("a quote at the end of {text:?}")
}
