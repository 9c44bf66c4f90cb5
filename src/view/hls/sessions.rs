//! Who watches a camera over HLS, which knows no connections: whoever has asked for a playlist lately.

use std::{collections::HashMap, fmt::Write as _, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::relay::{AtCapacity, Camera, Seat};

/// Somebody who has not asked for a playlist for so long has gone. Players ask at least once a target
/// duration; see [`Sessions::sweep`].
const IDLE: Duration = Duration::from_secs(10);

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
    last: Instant,
    /// Who asked for the master playlist, until they go on to the media playlist.
    waits: Option<String>,
    _seat: Seat,
}

impl Sessions {
    pub(super) fn new(camera: Arc<Camera>) -> Self {
        Self { camera, viewers: Mutex::default() }
    }

    /// A token for who asks for the master playlist. One who only ever asks for that, as a probe does,
    /// gets the same one again, and takes one seat.
    pub(super) fn invite(&self, client: &str) -> Result<String, AtCapacity> {
        let mut viewers = self.viewers.lock();
        let again = viewers.iter_mut().find(|(_, viewer)| viewer.waits.as_deref() == Some(client));
        if let Some((token, viewer)) = again {
            viewer.last = Instant::now();
            return Ok(token.clone());
        }
        let token = new_token();
        self.seat(&mut viewers, token.clone(), Some(client.to_owned()))?;
        Ok(token)
    }

    /// The viewer with this token asks for the media playlist; without one it is known by `client`. One
    /// that was away for too long needs a seat again.
    pub(super) fn seen(&self, token: Option<&str>, client: &str) -> Result<(), AtCapacity> {
        let plain = |token: &&str| {
            token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let key = token.filter(plain).unwrap_or(client);
        let mut viewers = self.viewers.lock();
        match viewers.get_mut(key) {
            Some(viewer) => {
                viewer.last = Instant::now();
                viewer.waits = None;
                Ok(())
            }
            None => self.seat(&mut viewers, key.to_owned(), None),
        }
    }

    /// Frees the seats of those who have gone. Players ask at least once every `target_s` seconds, or
    /// wait three times as long for an answer.
    pub(super) fn sweep(&self, target_s: u32) {
        let idle = IDLE.max(Duration::from_secs(3 * u64::from(target_s)));
        self.viewers.lock().retain(|_, viewer| viewer.last.elapsed() < idle);
    }

    fn seat(
        &self,
        viewers: &mut HashMap<String, Viewer>,
        token: String,
        waits: Option<String>,
    ) -> Result<(), AtCapacity> {
        if viewers.len() >= MAX_SESSIONS {
            return Err(AtCapacity { limit: MAX_SESSIONS as u32 });
        }
        let seat = self.camera.seat()?;
        viewers.insert(token, Viewer { last: Instant::now(), waits, _seat: seat });
        Ok(())
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

    #[tokio::test(start_paused = true)]
    async fn a_viewer_has_one_seat_and_gives_it_up_by_going() {
        let sessions = sessions(2);
        let one = sessions.invite("a").unwrap();
        let two = sessions.invite("b").unwrap();
        assert_ne!(one, two);
        assert!(sessions.invite("c").is_err());
        for _ in 0..4 {
            tokio::time::advance(Duration::from_secs(4)).await;
            sessions.seen(Some(&one), "a").unwrap();
            sessions.sweep(1);
        }
        assert_eq!(sessions.camera.seats_taken(), 1);
        sessions.invite("c").unwrap();
        assert!(sessions.seen(Some(&two), "b").is_err(), "somebody else has the seat");
    }

    #[tokio::test]
    async fn a_probe_takes_one_seat_and_two_tabs_of_a_browser_take_two() {
        let sessions = sessions(0);
        let probe = sessions.invite("probe").unwrap();
        assert_eq!(sessions.invite("probe").unwrap(), probe);
        let tab = sessions.invite("browser").unwrap();
        sessions.seen(Some(&tab), "browser").unwrap();
        assert_ne!(sessions.invite("browser").unwrap(), tab);
        assert_eq!(sessions.camera.seats_taken(), 3);
    }

    #[tokio::test]
    async fn who_has_no_token_is_known_by_address_and_program() {
        let sessions = sessions(0);
        sessions.seen(None, "10.0.0.1 vlc").unwrap();
        sessions.seen(Some("<script>"), "10.0.0.1 vlc").unwrap();
        sessions.seen(None, "10.0.0.2 vlc").unwrap();
        assert_eq!(sessions.camera.seats_taken(), 2);
    }
}
