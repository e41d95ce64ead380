// SPDX-License-Identifier: GPL-2.0
/*
 * Wrappers of kernel inlines and macros that Rust cannot call.  No decision
 * is taken here; what each one needs and promises is said where it is wrapped
 * again, in module/net.
 */
#include "bindings_helper.h"
#include "drop-reasons.h"

/* ---- drop reasons --------------------------------------------------------- */

#define OVNET_NAME(number, name) [number] = name
static const char *const ovnet_drop_names[] = { OVNET_DROP_REASONS(OVNET_NAME) };
#undef OVNET_NAME

const struct drop_reason_list ovnet_drop_reasons = {
	.reasons = ovnet_drop_names,
	.n_reasons = ARRAY_SIZE(ovnet_drop_names),
};

/* ---- socket buffers ------------------------------------------------------ */

bool ovnet_skb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

/* Room before the packet, and its first bytes linear; both private. */
bool ovnet_skb_open(struct sk_buff *skb, unsigned int headroom, unsigned int len)
{
	if (!pskb_may_pull(skb, len) || skb_cow_head(skb, headroom))
		return false;
	return !skb_cloned(skb) || skb_clone_writable(skb, len) ||
	       !pskb_expand_head(skb, 0, 0, GFP_ATOMIC);
}

int ovnet_skb_trim(struct sk_buff *skb, unsigned int len)
{
	return pskb_trim(skb, len);
}

bool ovnet_skb_segments_fit(const struct sk_buff *skb, unsigned int mtu)
{
	return skb_gso_validate_network_len(skb, mtu);
}

struct sk_buff *ovnet_skb_alloc(struct net_device *dev, unsigned int len)
{
	struct sk_buff *skb = netdev_alloc_skb_ip_align(dev, len);

	if (skb) {
		skb_put_zero(skb, len);
		skb_reset_mac_header(skb);
	}
	return skb;
}

void ovnet_skb_too_big(struct sk_buff *skb, u32 mtu)
{
	icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
}

void ovnet_skb_prohibited(struct sk_buff *skb)
{
	icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0);
}

int ovnet_skb_encapsulate(struct sk_buff *skb)
{
	skb_set_inner_ipproto(skb, IPPROTO_IPIP);
	return iptunnel_handle_offloads(skb, SKB_GSO_IPXIP6);
}

int ovnet_skb_decapsulate(struct sk_buff *skb)
{
	return iptunnel_pull_offloads(skb);
}

int ovnet_skb_apart(struct sk_buff *skb, void (*piece)(void *context, struct sk_buff *skb),
		    void *context)
{
	const netdev_features_t features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM;
	struct sk_buff *pieces = __skb_gso_segment(skb, features, false), *next;

	if (IS_ERR_OR_NULL(pieces))
		return pieces ? PTR_ERR(pieces) : -EINVAL;
	consume_skb(skb);
	skb_list_walk_safe(pieces, skb, next) {
		skb_mark_not_on_list(skb);
		piece(context, skb);
	}
	return 0;
}

/*
 * The kernel's fragmentation takes its size and its output from a route: this
 * one lives on the stack for the length of a call.
 */
struct ovnet_fragmenter {
	struct rtable route;
	unsigned int pieces;
	void (*piece)(void *context, struct sk_buff *skb);
	void *context;
};

static unsigned int ovnet_fragment_mtu(const struct dst_entry *dst)
{
	return dst->dev->mtu;
}

static struct dst_ops ovnet_fragment_ops = {
	.family = AF_UNSPEC,
	.mtu = ovnet_fragment_mtu,
};

static int ovnet_fragment_output(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct ovnet_fragmenter *fragmenter =
		container_of(skb_dst(skb), struct ovnet_fragmenter, route.dst);

	skb_dst_drop(skb);
	fragmenter->pieces++;
	fragmenter->piece(fragmenter->context, skb);
	return 0;
}

