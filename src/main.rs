//! The `framecast` command: load the config, assemble, run until shutdown.

mod cli;
mod health;
mod open_files;
mod serve;
mod signals;

use std::{
    num::NonZeroUsize,
    process::{ExitCode, Termination as _},
};

use cli::Command;

fn main() -> ExitCode {
    let command = match Command::load() {
        Ok(command) => command,
        Err(error) => return cli::refuse(&error),
    };
    match command {
        Command::Serve(config) => run(config.workers, serve::run(*config)),
        Command::Publish(options) => run(NonZeroUsize::new(1), serve::publish(*options)),
        Command::Health(target) => run(NonZeroUsize::new(1), health::run(target)),
    }
}

fn run(workers: Option<NonZeroUsize>, program: impl Future<Output = ExitCode>) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        runtime.worker_threads(workers.get());
    }
    match runtime.enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(program);
            // Whatever still runs in the background has no say in when the process ends.
            runtime.shutdown_background();
            code
        }
        Err(error) => Err::<(), _>(error).report(),
    }
}
