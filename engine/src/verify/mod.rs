//! Proof: the files of a mirror are read again and compared with what was stored.
//!
//! [`reading`] reads and hashes, several files at a time, in the order of the ledger; [`strange`] looks for files that are not
//! Charon's; what is wrong counts as not home from then on, so that it is fetched again, by the same run if it is to repair, and by
//! the next backup otherwise. [`report`] tells what was found.

mod reading;
mod report;
mod strange;
mod sums;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    backup::{self, Backup},
    error::Error,
    job::VerifyJob,
    run::named,
};
pub use report::{Problem, Report, VerificationView};
pub(crate) use strange::is_passed_over;
pub use sums::Checksums;

named! {
    /// What is wrong with a file of a mirror.
    Damage {
        /// It is not there.
        Missing = "missing",
        /// It has other bytes than those that were stored.
        Changed = "changed",
        /// It cannot be read.
        Unreadable = "unreadable",
    }
}

impl Damage {
    /// What is wrong with this file, as people are told.
    fn of(self, path: &str) -> String {
        match self {
            Self::Missing => format!("the file {path} is not there"),
            Self::Changed => format!("the file {path} has other bytes than those that were stored"),
            Self::Unreadable => format!("the file {path} cannot be read; look after the disk"),
        }
    }
}

/// What a verification has found so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// Files that have been looked at.
    pub files: u64,
    /// Bytes that have been read.
    pub bytes: u64,
    /// Files that are as they were stored.
    pub good: u64,
    /// Files that are not there.
    pub missing: u64,
    /// Files with other bytes than those that were stored.
    pub changed: u64,
    /// Files that cannot be read.
    pub unreadable: u64,
    /// Files that are not Charon's.
    pub strange: u64,
}

impl Findings {
    fn count(&mut self, damage: Option<Damage>) {
        self.files += 1;
        *match damage {
            None => &mut self.good,
            Some(Damage::Missing) => &mut self.missing,
            Some(Damage::Changed) => &mut self.changed,
            Some(Damage::Unreadable) => &mut self.unreadable,
        } += 1;
    }

    /// How many files are not as they were stored.
    pub fn bad(&self) -> u64 {
        self.missing + self.changed + self.unreadable
    }
}

/// A verification, checked and ready.
#[derive(Debug)]
pub(crate) struct Verification {
    /// What repairs are made with; the mirror.
    pub(crate) backup: Backup,
    pub(crate) job: VerifyJob,
}

/// Reads the next share of a mirror as part of a backup, mends what is damaged, and tells of it.
pub(crate) async fn share(backup: &Arc<Backup>, percent: u8) -> Result<(), Error> {
    let ctx = backup.context();
    let job = VerifyJob { repair: true, percent: Some(percent) };
    reading::read(backup, &job, true).await?;
    let found = ctx.store.verification(ctx.run).await?.map(|standing| standing.findings).unwrap_or_default();
    if found.bad() > 0 && ctx.stopped().is_none() {
        backup::repair(backup).await;
    }
    // It goes on with what is left, and tells of it then.
    if ctx.stopped().is_some() || ctx.begins_no_more() {
        return Ok(());
    }
    match report::write(backup).await {
        // All is home, and the pages of the run tell the same.
        Err(Error::Storage(error)) => {
            tracing::warn!(%error, "the report of what was verified could not be written");
            Ok(())
        }
        written => written,
    }
}

/// Runs a verification to its end, or until the run stops.
pub(crate) async fn run(verification: Verification) {
    let Verification { backup, job } = verification;
    let backup = Arc::new(backup);
    let ctx = backup.context();
    let or_stop = |ended: Result<(), Error>| ended.unwrap_or_else(|error| ctx.stop_for(&error));
    or_stop(reading::read(&backup, &job, false).await);
    if job.repair && ctx.stopped().is_none() {
        backup::repair(&backup).await;
    }
    if job.percent.is_none() && ctx.stopped().is_none() {
        or_stop(strange::look(&backup).await);
    }
    if ctx.stopped().is_none() && !ctx.begins_no_more() {
        or_stop(report::write(&backup).await);
    }
}
