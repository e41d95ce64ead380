// SPDX-License-Identifier: GPL-2.0

//! Netlink attributes of one set: written into a request, read from an answer.
//!
//! Numbers are in host byte order on the wire, addresses in network byte order, as the
//! specification says.

use std::io::Cursor;
use std::net::Ipv4Addr;

use neli::consts::genl::{CtrlAttr, CtrlAttrMcastGrp, NlAttrType};
use neli::genl::{AttrTypeBuilder, NlattrBuilder};
use neli::types::{Buffer, GenlBuffer};
use neli::FromBytesWithInput;

use crate::generated::{
    DropAttr, EventAttr, HostAttr, MappingAttr, NetworkAttr, PortAttr, StatsAttr,
};
use crate::Error;

/// The attribute numbers of one set, which know their words.
pub(crate) trait AttrSet: NlAttrType {
    /// The attribute's word in the specification.
    fn word(self) -> Option<&'static str>;

    /// The word of the attribute with this number.
    fn word_of(number: u16) -> Option<&'static str> {
        Self::from(number).word()
    }
}

macro_rules! attr_sets {
    ($($set:ty),*) => {
        $(impl AttrSet for $set {
            fn word(self) -> Option<&'static str> {
                self.name()
            }
        })*
    };
}

attr_sets!(
    HostAttr,
    NetworkAttr,
    PortAttr,
    MappingAttr,
    DropAttr,
    StatsAttr,
    EventAttr
);

/// Sets of the generic netlink controller and of numbers without words.
macro_rules! foreign_sets {
    ($($set:ty),*) => {
        $(impl AttrSet for $set {
            fn word(self) -> Option<&'static str> {
                None
            }
        })*
    };
}

foreign_sets!(CtrlAttr, CtrlAttrMcastGrp, u16);

/// The attributes of a request.
pub(crate) struct Writer<T>(GenlBuffer<T, Buffer>);

impl<T: AttrSet> Writer<T> {
    pub(crate) fn new() -> Self {
        Writer(GenlBuffer::new())
    }

    /// Append one attribute with these bytes.
    pub(crate) fn put(&mut self, attr: T, payload: impl AsRef<[u8]>) -> Result<(), Error> {
        let encode = |error: &dyn std::fmt::Display| Error::Encode(error.to_string());
        let kind = AttrTypeBuilder::default()
            .nla_type(attr)
            .build()
            .map_err(|e| encode(&e))?;
        let attribute = NlattrBuilder::default()
            .nla_type(kind)
            .nla_payload(Buffer::from(payload.as_ref()))
            .build()
            .map_err(|e| encode(&e))?;
        self.0.push(attribute);
        Ok(())
    }

    /// Append the attribute if there is a value for it.
    pub(crate) fn put_some(
        &mut self,
        attr: T,
        payload: Option<impl AsRef<[u8]>>,
    ) -> Result<(), Error> {
        match payload {
            Some(payload) => self.put(attr, payload),
            None => Ok(()),
        }
    }

    pub(crate) fn into_attrs(self) -> GenlBuffer<T, Buffer> {
        self.0
    }
}

/// The attributes of an answer.
pub(crate) struct Reader<T>(GenlBuffer<T, Buffer>);

