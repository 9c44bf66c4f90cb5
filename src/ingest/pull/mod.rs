//! Cameras that the server connects to: RTSP, and MJPEG over HTTP.
//!
//! Belongs here: connecting, while somebody watches; trying again; what comes in turned into units and
//! pictures. Does not: which cameras there are (`store::catalog`), decoding (`media`), viewers.
//!
//! | file | what it does |
//! |---|---|
//! | `keeper` | when a camera is connected, and when again |
//! | `wanted` | for how long it is wanted |
//! | `sink` | the camera that pictures and video go to |
//! | `backoff` | how long to wait before trying again |
//! | `live` | one connection, whatever the protocol: what comes out of it, within which time |
//! | `rtsp`, `mjpeg` | the protocols |
//! | `dial` | a connection, encrypted where the address says so |
//! | `tunnel` | what RTSP cameras send, within bounds |
//! | `http` | a request over HTTP, with its login |
//! | `words` | why it did not work, for people |
//! | `trial` | connects once, to see |

mod backoff;
mod dial;
mod http;
mod keeper;
mod live;
mod mjpeg;
mod rtsp;
mod sink;
mod trial;
mod tunnel;
mod wanted;
mod words;

pub use keeper::{Pull, Settings};
pub use trial::answer_trials;
