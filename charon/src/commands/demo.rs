//! `charon demo`: both ways through, against a make-believe Google Photos on this machine.
//!
//! Only the account is make-believe. Storage, plans and runs are made by the same functions that a user's command calls.
//! On a terminal it ends with the web UI open on the finished runs.

mod showing;

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use charon_engine::{Engine, RunState, Settings, Summary};
use charon_provider_gphotos::GPhotos;
use gphotos_emulator::{Emulator, Seed, picture::Picture};
use jiff::civil;
use serde_json::{Map, Value, json};

use crate::{
    args::Demo,
    commands::run::{tell, watch},
    exit::{Exit, Failure},
    output::{Output, say, say_aside, to_json},
};

const CLIENT_ID: &str = "100000000001-demo.apps.googleusercontent.com";
const STORAGE: &str = "make-believe";
const BACKUP: &str = "bring home";
const UPLOAD: &str = "send out";
const ALBUM: &str = "From home";
const ALBUMS: [&str; 6] =
    ["Summer at the lake", "Grandma's 80th", "Snow", "First day of school", "The cat", "Garden"];
const VIDEO_SHARE: f64 = 0.05;
/// One picture to send out for this many that come home.
const OUT_OF: u32 = 5;

/// Where the demo keeps things.
struct Folders {
    data: PathBuf,
    mirror: PathBuf,
    pictures: PathBuf,
    /// What the make-believe account was, so that the next demo finds it again.
    account: PathBuf,
}

pub(crate) async fn run(demo: Demo, output: Output) -> Result<Exit, Failure> {
    let folders = Folders {
        data: demo.dir.join("data"),
        mirror: demo.dir.join("mirror"),
        pictures: demo.dir.join("pictures"),
        account: demo.dir.join("account.json"),
    };
    if demo.dir.exists() && !demo.dir.is_dir() {
        return Err(Failure::usage(format!("{} is not a folder; choose another --dir", demo.dir.display())));
    }
    fs::create_dir_all(&demo.dir).map_err(|error| cannot("make", &demo.dir, &error))?;
    let account = Account::open(&folders.account, demo.items)?;
    draw_pictures(&folders.pictures, account.items.div_ceil(OUT_OF))?;
    let (emulator, token) = account.start(&folders).await?;

    let registry = charon_engine::Registry::default().with(GPhotos::new());
    let engine = Engine::open(Settings::new(folders.data.clone(), registry)).await?;
    set_up(&engine, &emulator, token, &folders).await?;
    announce(&folders, &account, output)?;

    let mut summaries = Vec::new();
    for plan in [UPLOAD, BACKUP] {
        let run = engine.start(plan).await?;
        let summary = watch(plan, run, output).await?;
        if !output.json {
            say(&tell(&summary))?;
        }
        let state = summary.state;
        summaries.push(summary);
        if state == RunState::Cancelled {
            break;
        }
    }
    conclude(&folders, &summaries, &emulator, output)?;
    let is_over = summaries.iter().any(|summary| summary.state == RunState::Cancelled);
    if !is_over && !output.json && io::stdout().is_terminal() {
        showing::show(&engine, &demo.dir, demo.no_browser).await?;
    }
    engine.close().await;
    emulator.stop().await;
    let worst = summaries.iter().map(|summary| Exit::of(summary.state)).max_by_key(|exit| exit.code());
    Ok(worst.unwrap_or(Exit::Done))
}

/// The make-believe account, which is the same each time on the same folder.
struct Account {
    items: u32,
    port: u16,
}

