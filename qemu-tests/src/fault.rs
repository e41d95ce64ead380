// SPDX-License-Identifier: GPL-2.0

//! Allocations that fail when told to, in a kernel that checks itself
//! (Documentation/fault-injection/fault-injection.rst of the kernel).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use crate::cases::Failure;
use crate::overlay::draw;

/// Why a case that asks for them makes no sense elsewhere.
pub const NEEDS: &str = "distributed kernels cannot be told to fail an allocation";

const SLAB: &str = "/sys/kernel/debug/failslab";

/// Makes failures possible, and none happen yet.
pub fn prepare() -> Result<(), Failure> {
    draw("mount -t debugfs debugfs /sys/kernel/debug")?;
    // What fails on purpose is no news for the log.
    set("verbose", "0")?;
    set("probability", "0")?;
    set("times", "-1")
}

/// Fails one allocation of the calling thread, of whatever kind.
pub struct Nth(File);

impl Nth {
    /// For the calling thread. No allocation fails yet.
    pub fn of_this_thread() -> Result<Nth, Failure> {
        set("ignore-gfp-wait", "N")?;
        let file = File::options()
            .read(true)
            .write(true)
            .open("/proc/thread-self/fail-nth")?;
        Ok(Nth(file))
    }

    /// Lets the allocation of this number fail, from 1, while something is
    /// done. Says whether there was one, and what was done.
    pub fn fail<T>(&self, number: u32, act: impl FnOnce() -> T) -> Result<(bool, T), Failure> {
        self.0.write_at(number.to_string().as_bytes(), 0)?;
        let done = act();
        // How many more it would have taken.
        let mut left = [0; 1];
        self.0.read_at(&mut left, 0)?;
        self.0.write_at(b"0", 0)?;
        Ok((left == *b"0", done))
    }
}

/// Fails so many in a hundred of the allocations, anywhere, that must not
/// wait, until it is dropped: those of packets.
pub struct Shortage;

impl Shortage {
    /// From now on.
    pub fn of(percent: u32) -> Result<Shortage, Failure> {
        set("ignore-gfp-wait", "Y")?;
        set("task-filter", "N")?;
        set("probability", &percent.to_string())?;
        Ok(Shortage)
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        // A guest that keeps failing allocations fails what comes next.
        let _ = set("probability", "0");
    }
}

fn set(name: &str, value: &str) -> Result<(), Failure> {
    fs::write(format!("{SLAB}/{name}"), value)
        .map_err(|error| format!("{SLAB}/{name}: {error}").into())
}

/// Whether something failed because memory ran out, or the kernel had none to
/// answer with (netlink(7): `ENOBUFS`), or none for a socket (`ENFILE`).
pub fn is_lack_of_memory(failure: &Failure) -> bool {
    use ovnet_uapi::Error::{Io, Overrun, Refused};
    let lacks = |errno| matches!(errno, Errno::ENOMEM | Errno::ENOBUFS | Errno::ENFILE);
    if let Some(errno) = failure.downcast_ref::<Errno>() {
        return lacks(*errno);
    }
    match failure.downcast_ref() {
        Some(Refused(refusal)) => lacks(refusal.errno),
        Some(Io(_, error)) => error
            .raw_os_error()
            .is_some_and(|n| lacks(Errno::from_raw(n))),
        Some(Overrun) => true,
        _ => false,
    }
}
