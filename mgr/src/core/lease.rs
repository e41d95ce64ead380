// SPDX-License-Identifier: GPL-2.0

//! Leases: how a manager comes to know that a host is of no effect any more, without the host's
//! saying so (`MV7`).
//!
//! A host that has nodes which may be started elsewhere when it dies says every [`BEAT`] that it
//! lives, and its manager grants it a lease by answering. The kernel of the host stops the ports
//! of those nodes when the lease ends, whoever else there has died.
//!
//! *No two hosts have the node at once.* The beat that a grant answers was sent before the grant.
//! The host counts its lease from the moment it sent that beat, and stops [`HELD`] later; the
//! manager takes the host for stopped no earlier than [`TERM`] after the last grant that it sent.
//! Neither needs the other's clock: it is enough that what the one counts as 2.4 s is over before
//! what the other counts as 3 s, which is so as long as the clocks of the two go equally fast to
//! within 20 %. No message has to arrive, none does harm when it arrives late or twice: a grant
//! counts from when its beat was sent, however long it took, and a beat that is not remembered
//! grants nothing.
//!
//! *Several managers.* The store says which one manager grants leases to a host. That one does so
//! only as long as it knows its own lease with the store to be alive (one that had lost it has to say
//! so anew, and to know what the store was told until then), and never again once it has
//! begun to say that the host has stopped. A manager that takes over a host counts from when the
//! store said so: what the one before has granted answers beats of an earlier connection. If the
//! manager is gone, the one that leads counts from when it first saw that.

use std::collections::VecDeque;
use std::time::Duration;

use super::Time;

/// Hosts under lease say that they live once in this time.
pub const BEAT: Duration = Duration::from_millis(100);
/// A host that has said nothing for so long is suspected to be dead: three beats.
pub const SUSPECT: Duration = Duration::from_millis(300);
/// For how long a manager takes a host for alive after the last grant.
pub const TERM: Duration = Duration::from_secs(3);
/// How long hosts that were silent together with too many others have to come back, once those
/// are: an agent without a manager tries once in half a minute.
pub const RETURN: Duration = Duration::from_secs(60);
/// For how long a host takes itself for alive after the beat: 0.8 of [`TERM`].
pub const HELD: Duration = Duration::from_millis(2400);
/// Beats that are remembered; of one older than these a grant is over.
const REMEMBERED: usize = 32;

/// The beats of a host over one connection, and what they were granted.
#[derive(Clone, Debug, Default)]
pub struct Beats {
    last: u32,
    sent: VecDeque<(u32, Time)>,
    /// The beat that the lease counts from.
    from: Option<Time>,
}

impl Beats {
    /// One more is sent now; its number.
    pub fn send(&mut self, now: Time) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.sent.push_back((self.last, now));
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
        self.last
    }

    /// A beat was answered by a grant: the moment from which the lease counts now, if that is
    /// later than before and the lease not over already.
    pub fn granted(&mut self, number: u32, now: Time) -> Option<Time> {
        let at = self.sent.iter().position(|(sent, _)| *sent == number)?;
        let (_, sent) = self.sent[at];
        self.sent.drain(..=at);
        let news = self.from.is_none_or(|from| sent > from);
        (news && now - sent < HELD).then(|| {
            self.from = Some(sent);
            sent
        })
    }
}

/// What a manager knows of the life of a host that it grants leases to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The last beat, or when the manager took the host over.
    heard: Time,
    /// The last grant, or the same; later, if the host is spared.
    granted: Time,
    suspect: bool,
    /// It is being said that the host has stopped.
    over: bool,
}

impl Watch {
    /// Of a host that the manager takes over now. Who had it before may have granted a beat just
    /// before.
    #[must_use]
    pub const fn new(now: Time) -> Watch {
        Watch {
            heard: now,
            granted: now,
            suspect: false,
            over: false,
        }
    }

    /// The host says that it lives; whether that is to be granted. Whether it may be, beside, is
    /// for the caller to know.
    pub fn beat(&mut self, now: Time) -> bool {
        if self.over {
            return false;
        }
        (self.heard, self.granted) = (now, now);
        self.suspect = false;
        true
    }

    /// Whether the host has just become suspect.
    pub fn suspects(&mut self, now: Time) -> bool {
        let silent = now - self.heard >= SUSPECT;
        let news = silent && !self.suspect;
        self.suspect |= silent;
        news
    }

    /// Whether it is suspected to be dead.
    #[must_use]
    pub const fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Whether its lease is certainly over.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.over || now - self.granted >= TERM
    }

    /// The host is not to be judged as long as so many others are silent, nor just after that.
    pub fn spare(&mut self, now: Time) {
        if !self.over {
            self.granted = spared(now);
        }
    }

    /// It is said from now on that the host has stopped. False: it may not have.
    pub fn end(&mut self, now: Time) -> bool {
        self.over |= self.is_over(now);
        self.over
    }
}

/// From when the term of a lease is counted for a host that is spared now.
#[must_use]
pub fn spared(now: Time) -> Time {
    now + (RETURN - TERM)
}

