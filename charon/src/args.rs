//! The command line: nouns, then verbs.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, where backticks would be shown")]

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use charon_engine::NoticeEvent;
use charon_server::PublicUrl;
use clap::{ArgGroup, Args as ClapArgs, Parser, Subcommand};

use crate::{client_secret::ClientSecret, exit::Failure};

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
  4    the run is parked or paused: it waits for a quota or for you
  130  stopped with Ctrl-C; the next run goes on from there";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work, with a make-believe Google Photos on this machine.
    ///
    /// On a terminal it ends with the web UI open on the finished runs, until Ctrl-C; elsewhere, and with --json, it ends by itself.
    Demo(Demo),
    /// Ask for consent in the browser, and get a token.
    ///
    /// Opens a browser, and prints the address in any case: it may also be opened on another machine.
    Authorize(Authorize),
    /// The accounts that photos come from and go to.
    #[command(subcommand)]
    Storage(Storage),
    /// What is to be done: backup plans bring photos home, upload plans send folders out.
    #[command(subcommand)]
    Plan(Plan),
    /// Who is told what became of the runs: by webhook, ntfy, e-mail, or a ping.
    #[command(subcommand)]
    Notify(Notify),
    /// Run a plan now. Ctrl-C stops it cleanly; the next run goes on from there.
    Run {
        /// The plan's name.
        plan: String,
        /// Do nothing; estimate what a run would do and cost (plan preview).
        #[arg(long, conflicts_with = "full")]
        dry_run: bool,
        /// List everything, though a quick listing would do.
        #[arg(long)]
        full: bool,
    },
    /// Read the files of a backup plan's mirror again, and tell what is missing, changed, or not Charon's.
    ///
    /// Ctrl-C stops it cleanly; what has been read by then is known. The report is also written into the mirror, below
    /// .charon/reports.
    Verify {
        /// The plan's name.
        plan: String,
        /// Fetch again what is missing or changed. An original is never replaced by a copy of lesser fidelity.
        #[arg(long)]
        repair: bool,
        /// Read only so many hundredths of the files: those that follow where the last verification ended.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
        percent: Option<u8>,
    },
    /// Put originals in the place of copies of lesser fidelity in a mirror.
    ///
    /// Google's API gives copies that are encoded anew and know nothing of places. The originals come from the folders of this machine
    /// that they were uploaded from, and from the full-resolution source of the storage, if it has one. Each
    /// takes the place of its copy once it is complete. Backups use what is on this machine by themselves.
    Originals {
        /// The plan's name.
        plan: String,
    },
    /// Take over photos that lie in a folder already, so that the next backup fetches nothing of them again.
    ///
    /// The folder may be one that gphotos-sync or rclone has filled, or a mirror of Charon whose database is lost. It becomes the
    /// mirror of a new plan as it is, or is adopted into the mirror of the plan that --plan names. Nothing in it is changed or moved.
    Adopt {
        /// The folder, or NAME:path of a storage that keeps files; without it, the mirror of the plan.
        #[arg(required_unless_present = "plan", value_name = "DIR")]
        place: Option<PathBuf>,
        /// The plan: one that there is, or the name of a new one. Without it, that whose mirror the folder is, or a new one that is
        /// called like the folder.
        #[arg(long, short)]
        plan: Option<String>,
        /// The storage whose photos they are, for a new plan. It need not be named where there is one only.
        #[arg(long, short)]
        storage: Option<String>,
        /// The database of gphotos-sync, where it is not in the folder.
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
        /// Tell what would be adopted, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Take photos and videos out of a backup plan's mirror, to where they are wanted. The mirror stays as it is.
    ///
    /// Each file is checked on its way. Nothing is overwritten, and what is there already is left as it is: repeat it, and it goes
    /// on where it was.
    Restore(Restore),
    /// What backups have moved aside because it is gone from the account.
    #[command(subcommand)]
    Trash(Trash),
    /// Print the checksums of a mirror's files, for `sha256sum -c` in its folder.
    Sums {
        /// The plan's name.
        plan: String,
        /// Write them into this file.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Run plans by their schedules, until it is stopped.
    ///
    /// Ctrl-C or SIGTERM stops it: runs finish what they hold, and go on at the next start. It has a web UI and an API, tells
    /// whether it is well (/healthz) and its metrics (/metrics), backs its database up each night, and may be a systemd
    /// service of Type=notify. Whoever opens the web UI first sets its password, unless CHARON_ADMIN_PASSWORD_FILE names a file
    /// that holds it.
    Serve(Serve),
    /// Set the password of the web UI, and sign all browsers out.
    ///
    /// Asks for it on a terminal; else reads a line of standard input. Tokens of the API stay, unless they are revoked too.
    Password {
        /// Revoke all tokens of the API as well: should somebody else have had the password, they may have made one.
        #[arg(long)]
        revoke_tokens: bool,
    },
    /// List the newest runs; show, stop, pause and resume them.
    #[command(args_conflicts_with_subcommands = true)]
    Runs {
        /// Only those of this plan.
        plan: Option<String>,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
        #[command(subcommand)]
        command: Option<Runs>,
    },
    /// What is used and left today of the requests that each project has per day.
    Budget,
    /// What a schedule means.
    #[command(subcommand)]
    Schedule(Schedule),
    /// For other programs, such as schedulers: JSON on standard input and output.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Print the JSON Schema of a provider's configuration, of a plan, or of what can be notified.
    Schema {
        /// A provider's id, "plan", or "notify" [default: gphotos].
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
    /// Open no browser at the end.
    #[arg(long)]
    pub(crate) no_browser: bool,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("whose").required(true).multiple(true).args(["storage", "config", "client_id", "client_secret_file"]))]
pub(crate) struct Authorize {
    /// A storage whose client asks, and which gets the new token.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["provider", "config", "client_id", "client_secret_file", "read_only"])]
    pub(crate) storage: Option<String>,
    /// The kind of storage.
    #[arg(long, default_value = "gphotos")]
    pub(crate) provider: String,
    /// A file with a JSON object, as storage add takes it, without a token; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The OAuth client's id.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    #[command(flatten)]
    pub(crate) client_secret: ClientSecret,
    /// Ask for the right to read alone.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The port of this machine that the browser comes back to [default: a free one].
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// Open no browser.
    #[arg(long)]
    pub(crate) no_browser: bool,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("target").required(true).args(["to_folder", "to_storage"]))]
