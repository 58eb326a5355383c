//! What came of the suite.

use std::fmt;

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The promise is kept.
    Kept,
    /// The promise is broken; everything that was seen of it.
    Broken(Vec<String>),
    /// It could not be tried, and why.
    Skipped(String),
}

/// One case, and what came of it.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The promise, as a sentence.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Every case, in the order in which they were tried. Printed, it is one line for each case and for each thing that is
/// broken.
#[derive(Clone, Debug)]
pub struct Report {
    /// The cases.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// The promises that are broken.
    pub fn broken(&self) -> Vec<&str> {
        self.named(|outcome| matches!(outcome, Outcome::Broken(_)))
    }

    /// What could not be tried.
    pub fn skipped(&self) -> Vec<&str> {
        self.named(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    /// Ends the test if a promise is broken, with everything that is.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn assert_kept(&self) {
        assert!(self.broken().is_empty(), "the provider breaks the contract:\n{self}");
    }

    fn named(&self, wanted: impl Fn(&Outcome) -> bool) -> Vec<&str> {
        self.cases.iter().filter(|case| wanted(&case.outcome)).map(|case| case.name.as_str()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            match &case.outcome {
                Outcome::Kept => writeln!(f, "kept     {}", case.name)?,
                Outcome::Skipped(why) => writeln!(f, "skipped  {}: {why}", case.name)?,
                Outcome::Broken(problems) => {
                    writeln!(f, "BROKEN   {}", case.name)?;
                    for problem in problems {
                        writeln!(f, "           {problem}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
