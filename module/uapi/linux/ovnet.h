/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/ovnet.yaml */
/* YNL-GEN uapi header */
/* To regenerate run: scripts/generate */

#ifndef _UAPI_LINUX_OVNET_H
#define _UAPI_LINUX_OVNET_H

#define OVNET_FAMILY_NAME	"ovnet"
#define OVNET_FAMILY_VERSION	1

#define OVNET_VNI_MAX	16777215
#define OVNET_GEN_MAX	9223372036854775807
#define OVNET_TTL_MAX	604800000
#define OVNET_TRACE_MAX	9216
#define OVNET_LEASE_MAX	3600000

/**
 * enum ovnet_mapping_state - Where the node of a mapping is, as this host
 *   knows it.
 * @OVNET_MAPPING_STATE_LOCAL: A port of this host.
 * @OVNET_MAPPING_STATE_REMOTE: Behind another host's locator.
 * @OVNET_MAPPING_STATE_DELETED: A tombstone; its generation keeps older news
 *   out.
 * @OVNET_MAPPING_STATE_MOVED: Behind another host's locator since it left a
 *   port of this host, which forwards what still arrives here.
 * @OVNET_MAPPING_STATE_PENDING: Asked for and not known yet; packets wait.
 * @OVNET_MAPPING_STATE_NEGATIVE: Known not to exist, for a while.
 * @OVNET_MAPPING_STATE_EXTERNAL: A machine on the substrate that knows nothing
 *   of the overlay; packets to it are translated as by RFC 7915.
 */
enum ovnet_mapping_state {
	OVNET_MAPPING_STATE_LOCAL,
	OVNET_MAPPING_STATE_REMOTE,
	OVNET_MAPPING_STATE_DELETED,
	OVNET_MAPPING_STATE_MOVED,
	OVNET_MAPPING_STATE_PENDING,
	OVNET_MAPPING_STATE_NEGATIVE,
	OVNET_MAPPING_STATE_EXTERNAL,
};

/**
 * enum ovnet_port_state - Whether a port is where its node is. The states of a
 *   move pass through standby (destination) and frozen (source).
 * @OVNET_PORT_STATE_ACTIVE: The node is here.
 * @OVNET_PORT_STATE_STANDBY: The node will come here; what arrives for it
 *   waits.
 * @OVNET_PORT_STATE_FROZEN: The node pauses here: the port carries nothing of
 *   it. What is for it waits, or is forwarded to the locator given.
 * @OVNET_PORT_STATE_INACTIVE: The node is elsewhere; the port carries nothing.
 * @OVNET_PORT_STATE_FENCED: The lease of this host ended while the node was
 *   here: the node may be elsewhere by now. The port carries nothing until a
 *   greater generation says that the node is here.
 */
enum ovnet_port_state {
	OVNET_PORT_STATE_ACTIVE,
	OVNET_PORT_STATE_STANDBY,
	OVNET_PORT_STATE_FROZEN,
	OVNET_PORT_STATE_INACTIVE,
	OVNET_PORT_STATE_FENCED,
};

/**
 * enum ovnet_source_check - What a port does with a source address that is not
 *   its node's.
 * @OVNET_SOURCE_CHECK_STRICT: Drop and report it as a spoof.
 * @OVNET_SOURCE_CHECK_LEARN: Hold it back and report it as a new address.
 */
enum ovnet_source_check {
	OVNET_SOURCE_CHECK_STRICT,
	OVNET_SOURCE_CHECK_LEARN,
};

/**
 * enum ovnet_resolver_state - Who finds mappings that this host lacks, and
 *   ends those whose time is over.
 * @OVNET_RESOLVER_STATE_NONE: Nobody; packets without a mapping are dropped at
 *   once.
 * @OVNET_RESOLVER_STATE_READY: The sender of the request, as long as its
 *   socket is open. Packets wait for it.
 * @OVNET_RESOLVER_STATE_HOLDING: As ready, but it cannot reach those who know:
 *   mappings stay beyond their hard TTL.
 * @OVNET_RESOLVER_STATE_LOST: Its socket has closed. As holding, until another
 *   takes over.
 */
enum ovnet_resolver_state {
	OVNET_RESOLVER_STATE_NONE,
	OVNET_RESOLVER_STATE_READY,
	OVNET_RESOLVER_STATE_HOLDING,
	OVNET_RESOLVER_STATE_LOST,
};

