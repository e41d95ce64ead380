// SPDX-License-Identifier: GPL-2.0
// Do not edit: generated from Documentation/netlink/specs/ovnet.yaml
// by scripts/generate.

//! Numbers of the netlink family: commands, attributes, enumerations, limits.

use neli::consts::genl::{Cmd, NlAttrType};
use neli::neli_enum;

/// Name of the generic netlink family.
pub const FAMILY_NAME: &str = "ovnet";
/// Version of the family, as it stands in every request.
pub const FAMILY_VERSION: u8 = 1;
/// Name of the multicast group `events`.
pub const GROUP_EVENTS: &str = "events";
/// The largest virtual network id; 0 is the host itself.
pub const VNI_MAX: u32 = 16_777_215;
/// The largest generation; one bit short, so that a successor exists.
pub const GEN_MAX: u64 = 9_223_372_036_854_775_807;
/// The longest TTL of a mapping, in milliseconds; seven days.
pub const TTL_MAX: u32 = 604_800_000;
/// The longest packet that can be traced, in bytes.
pub const TRACE_MAX: u32 = 9_216;
/// The longest lease of a host, in milliseconds; an hour.
pub const LEASE_MAX: u32 = 3_600_000;

/// Commands of the family.
#[neli_enum(serialized_type = "u8")]
pub enum Command {
    /// Give this host its locator; refused if it has another one and has ports or mappings. Or say
    /// who finds mappings, how many are kept, or how long its lease lasts.
    HostSet = 1,
    /// Take this host's locator away. Refused while it has ports or mappings.
    HostDel = 2,
    /// This host (do without a locator), a remote one, or all (dump).
    HostGet = 3,
    /// Create or change a network.
    NetworkSet = 4,
    /// Delete a network with its mappings, the addresses known not to exist, rules and peerings.
    /// Refused while it has ports.
    NetworkDel = 5,
    /// One network, or all (dump).
    NetworkGet = 6,
    /// Make an ovnet device the port of a node: its network, address and MAC. The device's
    /// substrate must be the socket's namespace.
    PortSet = 7,
    /// Take a port's configuration away. The device stays.
    PortDel = 8,
    /// One port, or all (dump).
    PortGet = 9,
    /// Say where a node is. A locator that is this host's own needs a port with that address here.
    /// The state asked for may be remote, the default, moved, or negative, which has neither
    /// locator nor generation and leaves what is known untouched.
    MappingSet = 10,
    /// Say that a node is nowhere any more. A tombstone with the generation stays, so that older
    /// news cannot bring the mapping back, unless it is to be forgotten. A port with a node id
    /// becomes inactive; any other has to be deleted first.
    MappingDel = 11,
    /// One mapping, or all, or all of one network (dump).
    MappingGet = 12,
    /// Counters of this host, or of one port (ifindex), network (vni) or remote host (locator) of
    /// it; or all of these (dump).
    StatsGet = 13,
    /// Something the listeners of the group should know.
    Event = 14,
    /// Set many mappings. Those with a generation that is too old are counted and skipped; any
    /// other refusal ends the batch, and what was set before it stays.
    MappingBatch = 15,
    /// Add rules to a network, or replace those with the same ids: all of them at once, or none.
    RuleSet = 16,
    /// Delete the rules with these ids: all of them at once, or none.
    RuleDel = 17,
    /// One rule by network and id, or all of all networks or of one (dump).
    RuleGet = 18,
    /// Let nodes of one network send to nodes of another. For the way back another peering is
    /// needed.
    PeeringSet = 19,
    /// Take a peering back.
    PeeringDel = 20,
    /// All peerings, or those from one network (dump).
    PeeringGet = 21,
    /// Say what would become of a frame that the node of a port sent, or of a packet that the
    /// substrate brought, and why. Nothing is sent, counted, reported or kept.
    Trace = 22,
}

impl Command {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Command::HostSet => Some("host-set"),
            Command::HostDel => Some("host-del"),
            Command::HostGet => Some("host-get"),
            Command::NetworkSet => Some("network-set"),
            Command::NetworkDel => Some("network-del"),
            Command::NetworkGet => Some("network-get"),
            Command::PortSet => Some("port-set"),
            Command::PortDel => Some("port-del"),
            Command::PortGet => Some("port-get"),
            Command::MappingSet => Some("mapping-set"),
            Command::MappingDel => Some("mapping-del"),
            Command::MappingGet => Some("mapping-get"),
            Command::StatsGet => Some("stats-get"),
            Command::Event => Some("event"),
            Command::MappingBatch => Some("mapping-batch"),
            Command::RuleSet => Some("rule-set"),
            Command::RuleDel => Some("rule-del"),
            Command::RuleGet => Some("rule-get"),
            Command::PeeringSet => Some("peering-set"),
            Command::PeeringDel => Some("peering-del"),
            Command::PeeringGet => Some("peering-get"),
            Command::Trace => Some("trace"),
            Command::UnrecognizedConst(_) => None,
        }
    }
}

impl Cmd for Command {}

