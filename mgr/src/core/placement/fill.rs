// SPDX-License-Identifier: GPL-2.0

//! How full a host is: of its capacity and of its load, whatever is more.

use std::fmt;

use crate::core::load::{Load, WHOLE};

/// What a host is full of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// It has neither a capacity nor a known load: the sizes of its nodes are added up.
    Sizes,
    /// Of its capacity.
    Capacity,
    /// Of the time of its processors.
    Cpu,
    /// Of its memory.
    Memory,
}

/// How full a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// In thousandths of that; of [`Measure::Sizes`] the sum.
    pub thousandths: u64,
    /// Of what.
    pub of: Measure,
    /// What the sizes of its nodes add up to.
    used: u32,
}

impl Fill {
    pub(super) fn new(capacity: u32, used: u32, load: Option<Load>) -> Fill {
        let fill = |thousandths, of| Fill {
            thousandths,
            of,
            used,
        };
        let of_capacity = (capacity > 0).then(|| {
            let part = u64::from(used) * u64::from(WHOLE) / u64::from(capacity);
            fill(part, Measure::Capacity)
        });
        let of_load = load.map(|load| match load.cpu >= load.memory {
            true => fill(load.cpu.into(), Measure::Cpu),
            false => fill(load.memory.into(), Measure::Memory),
        });
        let more = of_capacity
            .into_iter()
            .chain(of_load)
            .max_by_key(|it| it.thousandths);
        more.unwrap_or_else(|| fill(used.into(), Measure::Sizes))
    }

    /// It is known in thousandths.
    pub(super) fn is_measured(self) -> bool {
        self.of != Measure::Sizes
    }

    /// More than there is of it.
    pub(super) fn is_over(self) -> bool {
        self.is_measured() && self.thousandths > u64::from(WHOLE)
    }

    /// Of hosts that are as full the one with less on it is the emptier, so that many nodes of an
    /// idle host do not all go to one.
    pub(super) fn rank(self) -> (u64, u32) {
        (self.thousandths, self.used)
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.of {
            Measure::Sizes => return write!(f, "nodes of size {}", self.thousandths),
            Measure::Capacity => "capacity",
            Measure::Cpu => "cpu",
            Measure::Memory => "memory",
        };
        write!(f, "{of} {} of {WHOLE}", self.thousandths)
    }
}
