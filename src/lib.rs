//! framecast: a live camera relay. Any camera in, any viewer out, one binary.
//!
//! Data flows one way: `ingest → relay → view`, and `relay → media → relay` for pictures made of video and
//! smaller ones.
//!
//! | module | what it is for | may import |
//! |---|---|---|
//! | [`wire`] | bytes: frame header, parts, messages, JPEG headers, MP4. No socket, no clock | nothing here |
//! | [`telemetry`] | logs, and how often to write a line | nothing here |
//! | [`net`] | listeners, WebSocket upgrade, WebRTC connections on one UDP port, error → status | `wire`, `telemetry` |
//! | [`relay`] | the heart: cameras, frames, cache, pacing. No socket, no HTTP | `wire`, `telemetry` |
//! | [`ingest`] | doors in; holds producers only | `relay`, `wire`, `net`, `synth`, `telemetry` |
//! | [`media`] | pictures of video and smaller pictures, on demand | `relay`, `wire`, `telemetry` |
//! | [`view`] | doors out, holds consumers only; the API | `relay`, `wire`, `net`, `store` |
//! | [`store`] | Redis, a consumer off the live path; the camera catalog | `relay`, `wire` |
//! | [`http`] | the ports' routers, origin guard, embedded pages | `ingest`, `view`, `net`, `wire`, `telemetry` |
//! | [`synth`] | test pictures | nothing here |
//! | [`publish`] | the `publish` command: a publisher in its own process | `synth`, `wire` |
//! | [`config`] | one struct: flags, environment, TOML file | `relay`, `wire`, `store` |
//! | [`server`] | joins all parts; the only module that imports everything | all |
//!
//! `relay` imports neither edge nor `media`; `ingest` and `view` never import each other, and neither
//! imports `media`: who wants a smaller picture asks the camera for it. A test holds this table against
//! the source.

pub mod config;
pub mod http;
pub mod ingest;
pub mod media;
pub mod net;
pub mod publish;
pub mod relay;
pub mod server;
pub mod store;
pub mod synth;
pub mod telemetry;
pub mod view;
pub mod wire;
