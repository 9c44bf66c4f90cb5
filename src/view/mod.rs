//! Doors out. Each reads the newest frames of the cameras and hands them on in its own wrapping.
//!
//! Belongs here: viewers' protocols. Does not: publishers, or anything that changes a camera.

pub mod frame;
pub mod legacy_api;
pub mod mjpeg;
pub mod rest;
pub mod stream;

use std::sync::Arc;

use crate::{
    net::{ApiError, Route},
    relay::{Camera, Registry},
};

/// What every door out needs.
#[derive(Debug, Clone)]
pub struct View {
    /// The cameras, to read.
    pub registry: Arc<Registry>,
    /// Most frames a second for one viewer and camera; viewers may ask for less.
    pub max_fps: f64,
}

impl View {
    fn camera(&self, id: &str) -> Result<Arc<Camera>, ApiError> {
        self.registry.get(id).ok_or_else(|| ApiError::unknown_camera(id))
    }
}

/// The routes under `/api` and of the health checks.
pub fn routes(view: &View, api: rest::Api) -> Vec<Route> {
    let api = Arc::new(api);
    vec![
        Route::at("/api/cameras").get(rest::cameras, view),
        Route::at("/api/cameras/{id}").get(rest::camera, view),
        Route::at("/api/cameras/{id}/frame.jpg").get(frame::frame, view),
        Route::at("/api/cameras/{id}/frames").get(rest::frames, view),
        Route::at("/api/cameras/{id}/stream.mjpeg").get(mjpeg::stream, view),
        Route::at("/api/stats").get(rest::stats, &api),
        Route::at("/api/info").get(rest::info, &api),
        Route::at("/healthz").get(rest::healthz, &()),
        Route::at("/readyz").get(rest::readyz, &()),
    ]
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
