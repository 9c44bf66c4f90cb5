//! What is kept outside this process.
//!
//! Belongs here: consumers that write somewhere else, off the live path, and settings that outlive a
//! restart. Does not: anything that a viewer waits for. Live viewers are served from memory whether
//! or not a store is there.

pub mod catalog;
pub mod redis;
