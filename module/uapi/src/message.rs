// SPDX-License-Identifier: GPL-2.0

//! The frame around every netlink message, and the kernel's verdicts in it.
//!
//! Verdicts are read here rather than by neli, which expects an error to repeat the whole
//! request and an acknowledgement to carry no attributes; the kernel does neither dependably
//! (`netlink_ack` in net/netlink/af_netlink.c).

use neli::consts::nl::{NlmF, Nlmsg};
use nix::errno::Errno;

use crate::attrs::Reader;
use crate::{Error, Refusal};

/// struct nlmsghdr.
const HEADER: usize = 16;
/// struct nlattr, and what follows is aligned alike.
pub(crate) const ATTR_HEADER: usize = 4;
/// The number in an attribute's type; the two bits above it are flags.
const ATTR_TYPE_MASK: u16 = 0x3fff;

/// NLMSGERR_ATTR_* of linux/netlink.h, of which neli knows the first four.
const EXTACK_MSG: u16 = 1;
const EXTACK_OFFS: u16 = 2;
const EXTACK_MISS_TYPE: u16 = 5;
const EXTACK_MISS_NEST: u16 = 6;

/// Turns an attribute number of the request's set into its word.
pub(crate) type Words = fn(u16) -> Option<&'static str>;

/// Encode one message with its header.
pub(crate) fn encode(kind: u16, flags: NlmF, seq: u32, payload: &[u8]) -> Result<Vec<u8>, Error> {
    let length = HEADER + payload.len();
    let Ok(announced) = u32::try_from(length) else {
        return Err(Error::Encode(format!("a message of {length} bytes")));
    };
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&announced.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.bits().to_ne_bytes());
    bytes.extend_from_slice(&seq.to_ne_bytes());
    // The port is the kernel's to fill in.
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

/// One message of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: NlmF,
    pub(crate) seq: u32,
    pub(crate) payload: &'a [u8],
}

/// The bytes as far as netlink aligns them.
pub(crate) const fn align(length: usize) -> usize {
    (length + 3) & !3
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*field))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*field))
}

impl<'a> Message<'a> {
    /// The first message of the bytes, and how many bytes it takes.
    pub(crate) fn first(bytes: &'a [u8]) -> Result<(Message<'a>, usize), Error> {
        let short = || Error::Malformed(format!("a message cut off after {} bytes", bytes.len()));
        let length = u32_at(bytes, 0).ok_or_else(short)? as usize;
        let message = Message {
            kind: u16_at(bytes, 4).ok_or_else(short)?,
            flags: NlmF::from_bits_retain(u16_at(bytes, 6).ok_or_else(short)?),
            seq: u32_at(bytes, 8).ok_or_else(short)?,
            payload: bytes.get(HEADER..length).ok_or_else(short)?,
        };
        Ok((message, align(length).min(bytes.len())))
    }

    /// What the kernel says of the request, if this message says it: `Ok` for done.
    ///
    /// `request` is what was sent; it names the attributes the kernel complains about.
    pub(crate) fn verdict(&self, request: &[u8], words: Words) -> Option<Result<(), Error>> {
        let is_error = self.kind == u16::from(Nlmsg::Error);
        if !is_error && self.kind != u16::from(Nlmsg::Done) {
            return None;
        }
        // The end of a dump may come without an error number.
        let code = u32_at(self.payload, 0).unwrap_or(0).cast_signed();
        if code == 0 {
            return Some(Ok(()));
        }
        // An error repeats the request's header, and the rest of it unless capped.
        let repeated = if !is_error {
            0
        } else if self.flags.contains(NlmF::CAPPED) {
            HEADER
        } else {
            align(u32_at(self.payload, 4).unwrap_or(0) as usize)
        };
        let tlvs = match self.payload.get(4 + repeated..) {
            Some(tlvs) if self.flags.contains(NlmF::ACK_TLVS) => tlvs,
            _ => &[],
        };
        Some(refusal(code, tlvs, request, words).and_then(|refusal| Err(Error::Refused(refusal))))
    }
}

/// Read the extended acknowledgement.
fn refusal(code: i32, tlvs: &[u8], request: &[u8], words: Words) -> Result<Refusal, Error> {
    let extack = Reader::<u16>::parse(tlvs)?;
    // Offsets count from the request's header on. One into a nest has a number of another set.
    let attribute = extack
        .u32(EXTACK_OFFS)?
        .map(|offset| offset as usize)
        .filter(|offset| is_top_level(request, *offset))
        .and_then(|offset| u16_at(request, offset + 2))
        .and_then(|kind| words(kind & ATTR_TYPE_MASK));
    let missing = match extack.flag(EXTACK_MISS_NEST) {
        true => None,
        false => extack
            .u32(EXTACK_MISS_TYPE)?
            .and_then(|kind| words(u16::try_from(kind).ok()?)),
    };
    Ok(Refusal {
        errno: Errno::from_raw(code.wrapping_neg()),
        message: extack.string(EXTACK_MSG),
        attribute,
        missing,
    })
}

