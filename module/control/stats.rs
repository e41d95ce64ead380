// SPDX-License-Identifier: GPL-2.0

//! The counters.

use super::Answer;
use crate::{
    host::Host,
    net::{
        bindings::*,
        netlink::{Message, Request},
    },
    stats::Count,
};
use ovnet_engine::DropReason;

/// Says what was counted; reasons that dropped nothing are left out.
pub(crate) fn get(host: &Host, _: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let stats = host.stats();
    for (attr, count) in [
        (OVNET_A_STATS_TX_PACKETS, Count::TxPackets),
        (OVNET_A_STATS_TX_BYTES, Count::TxBytes),
        (OVNET_A_STATS_RX_PACKETS, Count::RxPackets),
        (OVNET_A_STATS_RX_BYTES, Count::RxBytes),
        (OVNET_A_STATS_LOCAL_PACKETS, Count::LocalPackets),
        (OVNET_A_STATS_LOCAL_BYTES, Count::LocalBytes),
        (OVNET_A_STATS_ARP_REPLIES, Count::ArpReplies),
        (OVNET_A_STATS_ICMP_ERRORS, Count::IcmpErrors),
        (OVNET_A_STATS_LABELS_CLEARED, Count::LabelsCleared),
        (OVNET_A_STATS_FORWARDED, Count::Forwarded),
    ] {
        message.put_u64(attr, stats.get(count))?;
    }
    for reason in DropReason::ALL {
        let packets = stats.drops(reason);
        if packets > 0 {
            message.put_nest(OVNET_A_STATS_DROP, |nest| {
                nest.put_u32(OVNET_A_DROP_REASON, reason as u32)?;
                nest.put_u64(OVNET_A_DROP_PACKETS, packets)
            })?;
        }
    }
    Ok(())
}
