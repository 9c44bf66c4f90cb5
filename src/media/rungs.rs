//! A task for each rung that is watched: the camera's newest picture in, the scaled one out.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{pool::Pool, scaler};
use crate::relay::{Latest, Next, Pacer, RungProducer};

/// How long a rung is kept after its last viewer: one who turns a page or comes back finds it.
const LINGER: Duration = Duration::from_secs(15);

/// Gives each rung a task.
pub(super) async fn run(
    mut orders: mpsc::UnboundedReceiver<RungProducer>,
    pool: Pool,
    shutdown: CancellationToken,
    tasks: TaskTracker,
) {
    while let Some(Some(rung)) = shutdown.run_until_cancelled(orders.recv()).await {
        let (pool, shutdown) = (pool.clone(), shutdown.clone());
        tasks.spawn(async move {
            shutdown.run_until_cancelled(serve(&rung, &pool)).await;
        });
    }
}

/// Makes a rung while it is watched, and keeps it [`LINGER`] longer.
async fn serve(rung: &RungProducer, pool: &Pool) {
    let mut demand = rung.demand();
    loop {
        if tokio::time::timeout(LINGER, demand.wanted()).await.is_err() {
            if rung.retire() {
                return;
            }
            continue;
        }
        tokio::select! {
            // The camera was forgotten.
            () = make(rung, pool) => return,
            () = demand.unwanted_for(Duration::ZERO) => rung.pause(),
        }
    }
}

/// Scales the newest picture, again and again. Whatever comes while one is made, or while others have
/// their turn, is left out but for the newest: over the budget a rung has fewer frames, never older.
async fn make(rung: &RungProducer, pool: &Pool) {
    let mut source = rung.source();
    let mut pacer = Pacer::new(rung.rung().max_fps());
    while let Some(Next { mut frame, skipped }) = source.next().await {
        let mut at = frame.received_at;
        if let Some(due) = pacer.due_at(at) {
            tokio::time::sleep_until(due.into()).await;
            frame = source.newer().map_or(frame, |newer| newer.frame);
            at = frame.received_at.max(due);
        }
        pacer.sent(at);
        if !scaler::is_wider(&frame.jpeg(), (frame.width, frame.height), rung.rung()) {
            rung.pass_on(frame);
            continue;
        }
        if skipped > 0 {
            rung.overtaken();
        }
        let mut turn = pin!(pool.turn());
        let turn = loop {
            tokio::select! {
                biased;
                newer = source.next() => {
                    let Some(newer) = newer else { return };
                    frame = newer.frame;
                    rung.overtaken();
                }
                turn = &mut turn => break turn,
            }
        };
        let made = turn.run(job(rung, frame.clone())).await;
        match made {
            Some((Ok(Some(buf)), took)) => rung.publish(frame, buf, took),
            // Another size than the one before.
            Some((Ok(None), _)) => rung.pass_on(frame),
            Some((Err(error), _)) => rung.failed(frame, &error.to_string()),
            None => rung.not_made(),
        }
    }
}

fn job(
    rung: &RungProducer,
    frame: Arc<Latest>,
) -> impl FnOnce(&mut super::Scaler) -> Result<Option<Vec<u8>>, super::ScaleError> + use<> {
    let (to, headroom) = (rung.rung(), rung.headroom());
    move |scaler| scaler.scale(&frame.jpeg(), (frame.width, frame.height), to, headroom)
}
