/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads: the kernel headers the module binds to, constants that
 * bindgen cannot evaluate, and the C helpers, which only wrap inlines and
 * macros (helpers.c).
 */
#ifndef OVNET_BINDINGS_HELPER_H
#define OVNET_BINDINGS_HELPER_H

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/netfilter_ipv6.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/ratelimit.h>
#include <linux/rhashtable.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/workqueue.h>
#include <net/dropreason.h>
#include <net/genetlink.h>
#include <net/gso.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/rtnetlink.h>

#include "net/netlink-gen.h"

/* A route, if there is one, and what a packet must heed that takes it. */
struct ovnet_way {
	struct dst_entry *dst;
	u32 mtu;
	/* What the device wants before the IPv6 header. */
	u32 headroom;
};

struct ovnet_route;

/* An object in a table: its key is 64 bits, its value follows. */
struct ovnet_node {
	struct rhash_head head;
	u64 key;
	struct rcu_head rcu;
};

/* The names of our drop reasons. */
extern const struct drop_reason_list ovnet_drop_reasons;

/* Socket buffers. */
bool ovnet_skb_may_pull(struct sk_buff *skb, unsigned int len);
bool ovnet_skb_open(struct sk_buff *skb, unsigned int headroom, unsigned int len);
int ovnet_skb_trim(struct sk_buff *skb, unsigned int len);
bool ovnet_skb_segments_fit(const struct sk_buff *skb, unsigned int mtu);
struct sk_buff *ovnet_skb_alloc(struct net_device *dev, unsigned int len);
void ovnet_skb_too_big(struct sk_buff *skb, u32 mtu);
void ovnet_skb_prohibited(struct sk_buff *skb);
int ovnet_skb_encapsulate(struct sk_buff *skb);
int ovnet_skb_decapsulate(struct sk_buff *skb);
int ovnet_skb_apart(struct sk_buff *skb, void (*piece)(void *context, struct sk_buff *skb),
		    void *context);
void ovnet_skb_fragment(struct net *net, struct sk_buff *skb, struct net_device *dev,
			u16 mtu, bool counted,
			void (*piece)(void *context, struct sk_buff *skb), void *context);
u64 ovnet_random(void);
unsigned int ovnet_skb_network_seglen(const struct sk_buff *skb);
bool ovnet_skb_is_partial(const struct sk_buff *skb);
int ovnet_skb_checksum_help(struct sk_buff *skb);
u16 ovnet_skb_sum(const struct sk_buff *skb, unsigned int offset, unsigned int len);
struct sk_buff *ovnet_skb_piece(const struct sk_buff *skb, unsigned int headroom,
				unsigned int header_len, int from, unsigned int len);
u16 ovnet_ip_ident(struct net *net, __be32 src, __be32 dst, u8 protocol, int segs);

/* Packets that wait, locks, work. */
void ovnet_queue_init(struct sk_buff_head *queue);
void ovnet_queue_lock(struct sk_buff_head *queue);
void ovnet_queue_unlock(struct sk_buff_head *queue);
void ovnet_queue_push(struct sk_buff_head *queue, struct sk_buff *skb);
struct sk_buff *ovnet_queue_pop(struct sk_buff_head *queue);
struct sk_buff *ovnet_queue_peek(const struct sk_buff_head *queue);
struct net_device *ovnet_skb_dev(const struct sk_buff *skb);
void ovnet_skb_forget_device(struct sk_buff *skb, struct net *net);
void ovnet_lock_init(spinlock_t *lock);
void ovnet_lock_bh(spinlock_t *lock);
void ovnet_unlock_bh(spinlock_t *lock);
void ovnet_softirq_off(void);
void ovnet_softirq_on(void);
void ovnet_work_init(struct delayed_work *work, work_func_t function);
void ovnet_work_in(struct delayed_work *work, unsigned long jiffies_from_now);
void ovnet_alarm_init(struct hrtimer *timer,
		      enum hrtimer_restart (*function)(struct hrtimer *timer));
void ovnet_alarm_at(struct hrtimer *timer, u64 ns);
u64 ovnet_boottime(void);

