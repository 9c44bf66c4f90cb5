//! What is read out of a viewer's session description, and out of the pieces of one that follow.
//!
//! Lines of text in, facts out. Whether the rest of an offer makes sense is the `webrtc` crate's to say.

use super::CodecChoice;

/// Facts of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// The ICE user fragment: a piece that names another is a restart.
    pub ufrag: Option<String>,
    /// Whether it asks for pictures at all.
    pub has_video: bool,
    /// How the viewer takes H.264, in its order of preference.
    h264: Vec<CodecChoice>,
}

impl Offer {
    pub(super) fn read(sdp: &str) -> Self {
        let mut offer = Self { ufrag: None, has_video: false, h264: Vec::new() };
        let (mut in_video, mut order) = (false, Vec::new());
        for line in sdp.lines().map(str::trim_end) {
            if let Some(media) = line.strip_prefix("m=") {
                // Later video sections are the crate's to refuse.
                in_video = media.starts_with("video ") && !offer.has_video;
                offer.has_video |= in_video;
                if in_video {
                    order = media.split(' ').skip(3).filter_map(|t| t.parse::<u8>().ok()).collect();
                }
            } else if let Some(ufrag) = line.strip_prefix("a=ice-ufrag:") {
                offer.ufrag.get_or_insert_with(|| ufrag.to_owned());
            } else if in_video && let Some(map) = line.strip_prefix("a=rtpmap:") {
                if let Some((payload_type, codec)) = payload(map)
                    && codec.to_ascii_uppercase().starts_with("H264/90000")
                {
                    offer.h264.push(CodecChoice { payload_type, fmtp: String::new() });
                }
            } else if in_video
                && let Some((payload_type, fmtp)) = line.strip_prefix("a=fmtp:").and_then(payload)
                && let Some(choice) =
                    offer.h264.iter_mut().find(|choice| choice.payload_type == payload_type)
            {
                fmtp.clone_into(&mut choice.fmtp);
            }
        }
        offer.h264.sort_by_key(|choice| order.iter().position(|t| *t == choice.payload_type));
        offer
    }

    /// The best way to send H.264 of `profile` (the first byte of its profile-level-id).
    ///
    /// Browsers offer few profiles and decode all that their decoder can, whatever the one that was
    /// agreed on: Chromium offers Baseline, Main and High 4:4:4, Firefox Baseline alone, and both play
    /// High. So the camera's own is best, then the next one below.
    pub(super) fn h264(&self, profile: u8) -> Option<&CodecChoice> {
        let fits = self.h264.iter().filter(|choice| choice.parameter("packetization-mode") == "1");
        fits.min_by_key(|choice| {
            let offered = choice.parameter("profile-level-id").get(..4).unwrap_or_default();
            match u8::from_str_radix(offered.get(..2).unwrap_or_default(), 16) {
                Ok(offered) if offered == profile => 0,
                Ok(MAIN) if profile > MAIN => 1,
                _ if offered.eq_ignore_ascii_case("42e0") => 2,
                Ok(BASELINE) => 3,
                _ => 4,
            }
        })
    }
}

const BASELINE: u8 = 66;
const MAIN: u8 = 77;

impl CodecChoice {
    fn parameter(&self, name: &str) -> &str {
        let pairs = self.fmtp.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

fn payload(line: &str) -> Option<(u8, &str)> {
    let (payload_type, rest) = line.split_once(' ')?;
    Some((payload_type.parse().ok()?, rest.trim()))
}

/// A piece of a description that comes after the offer (RFC 8840), read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The ICE user fragment that it is for.
    pub ufrag: Option<String>,
    /// Further addresses of the viewer, `candidate:…`.
    pub candidates: Vec<String>,
}

impl Fragment {
    pub(super) fn read(fragment: &str) -> Self {
        let attributes = || fragment.lines().filter_map(|line| line.trim().strip_prefix("a="));
        let ufrag = attributes().find_map(|attribute| attribute.strip_prefix("ice-ufrag:"));
        let candidates = attributes().filter(|attribute| attribute.starts_with("candidate:"));
        Self {
            ufrag: ufrag.map(str::to_owned),
            candidates: candidates.map(str::to_owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Chromium 156 offers, with the lines that matter here.
    const CHROMIUM: &str = "v=0\r\na=group:BUNDLE 0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 104 108 114 116 41 45\r\na=ice-ufrag:0x7C\r\n\
        a=ice-pwd:secret\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
        a=rtpmap:102 H264/90000\r\n\
        a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
        a=rtpmap:104 H264/90000\r\n\
        a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f\r\n\
        a=rtpmap:108 H264/90000\r\n\
        a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtpmap:116 H264/90000\r\n\
        a=fmtp:116 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\r\n\
        a=rtpmap:41 H264/90000\r\n\
        a=fmtp:41 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=f4001f\r\n";

    #[test]
    fn the_cameras_own_profile_is_taken_or_else_the_next_one_below() {
        let offer = Offer::read(CHROMIUM);
        assert!(offer.has_video);
        assert_eq!(offer.ufrag.as_deref(), Some("0x7C"));
        let chosen = |profile| offer.h264(profile).map(|choice| choice.payload_type);
        assert_eq!(chosen(66), Some(102), "Baseline");
        assert_eq!(chosen(77), Some(116), "Main");
        assert_eq!(chosen(100), Some(116), "High plays as Main");
        assert_eq!(chosen(244), Some(41), "High 4:4:4");
    }

    #[test]
    fn a_browser_with_one_profile_gets_everything_as_that() {
        let firefox = "m=video 9 UDP/TLS/RTP/SAVPF 97 126\r\na=fmtp:99 x\r\na=rtpmap:97 H264/90000\r\n\
            a=fmtp:97 profile-level-id=42e01f;level-asymmetry-allowed=1\r\na=rtpmap:126 H264/90000\r\n\
            a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1\r\n";
        let offer = Offer::read(firefox);
        for profile in [66, 77, 100] {
            assert_eq!(offer.h264(profile).map(|choice| choice.payload_type), Some(126));
        }
    }

    #[test]
    fn an_offer_without_h264_or_without_video_says_so() {
        let vp8 = Offer::read("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n");
        assert!(vp8.has_video && vp8.h264(100).is_none());
        let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n";
        assert!(!Offer::read(audio).has_video && Offer::read(audio).h264(66).is_none());
        assert!(!Offer::read("garbage \u{FFFD} m=").has_video);
    }

    #[test]
    fn a_fragment_gives_its_candidates_and_whose_they_are() {
        let fragment = "a=ice-ufrag:0x7C\r\na=ice-pwd:p\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n\
            a=candidate:1 1 udp 2 192.0.2.9 5000 typ host\r\na=end-of-candidates\r\n";
        let fragment = Fragment::read(fragment);
        assert_eq!(fragment.ufrag.as_deref(), Some("0x7C"));
        assert_eq!(fragment.candidates, ["candidate:1 1 udp 2 192.0.2.9 5000 typ host"]);
    }
}
