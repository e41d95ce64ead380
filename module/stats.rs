// SPDX-License-Identifier: GPL-2.0

//! What is counted of a host, and of each port, network and remote host. Any context.
//!
//! Counters are per CPU and never go back. A packet that is carried counts in four places by one call, a
//! packet that is dropped under one reason in up to three; traces are taken here too, so that they agree.

use crate::{
    host::{Host, Remote},
    net::{
        counters::{count, count_sent, Counters, Pair},
        device::Device,
        rcu::Rcu,
        skb::Skb,
        trace,
    },
    port::{Attachment, Port},
};
use core::net::Ipv4Addr;
use kernel::{prelude::*, sync::rcu};
use ovnet_engine::{DropReason, Vni};

/// What is counted beside drops. Bytes come right behind the packets they are of.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Packets of nodes: onto the substrate; of a port, all.
    TxPackets,
    /// Their IPv4 bytes.
    TxBytes,
    /// Packets to nodes: from the substrate; to a port, all.
    RxPackets,
    /// Their IPv4 bytes.
    RxBytes,
    /// Packets between two ports of the host.
    LocalPackets,
    /// Their IPv4 bytes.
    LocalBytes,
    /// ARP requests answered.
    ArpReplies,
    /// Errors of the substrate told to nodes.
    IcmpErrors,
    /// Received packets whose flow label the substrate cleared.
    LabelsCleared,
    /// Packets for nodes that have moved, sent on to where they are.
    Forwarded,
}

/// Counters as far as [`Count`] `BEFORE`, and then one per drop reason: `ALL` together.
pub(crate) struct Stats<const BEFORE: usize, const ALL: usize>(Counters<ALL>);

const REMOTE: usize = Count::RxBytes as usize + 1;
const PORT: usize = REMOTE;
const NETWORK: usize = Count::LocalBytes as usize + 1;
const HOST: usize = Count::Forwarded as usize + 1;

/// The counters of a remote host: what is exchanged with it.
pub(crate) type RemoteStats = Stats<REMOTE, REMOTE>;
/// The counters of a port: what its node sends and gets, and what is dropped of that.
pub(crate) type PortStats = Stats<PORT, { PORT + DropReason::COUNT }>;
/// The counters of a network on this host.
pub(crate) type NetworkStats = Stats<NETWORK, { NETWORK + DropReason::COUNT }>;
/// The counters of this host.
pub(crate) type HostStats = Stats<HOST, { HOST + DropReason::COUNT }>;

impl PortStats {
    /// What `ethtool -S` calls the counters before the drops.
    pub(crate) const NAMES: [(&'static str, Count); PORT] = [
        ("tx-packets", Count::TxPackets),
        ("tx-bytes", Count::TxBytes),
        ("rx-packets", Count::RxPackets),
        ("rx-bytes", Count::RxBytes),
    ];
}

impl<const BEFORE: usize, const ALL: usize> Stats<BEFORE, ALL> {
    /// Counters that are all 0.
    pub(crate) fn new() -> Result<Self> {
        Ok(Stats(Counters::new()?))
    }

    /// Adds to a counter.
    #[inline]
    pub(crate) fn add(&self, count: Count, n: u64) {
        if self.has(count) {
            self.0.add(count as usize, n);
        }
    }

    /// Packets, and the bytes behind.
    #[inline]
    fn pair(&self, packets: Count) -> Option<Pair<'_>> {
        self.0.pair(packets as usize)
    }

    /// Counts a drop.
    fn add_drop(&self, reason: DropReason) {
        self.0.add(BEFORE + reason as usize, 1);
    }

    /// Whether it counts that.
    #[inline]
    pub(crate) fn has(&self, count: Count) -> bool {
        (count as usize) < BEFORE
    }

    /// A counter's value.
    pub(crate) fn get(&self, count: Count) -> u64 {
        if self.has(count) {
            self.0.sum(count as usize)
        } else {
            0
        }
    }

    /// How many packets were dropped for this reason.
    pub(crate) fn drops(&self, reason: DropReason) -> u64 {
        self.0.sum(BEFORE + reason as usize)
    }
}

