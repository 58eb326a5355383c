//! The binary: wires the rooms, parses the command line, draws progress bars.
//!
//! It alone turns an error into a sentence and an exit code.

mod args;
mod client_secret;
mod commands;
mod exit;
mod output;
mod progress;
mod rclone;
mod service_manager;
mod signals;

use std::{io::IsTerminal, process::ExitCode};

use charon_engine::{Adopting, Engine, Registry, Settings, VerifyJob};
use charon_provider_gphotos::GPhotos;
use charon_provider_remote::{S3, WebDav};
use clap::{CommandFactory, FromArgMatches, parser::ValueSource};
use tracing_subscriber::EnvFilter;

use args::{Args, Command};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    // Wrong usage ends here, with exit code 2.
    let matches = Args::command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Command::Demo(_) = args.command
        && let Some(option) = ["data_dir", "key_file"].into_iter().find(|option| is_given(&matches, option))
    {
        let option = option.replace('_', "-");
        output::say_aside(&format!(
            "charon: the demo keeps everything in a folder of its own: give --dir, not --{option}"
        ));
        return Exit::Usage.into();
    }
    log_to_stderr(args.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say_aside(&format!("charon: the program could not start: {error}"));
            return Exit::Failed.into();
        }
    };
    let exit = match runtime.block_on(run(args)) {
        Ok(exit) => exit,
        Err(failure) => {
            output::say_aside(&format!("charon: {failure}"));
            failure.exit()
        }
    };
    // A read of a file that hangs (a dead network drive) must not keep the program from ending.
    runtime.shutdown_background();
    exit.into()
}

/// Whether it stands on the command line; a variable of the environment is meant for the other commands too.
fn is_given(matches: &clap::ArgMatches, option: &str) -> bool {
    matches.value_source(option) == Some(ValueSource::CommandLine)
}

async fn run(args: Args) -> Result<Exit, Failure> {
    let Args { data_dir, key_file, json, quiet, command, .. } = args;
    let output = output::Output { json, quiet };
    match command {
        Command::Schema { of } => return commands::schema::print(&registry(), of.as_deref()),
        Command::Schedule(command) => return commands::schedule::run(&command, output),
        Command::Demo(demo) => return commands::demo::run(demo, output).await,
        Command::Plugin(command) => {
            let around = commands::plugin::Around { data_dir, key_file, quiet, registry: registry() };
            return commands::plugin::run(command, around).await;
        }
        _ => {}
    }
    let data_dir = match data_dir {
        Some(data_dir) => data_dir,
        None => args::default_data_dir()?,
    };
    let engine = Engine::open(Settings { key_file, ..Settings::new(data_dir, registry()) }).await?;
    let done = match command {
        Command::Authorize(command) => commands::authorize::run(&engine, command, output).await,
        Command::Storage(command) => commands::storage::run(&engine, command, output).await,
        Command::Plan(command) => commands::plan::run(&engine, command, output).await,
        Command::Notify(command) => commands::notify::run(&engine, command, output).await,
        Command::Run { plan, dry_run: true, .. } => commands::preview::run(&engine, &plan, output).await,
        Command::Run { plan, full, .. } => commands::run::run(&engine, &plan, full, output).await,
        Command::Verify { plan, repair, percent } => {
            commands::verify::verify(&engine, &plan, VerifyJob { repair, percent }, output).await
        }
        Command::Adopt { place, plan, storage, database, dry_run } => {
            let adopting = Adopting { place, plan, storage, database };
            Box::pin(commands::adopt::run(&engine, adopting, dry_run, output)).await
        }
        Command::Restore(command) => commands::restore::restore(&engine, command, output).await,
        Command::Trash(command) => commands::trash::run(&engine, command, output).await,
        Command::Originals { plan } => commands::verify::originals(&engine, &plan, output).await,
        Command::Sums { plan, output: to } => commands::verify::sums(&engine, &plan, to.as_deref()).await,
        Command::Serve(serve) => commands::serve::run(&engine, &serve).await,
        Command::Password { revoke_tokens } => commands::password::run(&engine, revoke_tokens, output).await,
        Command::Runs { plan, limit, command: None } => {
            commands::runs::list(&engine, plan.as_deref(), limit, output).await
        }
        Command::Runs { command: Some(command), .. } => commands::runs::run(&engine, command, output).await,
        Command::Budget => commands::budget::run(&engine, output).await,
        Command::Schema { .. } | Command::Schedule(_) | Command::Demo(_) | Command::Plugin(_) => {
            Ok(Exit::Done)
        }
    };
    engine.close().await;
    done
}

/// The providers that are compiled in: adding one is one line here.
fn registry() -> Registry {
    Registry::default().with(GPhotos::new()).with(S3::new()).with(WebDav::new())
}

/// Logs go to standard error, as `RUST_LOG` says; without it, what `-v` asks for.
fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        0 => "warn,nom_exif=error",
        1 => {
            "warn,nom_exif=error,charon=info,charon_engine=info,charon_provider_gphotos=info,charon_provider_remote=info,charon_server=info"
        }
        _ => {
            "warn,nom_exif=error,charon=debug,charon_engine=debug,charon_provider_gphotos=debug,charon_provider_remote=debug,charon_server=debug"
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let colour =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}
