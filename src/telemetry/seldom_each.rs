//! What may happen very often to each of many: a line now and then for each, so that one that is told
//! often hides no other.
//!
//! Belongs here: for whom a line is due, and how many are remembered. Does not: what a line says.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use super::{Seldom, Unsaid};

/// Names that are remembered, as those come from outside and anybody can make up more; the names beyond
/// them share their lines.
const MAX_NAMES: usize = 100;

/// Characters of a name that count; names that are the same up to here share their lines.
const MAX_NAME: usize = 100;

/// At most one line a period and name.
#[derive(Debug)]
pub struct SeldomEach {
    period: Duration,
    names: Mutex<HashMap<String, Seldom>>,
    /// For the names beyond [`MAX_NAMES`].
    others: Seldom,
}

impl SeldomEach {
    /// One line a period and name.
    pub fn new(period: Duration) -> Self {
        Self { period, names: Mutex::default(), others: Seldom::new(1, period) }
    }

    /// Something happened to `name`. `Some` when a line is due for it.
    pub fn event(&self, name: &str) -> Option<Unsaid> {
        let name: String = name.chars().take(MAX_NAME).collect();
        let mut names = self.names.lock();
        if let Some(seldom) = names.get(&name) {
            return seldom.event();
        }
        if names.len() >= MAX_NAMES {
            names.retain(|_, seldom| !seldom.is_over());
        }
        if names.len() >= MAX_NAMES {
            return self.others.event();
        }
        names.entry(name).or_insert_with(|| Seldom::new(1, self.period)).event()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn each_name_has_its_line_and_one_that_is_told_often_hides_no_other() {
        let each = SeldomEach::new(MINUTE);
        assert_eq!(each.event("a"), Some(Unsaid(0)));
        assert_eq!((each.event("a"), each.event("a")), (None, None));
        assert_eq!(each.event("b"), Some(Unsaid(0)));
        advance(MINUTE).await;
        assert_eq!(each.event("a"), Some(Unsaid(2)));
        assert_eq!(each.event("b"), Some(Unsaid(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn names_that_are_made_up_fill_neither_the_memory_nor_the_log() {
        let each = SeldomEach::new(MINUTE);
        let long = "x".repeat(1000);
        assert!(each.event(&long).is_some());
        assert_eq!(each.event(&long[..MAX_NAME + 1]), None, "the same as far as it counts");
        assert!(each.names.lock().keys().all(|name| name.len() <= MAX_NAME));
        for _ in 0..2 {
            let names = (0..10 * MAX_NAMES).map(|n| format!("made-up-{n}"));
            let lines = names.filter(|name| each.event(name).is_some()).count();
            assert!((MAX_NAMES..=MAX_NAMES + 1).contains(&lines), "{lines}");
            assert!(each.names.lock().len() <= MAX_NAMES);
            advance(2 * MINUTE).await;
        }
        // What was over has made room.
        assert_eq!(each.event("door"), Some(Unsaid(0)));
        assert_eq!(each.event("door"), None);
    }
}
