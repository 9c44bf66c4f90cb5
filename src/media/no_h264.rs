//! In place of the H.264 decoder in builds without the feature `openh264`.

use bytes::Bytes;

/// Whether this build decodes H.264.
pub(super) const DECODES: bool = false;

/// Decodes nothing.
#[derive(Debug)]
pub(super) struct Decoder;

impl Decoder {
    pub(super) fn new(_config: &Bytes) -> Option<Self> {
        None
    }

    pub(super) fn decode(
        &mut self,
        _unit: &[u8],
        _reordered: bool,
        _wanted: bool,
        _headroom: usize,
    ) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}
