// SPDX-License-Identifier: GPL-2.0

//! What agents tell each other: that a mapping is old. It is a hint to ask, and no more: anyone can send one.
//!
//! A hint is one datagram to the address `LOCATOR::1` of the host that sent a packet to where its node is
//! not: the host's own address in its locator (network 0), if it has that. Twelve bytes: `ovh1`, the network
//! (4 bytes), the virtual address; big-endian.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ovnet_engine::{Locator, Vni};
use tokio::net::UdpSocket;

use crate::core::Key;

const MAGIC: [u8; 4] = *b"ovh1";
const LENGTH: usize = 12;

/// Where hints come from and go to.
pub(super) struct Hints(Option<UdpSocket>);

impl Hints {
    /// Listens; without an address there are no hints.
    pub(super) async fn listen(address: Option<SocketAddr>) -> io::Result<Hints> {
        match address {
            Some(address) => Ok(Hints(Some(UdpSocket::bind(address).await?))),
            None => Ok(Hints(None)),
        }
    }

    /// The key of the next hint. Can be given up at any time.
    pub(super) async fn next(&self) -> Key {
        let Some(socket) = &self.0 else {
            return std::future::pending().await;
        };
        let mut datagram = [0; LENGTH + 1];
        loop {
            match socket.recv(&mut datagram).await {
                Ok(length) => {
                    if let Some(key) = datagram.get(..length).and_then(read) {
                        return key;
                    }
                }
                // Errors of what was sent before are told here.
                Err(error) => tracing::debug!(%error, "no hint"),
            }
        }
    }

    /// Tells a host; whether that arrives is not known.
    pub(super) fn send(&self, to: Locator, key: Key) {
        let Some(socket) = &self.0 else { return };
        let Ok(local) = socket.local_addr() else {
            return;
        };
        let address = Ipv6Addr::from_bits(u128::from(to.bits()) << 64 | 1);
        let to = SocketAddr::from((address, local.port()));
        if let Err(error) = socket.try_send_to(&write(key), to) {
            tracing::debug!(%to, %error, "a hint was not sent");
        }
    }
}

fn write(key: Key) -> [u8; LENGTH] {
    let mut datagram = [0; LENGTH];
    datagram[..4].copy_from_slice(&MAGIC);
    datagram[4..8].copy_from_slice(&key.vni.get().to_be_bytes());
    datagram[8..].copy_from_slice(&key.address.octets());
    datagram
}

fn read(datagram: &[u8]) -> Option<Key> {
    let datagram: [u8; LENGTH] = datagram.try_into().ok()?;
    let [a, b, c, d, v0, v1, v2, v3, address @ ..] = datagram;
    let vni = Vni::new(u32::from_be_bytes([v0, v1, v2, v3]))?;
    ([a, b, c, d] == MAGIC).then(|| Key::new(vni, Ipv4Addr::from(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_has_one_form() {
        let key = Key::new(Vni::new(0x0a_0b0c).unwrap(), Ipv4Addr::new(10, 0, 0, 3));
        let datagram = write(key);
        assert_eq!(datagram, *b"ovh1\x00\x0a\x0b\x0c\x0a\x00\x00\x03");
        assert_eq!(read(&datagram), Some(key));
        assert_eq!(read(&datagram[..11]), None);
        assert_eq!(read(b"ovh1\x00\x0a\x0b\x0c\x0a\x00\x00\x03\x00"), None);
        assert_eq!(read(b"ovh2\x00\x0a\x0b\x0c\x0a\x00\x00\x03"), None);
        assert_eq!(read(b"ovh1\x00\x00\x00\x00\x0a\x00\x00\x03"), None);
    }

    #[tokio::test]
    async fn a_hint_that_is_none_is_passed_over() {
        let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let hints = Hints::listen(Some(loopback)).await.unwrap();
        let to = hints.0.as_ref().unwrap().local_addr().unwrap();
        let sender = UdpSocket::bind(loopback).await.unwrap();
        let key = Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, 3));
        sender.send_to(b"hello", to).await.unwrap();
        sender.send_to(&write(key), to).await.unwrap();
        assert_eq!(hints.next().await, key);
    }
}
