//! The engine, as the suite plays it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::World;
use crate::{Class, Conflict, Cost, Error, Host, Revision, Secrets};

/// A host that remembers what it was asked, and refuses what it is told to.
pub(super) struct TestHost {
    world: Arc<dyn World>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    permits: Vec<Cost>,
    permits_refused: bool,
    secrets: Secrets,
    revision: Revision,
    saves: u32,
    conflicts: u32,
    accounts: Vec<String>,
    accounts_refused: bool,
    drawn: u64,
}

impl TestHost {
    pub(super) fn new(world: Arc<dyn World>, secrets: Secrets) -> Self {
        Self { world, memory: Mutex::new(Memory { secrets, ..Memory::default() }) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked a permit for since the last time this was asked.
    pub(super) fn take_permits(&self) -> Vec<Cost> {
        std::mem::take(&mut self.memory().permits)
    }

    /// Whether nothing is permitted from now on.
    pub(super) fn refuse_permits(&self, refused: bool) {
        self.memory().permits_refused = refused;
    }

    /// From now on every account is another one than it was.
    pub(super) fn refuse_accounts(&self) {
        self.memory().accounts_refused = true;
    }

    /// The accounts that were told.
    pub(super) fn accounts(&self) -> Vec<String> {
        self.memory().accounts.clone()
    }

    /// What is stored now.
    pub(super) fn stored(&self) -> (Secrets, Revision) {
        let memory = self.memory();
        (memory.secrets.clone(), memory.revision)
    }

    /// How often secrets were stored, and how often they were not because newer ones were there.
    pub(super) fn saves_and_conflicts(&self) -> (u32, u32) {
        let memory = self.memory();
        (memory.saves, memory.conflicts)
    }
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost").finish_non_exhaustive()
    }
}

#[async_trait]
impl Host for TestHost {
    async fn permit(&self, cost: Cost) -> Result<(), Error> {
        let mut memory = self.memory();
        if memory.permits_refused {
            return Err(Error::new(Class::Quota, "go on", "the budget of the conformance suite is spent"));
        }
        memory.permits.push(cost);
        Ok(())
    }

    async fn save_secrets(&self, seen: Revision, new: Secrets) -> Result<Result<Revision, Conflict>, Error> {
        let mut memory = self.memory();
        if seen != memory.revision {
            memory.conflicts += 1;
            let conflict = Conflict { secrets: memory.secrets.clone(), revision: memory.revision };
            return Ok(Err(conflict));
        }
        memory.saves += 1;
        memory.revision = Revision(memory.revision.0 + 1);
        memory.secrets = new;
        Ok(Ok(memory.revision))
    }

    async fn account(&self, id: &str) -> Result<(), Error> {
        let mut memory = self.memory();
        memory.accounts.push(id.to_owned());
        if memory.accounts_refused {
            return Err(Error::new(Class::Auth, "go on", "this is another account than before"));
        }
        Ok(())
    }

    async fn sleep(&self, how_long: std::time::Duration) {
        tokio::time::sleep(how_long).await;
    }

    fn now(&self) -> Timestamp {
        self.world.now()
    }

    // Anybody can guess these, but no two of them are the same.
    fn random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let mut memory = self.memory();
            memory.drawn += 1;
            let mut bits = memory.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let bytes = (bits ^ (bits >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
