//! Removes dead clients: those in the set that are connected nowhere.
//!
//! Other servers may share the Redis, so a client is dead only by its `last_seen`, never because
//! this server does not know it. One that has no such time, or one in a format that is not ours, is
//! dead when the next look finds it unchanged.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use redis::{Pipeline, RedisResult, Value, from_redis_value};

use super::{
    keys,
    link::{Failure, Link},
};

/// Clients asked for at a time.
const PAGE: usize = 256;
/// Pages of one look; what is beyond comes in a later one, as the dead before it are gone.
const MAX_PAGES: usize = 64;
/// Clients without a readable time that are remembered until the next look.
const MAX_SUSPECTS: usize = 1024;
/// Milliseconds; a smaller number (before 1973) is in another unit.
const PLAUSIBLE_MS: u64 = 100_000_000_000;

/// Removes a client if its `last_seen` is still what it was when it was judged: it may have come
/// back since, to another server too.
const REMOVE: &str = "\
local seen = redis.call('HGET', KEYS[2], 'last_seen') or ''
if seen ~= ARGV[2] then return 0 end
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1";

/// A client's id and what its `last_seen` says; empty if there is none.
pub(super) type Member = (Vec<u8>, Vec<u8>);

/// Judges who is dead. No I/O.
#[derive(Debug, Default)]
pub(super) struct Judge {
    suspects: HashMap<Vec<u8>, Vec<u8>>,
    seen: HashMap<Vec<u8>, Vec<u8>>,
}

impl Judge {
    /// A look begins: those who were suspects in the last one may be found guilty.
    pub(super) fn begin(&mut self) {
        self.suspects = std::mem::take(&mut self.seen);
    }

    /// Picks the dead.
    pub(super) fn dead(
        &mut self,
        members: Vec<Member>,
        connected: &HashSet<Vec<u8>>,
        now_ms: u64,
        dead_after: Duration,
    ) -> Vec<Member> {
        let limit = u64::try_from(dead_after.as_millis()).unwrap_or(u64::MAX);
        let is_dead = |(id, last_seen): &Member| {
            if connected.contains(id) {
                return false;
            }
            let at = std::str::from_utf8(last_seen).ok().and_then(|text| text.parse::<u64>().ok());
            if let Some(at) = at.filter(|&at| at >= PLAUSIBLE_MS) {
                return now_ms.saturating_sub(at) > limit;
            }
            if self.suspects.get(id) == Some(last_seen) {
                return true;
            }
            if self.seen.len() < MAX_SUSPECTS {
                self.seen.insert(id.clone(), last_seen.clone());
            }
            false
        };
        members.into_iter().filter(is_dead).collect()
    }
}

/// One look at all clients. Returns how many were removed.
pub(super) async fn sweep(
    link: &Link,
    judge: &mut Judge,
    connected: &HashSet<Vec<u8>>,
    now_ms: u64,
    dead_after: Duration,
) -> Result<u64, Failure> {
    judge.begin();
    let (mut cursor, mut removed) = (0u64, 0);
    for _ in 0..MAX_PAGES {
        let (next, ids) = page(link, cursor).await?;
        let members = last_seen(link, ids).await?;
        let dead = judge.dead(members, connected, now_ms, dead_after);
        removed += remove(link, &dead).await?;
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    Ok(removed)
}

async fn page(link: &Link, cursor: u64) -> Result<(u64, Vec<Vec<u8>>), Failure> {
    let mut pipe = pipe();
    pipe.cmd("SSCAN").arg(keys::CLIENTS).arg(cursor).arg("COUNT").arg(PAGE);
    let answer = link.run(&pipe).await?.into_iter().next();
    let answer = answer.ok_or_else(|| Failure::Refused("an empty answer".into()))?;
    answer
        .and_then(|value| Ok(from_redis_value(value)?))
        .map_err(|error| Failure::Refused(link.text(&error)))
}

async fn last_seen(link: &Link, ids: Vec<Vec<u8>>) -> Result<Vec<Member>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipe = pipe();
    for id in &ids {
        pipe.cmd("HGET").arg(keys::client(id)).arg("last_seen");
    }
    let answers = link.run(&pipe).await?;
    // A key that is no hash is somebody else's and stays.
    let member = |(id, answer): (_, RedisResult<Value>)| {
        let last_seen: Option<Vec<u8>> = from_redis_value(answer.ok()?).ok()?;
        Some((id, last_seen.unwrap_or_default()))
    };
    Ok(ids.into_iter().zip(answers).filter_map(member).collect())
}

