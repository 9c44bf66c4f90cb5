//! The ports: which route leads to which door, who may call from a browser, and the pages.
//!
//! Belongs here: routing and what is the same for every route of a port. Does not: what a door does.

mod lost;
mod origin;
mod pages;
mod routers;

pub use origin::Origins;
pub use routers::{IngestPort, ViewPort, ingest_port, view_port};
