// SPDX-License-Identifier: GPL-2.0

//! Peerings: which nodes of one network may send to which of another.

use ovnet_engine::policy::Prefix;
use ovnet_engine::Vni;

use crate::attrs::{malformed, require, AttrSet, Reader, Writer};
use crate::connection::Record;
use crate::generated::PeeringAttr;
use crate::network::vni;
use crate::Error;

/// A peering, one direction of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peering {
    /// The network whose nodes may send.
    pub from: Vni,
    /// The network whose nodes they may send to.
    pub to: Vni,
    /// Those of the one.
    pub src: Prefix,
    /// Those of the other.
    pub dst: Prefix,
}

impl Peering {
    pub(crate) fn attrs(&self) -> Result<Writer<PeeringAttr>, Error> {
        let mut attrs = Writer::new();
        attrs.put(PeeringAttr::From, self.from.get().to_ne_bytes())?;
        attrs.put(PeeringAttr::To, self.to.get().to_ne_bytes())?;
        put_prefix(
            &mut attrs,
            (PeeringAttr::Src, PeeringAttr::SrcLen),
            self.src,
        )?;
        put_prefix(
            &mut attrs,
            (PeeringAttr::Dst, PeeringAttr::DstLen),
            self.dst,
        )?;
        Ok(attrs)
    }
}

impl Record for Peering {
    type Attr = PeeringAttr;

    fn from_attrs(attrs: &Reader<PeeringAttr>) -> Result<Peering, Error> {
        Ok(Peering {
            from: require(PeeringAttr::From, vni(attrs, PeeringAttr::From)?)?,
            to: require(PeeringAttr::To, vni(attrs, PeeringAttr::To)?)?,
            src: prefix(attrs, (PeeringAttr::Src, PeeringAttr::SrcLen))?,
            dst: prefix(attrs, (PeeringAttr::Dst, PeeringAttr::DstLen))?,
        })
    }
}

/// Append a prefix; all addresses are what absence means.
pub(crate) fn put_prefix<T: AttrSet>(
    attrs: &mut Writer<T>,
    (address, length): (T, T),
    prefix: Prefix,
) -> Result<(), Error> {
    if prefix != Prefix::ALL {
        attrs.put(address, prefix.address().octets())?;
        attrs.put(length, [prefix.length()])?;
    }
    Ok(())
}

/// A prefix as two attributes, of which both may be absent.
pub(crate) fn prefix<T: AttrSet + Copy>(
    attrs: &Reader<T>,
    (address, length): (T, T),
) -> Result<Prefix, Error> {
    let Some(bits) = attrs.ipv4(address)? else {
        return Ok(Prefix::ALL);
    };
    let length = attrs.u8(length)?.unwrap_or(32);
    Prefix::new(bits, length)
        .ok_or_else(|| malformed(address, &format!("is {bits}, which is no /{length}")))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_peering_is_read_from_its_attributes() {
        #[rustfmt::skip]
        let bytes = [
            22, 1, 0, 0,
            8, 0, 1, 0, 7, 0, 0, 0,
            8, 0, 2, 0, 8, 0, 0, 0,
            8, 0, 3, 0, 10, 1, 0, 0,
            5, 0, 4, 0, 16, 0, 0, 0,
        ];
        let peering = Peering::parse(&bytes).unwrap();
        assert_eq!((peering.from.get(), peering.to.get()), (7, 8));
        let src = Prefix::new(Ipv4Addr::new(10, 1, 0, 0), 16).unwrap();
        assert_eq!((peering.src, peering.dst), (src, Prefix::ALL));

        let mut crooked = bytes;
        crooked[32] = 15;
        assert_eq!(
            Peering::parse(&crooked).unwrap_err().to_string(),
            "unexpected answer from the kernel: attribute src is 10.1.0.0, which is no /15"
        );
    }
}
