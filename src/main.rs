//! The `framecast` command.
fn main() {}
