//! `charon storage import`: takes over the Google Photos remotes of an rclone.conf.

use std::{
    env, fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use charon_engine::{Engine, Error, StorageView};
use serde::Serialize;
use serde_json::Value;

use crate::{
    args::Import,
    exit::{Exit, Failure},
    output::{Output, say_aside},
    rclone::{self, Remote},
};

const PROVIDER: &str = "gphotos";

/// What became of the remotes of a file.
#[derive(Debug, Default, Serialize)]
struct Report {
    imported: Vec<Imported>,
    refused: Vec<Refused>,
    passed_over: Vec<PassedOver>,
}

#[derive(Debug, Serialize)]
struct Imported {
    remote: String,
    storage: StorageView,
    /// The lines that Charon has no field for.
    not_taken_over: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Refused {
    remote: String,
    reason: String,
    #[serde(skip)]
    exit: Exit,
}

/// A remote of another type.
#[derive(Debug, Serialize)]
struct PassedOver {
    remote: String,
    #[serde(rename = "type")]
    kind: String,
}

pub(crate) async fn run(engine: &Engine, command: Import, output: Output) -> Result<Exit, Failure> {
    let Import { file, remotes: wanted, names } = command;
    let file = match file {
        Some(file) => file,
        None => usual_file()?,
    };
    let shown = if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let remotes = rclone::parse(&read(&file, &shown)?)
        .map_err(|unreadable| Failure::usage(format!("{shown} {unreadable}")))?;
    let mut report = Report::default();
    let chosen = choose(remotes, &wanted, &shown, &mut report)?;
    if !names.is_empty() && names.len() != chosen.len() {
        let remotes: Vec<&str> = chosen.iter().map(|remote| remote.name.as_str()).collect();
        return Err(Failure::usage(format!(
            "--name is to be given once for each remote that is taken over, and these are: {}",
            remotes.join(", ")
        )));
    }
    let schema = engine.registry().provider(PROVIDER)?.describe().schema.as_json().clone();
    for (index, remote) in chosen.into_iter().enumerate() {
        let name = names.get(index).unwrap_or(&remote.name).clone();
        match import(engine, &name, &remote, &schema).await {
            Ok(imported) => report.imported.push(imported),
            Err(failure) => {
                let (reason, exit) = (failure.to_string(), failure.exit());
                report.refused.push(Refused { remote: remote.name, reason, exit });
            }
        }
    }
    if output.json || !report.imported.is_empty() {
        output.print(&report, || tell(&report))?;
    }
    if !output.json {
        for PassedOver { remote, kind } in &report.passed_over {
            say_aside(&format!("Passed over {remote}: it is of the type {kind}."));
        }
    }
    for Refused { remote, reason, .. } in &report.refused {
        say_aside(&format!("charon: {remote} was not taken over: {reason}"));
    }
    Ok(match report.refused.as_slice() {
        [] => Exit::Done,
        refused if refused.iter().all(|refused| refused.exit == Exit::Usage) => Exit::Usage,
        _ => Exit::Failed,
    })
}

/// Those that are to be taken over; the others are reported as passed over.
fn choose(
    remotes: Vec<Remote>,
    wanted: &[String],
    shown: &str,
    report: &mut Report,
) -> Result<Vec<Remote>, Failure> {
    let list = |remotes: &[Remote]| -> String {
        let all: Vec<String> =
            remotes.iter().map(|remote| format!("{} ({})", remote.name, remote.kind())).collect();
        if all.is_empty() { "it has none".into() } else { format!("it has {}", all.join(", ")) }
    };
    if let Some(unknown) = wanted.iter().find(|name| remotes.iter().all(|remote| remote.name != **name)) {
        return Err(Failure::new(format!("{shown} has no remote named {unknown}; {}", list(&remotes))));
    }
    if !remotes.iter().any(Remote::is_google_photos) {
        let all = list(&remotes);
        return Err(Failure::new(format!("{shown} has no remote of the type google photos; {all}")));
    }
    let mut chosen = Vec::new();
    for remote in remotes {
        let is_wanted = wanted.is_empty() || wanted.contains(&remote.name);
        if remote.is_google_photos() && is_wanted {
            chosen.push(remote);
        } else if is_wanted {
            let kind = remote.kind().to_owned();
            report.passed_over.push(PassedOver { remote: remote.name, kind });
        }
    }
    // In the order in which they were named, so that names can be given to them.
    chosen.sort_by_key(|remote| wanted.iter().position(|name| *name == remote.name));
    Ok(chosen)
}

async fn import(engine: &Engine, name: &str, remote: &Remote, schema: &Value) -> Result<Imported, Failure> {
    if remote.get("client_id").is_none() {
        return Err(Failure::usage(
            "it uses rclone's own client, which is rclone's alone, and ends in 2026. Make a client of your own (README.md, \
             \"A client of your own\"), then: charon authorize, charon storage add. Google shows items only to the client \
             that has uploaded them, so yours will not see what rclone's has sent",
        ));
    }
    let taken = remote.to_config(schema);
    let storage = match engine.add_storage(name, PROVIDER, taken.config).await {
        Ok(storage) => storage,
        Err(error @ Error::Config { .. }) if remote.get("token").is_none() => {
            return Err(Failure::usage(format!(
                "{}\nNobody has given their consent for it yet. Put what `charon authorize --client-id {} \
                 --client-secret-file FILE` prints between its arrows into the remote's line token, or run `rclone config \
                 reconnect {}:`; then import again",
                Failure::from(error),
                remote.get("client_id").unwrap_or("ID"),
                remote.name
            )));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Imported { remote: remote.name.clone(), storage, not_taken_over: taken.left })
}

fn tell(report: &Report) -> String {
    let mut lines = Vec::new();
    for Imported { remote, storage, not_taken_over } in &report.imported {
        let name = &storage.name;
        let from = if remote == name { String::new() } else { format!(" (from {remote})") };
        lines.push(format!("Added the storage {name}{from}. Test it: charon storage test {name}"));
        if !not_taken_over.is_empty() {
            lines.push(format!("  not taken over: {}", not_taken_over.join(", ")));
        }
    }
    lines.join("\n")
}

fn read(file: &Path, shown: &str) -> Result<String, Failure> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    read.map_err(|error| {
        Failure::usage(format!(
            "{shown} cannot be read: {error}; name the file of rclone's configuration (rclone config file)"
        ))
    })
}

/// Where rclone keeps its configuration.
fn usual_file() -> Result<PathBuf, Failure> {
    let named = env::var_os("RCLONE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let xdg = || env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::home_dir().map(|home| home.join(".config"));
    named
        .or_else(|| xdg().or_else(home).map(|config| config.join("rclone/rclone.conf")))
        .ok_or_else(|| Failure::usage("there is no home directory; name the file of rclone's configuration"))
}
