//! Lets `cargo build` work where the pages were not built: the folders they are embedded from have
//! to exist. An empty one is served as a page that says what to do.

use std::{fs, io};

fn main() -> io::Result<()> {
    for dist in ["capture-web/dist", "viewer-web/dist", "embed-web/dist"] {
        fs::create_dir_all(dist)?;
        println!("cargo::rerun-if-changed={dist}");
    }
    Ok(())
}
