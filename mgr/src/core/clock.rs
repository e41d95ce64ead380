// SPDX-License-Identifier: GPL-2.0

//! Time, as it is passed in.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Microseconds of a monotonic clock of one machine; times of two machines have nothing in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// That many microseconds after the clock's start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Time {
        Time(micros)
    }

    /// Microseconds since the clock's start.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(duration.as_micros() as u64))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Time {
    type Output = Duration;

    /// The time from the earlier `other` to this one; 0 if it is the later one.
    fn sub(self, other: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(other.0))
    }
}
