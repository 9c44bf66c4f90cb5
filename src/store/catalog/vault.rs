//! Secrets at rest: ChaCha20-Poly1305 (RFC 8439) under a key in a file of its own.
//!
//! A sealed secret is `1 | key id (8) | nonce (12) | ciphertext and tag`. The camera's id and what
//! the secret is for are associated data, so a sealed secret opens only in its own place: whoever
//! can write the database cannot move a password to a camera that leads elsewhere.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rand::RngCore as _;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
};
use thiserror::Error;

use crate::{relay::CameraId, wire::Secret};

const FORMAT: u8 = 1;
const KEY_LEN: usize = 32;
const KEY_ID_LEN: usize = 8;

/// Why secrets cannot be sealed or opened. The texts say what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// No key.
    #[error(
        "the key file {} cannot be used: {reason}; mend that, or move it away to start with a new key, \
         and then give the passwords again", path.display()
    )]
    Unusable {
        /// Of the key.
        path: PathBuf,
        /// In plain words.
        reason: String,
    },
    /// Another key than the secret was sealed with.
    #[error(
        "the password was encrypted with another key than the one in {}: put the old key file back \
         and restart, or give the password again", path.display()
    )]
    Other {
        /// Of the key.
        path: PathBuf,
    },
    /// Right key, wrong bytes.
    #[error("the stored password is damaged, or was another camera's; give it again")]
    Damaged,
}

/// Seals and opens.
pub(super) struct Vault {
    path: PathBuf,
    key: Result<(LessSafeKey, [u8; KEY_ID_LEN]), KeyError>,
}

impl Vault {
    /// With a key that ends with the process.
    pub fn in_memory() -> Self {
        Self { path: PathBuf::from("memory"), key: Ok(prepared(&fresh())) }
    }

    /// With the key of a file, which is made if there is none.
    pub fn open(path: PathBuf) -> Self {
        let key = load(&path)
            .map(|key| prepared(&key))
            .map_err(|error| KeyError::Unusable { path: path.clone(), reason: why(&path, &error) });
        Self { path, key }
    }

    /// Whether there is a key at all.
    pub fn usable(&self) -> Result<(), KeyError> {
        self.key.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Encrypts what is for `slot` of a camera.
    pub fn seal(
        &self,
        camera: &CameraId,
        slot: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, KeyError> {
        let (key, id) = self.key.as_ref().map_err(Clone::clone)?;
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut text = secret.reveal().as_bytes().to_vec();
        let sealed = key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            aad(camera, slot),
            &mut text,
        );
        // Only texts of many gigabytes are refused.
        sealed.map_err(|_| KeyError::Damaged)?;
        Ok([&[FORMAT][..], id, &nonce, &text].concat())
    }

    /// Decrypts it again.
    pub fn open_sealed(
        &self,
        camera: &CameraId,
        slot: &str,
        sealed: &[u8],
    ) -> Result<Secret, KeyError> {
        let (key, id) = self.key.as_ref().map_err(Clone::clone)?;
        let (&format, rest) = sealed.split_first().ok_or(KeyError::Damaged)?;
        let (theirs, rest) = rest.split_at_checked(KEY_ID_LEN).ok_or(KeyError::Damaged)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(KeyError::Damaged)?;
        if format != FORMAT {
            return Err(KeyError::Damaged);
        }
        if theirs != id {
            return Err(KeyError::Other { path: self.path.clone() });
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Damaged)?;
        let mut text = text.to_vec();
        let opened = key.open_in_place(nonce, aad(camera, slot), &mut text);
        let opened = opened.map_err(|_| KeyError::Damaged)?;
        let opened = std::str::from_utf8(opened).map_err(|_| KeyError::Damaged)?;
        Ok(Secret::new(opened))
    }
}

fn why(path: &Path, error: &io::Error) -> String {
    match path.parent() {
        Some(folder)
            if error.kind() == io::ErrorKind::NotFound && !folder.as_os_str().is_empty() =>
        {
            format!("the folder {} is not there", folder.display())
        }
        _ => error.to_string(),
    }
}

/// No id has a zero byte.
fn aad(camera: &CameraId, slot: &str) -> Aad<Vec<u8>> {
    Aad::from([camera.as_str().as_bytes(), &[0], slot.as_bytes()].concat())
}

fn fresh() -> [u8; KEY_LEN] {
    let mut key = [0; KEY_LEN];
    rand::rng().fill_bytes(&mut key);
    key
}

fn prepared(key: &[u8; KEY_LEN]) -> (LessSafeKey, [u8; KEY_ID_LEN]) {
    let hash = digest::digest(&digest::SHA256, &[&b"framecast key id"[..], key].concat());
    let mut id = [0; KEY_ID_LEN];
    id.copy_from_slice(&hash.as_ref()[..KEY_ID_LEN]);
    let unbound = UnboundKey::new(&CHACHA20_POLY1305, key);
    (LessSafeKey::new(unbound.expect("the key has the algorithm's length")), id)
}

fn load(path: &Path) -> io::Result<[u8; KEY_LEN]> {
    let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text);
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return create(path),
        text => text?,
    };
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(
            "the key file {0} can be read by others (mode {1:o}); chmod 600 {0}",
            path.display(),
            mode & 0o777
        );
    }
    let text = text.trim();
    let mut key = [0; KEY_LEN];
    if text.len() != 2 * KEY_LEN || !text.is_ascii() {
        return Err(bad("it does not hold 64 hexadecimal digits"));
    }
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        let digits = u8::from_str_radix(&text[at..at + 2], 16);
        *byte = digits.map_err(|_| bad("it does not hold 64 hexadecimal digits"))?;
    }
    Ok(key)
}

