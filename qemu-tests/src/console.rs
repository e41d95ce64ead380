// SPDX-License-Identifier: GPL-2.0

//! The kernel log of a guest, as its serial console shows it: kept, written
//! to a file, and watched for what a healthy kernel never says.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::{END_OF_PROGRAM, FIRST_PROCESS};

/// What fails a case, wherever in a line it stands.
const COMPLAINTS: &[&str] = &[
    "WARNING:",
    "BUG:",
    // The slab allocator's reports, of objects that remain for one.
    "] BUG ",
    "Oops",
    "INFO: possible",
    "INFO: trying to register",
    "INFO: task",
    "INFO: rcu",
    "rcu: INFO:",
    "Kernel panic",
    "kernel BUG at",
    "KASAN",
    "KCSAN",
    "UBSAN",
    "general protection fault",
    "suspicious RCU usage",
    "scheduling while atomic",
    "sleeping function called",
    "unregister_netdevice: waiting",
    "ref_tracker:",
    "refcount_t:",
    "corruption",
    "kmemleak: ",
    "unreferenced object",
    "ODEBUG:",
    "DEBUG_LOCKS",
    "stack-protector",
    "rust_kernel: panicked",
    "soft lockup",
    "hard LOCKUP",
    "Call Trace:",
    "invalid opcode",
    "segfault",
    // KUnit, in the kernel of whom a module runs its tests when it is loaded.
    "ASSERTION FAILED",
    "EXPECTATION FAILED",
];

/// Said by healthy kernels although it looks like a complaint. The last: what
/// keeps account of references may itself lack memory where a case sees to that.
const HARMLESS: &[&str] = &[
    "kmemleak: Kernel memory leak detector",
    "ref_tracker: memory allocation failure",
];

const KEPT: usize = 400;
const EXCERPT: usize = 80;
const CONTEXT: usize = 3;

/// What the log tells the one who runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The first process runs.
    FirstProcess,
    /// The log is complete up to the end of the program of this number.
    EndOfProgram(u32),
    /// The kernel complained.
    Complaint,
    /// The console has closed: the guest is off.
    Closed,
}

/// The log so far; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Console {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    complaint: Option<Vec<String>>,
}

impl Console {
    /// Reads the console until it closes, on the caller's thread.
    pub fn watch(&self, stream: impl Read, mut log: File, mut tell: impl FnMut(News)) {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(length) if length > 0) {
            // A log that cannot be written is no reason to lose the run.
            let _ = log.write_all(&bytes);
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            let news = news(&line);
            self.lock().add(line, news == Some(News::Complaint));
            if let Some(news) = news {
                tell(news);
            }
        }
        tell(News::Closed);
    }

    /// The last lines.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let state = self.lock();
        state.lines[state.lines.len().saturating_sub(count)..].to_vec()
    }

    /// Takes the first complaint and what followed it.
    pub fn take_complaint(&self) -> Option<Vec<String>> {
        self.lock().complaint.take()
    }

    /// Whether the guest died of what a multi-threaded TCG now and then causes
    /// by itself while the kernel patches its own code: one early Oops, or an
    /// end without a word where the console did not work yet. Nothing of ours
    /// has run before the first process.
    pub fn died_early(&self) -> bool {
        let state = self.lock();
        let has = |text: &str| state.lines.iter().any(|line| line.contains(text));
        (has("Oops: int3") || state.complaint.is_none()) && !has(FIRST_PROCESS)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, line: String, complains: bool) {
        match &mut self.complaint {
            Some(excerpt) if excerpt.len() < EXCERPT => excerpt.push(line.clone()),
            None if complains => {
                let from = self.lines.len().saturating_sub(CONTEXT);
                let mut excerpt = self.lines[from..].to_vec();
                excerpt.push(line.clone());
                self.complaint = Some(excerpt);
            }
            _ => {}
        }
        if self.lines.len() == KEPT {
            self.lines.remove(0);
        }
        self.lines.push(line);
    }
}

