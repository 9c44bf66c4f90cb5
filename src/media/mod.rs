//! Smaller pictures of a camera, made only while somebody watches them.
//!
//! Belongs here: scaling, and how much of the processor it may take. Does not: who watches what
//! (`relay` knows, and hands the orders over), sockets, publishers, viewers.
//!
//! | file | what it does |
//! |---|---|
//! | `rungs` | a task for each rung that is watched: newest picture in, scaled picture out |
//! | `stills` | single pictures, each made once |
//! | `pool` | turns at the work, within the budget |
//! | `scaler` | one JPEG to a smaller one |
//! | `pure`, `turbo` | the two sets of codecs behind it |

mod pool;
#[cfg(not(feature = "turbojpeg"))]
mod pure;
#[cfg(feature = "turbojpeg")]
#[path = "turbo.rs"]
mod pure;
mod rungs;
mod scaler;
mod stills;

use std::num::NonZeroUsize;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use pool::Figures;
use pool::Pool;
pub use scaler::{ScaleError, Scaler};

use crate::relay::Registry;

/// The maker of smaller pictures, for its figures. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Media {
    pool: Pool,
}

impl Media {
    /// Takes the registry's orders and fills them until `shutdown`, with at most `cpu_percent` of
    /// this many cores. Whoever takes the orders second fills none.
    pub fn start(
        registry: &Registry,
        cores: NonZeroUsize,
        cpu_percent: u8,
        shutdown: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let pool = Pool::new(cores, cpu_percent);
        if let Some(orders) = registry.orders() {
            let stopped = shutdown.clone().cancelled_owned();
            let rungs = rungs::run(orders.rungs, pool.clone(), shutdown.clone(), tasks.clone());
            tasks.spawn(rungs);
            let stills = stills::run(orders.stills, pool.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = stills => {}
                    () = stopped => {}
                }
            });
        }
        Self { pool }
    }

    /// What was done so far.
    pub fn figures(&self) -> Figures {
        self.pool.figures()
    }
}