impl Host {
    /// A node's packet, of `len` IPv4 bytes, is about to be sent: to a remote host, or beyond the overlay.
    #[inline]
    pub(crate) fn count_tx(
        &self,
        packet: &Skb,
        device: &Device,
        remote: Option<&Remote>,
        len: u64,
        rcu: Rcu<'_>,
    ) {
        let port: Option<&Port> = packet.sender();
        let own = port.and_then(|port| port.attachment(rcu));
        count(
            [
                self.stats().pair(Count::TxPackets),
                remote.and_then(|remote| remote.stats.pair(Count::TxPackets)),
                port.and_then(|port| port.stats().pair(Count::TxPackets)),
                own.and_then(|own| own.network.stats.pair(Count::TxPackets)),
            ],
            len,
        );
        trace::tx(packet, device);
    }

    /// A packet of a remote host, or from beyond the overlay, is about to be delivered to a port.
    #[inline]
    pub(crate) fn count_rx(
        &self,
        packet: &Skb,
        device: &Device,
        port: &Port,
        remote: Option<&Remote>,
        len: u64,
        rcu: Rcu<'_>,
    ) {
        let own = port.attachment(rcu);
        count(
            [
                self.stats().pair(Count::RxPackets),
                remote.and_then(|remote| remote.stats.pair(Count::RxPackets)),
                port.stats().pair(Count::RxPackets),
                own.and_then(|own| own.network.stats.pair(Count::RxPackets)),
            ],
            len,
        );
        trace::rx(packet, device);
    }

    /// As [`Host::count_tx`] and [`Device::count_tx`], for a packet of the node behind `port` to a remote host.
    #[inline(always)]
    pub(crate) fn count_sent(
        &self,
        device: &Device,
        port: &Port,
        own: &Attachment,
        remote: &Remote,
        len: u64,
    ) {
        let places = [
            self.stats().pair(Count::TxPackets),
            remote.stats.pair(Count::TxPackets),
            port.stats().pair(Count::TxPackets),
            own.network.stats.pair(Count::TxPackets),
        ];
        count_sent(device, places, len);
    }

    /// As [`Host::count_rx`], for a packet of a remote host to the node behind `port`.
    #[inline(always)]
    pub(crate) fn count_received(&self, port: &Port, own: &Attachment, remote: &Remote, len: u64) {
        let places = [
            self.stats().pair(Count::RxPackets),
            remote.stats.pair(Count::RxPackets),
            port.stats().pair(Count::RxPackets),
            own.network.stats.pair(Count::RxPackets),
        ];
        count(places, len);
    }

    /// A node's packet is about to be delivered to another port.
    #[inline]
    pub(crate) fn count_local(
        &self,
        packet: &Skb,
        from: &Device,
        to: &Device,
        port: &Port,
        len: u64,
        rcu: Rcu<'_>,
    ) {
        let sender: Option<&Port> = packet.sender();
        let own = port.attachment(rcu);
        count(
            [
                self.stats().pair(Count::LocalPackets),
                sender.and_then(|port| port.stats().pair(Count::TxPackets)),
                port.stats().pair(Count::RxPackets),
                own.and_then(|own| own.network.stats.pair(Count::LocalPackets)),
            ],
            len,
        );
        trace::tx(packet, from);
        trace::rx(packet, to);
    }

    /// Drops a packet under its one reason. It counts for the host; for the port that sent it, or that it
    /// is for; and for the network.
    pub(crate) fn drop_packet(&self, packet: Skb, reason: DropReason) {
        self.stats().add_drop(reason);
        let reader = rcu::read_lock();
        let rcu = Rcu::from(&reader);
        if let Some(port) = packet.sender::<Port>() {
            port.stats().add_drop(reason);
            if let Some((own, _)) = port.seen(rcu) {
                own.network.stats.add_drop(reason);
            }
        } else if let Some(vni) = Vni::new(packet.flow.vni) {
            if let Some(network) = self.networks().get(vni.get().into(), rcu) {
                network.stats.add_drop(reason);
            }
            let destination = self.mapping(vni, Ipv4Addr::from_bits(packet.flow.dst), rcu);
            if let Some(port) = destination.and_then(|mapping| mapping.place.port()) {
                port.driver().stats().add_drop(reason);
            }
        }
        drop(reader);
        packet.discard(reason);
    }
}