/// Attributes of the set `host`.
#[neli_enum(serialized_type = "u16")]
pub enum HostAttr {
    /// The host's /64 as an IPv6 address in network byte order, its low 64 bits 0.
    Locator = 1,
    /// This is the host that answers.
    Self_ = 2,
    /// Mappings that point to this host.
    Mappings = 3,
    /// Who finds mappings. Of this host only; a request sets it.
    Resolver = 4,
    /// The most mappings this host keeps (default 4194304). When that many are there, the longest
    /// unused one with a hard TTL makes room.
    MappingsMax = 5,
    /// For how many milliseconds ports under lease may carry packets still; 0: they must not.
    /// Absent in an answer: there never was a lease. Setting it again renews it.
    Lease = 6,
    /// The moment from which the lease counts, in milliseconds of CLOCK_BOOTTIME. Absent: when the
    /// request is served.
    LeaseFrom = 7,
}

impl HostAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            HostAttr::Locator => Some("locator"),
            HostAttr::Self_ => Some("self"),
            HostAttr::Mappings => Some("mappings"),
            HostAttr::Resolver => Some("resolver"),
            HostAttr::MappingsMax => Some("mappings-max"),
            HostAttr::Lease => Some("lease"),
            HostAttr::LeaseFrom => Some("lease-from"),
            HostAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for HostAttr {}

/// Attributes of the set `network`.
#[neli_enum(serialized_type = "u16")]
pub enum NetworkAttr {
    /// The `vni` attribute.
    Vni = 1,
    /// The TTL a packet gets whose flow label the substrate cleared (default 64).
    Ttl = 2,
    /// Ports of this network on this host.
    Ports = 3,
    /// Mappings of this network, tombstones included.
    Mappings = 4,
    /// Semantic unless said otherwise.
    Fidelity = 5,
    /// What becomes of packets to its nodes that no rule is about; allow unless said otherwise.
    PolicyIn = 6,
    /// The same of packets from its nodes.
    PolicyOut = 7,
    /// Rules of this network.
    Rules = 8,
}

impl NetworkAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            NetworkAttr::Vni => Some("vni"),
            NetworkAttr::Ttl => Some("ttl"),
            NetworkAttr::Ports => Some("ports"),
            NetworkAttr::Mappings => Some("mappings"),
            NetworkAttr::Fidelity => Some("fidelity"),
            NetworkAttr::PolicyIn => Some("policy-in"),
            NetworkAttr::PolicyOut => Some("policy-out"),
            NetworkAttr::Rules => Some("rules"),
            NetworkAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for NetworkAttr {}

/// Attributes of the set `port`.
#[neli_enum(serialized_type = "u16")]
pub enum PortAttr {
    /// Interface index in the namespace the device lives in.
    Ifindex = 1,
    /// File descriptor of that namespace; absent means the namespace of the socket.
    NetnsFd = 2,
    /// Id of that namespace as seen from the socket's; absent when it is the same one. In a
    /// request, where there is no netns-fd, it names the namespace as well.
    NetnsId = 3,
    /// The `ifname` attribute.
    Ifname = 4,
    /// The `vni` attribute.
    Vni = 5,
    /// The node's virtual address.
    Address = 6,
    /// The node's MAC. Absent in a request: derived from the address.
    Mac = 7,
    /// Generation of the mapping the port's address gets; absent or 0 in a request means one more
    /// than the known one.
    Gen = 8,
    /// Active unless said otherwise, or standby if the port has a node id. A request may not ask
    /// for inactive or fenced.
    State = 9,
    /// Of a frozen port: the host that gets what arrives meanwhile. Absent: it waits here.
    Locator = 10,
    /// Strict unless said otherwise.
    SourceCheck = 11,
    /// Addresses that the node may send from beside its own: further addresses of its own, and
    /// prefixes behind it. In a request these replace those the port had; the prefix 0.0.0.0 of
    /// length 32 means none.
    Source = 12,
    /// Packets that wait for the node.
    Parked = 13,
    /// Milliseconds since the node sent from its address; absent if never.
    Idle = 14,
    /// Of this host's 63 slots in the network the one whose packets the port gets, whatever their
    /// virtual address; 0, the default, is none.
    Slot = 15,
    /// Which node of the provisioning data it is, for whoever manages the host; the kernel only
    /// keeps it. Such a port begins in state standby unless said otherwise. 0, the default, is
    /// none.
    Node = 16,
    /// 1: the port carries packets only while the lease of this host lasts; 0, the default, whether
    /// there is one or not.
    Lease = 17,
}

impl PortAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            PortAttr::Ifindex => Some("ifindex"),
            PortAttr::NetnsFd => Some("netns-fd"),
            PortAttr::NetnsId => Some("netns-id"),
            PortAttr::Ifname => Some("ifname"),
            PortAttr::Vni => Some("vni"),
            PortAttr::Address => Some("address"),
            PortAttr::Mac => Some("mac"),
            PortAttr::Gen => Some("gen"),
            PortAttr::State => Some("state"),
            PortAttr::Locator => Some("locator"),
            PortAttr::SourceCheck => Some("source-check"),
            PortAttr::Source => Some("source"),
            PortAttr::Parked => Some("parked"),
            PortAttr::Idle => Some("idle"),
            PortAttr::Slot => Some("slot"),
            PortAttr::Node => Some("node"),
            PortAttr::Lease => Some("lease"),
            PortAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for PortAttr {}

