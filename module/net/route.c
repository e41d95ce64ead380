// SPDX-License-Identifier: GPL-2.0
/*
 * Routes of the substrate, cached per CPU and remote host, and what is sent
 * along them.  Softirqs are off and the caller is an RCU reader.
 *
 * A route that is handed out is not counted: the cache counts it, and a route
 * is freed a grace period after nobody does.
 */
#include "bindings_helper.h"

#include <net/ip6_fib.h>
#include <net/l3mdev.h>
#include <net/ndisc.h>

struct ovnet_route {
	struct dst_entry *dst;
	u32 cookie;
};

struct ovnet_route __percpu *ovnet_routes_alloc(void)
{
	return alloc_percpu(struct ovnet_route);
}

void ovnet_routes_free(struct ovnet_route __percpu *routes)
{
	int cpu;

	for_each_possible_cpu(cpu)
		dst_release(per_cpu_ptr(routes, cpu)->dst);
	free_percpu(routes);
}

/* The MTU is that of ip6_mtu(), for a device that has IPv6. */
static __always_inline struct ovnet_way ovnet_route_take(struct dst_entry *dst)
{
	const struct inet6_dev *idev = ip6_dst_idev(dst);
	u32 mtu = dst_metric_raw(dst, RTAX_MTU);

	if (unlikely(dst->lwtstate || !idev))
		mtu = dst_mtu(dst);
	else if (!mtu)
		mtu = READ_ONCE(idev->cnf.mtu6);
	return (struct ovnet_way) {
		.dst = dst,
		.mtu = min_t(u32, mtu, IP6_MAX_MTU),
		.headroom = LL_RESERVED_SPACE(dst->dev) + dst->header_len,
	};
}

static noinline bool ovnet_route_passes(struct dst_entry *dst, u32 cookie)
{
	return !READ_ONCE(dst->obsolete) || dst->ops->check(dst, cookie);
}

/*
 * What ip6_dst_check() does, for a route that does not expire and is of no
 * nexthop object: whether the table has changed since.  Whatever else it may
 * be is left to the kernel.
 */
static __always_inline bool ovnet_route_holds(struct dst_entry *dst, u32 cookie)
{
	const struct rt6_info *rt = dst_rt6_info(dst);
	const struct fib6_info *from = rcu_dereference_bh(rt->from);
	u32 now;

	if (likely(READ_ONCE(dst->obsolete) == DST_OBSOLETE_FORCE_CHK && !rt->sernum && from &&
		   !((rt->rt6i_flags | from->fib6_flags) & RTF_EXPIRES))) {
		const struct fib6_node *node = rcu_dereference_bh(from->fib6_node);

		if (!node)
			return false;
		now = READ_ONCE(node->fn_sernum);
		/* As in fib6_get_cookie_safe(). */
		smp_rmb();
		return now == cookie;
	}
	return ovnet_route_passes(dst, cookie);
}

struct ovnet_way ovnet_route_cached(struct ovnet_route __percpu *routes)
{
	struct ovnet_route *route = this_cpu_ptr(routes);
	struct dst_entry *dst = route->dst;

	if (unlikely(!dst || !ovnet_route_holds(dst, route->cookie)))
		return (struct ovnet_way) {};
	return ovnet_route_take(dst);
}

struct ovnet_way ovnet_route_find(struct net *net, struct ovnet_route __percpu *routes,
				  const struct in6_addr *src, const struct in6_addr *dst)
{
	struct ovnet_route *route = this_cpu_ptr(routes);
	struct flowi6 flow = { .saddr = *src, .daddr = *dst };
	struct dst_entry *found;

	dst_release(route->dst);
	route->dst = NULL;
	found = ip6_route_output_flags(net, NULL, &flow, RT6_LOOKUP_F_HAS_SADDR);
	if (found->error || found->dev->flags & IFF_LOOPBACK) {
		dst_release(found);
		return (struct ovnet_way) {};
	}
	route->dst = found;
	route->cookie = rt6_get_cookie(dst_rt6_info(found));
	return ovnet_route_take(found);
}

