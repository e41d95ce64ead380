// SPDX-License-Identifier: GPL-2.0

//! Requests to the family, written before and sent as they are: only the kernel's part is inside of what is
//! measured.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use ovnet_uapi::generated::{
    Command, MappingAttr, MappingBatchAttr, FAMILY_NAME, FAMILY_VERSION, GROUP_EVENTS,
};

use crate::sys;

// linux/netlink.h
const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NESTED: u16 = 1 << 15;
const KIND: u16 = !(3 << 14);
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
// linux/genetlink.h
const GENL_HEADER: usize = 4;
const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME_ATTR: u16 = 2;
const GROUPS: u16 = 7;
const GROUP_NAME: u16 = 1;
const GROUP_ID: u16 = 2;

/// What a mapping is set to.
pub struct Mapping {
    /// Its network's id.
    pub vni: u32,
    /// The node's address.
    pub address: Ipv4Addr,
    /// The remote host's locator.
    pub locator: [u8; 16],
    /// The generation.
    pub gen: u64,
}

/// A socket, and what the family is called by number.
pub struct Socket {
    socket: UnixDatagram,
    buffer: Vec<u8>,
    family: u16,
    group: u32,
}

impl Socket {
    /// A socket in the thread's namespace.
    pub fn open() -> io::Result<Socket> {
        let mut socket = Socket {
            // Any socket that takes datagrams may be sent on and received from.
            socket: sys::generic_netlink()?.into(),
            buffer: vec![0; 64 << 10],
            family: 0,
            group: 0,
        };
        let mut name = FAMILY_NAME.as_bytes().to_vec();
        name.push(0);
        let mut attrs = Vec::new();
        put(&mut attrs, FAMILY_NAME_ATTR, &name);
        socket
            .socket
            .send(&message(CONTROL, REQUEST, GET_FAMILY, 1, &attrs))?;
        let length = socket.receive()?;
        let reply = Attrs(payload(&socket.buffer[..length])?);
        let family = reply.find(FAMILY_ID).and_then(number);
        let group = Attrs(reply.find(GROUPS).unwrap_or_default())
            .map(|(_, group)| Attrs(group))
            .find(|group| group.find(GROUP_NAME).is_some_and(is_events))
            .and_then(|group| number(group.find(GROUP_ID)?));
        (socket.family, socket.group) = family
            .zip(group)
            .map(|(family, group)| (family as u16, group))
            .ok_or_else(|| io::Error::other("the kernel does not know the family"))?;
        Ok(socket)
    }

    /// Hears events from now on, with room for those of one batch.
    pub fn listen(&self) -> io::Result<()> {
        let room = 32 << 20;
        sys::set_option(
            self.socket.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            room,
        )?;
        sys::set_option(
            self.socket.as_fd(),
            libc::SOL_NETLINK,
            libc::NETLINK_ADD_MEMBERSHIP,
            self.group as i32,
        )?;
        self.socket.set_nonblocking(true)
    }

    /// Takes in what was heard; says how many events that is.
    pub fn hear(&mut self) -> io::Result<usize> {
        let mut count = 0;
        loop {
            match self.receive() {
                Ok(_) => count += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count),
                Err(error) => return Err(error),
            }
        }
    }

    /// The request that sets mappings.
    pub fn batch(&self, mappings: impl Iterator<Item = Mapping>) -> Vec<u8> {
        let mut attrs = Vec::new();
        for mapping in mappings {
            let mut nest = Vec::new();
            let mut add = |attr, bytes: &[u8]| put(&mut nest, u16::from(attr), bytes);
            add(MappingAttr::Vni, &mapping.vni.to_ne_bytes());
            add(MappingAttr::Address, &mapping.address.octets());
            add(MappingAttr::Locator, &mapping.locator);
            add(MappingAttr::Gen, &mapping.gen.to_ne_bytes());
            put(
                &mut attrs,
                u16::from(MappingBatchAttr::Mapping) | NESTED,
                &nest,
            );
        }
        let command = Command::MappingBatch;
        message(self.family, REQUEST, command.into(), FAMILY_VERSION, &attrs)
    }

    /// The request for all mappings.
    pub fn dump(&self) -> Vec<u8> {
        let command = Command::MappingGet;
        message(
            self.family,
            REQUEST | DUMP,
            command.into(),
            FAMILY_VERSION,
            &[],
        )
    }

    /// Sends a request and takes its one answer, which may be looked at later.
    pub fn transact(&mut self, request: &[u8]) -> io::Result<usize> {
        self.socket.send(request)?;
        self.receive()
    }

    /// Sends the request for a dump and takes all of it; says how many bytes it has.
    pub fn transact_dump(&mut self, request: &[u8]) -> io::Result<usize> {
        self.socket.send(request)?;
        let mut sum = 0;
        loop {
            let length = self.receive()?;
            if kind(&self.buffer) == ERROR {
                return Err(refused(&self.buffer));
            }
            sum += length;
            if ends_dump(&self.buffer[..length]) {
                return Ok(sum);
            }
        }
    }

    /// How many mappings of a batch were installed, and how many were so before, by its answer.
    pub fn result(&self, length: usize) -> io::Result<(u32, u32)> {
        let reply = Attrs(payload(&self.buffer[..length])?);
        let count = |attr| reply.find(u16::from(attr)).and_then(number);
        count(MappingBatchAttr::Installed)
            .zip(count(MappingBatchAttr::Unchanged))
            .ok_or_else(|| io::Error::other("a batch without a result"))
    }

    fn receive(&mut self) -> io::Result<usize> {
        self.socket.recv(&mut self.buffer)
    }
}

