// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/ovnet.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: scripts/generate */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

#include <uapi/linux/ovnet.h>

/* Integer value ranges */
static const struct netlink_range_validation ovnet_a_host_lease_range = {
	.max	= OVNET_LEASE_MAX,
};

static const struct netlink_range_validation ovnet_a_network_vni_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_port_vni_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_port_gen_range = {
	.max	= OVNET_GEN_MAX,
};

static const struct netlink_range_validation ovnet_a_mapping_vni_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_mapping_gen_range = {
	.max	= OVNET_GEN_MAX,
};

static const struct netlink_range_validation ovnet_a_mapping_peer_vni_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_mapping_soft_ttl_range = {
	.max	= OVNET_TTL_MAX,
};

static const struct netlink_range_validation ovnet_a_mapping_hard_ttl_range = {
	.max	= OVNET_TTL_MAX,
};

static const struct netlink_range_validation ovnet_a_peering_from_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_peering_to_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_rule_peer_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_policy_vni_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

static const struct netlink_range_validation ovnet_a_stats_vni_range = {
	.min	= 1ULL,
	.max	= OVNET_VNI_MAX,
};

/* Common nested types */
const struct nla_policy ovnet_mapping_entry_nl_policy[OVNET_A_MAPPING_SLOT + 1] = {
	[OVNET_A_MAPPING_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_vni_range),
	[OVNET_A_MAPPING_ADDRESS] = { .type = NLA_BE32, },
	[OVNET_A_MAPPING_LOCATOR] = NLA_POLICY_EXACT_LEN(16),
	[OVNET_A_MAPPING_MAC] = NLA_POLICY_EXACT_LEN(6),
	[OVNET_A_MAPPING_GEN] = NLA_POLICY_FULL_RANGE(NLA_U64, &ovnet_a_mapping_gen_range),
	[OVNET_A_MAPPING_STATE] = NLA_POLICY_MAX(NLA_U32, 6),
	[OVNET_A_MAPPING_SLOT] = NLA_POLICY_MAX(NLA_U8, 63),
	[OVNET_A_MAPPING_PEER_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_peer_vni_range),
	[OVNET_A_MAPPING_SOFT_TTL] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_soft_ttl_range),
	[OVNET_A_MAPPING_HARD_TTL] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_hard_ttl_range),
	[OVNET_A_MAPPING_EXTERNAL] = NLA_POLICY_EXACT_LEN(16),
};

const struct nla_policy ovnet_rule_nl_policy[OVNET_A_RULE_BYTES + 1] = {
	[OVNET_A_RULE_ID] = { .type = NLA_U32, },
	[OVNET_A_RULE_DIRECTION] = NLA_POLICY_MAX(NLA_U32, 1),
	[OVNET_A_RULE_PRIORITY] = { .type = NLA_U16, },
	[OVNET_A_RULE_ACTION] = NLA_POLICY_MAX(NLA_U32, 2),
	[OVNET_A_RULE_SRC] = { .type = NLA_BE32, },
	[OVNET_A_RULE_SRC_LEN] = NLA_POLICY_MAX(NLA_U8, 32),
	[OVNET_A_RULE_DST] = { .type = NLA_BE32, },
	[OVNET_A_RULE_DST_LEN] = NLA_POLICY_MAX(NLA_U8, 32),
	[OVNET_A_RULE_PROTOCOL] = { .type = NLA_U8, },
	[OVNET_A_RULE_SPORT_MIN] = { .type = NLA_U16, },
	[OVNET_A_RULE_SPORT_MAX] = { .type = NLA_U16, },
	[OVNET_A_RULE_DPORT_MIN] = { .type = NLA_U16, },
	[OVNET_A_RULE_DPORT_MAX] = { .type = NLA_U16, },
	[OVNET_A_RULE_ICMP_TYPE] = { .type = NLA_U8, },
	[OVNET_A_RULE_ICMP_CODE] = { .type = NLA_U8, },
	[OVNET_A_RULE_SIZE_MIN] = { .type = NLA_U16, },
	[OVNET_A_RULE_SIZE_MAX] = { .type = NLA_U16, },
	[OVNET_A_RULE_PEER] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_rule_peer_range),
	[OVNET_A_RULE_PACKETS] = { .type = NLA_U64, },
	[OVNET_A_RULE_BYTES] = { .type = NLA_U64, },
};

