//! Where the cameras that are set up are kept, and where if nobody says.

use std::{ffi::OsString, path::PathBuf};

/// Where the cameras that are set up are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// Nowhere: forgotten at the end.
    Off,
    /// In this folder, which is made if it is not there.
    Dir(PathBuf),
}

impl DataDir {
    /// Where programs keep their data here: what systemd made for the service
    /// (`StateDirectory=`), else the user's place of the XDG base directory specification.
    pub fn default_for(env: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        // The specification has relative paths ignored; several are separated by colons.
        let absolute = |name: &str| {
            let value = env(name)?.into_string().ok()?;
            let first = PathBuf::from(value.split(':').next()?);
            first.is_absolute().then_some(first)
        };
        let state = absolute("STATE_DIRECTORY");
        let data = || Some(absolute("XDG_DATA_HOME")?.join("framecast"));
        let home = || Some(absolute("HOME")?.join(".local/share/framecast"));
        state.or_else(data).or_else(home).map(Self::Dir)
    }
}