pub(crate) struct Restore {
    /// The plan's name.
    pub(crate) plan: String,
    /// To this folder, in which they lie as they do in the mirror.
    #[arg(long, value_name = "DIR")]
    pub(crate) to_folder: Option<PathBuf>,
    /// To the account of this storage: what it does not hold is sent there, and albums are put together again.
    #[arg(long, value_name = "STORAGE")]
    pub(crate) to_storage: Option<String>,
    /// Only what was taken on this day or later, in the plan's time zone.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// Only what was taken on this day or before.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
    /// Only what is in the album of this title; may be given several times.
    #[arg(long = "album", value_name = "TITLE")]
    pub(crate) albums: Vec<String>,
    /// Only what has such a name, for instance "IMG_*.jpg"; case does not matter.
    #[arg(long, value_name = "GLOB")]
    pub(crate) name: Option<String>,
    /// Restore nothing; tell what would be.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Import {
    /// The file; - is standard input [default: $RCLONE_CONFIG, else ~/.config/rclone/rclone.conf].
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Only this remote; may be given several times.
    #[arg(long = "remote", value_name = "REMOTE")]
    pub(crate) remotes: Vec<String>,
    /// What to call the storage, if not as the remote is called; once for each remote, in their order.
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,
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
        #[command(flatten)]
        client_secret: ClientSecret,
    },
    /// Add storages from the Google Photos remotes of an rclone.conf.
    Import(Import),
    /// Replace the configuration of a storage. What is known of its photos stays.
    ///
    /// Secrets that the new configuration leaves out are kept, unless an endpoint or the proxy is another one now.
    Update {
        /// Its name.
        name: String,
        /// A file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(flatten)]
        client_secret: ClientSecret,
    },
    /// List the storages.
    List,
    /// Show a storage; its secrets stay hidden.
    Show {
        /// Its name.
        name: String,
    },
    /// Test the connection, stage by stage.
    #[command(group = ArgGroup::new("which").required(true).args(["name", "config"]))]
    Test {
        /// Its name.
        name: Option<String>,
        /// A configuration that is not saved: a file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The kind of storage that the configuration is of.
        #[arg(long, default_value = "gphotos", conflicts_with = "name")]
        provider: String,
        #[command(flatten)]
        client_secret: ClientSecret,
    },
    /// List the albums, with the ids by which a plan's selection can name them.
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
    /// What a backup wants may be chosen with "selection"; `charon schema plan` tells all fields.
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
    /// Replace the configuration of a plan. A new schedule takes effect at once, and drops what was due under the old one.
    ///
    /// Its kind, its storage and its mirror stay.
    Update {
        /// Its name.
        name: String,
        /// A file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Pause the schedule of a plan. A run that is at work goes on.
    Pause {
        /// Its name.
        name: String,
        /// Until then, such as 2026-03-29T00:00:00Z [default: until it is resumed].
        #[arg(long, value_name = "RFC3339")]
        until: Option<String>,
    },
    /// Resume the schedule of a plan. What was due meanwhile is not made up for.
    Resume {
        /// Its name.
        name: String,
    },
    /// Estimate what a run would do and cost. Nothing is moved; a backup is listed for it.
    Preview {
        /// Its name.
        name: String,
    },
    /// Remove a plan and its history. All files stay where they are.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// How many runs may be at work at once; those of one account go one after the other in any case.
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) max_runs: NonZeroUsize,
    /// How many seconds runs may take to finish what they hold when it is stopped.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub(crate) grace: u64,
    /// Where the web UI and the API are; port 0 takes a free one. An address that other machines reach needs a password to be set.
    #[arg(long, env = "CHARON_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8484")]
    pub(crate) listen: SocketAddr,
    /// The address under which a reverse proxy shows it, such as `https://photos.example`.
    #[arg(long, env = "CHARON_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<PublicUrl>,
    /// A folder below which plans that are made in a browser may keep and send files; may be given several times (in $CHARON_ROOTS,
    /// with : between) [default: the home directory].
    #[arg(long = "root", env = "CHARON_ROOTS", value_name = "DIR", value_delimiter = ':')]
    pub(crate) roots: Vec<PathBuf>,
    /// No web UI and no API.
    #[arg(long)]
    pub(crate) no_http: bool,
}

