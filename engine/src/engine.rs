//! The engine: one data directory, with its storages, plans and runs.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use crate::{
    access::Hashing,
    browsing::Shelves,
    budget::Budgets,
    clock::{Clock, Entropy, SystemClock, SystemEntropy},
    dashboard::Remembered,
    error::Error,
    events::Bus,
    ids::RunId,
    inbox::Spool,
    lane::Lanes,
    library::Counted,
    pulse::Pulse,
    registry::Registry,
    running::AtWork,
    storages::KnownFacts,
    store::{EngineLease, Store},
    tallies::Tallies,
    vault::Vault,
};

/// A process that runs plans has said so for this long. Only another machine waits for its end, and who renews it wakes the disk:
/// so it is long.
const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// How often it says so again.
pub(crate) const RENEWS: SignedDuration = SignedDuration::from_mins(6);

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database, the key and the lock are. Made if it is not there.
    pub data_dir: PathBuf,
    /// The file of the key that opens the secrets; `None` for `charon.key` in the data directory.
    pub key_file: Option<PathBuf>,
    /// The providers that are compiled in.
    pub registry: Registry,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Settings {
    /// The settings of a real engine: the system's clock and random numbers.
    pub fn new(data_dir: PathBuf, registry: Registry) -> Self {
        Self {
            data_dir,
            key_file: None,
            registry,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }
}

/// One data directory, open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// One per storage, for all runs of this process.
    pub(crate) lanes: Lanes,
    /// What the day's quotas leave.
    pub(crate) budgets: Budgets,
    /// The runs that this process is at.
    pub(crate) at_work: AtWork,
    /// Where those who listen are told what happens.
    pub(crate) bus: Bus,
    /// Told when there may be something for the scheduler to do.
    pub(crate) awake: Arc<Notify>,
    /// So many runs at most are at work at once; 0 without a scheduler.
    pub(crate) max_runs: Arc<AtomicU32>,
    /// What the scheduler tells of itself.
    pub(crate) pulse: Pulse,
    /// What the runs of this process have come to.
    pub(crate) tallies: Tallies,
    /// What the storages declared of themselves when they were opened last.
    pub(crate) known_facts: KnownFacts,
    /// The storages that people browse.
    pub(crate) shelves: Shelves,
    /// What was counted over whole libraries.
    pub(crate) counted: Counted,
    /// What the dashboard does not look up every time.
    pub(crate) remembered: Remembered,
    /// Where files wait that were handed over to be sent.
    pub(crate) spool: Spool,
    /// Cancelled when the program is about to end.
    pub(crate) is_ending: CancellationToken,
    /// Whether a scheduler is at work in this process.
    pub(crate) is_scheduling: Arc<AtomicBool>,
    /// The turn to hash a password.
    pub(crate) hashing: Hashing,
    /// This process, among all that have the database open.
    pub(crate) owner: Arc<str>,
    pub(crate) data_dir: PathBuf,
    /// Held by the one process that runs plans.
    ownership: Arc<OnceCell<File>>,
}

