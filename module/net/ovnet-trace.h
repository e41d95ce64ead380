/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: what became of a packet of a node.  A packet is counted and
 * traced at the same places, so that counters and traces agree.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ovnet

#if !defined(OVNET_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define OVNET_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>

#include "bindings_helper.h"
#include "drop-reasons.h"

TRACE_DEFINE_ENUM(OVNET_FORM_NONE);
TRACE_DEFINE_ENUM(OVNET_FORM_FAST);
TRACE_DEFINE_ENUM(OVNET_FORM_ESCAPE);
TRACE_DEFINE_ENUM(OVNET_FORM_LOCAL);
TRACE_DEFINE_ENUM(OVNET_FORM_STANDARD);

#define OVNET_TRACE_FORMS					\
	{ OVNET_FORM_NONE,	"none" },			\
	{ OVNET_FORM_FAST,	"fast" },			\
	{ OVNET_FORM_ESCAPE,	"escape" },			\
	{ OVNET_FORM_LOCAL,	"local" },			\
	{ OVNET_FORM_STANDARD,	"standard" }

#ifndef OVNET_TRACE_REASON
#define OVNET_TRACE_REASON(number, name) { number, name }
#endif

/*
 * A node's packet on its way: out of the device, or into it.  Addresses are
 * virtual ones; the length is that of the packet as it is then.
 */
DECLARE_EVENT_CLASS(ovnet_packet,
	TP_PROTO(const struct sk_buff *skb, const struct net_device *dev, u32 vni,
		 u32 src, u32 dst, u32 form),
	TP_ARGS(skb, dev, vni, src, dst, form),
	TP_STRUCT__entry(
		__field(const void *,	skbaddr)
		__field(unsigned int,	len)
		__field(int,		ifindex)
		__field(u32,		vni)
		__array(u8,		src, 4)
		__array(u8,		dst, 4)
		__field(u32,		form)
		__string(name,		dev->name)
	),
	TP_fast_assign(
		__entry->skbaddr = skb;
		__entry->len = skb->len;
		__entry->ifindex = dev->ifindex;
		__entry->vni = vni;
		put_unaligned_be32(src, __entry->src);
		put_unaligned_be32(dst, __entry->dst);
		__entry->form = form;
		__assign_str(name);
	),
	TP_printk("skbaddr=%p dev=%s ifindex=%d vni=%u src=%pI4 dst=%pI4 len=%u form=%s",
		  __entry->skbaddr, __get_str(name), __entry->ifindex, __entry->vni,
		  __entry->src, __entry->dst, __entry->len,
		  __print_symbolic(__entry->form, OVNET_TRACE_FORMS))
);

/* The node's packet is sent: onto the substrate, or to another port. */
DEFINE_EVENT(ovnet_packet, ovnet_tx,
	TP_PROTO(const struct sk_buff *skb, const struct net_device *dev, u32 vni,
		 u32 src, u32 dst, u32 form),
	TP_ARGS(skb, dev, vni, src, dst, form)
);

/* The node is given a packet: of the substrate, or of another port. */
DEFINE_EVENT(ovnet_packet, ovnet_rx,
	TP_PROTO(const struct sk_buff *skb, const struct net_device *dev, u32 vni,
		 u32 src, u32 dst, u32 form),
	TP_ARGS(skb, dev, vni, src, dst, form)
);

/*
 * A packet is dropped.  The device is the node's that sent it, or the one the
 * substrate's packet came by; VNI and addresses are 0 if it did not come far
 * enough for them to be known.
 */
TRACE_EVENT(ovnet_drop,
	TP_PROTO(const struct sk_buff *skb, const struct net_device *dev, u32 vni,
		 u32 src, u32 dst, u32 reason),
	TP_ARGS(skb, dev, vni, src, dst, reason),
	TP_STRUCT__entry(
		__field(const void *,	skbaddr)
		__field(unsigned int,	len)
		__field(int,		ifindex)
		__field(u32,		vni)
		__array(u8,		src, 4)
		__array(u8,		dst, 4)
		__field(u32,		reason)
		__string(name,		dev ? dev->name : "-")
	),
	TP_fast_assign(
		__entry->skbaddr = skb;
		__entry->len = skb->len;
		__entry->ifindex = dev ? dev->ifindex : 0;
		__entry->vni = vni;
		put_unaligned_be32(src, __entry->src);
		put_unaligned_be32(dst, __entry->dst);
		__entry->reason = reason;
		__assign_str(name);
	),
	TP_printk("skbaddr=%p dev=%s ifindex=%d vni=%u src=%pI4 dst=%pI4 len=%u reason=%s",
		  __entry->skbaddr, __get_str(name), __entry->ifindex, __entry->vni,
		  __entry->src, __entry->dst, __entry->len,
		  __print_symbolic(__entry->reason,
				   OVNET_DROP_REASONS(OVNET_TRACE_REASON)))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ovnet-trace
#include <trace/define_trace.h>
