// SPDX-License-Identifier: GPL-2.0

//! Runs the state machine: feeds it what the kernel and the manager say, does what it wants done.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::cache;
use super::errands::Errands;
use super::executor::Executors;
use super::hint::Hints;
use super::kernel::{Inherited, News as FromKernel, Request};
use super::lease::clock;
use super::link::{Link, News};
use super::load::Meter;
use crate::core::agent::{self, Config, Counters, Image, Input, Output};
use crate::core::message::ToAgent;
use crate::core::moves::Seat;
use crate::core::{Agent, Time};
use crate::metrics::Metrics;
use crate::secret;

/// How often the cache is written, if there is anything new.
const SAVE: Duration = Duration::from_secs(10);

/// What a driver needs.
pub(super) struct Setup {
    pub(super) link: Link,
    pub(super) kernel: Sender<Request>,
    pub(super) from_kernel: mpsc::UnboundedReceiver<FromKernel>,
    pub(super) hints: Hints,
    pub(super) executor: Option<PathBuf>,
    pub(super) errands: Errands,
    pub(super) inherited: Inherited,
    pub(super) image: Option<Image>,
    pub(super) cache: PathBuf,
    pub(super) seat: Seat,
    pub(super) metrics: Metrics,
}

/// The state machine and what is around it.
pub(super) struct Driver {
    agent: Agent,
    /// When that was, by the clock of leases.
    start: Duration,
    link: Link,
    kernel: Sender<Request>,
    from_kernel: mpsc::UnboundedReceiver<FromKernel>,
    hints: Hints,
    executors: Executors,
    meter: Meter,
    cache: PathBuf,
    /// Whether the cache's file is not what is known.
    unsaved: bool,
    saving: Option<JoinHandle<()>>,
    /// What the kernel was told about the resolver.
    ready: bool,
    counted: Counters,
    metrics: Metrics,
}

impl Driver {
    /// Takes over what is there.
    pub(super) fn new(setup: Setup) -> Driver {
        let seed = u64::from_be_bytes(secret::random());
        let inherited = agent::Inherited {
            mappings: &setup.inherited.mappings,
            ports: &setup.inherited.ports,
            frozen: &setup.inherited.frozen,
            errands: &setup.errands.read(),
        };
        let mut out = Vec::new();
        let agent = Agent::start(
            Config {
                executor: setup.executor.is_some(),
                ..Config::default()
            },
            setup.seat,
            seed,
            inherited,
            setup.image.as_ref(),
            Time::from_micros(0),
            &mut out,
        );
        setup
            .metrics
            .agent_ports
            .set(setup.inherited.ports.len() as i64);
        let mut driver = Driver {
            agent,
            start: clock(),
            link: setup.link,
            kernel: setup.kernel,
            from_kernel: setup.from_kernel,
            hints: setup.hints,
            executors: Executors::new(setup.executor, setup.errands),
            meter: Meter::new(),
            cache: setup.cache,
            unsaved: true,
            saving: None,
            ready: false,
            counted: Counters::default(),
            metrics: setup.metrics,
        };
        driver.carry_out(out);
        driver
    }

    fn now(&self) -> Time {
        Time::from_micros(clock().saturating_sub(self.start).as_micros() as u64)
    }