/// Whether so many deaths at once are more likely one fault of something else, so that nothing is
/// to be started anew: at least two, and more than the tenth part.
#[must_use]
pub const fn are_too_many(dead: usize, of: usize) -> bool {
    dead >= 2 && dead * 10 > of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Random;

    /// When beats or their grants arrive, and their numbers.
    type Arrivals = Vec<(u64, u32)>;

    fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1000)
    }

    #[test]
    fn a_grant_counts_from_its_beat_and_once() {
        let mut beats = Beats::default();
        let first = beats.send(at(0));
        let second = beats.send(at(100));
        assert_eq!(beats.granted(second, at(150)), Some(at(100)));
        // Overtaken, repeated, or of another connection.
        assert_eq!(beats.granted(first, at(160)), None);
        assert_eq!(beats.granted(second, at(160)), None);
        assert_eq!(beats.granted(77, at(160)), None);
        let third = beats.send(at(200));
        assert_eq!(beats.granted(third, at(2599)), Some(at(200)));
        let late = beats.send(at(3000));
        assert_eq!(beats.granted(late, at(5400)), None);
    }

    #[test]
    fn beats_that_nobody_answers_are_forgotten() {
        let mut beats = Beats::default();
        let first = beats.send(at(0));
        for beat in 1..=REMEMBERED as u64 {
            beats.send(at(beat));
        }
        assert_eq!(beats.sent.len(), REMEMBERED);
        assert_eq!(beats.granted(first, at(40)), None);
    }

    #[test]
    fn a_silent_host_is_suspect_and_then_over() {
        let mut watch = Watch::new(at(0));
        assert!(!watch.suspects(at(299)) && watch.suspects(at(300)));
        assert!(watch.is_suspect() && !watch.suspects(at(400)));
        assert!(watch.beat(at(500)) && !watch.is_suspect());
        assert!(!watch.is_over(at(3499)) && !watch.end(at(3499)));
        assert!(watch.beat(at(3499)));
        assert!(watch.end(at(6499)));
        // Too late.
        assert!(!watch.beat(at(6500)) && watch.is_over(at(6500)));
    }

    #[test]
    fn a_host_that_was_spared_has_time_to_come_back_and_is_any_other_then() {
        let mut watch = Watch::new(at(0));
        watch.spare(at(2000));
        assert!(watch.suspects(at(2000)) && !watch.end(at(61_999)));
        assert!(watch.is_over(at(62_000)));
        assert!(watch.beat(at(10_000)));
        assert!(!watch.is_over(at(12_999)) && watch.end(at(13_000)));
        watch.spare(at(13_000));
        assert!(watch.is_over(at(13_000)));
    }

    #[test]
    fn one_death_is_no_disaster_and_two_of_few_are() {
        assert!(!are_too_many(1, 1) && !are_too_many(1, 3));
        assert!(are_too_many(2, 3) && are_too_many(2, 19));
        assert!(!are_too_many(2, 20) && are_too_many(3, 20));
    }

    /// A host and a manager whose clocks differ by up to 20 %, and a network that loses, delays,
    /// repeats and reorders: at no moment does the manager take the host for stopped while the
    /// host's lease lasts. All moments are of a clock of neither.
    #[test]
    fn a_host_has_stopped_before_anybody_relies_on_it() {
        let mut ended = 0;
        for seed in 0..2000 {
            let mut random = Random::new(seed);
            // Ticks of the host's and the manager's clock in a thousand microseconds: the host's
            // counts too little, the manager's too much.
            let speed = |random: &mut Random, least: u64| least + random.below(112);
            let (host_speed, manager_speed) = (speed(&mut random, 889), speed(&mut random, 1000));
            let host = |now: u64| Time::from_micros(now * host_speed / 1000);
            let manager = |now: u64| Time::from_micros(now * manager_speed / 1000);
            let (mut beats, mut watch) = (Beats::default(), Watch::new(manager(0)));
            let (mut there, mut back) = (Arrivals::new(), Arrivals::new());
            let mut until = Time::default();
            let cut = 500_000 + random.below(4_000_000);
            let mut over = None;
            for now in (0..12_000_000_u64).step_by(20_000) {
                if now % 100_000 == 0 {
                    let number = beats.send(host(now));
                    for _ in 0..=random.below(2) {
                        let delay = match random.below(20) {
                            0 => random.below(4_000_000),
                            _ => random.below(60_000),
                        };
                        if now < cut && random.below(10) > 0 {
                            there.push((now + delay, number));
                        }
                    }
                }
                let arrived = |queue: &mut Arrivals| -> Arrivals {
                    let (there, later) = queue.iter().partition(|(due, _)| *due <= now);
                    *queue = later;
                    there
                };
                for (_, number) in arrived(&mut there) {
                    if watch.beat(manager(now)) {
                        let slow = random.below(10) == 0;
                        let delay = random.below(if slow { 4_000_000 } else { 60_000 });
                        back.push((now + delay, number));
                    }
                }
                for (_, number) in arrived(&mut back) {
                    if let Some(from) = beats.granted(number, host(now)) {
                        until = until.max(from + HELD);
                    }
                }
                if watch.end(manager(now)) {
                    over.get_or_insert(now);
                    assert!(host(now) >= until, "seed {seed}: at {now} µs");
                }
            }
            ended += u64::from(over.is_some());
        }
        assert!(ended > 1900, "{ended}");
    }
}
