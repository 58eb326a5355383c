//! The command line: nouns, then verbs.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, where backticks would be shown")]

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

use crate::exit::Failure;

/// Ferries photos between a home and Google Photos, without losing one.
///
/// Try it first, without an account: charon demo
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_long_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Where the database and the key are [default: $XDG_DATA_HOME/charon, else ~/.local/share/charon].
    #[arg(long, global = true, env = "CHARON_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// The file of the key that opens the stored secrets [default: charon.key in the data directory].
    #[arg(long, global = true, env = "CHARON_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Print JSON on standard output, for scripts.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print no progress.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Log more; twice for even more. RUST_LOG has the last word.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    everything is done
  1    it failed; standard error says why
  2    wrong usage, or a configuration that was refused
  3    the run came to its end, but some items failed
  4    the run is parked: it waits for a quota or for you
  130  stopped with Ctrl-C; the next run goes on from there";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work, with a make-believe Google Photos on this machine.
    Demo(Demo),
    /// The accounts that photos come from and go to.
    #[command(subcommand)]
    Storage(Storage),
    /// What is to be done: backup plans bring photos home, upload plans send folders out.
    #[command(subcommand)]
    Plan(Plan),
    /// Run a plan now. Ctrl-C stops it cleanly; the next run goes on from there.
    Run {
        /// The plan's name.
        plan: String,
    },
    /// List the newest runs.
    Runs {
        /// Only those of this plan.
        plan: Option<String>,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
    },
    /// What a schedule means. Nothing runs by schedule yet.
    #[command(subcommand)]
    Schedule(Schedule),
    /// Print the JSON Schema of a provider's configuration, or of a plan.
    Schema {
        /// A provider's id, or "plan" [default: gphotos].
        of: Option<String>,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {
    /// How many photos and videos the make-believe account holds; on a folder that an earlier demo made, it stays as it was.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) items: u32,
    /// The folder for everything that the demo makes. Run it twice on the same folder to see that nothing is done twice.
    #[arg(long, default_value = "charon-demo", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Storage {
    /// Add a storage from a JSON configuration (`charon schema` describes it).
    Add {
        /// What to call it.
        name: String,
        /// The kind of storage.
        #[arg(long, default_value = "gphotos")]
        provider: String,
        /// A file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Replace the configuration of a storage, for instance after a new authorisation. What is known of its photos stays.
    Update {
        /// Its name.
        name: String,
        /// A file with a JSON object, secrets included; - is standard input.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// List the storages.
    List,
    /// Show a storage; its secrets stay hidden.
    Show {
        /// Its name.
        name: String,
    },
    /// Test the connection, stage by stage.
    Test {
        /// Its name.
        name: String,
    },
    /// List the albums.
    Albums {
        /// The storage's name.
        name: String,
    },
    /// Remove a storage. What it holds stays where it is.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plan {
    /// Add a plan from a JSON configuration.
    ///
    /// Backup: {"kind": "backup", "storage": NAME, "destination": FOLDER}.
    /// Upload: {"kind": "upload", "storage": NAME, "sources": [FOLDER, …], "album": TITLE}.
    #[command(verbatim_doc_comment)]
    Add {
        /// What to call it.
        name: String,
        /// A file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// List the plans.
    List,
    /// Show a plan.
    Show {
        /// Its name.
        name: String,
    },
    /// Remove a plan and its history. All files stay where they are.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    /// Print when a schedule is due next.
    ///
    /// EXPR is one word, so quote it. It is one of:
    ///   "30 2 * * *"      minute, hour, day of the month, month, day of the week, as crontab has them
    ///   "0 30 2 * * *"    the same, with the second first
    ///   @daily            or @hourly, @midnight, @weekly, @monthly, @yearly, @annually
    ///   "@every 6h"       or 90m, 1h30m, 1d: counted from 1970-01-01T00:00:00Z, in any time zone
    ///
    /// On days on which clocks are changed, a time that does not exist is due when the clocks have
    /// jumped, and one that exists twice is due the first time. What is due every hour follows
    /// real time: it makes up for nothing in spring, and is due in both passes in autumn.
    #[command(verbatim_doc_comment)]
    Next {
        /// The schedule.
        #[arg(value_name = "EXPR")]
        expression: String,
        /// An IANA time zone, such as Europe/Berlin [default: the system's, else UTC].
        #[arg(long, value_name = "ZONE")]
        timezone: Option<String>,
        /// Only what is due later than this, such as 2026-03-29T00:00:00Z [default: now].
        #[arg(long, value_name = "RFC3339")]
        after: Option<String>,
        /// How many, up to 1000.
        #[arg(long, short = 'n', value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
    },
}

/// By the XDG base directory specification.
pub(crate) fn default_data_dir() -> Result<PathBuf, Failure> {
    let xdg = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    xdg.or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .map(|data| data.join("charon"))
        .ok_or_else(|| {
            Failure::usage("there is no home directory; say where the data shall be with --data-dir")
        })
}
