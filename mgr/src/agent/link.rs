// SPDX-License-Identifier: GPL-2.0

//! The connection to one of the managers, and the host's certificate.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::core::message::{ToAgent, ToManager};
use crate::identity;
use crate::southbound::client::Keeper;

/// A certificate that could not be renewed is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);

/// What a connection tells.
#[derive(Debug)]
pub enum News {
    /// It is there.
    Connected,
    /// It is not, or not any more.
    Disconnected,
    /// The manager says something.
    Received(ToAgent),
}

/// The connection, if there is one.
#[derive(Debug)]
pub struct Link {
    keeper: Arc<Keeper>,
    managers: Vec<String>,
    /// How often a connection was asked for; what an earlier one tells is of no interest.
    attempt: u64,
    messages: Option<mpsc::UnboundedSender<ToManager>>,
    task: Option<JoinHandle<()>>,
    report: mpsc::UnboundedSender<(u64, News)>,
    news: mpsc::UnboundedReceiver<(u64, News)>,
}

impl Link {
    /// No connection yet; to be made to these managers in turn.
    pub fn new(keeper: Arc<Keeper>, managers: Vec<String>) -> Link {
        let (report, news) = mpsc::unbounded_channel();
        Link {
            keeper,
            managers,
            attempt: 0,
            messages: None,
            task: None,
            report,
            news,
        }
    }

    /// The manager that the last attempt was about.
    fn manager(&self) -> String {
        let turn = self.attempt.saturating_sub(1) as usize;
        self.managers[turn % self.managers.len()].clone()
    }

    /// Connects to the next manager.
    pub fn connect(&mut self) {
        self.disconnect();
        self.attempt += 1;
        let (messages, from_here) = mpsc::unbounded_channel();
        self.messages = Some(messages);
        let (attempt, report) = (self.attempt, self.report.clone());
        let (keeper, manager) = (Arc::clone(&self.keeper), self.manager());
        self.task = Some(tokio::spawn(async move {
            let tell = |news| report.send((attempt, news)).is_ok();
            if let Err(error) = talk(&keeper, &manager, from_here, tell).await {
                tracing::warn!(manager, error, "no connection to the manager");
            }
            // Nobody listens when the agent ends.
            let _ = report.send((attempt, News::Disconnected));
        }));
    }

    /// Ends the connection.
    pub fn disconnect(&mut self) {
        self.messages = None;
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Says something to the manager, if there is one.
    pub fn send(&self, message: ToManager) {
        if let Some(messages) = &self.messages {
            // The connection has just ended, which will be told.
            let _ = messages.send(message);
        }
    }

    /// What the connection tells next. Can be given up at any time.
    pub async fn next(&mut self) -> News {
        loop {
            match self.news.recv().await {
                Some((attempt, news)) if attempt == self.attempt => return news,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// When to renew the certificate.
    pub fn renewal(&self) -> Duration {
        let certificate = self.keeper.certificate();
        certificate
            .as_ref()
            .and_then(identity::renew_in)
            .unwrap_or(AGAIN)
    }

    /// Renews it, with the manager that was asked for last; when to do so again.
    pub fn renew(&self) -> impl std::future::Future<Output = Duration> + Send + 'static {
        let (keeper, manager) = (Arc::clone(&self.keeper), self.manager());
        async move {
            match keeper.renew(&manager).await {
                Ok(()) => {
                    tracing::info!("this host has a new certificate");
                    let certificate = keeper.certificate();
                    let next = certificate.as_ref().and_then(identity::renew_in);
                    next.unwrap_or(AGAIN).max(AGAIN)
                }
                Err(error) => {
                    tracing::warn!(%error, "the certificate cannot be renewed yet");
                    AGAIN
                }
            }
        }
    }
}

/// Talks to a manager until one of both ends it.
async fn talk(
    keeper: &Keeper,
    manager: &str,
    mut from_here: mpsc::UnboundedReceiver<ToManager>,
    tell: impl Fn(News) -> bool,
) -> Result<(), String> {
    let mut stream = keeper
        .connect(manager)
        .await
        .map_err(|error| error.to_string())?;
    tracing::info!(manager, "connected");
    let mut heard = tell(News::Connected);
    while heard {
        tokio::select! {
            message = from_here.recv() => match message {
                Some(message) => if !stream.say(message).await {
                    return Err("it ended".into());
                },
                None => break,
            },
            message = stream.next() => match message {
                Some(Ok(message)) => heard = tell(News::Received(message)),
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("the manager ended it".into()),
            },
        }
    }
    Ok(())
}
