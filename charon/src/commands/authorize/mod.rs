//! `charon authorize`: a person gives their consent in a browser, and a storage gets its token.
//!
//! The browser comes back to a port of this machine; where the browser is on another machine, its last address is pasted.

mod answer;
mod loopback;
mod page;

use std::{
    io::{self, BufRead, Read},
    path::Path,
    time::Duration,
};

use charon_engine::Engine;
use charon_provider::{Authorization, Consent};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    args::Authorize,
    exit::{Exit, Failure},
    output::{Output, read_object, say, say_aside, to_json},
    signals::interrupted,
};
use answer::{Asking, is_refusal};
use loopback::{Loopback, Visitor};
use page::Page;

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// More than anybody pastes.
const MOST_PASTED: u64 = 1024 * 1024;

/// What came back from the browser, one way or the other.
enum Answer {
    /// The browser itself came, and waits for a page.
    Visit(Visitor),
    /// A person pasted where it ended.
    Pasted(String),
}

pub(crate) async fn run(engine: &Engine, command: Authorize, output: Output) -> Result<Exit, Failure> {
    // Nobody listens to signals meanwhile: a read that does not end is ended with the program.
    let fields = fields(&command)?;
    let stop = interrupted();
    tokio::select! {
        done = authorize(engine, command, fields, output) => done.map(|()| Exit::Done),
        () = stop => Ok(Exit::Interrupted),
    }
}

/// The configuration that the command line gives, with files or standard input read.
fn fields(command: &Authorize) -> Result<Map<String, Value>, Failure> {
    let mut fields = match &command.config {
        Some(file) => read_object(file)?,
        None => Map::new(),
    };
    if let Some(client_id) = &command.client_id {
        fields.insert("client_id".into(), client_id.as_str().into());
    }
    if command.read_only {
        fields.insert("read_only".into(), true.into());
    }
    command.client_secret.put_into(&mut fields)?;
    Ok(fields)
}

async fn authorize(
    engine: &Engine,
    command: Authorize,
    fields: Map<String, Value>,
    output: Output,
) -> Result<(), Failure> {
    let Authorize { storage, provider, config, port, no_browser, .. } = command;
    let can_paste = config.is_none_or(|file| file != Path::new("-"));
    let loopback = Loopback::bind(port).await.map_err(|error| {
        Failure::new(format!(
            "cannot listen on 127.0.0.1:{port} for the browser to come back: {error}; choose another --port"
        ))
    })?;
    let redirect = loopback.redirect();
    let authorization = match &storage {
        Some(name) => engine.authorize_storage(name, &redirect).await?,
        None => engine.authorize(&provider, fields, &redirect)?,
    };
    invite(&*authorization, can_paste, no_browser);

    let asking = Asking::of(authorization.url());
    let answer = within(PATIENCE, wait(&loopback, &asking)).await?;
    let address = match &answer {
        Answer::Visit(visitor) => &visitor.target,
        Answer::Pasted(address) => address,
    };
    let refused = is_refusal(address);
    let done = take(engine, &*authorization, address, storage.as_deref(), output).await;
    if let Answer::Visit(visitor) = answer {
        let page = match &done {
            Ok(()) => Page::WORKED,
            Err(_) if refused => Page::DENIED,
            Err(failure) => Page::failed(&failure.to_string()),
        };
        visitor.show(&page).await;
    }
    done
}

/// Says where to go, and goes there.
fn invite(authorization: &dyn Authorization, can_paste: bool, no_browser: bool) {
    let url = authorization.url();
    let elsewhere = if can_paste {
        "With a browser on another machine, the last page cannot be shown, for its address is one of this machine. \
         Copy that address (http://127.0.0.1…) from the browser, paste it here, and press Enter."
    } else {
        "The browser has to be on this machine, for standard input was the configuration; with one on another machine, \
         give the configuration as a file."
    };
    say_aside(&format!(
        "Open this address in a browser, and give your consent there:\n\n  {url}\n\n{elsewhere}"
    ));
    if !no_browser {
        let url = url.to_string();
        // It may take a while. Where there is no browser, the address that was printed is the way.
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = open::that_detached(url) {
                say_aside(&format!("(no browser could be opened here: {error})"));
            }
        }));
    }
}

/// The answer, unless it takes too long.
async fn within(patience: Duration, answer: impl Future<Output = Answer>) -> Result<Answer, Failure> {
    timeout(patience, answer).await.map_err(|_| {
        let minutes = patience.as_secs() / 60;
        Failure::new(format!("nobody gave a consent within {minutes} minutes; run the command again"))
    })
}

/// Waits for the browser, or for a pasted address, whichever comes first.
async fn wait(loopback: &Loopback, asking: &Asking) -> Answer {
    tokio::select! {
        visitor = loopback.visitor(asking) => Answer::Visit(visitor),
        address = pasted(asking) => Answer::Pasted(address),
    }
}

/// Waits for an address on standard input that is the answer. Without a standard input it waits for ever.
async fn pasted(asking: &Asking) -> String {
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        match asking.judge(line) {
            Ok(()) => return line.to_owned(),
            Err(why) => say_aside(&format!("charon: {why}")),
        }
    }
    std::future::pending().await
}

/// The lines of standard input. A read that nobody waits for any more ends with the program.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    drop(tokio::task::spawn_blocking(move || {
        let read = io::stdin().lock().take(MOST_PASTED).lines().map_while(Result::ok);
        for line in read {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    }));
    lines
}

/// Turns the answer into a token, and stores it or prints it.
async fn take(
    engine: &Engine,
    authorization: &dyn Authorization,
    address: &str,
    storage: Option<&str>,
    output: Output,
) -> Result<(), Failure> {
    let consent = authorization.redeem(address).await.map_err(charon_engine::Error::from)?;
    let Some(name) = storage else { return print(&consent, output) };
    let account = consent.account.clone();
    engine.adopt_consent(name, consent).await?;
    output.print(&json!({ "storage": name, "account": account }), || {
        let whose = account.as_ref().map(|account| format!(", of {account}")).unwrap_or_default();
        format!("The storage {name} has its new token{whose}. Test it: charon storage test {name}")
    })
}

/// The one place where a secret comes out: it was asked for, and is nowhere else.
fn print(consent: &Consent, output: Output) -> Result<(), Failure> {
    let Consent { field, value, account, .. } = consent;
    if let Some(account) = account {
        say_aside(&format!("The consent is that of {account}."));
    }
    if output.json {
        return say(&to_json(&json!({ *field: value.expose_secret() }))?);
    }
    // The arrows are rclone's: what stands between them can be pasted there too.
    say(&format!("Put this into the storage's {field} --->\n{}\n<---End paste", value.expose_secret()))
}

#[cfg(test)]
mod tests {
    use std::{future, time::Duration};

    use super::within;

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_given_up() {
        let given_up = within(Duration::ZERO, future::pending()).await.err().expect("no answer");
        assert!(
            given_up.to_string().contains("nobody gave a consent within 0 minutes; run the command again")
        );
    }
}