/// Attributes of the set `source`.
#[neli_enum(serialized_type = "u16")]
pub enum SourceAttr {
    /// The `address` attribute.
    Address = 1,
    /// 32, a single address, if absent.
    PrefixLen = 2,
    /// Milliseconds since the node sent from it; absent if never.
    Idle = 3,
}

impl SourceAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            SourceAttr::Address => Some("address"),
            SourceAttr::PrefixLen => Some("prefix-len"),
            SourceAttr::Idle => Some("idle"),
            SourceAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for SourceAttr {}

/// Attributes of the set `mapping`.
#[neli_enum(serialized_type = "u16")]
pub enum MappingAttr {
    /// The `vni` attribute.
    Vni = 1,
    /// The `address` attribute.
    Address = 2,
    /// The `locator` attribute.
    Locator = 3,
    /// The MAC others see. Absent in a request: derived from the address.
    Mac = 4,
    /// Strictly increasing per (VNI, address). Greater installs, equal with the same contents
    /// changes nothing, smaller is refused. Absent or 0 in a request means one more than the known
    /// one.
    Gen = 5,
    /// The `state` attribute.
    State = 6,
    /// Of the port, when local.
    Ifindex = 7,
    /// Namespace of that port; absent when it is the socket's own.
    NetnsId = 8,
    /// The network the node is in, when that is another one (a peering).
    PeerVni = 9,
    /// Milliseconds until a mapping in use is reported for a refresh. In answers: what is left.
    /// Absent: never.
    SoftTtl = 10,
    /// Milliseconds until the mapping goes, or until a negative one is asked for again (1000 if
    /// absent there). In answers: what is left. Absent: never.
    HardTtl = 11,
    /// Milliseconds, give or take a second, since a packet used the mapping.
    Idle = 12,
    /// Packets that wait for the mapping.
    Parked = 13,
    /// Instead of a locator: the IPv6 address of a machine that knows nothing of the overlay, for
    /// which the mapping's address stands in its network.
    External = 14,
    /// Packets for the address go to the port in this slot of the host, as to a router that the
    /// address is behind; 0, the default, to the address's own port.
    Slot = 15,
    /// Leave no tombstone, and no refusal: the address is as if it had never been heard of.
    Forget = 16,
}

impl MappingAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            MappingAttr::Vni => Some("vni"),
            MappingAttr::Address => Some("address"),
            MappingAttr::Locator => Some("locator"),
            MappingAttr::Mac => Some("mac"),
            MappingAttr::Gen => Some("gen"),
            MappingAttr::State => Some("state"),
            MappingAttr::Ifindex => Some("ifindex"),
            MappingAttr::NetnsId => Some("netns-id"),
            MappingAttr::PeerVni => Some("peer-vni"),
            MappingAttr::SoftTtl => Some("soft-ttl"),
            MappingAttr::HardTtl => Some("hard-ttl"),
            MappingAttr::Idle => Some("idle"),
            MappingAttr::Parked => Some("parked"),
            MappingAttr::External => Some("external"),
            MappingAttr::Slot => Some("slot"),
            MappingAttr::Forget => Some("forget"),
            MappingAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for MappingAttr {}

/// Attributes of the set `mapping-batch`.
#[neli_enum(serialized_type = "u16")]
pub enum MappingBatchAttr {
    /// The mappings to set, in order.
    Mapping = 1,
    /// Mappings that are now as asked for.
    Installed = 2,
    /// Mappings that were so before.
    Unchanged = 3,
    /// Mappings whose generation is older than the known one, or the same with other contents.
    Refused = 4,
}

impl MappingBatchAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            MappingBatchAttr::Mapping => Some("mapping"),
            MappingBatchAttr::Installed => Some("installed"),
            MappingBatchAttr::Unchanged => Some("unchanged"),
            MappingBatchAttr::Refused => Some("refused"),
            MappingBatchAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for MappingBatchAttr {}

/// Attributes of the set `peering`.
#[neli_enum(serialized_type = "u16")]
pub enum PeeringAttr {
    /// The network whose nodes may send.
    From = 1,
    /// The network whose nodes they may send to.
    To = 2,
    /// The nodes of the one network that may; absent means all.
    Src = 3,
    /// Length of that prefix; absent means 32 with an address, 0 without.
    SrcLen = 4,
    /// The nodes of the other that they may send to; absent means all.
    Dst = 5,
    /// Length of that prefix; absent means 32 with an address, 0 without.
    DstLen = 6,
}

impl PeeringAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            PeeringAttr::From => Some("from"),
            PeeringAttr::To => Some("to"),
            PeeringAttr::Src => Some("src"),
            PeeringAttr::SrcLen => Some("src-len"),
            PeeringAttr::Dst => Some("dst"),
            PeeringAttr::DstLen => Some("dst-len"),
            PeeringAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for PeeringAttr {}