/**
 * enum ovnet_fidelity - What a network promises of the packets it carries
 *   between hosts.
 * @OVNET_FIDELITY_SEMANTIC: All that means something arrives. The
 *   identification of a packet that is no fragment does not (RFC 6864).
 * @OVNET_FIDELITY_EXACT: Every byte arrives; packets with an identification,
 *   or without DF, cost 40 bytes instead of 20.
 */
enum ovnet_fidelity {
	OVNET_FIDELITY_SEMANTIC,
	OVNET_FIDELITY_EXACT,
};

/**
 * enum ovnet_direction - Which packets a rule of a network is about, as its
 *   nodes see it.
 * @OVNET_DIRECTION_IN: Packets to nodes of the network, where they arrive.
 * @OVNET_DIRECTION_OUT: Packets from nodes of the network, where they are
 *   sent.
 */
enum ovnet_direction {
	OVNET_DIRECTION_IN,
	OVNET_DIRECTION_OUT,
};

/**
 * enum ovnet_action - What becomes of a packet that a rule is about.
 * @OVNET_ACTION_ALLOW: It goes on.
 * @OVNET_ACTION_DENY: It is dropped.
 * @OVNET_ACTION_REJECT: It is dropped, and its sender told by ICMP that
 *   communication is administratively prohibited, if the sender is a node of
 *   this host.
 */
enum ovnet_action {
	OVNET_ACTION_ALLOW,
	OVNET_ACTION_DENY,
	OVNET_ACTION_REJECT,
};

/**
 * enum ovnet_event_kind
 * @OVNET_EVENT_KIND_MISS: A node asked for, or sent to, an address without a
 *   mapping.
 * @OVNET_EVENT_KIND_SPOOF: A node sent from a MAC or an address that is not
 *   its own.
 * @OVNET_EVENT_KIND_FORGED: A packet came from a locator where its source node
 *   is not; the locator attribute is the claimed one.
 * @OVNET_EVENT_KIND_MAPPING: A mapping was set or deleted.
 * @OVNET_EVENT_KIND_PORT: A port was configured or its configuration removed.
 * @OVNET_EVENT_KIND_EXPIRY: A mapping in use has passed its soft TTL (state as
 *   before), or one has passed its hard TTL and is gone (state deleted).
 * @OVNET_EVENT_KIND_NEW_ADDRESS: A node sent from, or announced, an address
 *   that is not its own yet, on a port that learns.
 * @OVNET_EVENT_KIND_CLAIM: A node announced an address that is another node's.
 * @OVNET_EVENT_KIND_STALE: A host, the locator attribute, still sends here
 *   what this host forwards: its mapping is out of date.
 * @OVNET_EVENT_KIND_REFUSED: A packet was not-authorised, or refused by
 *   policy: address is that of the node here, peer-vni and peer-address are
 *   those of the other one.
 * @OVNET_EVENT_KIND_FENCED: The lease of this host has ended, and its ports
 *   under lease carry nothing any more.
 */
enum ovnet_event_kind {
	OVNET_EVENT_KIND_MISS,
	OVNET_EVENT_KIND_SPOOF,
	OVNET_EVENT_KIND_FORGED,
	OVNET_EVENT_KIND_MAPPING,
	OVNET_EVENT_KIND_PORT,
	OVNET_EVENT_KIND_EXPIRY,
	OVNET_EVENT_KIND_NEW_ADDRESS,
	OVNET_EVENT_KIND_CLAIM,
	OVNET_EVENT_KIND_STALE,
	OVNET_EVENT_KIND_REFUSED,
	OVNET_EVENT_KIND_FENCED,
};

/**
 * enum ovnet_stats_scope - What counters are about.
 * @OVNET_STATS_SCOPE_HOST: All of this host.
 * @OVNET_STATS_SCOPE_PORT: One port, whose tx and rx include what stays on the
 *   host.
 * @OVNET_STATS_SCOPE_NETWORK: One network, on this host.
 * @OVNET_STATS_SCOPE_REMOTE: What is exchanged with one remote host.
 */
enum ovnet_stats_scope {
	OVNET_STATS_SCOPE_HOST,
	OVNET_STATS_SCOPE_PORT,
	OVNET_STATS_SCOPE_NETWORK,
	OVNET_STATS_SCOPE_REMOTE,
};