const struct nla_policy ovnet_source_nl_policy[OVNET_A_SOURCE_IDLE + 1] = {
	[OVNET_A_SOURCE_ADDRESS] = { .type = NLA_BE32, },
	[OVNET_A_SOURCE_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U8, 32),
	[OVNET_A_SOURCE_IDLE] = { .type = NLA_U32, },
};

/* OVNET_CMD_HOST_SET - do */
static const struct nla_policy ovnet_host_set_nl_policy[OVNET_A_HOST_LEASE_FROM + 1] = {
	[OVNET_A_HOST_LOCATOR] = NLA_POLICY_EXACT_LEN(16),
	[OVNET_A_HOST_RESOLVER] = NLA_POLICY_MAX(NLA_U32, 3),
	[OVNET_A_HOST_MAPPINGS_MAX] = NLA_POLICY_MIN(NLA_U32, 1),
	[OVNET_A_HOST_LEASE] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_host_lease_range),
	[OVNET_A_HOST_LEASE_FROM] = { .type = NLA_U64, },
};

/* OVNET_CMD_HOST_DEL - do */
static const struct nla_policy ovnet_host_del_nl_policy[OVNET_A_HOST_LOCATOR + 1] = {
	[OVNET_A_HOST_LOCATOR] = NLA_POLICY_EXACT_LEN(16),
};

/* OVNET_CMD_HOST_GET - do */
static const struct nla_policy ovnet_host_get_nl_policy[OVNET_A_HOST_LOCATOR + 1] = {
	[OVNET_A_HOST_LOCATOR] = NLA_POLICY_EXACT_LEN(16),
};

/* OVNET_CMD_NETWORK_SET - do */
static const struct nla_policy ovnet_network_set_nl_policy[OVNET_A_NETWORK_POLICY_OUT + 1] = {
	[OVNET_A_NETWORK_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_network_vni_range),
	[OVNET_A_NETWORK_TTL] = NLA_POLICY_MIN(NLA_U8, 1),
	[OVNET_A_NETWORK_FIDELITY] = NLA_POLICY_MAX(NLA_U32, 1),
	[OVNET_A_NETWORK_POLICY_IN] = NLA_POLICY_MAX(NLA_U32, 2),
	[OVNET_A_NETWORK_POLICY_OUT] = NLA_POLICY_MAX(NLA_U32, 2),
};

/* OVNET_CMD_NETWORK_DEL - do */
static const struct nla_policy ovnet_network_del_nl_policy[OVNET_A_NETWORK_VNI + 1] = {
	[OVNET_A_NETWORK_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_network_vni_range),
};

/* OVNET_CMD_NETWORK_GET - do */
static const struct nla_policy ovnet_network_get_nl_policy[OVNET_A_NETWORK_VNI + 1] = {
	[OVNET_A_NETWORK_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_network_vni_range),
};

