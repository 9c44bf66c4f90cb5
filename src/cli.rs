//! The command line: which command, with which settings.

use std::{env, ffi::OsString, io::Write as _, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use framecast::{
    config::{Config, ConfigError, DataDir, Expansion, expand},
    publish,
};

use crate::health;

/// Exit code for settings that cannot be used, as clap has it.
const USAGE: u8 = 2;

/// A live camera relay: any camera in, any viewer out.
#[derive(Debug, Parser)]
#[command(
    name = "framecast",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Every option of the server is also an environment variable (--view-addr is \
                  FRAMECAST_VIEW_ADDR)\nand a key of the --config file. A flag wins over the \
                  environment, the environment over the file."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Named>,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Named {
    /// Run the server; the same as giving no command
    Serve(Config),
    /// Run the server and feed it two test cameras
    Demo(Config),
    /// Publish a camera to a server: a test pattern, a folder of JPEGs, or MJPEG on standard input
    Publish(publish::Options),
    /// Ask a running server whether it is ready: exit code 0 says yes
    Health(health::Target),
}

/// What to run.
#[derive(Debug)]
pub enum Command {
    /// The server.
    Serve(Box<Config>),
    /// A publisher.
    Publish(Box<publish::Options>),
    /// The question to a server.
    Health(health::Target),
}

impl Command {
    /// From this process's arguments and environment.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_layers(env::args_os().collect(), |name| env::var_os(name))
    }

    fn from_layers(
        mut args: Vec<OsString>,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let named = args.get(1).and_then(|arg| arg.to_str());
        // Where the server's own arguments start; for the other commands the layers are not read.
        let start = match named {
            Some("serve" | "demo") => Some(2),
            Some("--help" | "-h" | "--version" | "-V") => None,
            // Another command, or one that there is not, which the parser is to say and nothing else.
            Some(name) if !name.starts_with('-') => None,
            _ => Some(1.min(args.len())),
        };
        let mut layers = Expansion::default();
        if let Some(start) = start {
            layers = expand(&args[start..], &env)?;
            args.splice(start..start, layers.args.iter().cloned());
        }
        let matches = Cli::command().try_get_matches_from(args);
        let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        let cli = cli.map_err(|error| layers.explain(error))?;
        let mut config = match cli.command {
            None => cli.config,
            Some(Named::Serve(config)) => config,
            Some(Named::Demo(config)) => Config { demo: true, ..config },
            Some(Named::Publish(options)) => return Ok(Self::Publish(Box::new(options))),
            Some(Named::Health(target)) => return Ok(Self::Health(target.or_configured(env)?)),
        };
        config.check()?;
        config.data_dir = config.data_dir.or_else(|| DataDir::default_for(env));
        Ok(Self::Serve(Box::new(config)))
    }
}

/// Says why the command cannot run, or prints what `--help` and `--version` ask for.
pub fn refuse(error: &ConfigError) -> ExitCode {
    match error {
        ConfigError::Arguments { error, .. } if !error.use_stderr() => {
            // A closed pipe (`framecast --help | head`) is no failure.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ConfigError::Arguments { error: parser, origin: None } => {
            let _ = parser.print();
            ExitCode::from(USAGE)
        }
        error => {
            let _ = write!(std::io::stderr(), "{error}");
            ExitCode::from(USAGE)
        }
    }
}
