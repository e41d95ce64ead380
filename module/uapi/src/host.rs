// SPDX-License-Identifier: GPL-2.0

//! Hosts: this one and those the mappings point to, each by its locator.

use std::time::Duration;

use ovnet_engine::Locator;

use crate::attrs::{malformed, require, AttrSet, Reader, Writer};
use crate::connection::Record;
use crate::generated::{HostAttr, ResolverState};
use crate::Error;

/// A host, as this one knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its /64.
    pub locator: Locator,
    /// Whether it is the host that answers.
    pub is_self: bool,
    /// How many mappings point to it.
    pub mappings: u32,
    /// Who finds mappings; of the host that answers only.
    pub resolver: Option<ResolverState>,
    /// The most mappings that are kept; of the host that answers only.
    pub mappings_max: Option<u32>,
    /// What is left of its lease; zero: it has ended. Absent: there never was one. Of the host that
    /// answers only.
    pub lease: Option<Duration>,
}

/// What to change about this host; what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostSet {
    /// Its /64.
    pub locator: Option<Locator>,
    /// Who finds mappings: ready and holding mean this very client, as long as it lives.
    pub resolver: Option<ResolverState>,
    /// The most mappings that are kept, from 1.
    pub mappings_max: Option<u32>,
    /// How long ports under lease may carry packets.
    pub lease: Option<Lease>,
}

/// A lease of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// How long it lasts; zero ends it. To the millisecond, and an hour at most.
    pub length: Duration,
    /// From which moment, in milliseconds of CLOCK_BOOTTIME; absent: from now.
    pub from: Option<u64>,
}

impl HostSet {
    pub(crate) fn attrs(&self) -> Result<Writer<HostAttr>, Error> {
        let mut attrs = host_key(self.locator)?;
        let resolver = self.resolver.map(|state| u32::from(state).to_ne_bytes());
        attrs.put_some(HostAttr::Resolver, resolver)?;
        attrs.put_some(
            HostAttr::MappingsMax,
            self.mappings_max.map(u32::to_ne_bytes),
        )?;
        if let Some(lease) = self.lease {
            let length = u32::try_from(lease.length.as_millis()).unwrap_or(u32::MAX);
            attrs.put(HostAttr::Lease, length.to_ne_bytes())?;
            attrs.put_some(HostAttr::LeaseFrom, lease.from.map(u64::to_ne_bytes))?;
        }
        Ok(attrs)
    }
}

/// The attributes that name a host; none name this one.
pub(crate) fn host_key(locator: Option<Locator>) -> Result<Writer<HostAttr>, Error> {
    let mut attrs = Writer::new();
    attrs.put_some(HostAttr::Locator, locator.map(Locator::to_prefix))?;
    Ok(attrs)
}

impl Record for Host {
    type Attr = HostAttr;

    fn from_attrs(attrs: &Reader<HostAttr>) -> Result<Host, Error> {
        Ok(Host {
            locator: require(HostAttr::Locator, locator(attrs, HostAttr::Locator)?)?,
            is_self: attrs.flag(HostAttr::Self_),
            mappings: attrs.u32(HostAttr::Mappings)?.unwrap_or(0),
            resolver: attrs.u32(HostAttr::Resolver)?.map(ResolverState::from),
            mappings_max: attrs.u32(HostAttr::MappingsMax)?,
            lease: attrs.duration(HostAttr::Lease)?,
        })
    }
}

/// A locator attribute: the /64 as an IPv6 address.
pub(crate) fn locator<T: AttrSet>(attrs: &Reader<T>, attr: T) -> Result<Option<Locator>, Error> {
    attrs
        .array(attr)?
        .map(Locator::from_prefix)
        .transpose()
        .map_err(|error| malformed(attr, &format!("is no locator: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const HOST: [u8; 36] = [
        3, 1, 0, 0,
        20, 0, 1, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
        4, 0, 2, 0,
        6, 0, 99, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn a_host_is_read_from_its_attributes() {
        let host = Host::parse(&HOST[..28]).unwrap();
        assert_eq!(host.locator.to_string(), "fd00:a:1:1::/64");
        assert!(host.is_self);
        assert_eq!(host.mappings, 0);
        assert_eq!((host.resolver, host.mappings_max), (None, None));
        // An attribute of a newer kernel is none of our business.
        assert_eq!(Host::parse(&HOST).unwrap(), host);
    }

    #[test]
    fn the_own_host_has_a_resolver_and_a_limit() {
        #[rustfmt::skip]
        let settings = [
            8, 0, 4, 0, 2, 0, 0, 0,
            8, 0, 5, 0, 0, 0, 0x40, 0,
            8, 0, 6, 0, 0x60, 9, 0, 0,
        ];
        let host = Host::parse(&[&HOST[..28], &settings].concat()).unwrap();
        assert_eq!(host.resolver, Some(ResolverState::Holding));
        assert_eq!(host.mappings_max, Some(1 << 22));
        assert_eq!(host.lease, Some(Duration::from_millis(2400)));
    }

    #[test]
    fn a_host_without_a_sound_locator_is_refused() {
        assert!(Host::parse(&HOST[..4]).is_err());
        let mut low_bits = HOST;
        low_bits[23] = 1;
        assert_eq!(
            Host::parse(&low_bits).unwrap_err().to_string(),
            "unexpected answer from the kernel: attribute locator is no locator: \
             a locator is a /64: its low 64 bits must be 0"
        );
    }
}