impl Account {
    fn open(path: &Path, items: u32) -> Result<Self, Failure> {
        if !path.exists() {
            return Ok(Self { items, port: 0 });
        }
        let odd = |why: String| {
            Failure::new(format!("{} is not what a demo wrote ({why}); choose another --dir", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
        let account: Value = serde_json::from_str(&text).map_err(|error| odd(error.to_string()))?;
        let number =
            |name: &str| account.get(name).and_then(Value::as_u64).ok_or_else(|| odd(format!("no {name}")));
        let (items, port) = (number("items")?.try_into(), number("port")?.try_into());
        Ok(Self {
            items: items.map_err(|_| odd("items".into()))?,
            port: port.map_err(|_| odd("port".into()))?,
        })
    }

    /// The account, and a token for it. Its consent is the first thing that the account gives, so that it is the same each
    /// time too.
    async fn start(&self, folders: &Folders) -> Result<(Emulator, String), Failure> {
        let settings = gphotos_emulator::Settings {
            listen: ([127, 0, 0, 1], self.port).into(),
            default_client_id: CLIENT_ID.into(),
            ..gphotos_emulator::Settings::default()
        };
        let emulator = Emulator::start(settings).await.map_err(|error| {
            Failure::new(format!(
                "the make-believe Google Photos cannot listen on 127.0.0.1:{} ({error}); end what listens there, or \
                 choose another --dir",
                self.port
            ))
        })?;
        let token = emulator.token_blob(CLIENT_ID, &gphotos_emulator::SCOPES);
        emulator.world().seed(&Seed {
            items: self.items,
            video_share: VIDEO_SHARE,
            albums: u32::try_from(ALBUMS.len()).unwrap_or(0),
            album_titles: ALBUMS.map(str::to_owned).to_vec(),
            ..Seed::default()
        });
        if self.port == 0 {
            let account = json!({ "items": self.items, "port": emulator.address().port() });
            fs::write(&folders.account, to_json(&account)?)
                .map_err(|error| cannot("write", &folders.account, &error))?;
        } else {
            self.remember_what_was_sent(&emulator, folders)?;
        }
        Ok((emulator, token))
    }

    /// Google would still have what an earlier demo sent; the emulator forgets when it ends.
    fn remember_what_was_sent(&self, emulator: &Emulator, folders: &Folders) -> Result<(), Failure> {
        if !folders.data.join("charon.db").exists() {
            return Ok(());
        }
        for number in 1..=self.items.div_ceil(OUT_OF) {
            let path = folders.pictures.join(picture_name(number));
            let bytes = fs::read(&path).map_err(|error| cannot("read", &path, &error))?;
            let added = emulator.world().add_item(CLIENT_ID, &picture_name(number), bytes);
            added.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        }
        Ok(())
    }
}

/// Storage and plans, unless an earlier demo made them.
async fn set_up(
    engine: &Engine,
    emulator: &Emulator,
    token: String,
    folders: &Folders,
) -> Result<(), Failure> {
    if engine.storages().await?.is_empty() {
        let config = json!({
            "client_id": CLIENT_ID,
            "client_secret": "make-believe",
            "token": token,
            "auth_url": format!("{}/o/oauth2/v2/auth", emulator.url()),
            "token_url": format!("{}/token", emulator.url()),
            "api_url": emulator.url(),
        });
        engine.add_storage(STORAGE, "gphotos", object(config)).await?;
    }
    let backup = json!({ "kind": "backup", "storage": STORAGE, "destination": folders.mirror });
    let upload =
        json!({ "kind": "upload", "storage": STORAGE, "sources": [folders.pictures], "album": ALBUM });
    let plans = engine.plans().await?;
    for (name, config) in [(BACKUP, backup), (UPLOAD, upload)] {
        if plans.iter().all(|plan| plan.name != name) {
            engine.add_plan(name, object(config)).await?;
        }
    }
    Ok(())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Real pictures to send out, unless they are there.
fn draw_pictures(folder: &Path, count: u32) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| cannot("make", folder, &error))?;
    let missing = (1..=count).filter(|number| !folder.join(picture_name(*number)).exists()).count();
    if missing > 100 {
        say_aside(&format!("drawing {missing} pictures to send out …"));
    }
    for number in 1..=count {
        let path = folder.join(picture_name(number));
        if path.exists() {
            continue;
        }
        let day = i8::try_from(1 + number % 28).unwrap_or(1);
        let month = i8::try_from(1 + number / 28 % 12).unwrap_or(1);
        let picture = Picture {
            taken_at: Some(civil::date(2025, month, day).at(12, 0, 0, 0)),
            number: Some(number),
            ..Picture::new(0x000D_E300 + u64::from(number))
        };
        // Renamed into place, so that a demo that was stopped leaves no half of a picture.
        let beside = folder.join(format!(".{}.new", picture_name(number)));
        fs::write(&beside, picture.jpeg())
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|error| cannot("write", &path, &error))?;
    }
    Ok(())
}

fn picture_name(number: u32) -> String {
    format!("DSC_{number:04}.jpg")
}

fn announce(folders: &Folders, account: &Account, output: Output) -> Result<(), Failure> {
    if output.json {
        return Ok(());
    }
    say(&format!(
        "A make-believe Google Photos account with {} photos and videos in {} albums is on this machine.\n\
         An upload plan sends {} pictures from {} to the album \"{ALBUM}\";\n\
         a backup plan brings everything home to {}.\n",
        account.items,
        ALBUMS.len(),
        account.items.div_ceil(OUT_OF),
        folders.pictures.display(),
        folders.mirror.display(),
    ))
}

fn conclude(
    folders: &Folders,
    summaries: &[Summary],
    emulator: &Emulator,
    output: Output,
) -> Result<(), Failure> {
    if output.json {
        let stats = emulator.world().stats();
        let all = json!({ "runs": summaries, "mirror": folders.mirror, "pictures": folders.pictures, "server": stats });
        return say(&to_json(&all)?);
    }
    let nothing_changed =
        summaries.iter().all(|summary| summary.state == RunState::Succeeded && summary.items.done == 0);
    let next = if nothing_changed {
        "Nothing had changed, so nothing was moved."
    } else {
        "Run the demo again: nothing is moved twice."
    };
    say(&format!(
        "\nLook into {} for what came home. {next}\n\
         For your own photos: charon serve, and open http://127.0.0.1:8484.",
        folders.mirror.display()
    ))
}

fn cannot(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {doing} {}: {error}", path.display()))
}
