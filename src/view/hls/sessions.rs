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

/// Between two looks whether a request of theirs was broken off, as it is when a page is left.
const LOOK: Duration = Duration::from_millis(200);

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
    /// Requests of theirs that are being answered.
    asking: usize,
    /// How soon they ask again, if they are still there.
    pace: Duration,
    /// They asked for the master playlist and have yet to go on to the media playlist.
    waits: bool,
    seat: Seat,
}

/// A viewer's request, while it is being answered.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    sessions: &'a Sessions,
    key: String,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(viewer) = self.sessions.viewers.lock().get_mut(&self.key) {
            viewer.asking = viewer.asking.saturating_sub(1);
            viewer.last = Instant::now();
        }
    }
}

impl Viewer {
    /// Since when they are overdue, or from when on; `None` while an answer is under way.
    fn quiet_at(&self) -> Option<Instant> {
        (self.asking == 0).then(|| self.last + self.pace)
    }

    fn is_quiet(&self) -> bool {
        self.quiet_at().is_some_and(|at| at <= Instant::now())
    }

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
            // Somebody who watches is never quiet for long, so this comes to an end.
            match self.quiet_at(client).filter(|at| *at <= begun + GONE) {
                Some(at) => tokio::time::sleep_until(at).await,
                None => return Err(full),
            }
        }
    }

    /// When one of those that `client` has is overdue, or may be.
    fn quiet_at(&self, client: &str) -> Option<Instant> {
        let viewers = self.viewers.lock();
        let theirs = viewers.values().filter(|viewer| viewer.client == client);
        theirs.map(|viewer| viewer.quiet_at().unwrap_or_else(|| Instant::now() + LOOK)).min()
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
            let quiet = theirs.filter(|(_, viewer)| viewer.is_quiet());
            let oldest =
                quiet.min_by_key(|(_, viewer)| viewer.last).map(|(token, _)| token.clone());
            let old = oldest.and_then(|token| viewers.remove(&token));
            old.map(|old| old.seat).ok_or(full)
        })?;
        let (token, client) = (new_token(), client.to_owned());
        let viewer =
            Viewer { client, last: Instant::now(), asking: 0, pace: QUIET, waits: true, seat };
        viewers.insert(token.clone(), viewer);
        Ok(token)
    }

    /// The viewer with this token asks for the media playlist, until what this gives is dropped, and is then
    /// expected again within `pace`; without a token it is known by `client`. One that was away for too
    /// long needs a seat again.
    pub(super) fn asks(
        &self,
        token: Option<&str>,
        client: &str,
        pace: Duration,
    ) -> Result<Asking<'_>, AtCapacity> {
        let plain = |token: &&str| {
            token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let key = token.filter(plain).unwrap_or(client);
        let mut viewers = self.viewers.lock();
        if !viewers.contains_key(key) {
            let seat = self.seat(viewers.len())?;
            let (last, client) = (Instant::now(), client.to_owned());
            let viewer = Viewer { client, last, asking: 0, pace, waits: false, seat };
            viewers.insert(key.to_owned(), viewer);
        }
        if let Some(viewer) = viewers.get_mut(key) {
            viewer.seen(pace);
            viewer.asking += 1;
        }
        Ok(Asking { sessions: self, key: key.to_owned() })
    }

    /// Frees the seats of those who have gone.
    pub(super) fn sweep(&self, target_s: u32) {
        let gone = gone_after(target_s);
        self.viewers.lock().retain(|_, viewer| viewer.asking > 0 || viewer.last.elapsed() < gone);
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
            sessions.asks(Some(&one), "a", SECOND).unwrap();
            sessions.sweep(1);
        }
        assert_eq!(sessions.camera.seats_taken(), 1);
        sessions.invite("c").await.unwrap();
        assert!(sessions.asks(Some(&two), "b", SECOND).is_err(), "somebody else has the seat");
    }

    #[tokio::test(start_paused = true)]
    async fn who_loads_the_page_again_gets_the_seat_they_had_and_takes_nobody_elses() {
        let sessions = sessions(2);
        let old = sessions.invite("me").await.unwrap();
        let other = sessions.invite("you").await.unwrap();
        sessions.asks(Some(&old), "me", SECOND).unwrap();
        let keep = async {
            loop {
                sessions.asks(Some(&other), "you", SECOND).unwrap();
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
        sessions.asks(Some(&again), "me", SECOND).unwrap();
        assert!(sessions.asks(Some(&old), "me", SECOND).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_keeps_the_seat_and_who_breaks_off_gives_it_up() {
        let sessions = sessions(1);
        let one = sessions.invite("me").await.unwrap();
        let asking = sessions.asks(Some(&one), "me", SECOND).unwrap();
        tokio::time::sleep(6 * SECOND).await;
        sessions.sweep(1);
        assert!(sessions.invite("me").await.is_err());
        drop(asking);
        sessions.invite("me").await.unwrap();
        assert_eq!(sessions.camera.seats_taken(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn another_tab_of_who_watches_is_refused_in_the_end() {
        let sessions = sessions(1);
        let one = sessions.invite("me").await.unwrap();
        sessions.asks(Some(&one), "me", SECOND).unwrap();
        let watch = async {
            loop {
                sessions.asks(Some(&one), "me", SECOND).unwrap();
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
        sessions.asks(Some(&tab), "browser", SECOND).unwrap();
        assert_ne!(sessions.invite("browser").await.unwrap(), tab);
        assert_eq!(sessions.camera.seats_taken(), 3);
    }

    #[tokio::test]
    async fn who_has_no_token_is_known_by_address_and_program() {
        let sessions = sessions(0);
        sessions.asks(None, "10.0.0.1 vlc", SECOND).unwrap();
        sessions.asks(Some("<script>"), "10.0.0.1 vlc", SECOND).unwrap();
        sessions.asks(None, "10.0.0.2 vlc", SECOND).unwrap();
        assert_eq!(sessions.camera.seats_taken(), 2);
    }
}