void ovnet_skb_fragment(struct net *net, struct sk_buff *skb, struct net_device *dev,
			u16 mtu, bool counted,
			void (*piece)(void *context, struct sk_buff *skb), void *context)
{
	struct ovnet_fragmenter fragmenter = { .piece = piece, .context = context };
	int failed;

	dst_init(&fragmenter.route.dst, &ovnet_fragment_ops, NULL, DST_OBSOLETE_NONE,
		 DST_NOCOUNT);
	fragmenter.route.dst.dev = dev;
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, &fragmenter.route.dst);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	IPCB(skb)->frag_max_size = mtu;
	IPCB(skb)->opt.optlen = ip_hdrlen(skb) - sizeof(struct iphdr);
	failed = ip_do_fragment(net, NULL, skb, ovnet_fragment_output);
	if (counted)
		return;
	/* It counts whatever it is for: take that back. */
	IP_ADD_STATS(net, failed ? IPSTATS_MIB_FRAGFAILS : IPSTATS_MIB_FRAGOKS, -1);
	IP_ADD_STATS(net, IPSTATS_MIB_FRAGCREATES, -(u64)fragmenter.pieces);
}

unsigned int ovnet_skb_network_seglen(const struct sk_buff *skb)
{
	return skb_network_header_len(skb) + skb_shinfo(skb)->gso_size +
	       (skb_is_gso_tcp(skb) ? tcp_hdrlen(skb) : sizeof(struct udphdr));
}

bool ovnet_skb_is_partial(const struct sk_buff *skb)
{
	return skb->ip_summed == CHECKSUM_PARTIAL;
}

int ovnet_skb_checksum_help(struct sk_buff *skb)
{
	return skb_checksum_help(skb);
}

u16 ovnet_skb_sum(const struct sk_buff *skb, unsigned int offset, unsigned int len)
{
	return (__force u16)~csum_fold(skb_checksum(skb, offset, len, 0));
}

struct sk_buff *ovnet_skb_piece(const struct sk_buff *skb, unsigned int headroom,
				unsigned int header_len, int from, unsigned int len)
{
	struct sk_buff *piece = alloc_skb(headroom + header_len + len, GFP_ATOMIC);

	if (!piece)
		return NULL;
	skb_reserve(piece, headroom);
	skb_put_zero(piece, header_len);
	if (skb_copy_bits(skb, from, skb_put(piece, len), len)) {
		kfree_skb(piece);
		return NULL;
	}
	piece->dev = skb->dev;
	piece->mark = skb->mark;
	piece->priority = skb->priority;
	return piece;
}

u64 ovnet_random(void)
{
	return get_random_u64();
}

u16 ovnet_ip_ident(struct net *net, __be32 src, __be32 dst, u8 protocol, int segs)
{
	struct iphdr ip = { .saddr = src, .daddr = dst, .protocol = protocol };

	__ip_select_ident(net, &ip, segs);
	return ntohs(ip.id);
}

/* ---- packets that wait, locks, work ---------------------------------------- */

void ovnet_queue_init(struct sk_buff_head *queue)
{
	skb_queue_head_init(queue);
}

void ovnet_queue_lock(struct sk_buff_head *queue)
{
	spin_lock_bh(&queue->lock);
}

void ovnet_queue_unlock(struct sk_buff_head *queue)
{
	spin_unlock_bh(&queue->lock);
}

void ovnet_queue_push(struct sk_buff_head *queue, struct sk_buff *skb)
{
	__skb_queue_tail(queue, skb);
}

struct sk_buff *ovnet_queue_pop(struct sk_buff_head *queue)
{
	return __skb_dequeue(queue);
}

struct sk_buff *ovnet_queue_peek(const struct sk_buff_head *queue)
{
	return skb_peek(queue);
}

struct net_device *ovnet_skb_dev(const struct sk_buff *skb)
{
	return skb->dev;
}

/* The loopback device lives as long as its namespace. */
void ovnet_skb_forget_device(struct sk_buff *skb, struct net *net)
{
	skb_dst_drop(skb);
	skb->dev = net->loopback_dev;
}

