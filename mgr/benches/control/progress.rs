// SPDX-License-Identifier: GPL-2.0

//! Says on standard error how far it is.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One thing that takes a while.
pub(crate) struct Progress {
    what: &'static str,
    start: Instant,
    said: Mutex<Instant>,
}

impl Progress {
    /// It begins.
    pub(crate) fn of(what: &'static str) -> Progress {
        eprintln!("{what} …");
        let start = Instant::now();
        Progress {
            what,
            start,
            said: Mutex::new(start),
        }
    }

    /// So much of it is done. A terminal is told often, a log now and then.
    pub(crate) fn at(&self, done: usize, of: usize) {
        let terminal = std::io::stderr().is_terminal();
        let every = Duration::from_millis(if terminal { 200 } else { 5000 });
        let Ok(mut said) = self.said.try_lock() else {
            return;
        };
        if said.elapsed() < every {
            return;
        }
        *said = Instant::now();
        let line = format!("  {}: {done} of {of}", self.what);
        match terminal {
            true => eprint!("{line}\r"),
            false => eprintln!("{line}"),
        }
        // Nobody may be looking.
        let _ = std::io::stderr().flush();
    }

    /// It is done.
    pub(crate) fn end(self) {
        eprintln!(
            "  {}: {:.1} s",
            self.what,
            self.start.elapsed().as_secs_f64()
        );
    }
}