/* The substrate. */
struct ovnet_route __percpu *ovnet_routes_alloc(void);
void ovnet_routes_free(struct ovnet_route __percpu *routes);
struct ovnet_way ovnet_route_cached(struct ovnet_route __percpu *routes);
struct ovnet_way ovnet_route_find(struct net *net, struct ovnet_route __percpu *routes,
				  const struct in6_addr *src, const struct in6_addr *dst);
void ovnet_nexthop(const struct dst_entry *dst, const struct in6_addr *to,
		   struct in6_addr *nexthop);
void ovnet_ip6_send(struct net *net, struct sk_buff *skb, struct dst_entry *dst,
		    const struct net_device *from);

/* Devices and namespaces. */
struct net *ovnet_dev_net(const struct net_device *dev);
const struct net_device_ops *ovnet_dev_ops(const struct net_device *dev);
void ovnet_dev_setup(struct net_device *dev, const struct net_device_ops *ops,
		     const struct ethtool_ops *ethtool,
		     void (*destroy)(struct net_device *dev));
void ovnet_dev_hold(struct net_device *dev, netdevice_tracker *tracker);
void ovnet_dev_put(struct net_device *dev, netdevice_tracker *tracker);
void ovnet_dev_count_tx(struct net_device *dev, unsigned int len);
void ovnet_dev_count_rx(struct net_device *dev, unsigned int len);
void ovnet_dev_receive(struct net_device *dev, struct sk_buff *skb);
void ovnet_dev_count_tx_dropped(struct net_device *dev);
bool ovnet_dev_mac_is_random(const struct net_device *dev);
int ovnet_dev_adopt_mac(struct net_device *dev, const u8 *mac, struct netlink_ext_ack *extack);
struct net *ovnet_newlink_net(struct rtnl_newlink_params *params);
void *ovnet_net_generic(const struct net *net, unsigned int id);
bool ovnet_is_err(const void *ptr);
long ovnet_ptr_err(const void *ptr);
void ovnet_put_net(struct net *net);

void ovnet_list_init(struct list_head *list);
void ovnet_list_add(struct list_head *link, struct list_head *list);
void ovnet_list_del(struct list_head *link);

/* Netlink. */
struct net *ovnet_info_net(const struct genl_info *info);
struct net *ovnet_dump_net(const struct netlink_callback *cb);
struct nlattr *ovnet_info_attr(const struct genl_info *info, int attr);
u32 ovnet_info_port(const struct genl_info *info);
struct nlattr *ovnet_info_next_attr(const struct genl_info *info, int attr,
				    struct nlattr *last);
u64 ovnet_nla_index(struct nlattr **table, int max, const struct nlattr *nest);
struct nlattr *ovnet_dump_attr(struct netlink_callback *cb, int attr);
struct nlattr *ovnet_nla_nest_start(struct sk_buff *skb, int attr);
void ovnet_nla_nest_end(struct sk_buff *skb, struct nlattr *nest);
void ovnet_nla_nest_cancel(struct sk_buff *skb, struct nlattr *nest);
void ovnet_extack(struct netlink_ext_ack *extack, const char *text,
		  const struct nlattr *bad);
void ovnet_extack_missing(struct netlink_ext_ack *extack, int attr);
struct sk_buff *ovnet_genlmsg_new(size_t room, gfp_t flags);
void *ovnet_genlmsg_put_reply(struct sk_buff *skb, struct genl_info *info);
void *ovnet_genlmsg_put_dump(struct sk_buff *skb, struct netlink_callback *cb);
void ovnet_genlmsg_end(struct sk_buff *skb, void *hdr);
void ovnet_genlmsg_cancel(struct sk_buff *skb, void *hdr);
int ovnet_genlmsg_reply(struct sk_buff *skb, struct genl_info *info);
void ovnet_genlmsg_multicast(struct net *net, struct sk_buff *skb, gfp_t flags);
bool ovnet_genl_listeners(struct net *net);
void ovnet_nlmsg_free(struct sk_buff *skb);

/* Tables. */
int ovnet_table_init(struct rhashtable *table);
struct ovnet_node *ovnet_table_get(struct rhashtable *table, u64 key);
int ovnet_table_insert(struct rhashtable *table, struct ovnet_node *node);
int ovnet_table_replace(struct rhashtable *table, struct ovnet_node *old,
			struct ovnet_node *new);
