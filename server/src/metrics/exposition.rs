//! The text format of Prometheus, version 0.0.4: families of samples, each with its help and type.

use std::fmt::{Display, Write};

/// What the samples of a family are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A text that grows by one family after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.0.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One sample. The values of labels may be anything.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, of)) in labels.iter().enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            for char in of.chars() {
                match char {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        writeln!(self.0, " {value}").expect("a text takes everything");
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Exposition, Kind};

    #[test]
    fn a_hostile_name_stays_within_its_label() {
        let mut text = Exposition::default();
        text.family("charon_runs", Kind::Gauge, "Runs.");
        text.sample("charon_runs", &[("plan", "a\"} 1\ncharon_up 1 # \\"), ("state", "queued")], 3);
        text.sample("charon_events_total", &[], 1.5);
        let expected = "# HELP charon_runs Runs.\n# TYPE charon_runs gauge\n\
            charon_runs{plan=\"a\\\"} 1\\ncharon_up 1 # \\\\\",state=\"queued\"} 3\ncharon_events_total 1.5\n";
        assert_eq!(text.into_text(), expected);
    }
}