/**
 * enum ovnet_drop_reason - Why a packet was dropped. The same word stands in
 *   counters, events, tools and documents.
 * @OVNET_DROP_REASON_MALFORMED: A header is truncated or contradicts the
 *   packet's length.
 * @OVNET_DROP_REASON_PORT_UNCONFIGURED: The port belongs to no network yet.
 * @OVNET_DROP_REASON_PORT_DOWN: The port of the destination is not up.
 * @OVNET_DROP_REASON_SPOOF_MAC: The source MAC is not the port's.
 * @OVNET_DROP_REASON_SPOOF_ADDRESS: The source address is not the port's.
 * @OVNET_DROP_REASON_NOT_IPV4: A frame of a type this network does not carry.
 * @OVNET_DROP_REASON_ARP_UNANSWERED: ARP that calls for no answer: a probe of
 *   the asker's own address, an announcement, a reply.
 * @OVNET_DROP_REASON_MULTICAST: Multicast or broadcast, which this network
 *   does not carry.
 * @OVNET_DROP_REASON_NO_MAPPING: No mapping of the destination is known.
 * @OVNET_DROP_REASON_DESTINATION_MAC: The destination MAC is not that of the
 *   destination's mapping.
 * @OVNET_DROP_REASON_NEEDS_ESCAPE: IPv4 options, a fragment, the reserved
 *   flag, or a protocol whose number means something else in IPv6 (IGMP among
 *   them): the fast form cannot restore it.
 * @OVNET_DROP_REASON_TTL: The packet's TTL is 0.
 * @OVNET_DROP_REASON_TOO_BIG: The packet exceeds the path's MTU.
 * @OVNET_DROP_REASON_OFFLOAD: A kind of offload the translation cannot carry
 *   (GSO type, LRO).
 * @OVNET_DROP_REASON_NO_ROUTE: The substrate has no route to the remote host.
 * @OVNET_DROP_REASON_NO_MEMORY: Memory ran out.
 * @OVNET_DROP_REASON_UNKNOWN_NETWORK: The packet's network is not on this
 *   host.
 * @OVNET_DROP_REASON_NETWORK_MISMATCH: Source and destination are of different
 *   networks.
 * @OVNET_DROP_REASON_ADDRESS_FORM: Reserved or unsupported slot, U or G bits
 *   in an address.
 * @OVNET_DROP_REASON_NEXT_HEADER: A next header that is not of the fast form.
 * @OVNET_DROP_REASON_SUBSTRATE_ICMP: An ICMPv6 message to a node's address
 *   that is about no packet of a node here, or one more than the rate limit
 *   admits.
 * @OVNET_DROP_REASON_NOT_HERE: The destination node is not on this host.
 * @OVNET_DROP_REASON_UNKNOWN_SOURCE: No mapping of the source node is known.
 * @OVNET_DROP_REASON_FORGED_SOURCE: The source locator is not where the source
 *   node is.
 * @OVNET_DROP_REASON_MARTIAN_SOURCE: A source address that no sender there can
 *   have: loopback, unspecified, a group, reserved, link-local, or inside the
 *   translation prefix.
 * @OVNET_DROP_REASON_SOURCE_ROUTE: An IPv4 source route or an IPv6 routing
 *   header that is not used up.
 * @OVNET_DROP_REASON_TTL_EXCEEDED: The TTL or hop limit runs out at this hop.
 * @OVNET_DROP_REASON_EXTENSION_HEADERS: IPv6 extension headers that IPv4
 *   cannot have: too many, too long, or behind a Fragment header.
 * @OVNET_DROP_REASON_ICMP_UNTRANSLATABLE: An ICMP message without a
 *   counterpart in the other protocol.
 * @OVNET_DROP_REASON_ICMP_FRAGMENT: A fragment of an ICMP message, whose
 *   checksum covers bytes that are not there.
 * @OVNET_DROP_REASON_ICMP_CHECKSUM: An ICMP error whose checksum is wrong.
 * @OVNET_DROP_REASON_ICMP_QUOTE: An ICMP error that quotes another ICMP error,
 *   or too little of a packet to tell whose it was.
 * @OVNET_DROP_REASON_UDP_ZERO_CHECKSUM: A UDP datagram without a checksum,
 *   which IPv6 asks for.
 * @OVNET_DROP_REASON_ESCAPE_MISMATCH: An escaped packet whose own addresses
 *   are not those of the packet around it.
 * @OVNET_DROP_REASON_UNRESOLVED: The packet waited for a mapping that did not
 *   come in time.
 * @OVNET_DROP_REASON_PARKED_OVERFLOW: More packets wait for this mapping or
 *   this node than are kept.
 * @OVNET_DROP_REASON_MISS_LIMIT: More addresses are being asked for, by this
 *   port or on this host, than is allowed at a time.
 * @OVNET_DROP_REASON_NO_SUCH_NODE: The address is known not to exist, for a
 *   while.
 * @OVNET_DROP_REASON_NEW_ADDRESS: A source address that the port has not been
 *   given yet.
 * @OVNET_DROP_REASON_PORT_INACTIVE: The port's node is not here, or pauses.
 * @OVNET_DROP_REASON_FORWARD_LOOP: A packet for a node that has moved on,
 *   which was sent on too often.
 * @OVNET_DROP_REASON_NOT_AUTHORISED: No peering lets nodes of the one network
 *   send to those of the other.
 * @OVNET_DROP_REASON_POLICY: A rule of the network, or what it does without
 *   one, refuses the packet.
 * @OVNET_DROP_REASON_FENCED: The port is under the lease of this host, which
 *   has ended: its node may be elsewhere by now.
 */