/// Attributes of the set `rule`.
#[neli_enum(serialized_type = "u16")]
pub enum RuleAttr {
    /// Unique in the network.
    Id = 1,
    /// The `direction` attribute.
    Direction = 2,
    /// Lower numbers decide first, equal ones in the order of ids; absent means 1000.
    Priority = 3,
    /// The `action` attribute.
    Action = 4,
    /// Source addresses; absent means all.
    Src = 5,
    /// Length of that prefix; absent means 32 with an address, 0 without.
    SrcLen = 6,
    /// Destination addresses; absent means all.
    Dst = 7,
    /// Length of that prefix; absent means 32 with an address, 0 without.
    DstLen = 8,
    /// Protocol number; absent or 0 means any.
    Protocol = 9,
    /// First source port; absent means 0.
    SportMin = 10,
    /// Last source port; absent means 65535.
    SportMax = 11,
    /// First destination port; absent means 0.
    DportMin = 12,
    /// Last destination port; absent means 65535.
    DportMax = 13,
    /// ICMP type; the protocol is then 1.
    IcmpType = 14,
    /// ICMP code; needs icmp-type.
    IcmpCode = 15,
    /// Least length of the IPv4 packet; absent means 0.
    SizeMin = 16,
    /// Greatest length of the IPv4 packet; absent means 65535.
    SizeMax = 17,
    /// The network of the node at the other end; absent means any.
    Peer = 18,
    /// Packets that the rule decided about.
    Packets = 19,
    /// IPv4 bytes of those packets.
    Bytes = 20,
}

impl RuleAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            RuleAttr::Id => Some("id"),
            RuleAttr::Direction => Some("direction"),
            RuleAttr::Priority => Some("priority"),
            RuleAttr::Action => Some("action"),
            RuleAttr::Src => Some("src"),
            RuleAttr::SrcLen => Some("src-len"),
            RuleAttr::Dst => Some("dst"),
            RuleAttr::DstLen => Some("dst-len"),
            RuleAttr::Protocol => Some("protocol"),
            RuleAttr::SportMin => Some("sport-min"),
            RuleAttr::SportMax => Some("sport-max"),
            RuleAttr::DportMin => Some("dport-min"),
            RuleAttr::DportMax => Some("dport-max"),
            RuleAttr::IcmpType => Some("icmp-type"),
            RuleAttr::IcmpCode => Some("icmp-code"),
            RuleAttr::SizeMin => Some("size-min"),
            RuleAttr::SizeMax => Some("size-max"),
            RuleAttr::Peer => Some("peer"),
            RuleAttr::Packets => Some("packets"),
            RuleAttr::Bytes => Some("bytes"),
            RuleAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for RuleAttr {}

/// Attributes of the set `policy`.
#[neli_enum(serialized_type = "u16")]
pub enum PolicyAttr {
    /// The network whose rules they are.
    Vni = 1,
    /// Rules, all of which are set or none.
    Rule = 2,
    /// The id of a rule.
    Id = 3,
}

impl PolicyAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            PolicyAttr::Vni => Some("vni"),
            PolicyAttr::Rule => Some("rule"),
            PolicyAttr::Id => Some("id"),
            PolicyAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for PolicyAttr {}

/// Attributes of the set `drop`.
#[neli_enum(serialized_type = "u16")]
pub enum DropAttr {
    /// The `reason` attribute.
    Reason = 1,
    /// The `packets` attribute.
    Packets = 2,
}

impl DropAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            DropAttr::Reason => Some("reason"),
            DropAttr::Packets => Some("packets"),
            DropAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for DropAttr {}

/// Attributes of the set `stats`.
#[neli_enum(serialized_type = "u16")]
pub enum StatsAttr {
    /// Packets of local nodes translated onto the substrate.
    TxPackets = 1,
    /// IPv4 bytes of those packets.
    TxBytes = 2,
    /// Packets of the substrate delivered to local nodes.
    RxPackets = 3,
    /// IPv4 bytes of those packets.
    RxBytes = 4,
    /// Packets between two ports of this host.
    LocalPackets = 5,
    /// The `local-bytes` attribute.
    LocalBytes = 6,
    /// ARP requests answered.
    ArpReplies = 7,
    /// One per reason that has dropped a packet.
    Drop = 8,
    /// Errors of the substrate told to the nodes that caused them.
    IcmpErrors = 9,
    /// Received packets whose flow label the substrate cleared, so that TTL and DF are not the
    /// sender's.
    LabelsCleared = 10,
    /// Received packets sent on to the host where their node is by now.
    Forwarded = 11,
    /// What the counters are about. Of a dump, all if absent.
    Scope = 12,
    /// The port's index in the namespace the device lives in.
    Ifindex = 13,
    /// File descriptor of that namespace; absent means the namespace of the socket.
    NetnsFd = 14,
    /// Id of that namespace as seen from the socket's; absent when it is the same one.
    NetnsId = 15,
    /// The `ifname` attribute.
    Ifname = 16,
    /// The network; of a port, the one it is in.
    Vni = 17,
    /// The virtual address of the port's node.
    Address = 18,
    /// The remote host.
    Locator = 19,
}

