//! Which session a datagram belongs to: the table behind the one port.
//!
//! A session is known by its ICE user fragment. An address becomes a session's only by a check that
//! proves the session's password, and only then may anything else come from it: the `webrtc` crate
//! itself accepts packets from anywhere. Bytes and an `Instant` in, a verdict out; no socket and no
//! task.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    inbox::Inbox,
    stun::{Class, Message, Password},
};

/// Sessions on one port. A connection costs about 1 MiB when busy; a machine that serves more
/// publishers than this runs out of processor long before.
pub const MAX_SESSIONS: usize = 4096;

/// Addresses one session may prove. A browser has a handful (each interface, IPv4 and IPv6, changed
/// by NAT); the connection keeps every one it has seen, so the number has to end somewhere.
pub const MAX_ADDRESSES_PER_SESSION: usize = 16;

/// An address stays with its session as long as it was heard from this recently, so that another
/// publisher cannot take it away by sending checks of its own with a forged source.
pub const ADDRESS_HOLD: Duration = Duration::from_secs(5);

/// A datagram at least this long that is not STUN carries a piece of a message. Acknowledgements,
/// heartbeats and the like have less than 200 bytes.
const DATA_BYTES: usize = 600;

/// What the port knows of one session.
#[derive(Debug)]
pub struct Peer {
    ufrag: String,
    password: Password,
    /// Datagrams from IPv4 addresses.
    pub v4: Inbox,
    /// Datagrams from IPv6 addresses.
    pub v6: Inbox,
    /// Reads that brought pieces of messages so far.
    data: AtomicU64,
    /// Whether a check with the right password has come.
    proven: AtomicBool,
    /// Which of our addresses each of the peer's addresses talks to.
    local_ips: Mutex<Vec<(SocketAddr, IpAddr)>>,
}

impl Peer {
    /// A session that expects checks for `ufrag` signed with `password`.
    #[must_use]
    pub fn new(ufrag: String, password: &str) -> Self {
        Self {
            ufrag,
            password: Password::new(password),
            v4: Inbox::default(),
            v6: Inbox::default(),
            data: AtomicU64::new(0),
            proven: AtomicBool::new(false),
            local_ips: Mutex::default(),
        }
    }

    /// Reads so far that brought pieces of messages; the kernel may join several datagrams in one.
    #[must_use]
    pub fn data_packets(&self) -> u64 {
        self.data.load(Ordering::Relaxed)
    }

    /// Whether the publisher has reached the port.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// The queue for datagrams from `from`.
    #[must_use]
    pub fn inbox(&self, from: SocketAddr) -> &Inbox {
        if from.is_ipv4() { &self.v4 } else { &self.v6 }
    }

    /// Our address that `remote` sends to, to answer from the same one on a machine with several.
    #[must_use]
    pub fn local_ip(&self, remote: SocketAddr) -> Option<IpAddr> {
        let known = self.local_ips.lock();
        known.iter().find(|(r, _)| *r == remote).map(|(_, ip)| *ip)
    }

    fn set_local_ip(&self, remote: SocketAddr, local: IpAddr) {
        let mut known = self.local_ips.lock();
        match known.iter_mut().find(|(r, _)| *r == remote) {
            Some((_, ip)) => *ip = local,
            None => known.push((remote, local)),
        }
    }
}

/// Why a datagram reaches nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not STUN, or STUN without a user, from an address that proved nothing.
    UnknownSource,
    /// A STUN message that cannot be read.
    Malformed,
    /// A check for a session that does not exist.
    UnknownUser,
    /// A check whose sender does not know the password.
    BadIntegrity,
    /// A proven check from an address that a live session holds.
    AddressTaken,
    /// The session has proven as many addresses as it may.
    TooManyAddresses,
}

