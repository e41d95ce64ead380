// SPDX-License-Identifier: GPL-2.0

//! `ovmgrd`, the daemon of the overlay.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ovnet_mgr::config::Config;
use ovnet_mgr::southbound::client;
use ovnet_mgr::{command, daemon, log};

/// The manager of the ovnet overlay network.
///
/// Without a command it runs as the configuration says: as the system manager, which keeps the
/// provisioning data and serves the HTTP API, as the agent of this host, or as both.
#[derive(Debug, Parser)]
#[command(
    name = "ovmgrd",
    version,
    after_long_help = "Exit status: 0 if all is well, 1 if not, 2 for a wrong command line, 78 for \
                       a wrong configuration.\n\nA variable overrides each value of the \
                       configuration: OVMGRD_STORE__PATH is `path` of [store].\nSIGTERM and SIGINT \
                       end the daemon after the requests under way."
)]
struct Cli {
    /// The configuration.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        default_value = "/etc/ovnet/ovmgrd.toml"
    )]
    config: PathBuf,
    /// Only tell whether the configuration can be used.
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a backup of the store to a file.
    ///
    /// The embedded store must not be in use; a running manager answers GET /v1/backup instead.
    Backup {
        /// The file; it must not exist.
        file: PathBuf,
    },
    /// Get this host its identity for a one-time token.
    ///
    /// The API makes the token: POST /v1/hosts/HOST/enrolments.
    Enrol {
        /// A manager, as HOST:PORT.
        #[arg(long)]
        manager: String,
        /// The file with the token, - for standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        token_file: PathBuf,
        /// Where the identity is kept.
        #[arg(long, default_value = "/var/lib/ovnet/agent")]
        directory: PathBuf,
    },
    /// Tell whether a backup is whole, and what is in it.
    Verify {
        /// The file.
        file: PathBuf,
    },
    /// Fill an empty store from a backup.
    Restore {
        /// The file.
        file: PathBuf,
    },
}

/// EX_CONFIG of sysexits.h, which systemd knows by name.
const CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // What works on files alone needs no configuration.
    if let Some(Command::Verify { file }) = &cli.command {
        return report(verify(file));
    }
    if let Some(Command::Enrol {
        manager,
        token_file,
        directory,
    }) = &cli.command
    {
        return report(enrol(manager, token_file, directory));
    }
    let config = match Config::load(&cli.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("ovmgrd: {error}");
            return CONFIGURATION.into();
        }
    };
    if cli.check_config {
        println!("{} can be used", cli.config.display());
        return ExitCode::SUCCESS;
    }
    log::start(&config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report(Err(error.into())),
    };
    report(runtime.block_on(async {
        match &cli.command {
            None => Ok(daemon::run(config).await?),
            Some(Command::Backup { file }) => backup(&config, file).await,
            Some(Command::Restore { file }) => restore(&config, file).await,
            Some(Command::Verify { .. } | Command::Enrol { .. }) => Ok(()),
        }
    }))
}

type Failure = Box<dyn std::error::Error>;

fn report(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ovmgrd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn open(file: &Path) -> Result<BufReader<File>, Failure> {
    Ok(BufReader::new(
        File::open(file).map_err(|error| format!("{}: {error}", file.display()))?,
    ))
}

fn enrol(manager: &str, token: &Path, directory: &Path) -> Result<(), Failure> {
    let token = match token.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin())?,
        _ => std::fs::read_to_string(token)
            .map_err(|error| format!("{}: {error}", token.display()))?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(client::enrol(manager, &token, directory))?;
    println!("enrolled; the identity is in {}", directory.display());
    Ok(())
}

async fn backup(config: &Config, path: &Path) -> Result<(), Failure> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut options = File::options();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(named)?;
    let written = command::backup(config, BufWriter::new(&file)).await;
    match written {
        Ok(summary) => {
            file.sync_all().map_err(named)?;
            println!(
                "{}: {} keys at revision {}",
                path.display(),
                summary.keys,
                summary.revision
            );
            Ok(())
        }
        Err(error) => {
            // Half a backup must not lie about as if it were one.
            let _ = std::fs::remove_file(path);
            Err(error.into())
        }
    }
}

fn verify(path: &Path) -> Result<(), Failure> {
    let summary = command::verify(open(path)?)?;
    println!(
        "{}: whole, {} keys at revision {}, schema {}",
        path.display(),
        summary.keys,
        summary.revision,
        summary.schema
    );
    Ok(())
}

async fn restore(config: &Config, path: &Path) -> Result<(), Failure> {
    // The whole file is looked at before anything is written.
    command::verify(open(path)?)?;
    let summary = command::restore(config, open(path)?).await?;
    println!("restored {} keys from {}", summary.keys, path.display());
    Ok(())
}
