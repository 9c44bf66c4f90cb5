//! A frame is built once: its viewers cost the heap nothing. Whole frames over real sockets, see
//! `framecast-bench-copies`.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::process::Command;

use serde_json::Value;

#[test]
fn what_a_frame_allocates_does_not_depend_on_how_many_watch() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_framecast-bench-copies"));
    let output = program.args(["--viewers", "1,64"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let cases: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |case: usize, figure: &str| cases[case][figure].as_f64().unwrap();
    assert_eq!((of(0, "viewers"), of(1, "viewers")), (1.0, 64.0));
    // The frame itself at the least, so something was counted.
    assert!(of(0, "bytes") >= of(0, "frame_bytes"), "{cases}");
    // 126 further viewers. A copy for one of them would be 30,000.
    assert!(of(1, "bytes") - of(0, "bytes") <= 500.0, "{cases}");
    assert!((of(1, "allocations") - of(0, "allocations")) / 126.0 <= 0.1, "{cases}");
}
