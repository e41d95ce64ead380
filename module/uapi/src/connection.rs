// SPDX-License-Identifier: GPL-2.0

//! One netlink socket: requests with one answer, dumps with many, and multicast.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, RawFd};

use neli::consts::genl::Cmd;
use neli::consts::nl::{NlmF, Nlmsg};
use neli::consts::socket::{Msg, NlFamily};
use neli::socket::NlSocket;
use neli::utils::Groups;

use crate::attrs::{AttrSet, Reader, Writer};
use crate::family::GENL_HEADER;
use crate::message::{encode, Message, Words};
use crate::Error;

/// What the kernel fills at most with one part of a dump.
const BUFFER: usize = 32 * 1024;

/// A socket and what it has received but not yet given out.
pub(crate) struct Connection {
    socket: NlSocket,
    buffer: Vec<u8>,
    /// The received bytes not yet read.
    unread: std::ops::Range<usize>,
    seq: u32,
    /// The kernel runs one dump per socket; one that was given up must end before the next.
    open_dump: Option<u32>,
}

impl Connection {
    /// Open a socket in the calling thread's network namespace.
    pub(crate) fn open(protocol: NlFamily) -> Result<Connection, Error> {
        let socket = NlSocket::connect(protocol, None, Groups::empty())
            .map_err(|error| Error::Io("cannot open a netlink socket", error))?;
        let option = |error| Error::Io("cannot set up the netlink socket", error);
        socket.enable_ext_ack(true).map_err(option)?;
        socket.enable_strict_checking(true).map_err(option)?;
        Ok(Connection {
            socket,
            buffer: vec![0; BUFFER],
            unread: 0..0,
            seq: 0,
            open_dump: None,
        })
    }

    /// Receive what the kernel sends to a multicast group.
    pub(crate) fn subscribe(&self, group: u32) -> Result<(), Error> {
        self.socket
            .add_mcast_membership(Groups::new_groups(&[group]))
            .map_err(|error| Error::Io("cannot listen to the events", error))
    }

    /// Send a request and return its answer, if it has one besides the acknowledgement.
    pub(crate) fn transact(
        &mut self,
        kind: u16,
        payload: &[u8],
        words: Words,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (seq, request) = self.send(kind, NlmF::REQUEST | NlmF::ACK, payload)?;
        let mut answer = None;
        loop {
            let message = self.read()?;
            if message.seq != seq {
                continue;
            }
            match message.verdict(&request, words) {
                Some(verdict) => return verdict.map(|()| answer),
                None => answer = Some(message.payload.to_vec()),
            }
        }
    }

    /// Send a dump request; the answers are the iterator's.
    pub(crate) fn dump<T>(
        &mut self,
        kind: u16,
        payload: &[u8],
        words: Words,
    ) -> Result<Dump<'_, T>, Error> {
        let (seq, request) = self.send(kind, NlmF::REQUEST | NlmF::DUMP, payload)?;
        self.open_dump = Some(seq);
        Ok(Dump {
            connection: self,
            seq,
            request,
            words,
            interrupted: false,
            record: PhantomData,
        })
    }

    /// The next message of whatever kind; blocks until there is one.
    pub(crate) fn read(&mut self) -> Result<Message<'_>, Error> {
        while self.unread.is_empty() {
            self.receive()?;
        }
        let (message, length) = match Message::first(&self.buffer[self.unread.clone()]) {
            Ok(first) => first,
            Err(error) => {
                self.unread = 0..0;
                return Err(error);
            }
        };
        self.unread.start += length;
        Ok(message)
    }

    fn receive(&mut self) -> Result<(), Error> {
        match self.socket.recv(&mut self.buffer[..], Msg::TRUNC) {
            Ok((length, _)) if length > self.buffer.len() => Err(Error::Malformed(format!(
                "a message of {length} bytes, more than the agreed {BUFFER}"
            ))),
            Ok((length, _)) => {
                self.unread = 0..length;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32) => {
                Err(Error::Overrun)
            }
            Err(error) => Err(Error::Io("cannot read from the kernel", error)),
        }
    }

    fn send(&mut self, kind: u16, flags: NlmF, payload: &[u8]) -> Result<(u32, Vec<u8>), Error> {
        self.finish_dump()?;
        // Sequence 0 is that of multicast messages.
        self.seq = self.seq.wrapping_add(1).max(1);
        let request = encode(kind, flags, self.seq, payload)?;
        self.socket
            .send(&request, Msg::empty())
            .map_err(|error| Error::Io("cannot send to the kernel", error))?;
        Ok((self.seq, request))
    }

    /// Read a dump that was given up to its end.
    fn finish_dump(&mut self) -> Result<(), Error> {
        while let Some(seq) = self.open_dump {
            let message = self.read()?;
            if message.seq == seq && message.verdict(&[], |_| None).is_some() {
                self.open_dump = None;
            }
        }
        Ok(())
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// A generic netlink message: its own header and the attributes.
pub(crate) fn genl<T: AttrSet>(command: impl Cmd, version: u8, attrs: &Writer<T>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(GENL_HEADER + attrs.as_bytes().len());
    bytes.extend_from_slice(&[command.into(), version, 0, 0]);
    bytes.extend_from_slice(attrs.as_bytes());
    bytes
}

/// One object of the family, read from the attributes of its set.
pub(crate) trait Record: Sized {
    /// The set.
    type Attr: AttrSet;

    /// Read the object.
    fn from_attrs(attrs: &Reader<Self::Attr>) -> Result<Self, Error>;

    /// Read the object from what follows the netlink header.
    fn parse(payload: &[u8]) -> Result<Self, Error> {
        let attrs = payload
            .get(GENL_HEADER..)
            .ok_or_else(|| Error::Malformed("a message without a generic netlink header".into()))?;
        Self::from_attrs(&Reader::parse(attrs)?)
    }
}

/// The objects of one table, read as the kernel sends them.
///
/// If the table changed meanwhile, the last item is [`Error::DumpInterrupted`].
pub struct Dump<'c, T> {
    connection: &'c mut Connection,
    seq: u32,
    request: Vec<u8>,
    words: Words,
    interrupted: bool,
    record: PhantomData<T>,
}