enum ovnet_drop_reason {
	OVNET_DROP_REASON_MALFORMED,
	OVNET_DROP_REASON_PORT_UNCONFIGURED,
	OVNET_DROP_REASON_PORT_DOWN,
	OVNET_DROP_REASON_SPOOF_MAC,
	OVNET_DROP_REASON_SPOOF_ADDRESS,
	OVNET_DROP_REASON_NOT_IPV4,
	OVNET_DROP_REASON_ARP_UNANSWERED,
	OVNET_DROP_REASON_MULTICAST,
	OVNET_DROP_REASON_NO_MAPPING,
	OVNET_DROP_REASON_DESTINATION_MAC,
	OVNET_DROP_REASON_NEEDS_ESCAPE,
	OVNET_DROP_REASON_TTL,
	OVNET_DROP_REASON_TOO_BIG,
	OVNET_DROP_REASON_OFFLOAD,
	OVNET_DROP_REASON_NO_ROUTE,
	OVNET_DROP_REASON_NO_MEMORY,
	OVNET_DROP_REASON_UNKNOWN_NETWORK,
	OVNET_DROP_REASON_NETWORK_MISMATCH,
	OVNET_DROP_REASON_ADDRESS_FORM,
	OVNET_DROP_REASON_NEXT_HEADER,
	OVNET_DROP_REASON_SUBSTRATE_ICMP,
	OVNET_DROP_REASON_NOT_HERE,
	OVNET_DROP_REASON_UNKNOWN_SOURCE,
	OVNET_DROP_REASON_FORGED_SOURCE,
	OVNET_DROP_REASON_MARTIAN_SOURCE,
	OVNET_DROP_REASON_SOURCE_ROUTE,
	OVNET_DROP_REASON_TTL_EXCEEDED,
	OVNET_DROP_REASON_EXTENSION_HEADERS,
	OVNET_DROP_REASON_ICMP_UNTRANSLATABLE,
	OVNET_DROP_REASON_ICMP_FRAGMENT,
	OVNET_DROP_REASON_ICMP_CHECKSUM,
	OVNET_DROP_REASON_ICMP_QUOTE,
	OVNET_DROP_REASON_UDP_ZERO_CHECKSUM,
	OVNET_DROP_REASON_ESCAPE_MISMATCH,
	OVNET_DROP_REASON_UNRESOLVED,
	OVNET_DROP_REASON_PARKED_OVERFLOW,
	OVNET_DROP_REASON_MISS_LIMIT,
	OVNET_DROP_REASON_NO_SUCH_NODE,
	OVNET_DROP_REASON_NEW_ADDRESS,
	OVNET_DROP_REASON_PORT_INACTIVE,
	OVNET_DROP_REASON_FORWARD_LOOP,
	OVNET_DROP_REASON_NOT_AUTHORISED,
	OVNET_DROP_REASON_POLICY,
	OVNET_DROP_REASON_FENCED,
};

/**
 * enum ovnet_form - How a packet travels.
 * @OVNET_FORM_NONE: It was not decided yet.
 * @OVNET_FORM_FAST: Its IPv4 header became an IPv6 header.
 * @OVNET_FORM_ESCAPE: Whole, behind an IPv6 header.
 * @OVNET_FORM_LOCAL: As it is, between two ports of this host.
 * @OVNET_FORM_STANDARD: As RFC 7915 has it, for machines that know nothing of
 *   the overlay.
 */
