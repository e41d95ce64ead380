// SPDX-License-Identifier: GPL-2.0

//! One-way datagrams.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::meter::{Meter, Reading};
use crate::{sys, topology};

const PORT: u16 = 7000;
/// Packets sent before they are taken in.
const BATCH: usize = 32;

/// Two sockets, and what goes between them.
pub struct Traffic {
    client: UdpSocket,
    server: UdpSocket,
    batch: sys::Batch,
}

impl Traffic {
    /// Opens the sockets; the first packets go, so that whoever learns has learned.
    pub fn open(address: IpAddr, size: usize) -> io::Result<Traffic> {
        let any: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        topology::enter(topology::SERVER)?;
        let server = UdpSocket::bind((any, PORT))?;
        sys::set_option(server.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 4 << 20)?;
        server.set_read_timeout(Some(Duration::from_millis(200)))?;
        topology::enter(topology::CLIENT)?;
        let client = UdpSocket::bind((any, 0))?;
        client.connect((address, PORT))?;
        let mut traffic = Traffic {
            client,
            server,
            batch: sys::Batch::new(BATCH, size),
        };
        // What a neighbour's address is, is asked now; the packet may be lost meanwhile.
        traffic.exchange(4)?;
        Ok(traffic)
    }

    /// Measures `count` packets; none may be lost, and each byte of some is looked at before.
    pub fn measure(&mut self, count: usize) -> io::Result<Reading> {
        self.check()?;
        let meter = Meter::start()?;
        let arrived = self.exchange(count)?;
        let reading = meter.stop(count)?;
        if arrived != count {
            return Err(io::Error::other(format!(
                "{arrived} of {count} packets arrived"
            )));
        }
        Ok(reading)
    }

    /// What is sent is what arrives.
    fn check(&mut self) -> io::Result<()> {
        if self.exchange(BATCH)? != BATCH || !self.batch.arrived_intact() {
            return Err(io::Error::other("packets arrive damaged, or not at all"));
        }
        Ok(())
    }

    /// Sends packets in batches and takes each batch in; says how many arrived.
    pub fn exchange(&mut self, count: usize) -> io::Result<usize> {
        let mut arrived = 0;
        let mut left = count;
        while left > 0 {
            let burst = left.min(BATCH);
            self.batch.send(self.client.as_fd(), burst)?;
            let mut taken = 0;
            while taken < burst {
                match self
                    .batch
                    .receive(self.server.as_fd(), taken, burst - taken)
                {
                    Ok(got) => taken += got,
                    // Lost.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            arrived += taken;
            left -= burst;
        }
        Ok(arrived)
    }
}

/// The largest packet, of at most `limit` bytes with its network header, that crosses as one frame.
pub fn node_mtu(address: IpAddr, limit: usize) -> io::Result<usize> {
    // IPv6's least link MTU (RFC 8200 section 5).
    let (mut crosses, mut does_not) = (1280, limit + 1);
    if !crosses_whole(address, crosses)? {
        return Err(io::Error::other("a packet of 1280 bytes does not cross"));
    }
    while does_not - crosses > 1 {
        let size = (crosses + does_not) / 2;
        if crosses_whole(address, size)? {
            crosses = size;
        } else {
            does_not = size;
        }
    }
    Ok(crosses)
}

fn crosses_whole(address: IpAddr, size: usize) -> io::Result<bool> {
    let (headers, level, option) = match address {
        IpAddr::V4(_) => (28, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
        IpAddr::V6(_) => (48, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER),
    };
    let mut traffic = Traffic::open(address, 64)?;
    // The sender believes no path MTU and cuts nothing.
    sys::set_option(
        traffic.client.as_fd(),
        level,
        option,
        libc::IP_PMTUDISC_PROBE,
    )?;
    traffic.batch = sys::Batch::new(1, size - headers);
    let meter = Meter::start()?;
    let arrived = match traffic.exchange(1) {
        Ok(arrived) => arrived,
        Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => 0,
        Err(error) => return Err(error),
    };
    Ok(arrived == 1 && meter.stop(1)?.frames() == 1)
}
