/* SPDX-License-Identifier: GPL-2.0 */
/* Do not edit: generated from Documentation/netlink/specs/ovnet.yaml by scripts/generate. */
#ifndef OVNET_DROP_REASONS_H
#define OVNET_DROP_REASONS_H

#define OVNET_DROP_REASONS(R) \
	R(0, "malformed"), \
	R(1, "port-unconfigured"), \
	R(2, "port-down"), \
	R(3, "spoof-mac"), \
	R(4, "spoof-address"), \
	R(5, "not-ipv4"), \
	R(6, "arp-unanswered"), \
	R(7, "multicast"), \
	R(8, "no-mapping"), \
	R(9, "destination-mac"), \
	R(10, "needs-escape"), \
	R(11, "ttl"), \
	R(12, "too-big"), \
	R(13, "offload"), \
	R(14, "no-route"), \
	R(15, "no-memory"), \
	R(16, "unknown-network"), \
	R(17, "network-mismatch"), \
	R(18, "address-form"), \
	R(19, "next-header"), \
	R(20, "substrate-icmp"), \
	R(21, "not-here"), \
	R(22, "unknown-source"), \
	R(23, "forged-source"), \
	R(24, "martian-source"), \
	R(25, "source-route"), \
	R(26, "ttl-exceeded"), \
	R(27, "extension-headers"), \
	R(28, "icmp-untranslatable"), \
	R(29, "icmp-fragment"), \
	R(30, "icmp-checksum"), \
	R(31, "icmp-quote"), \
	R(32, "udp-zero-checksum"), \
	R(33, "escape-mismatch"), \
	R(34, "unresolved"), \
	R(35, "parked-overflow"), \
	R(36, "miss-limit"), \
	R(37, "no-such-node"), \
	R(38, "new-address"), \
	R(39, "port-inactive"), \
	R(40, "forward-loop"), \
	R(41, "not-authorised"), \
	R(42, "policy"), \
	R(43, "fenced")

#endif
