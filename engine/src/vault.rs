//! Secrets at rest: encrypted from the first row (I6).
//!
//! The key is 32 random bytes in a file that only its owner can read: `charon.key` in the data directory, or the file that
//! `CHARON_KEY_FILE` names. Each sealed secret is bound to the row that it belongs to, so that a row's secret moved to
//! another row does not open.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use crate::{clock::Entropy, durable::sync_folder, error::Error};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Seals and opens secrets with the one key of a data directory.
#[derive(Clone)]
pub(crate) struct Vault {
    cipher: XChaCha20Poly1305,
    entropy: Arc<dyn Entropy>,
    key_file: PathBuf,
}

impl Vault {
    /// Reads the key, or makes one where there is none yet.
    ///
    /// # Errors
    /// When the file cannot be read or made, has another length, or can be read by others than its owner.
    pub(crate) fn open(key_file: &Path, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let failed = |doing| move |source| Error::DataFile { doing, path: key_file.to_owned(), source };
        let key = match fs::read(key_file) {
            Ok(key) => {
                refuse_readable_by_others(key_file)?;
                Zeroizing::new(key)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
                entropy.fill(&mut key);
                match make_key_file(key_file, &key, &*entropy) {
                    Ok(()) => key,
                    // Another process was first: its key is the key.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        refuse_readable_by_others(key_file)?;
                        Zeroizing::new(fs::read(key_file).map_err(failed("read the key file"))?)
                    }
                    Err(error) => return Err(failed("make the key file")(error)),
                }
            }
            Err(error) => return Err(failed("read the key file")(error)),
        };
        let cipher = XChaCha20Poly1305::new_from_slice(&key).map_err(|_| {
            Error::Vault(format!(
                "the key file {} holds {} bytes and not {KEY_BYTES}: put the right file back, or set CHARON_KEY_FILE to it",
                key_file.display(),
                key.len()
            ))
        })?;
        Ok(Self { cipher, entropy, key_file: key_file.to_owned() })
    }

    /// Encrypts a secret for the row called `place`.
    pub(crate) fn seal(&self, place: &str, secret: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; NONCE_BYTES];
        self.entropy.fill(&mut sealed);
        let nonce = nonce_of(&sealed);
        let encrypted = self
            .cipher
            .encrypt(&nonce, Payload { msg: secret, aad: place.as_bytes() })
            .expect("encrypting fails only beyond 256 GB");
        sealed.extend(encrypted);
        sealed
    }

    /// Decrypts what was sealed for the row called `place`.
    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let opened = sealed.split_at_checked(NONCE_BYTES).and_then(|(nonce, encrypted)| {
            self.cipher.decrypt(&nonce_of(nonce), Payload { msg: encrypted, aad: place.as_bytes() }).ok()
        });
        opened.map(Zeroizing::new).ok_or_else(|| {
            Error::Vault(format!(
                "the key in {} does not open the stored secrets: put the right key file back (or set CHARON_KEY_FILE to \
                 it), or enter the secrets again",
                self.key_file.display()
            ))
        })
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key_file", &self.key_file).finish_non_exhaustive()
    }
}

fn nonce_of(bytes: &[u8]) -> XNonce {
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&bytes[..NONCE_BYTES]);
    nonce.into()
}

/// Written and flushed beside, then linked into place: there is never half a key, and a key that is there is not replaced.
fn make_key_file(path: &Path, key: &[u8], entropy: &dyn Entropy) -> io::Result<()> {
    let mut random = [0; 8];
    entropy.fill(&mut random);
    let beside = path.with_extension(format!("{:016x}", u64::from_le_bytes(random)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    let written = file.write_all(key).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&beside, path) {
        // A file system without links: not as safe against two first starts at once, but there never is half a key.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
            fs::rename(&beside, path)
        }
        other => other,
    });
    // Linked or not, this name is of no more use; one that cannot be removed harms nobody.
    drop(fs::remove_file(&beside));
    linked.and_then(|()| path.parent().map_or(Ok(()), sync_folder))
}

#[cfg(unix)]
fn refuse_readable_by_others(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode()).unwrap_or_default();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::Vault(format!(
        "the key file {} can be read by others (mode {:o}): run `chmod 600` on it",
        path.display(),
        mode & 0o777
    )))
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Vault;
    use crate::clock::SystemEntropy;

    fn vault(directory: &tempfile::TempDir) -> Vault {
        Vault::open(&directory.path().join("charon.key"), Arc::new(SystemEntropy)).expect("a vault")
    }

    #[test]
    fn a_secret_opens_in_its_own_place_alone() {
        // I6
        let directory = tempfile::tempdir().expect("a directory");
        let sealed = vault(&directory).seal("storage/1", b"hunter2");
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        // A second opening reads the same key back.
        assert_eq!(**vault(&directory).unseal("storage/1", &sealed).expect("its place"), *b"hunter2");
        assert!(vault(&directory).unseal("storage/2", &sealed).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_key_file_is_for_its_owner_alone_and_refused_otherwise() {
        // I6
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("charon.key");
        vault(&directory);
        let mode = std::fs::metadata(&path).expect("the key file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        let error = Vault::open(&path, Arc::new(SystemEntropy)).expect_err("a readable key");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_wrong_key_is_told_from_a_missing_one() {
        let (one, other) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let sealed = vault(&one).seal("here", b"secret");
        let error = vault(&other).unseal("here", &sealed).expect_err("another key");
        assert!(error.to_string().contains("CHARON_KEY_FILE"), "{error}");
    }
}
