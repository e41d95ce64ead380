// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  guest 1  eth0 fd00::1 ───── wire ───── eth0 fd00::2  guest 2
//!           accepts, checks    2 MB ◄──── connects, sends
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;

use super::{guest, Case, Failure};
use crate::barrier;

/// The wire between guests carries a TCP stream whole and in order, which
/// every case with several kernels rests on.
pub const CASE: Case = Case {
    name: "wire-stream",
    title: "the wire between two guests carries a TCP stream unchanged",
    rows: &[],
    guests: 2,
    timeout: 60,
    run,
};

const LENGTH: usize = 2 << 20;

fn run() -> Result<(), Failure> {
    let guest = guest()?;
    ip(&["link", "set", "eth0", "up"])?;
    ip(&[
        "address",
        "add",
        &format!("fd00::{guest}/64"),
        "dev",
        "eth0",
        "nodad",
    ])?;
    if guest == 1 {
        let listener = TcpListener::bind("[fd00::1]:7000")?;
        barrier::wait("listening")?;
        let mut received = Vec::new();
        listener.accept()?.0.read_to_end(&mut received)?;
        if received != pattern() {
            return Err(format!("{} bytes arrived, not the {LENGTH} sent", received.len()).into());
        }
    } else {
        barrier::wait("listening")?;
        let mut stream = TcpStream::connect("[fd00::1]:7000")?;
        stream.write_all(&pattern())?;
        stream.shutdown(Shutdown::Write)?;
    }
    barrier::wait("done")?;
    Ok(())
}

/// Bytes without a short period, so that a lost or moved segment shows.
fn pattern() -> Vec<u8> {
    let mut state = 1u32;
    (0..LENGTH)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

fn ip(arguments: &[&str]) -> Result<(), Failure> {
    let status = Command::new("ip").args(arguments).status()?;
    if !status.success() {
        return Err(format!("ip {}: {status}", arguments.join(" ")).into());
    }
    Ok(())
}