/// Files of items that are gone from the account lie in a trash within the mirror for a while, if the plan says so
/// (`"deletion": {"gone": "trash"}`).
#[derive(Debug, Subcommand)]
pub(crate) enum Trash {
    /// List what is in the trash.
    List {
        /// The plan's name.
        plan: String,
        /// How many files.
        #[arg(long, short = 'n', default_value_t = 100)]
        limit: u32,
    },
    /// Put files back to where they were. They stay there, whatever the account says.
    Restore {
        /// The plan's name.
        plan: String,
        /// The items, by the number that the list shows, or by where they were.
        #[arg(required_unless_present = "all")]
        items: Vec<String>,
        /// All of them.
        #[arg(long, conflicts_with = "items")]
        all: bool,
    },
    /// Remove what has been in the trash for as long as the plan says.
    Empty {
        /// The plan's name.
        plan: String,
        /// Remove all of it.
        #[arg(long)]
        everything: bool,
    },
    /// Agree that the items that a run asks about go to the trash.
    ///
    /// It shows how many they are, and agrees to so many: should a run ask about more meanwhile, it is refused.
    Agree {
        /// The plan's name.
        plan: String,
        /// How many they were when you looked (`charon trash list`); it is refused if they are more by now.
        #[arg(long, short = 'n')]
        items: Option<u64>,
    },
    /// Keep the items that a run asks about.
    Keep {
        /// The plan's name.
        plan: String,
    },
}

