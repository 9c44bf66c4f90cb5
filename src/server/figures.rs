//! The figures of all parts, put together for `/api/stats`, the log and the legacy API.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    ingest::webrtc::Port,
    media::Media,
    relay::{DropReason, Registry, Snapshot},
    store::{catalog::Catalog, redis},
    telemetry::stats::Figures,
    view::{Sent, legacy_api::StoreHealth, stream::Streams},
};

/// What pictures go through on their way out.
pub(super) struct Outputs {
    pub streams: Streams,
    pub mjpeg: Sent,
    pub media: Media,
}

/// What `/api/stats` tells beside the cameras.
pub(super) fn further(
    outputs: Outputs,
    port: Arc<Port>,
    redis: Option<redis::Handle>,
    catalog: Catalog,
) -> impl Fn() -> Map<String, Value> {
    let Outputs { streams, mjpeg, media } = outputs;
    move || {
        let sent = |sent: &Sent| json!({"frames": sent.frames(), "bytes": sent.bytes()});
        let mut stream = sent(streams.sent());
        stream["viewers"] = streams.viewers().into();
        let webrtc = json!({"sessions": port.sessions(), "datagrams": port.stats()});
        let redis = redis.as_ref().map(|redis| json!(redis.figures()));
        let catalog = json!({
            "cameras": catalog.list().len(),
            "kept": catalog.is_kept(),
            "problem": catalog.problem(),
        });
        [
            ("stream", Some(stream)),
            ("mjpeg", Some(sent(&mjpeg))),
            ("media", Some(json!(media.figures()))),
            ("webrtc", Some(webrtc)),
            ("catalog", Some(catalog)),
            ("redis", redis),
        ]
        .into_iter()
        .filter_map(|(name, figures)| Some((name.to_owned(), figures?)))
        .collect()
    }
}

/// How the store does, for the legacy API.
pub(super) fn store_probe(redis: Option<redis::Handle>) -> impl Fn() -> StoreHealth {
    move || match &redis {
        Some(redis) => {
            let connected = redis.figures().state == redis::State::Connected;
            StoreHealth { connected, pending: 0 }
        }
        None => StoreHealth::default(),
    }
}

/// What the stats line says.
pub(super) fn line(
    registry: Arc<Registry>,
    streams: Streams,
    mjpeg: Sent,
    redis: Option<redis::Handle>,
) -> impl Fn() -> Figures {
    move || {
        let cameras: Vec<_> = registry.list().iter().map(|camera| camera.snapshot()).collect();
        let drops = DropReason::ALL.map(|reason| {
            let of = |camera: &Snapshot| camera.drops.get(reason.name()).copied();
            (reason.name(), cameras.iter().filter_map(of).sum())
        });
        Figures {
            cameras: cameras.len(),
            online: cameras.iter().filter(|camera| camera.online).count(),
            viewers: cameras.iter().map(|camera| camera.viewers).sum(),
            // The sum of nothing is -0.0.
            fps_in: cameras.iter().map(|camera| camera.fps).sum::<f64>() + 0.0,
            frames_in: cameras.iter().map(|camera| camera.frames).sum(),
            frames_out: streams.sent().frames() + mjpeg.frames(),
            cache_bytes: registry.cache_bytes(),
            redis: redis.as_ref().map(|redis| redis.figures().state.to_string()),
            drops: drops.into(),
        }
    }
}
