//! The camera that a connection's events go to.
//!
//! Belongs here: taking the camera with the first good picture, publishing, letting go. Does not: when it is
//! connected.

use std::sync::Arc;

use super::live::Event;
use crate::{
    relay::{
        Camera, DropReason, Failure, Presence, Producer, PublishError, Publisher, Refused,
        Registry, Stamp, Transport,
    },
    wire::jpeg,
};

/// What became of an event.
pub(super) enum Put {
    Taken,
    /// It was a picture that viewers could do nothing with.
    Skipped,
    Replaced,
}

/// The camera, taken with the first good picture.
pub(super) struct Sink {
    registry: Arc<Registry>,
    camera: Arc<Camera>,
    over: Transport,
    producer: Option<Producer>,
}

impl Sink {
    pub(super) fn new(registry: &Arc<Registry>, camera: &Arc<Camera>, over: Transport) -> Self {
        Self { registry: registry.clone(), camera: camera.clone(), over, producer: None }
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(super) fn camera(&self) -> &Arc<Camera> {
        &self.camera
    }

    /// A newer publisher has the camera: nothing is said of its going offline.
    pub(super) fn lose(&mut self) {
        self.producer = None;
    }

    /// Waits until nobody else publishes the camera.
    pub(super) async fn free(&self) {
        let mut changes = self.registry.changes();
        while self.producer.is_none()
            && matches!(self.camera.presence(), Presence::Online { .. })
            && changes.changed().await.is_ok()
        {}
    }

    fn take(&mut self) -> Result<&Producer, Failure> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                let taken = self.registry.publish(self.camera.id(), Publisher::over(self.over));
                taken
                    .map_err(|error: PublishError| Failure::new(error.code(), error.to_string()))?
            }
        };
        Ok(self.producer.insert(producer))
    }

    pub(super) fn put(&mut self, event: Event) -> Result<Put, Failure> {
        let done = match event {
            Event::Format(format) => self.take()?.begin_video(format),
            Event::Unit(medium, pts, data) => match &self.producer {
                Some(producer) => producer.push_unit(medium, pts, data),
                None => return Ok(Put::Skipped),
            },
            Event::Jpeg(buf, headroom) => return self.jpeg(buf, headroom),
        };
        Ok(if done.is_ok() { Put::Taken } else { Put::Replaced })
    }

    fn jpeg(&mut self, buf: Vec<u8>, headroom: usize) -> Result<Put, Failure> {
        // What is no picture takes the camera from nobody.
        if self.producer.is_none()
            && let Err(error) = jpeg::inspect(&buf[headroom..], &self.registry.limits().frame)
        {
            if let Some(reason) = DropReason::from_code(error.code()) {
                self.camera.count(reason, 1);
            }
            return Ok(Put::Skipped);
        }
        let producer = self.take()?;
        let outcome = if headroom == producer.headroom() {
            producer.publish(buf, Stamp::default())
        } else {
            producer.publish_jpeg(&buf[headroom..], Stamp::default())
        };
        Ok(match outcome {
            Ok(_) => Put::Taken,
            Err(Refused::Replaced(_)) => Put::Replaced,
            Err(Refused::Jpeg(_)) => Put::Skipped,
        })
    }

    pub(super) async fn replaced(&self) {
        match &self.producer {
            Some(producer) => producer.replaced().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn explain(&self, reason: &str) {
        self.registry.explain(&self.camera, reason);
    }

    /// Takes the camera offline, or says why it still is.
    pub(super) fn close(&mut self, reason: &str) {
        match self.producer.take() {
            Some(producer) => producer.close(reason),
            None => self.explain(reason),
        }
    }
}