/// A run is named by its id, or by its plan: then it is the plan's newest one.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List the newest runs, as without a word.
    List {
        /// Only those of this plan.
        plan: Option<String>,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
    },
    /// Show a run, and what became of its items.
    Show {
        /// Its id, or its plan.
        run: String,
        /// Only items with this outcome: done, skipped or failed.
        #[arg(long)]
        outcome: Option<String>,
        /// Only items behind this one, to go on from the last one of an earlier list.
        #[arg(long, value_name = "ITEM")]
        after: Option<String>,
        /// How many items.
        #[arg(long, short = 'n', default_value_t = 100)]
        limit: u32,
    },
    /// Stop a run. What is done stays done, and the next run goes on from there.
    Cancel {
        /// Its id, or its plan.
        run: String,
    },
    /// Let a run wait until it is resumed; others may use its lane meanwhile.
    Pause {
        /// Its id, or its plan.
        run: String,
    },
    /// Let a run that is paused or parked go on now.
    Resume {
        /// Its id, or its plan.
        run: String,
    },
    /// Try again what failed in a run, and nothing else.
    Retry {
        /// Its id, or its plan.
        run: String,
    },
    /// Print what happens, one JSON object a line, as it happens.
    Events {
        /// A run's id, or a plan for its newest one [default: everything].
        run: Option<String>,
        /// From after this number on [default: from now on; for a run, from its beginning].
        #[arg(long, value_name = "SEQ")]
        after: Option<i64>,
        /// Print what there is, and do not wait for more.
        #[arg(long)]
        no_follow: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Print what there is, as one JSON object: providers with their fields, plans, commands and events.
    Describe {
        /// Only this provider.
        #[arg(long, value_name = "ID")]
        provider: Option<String>,
    },
    /// Test a configuration that is not saved.
    ///
    /// Reads {"provider": ID, "config": {…}}, and prints a line of JSON for each stage and one for the result.
    Test,
    /// Run a plan.
    ///
    /// Reads {"storage": {…}, "plan": {…}}, makes or changes both, and prints the progress of the run and its end as
    /// lines of JSON. SIGTERM or Ctrl-C stops it cleanly.
    Run,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Notify {
    /// Add a channel from a JSON configuration (`charon schema notify` describes them).
    ///
    /// For instance {"topic": "a-topic-that-nobody-guesses"} with --kind ntfy.
    Add {
        /// What to call it.
        name: String,
        /// webhook, ntfy, email or ping.
        #[arg(long, value_name = "KIND")]
        kind: String,
        /// A file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(flatten)]
        choice: Choice,
    },
    /// List the channels.
    List,
    /// Show a channel; its secrets stay hidden.
    Show {
        /// Its name.
        name: String,
    },
    /// Replace the configuration of a channel, or what it is told of.
    ///
    /// Secrets that a new configuration leaves out are kept, unless it says anew where they go.
    Update {
        /// Its name.
        name: String,
        /// A file with a JSON object; - is standard input [default: the configuration stays].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        choice: Choice,
    },
    /// Send a test, and wait for the answer.
    #[command(group = ArgGroup::new("whom").required(true).args(["name", "config"]))]
    Test {
        /// The channel's name.
        name: Option<String>,
        /// A configuration that is not saved: a file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE", requires = "kind")]
        config: Option<PathBuf>,
        /// The kind of channel that the configuration is of.
        #[arg(long, value_name = "KIND", conflicts_with = "name")]
        kind: Option<String>,
    },
    /// List what was told and what is still to be told, the newest first.
    Sent {
        /// Only through this channel.
        name: Option<String>,
        /// Only what did not get through and is not tried any more.
        #[arg(long)]
        given_up: bool,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
    },
    /// Remove a channel, and what was still to be told through it.
    Remove {
        /// Its name.
        name: String,
    },
}

/// What a channel is told of.
#[derive(Debug, ClapArgs)]
pub(crate) struct Choice {
    /// Tell of this: started, success, partial, failure, needs_attention, overdue, recovered or failures_in_a_row. May be
    /// given several times [default: partial, failure, needs_attention, overdue, recovered; each run for a ping].
    #[arg(long = "event", value_name = "EVENT")]
    pub(crate) events: Vec<NoticeEvent>,
    /// Tell of this plan; may be given several times [default: all].
    #[arg(long = "plan", value_name = "PLAN")]
    pub(crate) plans: Vec<String>,
    /// Tell of all plans again.
    #[arg(long, conflicts_with = "plans")]
    pub(crate) all_plans: bool,
    /// After how many failures in a row failures_in_a_row is told [default: 3].
    #[arg(long, value_name = "N")]
    pub(crate) in_a_row: Option<NonZeroU32>,
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
    /// jumped ("30 2 * * *" at three, where two o'clock becomes three), and one that exists twice
    /// is due the first time. What is due every hour follows real time: it makes up for nothing
    /// in spring, and is due in both passes in autumn.
    ///
    /// With --json it prints an array of instants as RFC 3339 has them, in UTC.
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