/* OVNET_CMD_PORT_SET - do */
static const struct nla_policy ovnet_port_set_nl_policy[OVNET_A_PORT_LEASE + 1] = {
	[OVNET_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[OVNET_A_PORT_NETNS_FD] = { .type = NLA_U32, },
	[OVNET_A_PORT_NETNS_ID] = { .type = NLA_S32, },
	[OVNET_A_PORT_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_port_vni_range),
	[OVNET_A_PORT_ADDRESS] = { .type = NLA_BE32, },
	[OVNET_A_PORT_MAC] = NLA_POLICY_EXACT_LEN(6),
	[OVNET_A_PORT_GEN] = NLA_POLICY_FULL_RANGE(NLA_U64, &ovnet_a_port_gen_range),
	[OVNET_A_PORT_STATE] = NLA_POLICY_MAX(NLA_U32, 4),
	[OVNET_A_PORT_LOCATOR] = NLA_POLICY_EXACT_LEN(16),
	[OVNET_A_PORT_SOURCE_CHECK] = NLA_POLICY_MAX(NLA_U32, 1),
	[OVNET_A_PORT_SOURCE] = NLA_POLICY_NESTED(ovnet_source_nl_policy),
	[OVNET_A_PORT_SLOT] = NLA_POLICY_MAX(NLA_U8, 63),
	[OVNET_A_PORT_NODE] = { .type = NLA_U64, },
	[OVNET_A_PORT_LEASE] = NLA_POLICY_MAX(NLA_U8, 1),
};

/* OVNET_CMD_PORT_DEL - do */
static const struct nla_policy ovnet_port_del_nl_policy[OVNET_A_PORT_NETNS_ID + 1] = {
	[OVNET_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[OVNET_A_PORT_NETNS_FD] = { .type = NLA_U32, },
	[OVNET_A_PORT_NETNS_ID] = { .type = NLA_S32, },
};

/* OVNET_CMD_PORT_GET - do */
static const struct nla_policy ovnet_port_get_nl_policy[OVNET_A_PORT_NETNS_ID + 1] = {
	[OVNET_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[OVNET_A_PORT_NETNS_FD] = { .type = NLA_U32, },
	[OVNET_A_PORT_NETNS_ID] = { .type = NLA_S32, },
};

/* OVNET_CMD_MAPPING_SET - do */
static const struct nla_policy ovnet_mapping_set_nl_policy[OVNET_A_MAPPING_SLOT + 1] = {
	[OVNET_A_MAPPING_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_vni_range),
	[OVNET_A_MAPPING_ADDRESS] = { .type = NLA_BE32, },
	[OVNET_A_MAPPING_LOCATOR] = NLA_POLICY_EXACT_LEN(16),
	[OVNET_A_MAPPING_MAC] = NLA_POLICY_EXACT_LEN(6),
	[OVNET_A_MAPPING_GEN] = NLA_POLICY_FULL_RANGE(NLA_U64, &ovnet_a_mapping_gen_range),
	[OVNET_A_MAPPING_STATE] = NLA_POLICY_MAX(NLA_U32, 6),
	[OVNET_A_MAPPING_SLOT] = NLA_POLICY_MAX(NLA_U8, 63),
	[OVNET_A_MAPPING_PEER_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_peer_vni_range),
	[OVNET_A_MAPPING_SOFT_TTL] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_soft_ttl_range),
	[OVNET_A_MAPPING_HARD_TTL] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_hard_ttl_range),
	[OVNET_A_MAPPING_EXTERNAL] = NLA_POLICY_EXACT_LEN(16),
};

/* OVNET_CMD_MAPPING_DEL - do */
static const struct nla_policy ovnet_mapping_del_nl_policy[OVNET_A_MAPPING_FORGET + 1] = {
	[OVNET_A_MAPPING_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_vni_range),
	[OVNET_A_MAPPING_ADDRESS] = { .type = NLA_BE32, },
	[OVNET_A_MAPPING_GEN] = NLA_POLICY_FULL_RANGE(NLA_U64, &ovnet_a_mapping_gen_range),
	[OVNET_A_MAPPING_FORGET] = { .type = NLA_FLAG, },
};

/* OVNET_CMD_MAPPING_GET - do */
static const struct nla_policy ovnet_mapping_get_do_nl_policy[OVNET_A_MAPPING_ADDRESS + 1] = {
	[OVNET_A_MAPPING_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_vni_range),
	[OVNET_A_MAPPING_ADDRESS] = { .type = NLA_BE32, },
};

/* OVNET_CMD_MAPPING_GET - dump */
static const struct nla_policy ovnet_mapping_get_dump_nl_policy[OVNET_A_MAPPING_VNI + 1] = {
	[OVNET_A_MAPPING_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_mapping_vni_range),
};

/* OVNET_CMD_STATS_GET - do */
static const struct nla_policy ovnet_stats_get_do_nl_policy[OVNET_A_STATS_LOCATOR + 1] = {
	[OVNET_A_STATS_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[OVNET_A_STATS_NETNS_FD] = { .type = NLA_U32, },
	[OVNET_A_STATS_NETNS_ID] = { .type = NLA_S32, },
	[OVNET_A_STATS_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_stats_vni_range),
	[OVNET_A_STATS_LOCATOR] = NLA_POLICY_EXACT_LEN(16),
};

/* OVNET_CMD_STATS_GET - dump */
static const struct nla_policy ovnet_stats_get_dump_nl_policy[OVNET_A_STATS_SCOPE + 1] = {
	[OVNET_A_STATS_SCOPE] = NLA_POLICY_MAX(NLA_U32, 3),
};

/* OVNET_CMD_MAPPING_BATCH - do */
static const struct nla_policy ovnet_mapping_batch_nl_policy[OVNET_A_MAPPING_BATCH_MAPPING + 1] = {
	[OVNET_A_MAPPING_BATCH_MAPPING] = NLA_POLICY_NESTED(ovnet_mapping_entry_nl_policy),
};

/* OVNET_CMD_RULE_SET - do */
static const struct nla_policy ovnet_rule_set_nl_policy[OVNET_A_POLICY_RULE + 1] = {
	[OVNET_A_POLICY_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_policy_vni_range),
	[OVNET_A_POLICY_RULE] = NLA_POLICY_NESTED(ovnet_rule_nl_policy),
};

/* OVNET_CMD_RULE_DEL - do */
static const struct nla_policy ovnet_rule_del_nl_policy[OVNET_A_POLICY_ID + 1] = {
	[OVNET_A_POLICY_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_policy_vni_range),
	[OVNET_A_POLICY_ID] = { .type = NLA_U32, },
};

/* OVNET_CMD_RULE_GET - do */
static const struct nla_policy ovnet_rule_get_do_nl_policy[OVNET_A_POLICY_ID + 1] = {
	[OVNET_A_POLICY_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_policy_vni_range),
	[OVNET_A_POLICY_ID] = { .type = NLA_U32, },
};

/* OVNET_CMD_RULE_GET - dump */
static const struct nla_policy ovnet_rule_get_dump_nl_policy[OVNET_A_POLICY_VNI + 1] = {
	[OVNET_A_POLICY_VNI] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_policy_vni_range),
};

/* OVNET_CMD_PEERING_SET - do */
static const struct nla_policy ovnet_peering_set_nl_policy[OVNET_A_PEERING_DST_LEN + 1] = {
	[OVNET_A_PEERING_FROM] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_peering_from_range),
	[OVNET_A_PEERING_TO] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_peering_to_range),
	[OVNET_A_PEERING_SRC] = { .type = NLA_BE32, },
	[OVNET_A_PEERING_SRC_LEN] = NLA_POLICY_MAX(NLA_U8, 32),
	[OVNET_A_PEERING_DST] = { .type = NLA_BE32, },
	[OVNET_A_PEERING_DST_LEN] = NLA_POLICY_MAX(NLA_U8, 32),
};