impl<T: AttrSet> Reader<T> {
    /// Take the bytes apart into attributes; what follows the header of a message, or a nest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        GenlBuffer::from_bytes_with_input(&mut Cursor::new(bytes), bytes.len())
            .map(Reader)
            .map_err(|error| Error::Malformed(format!("attributes: {error}")))
    }

    /// Every attribute of the set in its order, as a number with its bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (T, &[u8])> {
        self.0.iter().map(|attribute| {
            (
                *attribute.nla_type().nla_type(),
                attribute.nla_payload().as_ref(),
            )
        })
    }

    /// The bytes of the first such attribute.
    pub(crate) fn bytes(&self, attr: T) -> Option<&[u8]> {
        self.iter()
            .find_map(|(kind, bytes)| (kind == attr).then_some(bytes))
    }

    pub(crate) fn flag(&self, attr: T) -> bool {
        self.bytes(attr).is_some()
    }

    pub(crate) fn array<const N: usize>(&self, attr: T) -> Result<Option<[u8; N]>, Error> {
        let Some(bytes) = self.bytes(attr) else {
            return Ok(None);
        };
        match bytes.try_into() {
            Ok(array) => Ok(Some(array)),
            Err(_) => Err(malformed(
                attr,
                &format!("has {} bytes instead of {N}", bytes.len()),
            )),
        }
    }

    pub(crate) fn u8(&self, attr: T) -> Result<Option<u8>, Error> {
        Ok(self.array(attr)?.map(u8::from_ne_bytes))
    }

    pub(crate) fn u16(&self, attr: T) -> Result<Option<u16>, Error> {
        Ok(self.array(attr)?.map(u16::from_ne_bytes))
    }

    pub(crate) fn u32(&self, attr: T) -> Result<Option<u32>, Error> {
        Ok(self.array(attr)?.map(u32::from_ne_bytes))
    }

    pub(crate) fn i32(&self, attr: T) -> Result<Option<i32>, Error> {
        Ok(self.array(attr)?.map(i32::from_ne_bytes))
    }

    pub(crate) fn u64(&self, attr: T) -> Result<Option<u64>, Error> {
        Ok(self.array(attr)?.map(u64::from_ne_bytes))
    }

    pub(crate) fn ipv4(&self, attr: T) -> Result<Option<Ipv4Addr>, Error> {
        Ok(self.array::<4>(attr)?.map(Ipv4Addr::from))
    }

    /// A string, which ends at its first NUL or with the attribute.
    pub(crate) fn string(&self, attr: T) -> Option<String> {
        let bytes = self.bytes(attr)?;
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// The value, or the complaint that the answer lacks the attribute.
pub(crate) fn require<T: AttrSet, V>(attr: T, value: Option<V>) -> Result<V, Error> {
    value.ok_or_else(|| malformed(attr, "is missing"))
}

/// The complaint about one attribute of an answer.
pub(crate) fn malformed<T: AttrSet>(attr: T, what: &str) -> Error {
    match attr.word() {
        Some(word) => Error::Malformed(format!("attribute {word} {what}")),
        None => Error::Malformed(format!("attribute {attr:?} {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_read_by_number_whatever_its_flags_and_neighbours() {
        #[rustfmt::skip]
        let bytes = [
            // A u8 with three bytes of padding, then NLA_F_NESTED set on number 8.
            5, 0, 2, 0, 64, 0, 0, 0,
            8, 0, 8, 0x80, 1, 2, 3, 4,
            // Unknown to this version of the set.
            4, 0, 99, 0,
        ];
        let reader = Reader::<NetworkAttr>::parse(&bytes).unwrap();
        assert_eq!(reader.u8(NetworkAttr::Ttl).unwrap(), Some(64));
        assert_eq!(reader.u32(NetworkAttr::Vni).unwrap(), None);
        assert_eq!(
            reader.bytes(NetworkAttr::UnrecognizedConst(8)),
            Some(&[1, 2, 3, 4][..])
        );
        assert!(reader.flag(NetworkAttr::UnrecognizedConst(99)));
    }

    #[test]
    fn a_wrong_length_names_the_attribute() {
        let reader = Reader::<NetworkAttr>::parse(&[6, 0, 1, 0, 7, 0, 0, 0]).unwrap();
        assert_eq!(
            reader.u32(NetworkAttr::Vni).unwrap_err().to_string(),
            "unexpected answer from the kernel: attribute vni has 2 bytes instead of 4"
        );
    }

    #[test]
    fn a_length_beyond_the_message_is_an_error() {
        assert!(Reader::<NetworkAttr>::parse(&[9, 0, 1, 0, 7, 0, 0, 0]).is_err());
        assert!(Reader::<NetworkAttr>::parse(&[3, 0, 1, 0]).is_err());
    }

    #[test]
    fn a_string_ends_at_its_nul() {
        let reader = Reader::<PortAttr>::parse(&[8, 0, 4, 0, b'v', b'0', 0, 0]).unwrap();
        assert_eq!(reader.string(PortAttr::Ifname).as_deref(), Some("v0"));
    }
}
