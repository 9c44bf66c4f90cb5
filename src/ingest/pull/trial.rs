//! Connects to a source once, to say what is there or why not.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::live::{Dial, Event, Live};
use crate::{
    net::{Lifetime, guard::Guard},
    relay::{Codec, Failure, Found, Medium, Registry, Source, Trial},
    wire::jpeg,
};

/// Trials at a time: the page's button, pressed by some people.
const AT_A_TIME: usize = 4;

/// How long pictures are counted for.
const COUNTED: Duration = Duration::from_millis(1500);

/// Answers the registry's trials until shutdown.
pub async fn answer_trials(registry: Arc<Registry>, guard: Guard, lifetime: Lifetime) {
    let Some(mut trials) = registry.trials() else { return };
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    while let Some(Some(trial)) = lifetime.shutdown.run_until_cancelled(trials.recv()).await {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (guard, limits) = (guard.clone(), registry.limits().frame);
        let shutdown = lifetime.shutdown.clone();
        lifetime.tasks.spawn(async move {
            let Trial { source, mut answer } = trial;
            let found = tokio::select! {
                found = look(&source, &guard, &limits) => found,
                () = shutdown.cancelled() => return,
                // Nobody waits for it any more.
                () = answer.closed() => return,
            };
            let _ = answer.send(found);
            drop(place);
        });
    }
}

async fn look(source: &Source, guard: &Guard, limits: &jpeg::Limits) -> Result<Found, Failure> {
    let started = Instant::now();
    let dial = Dial { source, guard, max_bytes: limits.max_bytes, headroom: 0, retry: false };
    let mut live = Live::connect(dial).await?;
    // Within the time for the start, counted from the dial on.
    let mut found = first(&mut live, limits).await?;
    live.taken();
    found.took_ms = started.elapsed().as_millis() as u64;
    let counting = Instant::now();
    let mut last = counting;
    let mut pictures = 0_u32;
    // What comes at once at the start says nothing of how many come a second.
    let _ = timeout(COUNTED, async {
        while let Ok(event) = live.next().await {
            if matches!(event, Event::Jpeg(..) | Event::Unit(Medium::Video { .. }, ..)) {
                pictures += 1;
                last = Instant::now();
            }
        }
    })
    .await;
    let tenths = f64::from(pictures) * 10.0 / (last - counting).as_secs_f64().max(0.1);
    found.fps_tenths = tenths.round() as u32;
    Ok(found)
}

async fn first(live: &mut Live, limits: &jpeg::Limits) -> Result<Found, Failure> {
    loop {
        match live.next().await? {
            Event::Format(format) => {
                let video = format.video;
                return Ok(Found {
                    codec: match video.codec {
                        Codec::H264 => "h264",
                        Codec::H265 => "h265",
                    },
                    codecs: Some(video.rfc6381),
                    width: video.width,
                    height: video.height,
                    fps_tenths: 0,
                    audio: format.audio.map(|audio| audio.rfc6381),
                    took_ms: 0,
                });
            }
            Event::Jpeg(buf, headroom) => {
                if let Ok(info) = jpeg::inspect(&buf[headroom..], limits) {
                    return Ok(Found {
                        codec: "mjpeg",
                        codecs: None,
                        width: info.width,
                        height: info.height,
                        fps_tenths: 0,
                        audio: None,
                        took_ms: 0,
                    });
                }
            }
            Event::Unit(..) => {}
        }
    }
}
