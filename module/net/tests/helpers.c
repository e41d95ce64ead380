// SPDX-License-Identifier: GPL-2.0
/*
 * See helpers.h.  Built only for a kernel with KUnit.
 */
#include <linux/bottom_half.h>
#include <linux/gfp.h>
#include <net/net_namespace.h>

#include "bindings_helper.h"

struct net *ovnet_test_net(void)
{
	return &init_net;
}

void ovnet_test_softirqs_off(void)
{
	local_bh_disable();
}

void ovnet_test_softirqs_on(void)
{
	local_bh_enable();
}

/* ---- socket buffers ------------------------------------------------------ */

struct sk_buff *ovnet_test_skb(unsigned int headroom, unsigned int linear,
			       unsigned int paged)
{
	struct sk_buff *skb = alloc_skb(headroom + linear, GFP_KERNEL);
	unsigned int i;

	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	for (i = 0; i < linear; i++)
		__skb_put_u8(skb, i);
	if (paged) {
		struct page *page = alloc_page(GFP_KERNEL);
		u8 *bytes;

		if (!page) {
			kfree_skb(skb);
			return NULL;
		}
		bytes = page_address(page);
		for (i = 0; i < paged; i++)
			bytes[i] = linear + i;
		skb_add_rx_frag(skb, 0, page, 0, paged, PAGE_SIZE);
	}
	return skb;
}

struct sk_buff *ovnet_test_skb_clone(struct sk_buff *skb)
{
	return skb_clone(skb, GFP_KERNEL);
}

void ovnet_test_skb_gso(struct sk_buff *skb, unsigned int size, unsigned int type,
			unsigned int segs)
{
	skb_shinfo(skb)->gso_size = size;
	skb_shinfo(skb)->gso_type = type;
	skb_shinfo(skb)->gso_segs = segs;
}

void ovnet_test_skb_partial(struct sk_buff *skb, unsigned int start)
{
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + start;
	skb->csum_offset = 16;
}

int ovnet_test_skb_byte(const struct sk_buff *skb, unsigned int at)
{
	u8 byte;

	return skb_copy_bits(skb, at, &byte, 1) ? -1 : byte;
}

/* ---- netlink --------------------------------------------------------------- */

struct sk_buff *ovnet_test_message(unsigned int room, void **header)
{
	struct sk_buff *skb = nlmsg_new(room, GFP_KERNEL);

	if (!skb)
		return NULL;
	*header = genlmsg_put(skb, 0, 0, &ovnet_nl_family, 0, OVNET_CMD_EVENT);
	return skb;
}

struct nlattr *ovnet_test_attr(const struct sk_buff *skb, int attr)
{
	return nlmsg_find_attr(nlmsg_hdr(skb), GENL_HDRLEN, attr);
}
