// SPDX-License-Identifier: GPL-2.0

//! The cases that are written in Rust, because they need bytes and clocks
//! under control rather than commands in a row.

mod allocation_failures;
mod arp;
mod arrival_check;
mod batch;
mod capture;
mod crowd;
mod destination_check;
mod drop_names;
mod dumps;
mod escape;
mod exact_bytes;
mod lease;
mod managed_move_kernels;
mod move_lossless;
mod move_states;
mod moving_drops;
mod packets_without_memory;
mod resolve;
mod round_trip;
mod rule_criteria;
mod source_check;
mod substrate_errors;
mod table_update;
mod trace_decisions;
mod ttl;
mod wire_stream;

/// Why a case failed, in words.
pub type Failure = Box<dyn std::error::Error>;

/// A case: what it is called, what it covers, and the function to run.
pub struct Case {
    /// Its name among all cases, scripts included.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub title: &'static str,
    /// The requirements it covers.
    pub rows: &'static [&'static str],
    /// How many guests run it at once.
    pub guests: usize,
    /// Seconds until it counts as hung.
    pub timeout: u64,
    /// The case itself; runs in the guest as root.
    pub run: fn() -> Result<(), Failure>,
}

/// Every Rust case.
pub const ALL: &[Case] = &[
    arp::CASE,
    arrival_check::CASE,
    batch::CASE,
    capture::CASE,
    crowd::CASE,
    destination_check::CASE,
    destination_check::LIMIT,
    drop_names::CASE,
    dumps::CASE,
    escape::CASE,
    exact_bytes::CASE,
    lease::CASE,
    managed_move_kernels::CASE,
    move_lossless::CASE,
    move_states::CASE,
    moving_drops::CASE,
    resolve::CASE,
    round_trip::CASE,
    rule_criteria::CASE,
    source_check::CASE,
    substrate_errors::CASE,
    table_update::CASE,
    trace_decisions::CASE,
    trace_decisions::AGAIN,
    ttl::CASE,
    wire_stream::CASE,
];

/// The Rust cases for the kernel that checks itself alone, each with what it
/// needs that others lack.
pub const DEBUG: &[(Case, &str)] = &[
    (allocation_failures::CASE, crate::fault::NEEDS),
    (allocation_failures::LINKS, crate::fault::NEEDS),
    (packets_without_memory::CASE, crate::fault::NEEDS),
];

/// The Rust cases for distributed kernels alone, each with what it needs that
/// the kernel that checks itself lacks.
pub const STOCK: &[(Case, &str)] = &[(
    drop_names::PLACES,
    "it needs Open vSwitch, which the debug kernel has not",
)];

/// The number of the guest this runs in, from 1.
pub fn guest() -> Result<usize, Failure> {
    Ok(std::env::var("GUEST")?.parse()?)
}