/* Where a packet to that address goes next. */
void ovnet_nexthop(const struct dst_entry *dst, const struct in6_addr *to,
		   struct in6_addr *nexthop)
{
	*nexthop = *rt6_nexthop(dst_rt6_info(dst), to);
}

/*
 * With softirqs off the caller is an RCU reader already.  Saying so again is for
 * hooks that assert it, where anybody checks.
 */
static __always_inline void ovnet_rcu_read_lock(void)
{
	if (IS_ENABLED(CONFIG_PROVE_RCU))
		rcu_read_lock();
}

static __always_inline void ovnet_rcu_read_unlock(void)
{
	if (IS_ENABLED(CONFIG_PROVE_RCU))
		rcu_read_unlock();
}

/* As nf_hook() finds them. */
static __always_inline struct nf_hook_entries *ovnet_hooks(struct net *net, unsigned int hook)
{
	/* The key only spares looking; a kernel without jump labels has none. */
#ifdef CONFIG_JUMP_LABEL
	if (!static_key_false(&nf_hooks_needed[NFPROTO_IPV6][hook]))
		return NULL;
#endif
	return rcu_dereference(net->nf.hooks_ipv6[hook]);
}

/*
 * What ip6_local_out() does, without what cannot be: the packet has no socket
 * of this namespace, its size was checked against the route's MTU, and its
 * destination is no multicast.  Whatever is not the ordinary case is left to
 * the kernel: hooks on local output, VRFs, lightweight tunnels, neighbours
 * yet to be found.  The packet is from a port, which may be in another
 * namespace, or from the substrate itself.
 *
 * The flag says that the packet has been through the hooks on its way out:
 * ip6_output() then goes on behind them, also when a hook queues the packet.
 */
void ovnet_ip6_send(struct net *net, struct sk_buff *skb, struct dst_entry *dst,
		    const struct net_device *from)
{
	bool xnet = from && !net_eq(dev_net(from), net);
	struct net_device *dev = dst->dev;
	struct inet6_dev *idev = ip6_dst_idev(dst);
	struct nf_hook_entries *hooks;
	struct neighbour *neigh;

	skb_scrub_packet(skb, xnet);
	skb_dst_set_noref(skb, dst);
	skb->dev = dev;
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	ovnet_rcu_read_lock();
	if (unlikely(dst->output != ip6_output || dst->lwtstate || !idev ||
		     READ_ONCE(idev->cnf.disable_ipv6) || netif_is_l3_slave(dev) ||
		     ovnet_hooks(net, NF_INET_LOCAL_OUT))) {
		ip6_local_out(net, NULL, skb);
		goto out;
	}

	IP6CB(skb)->nhoff = offsetof(struct ipv6hdr, nexthdr);
	IP6CB(skb)->flags = IP6SKB_REROUTED;
	hooks = ovnet_hooks(net, NF_INET_POST_ROUTING);
	if (hooks) {
		struct nf_hook_state state __uninitialized;

		nf_hook_state_init(&state, NF_INET_POST_ROUTING, NFPROTO_IPV6, dev, dev,
				   NULL, net, ip6_output);
		if (nf_hook_slow(skb, &state, hooks, 0) != 1)
			goto out;
	}

	neigh = __ipv6_neigh_lookup_noref(dev, rt6_nexthop(dst_rt6_info(dst),
							   &ipv6_hdr(skb)->daddr));
	if (unlikely(!neigh || !(READ_ONCE(neigh->nud_state) & NUD_CONNECTED) ||
		     !READ_ONCE(neigh->hh.hh_len) || skb_dst(skb) != dst ||
		     skb_headroom(skb) < LL_RESERVED_SPACE(dev))) {
		ip6_output(net, NULL, skb);
		goto out;
	}
	IP6_UPD_PO_STATS(net, idev, IPSTATS_MIB_OUT, skb->len);
	sock_confirm_neigh(skb, neigh);
	neigh_hh_output(&neigh->hh, skb);
out:
	ovnet_rcu_read_unlock();
}
