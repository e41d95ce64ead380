// SPDX-License-Identifier: GPL-2.0

//! Ids of network namespaces, as the kernel names them in the attributes `netns-id`.
//!
//! An id belongs to the namespace it is seen from; rtnetlink tells it for a file descriptor.

use std::os::fd::{AsRawFd, BorrowedFd};

use neli::consts::socket::NlFamily;

use crate::attrs::Reader;
use crate::connection::Connection;
use crate::Error;

/// RTM_GETNSID of linux/rtnetlink.h.
const RTM_GETNSID: u16 = 90;
/// NETNSA_NSID and NETNSA_FD of linux/net_namespace.h.
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// struct rtgenmsg with its padding; the family is AF_UNSPEC.
const RTGENMSG: [u8; 4] = [0; 4];
/// NETNSA_NSID_NOT_ASSIGNED.
const NOT_ASSIGNED: i32 = -1;

/// Asks for ids as seen from the namespace it was opened in.
pub struct NetnsIds(Connection);

impl NetnsIds {
    /// Open a socket in the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the socket cannot be opened.
    pub fn open() -> Result<NetnsIds, Error> {
        Connection::open(NlFamily::Route).map(NetnsIds)
    }

    /// The id of the namespace with this file descriptor; `None` if it has none yet.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the descriptor is not that of a network namespace.
    pub fn id(&mut self, netns: BorrowedFd<'_>) -> Result<Option<i32>, Error> {
        let answer = self
            .0
            .transact(RTM_GETNSID, &request(netns), |_| None)?
            .ok_or_else(|| Error::Malformed("no namespace in the answer".into()))?;
        parse(&answer)
    }
}

fn request(netns: BorrowedFd<'_>) -> Vec<u8> {
    let mut bytes = RTGENMSG.to_vec();
    bytes.extend(8u16.to_ne_bytes());
    bytes.extend(NETNSA_FD.to_ne_bytes());
    bytes.extend(netns.as_raw_fd().to_ne_bytes());
    bytes
}

fn parse(answer: &[u8]) -> Result<Option<i32>, Error> {
    let attrs = answer.get(RTGENMSG.len()..).unwrap_or_default();
    let id = Reader::<u16>::parse(attrs)?.i32(NETNSA_NSID)?;
    Ok(id.filter(|id| *id != NOT_ASSIGNED))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn an_unassigned_id_is_none() {
        let answer = |id: i32| [&[0, 0, 0, 0, 8, 0, 1, 0][..], &id.to_ne_bytes()].concat();
        assert_eq!(parse(&answer(3)).unwrap(), Some(3));
        assert_eq!(parse(&answer(-1)).unwrap(), None);
    }

    /// An open file that is no namespace: the kernel says so, in its own words.
    #[test]
    fn a_file_that_is_no_namespace_is_refused_with_the_kernels_text() {
        let mut ids = NetnsIds::open().unwrap();
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        let Err(Error::Refused(refusal)) = ids.id(file.as_fd()) else {
            panic!("not refused");
        };
        assert_eq!(refusal.errno, nix::errno::Errno::EINVAL);
        assert!(refusal.message.is_some());
    }

    #[test]
    fn the_kernel_answers_for_a_namespace() {
        let netns = std::fs::File::open("/proc/self/ns/net").unwrap();
        let id = NetnsIds::open().unwrap().id(netns.as_fd()).unwrap();
        assert!(id.is_none_or(|id| id >= 0));
    }
}