void ovnet_lock_init(spinlock_t *lock)
{
	spin_lock_init(lock);
}

void ovnet_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void ovnet_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

void ovnet_softirq_off(void)
{
	local_bh_disable();
}

void ovnet_softirq_on(void)
{
	local_bh_enable();
}

void ovnet_work_init(struct delayed_work *work, work_func_t function)
{
	INIT_DELAYED_WORK(work, function);
}

void ovnet_work_in(struct delayed_work *work, unsigned long jiffies_from_now)
{
	queue_delayed_work(system_unbound_wq, work, jiffies_from_now);
}

void ovnet_alarm_init(struct hrtimer *timer,
		      enum hrtimer_restart (*function)(struct hrtimer *timer))
{
	hrtimer_setup(timer, function, CLOCK_BOOTTIME, HRTIMER_MODE_ABS_SOFT);
}

void ovnet_alarm_at(struct hrtimer *timer, u64 ns)
{
	hrtimer_start(timer, ns_to_ktime(ns), HRTIMER_MODE_ABS_SOFT);
}

u64 ovnet_boottime(void)
{
	return ktime_get_boottime_ns();
}

/* ---- devices and namespaces ---------------------------------------------- */

struct net *ovnet_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

const struct net_device_ops *ovnet_dev_ops(const struct net_device *dev)
{
	return dev->netdev_ops;
}

/*
 * lltx and no queue: a packet is translated on the sender's CPU and queued by
 * the substrate's device, once.  The destination stays on the packet for the
 * path-MTU answer.  The headroom is what translation adds (20) and what the
 * substrate's Ethernet header needs beyond the one it replaces.
 */
void ovnet_dev_setup(struct net_device *dev, const struct net_device_ops *ops,
		     const struct ethtool_ops *ethtool,
		     void (*destroy)(struct net_device *dev))
{
	const netdev_features_t features = NETIF_F_SG | NETIF_F_HW_CSUM |
		NETIF_F_HIGHDMA | NETIF_F_TSO | NETIF_F_TSO_ECN |
		NETIF_F_TSO_MANGLEID | NETIF_F_GSO_UDP_L4;

	ether_setup(dev);
	dev->netdev_ops = ops;
	dev->ethtool_ops = ethtool;
	dev->priv_destructor = destroy;
	dev->lltx = true;
	dev->priv_flags |= IFF_NO_QUEUE | IFF_LIVE_ADDR_CHANGE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	netif_keep_dst(dev);
	dev->needs_free_netdev = true;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->features |= features;
	dev->hw_features |= features;
	dev->vlan_features |= features;
	dev->mtu = ETH_DATA_LEN - (sizeof(struct ipv6hdr) - sizeof(struct iphdr));
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU - (sizeof(struct ipv6hdr) - sizeof(struct iphdr));
	dev->needed_headroom = 32;
	netif_set_tso_max_size(dev, GSO_LEGACY_MAX_SIZE);
	eth_hw_addr_random(dev);
}

void ovnet_dev_hold(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_hold(dev, tracker, GFP_ATOMIC);
}

void ovnet_dev_put(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_put(dev, tracker);
}

void ovnet_dev_count_tx(struct net_device *dev, unsigned int len)
{
	dev_sw_netstats_tx_add(dev, 1, len);
}

void ovnet_dev_count_rx(struct net_device *dev, unsigned int len)
{
	dev_sw_netstats_rx_add(dev, len);
}

/* Whether this CPU is receiving a packet on a port that came off the substrate. */
static DEFINE_PER_CPU(bool, ovnet_receiving);

/*
 * As dev_forward_skb(), for a frame with an IPv4 packet to one MAC, whose
 * device is up and whose size fits.
 * What a softirq brings off the substrate goes straight on to the node's stack,
 * as a bridge passes a frame up; what a process brings, or an overlay inside
 * an overlay, comes by the backlog, which keeps the stack flat.
 */
