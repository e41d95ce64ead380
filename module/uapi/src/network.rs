// SPDX-License-Identifier: GPL-2.0

//! Virtual networks.

use ovnet_engine::Vni;

use crate::attrs::{malformed, require, AttrSet, Reader, Writer};
use crate::connection::Record;
use crate::generated::{Action, Fidelity, NetworkAttr};
use crate::Error;

/// A network of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub vni: Vni,
    /// The TTL of packets whose flow label the substrate cleared.
    pub ttl: u8,
    /// What it promises of the packets it carries.
    pub fidelity: Fidelity,
    /// How many ports this host has in it.
    pub ports: u32,
    /// How many mappings this host knows of it, tombstones included.
    pub mappings: u32,
    /// What becomes of packets to its nodes that no rule is about.
    pub policy_in: Action,
    /// What becomes of packets from its nodes that no rule is about.
    pub policy_out: Action,
    /// How many rules it has on this host.
    pub rules: u32,
}

/// What to create a network with, or change it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkSet {
    /// Its id.
    pub vni: Vni,
    /// The TTL of packets whose flow label the substrate cleared, from 1; absent: as it is, or 64.
    pub ttl: Option<u8>,
    /// What it promises of the packets it carries; absent: as it is, or semantic.
    pub fidelity: Option<Fidelity>,
    /// What becomes of packets to its nodes that no rule is about; absent: as it is, or allow.
    pub policy_in: Option<Action>,
    /// What becomes of packets from its nodes that no rule is about; absent: as it is, or allow.
    pub policy_out: Option<Action>,
}

impl NetworkSet {
    /// Says nothing but which network.
    #[must_use]
    pub fn new(vni: Vni) -> NetworkSet {
        NetworkSet {
            vni,
            ttl: None,
            fidelity: None,
            policy_in: None,
            policy_out: None,
        }
    }

    pub(crate) fn attrs(&self) -> Result<Writer<NetworkAttr>, Error> {
        let mut attrs = network_key(self.vni)?;
        attrs.put_some(NetworkAttr::Ttl, self.ttl.map(u8::to_ne_bytes))?;
        let fidelity = self
            .fidelity
            .map(|fidelity| u32::from(fidelity).to_ne_bytes());
        attrs.put_some(NetworkAttr::Fidelity, fidelity)?;
        let action = |action: Option<Action>| action.map(|it| u32::from(it).to_ne_bytes());
        attrs.put_some(NetworkAttr::PolicyIn, action(self.policy_in))?;
        attrs.put_some(NetworkAttr::PolicyOut, action(self.policy_out))?;
        Ok(attrs)
    }
}

/// The attributes that name a network.
pub(crate) fn network_key(vni: Vni) -> Result<Writer<NetworkAttr>, Error> {
    let mut attrs = Writer::new();
    attrs.put(NetworkAttr::Vni, vni.get().to_ne_bytes())?;
    Ok(attrs)
}

impl Record for Network {
    type Attr = NetworkAttr;

    fn from_attrs(attrs: &Reader<NetworkAttr>) -> Result<Network, Error> {
        let ttl = require(NetworkAttr::Ttl, attrs.u8(NetworkAttr::Ttl)?)?;
        Ok(Network {
            vni: require(NetworkAttr::Vni, vni(attrs, NetworkAttr::Vni)?)?,
            ttl,
            fidelity: require(NetworkAttr::Fidelity, attrs.u32(NetworkAttr::Fidelity)?)?.into(),
            ports: attrs.u32(NetworkAttr::Ports)?.unwrap_or(0),
            mappings: attrs.u32(NetworkAttr::Mappings)?.unwrap_or(0),
            policy_in: action(attrs, NetworkAttr::PolicyIn)?,
            policy_out: action(attrs, NetworkAttr::PolicyOut)?,
            rules: attrs.u32(NetworkAttr::Rules)?.unwrap_or(0),
        })
    }
}

/// A module that knows no policy allows everything.
fn action(attrs: &Reader<NetworkAttr>, attr: NetworkAttr) -> Result<Action, Error> {
    Ok(attrs.u32(attr)?.map_or(Action::Allow, Action::from))
}

/// A network id attribute.
pub(crate) fn vni<T: AttrSet>(attrs: &Reader<T>, attr: T) -> Result<Option<Vni>, Error> {
    let Some(number) = attrs.u32(attr)? else {
        return Ok(None);
    };
    match Vni::new(number) {
        Some(vni) => Ok(Some(vni)),
        None => Err(malformed(attr, &format!("is {number}, no network id"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_from_its_attributes() {
        #[rustfmt::skip]
        let bytes = [
            6, 1, 0, 0,
            8, 0, 1, 0, 7, 0, 0, 0,
            5, 0, 2, 0, 64, 0, 0, 0,
            8, 0, 3, 0, 2, 0, 0, 0,
            8, 0, 4, 0, 9, 0, 0, 0,
            8, 0, 5, 0, 1, 0, 0, 0,
            8, 0, 6, 0, 1, 0, 0, 0,
            8, 0, 8, 0, 3, 0, 0, 0,
        ];
        let network = Network::parse(&bytes).unwrap();
        assert_eq!(
            (
                network.vni.get(),
                network.ttl,
                network.fidelity,
                network.ports,
                network.mappings
            ),
            (7, 64, Fidelity::Exact, 2, 9)
        );
        assert_eq!(
            (network.policy_in, network.policy_out, network.rules),
            (Action::Deny, Action::Allow, 3)
        );
    }

    #[test]
    fn network_zero_is_the_host_and_no_network() {
        let bytes = [6, 1, 0, 0, 8, 0, 1, 0, 0, 0, 0, 0, 5, 0, 2, 0, 64, 0, 0, 0];
        assert_eq!(
            Network::parse(&bytes).unwrap_err().to_string(),
            "unexpected answer from the kernel: attribute vni is 0, no network id"
        );
    }
}
