//! The house: which module may import which, held against the source; and what a container is built from.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// As the table in `src/lib.rs` says; `server` imports everything.
fn allowed(module: &str) -> &'static [&'static str] {
    match module {
        "wire" | "telemetry" | "synth" => &[],
        "net" | "relay" => &["wire", "telemetry"],
        "ingest" => &["relay", "wire", "net", "synth", "telemetry"],
        "media" => &["relay", "wire", "telemetry"],
        "view" => &["relay", "wire", "net", "store"],
        "store" => &["relay", "wire"],
        "http" => &["ingest", "view", "net", "wire", "telemetry"],
        "publish" => &["synth", "wire"],
        "config" => &["relay", "wire", "store"],
        other => panic!("module {other} is new: give it a row here and in src/lib.rs"),
    }
}

/// Every top-level module's own source, as (file, text).
fn sources() -> BTreeMap<String, Vec<(String, String)>> {
    fn walk(path: &Path, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                into.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut all = BTreeMap::new();
    for module in modules {
        let mut files = Vec::new();
        let file = src.join(format!("{module}.rs"));
        if let Ok(text) = fs::read_to_string(&file) {
            files.push((file.display().to_string(), text));
        }
        if src.join(module).is_dir() {
            walk(&src.join(module), &mut files);
        }
        assert!(!files.is_empty(), "{module}");
        all.insert(module.to_owned(), files);
    }
    all
}

#[test]
fn modules_import_only_what_the_house_allows() {
    let sources = sources();
    let mut seen = 0;
    for (module, files) in sources.iter().filter(|(module, _)| *module != "server") {
        for (file, text) in files {
            for (at, _) in text.match_indices("crate::") {
                for target in imported(&text[at + "crate::".len()..]) {
                    if sources.contains_key(&target) && target != *module {
                        seen += 1;
                        let may = allowed(module).contains(&target.as_str());
                        assert!(may, "{file}: {module} must not import {target}");
                    }
                }
            }
        }
    }
    assert!(seen > 20, "the imports were not read");
}

/// The first path segments after `crate::`, those of a `{…}` group too.
fn imported(text: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = text.strip_prefix('{') else { return vec![word(text)] };
    let (mut depth, mut start, mut words) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                words.push(word(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                words.push(word(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    words
}

#[test]
fn every_file_says_what_belongs_there() {
    for (_, files) in sources() {
        for (file, text) in files {
            assert!(text.starts_with("//!"), "{file} has no module header");
        }
    }
}

#[test]
fn a_container_is_built_from_all_that_cargo_asks_for() {
    fn copy(from: &Path, to: &Path) {
        if from.is_dir() {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let name = entry.unwrap().file_name();
                if !["node_modules", "dist"].iter().any(|left_out| name == *left_out) {
                    copy(&from.join(&name), &to.join(&name));
                }
            }
        } else {
            fs::copy(from, to).unwrap();
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = fs::read_to_string(root.join(".dockerignore")).unwrap();
    assert!(ignored.starts_with("*\n"), "what is not named is left out");
    let context = tempfile::tempdir().unwrap();
    for name in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        copy(&root.join(name), &context.path().join(name));
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]);
    let said = cargo.current_dir(context.path()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    // What the Dockerfile copies by name.
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    let copied = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    for line in copied.filter(|line| !line.starts_with("--from")) {
        let names: Vec<_> = line.split_whitespace().collect();
        for name in &names[..names.len() - 1] {
            assert!(context.path().join(name).exists(), "{name}");
        }
    }
}
