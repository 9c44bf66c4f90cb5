//! The legacy messages byte for byte, as `vectors/legacy.json` has them.

use framecast::wire::legacy::{
    Body, CameraObject, FromPublisher, Problem, ToPublisher, camera_object, decode_picture,
    frame_update, is_legacy,
};
use serde_json::{Value, json};

fn vectors(section: &str) -> Vec<Value> {
    let file: Value =
        serde_json::from_str(include_str!("vectors/legacy.json")).expect("the vectors are JSON");
    let cases = file[section].as_array().expect("a list").clone();
    assert!(!cases.is_empty());
    cases
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let pairs = digits.map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

fn as_read(message: FromPublisher<'_>) -> Value {
    let mut read = json!({"client": message.client});
    read["body"] = match message.body {
        Body::Registration => "registration".into(),
        Body::Heartbeat => "heartbeat".into(),
        Body::Note => "note".into(),
        Body::Offer { sdp } => {
            read["sdp"] = sdp.into();
            "offer".into()
        }
        Body::Candidate { candidate } => {
            read["candidate"] = candidate.into();
            "candidate".into()
        }
        Body::Frame(frame) => {
            match decode_picture(&frame.data, 0, 1000) {
                Ok(picture) => read["picture"] = hex(&picture).into(),
                Err(error) => read["picture_refused"] = error.code().into(),
            }
            read["sent_ms"] = frame.sent_ms.into();
            "frame".into()
        }
    };
    read
}

#[test]
fn what_publishers_send_is_read_as_written_down() {
    for case in vectors("inbound") {
        match FromPublisher::parse(text(&case, "text")) {
            Ok(message) => assert_eq!(as_read(message), case["reads"], "{}", case["name"]),
            Err(error) => assert_eq!(error.to_string(), case["refused"], "{}", case["name"]),
        }
    }
}

#[test]
fn a_message_cut_anywhere_is_refused_and_none_panics() {
    for case in vectors("inbound").iter().filter(|case| case["refused"].is_null()) {
        let text = text(case, "text");
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            assert!(FromPublisher::parse(&text[..end]).is_err(), "{}", &text[..end]);
            assert!(!is_legacy(&text[..end]));
        }
    }
}

#[test]
fn the_first_message_tells_the_dialect() {
    for case in vectors("dialect") {
        assert_eq!(is_legacy(text(&case, "text")), case["legacy"], "{case}");
    }
}

#[test]
fn what_clients_are_sent_is_the_same_to_the_byte() {
    for case in vectors("outbound") {
        let jpeg = case["jpeg"].as_str().map(unhex);
        let sent = match text(&case, "message") {
            "registration-success" => {
                ToPublisher::Registered { client: text(&case, "client") }.to_json().into_bytes()
            }
            "answer" => ToPublisher::answer(text(&case, "sdp")).to_json().into_bytes(),
            "heartbeat" => ToPublisher::heartbeat(number(&case, "now_ms")).to_json().into_bytes(),
            "error" => {
                let payload =
                    Problem { code: text(&case, "code"), message: text(&case, "problem") };
                ToPublisher::Error { payload }.to_json().into_bytes()
            }
            "frame_update" => frame_update(
                text(&case, "camera"),
                &jpeg.expect("a picture"),
                number(&case, "received_ms"),
                number(&case, "frame_number"),
            ),
            "camera" => {
                let frame = jpeg.as_deref().map(|jpeg| {
                    (jpeg, number(&case, "received_ms"), number(&case, "frame_number"))
                });
                let online = case["online"].as_bool().expect("a boolean");
                camera_object(&CameraObject { id: text(&case, "camera"), frame, online })
            }
            other => panic!("no encoder for {other}"),
        };
        assert_eq!(String::from_utf8(sent).expect("UTF-8"), text(&case, "text"));
    }
}