int ovnet_table_remove(struct rhashtable *table, struct ovnet_node *node);
struct ovnet_node *ovnet_table_bucket(struct rhashtable *table, unsigned int bucket,
				      unsigned int *size);
struct ovnet_node *ovnet_table_next(const struct ovnet_node *node);

/* Per-CPU counters and rate limits. */
void __percpu *ovnet_percpu_alloc(size_t size);
void ovnet_percpu_free(void __percpu *counters);
void ovnet_percpu_add(u64 __percpu *counter, u64 n);
void ovnet_percpu_count(u64 __percpu *a, u64 __percpu *b, u64 __percpu *c,
			u64 __percpu *d, u64 bytes);
void ovnet_dev_count_sent(struct net_device *dev, u64 __percpu *a, u64 __percpu *b,
			  u64 __percpu *c, u64 __percpu *d, u64 bytes);
u64 ovnet_percpu_sum(u64 __percpu *counter);
void ovnet_ratelimit_init(struct ratelimit_state *rs, int burst);
bool ovnet_ratelimit(struct ratelimit_state *rs);
u32 ovnet_ratelimit_take_missed(struct ratelimit_state *rs);

#if IS_BUILTIN(CONFIG_KUNIT)
#include "net/tests/helpers.h"
#endif

/* Errors that the kernel crate of older kernels does not name. */
static const int RUST_CONST_HELPER_OVNET_EADDRINUSE = EADDRINUSE;
static const int RUST_CONST_HELPER_OVNET_EOPNOTSUPP = EOPNOTSUPP;
static const int RUST_CONST_HELPER_OVNET_ESTALE = ESTALE;

static const size_t RUST_CONST_HELPER_OVNET_MESSAGE_ROOM = GENLMSG_DEFAULT_SIZE;
static const gfp_t RUST_CONST_HELPER_OVNET_GFP_KERNEL = GFP_KERNEL;
static const gfp_t RUST_CONST_HELPER_OVNET_GFP_ATOMIC = GFP_ATOMIC;
static const u32 RUST_CONST_HELPER_OVNET_GSO_TCPV4 = SKB_GSO_TCPV4;
static const u32 RUST_CONST_HELPER_OVNET_GSO_TCPV6 = SKB_GSO_TCPV6;
static const u32 RUST_CONST_HELPER_OVNET_GSO_TCP_FIXEDID = SKB_GSO_TCP_FIXEDID;
static const u32 RUST_CONST_HELPER_OVNET_GSO_FRAGLIST = SKB_GSO_FRAGLIST;
static const u32 RUST_CONST_HELPER_OVNET_GSO_UDP_L4 = SKB_GSO_UDP_L4;
static const u32 RUST_CONST_HELPER_OVNET_GSO_NEUTRAL =
	SKB_GSO_DODGY | SKB_GSO_TCP_ECN | SKB_GSO_TCP_ACCECN | SKB_GSO_UDP_L4;
static const u32 RUST_CONST_HELPER_OVNET_IFF_UP = IFF_UP;
static const u8 RUST_CONST_HELPER_OVNET_CHECKSUM_NONE = CHECKSUM_NONE;
static const u8 RUST_CONST_HELPER_OVNET_CHECKSUM_COMPLETE = CHECKSUM_COMPLETE;
static const u8 RUST_CONST_HELPER_OVNET_CHECKSUM_PARTIAL = CHECKSUM_PARTIAL;
static const u32 RUST_CONST_HELPER_OVNET_HZ = HZ;
static const u32 RUST_CONST_HELPER_OVNET_GSTRING_LEN = ETH_GSTRING_LEN;
static const int RUST_CONST_HELPER_OVNET_NETLINK_GENERIC = NETLINK_GENERIC;
static const unsigned long RUST_CONST_HELPER_OVNET_NETLINK_URELEASE = NETLINK_URELEASE;
static const u32 RUST_CONST_HELPER_OVNET_DROPPED = SKB_DROP_REASON_NOT_SPECIFIED;

#endif