void ovnet_dev_receive(struct net_device *dev, struct sk_buff *skb)
{
	dev_sw_netstats_rx_add(dev, skb->len);
	skb_scrub_packet(skb, !net_eq(dev_net(dev), dev_net(skb->dev)));
	skb->priority = 0;
	skb->dev = dev;
	skb_reset_mac_header(skb);
	__skb_pull(skb, ETH_HLEN);
	if (!ether_addr_equal_64bits(eth_hdr(skb)->h_dest, dev->dev_addr))
		skb->pkt_type = PACKET_OTHERHOST;
	if (unlikely(!in_serving_softirq() || this_cpu_read(ovnet_receiving))) {
		netif_rx(skb);
		return;
	}
	this_cpu_write(ovnet_receiving, true);
	netif_receive_skb(skb);
	this_cpu_write(ovnet_receiving, false);
}

void ovnet_dev_count_tx_dropped(struct net_device *dev)
{
	dev_core_stats_tx_dropped_inc(dev);
}

bool ovnet_dev_mac_is_random(const struct net_device *dev)
{
	return dev->addr_assign_type == NET_ADDR_RANDOM;
}

int ovnet_dev_adopt_mac(struct net_device *dev, const u8 *mac, struct netlink_ext_ack *extack)
{
	struct sockaddr_storage address = { .ss_family = dev->type };

	memcpy(address.__data, mac, ETH_ALEN);
	return dev_set_mac_address(dev, &address, extack);
}

struct net *ovnet_newlink_net(struct rtnl_newlink_params *params)
{
	return rtnl_newlink_link_net(params);
}

void *ovnet_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

bool ovnet_is_err(const void *ptr)
{
	return IS_ERR(ptr);
}

long ovnet_ptr_err(const void *ptr)
{
	return PTR_ERR(ptr);
}

void ovnet_put_net(struct net *net)
{
	put_net(net);
}

void ovnet_list_init(struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

void ovnet_list_add(struct list_head *link, struct list_head *list)
{
	list_add_tail(link, list);
}

void ovnet_list_del(struct list_head *link)
{
	list_del(link);
}

/* ---- netlink -------------------------------------------------------------- */

struct net *ovnet_info_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

struct net *ovnet_dump_net(const struct netlink_callback *cb)
{
	return sock_net(cb->skb->sk);
}

struct nlattr *ovnet_info_attr(const struct genl_info *info, int attr)
{
	return info->attrs[attr];
}

u32 ovnet_info_port(const struct genl_info *info)
{
	return info->snd_portid;
}

struct nlattr *ovnet_info_next_attr(const struct genl_info *info, int attr,
				    struct nlattr *last)
{
	struct nlattr *nla = last ? (void *)last + NLA_ALIGN(last->nla_len) :
		genlmsg_data(info->genlhdr);
	int left = (void *)info->nlhdr + nlmsg_msg_size(nlmsg_len(info->nlhdr)) - (void *)nla;

	nla_for_each_attr(nla, nla, left, left)
		if (nla_type(nla) == attr)
			return nla;
	return NULL;
}

/*
 * The policy of the whole message has checked what is in the nest: it is only
 * indexed.  What is in the table is what has a bit in the result.
 */
u64 ovnet_nla_index(struct nlattr **table, int max, const struct nlattr *nest)
{
	struct nlattr *nla;
	u64 present = 0;
	int left;

	nla_for_each_nested(nla, nest, left)
		if (nla_type(nla) <= max) {
			table[nla_type(nla)] = nla;
			present |= BIT_ULL(nla_type(nla));
		}
	return present;
}

struct nlattr *ovnet_dump_attr(struct netlink_callback *cb, int attr)
{
	return genl_dumpit_info(cb)->info.attrs[attr];
}

struct nlattr *ovnet_nla_nest_start(struct sk_buff *skb, int attr)
{
	return nla_nest_start(skb, attr);
}

void ovnet_nla_nest_end(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_end(skb, nest);
}

void ovnet_nla_nest_cancel(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_cancel(skb, nest);
}

void ovnet_extack(struct netlink_ext_ack *extack, const char *text,
		  const struct nlattr *bad)
{
	if (!extack)
		return;
	extack->_msg = text;
	if (bad)
		NL_SET_BAD_ATTR(extack, bad);
}

void ovnet_extack_missing(struct netlink_ext_ack *extack, int attr)
{
	NL_SET_ERR_ATTR_MISS(extack, NULL, attr);
}

struct sk_buff *ovnet_genlmsg_new(size_t room, gfp_t flags)
{
	return genlmsg_new(room, flags);
}

void *ovnet_genlmsg_put_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_put_reply(skb, info, &ovnet_nl_family, 0, info->genlhdr->cmd);
}

