// SPDX-License-Identifier: GPL-2.0

//! Netlink attributes of one set: written into a request, read from an answer.
//!
//! Numbers are in host byte order on the wire, addresses in network byte order, as the
//! specification says.

use std::io::Cursor;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::time::Duration;

use neli::consts::genl::{CtrlAttr, CtrlAttrMcastGrp, NlAttrType};
use neli::types::{Buffer, GenlBuffer};
use neli::FromBytesWithInput;

use crate::generated::{
    DropAttr, EventAttr, HostAttr, MappingAttr, MappingBatchAttr, NetworkAttr, PeeringAttr,
    PolicyAttr, PortAttr, RuleAttr, SourceAttr, StatsAttr, TraceAttr, TraceStepAttr,
};
use crate::message::{align, ATTR_HEADER};
use crate::Error;

/// NLA_F_NESTED of linux/netlink.h: the payload is attributes.
const NESTED: u16 = 1 << 15;

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
    SourceAttr,
    MappingAttr,
    MappingBatchAttr,
    DropAttr,
    StatsAttr,
    EventAttr,
    PeeringAttr,
    RuleAttr,
    PolicyAttr,
    TraceAttr,
    TraceStepAttr
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

/// The attributes of a request, as they are sent.
pub(crate) struct Writer<T> {
    bytes: Vec<u8>,
    set: PhantomData<T>,
}

impl<T: AttrSet> Writer<T> {
    pub(crate) fn new() -> Self {
        Writer::over(Vec::new())
    }

    /// Attributes that follow these bytes.
    fn over(bytes: Vec<u8>) -> Self {
        let set = PhantomData;
        Writer { bytes, set }
    }

    /// Append one attribute with these bytes.
    pub(crate) fn put(&mut self, attr: T, payload: impl AsRef<[u8]>) -> Result<(), Error> {
        let start = self.start();
        self.bytes.extend_from_slice(payload.as_ref());
        self.end(start, attr, 0)
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

    /// Append an attribute whose payload is the attributes that `fill` puts.
    pub(crate) fn nest<S: AttrSet>(
        &mut self,
        attr: T,
        fill: impl FnOnce(&mut Writer<S>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let start = self.start();
        // The nest continues the same bytes: a table of a million costs no memory per entry.
        let mut inner = Writer::over(std::mem::take(&mut self.bytes));
        let filled = fill(&mut inner);
        self.bytes = inner.bytes;
        filled?;
        self.end(start, attr, NESTED)
    }

    /// Leave room for the header of an attribute; says where it is.
    fn start(&mut self) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ATTR_HEADER]);
        start
    }

    /// Fill in the header of the attribute that goes from there to here, and pad it.
    fn end(&mut self, start: usize, attr: T, flags: u16) -> Result<(), Error> {
        let length = self.bytes.len() - start;
        let Ok(length) = u16::try_from(length) else {
            return Err(Error::Encode(format!("an attribute of {length} bytes")));
        };
        let kind: u16 = attr.into();
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 2..start + ATTR_HEADER].copy_from_slice(&(kind | flags).to_ne_bytes());
        self.bytes.resize(align(self.bytes.len()), 0);
        Ok(())
    }

    /// The attributes so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Start over, with the memory there is.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
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

    /// A number of milliseconds.
    pub(crate) fn duration(&self, attr: T) -> Result<Option<Duration>, Error> {
        let ms = self.u32(attr)?;
        Ok(ms.map(|ms| Duration::from_millis(ms.into())))
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
            // A u8 with three bytes of padding, then NLA_F_NESTED set on number 98.
            5, 0, 2, 0, 64, 0, 0, 0,
            8, 0, 98, 0x80, 1, 2, 3, 4,
            // Unknown to this version of the set.
            4, 0, 99, 0,
        ];
        let reader = Reader::<NetworkAttr>::parse(&bytes).unwrap();
        assert_eq!(reader.u8(NetworkAttr::Ttl).unwrap(), Some(64));
        assert_eq!(reader.u32(NetworkAttr::Vni).unwrap(), None);
        assert_eq!(
            reader.bytes(NetworkAttr::UnrecognizedConst(98)),
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
    #[rustfmt::skip]
    fn a_nest_holds_its_attributes_and_counts_their_padding() {
        let mut attrs = Writer::<PortAttr>::new();
        attrs.put(PortAttr::Ifindex, 5u32.to_ne_bytes()).unwrap();
        attrs
            .nest(PortAttr::Source, |source| {
                source.put(SourceAttr::Address, [10, 0, 0, 3])?;
                source.put(SourceAttr::PrefixLen, [24])
            })
            .unwrap();
        attrs.put(PortAttr::Vni, 7u32.to_ne_bytes()).unwrap();
        assert_eq!(
            attrs.as_bytes(),
            [
                8, 0, 1, 0, 5, 0, 0, 0,
                20, 0, 12, 0x80,
                    8, 0, 1, 0, 10, 0, 0, 3,
                    5, 0, 2, 0, 24, 0, 0, 0,
                8, 0, 5, 0, 7, 0, 0, 0,
            ]
        );
    }

    #[test]
    fn an_attribute_that_is_too_long_is_refused() {
        let mut attrs = Writer::<PortAttr>::new();
        assert!(attrs.put(PortAttr::Ifname, vec![0; 0xffff - 4]).is_ok());
        assert!(attrs.put(PortAttr::Ifname, vec![0; 0x1_0000 - 4]).is_err());
    }

    #[test]
    fn a_string_ends_at_its_nul() {
        let reader = Reader::<PortAttr>::parse(&[8, 0, 4, 0, b'v', b'0', 0, 0]).unwrap();
        assert_eq!(reader.string(PortAttr::Ifname).as_deref(), Some("v0"));
    }
}