enum ovnet_form {
	OVNET_FORM_NONE,
	OVNET_FORM_FAST,
	OVNET_FORM_ESCAPE,
	OVNET_FORM_LOCAL,
	OVNET_FORM_STANDARD,
};

/**
 * enum ovnet_trace_verdict - What would become of a packet.
 * @OVNET_TRACE_VERDICT_DROPPED: It is dropped; the last step says why.
 * @OVNET_TRACE_VERDICT_SENT: It is sent to a remote host.
 * @OVNET_TRACE_VERDICT_FRAGMENTED: It is sent to a remote host in fragments.
 * @OVNET_TRACE_VERDICT_EXTERNAL: It is sent to a machine that knows nothing of
 *   the overlay.
 * @OVNET_TRACE_VERDICT_DELIVERED: It is delivered to a port of this host.
 * @OVNET_TRACE_VERDICT_FORWARDED: It is sent on to the host where its node is
 *   by now.
 * @OVNET_TRACE_VERDICT_ANSWERED: It is an ARP request that is answered.
 * @OVNET_TRACE_VERDICT_PARKED: It waits for a mapping, or for a node that
 *   moves.
 */
enum ovnet_trace_verdict {
	OVNET_TRACE_VERDICT_DROPPED,
	OVNET_TRACE_VERDICT_SENT,
	OVNET_TRACE_VERDICT_FRAGMENTED,
	OVNET_TRACE_VERDICT_EXTERNAL,
	OVNET_TRACE_VERDICT_DELIVERED,
	OVNET_TRACE_VERDICT_FORWARDED,
	OVNET_TRACE_VERDICT_ANSWERED,
	OVNET_TRACE_VERDICT_PARKED,
};

/**
 * enum ovnet_trace_step_kind - A step on the way of a packet; a step that
 *   refuses it is followed by its drop.
 * @OVNET_TRACE_STEP_KIND_PORT: A node sends it from this port, which is
 *   attached as that node.
 * @OVNET_TRACE_STEP_KIND_ARP: It is an ARP message of one address about
 *   another.
 * @OVNET_TRACE_STEP_KIND_SOURCE_CHECK: Whether its node may send from its MAC
 *   and address.
 * @OVNET_TRACE_STEP_KIND_DESTINATION: The mapping of its destination; without
 *   a state there is none.
 * @OVNET_TRACE_STEP_KIND_SLOT: The slot that it is for.
 * @OVNET_TRACE_STEP_KIND_SOURCE: The mapping of its source, and the locator
 *   that it comes from.
 * @OVNET_TRACE_STEP_KIND_PEERING: Whether nodes of the one network may send to
 *   nodes of the other.
 * @OVNET_TRACE_STEP_KIND_POLICY: What the rules of a network say; without a
 *   rule it is the default.
 * @OVNET_TRACE_STEP_KIND_ROUTE: The substrate's route to the remote host;
 *   without a device there is none.
 * @OVNET_TRACE_STEP_KIND_SIZE: Its length as it would travel, and the most
 *   that the path takes.
 * @OVNET_TRACE_STEP_KIND_FORM: The form that it gets, or has.
 * @OVNET_TRACE_STEP_KIND_DELIVERY: The port that it is for.
 * @OVNET_TRACE_STEP_KIND_EXTERNAL: The machine that knows nothing of the
 *   overlay and is at the other end.
 * @OVNET_TRACE_STEP_KIND_ICMP_ERROR: An error of the substrate about a packet
 *   of one node to another.
 * @OVNET_TRACE_STEP_KIND_ASK: The resolver is asked for the mapping of an
 *   address.
 * @OVNET_TRACE_STEP_KIND_PARK: It waits for the mapping of an address; without
 *   one, for a node that moves.
 * @OVNET_TRACE_STEP_KIND_EVENT: Listeners are told.
 * @OVNET_TRACE_STEP_KIND_REPLY: Its sender is told by an ICMP message, or an
 *   ICMPv6 message, of that type and code.
 * @OVNET_TRACE_STEP_KIND_DROP: It is dropped.
 */
