//! What goes to standard output: JSON for scripts, text for people.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::exit::Failure;

/// How the user wants to be told things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Output {
    /// Prints JSON if it was asked for, and text otherwise.
    pub(crate) fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let printed = if self.json { to_json(value)? } else { text() };
        say(printed.trim_end())
    }
}

/// One line, or several, on standard output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        // Whoever read has read enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => {
            other.map_err(|error| Failure::new(format!("standard output cannot be written to: {error}")))
        }
    }
}

/// One line, or several, on standard error.
pub(crate) fn say_aside(text: &str) {
    // When nobody can be told, there is nobody to be told that either; the exit code remains.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(format!("the answer is no JSON: {error}")))
}

/// Columns as wide as they need to be.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let rows: Vec<[String; N]> = std::iter::once(header.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A JSON object from a file, or from standard input.
pub(crate) fn read_object(path: &Path) -> Result<Map<String, Value>, Failure> {
    let is_stdin = path == Path::new("-");
    let shown = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let text = if is_stdin {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let text =
        text.map_err(|error| Failure::usage(format!("the configuration {shown} cannot be read: {error}")))?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => {
            Err(Failure::usage(format!("the configuration {shown} is not a JSON object: write {{ … }}")))
        }
        // The parser's message tells line and column, and quotes nothing.
        Err(error) => Err(Failure::usage(format!("the configuration {shown} is not JSON: {error}"))),
    }
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::DecimalBytes(count).to_string()
}
