//! Messages whose bytes follow from their sender and number, so that a receiver can tell a corrupt
//! or foreign one. `publisher.html` makes the same.

/// A message of `len` bytes, a multiple of four.
pub fn message(sender: u32, number: u32, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(&sender.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    let mut x = sender.wrapping_mul(0x9E37_79B9) ^ number | 1;
    while out.len() < len {
        // xorshift32: any byte out of place shows.
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        out.extend_from_slice(&x.to_be_bytes());
    }
    out
}

/// The number of an intact message of `sender`, `None` for any other.
pub fn check(sender: u32, bytes: &[u8]) -> Option<u32> {
    let number = u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?);
    (message(sender, number, bytes.len()) == bytes).then_some(number)
}
