//! The little of STUN (RFC 8489) that routing needs: is this datagram STUN, for whom is it, and did
//! its sender know the password?
//!
//! Bytes in, facts out. No socket, no table, no state of an ICE agent: the `webrtc` crate's own
//! agent answers the requests. This only decides who may see them.

use ring::hmac;

/// Bytes of the fixed header (RFC 8489 section 5).
const HEADER: usize = 20;
/// The constant in bytes 4 to 7 of every message.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// A longer message is not looked at: an ICE check has about 100 bytes, and what does not fit into
/// one Ethernet packet is not a check.
const MAX_MESSAGE: usize = 1500;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;

const ATTR_USERNAME: u16 = 0x0006;
const ATTR_MESSAGE_INTEGRITY: u16 = 0x0008;
const ATTR_USE_CANDIDATE: u16 = 0x0025;

/// Length of HMAC-SHA1, the value of MESSAGE-INTEGRITY.
const INTEGRITY_LEN: usize = 20;

/// Whether a datagram is STUN rather than DTLS: RFC 7983 tells them apart by the first byte.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == MAGIC_COOKIE
}

/// The two kinds of message that routing treats differently; the rest is [`Class::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A connectivity check. It carries USERNAME and MESSAGE-INTEGRITY.
    BindingRequest,
    /// The answer to a check of ours. It carries no USERNAME.
    BindingSuccess,
    /// Indications, errors, other methods.
    Other,
}

/// The password of one session as the key that checks are verified with.
#[derive(Debug)]
pub struct Password(hmac::Key);

impl Password {
    /// The key of a short-term credential is the password itself (RFC 8489 section 9.1.1).
    #[must_use]
    pub fn new(password: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()))
    }
}

/// A message whose framing is sound. Its sender is not verified by that: see [`Message::verify`].
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    raw: &'a [u8],
    /// What kind of message it is.
    pub class: Class,
    /// Whether the sender nominates the address pair (RFC 8445 section 7.1.2).
    pub use_candidate: bool,
    username: Option<&'a [u8]>,
    /// Where the MESSAGE-INTEGRITY attribute starts.
    integrity_at: Option<usize>,
}

impl<'a> Message<'a> {
    /// Reads the header and the attributes. `None` when the framing is not sound.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        if !is_stun(raw) || raw.len() > MAX_MESSAGE {
            return None;
        }
        let body = usize::from(u16_at(raw, 2)?);
        if body % 4 != 0 || HEADER + body != raw.len() {
            return None;
        }
        let class = match u16_at(raw, 0)? {
            BINDING_REQUEST => Class::BindingRequest,
            BINDING_SUCCESS => Class::BindingSuccess,
            _ => Class::Other,
        };
        let mut message =
            Self { raw, class, use_candidate: false, username: None, integrity_at: None };
        let mut at = HEADER;
        while at < raw.len() {
            let kind = u16_at(raw, at)?;
            let len = usize::from(u16_at(raw, at + 2)?);
            let value = raw.get(at + 4..at + 4 + len)?;
            match kind {
                ATTR_USERNAME => message.username = message.username.or(Some(value)),
                ATTR_USE_CANDIDATE => message.use_candidate = true,
                ATTR_MESSAGE_INTEGRITY if len == INTEGRITY_LEN => {
                    message.integrity_at = Some(at);
                    // What follows the integrity is not covered by it: only FINGERPRINT may come.
                    break;
                }
                _ => {}
            }
            at += 4 + len.next_multiple_of(4);
        }
        Some(message)
    }

    /// The receiver's half of USERNAME, which is `receiver:sender` (RFC 8445 section 7.2.2).
    #[must_use]
    pub fn receiver_ufrag(&self) -> Option<&'a str> {
        let username = std::str::from_utf8(self.username?).ok()?;
        username.split_once(':').map(|(receiver, _)| receiver)
    }

    /// Whether the sender knew the password: MESSAGE-INTEGRITY over everything before it, with the
    /// header's length as if the message ended there (RFC 8489 section 14.5). Costs one HMAC-SHA1,
    /// about 1 µs.
    #[must_use]
    pub fn verify(&self, password: &Password) -> bool {
        let Some(at) = self.integrity_at else {
            return false;
        };
        let Ok(covered_len) = u16::try_from(at - HEADER + 4 + INTEGRITY_LEN) else {
            return false;
        };
        let mut covered = self.raw[..at].to_vec();
        covered[2..4].copy_from_slice(&covered_len.to_be_bytes());
        let tag = &self.raw[at + 4..at + 4 + INTEGRITY_LEN];
        hmac::verify(&password.0, &covered, tag).is_ok()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([two[0], two[1]]))
}

