//! framecast: a live camera relay.
pub mod ingest;