fn is_events(name: &[u8]) -> bool {
    name.strip_suffix(&[0]) == Some(GROUP_EVENTS.as_bytes())
}

fn message(kind: u16, flags: u16, command: u8, version: u8, attrs: &[u8]) -> Vec<u8> {
    let length = (HEADER + GENL_HEADER + attrs.len()) as u32;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence number and port: one request at a time, and the kernel knows the port.
    bytes.extend([0; 8]);
    bytes.extend([command, version, 0, 0]);
    bytes.extend(attrs);
    bytes
}

fn put(attrs: &mut Vec<u8>, kind: u16, bytes: &[u8]) {
    attrs.extend((4 + bytes.len() as u16).to_ne_bytes());
    attrs.extend(kind.to_ne_bytes());
    attrs.extend(bytes);
    attrs.resize(attrs.len().next_multiple_of(4), 0);
}

fn kind(message: &[u8]) -> u16 {
    u16::from_ne_bytes([message[4], message[5]])
}

/// Whether the last message of a part ends the dump: a header and an error of 0.
fn ends_dump(part: &[u8]) -> bool {
    part.last_chunk::<{ HEADER + 4 }>()
        .is_some_and(|last| last[..4] == [20, 0, 0, 0] && kind(last) == DONE)
}

fn refused(message: &[u8]) -> io::Error {
    let errno = message[HEADER..]
        .first_chunk()
        .map(|b| i32::from_ne_bytes(*b));
    io::Error::from_raw_os_error(errno.unwrap_or_default().wrapping_neg())
}

/// The attributes of an answer.
fn payload(message: &[u8]) -> io::Result<&[u8]> {
    match message.get(HEADER + GENL_HEADER..) {
        Some(_) if kind(message) == ERROR => Err(refused(message)),
        Some(attrs) => Ok(attrs),
        None => Err(io::Error::other("an answer without a header")),
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    match *bytes {
        [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d])),
        _ => None,
    }
}

/// Attributes one after the other.
#[derive(Clone, Copy)]
struct Attrs<'a>(&'a [u8]);

impl<'a> Attrs<'a> {
    fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        Iterator::find(&mut self, |(known, _)| *known == kind).map(|(_, bytes)| bytes)
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[a, b, c, d], _) = self.0.split_first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let bytes = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & KIND, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found() {
        let mut attrs = Vec::new();
        put(&mut attrs, 1, b"odd");
        put(&mut attrs, 2 | NESTED, &7_u32.to_ne_bytes());
        assert_eq!(attrs.len(), 16);
        assert_eq!(Attrs(&attrs).find(1), Some(&b"odd"[..]));
        assert_eq!(Attrs(&attrs).find(2).and_then(number), Some(7));
        assert_eq!(Attrs(&attrs).find(3), None);
        assert_eq!(Attrs(&attrs[..11]).find(2), None);
    }

    #[test]
    fn a_refusal_is_an_error() {
        let mut bytes = message(ERROR, 0, 0, 0, &[]);
        bytes[HEADER..].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        let error = payload(&bytes).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }
}
