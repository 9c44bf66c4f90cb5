//! One flush: entries in, one command out, and what became of them.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis::{Cmd, Pipeline, RedisError, RedisResult, Value, from_redis_value};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{
    Format,
    batch::Entry,
    keys,
    link::{Failure, Link},
};

/// By what Redis knows a script that it has been given: the SHA-1 of its text in hex.
static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, keys::SCRIPT.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
});

/// Bytes of an operation beside its picture, generously: room for the command is made once.
const OPERATION_BYTES: usize = 256;

/// How frames are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub format: Format,
    pub frame_ttl: Duration,
}

/// What Redis has answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Frames stored.
    pub written: u64,
    /// Frames not stored.
    pub refused: u64,
    /// Operations refused.
    pub errors: u64,
    /// The first refusal.
    pub error: Option<String>,
}

/// Writes `entries`; without any, asks whether Redis is there and runs the script.
pub(super) async fn send(
    link: &Link,
    layout: Layout,
    entries: &[Entry],
) -> Result<Report, Failure> {
    let mut answer = run(link, command(["EVALSHA", &SCRIPT_NAME], layout, entries).await).await?;
    if answer.as_ref().is_err_and(|error| error.code() == Some("NOSCRIPT")) {
        // A Redis that has just started, or whose scripts were flushed. It keeps this one from now.
        answer = run(link, command(["EVAL", keys::SCRIPT], layout, entries).await).await?;
    }
    let refusals = answer.and_then(|value| Ok(from_redis_value::<Vec<String>>(value)?));
    report(link, entries, &refusals.map_err(|error| failure(link, &error))?)
}

/// The first flush of a connection, which then opens the others that are kept.
pub(super) async fn send_first(
    link: &Arc<Link>,
    layout: Layout,
    entries: &[Entry],
) -> Result<Report, Failure> {
    let report = send(link, layout, entries).await?;
    link.warm().await;
    Ok(report)
}

/// Runs the script, which is given by its name or as a whole, with what it needs to know.
async fn command(script: [&str; 2], layout: Layout, entries: &[Entry]) -> Cmd {
    let clients =
        || entries.iter().filter_map(|entry| Some((&entry.camera, entry.client.as_ref()?)));
    let frames = || entries.iter().filter_map(|entry| Some((&entry.camera, entry.frame.as_ref()?)));
    let operations = clients().count() + frames().count();
    let bytes: usize = entries.iter().map(Entry::bytes).sum();
    let arguments = 6 + (1 + keys::VALUES) * operations;
    // Base64 takes four bytes for three.
    let bytes = keys::SCRIPT.len() + bytes.div_ceil(3) * 4 + operations * OPERATION_BYTES;

    let mut cmd = Cmd::with_capacity(arguments, bytes);
    cmd.arg(&script).arg(1 + operations).arg(keys::CLIENTS);
    for (id, _) in clients() {
        cmd.arg(keys::client(id.as_str().as_bytes()));
    }
    for (id, _) in frames() {
        cmd.arg(keys::image(id));
    }
    let ttl_ms = u64::try_from(layout.frame_ttl.as_millis()).unwrap_or(u64::MAX).max(1);
    cmd.arg(clients().count()).arg(ttl_ms);
    for (id, client) in clients() {
        keys::client_values(&mut cmd, id, client);
    }
    let mut scratch = String::new();
    for (_, frame) in frames() {
        keys::frame_values(&mut cmd, frame, layout.format, &mut scratch);
        // A picture of 4 MiB takes some milliseconds to encode: others get their turn between.
        tokio::task::yield_now().await;
    }
    cmd
}

/// Sends one command. What Redis says against it as a whole is in the inner result.
async fn run(link: &Link, cmd: Cmd) -> Result<RedisResult<Value>, Failure> {
    let mut pipe = Pipeline::with_capacity(1);
    pipe.add_command(cmd).ignore_errors();
    let answer = link.run(&pipe).await?.into_iter().next();
    answer.ok_or_else(|| Failure::Away("an empty answer".into()))
}

/// Redis has refused all of it.
fn failure(link: &Link, error: &RedisError) -> Failure {
    let text = link.text(error);
    match error.code() {
        Some("OOM") => Failure::Full(text),
        _ => Failure::Away(advised(text)),
    }
}

/// `refusals` holds a text for each operation, in the script's order; empty for what was stored.
fn report(link: &Link, entries: &[Entry], refusals: &[String]) -> Result<Report, Failure> {
    let clients = entries.iter().filter(|entry| entry.client.is_some()).count();
    let frames = entries.iter().filter(|entry| entry.frame.is_some()).count();
    if refusals.len() != clients + frames {
        return Err(Failure::Away("an answer of another length".into()));
    }
    let refused = |of: &[String]| of.iter().filter(|refusal| !refusal.is_empty()).count();
    let (errors, lost) = (refused(refusals), refused(&refusals[clients..]));
    let first = refusals.iter().find(|refusal| !refusal.is_empty());
    if let Some(error) = refusals.iter().find(|refusal| refusal.contains("OOM command")) {
        return Err(Failure::Full(link.text(error)));
    }
    // A key of another type is that entry's own trouble. Anything else that lets nothing through
    // (a replica, a full disk, a user without rights) is Redis'.
    let others = refusals.iter().find(|refusal| !refusal.is_empty() && !is_wrong_type(refusal));
    if let Some(error) = others.filter(|_| errors == refusals.len()) {
        return Err(Failure::Away(advised(link.text(error))));
    }
    Ok(Report {
        written: (frames - lost) as u64,
        refused: lost as u64,
        errors: errors as u64,
        error: first.map(|error| link.text(error)),
    })
}

fn is_wrong_type(refusal: &str) -> bool {
    refusal.contains("WRONGTYPE")
}

/// Says what to do about an error that is the operator's to mend.
fn advised(error: String) -> String {
    // Inside a script, newer and older ones say it without the code.
    let is_forbidden = ["NOPERM", "NoPerm", "ACL failure", "can't run this command"];
    match is_forbidden.iter().any(|text| error.contains(text)) {
        true => format!("the user lacks rights that docs/redis.md lists: {error}"),
        false => error,
    }
}
