// SPDX-License-Identifier: GPL-2.0

//! Runs a [`Shard`]: feeds it what the store and the agents say, does what it wants done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ovnet_engine::Locator;
use tokio::sync::{mpsc, oneshot};

use crate::api::Refusals;
use crate::core::message::{ToAgent, ToManager};
use crate::core::placement::Choice;
use crate::core::shard::{
    Alarm, Balance, Config, Counters, Done, Flight, Input, Order, Output, Plan, Refusal, SessionId,
    Shard, Terms,
};
use crate::core::{record, Time};
use crate::metrics::Metrics;
use crate::secret;
use crate::store::{Change, Error, Lease, Range, Result, Revision, Store, Watch};

/// A leader that does not say so for this long is replaced.
const LEASE: Duration = Duration::from_secs(10);
/// How often the lease is kept alive.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// So many entries are loaded at once.
const PIECE: usize = 10_000;
/// So many messages wait for an agent's connection; then it is ended.
const BACKLOG: usize = 4096;
/// So many messages of agents and orders wait for the engine; then their senders do.
const QUEUE: usize = 1024;

type Answer = std::result::Result<Done, Refusal>;

/// What others ask of the engine.
enum Ask {
    Order(Order, Terms, oneshot::Sender<Answer>),
    Open(
        Locator,
        oneshot::Sender<(SessionId, mpsc::Receiver<ToAgent>)>,
    ),
    Received(SessionId, ToManager),
    Closed(SessionId),
    Plan(Plan, oneshot::Sender<Vec<Choice>>),
}

/// How others reach the engine.
#[derive(Clone)]
pub(crate) struct Handle {
    asks: mpsc::Sender<Ask>,
}

impl Handle {
    /// Carries an order out; when this returns, what was ordered is seen by the next order.
    pub(crate) async fn order(&self, order: Order, terms: Terms) -> Answer {
        let (reply, answer) = oneshot::channel();
        if self
            .asks
            .send(Ask::Order(order, terms, reply))
            .await
            .is_err()
        {
            return Err(Refusal::Unavailable);
        }
        answer.await.unwrap_or(Err(Refusal::Unavailable))
    }

    /// What would go where, as this manager sees it now.
    pub(crate) async fn plan(&self, plan: Plan) -> std::result::Result<Vec<Choice>, Refusal> {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.send(Ask::Plan(plan, reply)).await;
        asked.map_err(|_| Refusal::Unavailable)?;
        answer.await.map_err(|_| Refusal::Unavailable)
    }

    /// A connection of an agent, whose certificate says it is this host's, and what to send it.
    pub(crate) async fn open(&self, host: Locator) -> Option<(SessionId, mpsc::Receiver<ToAgent>)> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Open(host, reply)).await.ok()?;
        answer.await.ok()
    }

    /// An agent says something; false if there is nobody any more to hear it.
    pub(crate) async fn received(&self, session: SessionId, message: ToManager) -> bool {
        self.asks
            .send(Ask::Received(session, message))
            .await
            .is_ok()
    }

    /// A connection has ended.
    pub(crate) async fn closed(&self, session: SessionId) {
        // The engine is gone only when the daemon ends.
        let _ = self.asks.send(Ask::Closed(session)).await;
    }
}

/// What the engine waits for besides.
enum Event {
    Committed(Flight, Option<crate::store::Outcome>),
    Read(Flight, Option<(Option<crate::store::Entry>, Revision)>),
    Lease(std::result::Result<Lease, ()>),
}

/// The shard and what is around it.
pub(crate) struct Engine {
    store: Arc<dyn Store>,
    refusals: Refusals,
    shard: Shard,
    start: Instant,
    asks: mpsc::Receiver<Ask>,
    events: mpsc::UnboundedReceiver<Event>,
    report: mpsc::UnboundedSender<Event>,
    sessions: BTreeMap<SessionId, mpsc::Sender<ToAgent>>,
    last_session: u32,
    replies: BTreeMap<u64, oneshot::Sender<Answer>>,
    last_request: u64,
    /// Answers that wait until the shard has seen what they tell of.
    held: Vec<(Revision, oneshot::Sender<Answer>, Done)>,
    counted: Counters,
    metrics: Metrics,
}

impl Engine {
    /// Keeps in the audit log what a host was refused.
    fn keep(&self, alarm: &Alarm) {
        let (host, method, target) = match alarm {
            Alarm::ForgedClaim(host, key, node) | Alarm::Duplicate(host, key, node) => {
                (host, "CLAIM", format!("node {node} {key}"))
            }
            Alarm::UnknownHost(host) | Alarm::DeadHost(host, _) => (host, "CONNECT", String::new()),
            Alarm::Behind(..)
            | Alarm::Sighted(..)
            | Alarm::Stuck(..)
            | Alarm::Suspect(_)
            | Alarm::Fenced(..)
            | Alarm::Silence(..)
            | Alarm::NoPlace(..) => return,
        };
        let (who, why) = (format!("host {host}"), alarm.to_string());
        self.refusals.keep(&who, method, &target, 403, &why);
    }

