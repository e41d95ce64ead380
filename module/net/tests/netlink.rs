// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::netlink`.

use super::bindings::{self, OVNET_A_MAPPING_ADDRESS, OVNET_A_MAPPING_GEN, OVNET_A_MAPPING_VNI};
use crate::net::netlink::{Message, Request};
use core::{net::Ipv4Addr, ptr};
use kernel::prelude::*;
use ovnet_engine::Mac;

/// A buffer with a message that has begun.
struct Buffer {
    skb: *mut bindings::sk_buff,
    header: *mut c_void,
}

impl Buffer {
    fn new(room: u32) -> Result<Self> {
        let mut header = ptr::null_mut();
        // SAFETY: The pointer is one to write to.
        let skb = unsafe { bindings::ovnet_test_message(room, &mut header) };
        if skb.is_null() {
            return Err(ENOMEM);
        }
        Ok(Buffer { skb, header })
    }

    fn message(&mut self) -> Option<Message<'_>> {
        Message::begin(self.skb, self.header)
    }

    fn len(&self) -> u32 {
        // SAFETY: The buffer is valid.
        unsafe { (*self.skb).len }
    }

    /// The attribute in the message that has ended.
    fn attr(&self, attr: u32) -> *mut bindings::nlattr {
        // SAFETY: The buffer holds one message.
        unsafe { bindings::ovnet_test_attr(self.skb, attr as i32) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: The buffer is owned.
        unsafe { bindings::ovnet_nlmsg_free(self.skb) };
    }
}

/// Reads attributes of a message as a request's; `ask` gets the request.
fn asked<R>(buffer: &Buffer, attrs: &[u32], ask: impl FnOnce(&Request<'_>) -> R) -> R {
    let mut table: [*mut bindings::nlattr; 16] = [ptr::null_mut(); 16];
    for &attr in attrs {
        if let Some(place) = table.get_mut(attr as usize) {
            *place = buffer.attr(attr);
        }
    }
    let mut info = bindings::genl_info {
        attrs: table.as_mut_ptr(),
        ..pin_init::zeroed()
    };
    // SAFETY: The info lives as long as the request.
    ask(&unsafe { Request::from_raw(&mut info) })
}

const NUMBER: u32 = OVNET_A_MAPPING_VNI;
const LONG: u32 = OVNET_A_MAPPING_GEN;
const NODE: u32 = OVNET_A_MAPPING_ADDRESS;

#[kunit_tests(ovnet_netlink)]
mod suite {
    use super::*;

    #[test]
    fn what_is_put_is_what_is_read() -> Result {
        let node = Ipv4Addr::new(10, 1, 2, 3);
        let mut buffer = Buffer::new(256)?;
        let mut message = buffer.message().ok_or(EMSGSIZE)?;
        message.put_u32(NUMBER, 0x1234_5678)?;
        message.put_u64(LONG, u64::MAX - 1)?;
        message.put_ipv4(NODE, node)?;
        message.end();
        let read = asked(&buffer, &[NUMBER, LONG, NODE], |request| {
            (request.u32(NUMBER), request.u64(LONG), request.ipv4(NODE))
        });
        assert_eq!(read, (Some(0x1234_5678), Some(u64::MAX - 1), Some(node)));
        Ok(())
    }

    #[test]
    fn an_attribute_that_is_absent_or_of_another_length_is_none() -> Result {
        let mut buffer = Buffer::new(256)?;
        let mut message = buffer.message().ok_or(EMSGSIZE)?;
        message.put(NUMBER, &[1, 2, 3])?;
        message.put(NODE, &[])?;
        message.put_mac(LONG, Mac([2, 0, 0, 0, 0, 1]))?;
        message.end();
        let read = asked(&buffer, &[NUMBER, LONG, NODE], |request| {
            (request.u32(NUMBER), request.u64(LONG), request.ipv4(NODE))
        });
        assert_eq!(read, (None, None, None));
        let mac = asked(&buffer, &[LONG], |request| {
            request.mac(LONG).map(|mac| mac.octets())
        });
        assert_eq!(mac, Some([2, 0, 0, 0, 0, 1]));
        let absent = asked(&buffer, &[], |request| request.u32(NUMBER));
        assert_eq!(absent, None);
        Ok(())
    }

    #[test]
    fn a_message_that_does_not_fit_says_so() -> Result {
        let mut buffer = Buffer::new(64)?;
        let mut message = buffer.message().ok_or(EMSGSIZE)?;
        let refused = (0..10_000).find_map(|_| message.put_u64(LONG, 1).err());
        assert_eq!(refused, Some(EMSGSIZE));
        Ok(())
    }

    #[test]
    fn a_message_that_is_dropped_is_taken_back() -> Result {
        let mut buffer = Buffer::new(256)?;
        let begun = buffer.len();
        assert!(begun > 0);
        let mut message = buffer.message().ok_or(EMSGSIZE)?;
        message.put_u32(NUMBER, 1)?;
        drop(message);
        assert_eq!(buffer.len(), 0);
        Ok(())
    }

    #[test]
    fn there_is_no_message_without_a_header() {
        assert!(Message::begin(ptr::null_mut(), ptr::null_mut()).is_none());
    }
}
