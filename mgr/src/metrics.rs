// SPDX-License-Identifier: GPL-2.0

//! Counters and times for Prometheus, `ovnet_SUBSYSTEM_THING_UNIT`.

use crate::core::load::Load;
use prometheus::{
    exponential_buckets, Encoder, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

/// All that the daemon measures.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    /// By operation and result.
    pub(crate) store_operations: IntCounterVec,
    /// By operation.
    pub(crate) store_seconds: HistogramVec,
    pub(crate) store_revision: IntGauge,
    /// By method, route and status.
    pub(crate) api_requests: IntCounterVec,
    /// By method and route.
    pub(crate) api_seconds: HistogramVec,
    pub(crate) api_watches: IntGauge,
    /// By what became of them.
    pub(crate) manager_keys: IntCounterVec,
    pub(crate) manager_leads: IntGauge,
    pub(crate) manager_queue: IntGauge,
    pub(crate) southbound_agents: IntGauge,
    /// By direction.
    pub(crate) southbound_messages: IntCounterVec,
    /// By reason.
    pub(crate) southbound_refusals: IntCounterVec,
    pub(crate) agent_connected: IntGauge,
    pub(crate) agent_ports: IntGauge,
    pub(crate) agent_mappings: IntGauge,
    /// By what is loaded.
    agent_load: IntGaugeVec,
    /// By what became of them.
    pub(crate) agent_keys: IntCounterVec,
    /// By kind.
    pub(crate) agent_events: IntCounterVec,
    pub(crate) agent_overruns: IntCounter,
    /// By operation and result.
    pub(crate) agent_operations: IntCounterVec,
}

impl Metrics {
    /// This host was that busy.
    pub(crate) fn see_load(&self, load: Load) {
        for (of, thousandths) in [("cpu", load.cpu), ("memory", load.memory)] {
            let gauge = self.agent_load.with_label_values(&[of]);
            gauge.set(thousandths.into());
        }
    }

    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let seconds = |name: &str, help: &str, labels: &[&str]| {
            let buckets = exponential_buckets(0.000_1, 4.0, 10)?;
            let options = prometheus::HistogramOpts::new(name, help).buckets(buckets);
            let histogram = HistogramVec::new(options, labels)?;
            registry.register(Box::new(histogram.clone()))?;
            prometheus::Result::Ok(histogram)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        Ok(Self {
            store_operations: counter(
                "ovnet_store_operations_total",
                "Operations of the store.",
                &["operation", "result"],
            )?,
            store_seconds: seconds(
                "ovnet_store_operation_seconds",
                "How long operations of the store took.",
                &["operation"],
            )?,
            store_revision: gauge(
                "ovnet_store_revision",
                "The newest revision of the store that this manager has seen.",
            )?,
            api_requests: counter(
                "ovnet_api_requests_total",
                "Requests of the API.",
                &["method", "route", "status"],
            )?,
            api_seconds: seconds(
                "ovnet_api_request_seconds",
                "How long requests of the API took.",
                &["method", "route"],
            )?,
            api_watches: gauge("ovnet_api_watches", "Watches of the API that are open.")?,
            manager_keys: counter(
                "ovnet_manager_keys_total",
                "Mappings that agents were told of, or not: by what became of them.",
                &["what"],
            )?,
            manager_leads: gauge(
                "ovnet_manager_leads",
                "Whether this manager does what only one of several does.",
            )?,
            manager_queue: gauge(
                "ovnet_manager_queue",
                "Messages of agents and orders that wait for the manager.",
            )?,
            southbound_agents: gauge("ovnet_southbound_agents", "Agents that are connected.")?,
            southbound_messages: counter(
                "ovnet_southbound_messages_total",
                "Messages from and to agents.",
                &["direction"],
            )?,
            southbound_refusals: counter(
                "ovnet_southbound_refusals_total",
                "Connections of agents that were refused.",
                &["reason"],
            )?,
            agent_connected: gauge(
                "ovnet_agent_connected",
                "Whether a manager is there to ask.",
            )?,
            agent_ports: gauge(
                "ovnet_agent_ports",
                "Addresses of nodes that are attached here.",
            )?,
            agent_mappings: gauge(
                "ovnet_agent_mappings",
                "Mappings of other hosts' nodes that are known.",
            )?,
            agent_load: {
                let help = "How busy this host is, in thousandths of the whole host.";
                let options = Opts::new("ovnet_agent_load_thousandths", help);
                let gauge = IntGaugeVec::new(options, &["of"])?;
                registry.register(Box::new(gauge.clone()))?;
                gauge
            },
            agent_keys: counter(
                "ovnet_agent_keys_total",
                "Keys asked for, news and hints ignored, mappings given up.",
                &["what"],
            )?,
            agent_events: counter(
                "ovnet_agent_events_total",
                "Events of the kernel.",
                &["kind"],
            )?,
            agent_overruns: {
                let help = "How often events of the kernel were lost, and its tables read instead.";
                let counter = IntCounter::new("ovnet_agent_overruns_total", help)?;
                registry.register(Box::new(counter.clone()))?;
                counter
            },
            agent_operations: counter(
                "ovnet_agent_operations_total",
                "Changes of the kernel's tables.",
                &["operation", "result"],
            )?,
            registry,
        })
    }

    /// All of them, as Prometheus reads them.
    pub(crate) fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory fails only for a metric without a name.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}