void *ovnet_genlmsg_put_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				&ovnet_nl_family, NLM_F_MULTI,
				genl_dumpit_info(cb)->op.cmd);

	if (hdr)
		genl_dump_check_consistent(cb, hdr);
	return hdr;
}

void ovnet_genlmsg_end(struct sk_buff *skb, void *hdr)
{
	genlmsg_end(skb, hdr);
}

void ovnet_genlmsg_cancel(struct sk_buff *skb, void *hdr)
{
	genlmsg_cancel(skb, hdr);
}

int ovnet_genlmsg_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

void ovnet_genlmsg_multicast(struct net *net, struct sk_buff *skb, gfp_t flags)
{
	genlmsg_multicast_netns(&ovnet_nl_family, net, skb, 0, OVNET_NLGRP_EVENTS, flags);
}

bool ovnet_genl_listeners(struct net *net)
{
	return genl_has_listeners(&ovnet_nl_family, net, OVNET_NLGRP_EVENTS);
}

void ovnet_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

/* ---- tables ---------------------------------------------------------------- */

/*
 * Keys come from whoever configures the host.  The seed is random and the two
 * multiplications carry every bit of the key to every bit that counts.
 */
static __always_inline u32 ovnet_table_mix(u64 key, u32 seed)
{
	u64 hash = key ^ seed;

	hash *= GOLDEN_RATIO_64;
	hash ^= hash >> 32;
	hash *= GOLDEN_RATIO_64;
	return hash >> 32;
}

static u32 ovnet_table_hash(const void *data, u32 len, u32 seed)
{
	return ovnet_table_mix(*(const u64 *)data, seed);
}

static int ovnet_table_compare(struct rhashtable_compare_arg *arg, const void *object)
{
	return *(const u64 *)arg->key != ((const struct ovnet_node *)object)->key;
}

static const struct rhashtable_params ovnet_table_params = {
	.head_offset = offsetof(struct ovnet_node, head),
	.key_offset = offsetof(struct ovnet_node, key),
	.key_len = sizeof_field(struct ovnet_node, key),
	.hashfn = ovnet_table_hash,
	.obj_cmpfn = ovnet_table_compare,
	.automatic_shrinking = true,
};

int ovnet_table_init(struct rhashtable *table)
{
	return rhashtable_init(table, &ovnet_table_params);
}

static noinline struct ovnet_node *ovnet_table_search(struct rhashtable *table, u64 key)
{
	return rhashtable_lookup(table, &key, ovnet_table_params);
}

/*
 * What is looked for is the first in its bucket mostly.  If it is not there
 * while the table changes its size, the kernel searches.
 */
struct ovnet_node *ovnet_table_get(struct rhashtable *table, u64 key)
{
	const struct bucket_table *buckets = rht_dereference_rcu(table->tbl, table);
	u32 hash = ovnet_table_mix(key, buckets->hash_rnd) & (buckets->size - 1);
	struct rhash_head *first;

