//! The binary layouts, byte for byte, against the files that the pages' tests read too.

#![allow(clippy::unwrap_used)]

use std::{fmt::Debug, fs, time::Instant};

use framecast::wire::{
    envelope::{self, EnvelopeError, FIXED_LEN, Header},
    fragment::{HEADER_LEN, PartError, PartHeader, Push, Reassembler, split},
};
use serde_json::Value;

const MAX_BYTES: usize = 4 << 20;

fn vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap().as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.chunks(2).map(pair).collect()
}

fn big(case: &Value, field: &str) -> u64 {
    case[field].as_str().unwrap().parse().unwrap()
}

/// Runs good cases and bad ones, and says that there were some of both.
fn each(name: &str, good: impl Fn(&Value), bad: impl Fn(&Value, &str)) {
    let cases = vectors(name);
    let wrong = cases.iter().filter(|case| case.get("error").is_some()).count();
    assert!(wrong > 5 && cases.len() - wrong > 3, "{name} holds both kinds");
    for case in &cases {
        match case.get("error") {
            Some(error) => bad(case, error.as_str().unwrap()),
            None => good(case),
        }
    }
}

fn name(case: &Value) -> impl Debug {
    case["name"].clone()
}

#[test]
fn frames_are_written_and_read_as_the_vectors_say() {
    each(
        "frame.json",
        |case| {
            let (message, jpeg) = (hex(&case["message_hex"]), hex(&case["jpeg_hex"]));
            let header = Header {
                seq: big(case, "seq"),
                captured_us: big(case, "captured_us"),
                received_us: big(case, "received_us"),
                width: case["width"].as_u64().unwrap().try_into().unwrap(),
                height: case["height"].as_u64().unwrap().try_into().unwrap(),
                camera: case["camera"].as_str().unwrap(),
            };
            assert_eq!(envelope::read(&message), Ok((header, &jpeg[..])), "{:?}", name(case));
            if case["flags"] == 0 {
                let mut room = vec![0; envelope::headroom(header.camera.len())];
                let (_, at) = envelope::write_before(&mut room, &header, jpeg.len());
                let id_end = FIXED_LEN + header.camera.len();
                assert_eq!(room[at..], message[..id_end], "{:?}", name(case));
            }
        },
        |case, error| {
            let got = envelope::read(&hex(&case["message_hex"])).unwrap_err();
            // A short message may be read as of the wrong version, never as a frame.
            assert_eq!(got.to_string(), error, "{:?}: {got:?}", name(case));
            assert_ne!((got, error), (EnvelopeError::Short, "kind"));
        },
    );
}

#[test]
fn parts_are_split_and_joined_as_the_vectors_say() {
    each(
        "part.json",
        |case| {
            let jpeg = hex(&case["jpeg_hex"]);
            let (seq, captured_us) = (big(case, "seq"), big(case, "captured_us"));
            let parts: Vec<_> = case["parts"].as_array().unwrap().iter().map(hex).collect();
            let limit = case["part_payload_limit"].as_u64().unwrap() as usize;
            if case["flags"] == 0 {
                let split = split(&jpeg, seq, captured_us, limit + HEADER_LEN).unwrap();
                assert_eq!(split, parts, "{:?}", name(case));
            }
            let mut reassembler = Reassembler::new(MAX_BYTES, 0);
            let mut last = None;
            for part in parts.iter().rev() {
                last = Some(reassembler.push(part, Instant::now()).unwrap());
            }
            let Some(Push::Whole(whole)) = last else { panic!("{:?}: {last:?}", name(case)) };
            assert_eq!((whole.buf, whole.seq, whole.captured_us), (jpeg, seq, captured_us));
        },
        |case, error| {
            let message = hex(&case["message_hex"]);
            let fits = match PartHeader::read(&message, MAX_BYTES).unwrap_err() {
                PartError::NeitherKind => matches!(error, "version" | "kind" | "short"),
                PartError::Short(_) => error == "short",
                PartError::Count { .. } => matches!(error, "parts" | "part"),
                PartError::Length { .. } => matches!(error, "frame_len" | "payload"),
                PartError::Contradiction { .. } | PartError::TooLarge { .. } => false,
            };
            assert!(fits, "{:?}", name(case));
        },
    );
}
