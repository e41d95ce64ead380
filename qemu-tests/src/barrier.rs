// SPDX-License-Identifier: GPL-2.0

//! A barrier between the guests of one case, as seen from inside a guest.
//!
//! `ovnet-guest` listens at a socket in the guest's file system; who connects
//! and writes a name gets an answer when every guest has done so.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// Where `ovnet-guest` listens.
pub const SOCKET: &str = "/run/ovnet/barrier";

/// Waits until every guest of the case has come to the barrier of this name.
pub fn wait(name: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(SOCKET)?;
    stream.write_all(name.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)
}
