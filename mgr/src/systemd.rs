// SPDX-License-Identifier: GPL-2.0

//! What the service manager is told: sd_notify(3).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The socket of the service manager, if there is one.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// From the environment, as the service manager has set it.
    pub fn from_environment() -> io::Result<Self> {
        let variable = |name| std::env::var(name).ok();
        let number = |name| variable(name).and_then(|value| value.parse::<u64>().ok());
        let mine = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC")
            .filter(|_| mine)
            .map(Duration::from_micros);
        let socket = match variable("NOTIFY_SOCKET") {
            None => None,
            Some(path) => {
                // A name that begins with @ is one of the abstract name space, unix(7).
                let address = match path.strip_prefix('@') {
                    Some(name) => SocketAddr::from_abstract_name(name)?,
                    None => SocketAddr::from_pathname(&path)?,
                };
                Some((UnixDatagram::unbound()?, address))
            }
        };
        Ok(Self { socket, watchdog })
    }

    /// Tells the service manager something; nobody else minds if it cannot be told.
    pub fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.socket {
            if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
                tracing::warn!(%error, "the service manager cannot be told {state:?}");
            }
        }
    }

    /// How often the service manager wants to hear that all is well.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / 3)
    }
}