enum ovnet_trace_step_kind {
	OVNET_TRACE_STEP_KIND_PORT,
	OVNET_TRACE_STEP_KIND_ARP,
	OVNET_TRACE_STEP_KIND_SOURCE_CHECK,
	OVNET_TRACE_STEP_KIND_DESTINATION,
	OVNET_TRACE_STEP_KIND_SLOT,
	OVNET_TRACE_STEP_KIND_SOURCE,
	OVNET_TRACE_STEP_KIND_PEERING,
	OVNET_TRACE_STEP_KIND_POLICY,
	OVNET_TRACE_STEP_KIND_ROUTE,
	OVNET_TRACE_STEP_KIND_SIZE,
	OVNET_TRACE_STEP_KIND_FORM,
	OVNET_TRACE_STEP_KIND_DELIVERY,
	OVNET_TRACE_STEP_KIND_EXTERNAL,
	OVNET_TRACE_STEP_KIND_ICMP_ERROR,
	OVNET_TRACE_STEP_KIND_ASK,
	OVNET_TRACE_STEP_KIND_PARK,
	OVNET_TRACE_STEP_KIND_EVENT,
	OVNET_TRACE_STEP_KIND_REPLY,
	OVNET_TRACE_STEP_KIND_DROP,
};

enum {
	OVNET_A_HOST_LOCATOR = 1,
	OVNET_A_HOST_SELF,
	OVNET_A_HOST_MAPPINGS,
	OVNET_A_HOST_RESOLVER,
	OVNET_A_HOST_MAPPINGS_MAX,
	OVNET_A_HOST_LEASE,
	OVNET_A_HOST_LEASE_FROM,

	__OVNET_A_HOST_MAX,
	OVNET_A_HOST_MAX = (__OVNET_A_HOST_MAX - 1)
};

enum {
	OVNET_A_NETWORK_VNI = 1,
	OVNET_A_NETWORK_TTL,
	OVNET_A_NETWORK_PORTS,
	OVNET_A_NETWORK_MAPPINGS,
	OVNET_A_NETWORK_FIDELITY,
	OVNET_A_NETWORK_POLICY_IN,
	OVNET_A_NETWORK_POLICY_OUT,
	OVNET_A_NETWORK_RULES,

	__OVNET_A_NETWORK_MAX,
	OVNET_A_NETWORK_MAX = (__OVNET_A_NETWORK_MAX - 1)
};

enum {
	OVNET_A_PORT_IFINDEX = 1,
	OVNET_A_PORT_NETNS_FD,
	OVNET_A_PORT_NETNS_ID,
	OVNET_A_PORT_IFNAME,
	OVNET_A_PORT_VNI,
	OVNET_A_PORT_ADDRESS,
	OVNET_A_PORT_MAC,
	OVNET_A_PORT_GEN,
	OVNET_A_PORT_STATE,
	OVNET_A_PORT_LOCATOR,
	OVNET_A_PORT_SOURCE_CHECK,
	OVNET_A_PORT_SOURCE,
	OVNET_A_PORT_PARKED,
	OVNET_A_PORT_IDLE,
	OVNET_A_PORT_SLOT,
	OVNET_A_PORT_NODE,
	OVNET_A_PORT_LEASE,

	__OVNET_A_PORT_MAX,
	OVNET_A_PORT_MAX = (__OVNET_A_PORT_MAX - 1)
};

enum {
	OVNET_A_SOURCE_ADDRESS = 1,
	OVNET_A_SOURCE_PREFIX_LEN,
	OVNET_A_SOURCE_IDLE,

	__OVNET_A_SOURCE_MAX,
	OVNET_A_SOURCE_MAX = (__OVNET_A_SOURCE_MAX - 1)
};

enum {
	OVNET_A_MAPPING_VNI = 1,
	OVNET_A_MAPPING_ADDRESS,
	OVNET_A_MAPPING_LOCATOR,
	OVNET_A_MAPPING_MAC,
	OVNET_A_MAPPING_GEN,
	OVNET_A_MAPPING_STATE,
	OVNET_A_MAPPING_IFINDEX,
	OVNET_A_MAPPING_NETNS_ID,
	OVNET_A_MAPPING_PEER_VNI,
	OVNET_A_MAPPING_SOFT_TTL,
	OVNET_A_MAPPING_HARD_TTL,
	OVNET_A_MAPPING_IDLE,
	OVNET_A_MAPPING_PARKED,
	OVNET_A_MAPPING_EXTERNAL,
	OVNET_A_MAPPING_SLOT,
	OVNET_A_MAPPING_FORGET,