impl StatsAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            StatsAttr::TxPackets => Some("tx-packets"),
            StatsAttr::TxBytes => Some("tx-bytes"),
            StatsAttr::RxPackets => Some("rx-packets"),
            StatsAttr::RxBytes => Some("rx-bytes"),
            StatsAttr::LocalPackets => Some("local-packets"),
            StatsAttr::LocalBytes => Some("local-bytes"),
            StatsAttr::ArpReplies => Some("arp-replies"),
            StatsAttr::Drop => Some("drop"),
            StatsAttr::IcmpErrors => Some("icmp-errors"),
            StatsAttr::LabelsCleared => Some("labels-cleared"),
            StatsAttr::Forwarded => Some("forwarded"),
            StatsAttr::Scope => Some("scope"),
            StatsAttr::Ifindex => Some("ifindex"),
            StatsAttr::NetnsFd => Some("netns-fd"),
            StatsAttr::NetnsId => Some("netns-id"),
            StatsAttr::Ifname => Some("ifname"),
            StatsAttr::Vni => Some("vni"),
            StatsAttr::Address => Some("address"),
            StatsAttr::Locator => Some("locator"),
            StatsAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for StatsAttr {}

/// Attributes of the set `event`.
#[neli_enum(serialized_type = "u16")]
pub enum EventAttr {
    /// The `kind` attribute.
    Kind = 1,
    /// The `vni` attribute.
    Vni = 2,
    /// The `address` attribute.
    Address = 3,
    /// The `mac` attribute.
    Mac = 4,
    /// The `locator` attribute.
    Locator = 5,
    /// The `gen` attribute.
    Gen = 6,
    /// The `state` attribute.
    State = 7,
    /// Of the port concerned.
    Ifindex = 8,
    /// Of the port concerned.
    Ifname = 9,
    /// Events of this kind that the rate limit withheld since the last one sent.
    Suppressed = 10,
    /// Network of the node at the other end.
    PeerVni = 11,
    /// Address of the node at the other end.
    PeerAddress = 12,
    /// Whether the node here was to receive the packet or sent it.
    Direction = 13,
    /// Why it was dropped.
    Reason = 14,
    /// Id of the rule that refused it; absent if none is about it.
    Rule = 15,
    /// The node id of the port that was configured; absent if it has none.
    Node = 16,
}

impl EventAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            EventAttr::Kind => Some("kind"),
            EventAttr::Vni => Some("vni"),
            EventAttr::Address => Some("address"),
            EventAttr::Mac => Some("mac"),
            EventAttr::Locator => Some("locator"),
            EventAttr::Gen => Some("gen"),
            EventAttr::State => Some("state"),
            EventAttr::Ifindex => Some("ifindex"),
            EventAttr::Ifname => Some("ifname"),
            EventAttr::Suppressed => Some("suppressed"),
            EventAttr::PeerVni => Some("peer-vni"),
            EventAttr::PeerAddress => Some("peer-address"),
            EventAttr::Direction => Some("direction"),
            EventAttr::Reason => Some("reason"),
            EventAttr::Rule => Some("rule"),
            EventAttr::Node => Some("node"),
            EventAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for EventAttr {}

/// Attributes of the set `trace-step`.
#[neli_enum(serialized_type = "u16")]
pub enum TraceStepAttr {
    /// The `kind` attribute.
    Kind = 1,
    /// Why it is dropped.
    Reason = 2,
    /// The network; of a peering, that of the sender.
    Vni = 3,
    /// The virtual address; of ARP, the sender's.
    Address = 4,
    /// The `mac` attribute.
    Mac = 5,
    /// The `gen` attribute.
    Gen = 6,
    /// That of the mapping.
    State = 7,
    /// The `port-state` attribute.
    PortState = 8,
    /// Where the mapping says that the node is; of a route, its host.
    Locator = 9,
    /// The locator that the packet comes from.
    From = 10,
    /// The `slot` attribute.
    Slot = 11,
    /// The address of a machine that knows nothing of the overlay.
    External = 12,
    /// The network of the node at the other end; of a peering, that of the receiver.
    PeerVni = 13,
    /// The address at the other end; of ARP, the target's.
    PeerAddress = 14,
    /// The `direction` attribute.
    Direction = 15,
    /// Id of the rule that decides; absent if none is about the packet.
    Rule = 16,
    /// The `action` attribute.
    Action = 17,
    /// The `form` attribute.
    Form = 18,
    /// The device of the port, in its namespace, or of the route.
    Ifindex = 19,
    /// Id of that namespace as seen from the socket's; absent when it is the same one.
    NetnsId = 20,
    /// The `ifname` attribute.
    Ifname = 21,
    /// The next router of a route; the address itself if it is on the link.
    Nexthop = 22,
    /// The `mtu` attribute.
    Mtu = 23,
    /// In bytes.
    Length = 24,
    /// The `event` attribute.
    Event = 25,
    /// The `icmp-type` attribute.
    IcmpType = 26,
    /// The `icmp-code` attribute.
    IcmpCode = 27,
}

