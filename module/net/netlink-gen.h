/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/ovnet.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: scripts/generate */

#ifndef _LINUX_OVNET_GEN_H
#define _LINUX_OVNET_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/ovnet.h>

/* Common nested types */
extern const struct nla_policy ovnet_mapping_entry_nl_policy[OVNET_A_MAPPING_SLOT + 1];
extern const struct nla_policy ovnet_rule_nl_policy[OVNET_A_RULE_BYTES + 1];
extern const struct nla_policy ovnet_source_nl_policy[OVNET_A_SOURCE_IDLE + 1];

int ovnet_nl_host_get_dump_start(struct netlink_callback *cb);
int ovnet_nl_network_get_dump_start(struct netlink_callback *cb);
int ovnet_nl_mapping_get_dump_start(struct netlink_callback *cb);
int ovnet_nl_stats_get_dump_start(struct netlink_callback *cb);
int ovnet_nl_rule_get_dump_start(struct netlink_callback *cb);
int ovnet_nl_peering_get_dump_start(struct netlink_callback *cb);
int ovnet_nl_host_get_dump_done(struct netlink_callback *cb);
int ovnet_nl_network_get_dump_done(struct netlink_callback *cb);
int ovnet_nl_mapping_get_dump_done(struct netlink_callback *cb);
int ovnet_nl_stats_get_dump_done(struct netlink_callback *cb);
int ovnet_nl_rule_get_dump_done(struct netlink_callback *cb);
int ovnet_nl_peering_get_dump_done(struct netlink_callback *cb);

int ovnet_nl_host_set_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_host_del_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_host_get_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_host_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ovnet_nl_network_set_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_network_del_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_network_get_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_network_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int ovnet_nl_port_set_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_port_del_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_port_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ovnet_nl_mapping_set_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_mapping_del_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_mapping_get_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_mapping_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int ovnet_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_stats_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ovnet_nl_mapping_batch_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_rule_set_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_rule_del_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_rule_get_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_rule_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ovnet_nl_peering_set_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_peering_del_doit(struct sk_buff *skb, struct genl_info *info);
int ovnet_nl_peering_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int ovnet_nl_trace_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	OVNET_NLGRP_EVENTS,
};

extern struct genl_family ovnet_nl_family;

#endif /* _LINUX_OVNET_GEN_H */
