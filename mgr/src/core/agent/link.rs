// SPDX-License-Identifier: GPL-2.0

//! The connection to a manager.

use std::time::Duration;

use super::{Agent, Config, Output, Timer};
use crate::core::message::ToManager;
use crate::core::{Generation, Time};

/// The connection to a manager.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    state: State,
    /// When to do something about it.
    due: Time,
    /// Attempts since a manager was last there.
    tries: u32,
    /// When the manager was last heard.
    heard: Time,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// There is none.
    #[default]
    Down,
    /// It was asked for.
    Connecting,
    /// It is there, and the manager was greeted.
    Greeting,
    /// The manager has answered.
    Up,
}

impl Link {
    pub(super) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    pub(super) fn heard(&mut self, now: Time) {
        self.heard = now;
    }

    pub(super) fn is_silent(&self, config: &Config, now: Time) -> bool {
        now - self.heard >= config.silence
    }
}

impl Agent {
    pub(super) fn connect(&mut self, now: Time, out: &mut Vec<Output>) {
        out.push(Output::Connect);
        self.set_link(State::Connecting, self.config.silence, now);
    }

    pub(super) fn connected(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.link.state != State::Connecting {
            return;
        }
        self.suspend_moves();
        let hello = ToManager::Hello {
            epoch: self.seat.epoch,
            seen: self.seen,
            frozen: !self.frozen.is_empty(),
        };
        out.push(Output::Send(hello));
        self.set_link(State::Greeting, self.config.silence, now);
    }

    /// A new manager knows nothing of what this host holds: it is asked about all of it, which
    /// subscribes to all of it.
    pub(super) fn welcome(&mut self, as_of: Generation, now: Time, out: &mut Vec<Output>) {
        self.see(as_of);
        if self.link.state != State::Greeting {
            return;
        }
        self.link.state = State::Up;
        self.link.tries = 0;
        self.resend_asks();
        self.refresh_all(now);
        self.reclaim_all();
        self.lease_linked(now, out);
        self.resume_moves(now, out);
    }

    /// The link is lost; what is known is used on.
    pub(super) fn disconnected(&mut self, now: Time) {
        self.lease_unlinked();
        let tries = self.link.tries;
        self.link.tries = tries.saturating_add(1);
        let wait = self.config.reconnect * (1 << tries.min(16));
        let wait = self.random.jitter(wait.min(self.config.longest));
        self.set_link(State::Down, wait, now);
    }

    pub(super) fn later(&mut self, after: u32, now: Time, out: &mut Vec<Output>) {
        out.push(Output::Disconnect);
        self.disconnected(now);
        let after = self.random.jitter(Duration::from_millis(after.into()));
        self.set_link(State::Down, after.max(self.link.due - now), now);
    }

    pub(super) fn give_up_link(&mut self, now: Time, out: &mut Vec<Output>) {
        out.push(Output::Disconnect);
        self.disconnected(now);
    }

    pub(super) fn link_due(&mut self, due: Time, now: Time, out: &mut Vec<Output>) {
        if self.link.due != due {
            return;
        }
        match self.link.state {
            State::Down => self.connect(now, out),
            State::Connecting | State::Greeting => self.give_up_link(now, out),
            State::Up => {}
        }
    }

    fn set_link(&mut self, state: State, wait: Duration, now: Time) {
        self.link.state = state;
        self.link.due = now + wait;
        self.link.heard = now;
        self.set_timer(self.link.due, Timer::Link);
    }
}
