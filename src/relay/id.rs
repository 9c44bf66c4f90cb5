//! Camera ids.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::wire::envelope::{MAX_CAMERA_ID, is_camera_id};

/// A camera's id: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CameraId(Arc<str>);

/// The text is no camera id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a camera id: use 1 to 64 letters, digits, '.', '_' or '-', \
     starting with a letter or digit"
)]
pub struct BadCameraId(String);

impl CameraId {
    /// Checks the pattern.
    pub fn parse(text: &str) -> Result<Self, BadCameraId> {
        // What is echoed back stays short, whatever was sent.
        let bad = || BadCameraId(text.chars().take(MAX_CAMERA_ID + 1).collect());
        is_camera_id(text).then(|| Self(text.into())).ok_or_else(bad)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for CameraId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for CameraId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_match_the_pattern_are_taken_and_others_refused() {
        for good in ["a", "0", "front-door", "Cam_2.left", &"x".repeat(64)] {
            assert_eq!(CameraId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".a", "-a", "a b", "a/b", "../etc", "ä", "a\0", &"x".repeat(65)] {
            assert!(CameraId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