	__OVNET_A_MAPPING_MAX,
	OVNET_A_MAPPING_MAX = (__OVNET_A_MAPPING_MAX - 1)
};

enum {
	OVNET_A_MAPPING_BATCH_MAPPING = 1,
	OVNET_A_MAPPING_BATCH_INSTALLED,
	OVNET_A_MAPPING_BATCH_UNCHANGED,
	OVNET_A_MAPPING_BATCH_REFUSED,

	__OVNET_A_MAPPING_BATCH_MAX,
	OVNET_A_MAPPING_BATCH_MAX = (__OVNET_A_MAPPING_BATCH_MAX - 1)
};

enum {
	OVNET_A_PEERING_FROM = 1,
	OVNET_A_PEERING_TO,
	OVNET_A_PEERING_SRC,
	OVNET_A_PEERING_SRC_LEN,
	OVNET_A_PEERING_DST,
	OVNET_A_PEERING_DST_LEN,

	__OVNET_A_PEERING_MAX,
	OVNET_A_PEERING_MAX = (__OVNET_A_PEERING_MAX - 1)
};

enum {
	OVNET_A_RULE_ID = 1,
	OVNET_A_RULE_DIRECTION,
	OVNET_A_RULE_PRIORITY,
	OVNET_A_RULE_ACTION,
	OVNET_A_RULE_SRC,
	OVNET_A_RULE_SRC_LEN,
	OVNET_A_RULE_DST,
	OVNET_A_RULE_DST_LEN,
	OVNET_A_RULE_PROTOCOL,
	OVNET_A_RULE_SPORT_MIN,
	OVNET_A_RULE_SPORT_MAX,
	OVNET_A_RULE_DPORT_MIN,
	OVNET_A_RULE_DPORT_MAX,
	OVNET_A_RULE_ICMP_TYPE,
	OVNET_A_RULE_ICMP_CODE,
	OVNET_A_RULE_SIZE_MIN,
	OVNET_A_RULE_SIZE_MAX,
	OVNET_A_RULE_PEER,
	OVNET_A_RULE_PACKETS,
	OVNET_A_RULE_BYTES,

	__OVNET_A_RULE_MAX,
	OVNET_A_RULE_MAX = (__OVNET_A_RULE_MAX - 1)
};

enum {
	OVNET_A_POLICY_VNI = 1,
	OVNET_A_POLICY_RULE,
	OVNET_A_POLICY_ID,

	__OVNET_A_POLICY_MAX,
	OVNET_A_POLICY_MAX = (__OVNET_A_POLICY_MAX - 1)
};

enum {
	OVNET_A_DROP_REASON = 1,
	OVNET_A_DROP_PACKETS,

	__OVNET_A_DROP_MAX,
	OVNET_A_DROP_MAX = (__OVNET_A_DROP_MAX - 1)
};

enum {
	OVNET_A_STATS_TX_PACKETS = 1,
	OVNET_A_STATS_TX_BYTES,
	OVNET_A_STATS_RX_PACKETS,
	OVNET_A_STATS_RX_BYTES,
	OVNET_A_STATS_LOCAL_PACKETS,
	OVNET_A_STATS_LOCAL_BYTES,
	OVNET_A_STATS_ARP_REPLIES,
	OVNET_A_STATS_DROP,
	OVNET_A_STATS_ICMP_ERRORS,
	OVNET_A_STATS_LABELS_CLEARED,
	OVNET_A_STATS_FORWARDED,
	OVNET_A_STATS_SCOPE,
	OVNET_A_STATS_IFINDEX,
	OVNET_A_STATS_NETNS_FD,
	OVNET_A_STATS_NETNS_ID,
	OVNET_A_STATS_IFNAME,
	OVNET_A_STATS_VNI,
	OVNET_A_STATS_ADDRESS,
	OVNET_A_STATS_LOCATOR,

	__OVNET_A_STATS_MAX,
	OVNET_A_STATS_MAX = (__OVNET_A_STATS_MAX - 1)
};