/// Whether an attribute of the request itself, not of a nest in it, begins at the offset.
fn is_top_level(request: &[u8], wanted: usize) -> bool {
    let mut offset = HEADER + crate::family::GENL_HEADER;
    while offset < wanted {
        match u16_at(request, offset) {
            Some(length) if usize::from(length) >= ATTR_HEADER => {
                offset += align(usize::from(length));
            }
            _ => return false,
        }
    }
    offset == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::NetworkAttr;

    fn words(kind: u16) -> Option<&'static str> {
        NetworkAttr::from(kind).name()
    }

    /// A network-set with VNI 7 and TTL 0, as sent.
    #[rustfmt::skip]
    const REQUEST: [u8; 36] = [
        36, 0, 0, 0, 0x1c, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0,
        4, 1, 0, 0,
        8, 0, 1, 0, 7, 0, 0, 0,
        5, 0, 2, 0, 0, 0, 0, 0,
    ];

    /// NLMSG_ERROR with that errno, flags, repeated request and TLVs.
    fn error(errno: i32, flags: u16, repeated: &[u8], tlvs: &[u8]) -> Vec<u8> {
        let length = HEADER + 4 + repeated.len() + tlvs.len();
        let mut bytes = Vec::new();
        bytes.extend((length as u32).to_ne_bytes());
        bytes.extend(2u16.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(9u32.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend((-errno).to_ne_bytes());
        bytes.extend(repeated);
        bytes.extend(tlvs);
        bytes
    }

    fn verdict(bytes: &[u8]) -> Option<Result<(), Error>> {
        let (message, taken) = Message::first(bytes).unwrap();
        assert_eq!(taken, bytes.len());
        message.verdict(&REQUEST, words)
    }

    #[test]
    fn a_message_is_encoded_byte_for_byte() {
        let bytes = encode(0x1c, NlmF::REQUEST | NlmF::ACK, 9, &REQUEST[HEADER..]);
        assert_eq!(bytes.unwrap(), REQUEST);
    }

    #[test]
    fn an_acknowledgement_is_no_error_even_with_a_warning() {
        // NLM_F_CAPPED, then also NLM_F_ACK_TLVS with a text "hm".
        let plain = error(0, 0x100, &REQUEST[..16], &[]);
        assert!(matches!(verdict(&plain), Some(Ok(()))));
        let warning = error(0, 0x300, &REQUEST[..16], &[7, 0, 1, 0, b'h', b'm', 0, 0]);
        assert!(matches!(verdict(&warning), Some(Ok(()))));
    }

    #[test]
    fn an_error_keeps_text_and_attribute_of_a_whole_repeated_request() {
        let tlvs = [
            &[8, 0, 1, 0, b'b', b'a', b'd', 0][..],
            &[8, 0, 2, 0, 28, 0, 0, 0],
        ]
        .concat();
        let bytes = error(22, 0x200, &REQUEST, &tlvs);
        let Some(Err(Error::Refused(refusal))) = verdict(&bytes) else {
            panic!("not a refusal");
        };
        assert_eq!(refusal.errno, Errno::EINVAL);
        assert_eq!(refusal.message.as_deref(), Some("bad"));
        assert_eq!(refusal.attribute, Some("ttl"));
        assert_eq!(refusal.missing, None);
    }

    #[test]
    fn an_error_names_the_missing_attribute_of_a_capped_request() {
        let bytes = error(22, 0x300, &REQUEST[..16], &[8, 0, 5, 0, 1, 0, 0, 0]);
        let Some(Err(Error::Refused(refusal))) = verdict(&bytes) else {
            panic!("not a refusal");
        };
        assert_eq!(refusal.missing, Some("vni"));
        assert_eq!(refusal.message, None);
    }

    #[test]
    fn an_error_without_attributes_has_only_its_errno() {
        let bytes = error(1, 0, &REQUEST, &[]);
        let Some(Err(Error::Refused(refusal))) = verdict(&bytes) else {
            panic!("not a refusal");
        };
        assert_eq!(refusal.to_string(), "Operation not permitted (EPERM)");
    }

    #[test]
    fn an_offset_into_the_middle_of_an_attribute_names_none() {
        let bytes = error(22, 0x300, &REQUEST[..16], &[8, 0, 2, 0, 24, 0, 0, 0]);
        let Some(Err(Error::Refused(refusal))) = verdict(&bytes) else {
            panic!("not a refusal");
        };
        assert_eq!(refusal.attribute, None);
    }

    #[test]
    fn a_dump_ends_with_or_without_an_error() {
        #[rustfmt::skip]
        let mut done = [
            20, 0, 0, 0, 3, 0, 2, 0, 9, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0,
        ];
        assert!(matches!(verdict(&done), Some(Ok(()))));
        done[16..].copy_from_slice(&(-2i32).to_ne_bytes());
        assert!(matches!(
            verdict(&done),
            Some(Err(Error::Refused(Refusal {
                errno: Errno::ENOENT,
                ..
            })))
        ));
    }

    #[test]
    fn a_cut_message_is_an_error() {
        for length in 0..REQUEST.len() {
            assert!(Message::first(&REQUEST[..length]).is_err(), "{length}");
        }
    }
}
