//! Cameras that somebody set up beforehand: known before they are ever published, with a name that
//! is theirs, and never forgotten.
//!
//! Belongs here: what that means to the relay. Does not: where the settings are kept (`store`).

use std::sync::Arc;

use super::{Camera, CameraId, Presence, PublishError, Registry};

/// What the relay has to know of a configured camera.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// The name for people, before any that a publisher gives.
    pub name: Option<String>,
    /// Why it is offline until it is published for the first time, in plain words.
    pub reason: Arc<str>,
    /// The server connects to it, but only while somebody asks for it.
    pub on_demand: bool,
}

impl Registry {
    /// Makes a camera known for good, or changes what is known of it. At `--max-cameras` the oldest
    /// offline camera that is not configured has to go; without one nothing is done.
    pub fn configure(
        &self,
        id: &CameraId,
        configured: Configured,
    ) -> Result<Arc<Camera>, PublishError> {
        let camera = {
            let _membership = self.membership.lock();
            let camera = self.get_or_add(id)?;
            camera.set_configured(Some(configured));
            camera
        };
        self.changed();
        Ok(camera)
    }

    /// The camera is one like any other from here on. An offline one is forgotten at once.
    pub fn unconfigure(&self, id: &CameraId) {
        {
            let _membership = self.membership.lock();
            let Some(camera) = self.get(id.as_str()) else { return };
            camera.set_configured(None);
            if camera.offline_for().is_some() {
                self.forget(&camera);
            }
        }
        self.changed();
    }

    /// Says why a camera is offline, in plain words. Nothing is said of one that is online.
    pub fn explain(&self, camera: &Camera, reason: &str) {
        if camera.explain(reason) {
            self.changed();
        }
    }
}

impl Camera {
    fn explain(&self, reason: &str) -> bool {
        let mut owner = self.owner.lock();
        match &mut owner.presence {
            Presence::Offline { reason: shown, .. } if **shown != *reason => {
                *shown = reason.into();
                true
            }
            _ => false,
        }
    }

    /// Whether it stays though nobody publishes it.
    pub fn is_configured(&self) -> bool {
        self.owner.lock().configured.is_some()
    }

    /// Whether the server connects to it only while somebody asks for it.
    pub fn is_on_demand(&self) -> bool {
        self.owner.lock().configured.as_ref().is_some_and(|configured| configured.on_demand)
    }

    fn set_configured(&self, configured: Option<Configured>) {
        let mut owner = self.owner.lock();
        if let Some(Configured { reason, .. }) = &configured
            && owner.tenure.is_none()
            && let Presence::Offline { reason: shown, .. } = &mut owner.presence
        {
            *shown = reason.clone();
        }
        owner.configured = configured;
    }
}

#[cfg(test)]
mod tests {
    use crate::relay::{Clock, Limits, Publisher, Transport};

    use super::*;

    fn id(text: &str) -> CameraId {
        CameraId::parse(text).unwrap()
    }

    fn configured(name: &str) -> Configured {
        Configured { name: Some(name.into()), reason: "not connected yet".into(), on_demand: false }
    }

    fn named(name: &str) -> Publisher {
        Publisher { name: Some(name.into()), ..Publisher::over(Transport::Http) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_configured_camera_is_known_offline_with_its_reason_and_never_forgotten() {
        let registry = Registry::new(Limits::default(), Clock::system());
        let camera = registry.configure(&id("door"), configured("Front door")).unwrap();
        assert_eq!(camera.name(), "Front door");
        let Presence::Offline { reason, .. } = camera.presence() else { panic!("online") };
        assert_eq!(&*reason, "not connected yet");

        tokio::time::advance(Limits::default().forget_after * 2).await;
        registry.sweep();
        assert!(registry.get("door").is_some());
        registry.unconfigure(&id("door"));
        assert!(registry.get("door").is_none());
    }

    #[test]
    fn its_name_goes_before_the_publishers_and_back_when_it_is_no_longer_configured() {
        let registry = Registry::new(Limits::default(), Clock::system());
        registry.configure(&id("door"), configured("Front door")).unwrap();
        let producer = registry.publish(&id("door"), named("cam 7")).unwrap();
        assert_eq!(producer.camera().name(), "Front door");
        registry.configure(&id("door"), Configured { name: None, ..configured("") }).unwrap();
        assert_eq!(producer.camera().name(), "cam 7");
        registry.unconfigure(&id("door"));
        assert!(registry.get("door").is_some(), "it is online");
        drop(producer);
    }

    #[test]
    fn strangers_make_room_for_configured_cameras_and_not_the_other_way_round() {
        let limits = Limits { max_cameras: 2, ..Limits::default() };
        let registry = Registry::new(limits, Clock::system());
        drop(registry.publish(&id("stranger"), named("x")).unwrap());
        registry.configure(&id("a"), configured("a")).unwrap();
        registry.configure(&id("b"), configured("b")).unwrap();
        assert!(registry.get("stranger").is_none());
        assert!(registry.admits(&id("stranger")).is_err());
        assert!(registry.publish(&id("stranger"), named("x")).is_err());
        assert!(registry.configure(&id("c"), configured("c")).is_err());
        assert!(registry.publish(&id("a"), named("a")).is_ok());
    }
}
