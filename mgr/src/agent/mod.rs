// SPDX-License-Identifier: GPL-2.0

//! The agent role: keeps the kernel module of this host as its manager says.
//!
//! ```text
//!  kernel ── events ──► listener thread ─┐                        ┌─ link ◄─► manager
//!    ▲                                   ├─► driver (core::Agent) ┼─ cache file
//!    └── requests ───── kernel thread ◄──┘                        └─ executor ◄─► program per move
//! ```
//!
//! What is decided, the state machine in [`crate::core::agent`] decides; here is what carries it out. The
//! kernel's state is taken over as it is when the agent starts, and left as it is when it ends.

mod boot;
mod cache;
mod driver;
mod errands;
mod executor;
mod hint;
mod kernel;
mod lease;
pub mod link;
mod listener;
mod load;
mod moves;
mod networks;
mod ports;
mod review;
mod settings;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ovnet_engine::Locator;
use tokio::sync::{mpsc, watch};

use crate::config;
use crate::core::moves::Seat;
use crate::daemon::Parts;
use crate::identity;
use crate::metrics::Metrics;
use crate::southbound::client::{self, Keeper};

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The identity of this host.
    #[error(transparent)]
    Identity(#[from] client::Error),
    /// The certificate is not one of a host.
    #[error("the certificate in {} is no host's: enrol again", .0.display())]
    NoHost(PathBuf),
    /// A file.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// The kernel module.
    #[error("{what}: {source}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// What it says.
        source: ovnet_uapi::Error,
    },
    /// The kernel's host is another one than that of the certificate.
    #[error(
        "this host's locator is {kernel}, but its certificate is for {certificate}: delete the one with \
         `ovctl host del`, or enrol as the other"
    )]
    Locator {
        /// As the kernel has it.
        kernel: Locator,
        /// As the certificate has it.
        certificate: Locator,
    },
}

impl Error {
    fn kernel(what: &'static str) -> impl FnOnce(ovnet_uapi::Error) -> Error {
        move |source| Error::Kernel { what, source }
    }
}

/// Starts the agent; when this returns, what the kernel has is taken over.
pub(crate) async fn start(
    config: &config::Agent,
    metrics: Metrics,
    stopping: watch::Receiver<bool>,
    parts: &mut Parts,
) -> Result<(), Error> {
    let keeper = Arc::new(Keeper::load(&config.directory)?);
    let certificate = keeper.certificate();
    let own = certificate.as_ref().and_then(identity::host_of);
    let own = own.ok_or_else(|| Error::NoHost(config.directory.clone()))?;
    let epoch = boot::epoch(&config.directory)?;
    let image = cache::read(&config.cache);
    let hints = hint::Hints::listen(config.hints).await;
    let hints = hints.map_err(|source| Error::Io {
        path: "[agent] hints".into(),
        source,
    })?;
    let (events, from_kernel) = mpsc::unbounded_channel();
    let (kernel, inherited) = kernel::start(own, config.idle, events, metrics.clone())?;
    tracing::info!(
        %own,
        epoch,
        ports = inherited.ports.len(),
        mappings = inherited.mappings.len(),
        "the agent takes over"
    );
    let driver = driver::Driver::new(driver::Setup {
        link: link::Link::new(keeper, config.managers.clone()),
        kernel,
        from_kernel,
        hints,
        inherited,
        image,
        cache: config.cache.clone(),
        executor: config.executor.clone(),
        errands: errands::Errands::in_directory(config.directory.join("moves")),
        seat: Seat { host: own, epoch },
        metrics,
    });
    parts.spawn(async move {
        driver.run(stopping).await;
        "the agent"
    });
    Ok(())
}
