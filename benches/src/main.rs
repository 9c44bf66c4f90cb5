//! The whole-process benchmark, `make bench`: measures the release binary against the floor of the
//! machine and against what one would write instead, and writes `docs/performance.md`.
//!
//! | module | what it is for |
//! |---|---|
//! | `rows` | what is measured, and what must hold |
//! | `subject` | a server as a child process on its own core |
//! | `servers` | the floor and other servers to compare with |
//! | `load` | publishers and viewers |
//! | `frame` | stamped pictures |
//! | `report` | tables, the document |
//! | `sys` | cores, CPU time, memory |

mod frame;
mod load;
mod report;
mod rows;
mod servers;
mod subject;
mod sys;

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use self::rows::{Effort, ROWS};

#[derive(Debug, Parser)]
#[command(about = "Measures framecast", args_conflicts_with_subcommands = true)]
struct Cli {
    /// Rows to measure; all when none is named
    #[arg(value_parser = ROWS.iter().map(|(name, _)| *name).collect::<Vec<_>>())]
    rows: Vec<String>,
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Minutes in which viewers and publishers come and go while memory is watched
    #[arg(long, default_value_t = 2.0)]
    soak_minutes: f64,
    /// Where results are kept between runs
    #[arg(long, default_value = "target/bench")]
    results: PathBuf,
    /// The document to write
    #[arg(long)]
    document: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be a server to compare with
    Serve {
        mode: servers::Mode,
        #[arg(long, default_value_t = 1)]
        workers: usize,
    },
    /// Measure one case of the fan-out again and again, such as for a profiler
    Case {
        /// Of floor, framecast, baseline (what FRAMECAST_BASELINE names), tasks, sinks, bun and
        /// node-ws, each with `:WORKERS`; several with commas between them are fed in turns
        // The long name of the type tells clap that it is one argument.
        #[arg(value_parser = subject::Kind::parse_all)]
        servers: std::vec::Vec<subject::Kind>,
        cameras: usize,
        viewers: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Options for framecast
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Measure one door in again and again
    Door {
        /// framecast or receive
        #[arg(value_parser = subject::Kind::parse)]
        server: subject::Kind,
        door: load::Door,
        cameras: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Measure cameras over WebRTC again and again
    Webrtc {
        /// framecast or baseline
        #[arg(value_parser = subject::Kind::parse)]
        server: subject::Kind,
        cameras: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Serve { mode, workers }) => servers::serve(mode, workers),
        Some(Command::Case { servers, cameras, viewers, seconds, rounds, options }) => {
            sys::raise_open_files().and_then(|_| {
                let options: Vec<&str> = options.iter().map(String::as_str).collect();
                for _ in 0..rounds {
                    for (kind, turns) in
                        rows::fanout(&servers, &options, cameras, viewers, seconds)?
                    {
                        println!("{}: {:.2?}", kind.name(), rows::Figures::median(&turns));
                    }
                }
                Ok(())
            })
        }
        Some(Command::Door { server, door, cameras, seconds, rounds }) => sys::raise_open_files()
            .and_then(|_| {
                for _ in 0..rounds {
                    println!("{:.2?}", rows::door(server, door, cameras, seconds)?);
                }
                Ok(())
            }),
        Some(Command::Webrtc { server, cameras, seconds, rounds }) => sys::raise_open_files()
            .and_then(|_| {
                for _ in 0..rounds {
                    println!("{:.2?}", rows::webrtc(server, cameras, seconds)?);
                }
                Ok(())
            }),
        None => measure(&cli),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(cli: &Cli) -> io::Result<()> {
    sys::raise_open_files()?;
    sys::pin(sys::LOAD_CORE)?;
    let effort = Effort {
        rounds: cli.rounds.max(1),
        seconds: cli.seconds.max(1),
        // Less has no quarters to compare.
        soak: Duration::from_secs_f64(60.0 * cli.soak_minutes.clamp(0.5, 24.0 * 60.0)),
    };
    let is_wanted = |name: &str| cli.rows.is_empty() || cli.rows.iter().any(|row| row == name);
    let mut failed = Vec::new();
    for &(name, row) in ROWS.iter().filter(|(name, _)| is_wanted(name)) {
        let mut section = match row(effort) {
            Ok(section) => section,
            // The others are worth having all the same.
            Err(error) => {
                eprintln!("{name}: {error}");
                failed.push(name);
                continue;
            }
        };
        section.measured = format!(
            "{}, {} rounds of {} s, {}",
            sys::today(),
            effort.rounds,
            effort.seconds,
            sys::machine()
        );
        section.print();
        section.keep(&cli.results)?;
    }
    if let Some(document) = &cli.document {
        let names: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
        report::write_document(document, &cli.results, &names)?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(io::Error::other(format!("not measured: {}", failed.join(", "))))
    }
}
