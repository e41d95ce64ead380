// SPDX-License-Identifier: GPL-2.0

//! Counters and times for Prometheus, `ovnet_SUBSYSTEM_THING_UNIT`.

use prometheus::{
    exponential_buckets, Encoder, HistogramVec, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
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
    pub(crate) southbound_agents: IntGauge,
    /// By direction.
    pub(crate) southbound_messages: IntCounterVec,
    /// By reason.
    pub(crate) southbound_refusals: IntCounterVec,
}

impl Metrics {
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