/// The next object of a dump; `None` at the end.
fn step<T: Record>(dump: &mut Dump<'_, T>) -> Result<Option<T>, Error> {
    while dump.connection.open_dump == Some(dump.seq) {
        let message = dump.connection.read()?;
        if message.seq != dump.seq || message.kind == u16::from(Nlmsg::Noop) {
            continue;
        }
        dump.interrupted |= message.flags.contains(NlmF::DUMP_INTR);
        match message.verdict(&dump.request, dump.words) {
            None => return T::parse(message.payload).map(Some),
            Some(verdict) => {
                dump.connection.open_dump = None;
                verdict?;
                if dump.interrupted {
                    return Err(Error::DumpInterrupted);
                }
            }
        }
    }
    Ok(None)
}

impl<T: Record> Iterator for Dump<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        step(self).transpose()
    }
}

#[cfg(test)]
mod tests {
    //! Against the generic netlink controller, which every Linux has.

    use neli::consts::genl::{CtrlAttr, CtrlCmd};
    use neli::consts::nl::GenlId;

    use super::*;
    use crate::attrs::require;

    /// A family of the running kernel.
    #[derive(Debug)]
    struct Name(String);

    impl Record for Name {
        type Attr = CtrlAttr;

        fn from_attrs(attrs: &Reader<CtrlAttr>) -> Result<Name, Error> {
            let name = attrs.string(CtrlAttr::FamilyName);
            require(CtrlAttr::FamilyName, name).map(Name)
        }
    }

    const CTRL: u16 = 0x10;

    fn families(connection: &mut Connection) -> Dump<'_, Name> {
        assert_eq!(u16::from(GenlId::Ctrl), CTRL);
        let request = genl(CtrlCmd::Getfamily, 2, &Writer::<CtrlAttr>::new());
        connection.dump(CTRL, &request, |_| None).unwrap()
    }

    fn family(connection: &mut Connection, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut attrs = Writer::new();
        attrs.put(CtrlAttr::FamilyName, format!("{name}\0"))?;
        let request = genl(CtrlCmd::Getfamily, 2, &attrs);
        connection.transact(CTRL, &request, |_| None)
    }

    #[test]
    fn a_dump_gives_every_object_once_and_ends() {
        let mut connection = Connection::open(NlFamily::Generic).unwrap();
        let names: Vec<String> = families(&mut connection).map(|n| n.unwrap().0).collect();
        assert_eq!(names.iter().filter(|name| *name == "nlctrl").count(), 1);
        let mut dump = families(&mut connection);
        while dump.next().is_some() {}
        assert!(dump.next().is_none());
    }

    #[test]
    fn a_dump_given_up_does_not_disturb_what_follows() {
        let mut connection = Connection::open(NlFamily::Generic).unwrap();
        assert!(families(&mut connection).next().is_some());
        let answer = family(&mut connection, "nlctrl").unwrap().unwrap();
        assert_eq!(Name::parse(&answer).unwrap().0, "nlctrl");
        assert!(families(&mut connection).next().is_some());
        assert!(families(&mut connection).next().is_some());
    }

    #[test]
    fn a_refusal_leaves_the_connection_usable() {
        let mut connection = Connection::open(NlFamily::Generic).unwrap();
        let error = family(&mut connection, "no-such-family").unwrap_err();
        assert_eq!(error.kind(), Some(crate::Kind::NotFound));
        assert!(family(&mut connection, "nlctrl").unwrap().is_some());
    }
}
