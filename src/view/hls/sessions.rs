//! Who watches a camera over HLS, which knows no connections: whoever has asked for a playlist lately.

use std::{collections::HashMap, fmt::Write as _, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::relay::{AtCapacity, Camera, Seat};

/// Somebody who asks for nothing for so long has gone, at the least.
const GONE: Duration = Duration::from_secs(5);

/// Low-latency players ask for the next part as soon as they have one. One that has not asked for so
/// long may be the one that the same person has just closed.
const QUIET: Duration = Duration::from_millis(1500);

/// Most viewers of one camera over HLS, whatever it allows.
const MAX_SESSIONS: usize = 10_000;

/// Longest token that is taken from a client; ours are shorter.
const MAX_TOKEN: usize = 32;

/// The viewers of one camera.
#[derive(Debug)]
pub(super) struct Sessions {
    camera: Arc<Camera>,
    viewers: Mutex<HashMap<String, Viewer>>,
}

#[derive(Debug)]
struct Viewer {
    /// Address and program.
    client: String,
    last: Instant,
    /// How soon they ask again, if they are still there.
    pace: Duration,
    /// They asked for the master playlist and have yet to go on to the media playlist.
    waits: bool,
    seat: Seat,
}

impl Viewer {
    fn seen(&mut self, pace: Duration) {
        (self.last, self.pace, self.waits) = (Instant::now(), pace, false);
    }
}

/// Players ask at least once a target duration, or wait three times as long for an answer: who has not
/// asked for this long has gone.
pub(super) fn gone_after(target_s: u32) -> Duration {
    GONE.max(Duration::from_secs(3 * u64::from(target_s)))
}

/// How soon a player asks for the media playlist again: one that waits for parts at once, another one
/// after a target duration, or a little more.
pub(super) fn pace(target_s: u32, for_parts: bool) -> Duration {
    if for_parts { QUIET } else { QUIET * target_s }
}

impl Sessions {
    pub(super) fn new(camera: Arc<Camera>) -> Self {
        Self { camera, viewers: Mutex::default() }
    }

    /// A token for who asks for the master playlist. One who only ever asks for that, as a probe does,
    /// gets the same one again, and takes one seat.
    ///
    /// Where there is no seat left, and `client` has seats, this waits until one of those is quiet and
    /// takes it: a page that is loaded anew must not be locked out by what it was before.
    pub(super) async fn invite(&self, client: &str) -> Result<String, AtCapacity> {
        let begun = Instant::now();
        loop {
            let full = match self.invite_now(client) {
                Ok(token) => return Ok(token),
                Err(full) => full,
            };
            // Somebody who watches is never quiet, so this comes to an end.
            match self.quiet_at(client).filter(|at| *at <= begun + GONE) {
                Some(at) => tokio::time::sleep_until(at).await,
                None => return Err(full),
            }
        }
    }

    /// When one of those that `client` has is overdue.
    fn quiet_at(&self, client: &str) -> Option<Instant> {
        let viewers = self.viewers.lock();
        let theirs = viewers.values().filter(|viewer| viewer.client == client);
        theirs.map(|viewer| viewer.last + viewer.pace).min()
    }

    fn invite_now(&self, client: &str) -> Result<String, AtCapacity> {
        let mut viewers = self.viewers.lock();
        let mut theirs = viewers.iter_mut().filter(|(_, viewer)| viewer.client == client);
        if let Some((token, viewer)) = theirs.find(|(_, viewer)| viewer.waits) {
            viewer.last = Instant::now();
            return Ok(token.clone());
        }
        let seat = self.seat(viewers.len()).or_else(|full| {
            let theirs = viewers.iter().filter(|(_, viewer)| viewer.client == client);
            let quiet = theirs.filter(|(_, viewer)| viewer.last.elapsed() >= viewer.pace);
            let oldest =
                quiet.min_by_key(|(_, viewer)| viewer.last).map(|(token, _)| token.clone());
            let old = oldest.and_then(|token| viewers.remove(&token));
            old.map(|old| old.seat).ok_or(full)
        })?;
        let (token, client) = (new_token(), client.to_owned());
        let viewer = Viewer { client, last: Instant::now(), pace: QUIET, waits: true, seat };
        viewers.insert(token.clone(), viewer);
        Ok(token)
    }

    /// The viewer with this token asks for the media playlist, and is expected again within `pace`;
    /// without one it is known by `client`. One that was away for too long needs a seat again.
    pub(super) fn seen(
        &self,
        token: Option<&str>,
        client: &str,
        pace: Duration,
    ) -> Result<(), AtCapacity> {
        let plain = |token: &&str| {
            token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let key = token.filter(plain).unwrap_or(client);
        let mut viewers = self.viewers.lock();
        if let Some(viewer) = viewers.get_mut(key) {
            viewer.seen(pace);
            return Ok(());
        }
        let seat = self.seat(viewers.len())?;
        let (last, client) = (Instant::now(), client.to_owned());
        viewers.insert(key.to_owned(), Viewer { client, last, pace, waits: false, seat });
        Ok(())
    }

    /// Frees the seats of those who have gone.
    pub(super) fn sweep(&self, target_s: u32) {
        let gone = gone_after(target_s);
        self.viewers.lock().retain(|_, viewer| viewer.last.elapsed() < gone);
    }

    fn seat(&self, viewers: usize) -> Result<Seat, AtCapacity> {
        if viewers >= MAX_SESSIONS {
            return Err(AtCapacity { limit: MAX_SESSIONS as u32 });
        }
        self.camera.seat()
    }
}

fn new_token() -> String {
    rand::random::<[u8; 8]>().iter().fold(String::new(), |mut token, byte| {
        _ = write!(token, "{byte:02x}");
        token
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::{CameraId, Clock, Limits, Publisher, Registry, Transport};

    fn sessions(limit: u32) -> Sessions {
        let registry = Registry::new(Limits::default(), Clock::system());
        let door = CameraId::parse("door").unwrap();
        let producer = registry.publish(&door, Publisher::over(Transport::Rtsp)).unwrap();
        producer.camera().limit_viewers(limit);
        Sessions::new(producer.camera().clone())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_viewer_has_one_seat_and_gives_it_up_by_going() {
        let sessions = sessions(2);
        let one = sessions.invite("a").await.unwrap();
        let two = sessions.invite("b").await.unwrap();
        assert_ne!(one, two);
        assert!(sessions.invite("c").await.is_err());
        for _ in 0..3 {
            tokio::time::advance(2 * SECOND).await;
            sessions.seen(Some(&one), "a", SECOND).unwrap();
            sessions.sweep(1);
        }
        assert_eq!(sessions.camera.seats_taken(), 1);
        sessions.invite("c").await.unwrap();
        assert!(sessions.seen(Some(&two), "b", SECOND).is_err(), "somebody else has the seat");
    }

    #[tokio::test(start_paused = true)]
    async fn who_loads_the_page_again_gets_the_seat_they_had_and_takes_nobody_elses() {
        let sessions = sessions(2);
        let old = sessions.invite("me").await.unwrap();
        let other = sessions.invite("you").await.unwrap();
        sessions.seen(Some(&old), "me", SECOND).unwrap();
        let keep = async {
            loop {
                sessions.seen(Some(&other), "you", SECOND).unwrap();
                tokio::time::sleep(SECOND / 5).await;
            }
        };
        let begun = Instant::now();
        let again = tokio::select! {
            again = sessions.invite("me") => again.unwrap(),
            () = keep => unreachable!(),
        };
        assert_eq!(begun.elapsed(), SECOND, "once the old one is quiet");
        assert_eq!(sessions.camera.seats_taken(), 2);
        sessions.seen(Some(&again), "me", SECOND).unwrap();
        assert!(sessions.seen(Some(&old), "me", SECOND).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn another_tab_of_who_watches_is_refused_in_the_end() {
        let sessions = sessions(1);
        let one = sessions.invite("me").await.unwrap();
        sessions.seen(Some(&one), "me", SECOND).unwrap();
        let watch = async {
            loop {
                sessions.seen(Some(&one), "me", SECOND).unwrap();
                tokio::time::sleep(SECOND / 5).await;
            }
        };
        let begun = Instant::now();
        let another = tokio::select! {
            another = sessions.invite("me") => another,
            () = watch => unreachable!(),
        };
        assert!(another.is_err() && begun.elapsed() <= GONE, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_probe_takes_one_seat_and_two_tabs_of_a_browser_take_two() {
        let sessions = sessions(0);
        let probe = sessions.invite("probe").await.unwrap();
        assert_eq!(sessions.invite("probe").await.unwrap(), probe);
        let tab = sessions.invite("browser").await.unwrap();
        sessions.seen(Some(&tab), "browser", SECOND).unwrap();
        assert_ne!(sessions.invite("browser").await.unwrap(), tab);
        assert_eq!(sessions.camera.seats_taken(), 3);
    }

    #[tokio::test]
    async fn who_has_no_token_is_known_by_address_and_program() {
        let sessions = sessions(0);
        sessions.seen(None, "10.0.0.1 vlc", SECOND).unwrap();
        sessions.seen(Some("<script>"), "10.0.0.1 vlc", SECOND).unwrap();
        sessions.seen(None, "10.0.0.2 vlc", SECOND).unwrap();
        assert_eq!(sessions.camera.seats_taken(), 2);
    }
}
