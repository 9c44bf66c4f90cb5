//! Where values come from: environment and file become arguments of the command line, unless it
//! says them itself.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap::{
    Arg, ArgAction, Args as _, Command,
    error::{ContextKind, ContextValue},
};

use super::{Config, ConfigError};

/// Environment names of the system that framecast replaces, and the flags that they set. The ports
/// among them keep the default host.
pub const OLD_NAMES: [(&str, &str); 4] = [
    ("WEBSOCKET_PORT", "ingest-addr"),
    ("STREAMING_PORT", "view-addr"),
    ("API_PORT", "api-addr"),
    ("REDIS_URL", "redis-url"),
];

/// The environment variable of a flag: `view-addr` is `FRAMECAST_VIEW_ADDR`.
pub fn env_name(flag: &str) -> String {
    format!("FRAMECAST_{}", flag.to_uppercase().replace('-', "_"))
}

/// What the layers below the command line say, ready to be put before its arguments.
#[derive(Debug, Default)]
pub struct Expansion {
    /// `--flag=value` each.
    pub args: Vec<OsString>,
    origins: BTreeMap<String, String>,
}

/// Turns environment and file into arguments. `said` is what the command line has after the
/// command's name; `env` looks a variable up.
pub fn expand(
    said: &[OsString],
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Expansion, ConfigError> {
    // A variable that is set to nothing is how compose files and unit files say "not set".
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let command = Config::augment_args(Command::new("framecast"));
    let flags: Vec<&Arg> = command.get_arguments().collect();

    let from_env = env(&env_name("config"));
    let path = value_said(said, "config").or(from_env).map(PathBuf::from);
    let mut file = path.map(|path| read_file(path, &flags)).transpose()?.unwrap_or_default();

    let mut expansion = Expansion::default();
    for flag in flags {
        let Some(name) = flag.get_long() else { continue };
        if is_said(said, name) {
            continue;
        }
        let old = OLD_NAMES.into_iter().find(|(_, flag)| *flag == name).map(|(old, _)| old.into());
        let variables = [Some(env_name(name)), old].into_iter().flatten();
        let set = variables.into_iter().find_map(|variable| Some((env(&variable)?, variable)));
        let (values, origin) = match (set, file.values.remove(name)) {
            (Some((value, variable)), _) => (vec![value], format!("{variable} in the environment")),
            (None, Some(values)) => {
                let values = values.into_iter().map(OsString::from).collect();
                (values, format!("{name} in {}", file.path.display()))
            }
            (None, None) => continue,
        };
        for value in values {
            let mut arg = OsString::from(format!("--{name}="));
            arg.push(value);
            expansion.args.push(arg);
        }
        expansion.origins.insert(name.to_owned(), origin);
    }
    Ok(expansion)
}

impl Expansion {
    /// Adds to the parser's error where the value came from, if not from the command line.
    pub fn explain(&self, error: clap::Error) -> ConfigError {
        let flag = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(arg)) => arg.split_whitespace().next(),
            _ => None,
        };
        let name = flag.and_then(|flag| flag.strip_prefix("--"));
        let name = name.map(|name| name.trim_end_matches("..."));
        let origin = name.and_then(|name| self.origins.get(name)).cloned();
        ConfigError::Arguments { error, origin }
    }
}

/// The sentence behind a parser's error.
pub(super) fn note(origin: Option<&str>) -> String {
    origin.map(|origin| format!("\nThe value comes from {origin}.\n")).unwrap_or_default()
}

/// A settings file, its keys checked, its values not yet.
#[derive(Debug, Default)]
struct File {
    path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

fn read_file(path: PathBuf, flags: &[&Arg]) -> Result<File, ConfigError> {
    let fail = |reason: String| ConfigError::File { path: path.clone(), reason };
    let text = std::fs::read_to_string(&path).map_err(|error| fail(error.to_string()))?;
    let table: toml::Table =
        text.parse().map_err(|error| fail(format!("it is not TOML\n{}", syntax(&error))))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        // Both ways of writing a key are common in TOML.
        let name = key.replace('_', "-");
        let flag = flags.iter().find(|flag| flag.get_long() == Some(&name) && name != "config");
        let flag = flag.ok_or_else(|| fail(unknown_key(&key, flags)))?;
        let many = matches!(flag.get_action(), ArgAction::Append);
        let texts = texts(value, many).ok_or_else(|| {
            let list = if many { ", or a list of them" } else { "" };
            fail(format!("{key} must be a text or a number{list}"))
        })?;
        if values.insert(name, texts).is_some() {
            return Err(fail(format!("{key} is there twice")));
        }
    }
    Ok(File { path, values })
}

/// The parser's own text, which quotes the line with a mark under it, but not one that may hold a
/// password.
fn syntax(error: &toml::de::Error) -> String {
    let text = error.to_string();
    match text.to_ascii_lowercase().contains("redis") {
        true => format!("{}\n{}", text.lines().next().unwrap_or_default(), error.message()),
        false => text.trim_end().to_owned(),
    }
}

/// A value as the command line would have it.
fn texts(value: toml::Value, many: bool) -> Option<Vec<String>> {
    Some(match value {
        toml::Value::String(text) => vec![text],
        toml::Value::Integer(number) => vec![number.to_string()],
        toml::Value::Float(number) => vec![number.to_string()],
        toml::Value::Array(items) if many => {
            let items = items.into_iter().map(|item| texts(item, false));
            items.collect::<Option<Vec<_>>>()?.concat()
        }
        _ => return None,
    })
}

fn unknown_key(key: &str, flags: &[&Arg]) -> String {
    let names = flags.iter().filter_map(|flag| flag.get_long()).filter(|&name| name != "config");
    let likeness = |name: &&str| strsim::jaro_winkler(name, &key.replace('_', "-"));
    let nearest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    format!("there is no setting {key}{hint}")
}

fn is_said(said: &[OsString], name: &str) -> bool {
    said.iter().any(|arg| strip(arg, name).is_some())
}

/// The last value of a flag on the command line.
fn value_said(said: &[OsString], name: &str) -> Option<OsString> {
    let at = said.iter().rposition(|arg| strip(arg, name).is_some())?;
    match strip(&said[at], name)? {
        Some(value) => Some(value.into()),
        None => said.get(at + 1).cloned(),
    }
}

/// `Some(Some(value))` for `--name=value`, `Some(None)` for `--name`.
fn strip<'a>(arg: &'a OsString, name: &str) -> Option<Option<&'a str>> {
    let rest = arg.to_str()?.strip_prefix("--")?.strip_prefix(name)?;
    if rest.is_empty() { Some(None) } else { rest.strip_prefix('=').map(Some) }
}
