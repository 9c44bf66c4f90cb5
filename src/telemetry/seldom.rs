//! What may happen very often and is to be logged now and then, with how often it happened.
//!
//! Belongs here: when a line is due. Does not: what it says.

use std::{fmt, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Lets the first few lines through, then at most one a period.
///
/// The first few are given again when nothing had to be held back for a whole period.
#[derive(Debug)]
pub struct Seldom {
    first: u32,
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the period began; `None` before the first event.
    since: Option<Instant>,
    said: u32,
    unsaid: u64,
}

/// Events without a line of their own since the last line; reads as nothing if there were none,
/// else as `, and 3 more like it before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsaid(pub u64);

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            n => write!(f, ", and {n} more like it before"),
        }
    }
}

impl Seldom {
    /// The first `first` lines of a period at once, then one a period.
    pub fn new(first: u32, period: Duration) -> Self {
        Self { first, period, state: Mutex::default() }
    }

    /// Something happened. `Some` when a line is due for it.
    pub fn event(&self) -> Option<Unsaid> {
        let mut state = self.state.lock();
        if state.since.is_none_or(|since| since.elapsed() >= self.period) {
            return Some(self.begin(&mut state));
        }
        // Once something is held back, only time lets a line through.
        if state.unsaid == 0 && state.said < self.first {
            state.said += 1;
            return Some(Unsaid(0));
        }
        state.unsaid += 1;
        None
    }

    /// Whether the period is over, and with it all there was to remember.
    pub fn is_over(&self) -> bool {
        self.state.lock().since.is_none_or(|since| since.elapsed() >= self.period)
    }

    /// What was held back, once a period is over: for those who look now and then, so that the last
    /// word is not missing when the events end.
    pub fn overdue(&self) -> Option<Unsaid> {
        let mut state = self.state.lock();
        let over = state.since.is_some_and(|since| since.elapsed() >= self.period);
        (over && state.unsaid > 0).then(|| self.begin(&mut state))
    }

    /// A period begins with a line.
    fn begin(&self, state: &mut State) -> Unsaid {
        let unsaid = std::mem::take(&mut state.unsaid);
        state.said = if unsaid > 0 { self.first } else { 1 };
        state.since = Some(Instant::now());
        Unsaid(unsaid)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn the_first_few_are_said_and_then_one_a_period_with_a_count() {
        let seldom = Seldom::new(3, MINUTE);
        let mut said = Vec::new();
        for second in 0..180 {
            if let Some(Unsaid(n)) = seldom.event() {
                said.push((second, n));
            }
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(said, [(0, 0), (1, 0), (2, 0), (60, 57), (120, 59)]);
        advance(2 * MINUTE).await;
        assert_eq!(seldom.event(), Some(Unsaid(59)), "what was held back is not lost");
        advance(MINUTE).await;
        let again: Vec<_> = (0..4).map(|_| seldom.event()).collect();
        assert_eq!(again, [Some(Unsaid(0)), Some(Unsaid(0)), Some(Unsaid(0)), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_held_back_is_due_once_after_the_period() {
        let seldom = Seldom::new(1, MINUTE);
        assert_eq!(seldom.overdue(), None);
        assert_eq!(seldom.event(), Some(Unsaid(0)));
        assert_eq!((seldom.event(), seldom.event()), (None, None));
        advance(Duration::from_secs(59)).await;
        assert_eq!(seldom.overdue(), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(seldom.overdue(), Some(Unsaid(2)));
        assert_eq!(seldom.overdue(), None);
        assert_eq!(seldom.event(), None, "one line a period");
    }

    #[test]
    fn a_count_is_told_in_words() {
        assert_eq!(format!("full{}", Unsaid(0)), "full");
        assert_eq!(format!("full{}", Unsaid(7)), "full, and 7 more like it before");
    }
}
