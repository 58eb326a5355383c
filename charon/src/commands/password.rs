//! `charon password`, and the password that `charon serve` is given in a file.

use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    path::Path,
};

use charon_engine::{Engine, NewAuditEntry};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    exit::{Exit, Failure},
    output::{Output, say_aside},
    signals::interrupted,
};

/// Names a file that holds the password.
pub(crate) const FILE_VARIABLE: &str = "CHARON_ADMIN_PASSWORD_FILE";
/// A file that holds more than this is no password.
const LONGEST_FILE: u64 = 4096;

/// Sets the password, and signs all browsers out; revokes all tokens, if that is wanted.
pub(crate) async fn run(engine: &Engine, revoke_tokens: bool, output: Output) -> Result<Exit, Failure> {
    let password = if io::stdin().is_terminal() {
        let Some(first) = asked("New password: ").await? else { return Ok(Exit::Interrupted) };
        let Some(again) = asked("The same again: ").await? else { return Ok(Exit::Interrupted) };
        if first.expose_secret() != again.expose_secret() {
            return Err(Failure::usage("the two are not the same; nothing was changed"));
        }
        first
    } else {
        line_of_stdin()?
    };
    engine.reset_password(&password).await?;
    audit(engine, "password set on the command line").await?;
    let tokens = engine.tokens().await?;
    if revoke_tokens && !tokens.is_empty() {
        for token in &tokens {
            engine.revoke_token(token.id).await?;
        }
        audit(engine, "all tokens revoked on the command line").await?;
    }
    if !output.quiet {
        let of_tokens = match (tokens.len(), revoke_tokens) {
            (0, _) => String::new(),
            (count, true) => format!("; tokens revoked: {count}"),
            (count, false) => format!("; tokens that stay: {count} (--revoke-tokens revokes them)"),
        };
        say_aside(&format!("charon: the password is set, and all browsers are signed out{of_tokens}"));
    }
    Ok(Exit::Done)
}

/// Sets the password that the file holds, if it is another one than there is.
pub(crate) async fn take_from_file(engine: &Engine) -> Result<(), Failure> {
    let Some(path) = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = Path::new(&path);
    let unusable =
        |reason: String| Failure::usage(format!("{FILE_VARIABLE} names {}, which {reason}", path.display()));
    let metadata = fs::metadata(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if metadata.len() > LONGEST_FILE {
        return Err(unusable("is too long for a password".into()));
    }
    warn_if_readable(path, &metadata);
    let text = fs::read_to_string(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    let password: SecretString = without_line_end(&Zeroizing::new(text)).into();
    if engine.check_password(&password).await? {
        return Ok(());
    }
    engine.reset_password(&password).await?;
    audit(engine, "password taken from a file").await
}

async fn audit(engine: &Engine, action: &str) -> Result<(), Failure> {
    let entry = NewAuditEntry {
        who: "command line".into(),
        address: "this machine".into(),
        action: action.into(),
        ..NewAuditEntry::default()
    };
    Ok(engine.audit(entry).await?)
}

#[cfg(unix)]
fn warn_if_readable(path: &Path, metadata: &fs::Metadata) {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 != 0 {
        say_aside(&format!(
            "charon: others can read the password in {}; run `chmod 600` on it, should they not",
            path.display()
        ));
    }
}

#[cfg(not(unix))]
fn warn_if_readable(_: &Path, _: &fs::Metadata) {}

/// One line of standard input.
fn line_of_stdin() -> Result<SecretString, Failure> {
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
    Ok(without_line_end(&line).into())
}

/// Without the end of its line: an editor has put it there.
fn without_line_end(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text).to_owned()
}

/// Asks on the terminal, which does not show what is typed. `None` when somebody would rather not.
async fn asked(prompt: &str) -> Result<Option<SecretString>, Failure> {
    let silent = Silent::new()?;
    say_prompt(prompt);
    let stop = interrupted();
    let typed = tokio::task::spawn_blocking(line_of_stdin);
    let answer = tokio::select! {
        typed = typed => Some(typed.map_err(|error| Failure::new(error.to_string()))??),
        () = stop => None,
    };
    drop(silent);
    // The line end that was typed was not shown either.
    say_aside("");
    Ok(answer)
}

fn say_prompt(prompt: &str) {
    use io::Write;
    let mut stderr = io::stderr().lock();
    // Who cannot be asked cannot be told so either.
    drop(write!(stderr, "{prompt}").and_then(|()| stderr.flush()));
}

/// The terminal does not show what is typed, while this lives.
#[cfg(unix)]
struct Silent(nix::sys::termios::Termios);

#[cfg(unix)]
impl Silent {
    fn new() -> Result<Self, Failure> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let failed =
            |error| Failure::new(format!("the terminal cannot be kept from showing the password: {error}"));
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent).map_err(failed)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Silent {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        // A terminal that is gone shows nothing.
        tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0).ok();
    }
}

/// Elsewhere the password is shown while it is typed, unless it comes from another program.
#[cfg(not(unix))]
struct Silent;

#[cfg(not(unix))]
impl Silent {
    fn new() -> Result<Self, Failure> {
        Err(Failure::usage("give the password on standard input, from a file or another program"))
    }
}

#[cfg(test)]
mod tests {
    use super::without_line_end;

    #[test]
    fn one_line_end_is_no_part_of_a_password() {
        for (text, password) in [
            ("a b ", "a b "),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret\n\n", "secret\n"),
            ("\n", ""),
        ] {
            assert_eq!(without_line_end(text), password);
        }
    }
}
