//! What the command says while it runs: a line of figures on standard output, troubles on standard
//! error.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use tokio::time::Instant;

use super::{PublishError, messages::Feedback};

/// Between two lines of figures.
pub(super) const PERIOD: Duration = Duration::from_secs(5);
/// The same trouble is told again after this long.
const REPEAT: Duration = Duration::from_secs(10);

/// Counts since the line before.
#[derive(Debug)]
pub(super) struct Report {
    camera: String,
    since: Instant,
    frames: u64,
    bytes: u64,
    skipped: u64,
    feedback: Option<Feedback>,
    complaint: Option<(String, Instant)>,
    ended: Figures,
    /// Of the connection that there is.
    current: Figures,
    /// The server's words to the newest picture that was refused.
    why: Option<String>,
}

/// What became of the pictures, as far as the server has said.
#[derive(Debug, Default)]
struct Figures {
    /// Pictures that the server could read, of no use or not.
    taken: u64,
    refused: u64,
}

impl Report {
    pub(super) fn new(camera: &str) -> Self {
        Self {
            camera: camera.to_owned(),
            since: Instant::now(),
            frames: 0,
            bytes: 0,
            skipped: 0,
            feedback: None,
            complaint: None,
            ended: Figures::default(),
            current: Figures::default(),
            why: None,
        }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }

    /// Pictures that a newer one overtook before the link could take them.
    pub(super) fn skipped(&mut self, n: u64) {
        self.skipped += n;
    }

    pub(super) fn feedback(&mut self, feedback: Feedback) {
        let Feedback { received, lost, duplicates, refused, .. } = feedback;
        self.current = Figures { taken: received + lost + duplicates, refused };
        self.feedback = Some(feedback);
    }

    /// The server says why it refuses something.
    pub(super) fn refused(&mut self, why: String) {
        self.why = Some(why);
    }

    /// A picture is not even sent, as the server would refuse it.
    pub(super) fn left_out(&mut self, why: String) {
        self.complain(&why);
        self.refused(why);
        self.ended.refused += 1;
    }

    /// The server counts anew in the next connection.
    pub(super) fn disconnected(&mut self) {
        let Figures { taken, refused } = std::mem::take(&mut self.current);
        self.ended.taken += taken;
        self.ended.refused += refused;
    }

    /// What to say at the end of the pictures that were refused; as an error when these were all.
    pub(super) fn verdict(&mut self) -> Result<Option<String>, PublishError> {
        let Figures { taken, refused } = self.ended;
        if refused == 0 {
            return Ok(None);
        }
        let why = self.why.take().unwrap_or_else(|| "it gives no reason".into());
        if taken == 0 {
            return Err(PublishError::AllRefused { camera: self.camera.clone(), refused, why });
        }
        let all = taken + refused;
        Ok(Some(format!("{refused} of {all} pictures were refused, the last one so: {why}")))
    }

    /// Prints the figures and starts over.
    pub(super) fn line(&mut self) {
        self.say(&self.text(self.since.elapsed()));
        (self.since, self.frames, self.bytes, self.skipped) = (Instant::now(), 0, 0, 0);
        self.feedback = None;
    }

    fn text(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let mut text = format!(
            "{}: sent {:.1} fps, {:.0} kB/s",
            self.camera,
            self.frames as f64 / seconds,
            self.bytes as f64 / 1000.0 / seconds
        );
        if self.skipped > 0 {
            text += &format!(", skipped {}", self.skipped);
        }
        if let Some(feedback) = &self.feedback {
            let Feedback { received: _, received_fps, lost, refused, duplicates, age_ms } =
                feedback;
            text += &format!(" | server got {received_fps:.1} fps");
            let counts = [("lost", lost), ("refused", refused), ("unchanged", duplicates)];
            for (what, n) in counts.into_iter().filter(|(_, n)| **n > 0) {
                text += &format!(", {what} {n}");
            }
            if let Some(age_ms) = age_ms {
                text += &format!(", {age_ms} ms after capture");
            }
        }
        text
    }

    /// Prints a line, unless nobody reads any more.
    pub(super) fn say(&self, text: &str) {
        let _ = writeln!(io::stdout(), "{text}");
    }

    /// Prints a trouble, the same one not all the time.
    pub(super) fn complain(&mut self, text: &str) {
        let told = self.complaint.as_ref();
        if told.is_some_and(|(said, at)| said == text && at.elapsed() < REPEAT) {
            return;
        }
        let _ = writeln!(io::stderr(), "{}: {text}", self.camera);
        self.complaint = Some((text.to_owned(), Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_both_ends() {
        let mut report = Report::new("door");
        for _ in 0..150 {
            report.sent(20_000);
        }
        let five = Duration::from_secs(5);
        assert_eq!(report.text(five), "door: sent 30.0 fps, 600 kB/s");
        report.skipped(2);
        report.feedback(Feedback {
            received: 145,
            received_fps: 29.0,
            lost: 1,
            refused: 0,
            duplicates: 0,
            age_ms: Some(4),
        });
        assert_eq!(
            report.text(five),
            "door: sent 30.0 fps, 600 kB/s, skipped 2 | server got 29.0 fps, lost 1, 4 ms after \
             capture"
        );
    }

    #[test]
    fn what_was_refused_is_summed_up_over_connections() {
        let feedback = |received, refused| Feedback {
            received,
            received_fps: 0.0,
            lost: 0,
            refused,
            duplicates: 0,
            age_ms: None,
        };
        let mut report = Report::new("door");
        assert!(matches!(report.verdict(), Ok(None)), "nothing was sent");
        for refused in [1, 2] {
            report.feedback(feedback(0, refused));
        }
        report.refused("no JPEG (not_jpeg)".into());
        report.disconnected();
        report.disconnected();
        report.feedback(feedback(0, 1));
        report.disconnected();
        let all = report.verdict().unwrap_err().to_string();
        assert_eq!(
            all,
            "all pictures of camera door were refused (3), the last one so: no JPEG (not_jpeg)"
        );
        report.feedback(feedback(5, 0));
        report.refused("too large (too_large)".into());
        report.disconnected();
        let some = report.verdict().unwrap().unwrap();
        assert_eq!(some, "3 of 8 pictures were refused, the last one so: too large (too_large)");
    }
}
