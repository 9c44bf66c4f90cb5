//! framecast: a live camera relay.