impl Engine {
    /// Opens a data directory, or makes one. Several processes may have it open; only one runs plans.
    ///
    /// # Errors
    /// When the directory, the key or the database cannot be used.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        let Settings { data_dir, key_file, registry, clock, entropy } = settings;
        make_private_dir(&data_dir)?;
        let key_file = key_file.unwrap_or_else(|| data_dir.join("charon.key"));
        let key_file = std::path::absolute(&key_file).map_err(|source| Error::DataFile {
            doing: "find the key file",
            path: key_file,
            source,
        })?;
        let store = Store::open(&data_dir.join("charon.db")).await?;
        refuse_missing_key(&key_file, &store).await?;
        let vault = Vault::open(&key_file, Arc::clone(&entropy))?;
        let budgets = Budgets::new(store.clone(), Arc::clone(&clock));
        Ok(Self {
            store,
            vault,
            registry,
            lanes: Lanes::new(Arc::clone(&clock)),
            budgets,
            at_work: AtWork::default(),
            bus: Bus::default(),
            awake: Arc::default(),
            max_runs: Arc::default(),
            pulse: Pulse::default(),
            tallies: Tallies::default(),
            known_facts: KnownFacts::default(),
            shelves: Shelves::default(),
            counted: Counted::default(),
            remembered: Remembered::default(),
            spool: Spool::new(&data_dir),
            is_ending: CancellationToken::new(),
            is_scheduling: Arc::default(),
            hashing: Hashing::default(),
            owner: RunId::new(&*clock, &*entropy).to_string().into(),
            clock,
            entropy,
            data_dir,
            ownership: Arc::default(),
        })
    }

    /// The providers that are compiled in.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The present moment, by the engine's clock.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// A new id for something that is not in the database. It is hard to guess, and no secret.
    pub fn new_id(&self) -> uuid::Uuid {
        RunId::new(&*self.clock, &*self.entropy).0
    }

    /// The folder of the database and of all else that this Charon keeps.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Closes the database; to be called when nothing more is wanted.
    pub async fn close(self) {
        if self.ownership.initialized() {
            // Without it, another machine waits for its end.
            drop(self.store.end_lease(&self.owner).await);
        }
        self.store.close().await;
    }

    /// There may be something for the scheduler to do.
    pub(crate) fn wake(&self) {
        self.awake.notify_one();
    }

    /// Makes this process the one that runs plans, for as long as it lives, and takes up what an earlier one has left in the
    /// middle.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process is it; when the database is damaged.
    pub(crate) async fn take_ownership(&self) -> Result<(), Error> {
        let own = async {
            let mut lock = self.try_lock()?;
            // Somebody who only looks whether the runs are alive holds it for a moment.
            for _ in 0..5 {
                if lock.is_some() {
                    break;
                }
                self.clock.sleep(Duration::from_millis(20)).await;
                lock = self.try_lock()?;
            }
            let lock = lock.ok_or_else(|| Error::Busy(self.data_dir.clone()))?;
            self.store.check_integrity().await.map_err(|damage| Error::Unusable {
                path: self.data_dir.join("charon.db"),
                reason: format!("it is damaged ({damage}); put a backup of it back"),
            })?;
            self.renew_lease().await?;
            Ok::<File, Error>(lock)
        };
        self.ownership.get_or_try_init(|| own).await?;
        let taken_up = self.store.recover(|run| self.at_work.has(run), self.clock.now()).await?;
        if taken_up > 0 {
            tracing::info!(taken_up, "an earlier process ended in the middle of runs");
        }
        Ok(())
    }

    /// Says that this process runs plans, for a while.
    ///
    /// # Errors
    /// [`Error::BusyElsewhere`] when a process on another machine has said so, and the while is not over.
    pub(crate) async fn renew_lease(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let max_runs = self.max_runs.load(Ordering::Relaxed);
        let lease = EngineLease {
            owner: self.owner.to_string(),
            machine: machine(),
            until: now.checked_add(LEASE).unwrap_or(now),
            max_runs: (max_runs > 0).then_some(max_runs),
        };
        match self.store.lease(&lease, now).await? {
            Some(other) => Err(Error::BusyElsewhere { path: self.data_dir.clone(), until: other.until }),
            None => Ok(()),
        }
    }

    /// Whether a process, this one or another, is there to run plans.
    pub(crate) fn somebody_runs_plans(&self) -> bool {
        // Who may not lock may still look.
        self.ownership.initialized() || !matches!(self.try_lock(), Ok(Some(_)))
    }

    /// Tells the truth of runs that a process which is no more has left in the middle: they wait to be taken up.
    pub(crate) async fn recover_abandoned_runs(&self) -> Result<bool, Error> {
        if self.ownership.initialized() {
            return Ok(false);
        }
        // Held until it is told, so that none can begin meanwhile.
        let Ok(Some(_lock)) = self.try_lock() else { return Ok(false) };
        Ok(self.store.recover(|_| false, self.clock.now()).await? > 0)
    }

    /// The lock of the data directory, unless another process holds it.
    fn try_lock(&self) -> Result<Option<File>, Error> {
        let path = self.data_dir.join("charon.lock");
        let failed = |source| Error::DataFile { doing: "lock", path: path.clone(), source };
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// This machine, by a name that it keeps: the lease of a process that was killed on it is no reason to wait. (In a container that
/// has no such name, it is one that changes when the machine is started anew.)
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let known = read("/etc/machine-id").or_else(|| read("/proc/sys/kernel/random/boot_id"));
    // Not even a machine without a name has two of them.
    known.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".into())
}

/// A new key would not open the secrets that are stored, and would hide that the old one is missing.
async fn refuse_missing_key(key_file: &Path, store: &Store) -> Result<(), Error> {
    let is_missing = fs::metadata(key_file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_missing && !(store.storages().await?.is_empty() && store.channels().await?.is_empty()) {
        return Err(Error::Vault(format!(
            "the key file {} is not there, and the stored secrets do not open without it: put it back, or set \
             CHARON_KEY_FILE to where it is",
            key_file.display()
        )));
    }
    Ok(())
}

/// The data directory holds a key: it is for its owner alone.
fn make_private_dir(path: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => Error::Refused(format!(
            "the data directory {} is not a folder; choose another with --data-dir",
            path.display()
        )),
        _ => Error::DataFile { doing: "make the data directory", path: path.to_owned(), source },
    };
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(failed)
}
