/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the unit tests of module/net need of the kernel that the module itself
 * does not: socket buffers and messages of a chosen shape.
 */
#ifndef OVNET_TEST_HELPERS_H
#define OVNET_TEST_HELPERS_H

#include <linux/skbuff.h>
#include <net/genetlink.h>

struct net *ovnet_test_net(void);
void ovnet_test_softirqs_off(void);
void ovnet_test_softirqs_on(void);

/* A packet of which byte N has the value N; `paged` bytes are in a page. */
struct sk_buff *ovnet_test_skb(unsigned int headroom, unsigned int linear,
			       unsigned int paged);
struct sk_buff *ovnet_test_skb_clone(struct sk_buff *skb);
void ovnet_test_skb_gso(struct sk_buff *skb, unsigned int size, unsigned int type,
			unsigned int segs);
void ovnet_test_skb_partial(struct sk_buff *skb, unsigned int start);
int ovnet_test_skb_byte(const struct sk_buff *skb, unsigned int at);

/* A message of a new buffer, and how long it is. */
struct sk_buff *ovnet_test_message(unsigned int room, void **header);
struct nlattr *ovnet_test_attr(const struct sk_buff *skb, int attr);

static const u32 RUST_CONST_HELPER_OVNET_TEST_GSO_GRE = SKB_GSO_GRE;

#endif
