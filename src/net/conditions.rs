//! Conditions that a request sets on an entity tag (RFC 9110, section 13.1).
//!
//! Belongs here: whether a condition names a tag. Does not: tags, or what is answered then.

use axum::http::{HeaderMap, HeaderName, header};

/// Whether the client has what `etag` names, by `If-None-Match` (section 13.1.2). Tags are compared weakly:
/// a proxy that compresses what it passes on makes strong tags weak.
pub fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let ours = opaque(etag.as_bytes());
    names(request, &header::IF_NONE_MATCH, |tag| opaque(tag) == ours)
}

/// Whether the client means what `etag`, a strong tag, names, by `If-Match` (section 13.1.1). Tags are compared
/// strongly.
/// `None` when it sets no such condition.
pub fn is_meant(request: &HeaderMap, etag: &str) -> Option<bool> {
    let meant = || names(request, &header::IF_MATCH, |tag| tag == etag.as_bytes());
    request.contains_key(header::IF_MATCH).then(meant)
}

/// Whether the header is the star, or lists a tag that is `wanted`.
fn names(request: &HeaderMap, header: &HeaderName, wanted: impl Fn(&[u8]) -> bool) -> bool {
    // Commas inside of a tag do no harm: a piece of one has not both its quotes, so it is not one of ours.
    request.get_all(header).iter().any(|value| {
        let value = value.as_bytes().trim_ascii();
        value == b"*" || value.split(|byte| *byte == b',').any(|tag| wanted(tag.trim_ascii()))
    })
}

/// A tag without its sign of weakness, which is a capital letter.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TAG: &str = "\"5f-7\"";

    fn request(name: &HeaderName, values: &[&'static [u8]]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
        values.map(|value| (name.clone(), value)).collect()
    }

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_the_star() {
        let known =
            |values: &[&'static [u8]]| is_known(&request(&header::IF_NONE_MATCH, values), TAG);
        for value in ["\"5f-7\"", "W/\"5f-7\"", "\"a\" , \"5f-7\"", "W/\"a\",,\tW/\"5f-7\" ", " * "]
        {
            assert!(known(&[value.as_bytes()]), "{value:?}");
        }
        assert!(known(&[b"\"a\"", b"W/\"5f-7\""]), "a list may be in several lines");
        assert!(known(&[b"\"\xe9\", \"5f-7\""]), "tags of others may be of any bytes");
        let others =
            ["\"5f-8\"", "5f-7", "", ",", "w/\"5f-7\"", "\"a,*,b\"", "\"a,5f-7,b\"", "\"*\""];
        for value in others {
            assert!(!known(&[value.as_bytes()]), "{value:?}");
        }
        assert!(!known(&[]));
        // What is weak on this side is compared in the same way.
        let weak = request(&header::IF_NONE_MATCH, &[b"\"5f-7\""]);
        assert!(is_known(&weak, "W/\"5f-7\""));
    }

    #[test]
    fn if_match_takes_lists_and_the_star_but_no_weak_tags() {
        let meant = |values: &[&'static [u8]]| is_meant(&request(&header::IF_MATCH, values), TAG);
        assert_eq!(meant(&[]), None);
        for value in ["\"5f-7\"", "\"a\", \"5f-7\"", "*"] {
            assert_eq!(meant(&[value.as_bytes()]), Some(true), "{value:?}");
        }
        for value in ["W/\"5f-7\"", "\"5f-8\"", "5f-7", ""] {
            assert_eq!(meant(&[value.as_bytes()]), Some(false), "{value:?}");
        }
    }
}