    /// Works until the daemon ends, or the kernel is lost.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut save = tokio::time::interval(SAVE);
        let renewal = tokio::time::sleep(self.link.renewal());
        tokio::pin!(renewal);
        let mut renewing: Option<JoinHandle<Duration>> = None;
        loop {
            let wake = self.agent.next_wake().map_or(SAVE, |due| due - self.now());
            tokio::select! {
                news = self.from_kernel.recv() => match news {
                    Some(FromKernel::Input(input)) => self.input(input),
                    Some(FromKernel::Run(task)) => self.executors.run(task),
                    None => break,
                },
                (id, notice) = self.executors.next() => self.input(Input::Executor(id, notice)),
                news = self.link.next() => self.heard(news),
                key = self.hints.next() => self.input(Input::Hint(key)),
                () = tokio::time::sleep(wake) => {
                    let (now, mut out) = (self.now(), Vec::new());
                    self.agent.wake(now, &mut out);
                    self.carry_out(out);
                }
                _ = save.tick() => self.save(),
                () = &mut renewal, if renewing.is_none() => {
                    renewing = Some(tokio::spawn(self.link.renew()));
                }
                next = async { match &mut renewing {
                    Some(task) => task.await.unwrap_or(SAVE),
                    None => std::future::pending().await,
                } } => {
                    renewing = None;
                    renewal.as_mut().reset(tokio::time::Instant::now() + next);
                }
                _ = stopping.wait_for(|stopping| *stopping) => break,
            }
            self.measure();
        }
        // The kernel stays as it is; what is known is left to the next agent.
        self.link.disconnect();
        if let Some(saving) = self.saving.take() {
            let _ = saving.await;
        }
        if let Err(error) = cache::write(&self.cache, &self.agent.image()) {
            tracing::warn!(%error, "the cache cannot be written");
        }
    }

    fn heard(&mut self, news: News) {
        match news {
            News::Connected => self.input(Input::Connected),
            News::Disconnected => self.input(Input::Disconnected),
            News::Received(message) => self.input(Input::Received(message)),
        }
    }

    fn input(&mut self, input: Input) {
        let (now, mut out) = (self.now(), Vec::new());
        self.agent.handle(input, now, &mut out);
        self.carry_out(out);
    }

    fn ask_kernel(&self, request: Request) {
        // The thread ends only with what it works on, which run() notices.
        let _ = self.kernel.send(request);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Connect => self.link.connect(),
                Output::Disconnect => self.link.disconnect(),
                Output::Send(message) => self.link.send(message),
                Output::Kernel(operations) => {
                    self.unsaved = true;
                    self.ask_kernel(Request::Operate(operations));
                }
                Output::Hint(to, key) => self.hints.send(to, key),
                Output::Vacate(key, _, alone) => self.ask_kernel(Request::Vacate(key, alone)),
                Output::Give(key, node) => self.ask_kernel(Request::Give(key, node)),
                Output::Peers(id, keys) => self.ask_kernel(Request::Peers(id, keys)),
                Output::Freeze { keys, node, to } => {
                    self.ask_kernel(Request::Freeze(keys, node, to));
                }
                Output::Thaw(keys) => self.ask_kernel(Request::Thaw(keys)),
                Output::GiveBack { keys, to } => self.ask_kernel(Request::GiveBack(keys, to)),
                Output::Measure => {
                    let load = self.meter.measure();
                    if let Some(load) = load {
                        self.metrics.see_load(load);
                    }
                    self.input(Input::Measured(load));
                }
                Output::Executor(errand) => {
                    self.executors.expect(errand.id);
                    self.ask_kernel(Request::Errand(errand));
                }
                Output::ExecutorSay(id, command) => self.executors.say(id, command),
                Output::Network(ToAgent::Network { vni, settings, .. }) => {
                    self.ask_kernel(Request::Network(vni, settings));
                }
                Output::Network(_) => {}
                Output::Lease { from } => {
                    let from = self.start + Duration::from_micros(from.micros());
                    self.ask_kernel(Request::Lease(from));
                }
                Output::Guard { number, nodes } => {
                    self.ask_kernel(Request::Guard(number, nodes));
                }
            }
        }
        let ready = self.agent.is_connected();
        if ready != self.ready {
            self.ready = ready;
            self.ask_kernel(Request::Resolver(ready));
        }
    }

    /// Writes down what is known, unless that is under way.
    fn save(&mut self) {
        let busy = self.saving.as_ref().is_some_and(|task| !task.is_finished());
        if busy || !self.unsaved {
            return;
        }
        self.unsaved = false;
        let (path, image) = (self.cache.clone(), self.agent.image());
        self.saving = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = cache::write(&path, &image) {
                tracing::warn!(%error, "the cache cannot be written");
            }
        }));
    }

    fn measure(&mut self) {
        let (now, before) = (*self.agent.counters(), self.counted);
        let metrics = &self.metrics;
        metrics.agent_connected.set(self.ready.into());
        metrics.agent_mappings.set(self.agent.mappings() as i64);
        let counts = [
            ("asked", now.asked, before.asked),
            ("stale", now.stale, before.stale),
            ("dropped", now.dropped, before.dropped),
            ("evicted", now.evicted, before.evicted),
            ("expired", now.expired, before.expired),
            ("hints", now.hints, before.hints),
            ("hints-ignored", now.hints_ignored, before.hints_ignored),
        ];
        for (what, now, before) in counts {
            if now > before {
                metrics
                    .agent_keys
                    .with_label_values(&[what])
                    .inc_by(now - before);
            }
        }
        self.counted = now;
    }
}
