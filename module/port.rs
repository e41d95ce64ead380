// SPDX-License-Identifier: GPL-2.0

//! A port: the device of one node, and which node of which network that is.

use crate::{
    control,
    host::{Host, Network},
    net::{
        device::{Device, Driver, Rtnl},
        rcu::{Rcu, RcuCell},
        skb::Skb,
    },
    stats::PortStats,
    tx,
};
use kernel::{prelude::*, sync::Arc};
use ovnet_engine::{DropReason, Identity, Mac};

/// What a configured port is attached as.
pub(crate) struct Attachment {
    /// The network.
    pub(crate) network: Arc<Network>,
    /// The node's own MAC and address: what it must send from, and is sent to.
    pub(crate) identity: Identity,
    /// The MAC that other nodes see (TX2).
    pub(crate) mac: Mac,
}

/// The driver of kind `ovnet`.
pub(crate) struct Port {
    /// Written under the host's control lock.
    attachment: RcuCell<Attachment>,
    stats: PortStats,
}

impl Port {
    /// What the port is attached as, if it is configured.
    #[inline]
    pub(crate) fn attachment<'a>(&'a self, rcu: Rcu<'a>) -> Option<&'a Attachment> {
        self.attachment.load(rcu)
    }

    /// The counters, which go on counting whatever the port is attached as.
    #[inline]
    pub(crate) fn stats(&self) -> &PortStats {
        &self.stats
    }

    /// Attaches the port, or detaches it.
    pub(crate) fn set_attachment(&self, attachment: Option<Attachment>) -> Result {
        self.attachment.set(attachment)
    }
}

impl Driver for Port {
    const KIND: &'static CStr = c"ovnet";

    type Substrate = Host;

    fn new() -> Result<Self> {
        Ok(Port {
            attachment: RcuCell::empty(),
            stats: PortStats::new()?,
        })
    }

    fn statistics(&self, mut visit: impl FnMut(&str, &str, u64)) {
        for (name, count) in PortStats::NAMES {
            visit("", name, self.stats.get(count));
        }
        for reason in DropReason::ALL {
            visit("drop-", reason.name(), self.stats.drops(reason));
        }
    }

    #[inline]
    fn transmit(&self, device: &Device, host: &Host, frame: Skb, rcu: Rcu<'_>) {
        tx::transmit(self, device, host, frame, rcu);
    }

    fn detach(&self, device: &Device, host: &Host, _: &Rtnl) {
        control::port::detach(host, self, device);
    }
}
