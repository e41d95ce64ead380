// SPDX-License-Identifier: GPL-2.0

//! Randomness, as it is passed in: a seed decides all that follows.

use std::time::Duration;

/// A source of numbers that look random: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
///
/// It spreads retries and refreshes in time; nothing secret may come from it.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The source that begins with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A duration shorter than `bound`.
    pub fn within(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(bound.as_micros() as u64))
    }

    /// A duration between three and five quarters of `duration`: many machines that begin to wait
    /// at once do not come back at once.
    pub fn jitter(&mut self, duration: Duration) -> Duration {
        duration * 3 / 4 + self.within(duration / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_what_follows() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [random.next_u64(), random.next_u64()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn jitter_stays_around_the_duration() {
        let mut random = Random::new(1);
        let second = Duration::from_secs(1);
        let draws: Vec<_> = (0..1000).map(|_| random.jitter(second)).collect();
        assert!(draws
            .iter()
            .all(|d| *d >= second * 3 / 4 && *d < second * 5 / 4));
        assert!(draws.iter().any(|d| *d < second) && draws.iter().any(|d| *d > second));
        assert_eq!(random.below(0), 0);
    }
}