fn news(line: &str) -> Option<News> {
    if let Some((_, number)) = line.split_once(END_OF_PROGRAM) {
        return number.trim().parse().ok().map(News::EndOfProgram);
    }
    if line.contains(FIRST_PROCESS) {
        return Some(News::FirstProcess);
    }
    let has = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
    (has(COMPLAINTS) && !has(HARMLESS)).then_some(News::Complaint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(text: &str) -> (Console, Vec<News>) {
        let console = Console::default();
        let mut heard = Vec::new();
        let log = File::options().write(true).open("/dev/null").unwrap();
        console.watch(text.as_bytes(), log, |news| heard.push(news));
        (console, heard)
    }

    #[test]
    fn a_complaint_is_kept_with_what_surrounds_it() {
        let (console, heard) = watch(
            "[1.0] quiet\r\n[1.1] ------------[ cut here ]------------\r\n\
             [1.1] WARNING: CPU: 0 PID: 1 at net/core/dev.c:1\r\n[1.1] Modules linked in:\r\n",
        );
        assert_eq!(heard, [News::Complaint, News::Closed]);
        let excerpt = console.take_complaint().unwrap();
        assert_eq!(excerpt.len(), 4);
        assert_eq!(excerpt[3], "[1.1] Modules linked in:");
        assert!(console.take_complaint().is_none());
    }

    #[test]
    fn a_healthy_log_passes() {
        let (console, heard) = watch(
            "[0.0] Linux version 7.3.4\n[0.1] kmemleak: Kernel memory leak detector initialized\n\
             [1.0] ovnet-test: first process\n[2.0] ovnet-test: end of program 7\n",
        );
        assert_eq!(
            heard,
            [News::FirstProcess, News::EndOfProgram(7), News::Closed]
        );
        assert!(console.take_complaint().is_none());
        assert_eq!(console.tail(1), ["[2.0] ovnet-test: end of program 7"]);
    }

    #[test]
    fn what_a_kernel_that_checks_itself_reports_is_a_complaint() {
        for line in [
            "[   31.0] BUG: KASAN: slab-use-after-free in ovnet_tx+0x1/0x2 [ovnet]",
            "[   31.0] WARNING: possible circular locking dependency detected",
            "[   31.0] WARNING: inconsistent lock state",
            "[   31.0] WARNING: suspicious RCU usage",
            "[   31.0] INFO: trying to register non-static key.",
            "[   31.0] BUG: sleeping function called from invalid context at a.c:1",
            "[   31.0] BUG: scheduling while atomic: ovctl/91/0x00000002",
            "[   31.0] ODEBUG: free active (active state 0) object: ff11 object type: rcu_head",
            "[   31.0] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "[   31.0] UBSAN: array-index-out-of-bounds in a.c:1:1",
            "[   31.0] refcount_t: underflow; use-after-free.",
            "[   31.0] ref_tracker: reference already released.",
            "[   31.0] unregister_netdevice: waiting for v0 to become free. Usage count = 2",
            "[   31.0] list_del corruption. prev->next should be ff11, but was ff12",
            "[   31.0] BUG skbuff_small_head (Not tainted): Objects remaining on shutdown",
            "[   31.0] rcu: INFO: rcu_preempt self-detected stall on CPU",
            "[   31.0] INFO: task ip:91 blocked for more than 122 seconds.",
            "[   31.0]     # a_cell: ASSERTION FAILED at module/net/tests/rcu.rs:1",
        ] {
            assert_eq!(
                watch(&format!("{line}\n")).1,
                [News::Complaint, News::Closed],
                "{line}"
            );
        }
    }

    #[test]
    fn only_an_int3_oops_or_silence_before_the_first_process_is_an_early_death() {
        let oops = "[0.5] Oops: int3: 0000 [#1] SMP\n";
        let started = "[1.0] ovnet-test: first process\n";
        assert!(watch(oops).0.died_early());
        assert!(!watch(&format!("{started}{oops}")).0.died_early());
        assert!(!watch("[0.5] Oops: general\n").0.died_early());
        assert!(watch("[0.0] Linux version 7.3.4\n").0.died_early());
        assert!(!watch(started).0.died_early());
    }
}
