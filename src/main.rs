//! The `framecast` command: load the config, assemble, run until shutdown.

mod cli;
mod health;
mod open_files;
mod serve;
mod signals;

use std::{
    num::NonZeroUsize,
    process::{ExitCode, Termination as _},
    thread,
};

use cli::Command;

fn main() -> ExitCode {
    let command = match Command::load() {
        Ok(command) => command,
        Err(error) => return cli::refuse(&error),
    };
    match command {
        Command::Serve(config) => {
            let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            run(config.workers_on(cores), serve::run(*config, cores))
        }
        Command::Publish(options) => run(NonZeroUsize::MIN, serve::publish(*options)),
        Command::Health(target) => run(NonZeroUsize::MIN, health::run(target)),
    }
}

fn run(workers: NonZeroUsize, program: impl Future<Output = ExitCode>) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    match runtime.worker_threads(workers.get()).enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(program);
            // Whatever still runs in the background has no say in when the process ends.
            runtime.shutdown_background();
            code
        }
        Err(error) => Err::<(), _>(error).report(),
    }
}