	if (unlikely(buckets->nest))
		return ovnet_table_search(table, key);
	first = rht_ptr_rcu(&buckets->buckets[hash]);
	while (likely(!rht_is_a_nulls(first))) {
		struct ovnet_node *node = container_of(first, struct ovnet_node, head);

		if (likely(node->key == key))
			return node;
		first = rcu_dereference_raw(first->next);
	}
	/* As rhashtable_lookup(): whoever missed what was moved sees where to. */
	smp_rmb();
	if (likely(!rcu_access_pointer(buckets->future_tbl)))
		return NULL;
	return ovnet_table_search(table, key);
}

int ovnet_table_insert(struct rhashtable *table, struct ovnet_node *node)
{
	return rhashtable_insert_fast(table, &node->head, ovnet_table_params);
}

int ovnet_table_replace(struct rhashtable *table, struct ovnet_node *old,
			struct ovnet_node *new)
{
	return rhashtable_replace_fast(table, &old->head, &new->head,
				       ovnet_table_params);
}

int ovnet_table_remove(struct rhashtable *table, struct ovnet_node *node)
{
	return rhashtable_remove_fast(table, &node->head, ovnet_table_params);
}

static struct ovnet_node *ovnet_table_node(struct rhash_head *head)
{
	return rht_is_a_nulls(head) ? NULL : container_of(head, struct ovnet_node, head);
}

struct ovnet_node *ovnet_table_bucket(struct rhashtable *table, unsigned int bucket,
				      unsigned int *size)
{
	const struct bucket_table *buckets = rht_dereference_rcu(table->tbl, table);

	*size = buckets->size;
	return bucket < buckets->size ?
		ovnet_table_node(rht_ptr_rcu(rht_bucket(buckets, bucket))) : NULL;
}

struct ovnet_node *ovnet_table_next(const struct ovnet_node *node)
{
	return ovnet_table_node(rcu_dereference_raw(node->head.next));
}

/* ---- per-CPU counters and rate limits --------------------------------------- */

void __percpu *ovnet_percpu_alloc(size_t size)
{
	return __alloc_percpu_gfp(size, __alignof__(u64), GFP_KERNEL_ACCOUNT);
}

void ovnet_percpu_free(void __percpu *counters)
{
	free_percpu(counters);
}

void ovnet_percpu_add(u64 __percpu *counter, u64 n)
{
	this_cpu_add(*counter, n);
}

static __always_inline void ovnet_percpu_pair(u64 __percpu *pair, u64 bytes)
{
	if (pair) {
		this_cpu_inc(*pair);
		this_cpu_add(*(pair + 1), bytes);
	}
}

/*
 * Four pairs of packets and bytes, or fewer: one call for a packet.  An array
 * and a loop would cost the checks that the kernel adds to both.
 */
void ovnet_percpu_count(u64 __percpu *a, u64 __percpu *b, u64 __percpu *c,
			u64 __percpu *d, u64 bytes)
{
	ovnet_percpu_pair(a, bytes);
	ovnet_percpu_pair(b, bytes);
	ovnet_percpu_pair(c, bytes);
	ovnet_percpu_pair(d, bytes);
}

/* The same for a packet that a device sends, and its own counters of frames. */
void ovnet_dev_count_sent(struct net_device *dev, u64 __percpu *a, u64 __percpu *b,
			  u64 __percpu *c, u64 __percpu *d, u64 bytes)
{
	dev_sw_netstats_tx_add(dev, 1, bytes + ETH_HLEN);
	ovnet_percpu_pair(a, bytes);
	ovnet_percpu_pair(b, bytes);
	ovnet_percpu_pair(c, bytes);
	ovnet_percpu_pair(d, bytes);
}

u64 ovnet_percpu_sum(u64 __percpu *counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return sum;
}

void ovnet_ratelimit_init(struct ratelimit_state *rs, int burst)
{
	ratelimit_state_init(rs, HZ, burst);
	ratelimit_set_flags(rs, RATELIMIT_MSG_ON_RELEASE);
}

bool ovnet_ratelimit(struct ratelimit_state *rs)
{
	return __ratelimit(rs);
}

u32 ovnet_ratelimit_take_missed(struct ratelimit_state *rs)
{
	return ratelimit_state_reset_miss(rs);
}