/* OVNET_CMD_PEERING_DEL - do */
static const struct nla_policy ovnet_peering_del_nl_policy[OVNET_A_PEERING_DST_LEN + 1] = {
	[OVNET_A_PEERING_FROM] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_peering_from_range),
	[OVNET_A_PEERING_TO] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_peering_to_range),
	[OVNET_A_PEERING_SRC] = { .type = NLA_BE32, },
	[OVNET_A_PEERING_SRC_LEN] = NLA_POLICY_MAX(NLA_U8, 32),
	[OVNET_A_PEERING_DST] = { .type = NLA_BE32, },
	[OVNET_A_PEERING_DST_LEN] = NLA_POLICY_MAX(NLA_U8, 32),
};

/* OVNET_CMD_PEERING_GET - dump */
static const struct nla_policy ovnet_peering_get_nl_policy[OVNET_A_PEERING_TO + 1] = {
	[OVNET_A_PEERING_FROM] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_peering_from_range),
	[OVNET_A_PEERING_TO] = NLA_POLICY_FULL_RANGE(NLA_U32, &ovnet_a_peering_to_range),
};

/* OVNET_CMD_TRACE - do */
static const struct nla_policy ovnet_trace_nl_policy[OVNET_A_TRACE_NETNS_ID + 1] = {
	[OVNET_A_TRACE_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[OVNET_A_TRACE_NETNS_FD] = { .type = NLA_U32, },
	[OVNET_A_TRACE_FRAME] = NLA_POLICY_MAX_LEN(OVNET_TRACE_MAX),
	[OVNET_A_TRACE_PACKET] = NLA_POLICY_MAX_LEN(OVNET_TRACE_MAX),
	[OVNET_A_TRACE_NETNS_ID] = { .type = NLA_S32, },
};

/* Ops table for ovnet */
static const struct genl_split_ops ovnet_nl_ops[] = {
	{
		.cmd		= OVNET_CMD_HOST_SET,
		.doit		= ovnet_nl_host_set_doit,
		.policy		= ovnet_host_set_nl_policy,
		.maxattr	= OVNET_A_HOST_LEASE_FROM,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_HOST_DEL,
		.doit		= ovnet_nl_host_del_doit,
		.policy		= ovnet_host_del_nl_policy,
		.maxattr	= OVNET_A_HOST_LOCATOR,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_HOST_GET,
		.doit		= ovnet_nl_host_get_doit,
		.policy		= ovnet_host_get_nl_policy,
		.maxattr	= OVNET_A_HOST_LOCATOR,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= OVNET_CMD_HOST_GET,
		.start	= ovnet_nl_host_get_dump_start,
		.dumpit	= ovnet_nl_host_get_dumpit,
		.done	= ovnet_nl_host_get_dump_done,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= OVNET_CMD_NETWORK_SET,
		.doit		= ovnet_nl_network_set_doit,
		.policy		= ovnet_network_set_nl_policy,
		.maxattr	= OVNET_A_NETWORK_POLICY_OUT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_NETWORK_DEL,
		.doit		= ovnet_nl_network_del_doit,
		.policy		= ovnet_network_del_nl_policy,
		.maxattr	= OVNET_A_NETWORK_VNI,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_NETWORK_GET,
		.doit		= ovnet_nl_network_get_doit,
		.policy		= ovnet_network_get_nl_policy,
		.maxattr	= OVNET_A_NETWORK_VNI,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= OVNET_CMD_NETWORK_GET,
		.start	= ovnet_nl_network_get_dump_start,
		.dumpit	= ovnet_nl_network_get_dumpit,
		.done	= ovnet_nl_network_get_dump_done,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= OVNET_CMD_PORT_SET,
		.doit		= ovnet_nl_port_set_doit,
		.policy		= ovnet_port_set_nl_policy,
		.maxattr	= OVNET_A_PORT_LEASE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_PORT_DEL,
		.doit		= ovnet_nl_port_del_doit,
		.policy		= ovnet_port_del_nl_policy,
		.maxattr	= OVNET_A_PORT_NETNS_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_PORT_GET,
		.doit		= ovnet_nl_port_get_doit,
		.policy		= ovnet_port_get_nl_policy,
		.maxattr	= OVNET_A_PORT_NETNS_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= OVNET_CMD_PORT_GET,
		.dumpit	= ovnet_nl_port_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= OVNET_CMD_MAPPING_SET,
		.doit		= ovnet_nl_mapping_set_doit,
		.policy		= ovnet_mapping_set_nl_policy,
		.maxattr	= OVNET_A_MAPPING_SLOT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_MAPPING_DEL,
		.doit		= ovnet_nl_mapping_del_doit,
		.policy		= ovnet_mapping_del_nl_policy,
		.maxattr	= OVNET_A_MAPPING_FORGET,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_MAPPING_GET,
		.doit		= ovnet_nl_mapping_get_doit,
		.policy		= ovnet_mapping_get_do_nl_policy,
		.maxattr	= OVNET_A_MAPPING_ADDRESS,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_MAPPING_GET,
		.start		= ovnet_nl_mapping_get_dump_start,
		.dumpit		= ovnet_nl_mapping_get_dumpit,
		.done		= ovnet_nl_mapping_get_dump_done,
		.policy		= ovnet_mapping_get_dump_nl_policy,
		.maxattr	= OVNET_A_MAPPING_VNI,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= OVNET_CMD_STATS_GET,
		.doit		= ovnet_nl_stats_get_doit,
		.policy		= ovnet_stats_get_do_nl_policy,
		.maxattr	= OVNET_A_STATS_LOCATOR,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_STATS_GET,
		.start		= ovnet_nl_stats_get_dump_start,
		.dumpit		= ovnet_nl_stats_get_dumpit,
		.done		= ovnet_nl_stats_get_dump_done,
		.policy		= ovnet_stats_get_dump_nl_policy,
		.maxattr	= OVNET_A_STATS_SCOPE,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= OVNET_CMD_MAPPING_BATCH,
		.doit		= ovnet_nl_mapping_batch_doit,
		.policy		= ovnet_mapping_batch_nl_policy,
		.maxattr	= OVNET_A_MAPPING_BATCH_MAPPING,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_RULE_SET,
		.doit		= ovnet_nl_rule_set_doit,
		.policy		= ovnet_rule_set_nl_policy,
		.maxattr	= OVNET_A_POLICY_RULE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_RULE_DEL,
		.doit		= ovnet_nl_rule_del_doit,
		.policy		= ovnet_rule_del_nl_policy,
		.maxattr	= OVNET_A_POLICY_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_RULE_GET,
		.doit		= ovnet_nl_rule_get_doit,
		.policy		= ovnet_rule_get_do_nl_policy,
		.maxattr	= OVNET_A_POLICY_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_RULE_GET,
		.start		= ovnet_nl_rule_get_dump_start,
		.dumpit		= ovnet_nl_rule_get_dumpit,
		.done		= ovnet_nl_rule_get_dump_done,
		.policy		= ovnet_rule_get_dump_nl_policy,
		.maxattr	= OVNET_A_POLICY_VNI,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= OVNET_CMD_PEERING_SET,
		.doit		= ovnet_nl_peering_set_doit,
		.policy		= ovnet_peering_set_nl_policy,
		.maxattr	= OVNET_A_PEERING_DST_LEN,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_PEERING_DEL,
		.doit		= ovnet_nl_peering_del_doit,
		.policy		= ovnet_peering_del_nl_policy,
		.maxattr	= OVNET_A_PEERING_DST_LEN,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= OVNET_CMD_PEERING_GET,
		.start		= ovnet_nl_peering_get_dump_start,
		.dumpit		= ovnet_nl_peering_get_dumpit,
		.done		= ovnet_nl_peering_get_dump_done,
		.policy		= ovnet_peering_get_nl_policy,
		.maxattr	= OVNET_A_PEERING_TO,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= OVNET_CMD_TRACE,
		.doit		= ovnet_nl_trace_doit,
		.policy		= ovnet_trace_nl_policy,
		.maxattr	= OVNET_A_TRACE_NETNS_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group ovnet_nl_mcgrps[] = {
	[OVNET_NLGRP_EVENTS] = { "events", },
};

struct genl_family ovnet_nl_family __ro_after_init = {
	.name		= OVNET_FAMILY_NAME,
	.version	= OVNET_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= ovnet_nl_ops,
	.n_split_ops	= ARRAY_SIZE(ovnet_nl_ops),
	.mcgrps		= ovnet_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(ovnet_nl_mcgrps),
};