    /// An engine on a store, and the way to reach it.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        balance: Option<Balance>,
        refusals: Refusals,
        metrics: Metrics,
    ) -> (Self, Handle) {
        let (sender, asks) = mpsc::channel(QUEUE);
        let (report, events) = mpsc::unbounded_channel();
        let id = u32::from_be_bytes(secret::random());
        let seed = u64::from_be_bytes(secret::random());
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let config = Config {
            wall: wall.unwrap_or_default().as_millis() as u64,
            balance,
            ..Config::default()
        };
        let shard = Shard::new(config, id, seed, Time::from_micros(0));
        let engine = Self {
            store,
            refusals,
            shard,
            start: Instant::now(),
            asks,
            events,
            report,
            sessions: BTreeMap::new(),
            last_session: 0,
            replies: BTreeMap::new(),
            last_request: 0,
            held: Vec::new(),
            counted: Counters::default(),
            metrics,
        };
        (engine, Handle { asks: sender })
    }

    fn now(&self) -> Time {
        Time::from_micros(self.start.elapsed().as_micros() as u64)
    }

    /// Works until nobody can ask any more.
    pub(crate) async fn run(mut self) {
        tokio::spawn(keep_lease(Arc::clone(&self.store), self.report.clone()));
        loop {
            let mut watch = match self.load().await {
                Ok(watch) => watch,
                Err(error) => {
                    tracing::warn!(%error, "the provisioning data cannot be read yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            match self.work(&mut watch).await {
                None => return,
                Some(error) => {
                    tracing::warn!(%error, "the watch of the store ended: reading again")
                }
            }
        }
    }

    /// Reads all that a manager keeps, at one revision, and watches from there.
    async fn load(&mut self) -> Result<Watch> {
        let mut revision = None;
        let ranges = record::cached();
        let count = ranges.len();
        for (number, range) in ranges.into_iter().enumerate() {
            let mut rest = range;
            loop {
                let snapshot = self.store.range(&rest, revision, Some(PIECE)).await?;
                revision = Some(snapshot.revision);
                let last_key = snapshot.entries.last().map(|entry| entry.key.clone());
                let (piece, next) = match last_key.filter(|_| snapshot.more) {
                    None => (rest.clone(), None),
                    Some(key) => {
                        let next = rest.after(&key);
                        (Range::between(rest.start(), next.start()), Some(next))
                    }
                };
                let load = Input::Load {
                    range: piece,
                    entries: snapshot.entries,
                    revision: snapshot.revision,
                    last: next.is_none() && number + 1 == count,
                };
                self.input(load);
                match next {
                    Some(next) => rest = next,
                    None => break,
                }
            }
        }
        self.store
            .watch(Range::all(), revision.unwrap_or(0) + 1)
            .await
    }

    /// Works until the watch ends, which is the result, or nobody can ask any more.
    async fn work(&mut self, watch: &mut Watch) -> Option<Error> {
        loop {
            let wake = self.start + Duration::from_micros(self.shard.next_wake().micros());
            tokio::select! {
                change = watch.next() => match change {
                    Ok(change) => self.changed(change),
                    Err(error) => return Some(error),
                },
                ask = self.asks.recv() => self.asked(ask?),
                Some(event) = self.events.recv() => self.happened(event),
                () = tokio::time::sleep_until(wake.into()) => {
                    let (now, mut out) = (self.now(), Vec::new());
                    self.shard.wake(now, &mut out);
                    self.carry_out(out);
                }
            }
            self.measure();
        }
    }

    fn changed(&mut self, change: Change) {
        self.input(Input::Changed(change));
    }

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Order(order, terms, reply) => {
                self.last_request += 1;
                self.replies.insert(self.last_request, reply);
                self.input(Input::Order(self.last_request, order, terms));
            }
            Ask::Open(host, reply) => {
                self.last_session += 1;
                let session = SessionId(self.last_session);
                let (sender, messages) = mpsc::channel(BACKLOG);
                if reply.send((session, messages)).is_ok() {
                    self.sessions.insert(session, sender);
                    self.input(Input::Opened(session, host));
                }
            }
            Ask::Received(session, message) if self.sessions.contains_key(&session) => {
                self.input(Input::Received(session, message));
            }
            Ask::Received(..) => {}
            // Whoever asked may be gone.
            Ask::Plan(plan, reply) => drop(reply.send(self.shard.plan_moves(plan))),
            Ask::Closed(session) => {
                if self.sessions.remove(&session).is_some() {
                    self.input(Input::Closed(session));
                }
            }
        }
    }

    fn happened(&mut self, event: Event) {
        self.input(match event {
            Event::Committed(flight, outcome) => Input::Committed(flight, outcome),
            Event::Read(flight, entry) => Input::Read(flight, entry),
            Event::Lease(Ok(lease)) => Input::Leased(lease),
            Event::Lease(Err(())) => Input::LeaseLost,
        });
    }

    fn input(&mut self, input: Input) {
        let (now, mut out) = (self.now(), Vec::new());
        self.shard.handle(input, now, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(session, message) => self.send(session, message),
                // The connection ends when nothing can be sent to it any more.
                Output::Close(session) => drop(self.sessions.remove(&session)),
                Output::Commit(flight, transaction) => {
                    let (store, report) = (Arc::clone(&self.store), self.report.clone());
                    tokio::spawn(async move {
                        let outcome = store.commit(transaction).await;
                        if let Err(error) = &outcome {
                            tracing::warn!(%error, "a transaction has no outcome");
                        }
                        let _ = report.send(Event::Committed(flight, outcome.ok()));
                    });
                }
                Output::Read(flight, name) => {
                    let (store, report) = (Arc::clone(&self.store), self.report.clone());
                    tokio::spawn(async move {
                        let found = store.range(&Range::key(name.bytes()), None, None).await;
                        let found = found
                            .ok()
                            .map(|found| (found.entries.into_iter().next(), found.revision));
                        let _ = report.send(Event::Read(flight, found));
                    });
                }
                Output::Reply(request, answer) => {
                    if let Some(reply) = self.replies.remove(&request) {
                        match answer {
                            Ok(done) => self.held.push((done.generation.revision(), reply, done)),
                            // Whoever asked may have left.
                            Err(refusal) => drop(reply.send(Err(refusal))),
                        }
                    }
                }
                Output::Alarm(alarm) => {
                    tracing::warn!(target: "ovnet_mgr::alarm", "{alarm}");
                    self.keep(&alarm);
                }
            }
        }
        if !self.held.is_empty() {
            let reached = self.shard.as_of().map_or(0, |as_of| as_of.revision());
            for (revision, reply, done) in std::mem::take(&mut self.held) {
                match revision <= reached {
                    true => drop(reply.send(Ok(done))),
                    false => self.held.push((revision, reply, done)),
                }
            }
        }
    }

    fn measure(&mut self) {
        self.metrics.manager_queue.set(self.asks.len() as i64);
        self.metrics
            .manager_leads
            .set(self.shard.is_leader().into());
        let (now, before) = (*self.shard.counters(), self.counted);
        for (what, now, before) in [
            ("answered", now.answered, before.answered),
            ("refused", now.refused, before.refused),
            ("busy", now.busy, before.busy),
            ("pushed", now.pushed, before.pushed),
            ("invalidated", now.invalidated, before.invalidated),
        ] {
            if now > before {
                let counter = self.metrics.manager_keys.with_label_values(&[what]);
                counter.inc_by(now - before);
            }
        }
        self.counted = now;
    }

    fn send(&mut self, session: SessionId, message: ToAgent) {
        let Some(sender) = self.sessions.get(&session) else {
            return;
        };
        if sender.try_send(message).is_err() {
            tracing::warn!(
                session = session.0,
                "an agent reads too slowly: disconnecting it"
            );
            self.sessions.remove(&session);
            self.input(Input::Closed(session));
        }
    }
}

/// Holds a lease for as long as the store lets it, and says so.
async fn keep_lease(store: Arc<dyn Store>, report: mpsc::UnboundedSender<Event>) {
    loop {
        let granted = Instant::now();
        let Ok(lease) = store.grant(LEASE).await else {
            tokio::time::sleep(KEEP_ALIVE).await;
            continue;
        };
        if report.send(Event::Lease(Ok(lease))).is_err() {
            return;
        }
        let mut alive = granted;
        loop {
            tokio::time::sleep(KEEP_ALIVE).await;
            let asked = Instant::now();
            match tokio::time::timeout(KEEP_ALIVE, store.keep_alive(lease)).await {
                Ok(Ok(())) => alive = asked,
                Ok(Err(Error::NoLease)) => break,
                // Not knowing is as good as having lost it, once it may have run out.
                Ok(Err(_)) | Err(_) if alive.elapsed() + KEEP_ALIVE * 2 > LEASE => break,
                Ok(Err(_)) | Err(_) => {}
            }
            if report.is_closed() {
                let _ = store.revoke(lease).await;
                return;
            }
        }
        tracing::warn!("the lease of this manager is lost");
        if report.send(Event::Lease(Err(()))).is_err() {
            return;
        }
    }
}