async fn remove(link: &Link, dead: &[Member]) -> Result<u64, Failure> {
    if dead.is_empty() {
        return Ok(0);
    }
    let mut pipe = pipe();
    for (id, last_seen) in dead {
        let eval = pipe.cmd("EVAL").arg(REMOVE).arg(2).arg(keys::CLIENTS).arg(keys::client(id));
        eval.arg(id).arg(last_seen);
    }
    let mut removed = 0;
    for answer in link.run(&pipe).await? {
        let one = answer.and_then(|value| Ok(from_redis_value::<u64>(value)?));
        removed += one.map_err(|error| Failure::Refused(link.text(&error)))?;
    }
    Ok(removed)
}

fn pipe() -> Pipeline {
    let mut pipe = Pipeline::new();
    pipe.ignore_errors();
    pipe
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;
    const MINUTE: Duration = Duration::from_secs(60);

    fn dead(judge: &mut Judge, connected: &[&str], now_ms: u64, last_seen: &str) -> bool {
        let connected = connected.iter().map(|id| id.as_bytes().to_vec()).collect();
        judge.begin();
        let members = vec![(b"a".to_vec(), last_seen.as_bytes().to_vec())];
        !judge.dead(members, &connected, now_ms, MINUTE).is_empty()
    }

    #[test]
    fn only_those_not_seen_for_a_minute_are_dead() {
        let mut judge = Judge::default();
        let seen = NOW_MS.to_string();
        assert!(!dead(&mut judge, &[], NOW_MS, &seen));
        assert!(!dead(&mut judge, &[], NOW_MS + 60_000, &seen));
        assert!(dead(&mut judge, &[], NOW_MS + 60_001, &seen));
        // Another server's clock may be ahead.
        assert!(!dead(&mut judge, &[], NOW_MS - 5_000, &seen));
    }

    #[test]
    fn who_is_connected_here_is_alive_however_long_unseen() {
        let mut judge = Judge::default();
        assert!(!dead(&mut judge, &["a"], NOW_MS + 3_600_000, &NOW_MS.to_string()));
        assert!(dead(&mut judge, &["b"], NOW_MS + 3_600_000, &NOW_MS.to_string()));
    }

    #[test]
    fn a_time_that_cannot_be_read_has_to_stay_the_same_from_look_to_look() {
        for text in ["", "2026-01-01T00:00:00Z", "1700000000", "1700000000.25"] {
            let mut judge = Judge::default();
            assert!(!dead(&mut judge, &[], NOW_MS, text), "{text:?}");
            assert!(!dead(&mut judge, &[], NOW_MS, "other"), "{text:?}");
            assert!(!dead(&mut judge, &[], NOW_MS, text), "{text:?}");
            assert!(dead(&mut judge, &[], NOW_MS, text), "{text:?}");
        }
    }

    #[test]
    fn suspects_are_bounded() {
        let mut judge = Judge::default();
        judge.begin();
        let many = (0..5000u32).map(|i| (i.to_le_bytes().to_vec(), Vec::new())).collect();
        assert!(judge.dead(many, &HashSet::new(), NOW_MS, MINUTE).is_empty());
        assert_eq!(judge.seen.len(), MAX_SUSPECTS);
    }
}
