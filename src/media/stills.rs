//! Single pictures, asked for one by one: each is made once, one after the other.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::pool::Pool;
use crate::relay::{CameraId, Frame, NotScaled, Rung, Still};

/// Pictures made of late that are kept, so that those who ask for the same get the same. Those of a few
/// pages of thumbnails; some hundred kilobytes each at the most.
const KEPT: usize = 32;

/// Which picture: numbers begin anew with a camera that was forgotten, times of arrival do not.
type Key = (CameraId, u64, u64, Rung);

fn key(still: &Still) -> Key {
    let Still { camera, frame, rung, .. } = still;
    (camera.clone(), frame.seq, frame.received_us, *rung)
}

/// Fills orders until nobody can give any.
pub(super) async fn run(mut orders: mpsc::Receiver<Still>, pool: Pool) {
    let mut kept: VecDeque<(Key, Frame)> = VecDeque::new();
    while let Some(still) = orders.recv().await {
        if still.is_forsaken() {
            continue;
        }
        let key = key(&still);
        if let Some((_, frame)) = kept.iter().find(|(known, _)| *known == key) {
            let frame = frame.clone();
            still.answer(Ok(frame));
            continue;
        }
        let answer = make(&still, &pool).await;
        // Not those passed on as they are: they are large, and cost no work.
        if let Ok(frame) = &answer
            && frame.width != still.frame.width
        {
            kept.truncate(KEPT - 1);
            kept.push_front((key, frame.clone()));
        }
        still.answer(answer);
    }
}

async fn make(still: &Still, pool: &Pool) -> Result<Frame, NotScaled> {
    let (frame, rung, headroom) = (still.frame.clone(), still.rung, still.headroom());
    if !super::scaler::is_wider(&frame.jpeg(), (frame.width, frame.height), rung) {
        return Ok(frame);
    }
    let turn = pool.turn().await;
    let made = turn
        .run(move |scaler| scaler.scale(&frame.jpeg(), (frame.width, frame.height), rung, headroom))
        .await;
    match made {
        Some((Ok(Some(buf)), _)) => still.made(buf),
        Some((Ok(None), _)) => Ok(still.frame.clone()),
        Some((Err(error), _)) => Err(NotScaled::Bad(error.to_string())),
        None => Err(NotScaled::Bad("the decoder failed".to_owned())),
    }
}