impl TraceStepAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            TraceStepAttr::Kind => Some("kind"),
            TraceStepAttr::Reason => Some("reason"),
            TraceStepAttr::Vni => Some("vni"),
            TraceStepAttr::Address => Some("address"),
            TraceStepAttr::Mac => Some("mac"),
            TraceStepAttr::Gen => Some("gen"),
            TraceStepAttr::State => Some("state"),
            TraceStepAttr::PortState => Some("port-state"),
            TraceStepAttr::Locator => Some("locator"),
            TraceStepAttr::From => Some("from"),
            TraceStepAttr::Slot => Some("slot"),
            TraceStepAttr::External => Some("external"),
            TraceStepAttr::PeerVni => Some("peer-vni"),
            TraceStepAttr::PeerAddress => Some("peer-address"),
            TraceStepAttr::Direction => Some("direction"),
            TraceStepAttr::Rule => Some("rule"),
            TraceStepAttr::Action => Some("action"),
            TraceStepAttr::Form => Some("form"),
            TraceStepAttr::Ifindex => Some("ifindex"),
            TraceStepAttr::NetnsId => Some("netns-id"),
            TraceStepAttr::Ifname => Some("ifname"),
            TraceStepAttr::Nexthop => Some("nexthop"),
            TraceStepAttr::Mtu => Some("mtu"),
            TraceStepAttr::Length => Some("length"),
            TraceStepAttr::Event => Some("event"),
            TraceStepAttr::IcmpType => Some("icmp-type"),
            TraceStepAttr::IcmpCode => Some("icmp-code"),
            TraceStepAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for TraceStepAttr {}

/// Attributes of the set `trace`.
#[neli_enum(serialized_type = "u16")]
pub enum TraceAttr {
    /// The port whose node sends the frame, by its index in the namespace the device lives in.
    Ifindex = 1,
    /// File descriptor of that namespace; absent means the namespace of the socket.
    NetnsFd = 2,
    /// The Ethernet frame that the node sends.
    Frame = 3,
    /// The IPv6 packet that the substrate brings.
    Packet = 4,
    /// The `verdict` attribute.
    Verdict = 5,
    /// The steps, in their order.
    Step = 6,
    /// What would leave, in its order: IPv6 packets for the substrate, Ethernet frames for a port.
    Out = 7,
    /// Id of that namespace as seen from the socket's; it names the namespace where there is no
    /// netns-fd.
    NetnsId = 8,
}

impl TraceAttr {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            TraceAttr::Ifindex => Some("ifindex"),
            TraceAttr::NetnsFd => Some("netns-fd"),
            TraceAttr::Frame => Some("frame"),
            TraceAttr::Packet => Some("packet"),
            TraceAttr::Verdict => Some("verdict"),
            TraceAttr::Step => Some("step"),
            TraceAttr::Out => Some("out"),
            TraceAttr::NetnsId => Some("netns-id"),
            TraceAttr::UnrecognizedConst(_) => None,
        }
    }
}

impl NlAttrType for TraceAttr {}

/// Where the node of a mapping is, as this host knows it.
#[neli_enum(serialized_type = "u32")]
pub enum MappingState {
    /// A port of this host.
    Local = 0,
    /// Behind another host's locator.
    Remote = 1,
    /// A tombstone; its generation keeps older news out.
    Deleted = 2,
    /// Behind another host's locator since it left a port of this host, which forwards what still
    /// arrives here.
    Moved = 3,
    /// Asked for and not known yet; packets wait.
    Pending = 4,
    /// Known not to exist, for a while.
    Negative = 5,
    /// A machine on the substrate that knows nothing of the overlay; packets to it are translated
    /// as by RFC 7915.
    External = 6,
}

impl MappingState {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            MappingState::Local => Some("local"),
            MappingState::Remote => Some("remote"),
            MappingState::Deleted => Some("deleted"),
            MappingState::Moved => Some("moved"),
            MappingState::Pending => Some("pending"),
            MappingState::Negative => Some("negative"),
            MappingState::External => Some("external"),
            MappingState::UnrecognizedConst(_) => None,
        }
    }
}

/// Whether a port is where its node is. The states of a move pass through standby (destination) and
/// frozen (source).
#[neli_enum(serialized_type = "u32")]
pub enum PortState {
    /// The node is here.
    Active = 0,
    /// The node will come here; what arrives for it waits.
    Standby = 1,
    /// The node pauses here: the port carries nothing of it. What is for it waits, or is forwarded
    /// to the locator given.
    Frozen = 2,
    /// The node is elsewhere; the port carries nothing.
    Inactive = 3,
    /// The lease of this host ended while the node was here: the node may be elsewhere by now. The
    /// port carries nothing until a greater generation says that the node is here.
    Fenced = 4,
}

