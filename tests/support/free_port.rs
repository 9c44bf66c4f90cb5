//! Ports for servers that come back on the same one.

use std::{
    net::TcpListener,
    sync::{Mutex, PoisonError},
};

/// A port that stays free until it is used, also while its server is down: none that the kernel gives
/// to who binds port 0 or connects (32768 and above unless set otherwise), none that another test of
/// this process was given.
pub fn free_port() -> u16 {
    static NEXT: Mutex<u16> = Mutex::new(0);
    const RANGE: std::ops::Range<u16> = 12_000..32_000;
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    if *next == 0 {
        // Elsewhere for each process of a machine that runs several.
        let spread = std::process::id() * 97 % u32::from(RANGE.end - RANGE.start);
        *next = RANGE.start + u16::try_from(spread).expect("below the range's length");
    }
    loop {
        let port = *next;
        *next = if port + 1 < RANGE.end { port + 1 } else { RANGE.start };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
