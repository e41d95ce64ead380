// SPDX-License-Identifier: GPL-2.0

//! A reading of the clock and of the substrate's counters, before and after.

use std::io;
use std::time::Instant;

use crate::{sys, topology};

/// A measurement under way.
pub struct Meter {
    sent: (u64, u64),
    time: Instant,
    ticks: u64,
}

/// What was measured.
pub struct Reading {
    ticks: u64,
    nanoseconds: u128,
    units: usize,
    frames: u64,
    bytes: u64,
}

impl Meter {
    /// Starts.
    pub fn start() -> io::Result<Meter> {
        let sent = topology::sent_on_substrate()?;
        let time = Instant::now();
        // Last, so that only the traffic is inside.
        let ticks = sys::tsc();
        Ok(Meter { sent, time, ticks })
    }

    /// Ends, after so many units of traffic.
    pub fn stop(self, units: usize) -> io::Result<Reading> {
        let ticks = sys::tsc() - self.ticks;
        let nanoseconds = self.time.elapsed().as_nanos();
        let (frames, bytes) = topology::sent_on_substrate()?;
        Ok(Reading {
            ticks,
            nanoseconds,
            units,
            frames: frames - self.sent.0,
            bytes: bytes - self.sent.1,
        })
    }
}

impl Reading {
    /// Prints it for the host.
    pub fn print(&self, figure: &str) {
        println!(
            "FIGURE {figure} ticks={} nanoseconds={} units={} frames={} bytes={}",
            self.ticks, self.nanoseconds, self.units, self.frames, self.bytes
        );
    }

    /// Ticks per unit.
    pub fn per_unit(&self) -> f64 {
        self.ticks as f64 / self.units as f64
    }

    /// Frames the substrate's device sent.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}
