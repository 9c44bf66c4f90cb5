//! What the server says of itself: its log, and one line of figures every half minute.
//!
//! Belongs here: how lines look and where they go. Does not: what the figures mean or where they
//! are counted.

mod logs;
mod seldom;
mod seldom_each;
pub mod stats;

pub use logs::{BadFilter, init};
pub use seldom::{Seldom, Unsaid};
pub use seldom_each::SeldomEach;