/// Where a datagram goes.
#[derive(Debug)]
pub struct Verdict {
    /// The session.
    pub peer: Arc<Peer>,
    /// A datagram to hand over once more behind this one, see [`Routes::stun`].
    pub again: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Route {
    peer: Arc<Peer>,
    heard: Instant,
    nomination: Nomination,
}

/// How far the browser's choice of this address pair has come.
#[derive(Debug)]
enum Nomination {
    None,
    /// The newest nominating check, kept until our own check is answered.
    Kept(Vec<u8>),
    HandedAgain,
}

/// See the module's header.
#[derive(Debug, Default)]
pub struct Routes {
    by_ufrag: HashMap<String, Arc<Peer>>,
    by_address: HashMap<SocketAddr, Route>,
}

impl Routes {
    /// Lets checks for `peer` in. `false` when there are [`MAX_SESSIONS`] or the user fragment is
    /// taken.
    #[must_use]
    pub fn register(&mut self, peer: Arc<Peer>) -> bool {
        if self.by_ufrag.len() >= MAX_SESSIONS || self.by_ufrag.contains_key(&peer.ufrag) {
            return false;
        }
        self.by_ufrag.insert(peer.ufrag.clone(), peer);
        true
    }

    /// Forgets a session and all its addresses.
    pub fn unregister(&mut self, peer: &Arc<Peer>) {
        self.by_ufrag.remove(&peer.ufrag);
        self.by_address.retain(|_, route| !Arc::ptr_eq(&route.peer, peer));
    }

    /// Registered sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.by_ufrag.len()
    }

    /// Addresses that a session has proven.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.by_address.len()
    }

    /// Routes datagrams that are not STUN: only from an address that proved itself.
    pub fn data(
        &mut self,
        longest: usize,
        from: SocketAddr,
        now: Instant,
    ) -> Result<&Arc<Peer>, Refusal> {
        let route = self.by_address.get_mut(&from).ok_or(Refusal::UnknownSource)?;
        route.heard = now;
        if longest >= DATA_BYTES {
            route.peer.data.fetch_add(1, Ordering::Relaxed);
        }
        Ok(&route.peer)
    }

    /// Routes a STUN message; a proven check also makes `from` an address of its session.
    ///
    /// The ICE agent of the `webrtc` crate, asked to use a pair before its own check of that pair
    /// was answered, forgets the request, and the browser repeats it only 50 to 500 ms later. So
    /// the newest such request is kept and, when the answer to the agent's check comes by, handed
    /// over again behind it.
    pub fn stun(
        &mut self,
        raw: &[u8],
        from: SocketAddr,
        local: Option<IpAddr>,
        now: Instant,
    ) -> Result<Verdict, Refusal> {
        let message = Message::parse(raw).ok_or(Refusal::Malformed)?;
        match message.class {
            Class::BindingRequest => self.check(raw, &message, from, local, now),
            Class::BindingSuccess | Class::Other => {
                let route = self.by_address.get_mut(&from).ok_or(Refusal::UnknownSource)?;
                route.heard = now;
                let mut again = None;
                if message.class == Class::BindingSuccess
                    && let Nomination::Kept(request) = &mut route.nomination
                {
                    again = Some(std::mem::take(request));
                    route.nomination = Nomination::HandedAgain;
                }
                Ok(Verdict { peer: route.peer.clone(), again })
            }
        }
    }

    fn check(
        &mut self,
        raw: &[u8],
        message: &Message<'_>,
        from: SocketAddr,
        local: Option<IpAddr>,
        now: Instant,
    ) -> Result<Verdict, Refusal> {
        let ufrag = message.receiver_ufrag().ok_or(Refusal::Malformed)?;
        let peer = self.by_ufrag.get(ufrag).ok_or(Refusal::UnknownUser)?;
        if !message.verify(&peer.password) {
            return Err(Refusal::BadIntegrity);
        }
        let peer = peer.clone();
        let held_by_other = self.by_address.get(&from).is_some_and(|route| {
            !Arc::ptr_eq(&route.peer, &peer) && now.duration_since(route.heard) < ADDRESS_HOLD
        });
        if held_by_other {
            return Err(Refusal::AddressTaken);
        }
        let known = self.by_address.get(&from).is_some_and(|route| Arc::ptr_eq(&route.peer, &peer));
        if !known {
            // Counting is linear in the table, but happens once for each new address of a proven
            // sender.
            let owned =
                self.by_address.values().filter(|route| Arc::ptr_eq(&route.peer, &peer)).count();
            if owned >= MAX_ADDRESSES_PER_SESSION {
                return Err(Refusal::TooManyAddresses);
            }
            self.by_address.insert(
                from,
                Route { peer: peer.clone(), heard: now, nomination: Nomination::None },
            );
        }
        peer.proven.store(true, Ordering::Relaxed);
        if let Some(local) = local {
            peer.set_local_ip(from, local);
        }
        if let Some(route) = self.by_address.get_mut(&from) {
            route.heard = now;
            if message.use_candidate && !matches!(route.nomination, Nomination::HandedAgain) {
                route.nomination = Nomination::Kept(raw.to_vec());
            }
        }
        Ok(Verdict { peer, again: None })
    }
}

