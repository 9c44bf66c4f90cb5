//! What tells one certificate from all others, written as browsers and `openssl x509 -fingerprint
//! -sha256` write it.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("64 hexadecimal digits, the SHA-256 of the certificate; colons between them are fine")]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    /// Pairs of digits, with colons or spaces between some of them.
    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let digits = text.bytes().filter(|byte| !matches!(byte, b':' | b' '));
        let mut digits = digits.map(|byte| char::from(byte).to_digit(16));
        let mut bytes = [0; 32];
        for byte in &mut bytes {
            let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else {
                return Err(BadFingerprint);
            };
            *byte = (high * 16 + low) as u8;
        }
        if digits.next().is_some() { Err(BadFingerprint) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_with_colons_or_without_and_shown_with_them() {
        let plain = "0123456789abcdef".repeat(4);
        let read: Fingerprint = plain.parse().unwrap();
        let shown = read.to_string();
        assert!(shown.starts_with("01:23:45:67:89:AB:CD:EF:01:") && shown.len() == 95, "{shown}");
        for text in [shown.clone(), shown.replace(':', " "), plain.to_uppercase()] {
            assert_eq!(text.parse(), Ok(read), "{text}");
        }
        for text in ["", "01", &plain[1..], &format!("{plain}0"), &plain.replace('f', "g"), "ä"] {
            assert_eq!(text.parse::<Fingerprint>(), Err(BadFingerprint), "{text}");
        }
    }
}
