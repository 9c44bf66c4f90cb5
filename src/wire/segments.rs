//! The segments before a JPEG's picture data.

/// Marker and content of each, in order, without those that have no content. Ends at the first
/// breach of the syntax (ITU-T T.81, annex B).
pub fn segments(jpeg: &[u8]) -> Segments<'_> {
    Segments { jpeg, at: 2 }
}

/// See [`segments`].
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    jpeg: &'a [u8],
    at: usize,
}

impl Segments<'_> {
    /// Where the next one begins; behind the last, where the header of the picture data does, if there
    /// is any.
    pub fn at(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match *self.jpeg.get(self.at..self.at + 2)? {
                // A fill byte.
                [0xFF, 0xFF] => self.at += 1,
                // TEM and RSTn stand alone.
                [0xFF, 0x01 | 0xD0..=0xD7] => self.at += 2,
                [0xFF, 0xD9 | 0xDA] => return None,
                [0xFF, marker] => {
                    let len = self.jpeg.get(self.at + 2..)?.first_chunk()?;
                    let end = self.at + 2 + usize::from(u16::from_be_bytes(*len));
                    let content = self.jpeg.get(self.at + 4..end)?;
                    self.at = end;
                    return Some((marker, content));
                }
                _ => return None,
            }
        }
    }
}