impl PortState {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            PortState::Active => Some("active"),
            PortState::Standby => Some("standby"),
            PortState::Frozen => Some("frozen"),
            PortState::Inactive => Some("inactive"),
            PortState::Fenced => Some("fenced"),
            PortState::UnrecognizedConst(_) => None,
        }
    }
}

/// What a port does with a source address that is not its node's.
#[neli_enum(serialized_type = "u32")]
pub enum SourceCheck {
    /// Drop and report it as a spoof.
    Strict = 0,
    /// Hold it back and report it as a new address.
    Learn = 1,
}

impl SourceCheck {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            SourceCheck::Strict => Some("strict"),
            SourceCheck::Learn => Some("learn"),
            SourceCheck::UnrecognizedConst(_) => None,
        }
    }
}

/// Who finds mappings that this host lacks, and ends those whose time is over.
#[neli_enum(serialized_type = "u32")]
pub enum ResolverState {
    /// Nobody; packets without a mapping are dropped at once.
    None = 0,
    /// The sender of the request, as long as its socket is open. Packets wait for it.
    Ready = 1,
    /// As ready, but it cannot reach those who know: mappings stay beyond their hard TTL.
    Holding = 2,
    /// Its socket has closed. As holding, until another takes over.
    Lost = 3,
}

impl ResolverState {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            ResolverState::None => Some("none"),
            ResolverState::Ready => Some("ready"),
            ResolverState::Holding => Some("holding"),
            ResolverState::Lost => Some("lost"),
            ResolverState::UnrecognizedConst(_) => None,
        }
    }
}

/// What a network promises of the packets it carries between hosts.
#[neli_enum(serialized_type = "u32")]
pub enum Fidelity {
    /// All that means something arrives. The identification of a packet that is no fragment does
    /// not (RFC 6864).
    Semantic = 0,
    /// Every byte arrives; packets with an identification, or without DF, cost 40 bytes instead of
    /// 20.
    Exact = 1,
}

impl Fidelity {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Fidelity::Semantic => Some("semantic"),
            Fidelity::Exact => Some("exact"),
            Fidelity::UnrecognizedConst(_) => None,
        }
    }
}

/// Which packets a rule of a network is about, as its nodes see it.
#[neli_enum(serialized_type = "u32")]
pub enum Direction {
    /// Packets to nodes of the network, where they arrive.
    In = 0,
    /// Packets from nodes of the network, where they are sent.
    Out = 1,
}

impl Direction {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Direction::In => Some("in"),
            Direction::Out => Some("out"),
            Direction::UnrecognizedConst(_) => None,
        }
    }
}

/// What becomes of a packet that a rule is about.
#[neli_enum(serialized_type = "u32")]
pub enum Action {
    /// It goes on.
    Allow = 0,
    /// It is dropped.
    Deny = 1,
    /// It is dropped, and its sender told by ICMP that communication is administratively
    /// prohibited, if the sender is a node of this host.
    Reject = 2,
}

impl Action {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Action::Allow => Some("allow"),
            Action::Deny => Some("deny"),
            Action::Reject => Some("reject"),
            Action::UnrecognizedConst(_) => None,
        }
    }
}

/// The enumeration `event-kind`.
#[neli_enum(serialized_type = "u32")]
pub enum EventKind {
    /// A node asked for, or sent to, an address without a mapping.
    Miss = 0,
    /// A node sent from a MAC or an address that is not its own.
    Spoof = 1,
    /// A packet came from a locator where its source node is not; the locator attribute is the
    /// claimed one.
    Forged = 2,
    /// A mapping was set or deleted.
    Mapping = 3,
    /// A port was configured or its configuration removed.
    Port = 4,
    /// A mapping in use has passed its soft TTL (state as before), or one has passed its hard TTL
    /// and is gone (state deleted).
    Expiry = 5,
    /// A node sent from, or announced, an address that is not its own yet, on a port that learns.
    NewAddress = 6,
    /// A node announced an address that is another node's.
    Claim = 7,
    /// A host, the locator attribute, still sends here what this host forwards: its mapping is out
    /// of date.
    Stale = 8,
    /// A packet was not-authorised, or refused by policy: address is that of the node here,
    /// peer-vni and peer-address are those of the other one.
    Refused = 9,
    /// The lease of this host has ended, and its ports under lease carry nothing any more.
    Fenced = 10,
}

impl EventKind {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            EventKind::Miss => Some("miss"),
            EventKind::Spoof => Some("spoof"),
            EventKind::Forged => Some("forged"),
            EventKind::Mapping => Some("mapping"),
            EventKind::Port => Some("port"),
            EventKind::Expiry => Some("expiry"),
            EventKind::NewAddress => Some("new-address"),
            EventKind::Claim => Some("claim"),
            EventKind::Stale => Some("stale"),
            EventKind::Refused => Some("refused"),
            EventKind::Fenced => Some("fenced"),
            EventKind::UnrecognizedConst(_) => None,
        }
    }
}

/// What counters are about.
#[neli_enum(serialized_type = "u32")]
pub enum StatsScope {
    /// All of this host.
    Host = 0,
    /// One port, whose tx and rx include what stays on the host.
    Port = 1,
    /// One network, on this host.
    Network = 2,
    /// What is exchanged with one remote host.
    Remote = 3,
}