enum {
	OVNET_A_EVENT_KIND = 1,
	OVNET_A_EVENT_VNI,
	OVNET_A_EVENT_ADDRESS,
	OVNET_A_EVENT_MAC,
	OVNET_A_EVENT_LOCATOR,
	OVNET_A_EVENT_GEN,
	OVNET_A_EVENT_STATE,
	OVNET_A_EVENT_IFINDEX,
	OVNET_A_EVENT_IFNAME,
	OVNET_A_EVENT_SUPPRESSED,
	OVNET_A_EVENT_PEER_VNI,
	OVNET_A_EVENT_PEER_ADDRESS,
	OVNET_A_EVENT_DIRECTION,
	OVNET_A_EVENT_REASON,
	OVNET_A_EVENT_RULE,
	OVNET_A_EVENT_NODE,

	__OVNET_A_EVENT_MAX,
	OVNET_A_EVENT_MAX = (__OVNET_A_EVENT_MAX - 1)
};

enum {
	OVNET_A_TRACE_STEP_KIND = 1,
	OVNET_A_TRACE_STEP_REASON,
	OVNET_A_TRACE_STEP_VNI,
	OVNET_A_TRACE_STEP_ADDRESS,
	OVNET_A_TRACE_STEP_MAC,
	OVNET_A_TRACE_STEP_GEN,
	OVNET_A_TRACE_STEP_STATE,
	OVNET_A_TRACE_STEP_PORT_STATE,
	OVNET_A_TRACE_STEP_LOCATOR,
	OVNET_A_TRACE_STEP_FROM,
	OVNET_A_TRACE_STEP_SLOT,
	OVNET_A_TRACE_STEP_EXTERNAL,
	OVNET_A_TRACE_STEP_PEER_VNI,
	OVNET_A_TRACE_STEP_PEER_ADDRESS,
	OVNET_A_TRACE_STEP_DIRECTION,
	OVNET_A_TRACE_STEP_RULE,
	OVNET_A_TRACE_STEP_ACTION,
	OVNET_A_TRACE_STEP_FORM,
	OVNET_A_TRACE_STEP_IFINDEX,
	OVNET_A_TRACE_STEP_NETNS_ID,
	OVNET_A_TRACE_STEP_IFNAME,
	OVNET_A_TRACE_STEP_NEXTHOP,
	OVNET_A_TRACE_STEP_MTU,
	OVNET_A_TRACE_STEP_LENGTH,
	OVNET_A_TRACE_STEP_EVENT,
	OVNET_A_TRACE_STEP_ICMP_TYPE,
	OVNET_A_TRACE_STEP_ICMP_CODE,

	__OVNET_A_TRACE_STEP_MAX,
	OVNET_A_TRACE_STEP_MAX = (__OVNET_A_TRACE_STEP_MAX - 1)
};

enum {
	OVNET_A_TRACE_IFINDEX = 1,
	OVNET_A_TRACE_NETNS_FD,
	OVNET_A_TRACE_FRAME,
	OVNET_A_TRACE_PACKET,
	OVNET_A_TRACE_VERDICT,
	OVNET_A_TRACE_STEP,
	OVNET_A_TRACE_OUT,
	OVNET_A_TRACE_NETNS_ID,

	__OVNET_A_TRACE_MAX,
	OVNET_A_TRACE_MAX = (__OVNET_A_TRACE_MAX - 1)
};

enum ovnet_cmd {
	OVNET_CMD_HOST_SET = 1,
	OVNET_CMD_HOST_DEL,
	OVNET_CMD_HOST_GET,
	OVNET_CMD_NETWORK_SET,
	OVNET_CMD_NETWORK_DEL,
	OVNET_CMD_NETWORK_GET,
	OVNET_CMD_PORT_SET,
	OVNET_CMD_PORT_DEL,
	OVNET_CMD_PORT_GET,
	OVNET_CMD_MAPPING_SET,
	OVNET_CMD_MAPPING_DEL,
	OVNET_CMD_MAPPING_GET,
	OVNET_CMD_STATS_GET,
	OVNET_CMD_EVENT,
	OVNET_CMD_MAPPING_BATCH,
	OVNET_CMD_RULE_SET,
	OVNET_CMD_RULE_DEL,
	OVNET_CMD_RULE_GET,
	OVNET_CMD_PEERING_SET,
	OVNET_CMD_PEERING_DEL,
	OVNET_CMD_PEERING_GET,
	OVNET_CMD_TRACE,

	__OVNET_CMD_MAX,
	OVNET_CMD_MAX = (__OVNET_CMD_MAX - 1)
};

#define OVNET_MCGRP_EVENTS	"events"

#endif /* _UAPI_LINUX_OVNET_H */