#[cfg(test)]
pub(super) mod testing {
    //! Builds checks for the tests of this module and of the routing table.
    use super::*;

    /// A Binding request with `username`, signed with `password`.
    pub fn request(username: &str, password: &str, nominate: bool) -> Vec<u8> {
        let mut raw = header(BINDING_REQUEST);
        attribute(&mut raw, ATTR_USERNAME, username.as_bytes());
        if nominate {
            attribute(&mut raw, ATTR_USE_CANDIDATE, &[]);
        }
        sign(&mut raw, password);
        raw
    }

    /// A Binding success response; routing does not look at its integrity.
    pub fn success() -> Vec<u8> {
        header(BINDING_SUCCESS)
    }

    fn header(kind: u16) -> Vec<u8> {
        let mut raw = kind.to_be_bytes().to_vec();
        raw.extend([0, 0]);
        raw.extend(MAGIC_COOKIE);
        raw.extend([7; 12]);
        raw
    }

    fn attribute(raw: &mut Vec<u8>, kind: u16, value: &[u8]) {
        raw.extend(kind.to_be_bytes());
        raw.extend((value.len() as u16).to_be_bytes());
        raw.extend(value);
        raw.resize(raw.len().next_multiple_of(4), 0);
        set_len(raw);
    }

    fn set_len(raw: &mut [u8]) {
        let len = (raw.len() - HEADER) as u16;
        raw[2..4].copy_from_slice(&len.to_be_bytes());
    }

    fn sign(raw: &mut Vec<u8>, password: &str) {
        let end = raw.len();
        raw.extend([0; 4 + INTEGRITY_LEN]);
        set_len(raw);
        let tag = hmac::sign(&Password::new(password).0, &raw[..end]);
        raw.truncate(end);
        attribute(raw, ATTR_MESSAGE_INTEGRITY, tag.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::testing::request;
    use super::*;

    /// RFC 5769 section 2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, integrity
    /// and fingerprint.
    const RFC5769_REQUEST: [u8; 108] = [
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
        0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74,
        0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e,
        0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
        0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20,
        0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
        0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5,
        0x7a, 0x3b, 0xcf,
    ];
    const RFC5769_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn the_request_of_rfc_5769_is_read_and_verified() {
        let message = Message::parse(&RFC5769_REQUEST).expect("sound");
        assert_eq!(message.class, Class::BindingRequest);
        assert_eq!(message.receiver_ufrag(), Some("evtj"));
        assert!(!message.use_candidate);
        assert!(message.verify(&Password::new(RFC5769_PASSWORD)));
        assert!(!message.verify(&Password::new("another")));
    }

    #[test]
    fn a_changed_byte_before_the_integrity_fails() {
        for at in [8, 24, 66] {
            let mut raw = RFC5769_REQUEST;
            raw[at] ^= 1;
            let message = Message::parse(&raw).expect("framing is untouched");
            assert!(!message.verify(&Password::new(RFC5769_PASSWORD)), "byte {at}");
        }
    }

    #[test]
    fn nomination_is_seen() {
        let raw = request("me:you", "secret", true);
        let message = Message::parse(&raw).expect("sound");
        assert!(message.use_candidate && message.verify(&Password::new("secret")));
    }

    #[test]
    fn an_attribute_behind_the_integrity_says_nothing() {
        // USERNAME appended after the signed part must not redirect a signed message.
        let mut raw = request("me:you", "secret", false);
        raw.extend([0x00, 0x06, 0x00, 0x04, b'x', b':', b'y', b'z']);
        let len = (raw.len() - 20) as u16;
        raw[2..4].copy_from_slice(&len.to_be_bytes());
        let message = Message::parse(&raw).expect("sound");
        assert_eq!(message.receiver_ufrag(), Some("me"));
    }

    #[test]
    fn no_cut_and_no_flipped_byte_panics() {
        for len in 0..RFC5769_REQUEST.len() {
            assert!(Message::parse(&RFC5769_REQUEST[..len]).is_none(), "{len} bytes");
        }
        for at in 0..RFC5769_REQUEST.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut raw = RFC5769_REQUEST;
                raw[at] ^= flip;
                if let Some(message) = Message::parse(&raw) {
                    let _ = message.receiver_ufrag();
                    let _ = message.verify(&Password::new(RFC5769_PASSWORD));
                }
            }
        }
    }
}
