// SPDX-License-Identifier: GPL-2.0

//! The life of the daemon: start, work, end.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::Router;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Config, Role, StoreKind};
use crate::core::shard::Balance;
use crate::listen::{self, Listener};
use crate::metrics::Metrics;
use crate::store::{schema, Range, Store};
use crate::system::metered::Metered;
use crate::system::{self, housekeeping, Engine};
use crate::systemd::Notifier;
use crate::{api, identity, southbound};

/// Requests under way when the daemon ends have so long to be answered.
const GRACE: Duration = Duration::from_secs(10);

/// Why the daemon could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The operating system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Certificates.
    #[error("{0}")]
    Identity(String),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] crate::agent::Error),
    /// A part of the daemon ended by itself.
    #[error("{0} ended unexpectedly: its last messages say why")]
    Part(&'static str),
}

impl From<identity::Error> for Error {
    fn from(error: identity::Error) -> Self {
        Self::Identity(error.to_string())
    }
}

/// The parts that work, by name.
pub(crate) type Parts = JoinSet<&'static str>;

/// Runs until a signal asks to end, or a part fails.
pub async fn run(config: Config) -> Result<(), Error> {
    let notifier = Notifier::from_environment()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopping) = watch::channel(false);
    let metrics = Metrics::new().map_err(|error| Error::Identity(error.to_string()))?;
    let mut parts = Parts::new();
    if let Some(address) = config.metrics.listen {
        serve_metrics(address, metrics.clone(), stopping.clone(), &mut parts).await?;
    }
    let store = match config.has(Role::System) {
        true => Some(start_system(&config, &metrics, &stopping, &mut parts).await?),
        false => None,
    };
    if config.has(Role::Agent) {
        crate::agent::start(&config.agent, metrics.clone(), stopping.clone(), &mut parts).await?;
    }
    notifier.tell("READY=1");
    tracing::info!(roles = ?config.roles, version = env!("CARGO_PKG_VERSION"), "ready");
    let local = config.store.kind == StoreKind::Embedded;
    let mut watchdog = notifier.interval().map(tokio::time::interval);
    let ended = loop {
        tokio::select! {
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            Some(ended) = parts.join_next() => break Some(ended.unwrap_or("a part that panicked")),
            () = async { match &mut watchdog {
                Some(interval) => drop(interval.tick().await),
                None => std::future::pending().await,
            } } => if alive(store.as_deref(), local).await {
                notifier.tell("WATCHDOG=1");
            },
        }
    };
    notifier.tell("STOPPING=1");
    tracing::info!("ending");
    // Nobody may be left who waits for it.
    let _ = stop.send(true);
    let all = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("some requests were not answered in time");
    }
    match ended {
        None => Ok(()),
        Some(part) => Err(Error::Part(part)),
    }
}

/// Whether the daemon does what it is for: its store answers, if it has one. An etcd that does not
/// answer is no reason to start the daemon anew; a file that does not is.
async fn alive(store: Option<&dyn Store>, local: bool) -> bool {
    let Some(store) = store else { return true };
    let range = Range::key("meta/schema");
    let read = store.range(&range, None, Some(1));
    match tokio::time::timeout(Duration::from_secs(5), read).await {
        Ok(Ok(_) | Err(crate::store::Error::Unavailable(_))) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "the store is not alive");
            false
        }
        Err(_) => !local,
    }
}

async fn serve_metrics(
    address: std::net::SocketAddr,
    metrics: Metrics,
    mut stopping: watch::Receiver<bool>,
    parts: &mut Parts,
) -> Result<(), Error> {
    let listener = listen::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "metrics");
    let router = Router::new().route("/metrics", get(move || async move { metrics.text() }));
    parts.spawn(async move {
        let stopped = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
        let _ = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await;
        "the metrics server"
    });
    Ok(())
}

async fn start_system(
    config: &Config,
    metrics: &Metrics,
    stopping: &watch::Receiver<bool>,
    parts: &mut Parts,
) -> Result<Arc<dyn Store>, Error> {
    let store = system::open(&config.store).await?;
    let store: Arc<dyn Store> = Arc::new(Metered {
        store,
        metrics: metrics.clone(),
    });
    let identity = schema::prepare(&*store).await?;
    let path = config.api.first_token.clone();
    let made = api::first_token(&*store, |text| keep(&path, text)).await;
    if made.map_err(|error| Error::Identity(error.to_string()))? {
        tracing::info!(file = %path.display(), "made the first token for administrators");
    }
    let refusals = api::Refusals::new(Arc::clone(&store));
    let (engine, handle) = Engine::new(
        Arc::clone(&store),
        config.balance.above.map(Balance::above),
        refusals.clone(),
        metrics.clone(),
    );
    parts.spawn(async move {
        engine.run().await;
        "the engine"
    });
    let (sweeping, history, mut end) = (Arc::clone(&store), config.store.history, stopping.clone());
    parts.spawn(async move {
        tokio::select! {
            () = housekeeping::run(sweeping, history) => {}
            _ = end.wait_for(|stopping| *stopping) => {}
        }
        "housekeeping"
    });
    let state = Arc::new(api::State {
        store: Arc::clone(&store),
        engine: handle.clone(),
        metrics: metrics.clone(),
        refusals: refusals.clone(),
        incarnation: identity.incarnation,
        stopping: stopping.clone(),
    });
    serve_api(config, state, stopping.clone(), parts).await?;
    let ca = identity::Ca::of(&*store).await?;
    let service = southbound::server::Service {
        store: Arc::clone(&store),
        engine: handle,
        metrics: metrics.clone(),
        refusals,
        ca,
    };
    let (listen, names) = (config.southbound.listen, config.southbound.names.clone());
    southbound::server::serve(service, listen, names, stopping.clone(), parts).await?;
    Ok(store)
}

/// Writes a secret for its owner's eyes.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

async fn serve_api(
    config: &Config,
    state: Arc<api::State>,
    mut stopping: watch::Receiver<bool>,
    parts: &mut Parts,
) -> Result<(), Error> {
    let listener = listen::bind(config.api.listen).await?;
    let address = listener.local_addr()?;
    let tls = match (&config.api.certificate, &config.api.key) {
        (Some(certificate), Some(key)) => Some(crate::tls::from_files(certificate, key)?),
        _ => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!("API at {scheme}://{address}");
    let incoming = listen::accept(listener, tls, |_, _| ());
    let listener = Listener { incoming, address };
    let router = api::router(state);
    parts.spawn(async move {
        let stopped = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
        let _ = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await;
        "the API"
    });
    Ok(())
}
