//! One flush: entries in, one pipeline out, and what became of them.

use std::{sync::Arc, time::Duration};

use deadpool_redis::redis::{Pipeline, RedisResult, Value};

use super::{
    Format,
    batch::Entry,
    keys,
    link::{Failure, Link},
};

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
    /// Commands carried out.
    pub commands: u64,
    /// Commands refused.
    pub errors: u64,
    /// The first refusal.
    pub error: Option<String>,
}

/// Writes `entries`; without any, asks whether Redis is there.
///
/// One transaction: a connection that breaks in the middle must not leave a picture behind that
/// never expires.
pub(super) async fn send(
    link: &Link,
    layout: Layout,
    entries: &[Entry],
) -> Result<Report, Failure> {
    let mut pipe = Pipeline::with_capacity(2 * keys::COMMANDS * entries.len() + 1);
    pipe.ignore_errors();
    if entries.is_empty() {
        pipe.cmd("PING");
        // Here a refusal means that Redis lets nobody in yet.
        let answers = link.run(&pipe).await?;
        return match answers.into_iter().find_map(RedisResult::err) {
            Some(error) => Err(Failure::Away(link.text(&error))),
            None => Ok(Report { commands: 1, ..Report::default() }),
        };
    }
    pipe.atomic();
    let mut scratch = String::new();
    for entry in entries {
        if let Some(client) = &entry.client {
            keys::write_client(&mut pipe, &entry.camera, client);
        }
        if let Some(frame) = &entry.frame {
            let Layout { format, frame_ttl } = layout;
            keys::write_frame(&mut pipe, &entry.camera, frame, format, frame_ttl, &mut scratch);
            // A picture of 4 MiB takes some milliseconds to encode: others get their turn between.
            tokio::task::yield_now().await;
        }
    }
    drop(scratch);
    let answers = link.run(&pipe).await?;
    Ok(report(link, entries, &answers))
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

fn report(link: &Link, entries: &[Entry], answers: &[RedisResult<Value>]) -> Report {
    let ok = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    let first = answers.iter().find_map(|answer| answer.as_ref().err());
    let mut report = Report {
        // With MULTI and EXEC.
        commands: ok + 2,
        errors: answers.len() as u64 - ok,
        error: first.map(|error| link.text(error)),
        ..Report::default()
    };
    let mut answers = answers.chunks(keys::COMMANDS);
    for entry in entries {
        if entry.client.is_some() {
            answers.next();
        }
        if entry.frame.is_some() {
            let stored = answers.next().is_some_and(|pair| pair.iter().all(Result::is_ok));
            *if stored { &mut report.written } else { &mut report.refused } += 1;
        }
    }
    report
}
