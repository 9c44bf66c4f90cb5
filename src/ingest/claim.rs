//! A camera that a publisher asks for, and has from its first good picture on.
//!
//! Belongs here: when a publisher takes its camera over. Does not: where its pictures come from, or
//! what it is told.

use std::sync::Arc;

use crate::{
    relay::{
        CameraId, Clock, DropReason, Outcome, Producer, PublishError, Publisher, Refused, Registry,
        Stamp,
    },
    wire::{envelope, jpeg},
};

/// Why a picture was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The picture is no good, or a newer publisher has the camera. Counted already.
    Refused(Refused),
    /// It would have been the first, and the camera cannot be had.
    NotNow(PublishError),
}

/// A publisher and its camera. Whoever only connects, or sends rubbish, takes nothing from a
/// publisher that sends.
#[derive(Debug)]
pub struct Claim {
    registry: Arc<Registry>,
    camera: CameraId,
    publisher: Publisher,
    producer: Option<Producer>,
}

impl Claim {
    /// Fails where the first picture would be refused anyway, so that the publisher hears of it
    /// before it sends one.
    pub fn new(
        registry: &Arc<Registry>,
        camera: CameraId,
        publisher: Publisher,
    ) -> Result<Self, PublishError> {
        registry.admits(&camera)?;
        Ok(Self { registry: registry.clone(), camera, publisher, producer: None })
    }

    /// The camera.
    pub fn camera(&self) -> &CameraId {
        &self.camera
    }

    /// Bytes to leave free before the JPEG in a buffer for [`Self::publish`].
    pub fn headroom(&self) -> usize {
        envelope::headroom(self.camera.as_str().len())
    }

    /// What a picture has to keep.
    pub fn limits(&self) -> &jpeg::Limits {
        &self.registry.limits().frame
    }

    /// The relay's time.
    pub fn clock(&self) -> Clock {
        self.registry.clock()
    }

    /// As [`Producer::publish`]. The first good picture takes the camera over.
    pub fn publish(&mut self, buf: Vec<u8>, stamp: Stamp) -> Result<Outcome, Denied> {
        let headroom = self.headroom();
        self.take(&buf[headroom..])?.publish(buf, stamp).map_err(Denied::Refused)
    }

    /// As [`Producer::publish_jpeg`]. The first good picture takes the camera over.
    pub fn publish_jpeg(&mut self, jpeg: &[u8], stamp: Stamp) -> Result<Outcome, Denied> {
        self.take(jpeg)?.publish_jpeg(jpeg, stamp).map_err(Denied::Refused)
    }

    /// Counts pictures that never became a frame, if the camera is known.
    pub fn count(&self, reason: DropReason, n: u64) {
        if let Some(camera) = self.registry.get(self.camera.as_str()) {
            camera.count(reason, n);
        }
    }

    /// Resolves when a newer publisher has taken the camera from this one. Cancel safe.
    pub async fn replaced(&self) {
        match &self.producer {
            Some(producer) => producer.replaced().await,
            None => std::future::pending().await,
        }
    }

    /// Takes the camera offline for this reason, if it was taken.
    pub fn close(self, reason: &str) {
        if let Some(producer) = self.producer {
            producer.close(reason);
        }
    }

    /// The camera itself, if it was taken.
    pub fn into_producer(self) -> Option<Producer> {
        self.producer
    }

    fn take(&mut self, picture: &[u8]) -> Result<&Producer, Denied> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                if let Err(error) = jpeg::inspect(picture, self.limits()) {
                    if let Some(reason) = DropReason::from_code(error.code()) {
                        self.count(reason, 1);
                    }
                    return Err(Denied::Refused(error.into()));
                }
                let producer = self.registry.publish(&self.camera, self.publisher.clone());
                producer.map_err(Denied::NotNow)?
            }
        };
        Ok(self.producer.insert(producer))
    }
}