impl StatsScope {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            StatsScope::Host => Some("host"),
            StatsScope::Port => Some("port"),
            StatsScope::Network => Some("network"),
            StatsScope::Remote => Some("remote"),
            StatsScope::UnrecognizedConst(_) => None,
        }
    }
}

/// How a packet travels.
#[neli_enum(serialized_type = "u32")]
pub enum Form {
    /// It was not decided yet.
    None = 0,
    /// Its IPv4 header became an IPv6 header.
    Fast = 1,
    /// Whole, behind an IPv6 header.
    Escape = 2,
    /// As it is, between two ports of this host.
    Local = 3,
    /// As RFC 7915 has it, for machines that know nothing of the overlay.
    Standard = 4,
}

impl Form {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Form::None => Some("none"),
            Form::Fast => Some("fast"),
            Form::Escape => Some("escape"),
            Form::Local => Some("local"),
            Form::Standard => Some("standard"),
            Form::UnrecognizedConst(_) => None,
        }
    }
}

/// What would become of a packet.
#[neli_enum(serialized_type = "u32")]
pub enum TraceVerdict {
    /// It is dropped; the last step says why.
    Dropped = 0,
    /// It is sent to a remote host.
    Sent = 1,
    /// It is sent to a remote host in fragments.
    Fragmented = 2,
    /// It is sent to a machine that knows nothing of the overlay.
    External = 3,
    /// It is delivered to a port of this host.
    Delivered = 4,
    /// It is sent on to the host where its node is by now.
    Forwarded = 5,
    /// It is an ARP request that is answered.
    Answered = 6,
    /// It waits for a mapping, or for a node that moves.
    Parked = 7,
}

impl TraceVerdict {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            TraceVerdict::Dropped => Some("dropped"),
            TraceVerdict::Sent => Some("sent"),
            TraceVerdict::Fragmented => Some("fragmented"),
            TraceVerdict::External => Some("external"),
            TraceVerdict::Delivered => Some("delivered"),
            TraceVerdict::Forwarded => Some("forwarded"),
            TraceVerdict::Answered => Some("answered"),
            TraceVerdict::Parked => Some("parked"),
            TraceVerdict::UnrecognizedConst(_) => None,
        }
    }
}

/// A step on the way of a packet; a step that refuses it is followed by its drop.
#[neli_enum(serialized_type = "u32")]
pub enum TraceStepKind {
    /// A node sends it from this port, which is attached as that node.
    Port = 0,
    /// It is an ARP message of one address about another.
    Arp = 1,
    /// Whether its node may send from its MAC and address.
    SourceCheck = 2,
    /// The mapping of its destination; without a state there is none.
    Destination = 3,
    /// The slot that it is for.
    Slot = 4,
    /// The mapping of its source, and the locator that it comes from.
    Source = 5,
    /// Whether nodes of the one network may send to nodes of the other.
    Peering = 6,
    /// What the rules of a network say; without a rule it is the default.
    Policy = 7,
    /// The substrate's route to the remote host; without a device there is none.
    Route = 8,
    /// Its length as it would travel, and the most that the path takes.
    Size = 9,
    /// The form that it gets, or has.
    Form = 10,
    /// The port that it is for.
    Delivery = 11,
    /// The machine that knows nothing of the overlay and is at the other end.
    External = 12,
    /// An error of the substrate about a packet of one node to another.
    IcmpError = 13,
    /// The resolver is asked for the mapping of an address.
    Ask = 14,
    /// It waits for the mapping of an address; without one, for a node that moves.
    Park = 15,
    /// Listeners are told.
    Event = 16,
    /// Its sender is told by an ICMP message, or an ICMPv6 message, of that type and code.
    Reply = 17,
    /// It is dropped.
    Drop = 18,
}

impl TraceStepKind {
    /// The word of the netlink specification; `None` if the number is newer than this crate.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            TraceStepKind::Port => Some("port"),
            TraceStepKind::Arp => Some("arp"),
            TraceStepKind::SourceCheck => Some("source-check"),
            TraceStepKind::Destination => Some("destination"),
            TraceStepKind::Slot => Some("slot"),
            TraceStepKind::Source => Some("source"),
            TraceStepKind::Peering => Some("peering"),
            TraceStepKind::Policy => Some("policy"),
            TraceStepKind::Route => Some("route"),
            TraceStepKind::Size => Some("size"),
            TraceStepKind::Form => Some("form"),
            TraceStepKind::Delivery => Some("delivery"),
            TraceStepKind::External => Some("external"),
            TraceStepKind::IcmpError => Some("icmp-error"),
            TraceStepKind::Ask => Some("ask"),
            TraceStepKind::Park => Some("park"),
            TraceStepKind::Event => Some("event"),
            TraceStepKind::Reply => Some("reply"),
            TraceStepKind::Drop => Some("drop"),
            TraceStepKind::UnrecognizedConst(_) => None,
        }
    }
}
