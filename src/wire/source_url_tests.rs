//! Addresses of cameras as people type them.

use super::*;

fn parse(text: &str) -> Parts {
    SourceUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn an_address_is_taken_apart_and_the_password_is_not_in_what_is_shown() {
    let parts = parse("rtsp://admin:p%40ss%2Fword@Camera.lan:8554/Streaming/Channels/1");
    assert_eq!(parts.url.to_string(), "rtsp://camera.lan:8554/Streaming/Channels/1");
    assert_eq!(parts.username.as_deref(), Some("admin"));
    assert_eq!(parts.password.as_ref().map(Secret::reveal), Some("p@ss/word"));
    assert_eq!(parts.path, None);
    let debug = format!("{parts:?}");
    assert!(!debug.contains("p@ss") && !debug.contains("p%40ss"), "{debug}");
}

#[test]
fn what_an_address_leaves_out_has_the_default_of_its_scheme() {
    for (text, shown) in [
        ("rtsp://10.0.0.5", "rtsp://10.0.0.5:554/"),
        ("RTSPS://10.0.0.5/live", "rtsps://10.0.0.5:322/live"),
        ("rtsp://10.0.0.5:80/live", "rtsp://10.0.0.5:80/live"),
        ("http://cam/video", "http://cam:80/video"),
        ("https://cam?x=1", "https://cam:443/?x=1"),
        (" rtsp://[FE80::0:1]:554/a ", "rtsp://[fe80::1]:554/a"),
        (
            "rtsp://cam/cam/realmonitor?channel=1&subtype=0",
            "rtsp://cam:554/cam/realmonitor?channel=1&subtype=0",
        ),
    ] {
        assert_eq!(parse(text).url.to_string(), shown);
        assert_eq!(parse(shown).url, parse(text).url, "it reads back");
    }
}

#[test]
fn passwords_in_path_and_query_are_masked_and_kept_apart() {
    for (text, shown) in [
        ("http://cam/v.cgi?user=a&pwd=hunter2&x=1", "/v.cgi?user=a&pwd=***&x=1"),
        ("rtsp://cam/user=admin_password=hunter2_channel=1", "/user=admin_password=***"),
        ("rtsp://cam/a?Password=hunter2", "/a?Password=***"),
        ("http://cam/a?token=hunter2=", "/a?token=***"),
    ] {
        let parts = parse(text);
        assert_eq!(parts.url.path, shown);
        assert!(parts.path.unwrap().reveal().contains("hunter2"));
    }
    assert_eq!(parse("rtsp://cam/compass=north").url.path, "/compass=north");
}

#[test]
fn texts_that_are_no_address_are_refused_without_being_repeated() {
    use BadSourceUrl::{Authority, Character, Path, Scheme, TooLong};
    let long = format!("rtsp://cam/{}", "hunter2".repeat(400));
    for (text, why) in [
        ("", Scheme),
        ("camera.lan", Scheme),
        ("file:///etc/passwd", Scheme),
        ("exec:ffmpeg hunter2", Character),
        ("exec://ffmpeg", Scheme),
        ("ffmpeg:rtsp://cam/", Scheme),
        ("rtmp://cam/live", Scheme),
        ("rtsp:cam", Scheme),
        ("rtsp://", Authority),
        ("rtsp:///live", Authority),
        ("rtsp://cam:0/", Authority),
        ("rtsp://cam:99999/", Authority),
        ("rtsp://admin:hunter2", Authority),
        ("rtsp://admin:hunter2/x@cam/", Authority),
        ("rtsp://admin:12/hunter2@cam/", Path),
        ("rtsp://admin:12?hunter2@cam/", Path),
        ("rtsp://admin:12#hunter2@cam/", Path),
        ("rtsp://c%61m/", Authority),
        ("rtsp://[cam]/", Authority),
        ("rtsp://cam/a\r\nX-Y: hunter2", Character),
        ("rtsp://cam/a b", Character),
        ("rtsp://a:b%0d%0aX@cam/", Character),
        ("http:\\\\cam\\", Character),
        (&long, TooLong),
    ] {
        let error = SourceUrl::parse(text).unwrap_err();
        assert_eq!(error, why, "{text}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn a_redirect_leads_on_from_where_it_came() {
    let from = parse("http://cam:8080/a/b").url;
    for (location, to) in [
        ("/c", "http://cam:8080/c"),
        ("c?d=1", "http://cam:8080/a/c?d=1"),
        ("//other/c", "http://other:80/c"),
        ("https://other/c", "https://other:443/c"),
    ] {
        assert_eq!(from.join(location).unwrap().url.to_string(), to);
    }
    assert_eq!(from.join("file:///etc/passwd"), Err(BadSourceUrl::Scheme));
    assert_eq!(from.join("javascript:1"), Err(BadSourceUrl::Scheme));
}