/// Whole on the disk before anything is sealed with it, whenever the process ends.
fn create(path: &Path) -> io::Result<[u8; KEY_LEN]> {
    let key = fresh();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    writeln!(file, "{hex}")?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::File::open(dir)?.sync_all()?;
    }
    tracing::info!("made the key file {}; without it stored passwords are lost", path.display());
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CameraId {
        CameraId::parse(text).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_in_its_own_place_with_its_own_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let vault = Vault::open(path.clone());
        let secret = Secret::new("hunter2 ä");
        let sealed = vault.seal(&id("door"), "password", &secret).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(sealed, vault.seal(&id("door"), "password", &secret).unwrap(), "a fresh nonce");

        let again = Vault::open(path.clone());
        assert_eq!(again.open_sealed(&id("door"), "password", &sealed).unwrap(), secret);
        let open = |camera, slot, sealed: &[u8]| again.open_sealed(&id(camera), slot, sealed);
        assert_eq!(open("yard", "password", &sealed), Err(KeyError::Damaged));
        assert_eq!(open("door", "path", &sealed), Err(KeyError::Damaged));
        for len in 0..sealed.len() {
            assert_eq!(open("door", "password", &sealed[..len]), Err(KeyError::Damaged));
        }
        let mut flipped = sealed.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(open("door", "password", &flipped), Err(KeyError::Damaged));

        fs::remove_file(&path).unwrap();
        let other = Vault::open(path).open_sealed(&id("door"), "password", &sealed).unwrap_err();
        assert!(other.to_string().contains("put the old key file back"), "{other}");
    }

    #[test]
    fn the_key_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(Vault::open(path.clone()).usable().is_ok());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap().trim().len(), 64);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_key_file_that_holds_no_key_says_what_to_do_and_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for text in ["", "abc", &"x".repeat(64), &"é".repeat(32), &"0".repeat(63)] {
            fs::write(&path, text).unwrap();
            let error = Vault::open(path.clone()).usable().unwrap_err().to_string();
            assert!(
                error.contains("64 hexadecimal digits") && error.contains("move it"),
                "{error}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
