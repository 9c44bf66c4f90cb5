//! Where pictures come in. Holds `Producer`s only: nothing here knows who watches.
//!
//! Each transport has a module of its own; none of them keeps a camera's state, which is the relay's.

pub mod webrtc;