#[cfg(test)]
mod tests {
    use super::super::stun::testing::{request, success};
    use super::*;

    fn at(port: u16) -> SocketAddr {
        ([192, 0, 2, 7], port).into()
    }

    fn table(ufrags: &[&str]) -> (Routes, Vec<Arc<Peer>>) {
        let mut routes = Routes::default();
        let peers: Vec<_> =
            ufrags.iter().map(|u| Arc::new(Peer::new((*u).to_owned(), "pw"))).collect();
        for peer in &peers {
            assert!(routes.register(peer.clone()));
        }
        (routes, peers)
    }

    #[test]
    fn data_flows_only_from_an_address_that_proved_itself() {
        let (mut routes, peers) = table(&["a"]);
        let now = Instant::now();
        assert_eq!(routes.data(1200, at(1), now).unwrap_err(), Refusal::UnknownSource);
        let forged = request("a:x", "guess", true);
        assert_eq!(routes.stun(&forged, at(1), None, now).unwrap_err(), Refusal::BadIntegrity);
        assert_eq!(routes.addresses(), 0);
        routes.stun(&request("a:x", "pw", false), at(1), None, now).expect("proven");
        assert!(Arc::ptr_eq(routes.data(1200, at(1), now).expect("known"), &peers[0]));
        assert_eq!(peers[0].data_packets(), 1);
        assert!(routes.data(1200, at(2), now).is_err());
    }

    #[test]
    fn a_forged_check_does_not_move_a_route_and_a_foreign_one_not_while_it_is_held() {
        let (mut routes, peers) = table(&["a", "b"]);
        let now = Instant::now();
        routes.stun(&request("a:x", "pw", false), at(1), None, now).expect("proven");
        for (message, refusal) in [
            (request("b:x", "guess", false), Refusal::BadIntegrity),
            (request("b:x", "pw", false), Refusal::AddressTaken),
            (request("c:x", "pw", false), Refusal::UnknownUser),
        ] {
            assert_eq!(routes.stun(&message, at(1), None, now).unwrap_err(), refusal);
            assert!(Arc::ptr_eq(routes.data(9, at(1), now).expect("kept"), &peers[0]));
        }
        // The holder has been silent: a browser that reuses its port gets through.
        let later = now + ADDRESS_HOLD;
        routes.stun(&request("b:x", "pw", false), at(1), None, later).expect("free now");
        assert!(Arc::ptr_eq(routes.data(9, at(1), later).expect("moved"), &peers[1]));
    }

    #[test]
    fn the_nominating_check_is_handed_again_behind_the_answer_once() {
        let (mut routes, _) = table(&["a"]);
        let now = Instant::now();
        let nominating = request("a:x", "pw", true);
        routes.stun(&nominating, at(1), None, now).expect("proven");
        let verdict = routes.stun(&success(), at(1), None, now).expect("known source");
        assert_eq!(verdict.again.as_deref(), Some(&nominating[..]));
        routes.stun(&nominating, at(1), None, now).expect("proven");
        let verdict = routes.stun(&success(), at(1), None, now).expect("known source");
        assert_eq!(verdict.again, None);
    }

    #[test]
    fn addresses_and_sessions_are_bounded_and_freed() {
        let (mut routes, peers) = table(&["a", "b"]);
        let now = Instant::now();
        for port in 0..100 {
            let _ = routes.stun(&request("a:x", "pw", false), at(port), None, now);
        }
        assert_eq!(routes.addresses(), MAX_ADDRESSES_PER_SESSION);
        routes.stun(&request("b:x", "pw", false), at(200), None, now).expect("others have room");
        routes.unregister(&peers[0]);
        assert_eq!((routes.sessions(), routes.addresses()), (1, 1));
        routes.unregister(&peers[1]);
        assert_eq!((routes.sessions(), routes.addresses()), (0, 0));
        for n in 0..MAX_SESSIONS {
            assert!(routes.register(Arc::new(Peer::new(n.to_string(), "pw"))));
        }
        assert!(!routes.register(Arc::new(Peer::new("one more".to_owned(), "pw"))));
    }
}
