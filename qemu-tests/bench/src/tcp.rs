// SPDX-License-Identifier: GPL-2.0

//! Requests and responses, and a stream, over one TCP connection.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    accept, bind, connect, listen, socket, AddressFamily, Backlog, SockFlag, SockType,
    SockaddrStorage,
};

use crate::meter::{Meter, Reading};
use crate::{sys, topology};

const PORT: u16 = 7000;
/// Buffers have one size: were they left to grow, the number of acknowledgements would depend on how far
/// they have grown.
const BUFFER: libc::c_int = 4 << 20;
/// What a stream writes at once.
pub const CHUNK: usize = 128 << 10;
/// What a request or a response has.
const MESSAGE: usize = 64;

/// Both ends of a connection.
pub struct Connection {
    client: TcpStream,
    server: TcpStream,
}

impl Connection {
    /// Opens both ends.
    pub fn open(address: IpAddr) -> io::Result<Connection> {
        let (family, any) = match address {
            IpAddr::V4(_) => (AddressFamily::Inet, "0.0.0.0"),
            IpAddr::V6(_) => (AddressFamily::Inet6, "::"),
        };
        let new = |namespace| -> io::Result<OwnedFd> {
            topology::enter(namespace)?;
            Ok(socket(family, SockType::Stream, SockFlag::empty(), None)?)
        };
        let force = |socket: &OwnedFd, option| {
            sys::set_option(socket.as_fd(), libc::SOL_SOCKET, option, BUFFER)
        };
        let at = |ip| SockaddrStorage::from(SocketAddr::new(ip, PORT));

        let listener = new(topology::SERVER)?;
        sys::set_option(listener.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        force(&listener, libc::SO_RCVBUFFORCE)?;
        let any = any.parse().map_err(io::Error::other)?;
        bind(listener.as_raw_fd(), &at(any))?;
        listen(&listener, Backlog::new(1)?)?;
        let client = new(topology::CLIENT)?;
        force(&client, libc::SO_SNDBUFFORCE)?;
        connect(client.as_raw_fd(), &at(address))?;
        let server = sys::own(accept(listener.as_raw_fd())?);
        let connection = Connection {
            client: client.into(),
            server: server.into(),
        };
        connection.client.set_nodelay(true)?;
        connection.server.set_nodelay(true)?;
        Ok(connection)
    }

    /// Opens both ends for [`Connection::stream`].
    pub fn open_for_stream(address: IpAddr) -> io::Result<Connection> {
        let connection = Connection::open(address)?;
        connection.client.set_nonblocking(true)?;
        connection.server.set_nonblocking(true)?;
        Ok(connection)
    }

    /// A request and its response.
    pub fn pair(&mut self) -> io::Result<()> {
        let mut message = [b'o'; MESSAGE];
        self.client.write_all(&message)?;
        self.server.read_exact(&mut message)?;
        self.server.write_all(&message)?;
        self.client.read_exact(&mut message)
    }

    /// Moves bytes until all have arrived.
    pub fn stream(&mut self, bytes: usize, buffer: &mut [u8]) -> io::Result<()> {
        let (mut sent, mut arrived) = (0, 0);
        while arrived < bytes {
            let wanted = CHUNK.min(bytes - sent);
            let wrote = moved((&self.client).write(&buffer[..wanted]))?;
            sent += wrote;
            let before = arrived;
            loop {
                match moved(self.server.read(buffer))? {
                    0 => break,
                    read => arrived += read,
                }
            }
            if wrote == 0 && arrived == before {
                sys::wait(
                    &[
                        (self.client.as_fd(), wanted > 0),
                        (self.server.as_fd(), false),
                    ],
                    10_000,
                )?;
            }
        }
        Ok(())
    }
}

/// Bytes that a call moved; none if it would have had to wait.
fn moved(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// Measures requests and their responses.
pub fn request_response(address: IpAddr, count: usize) -> io::Result<Reading> {
    let mut connection = Connection::open(address)?;
    for _ in 0..100 {
        connection.pair()?;
    }
    let meter = Meter::start()?;
    for _ in 0..count {
        connection.pair()?;
    }
    meter.stop(count)
}

/// Measures a stream.
pub fn stream(address: IpAddr, bytes: usize) -> io::Result<Reading> {
    let mut connection = Connection::open_for_stream(address)?;
    let mut buffer = vec![0; CHUNK];
    // Until the window is open.
    connection.stream(8 << 20, &mut buffer)?;
    let meter = Meter::start()?;
    connection.stream(bytes, &mut buffer)?;
    meter.stop(bytes)
}
