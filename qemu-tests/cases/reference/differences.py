# SPDX-License-Identifier: GPL-2.0
"""Where tayga and our translator differ, and why. Nothing else may differ, and all that is said here must.

REPAIRS turn what tayga sends into what we send, where it differs in a part: everything around that part is still
compared, and the part itself is written by the rule that the standard gives. OUTCOMES name kinds of packets that one of
both drops, reports or passes and the other does not; what each does is part of the row.
"""

import struct
from dataclasses import dataclass

from hosts import *
from packet import *
from tayga import OWN4, OWN6

# --- repairs ----------------------------------------------------------------


def is_error(packet):
    if packet[0] == 0x45:
        return packet[9] == ICMP and packet[20] in (3, 11, 12)
    return packet[6] == ICMPV6 and packet[40] < 128


def header_len(packet):
    return (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40


def seal(packet):
    """The packet with lengths and checksums as they must be, down to those of ICMP."""
    head, message = packet[: header_len(packet)], packet[header_len(packet) :]
    if head[0] == 0x45:
        head = put(put(head, 2, len(packet)), 10, 0)
        head = put(head, 10, checksum(head))
    else:
        head = put(head, 4, len(message))
    if is_error(packet):
        covered = b"" if len(head) == 20 else pseudo(head[8:24], head[24:40], ICMPV6, len(message))
        message = put(message, 2, 0)
        message = put(message, 2, checksum(covered + message))
    return head + message


def requote(packet, change):
    """An ICMP error with its quote changed."""
    at = header_len(packet) + 8
    quote = change(packet[at:])
    return packet if quote == packet[at:] else seal(packet[:at] + quote)


def is_whole4(packet):
    return len(packet) >= 20 and packet[0] == 0x45 and struct.unpack("!H", packet[6:8])[0] & 0x3FFF == 0


def may_be_fragmented(theirs, ours):
    """DF as the size says; where it is set there is no identification."""
    if not is_whole4(theirs) or not is_whole4(ours) or theirs[6] == ours[6]:
        return theirs
    size = struct.unpack("!H", theirs[2:4])[0]
    # The identification is our choice if there is one.
    place = ours[4:6] + b"\0\0" if size <= 1260 else b"\0\0\x40\0"
    theirs = theirs[:4] + place + theirs[8:]
    return put(theirs, 10, checksum(put(theirs[:20], 10, 0)))


def dont_fragment(theirs, ours, packet):
    return may_be_fragmented(theirs, ours)


def quoted_dont_fragment(theirs, ours, packet):
    if theirs[0] == 0x45 and is_error(theirs):
        theirs = requote(theirs, lambda quote: may_be_fragmented(quote, ours[28:]))
    return theirs


def identification(theirs, ours, packet):
    if not is_whole4(theirs) or not is_whole4(ours) or theirs[6:8] != ours[6:8] or theirs[6] & 0x40:
        return theirs
    theirs = theirs[:4] + ours[4:6] + theirs[6:]
    return put(theirs, 10, checksum(put(theirs[:20], 10, 0)))


def precedence(theirs, ours, packet):
    if theirs[0] == 0x45 and is_error(theirs) and theirs[12:16] == a4(OWN4) and theirs[1] == 0:
        theirs = seal(theirs[:1] + b"\xc0" + theirs[2:])
    return theirs


def udp_zero(theirs, ours, packet):
    at = header_len(theirs)
    if theirs[9 if at == 20 else 6] == UDP and theirs[at + 6 : at + 8] == b"\0\0":
        theirs = put(theirs, at + 6, 0xFFFF)
    return theirs


def too_big_mtu(theirs, ours, packet):
    if theirs[0] >> 4 == 6 and is_error(theirs) and theirs[8:24] == a6(OWN6) and theirs[40] == 2:
        theirs = seal(theirs[:44] + struct.pack("!I", 1500 + 20) + theirs[48:])
    return theirs


def smallest_mtu(theirs, ours, packet):
    if theirs[0] == 0x45 and is_error(theirs) and theirs[20:22] == b"\x03\x04":
        (mtu,) = struct.unpack("!H", theirs[26:28])
        theirs = seal(put(theirs, 26, max(mtu, 68)))
    return theirs


def prohibited(theirs, ours, packet):
    if theirs[0] == 0x45 and theirs[12:16] == a4(OWN4) and theirs[20:22] == b"\x03\x0a":
        theirs = seal(theirs[:21] + b"\x0d" + theirs[22:])
    return theirs


def quoted_fragment(theirs, ours, packet):
    """The Fragment header of a quoted fragment."""
    if packet[0] != 0x45 or theirs[0] >> 4 != 6 or len(packet) < 48 or not is_error(packet):
        return theirs
    place = struct.unpack("!H", packet[34:36])[0]
    if not place & 0x3FFF:
        return theirs

    def insert(quote):
        (length,) = struct.unpack("!H", quote[4:6])
        header = fragment(quote[6], place & 0x1FFF, bool(place & 0x2000), struct.unpack("!H", packet[32:34])[0])
        return put(quote[:6], 4, length + 8) + bytes([FRAGMENT]) + quote[7:40] + header + quote[40:]

    return requote(theirs, insert)


def behind_quote(theirs, ours, packet):
    """What follows a quoted packet without being part of it."""
    quoted = packet[header_len(packet) + 8 :]
    if len(quoted) < 60 or not is_error(theirs) or not is_error(packet):
        return theirs
    size = struct.unpack("!H", quoted[2:4])[0] if quoted[0] == 0x45 else 40 + struct.unpack("!H", quoted[4:6])[0]
    # Where a length says so, it is padding, and objects follow.
    if quoted.endswith(OBJECTS):
        return theirs
    return requote(theirs, lambda quote: quote + quoted[size:])


def objects(theirs, ours, packet):
    """RFC 4884 objects: the quote gets at least 128 bytes, whole units, and a length; they follow."""
    if not packet.endswith(OBJECTS) or not is_error(theirs):
        return theirs
    length = packet[25] if packet[0] == 0x45 else packet[44]
    if not length or theirs[0] >> 4 == 6 and theirs[40] not in (1, 3):
        return theirs
    v4 = theirs[0] == 0x45
    unit, largest, place = (4, 576, 25) if v4 else (8, 1280, 44)
    start = header_len(theirs) + 8
    room = (largest - start - len(OBJECTS)) // unit * unit
    quote = theirs[start:][:room]
    quote += bytes(max(128 - len(quote), -len(quote) % unit))
    theirs = theirs[:place] + bytes([len(quote) // unit]) + theirs[place + 1 : start]
    return seal(theirs + quote + OBJECTS)


# In this order: what is longer first, that the sizes are right.
REPAIRS = {
    quoted_fragment: "tayga writes no Fragment header into a quote (RFC 7915 section 4.3: as for any packet)",
    behind_quote: "tayga cuts a quote where the quoted packet ends, and with it objects of routers that give no length "
    "(RFC 4884 section 5.5)",
    objects: "tayga leaves out objects (RFC 7915 sections 4.2 and 5.2: RFC 4884 extensions are passed on)",
    dont_fragment: "tayga sets DF also below 1261 bytes towards hosts it knows by a prefix, and clears it up to 1280 "
    "towards others (RFC 7915 section 5.1: set it if the IPv4 packet exceeds 1260 bytes)",
    quoted_dont_fragment: "likewise in quotes, and the identification is ours (RFC 7915 section 5.3)",
    identification: "identifications are chosen freely (RFC 7915 section 5.1, RFC 6864)",
    precedence: "tayga's errors have no precedence (RFC 1812 section 4.3.2.5: SHOULD be 6 or 7)",
    udp_zero: "tayga writes a UDP checksum that becomes 0 as it is, which says that there is none (RFC 768)",
    too_big_mtu: "tayga reports the MTU of its device (RFC 7915 section 5: the sender may send 20 bytes more than the "
    "IPv4 link takes)",
    smallest_mtu: "tayga reports MTUs that no IPv4 link has (RFC 791 section 3.2: at least 68)",
    prohibited: "unmapped sources: tayga says host prohibited, we say administratively prohibited (RFC 1812 section "
    "5.2.7.1: routers use the newer code 13)",
}

# --- outcomes ---------------------------------------------------------------


def outcome(packets):
    """What became of a packet, in words."""
    if not packets:
        return "drops"
    packet = packets[0]
    own = packet[12:16] == a4(OWN4) if packet[0] == 0x45 else packet[8:24] == a6(OWN6)
    if own and is_error(packet) and len(packets) == 1:
        at = header_len(packet)
        return f"reports {packet[at]}/{packet[at + 1]}"
    return "passes" if len(packets) == 1 else f"passes {len(packets)}"


@dataclass
class Outcome:
    """Kinds of which both make something else. Names may end in *."""

    corpus: str
    theirs: str
    ours: str
    kinds: str
    cause: str


OUTCOMES = [
    # Sizes and fragments.
    Outcome("4to6", "reports 3/4", "passes", "size-1484-options-df",
            "tayga counts the options, which are left out (RFC 7915 section 4.1)"),
    Outcome("4to6", "passes 2", "reports 3/4", "fragment-1500-df fragment-1476-df",
            "tayga cuts fragments that have DF (RFC 7915 section 4.4: with DF an error is due)"),
    Outcome("4to6", "passes 2", "passes", "fragment-1468-df fragment-1300-df",
            "likewise; the limit of 1280 is for packets without DF (RFC 7915 section 4)"),
    Outcome("6to4", "reports 2/0", "passes", "size-1501 size-1519 size-1520 fragment-1504 fragment-1528",
            "tayga compares the size in IPv6 with the MTU of IPv4 (RFC 7915 section 5: that of the IPv4 packet counts)"),
    Outcome("4to6", "drops", "passes", "fragment-too-far fragment-uneven fragment-empty-last",
            "tayga judges fragments as their receiver does; a translator need not (RFC 7915 section 4.1)"),
    Outcome("6to4", "drops", "passes", "fragment-uneven", "likewise (RFC 7915 section 5.1.1)"),
    Outcome("6to4", "passes", "drops", "fragment-largest-offset",
            "no IPv4 packet is as large as this fragment says the whole is (RFC 791 section 3.1)"),
    # Whom and when errors are sent.
    Outcome("4to6", "reports 11/0", "drops", "fragment-last-ttl-1",
            "no errors about fragments other than the first (RFC 1812 section 4.3.2.7)"),
    Outcome("maps", "reports 3/1", "drops", "to-unmapped-fragment", "likewise"),
    Outcome("6to4", "reports 3/0", "drops", "fragment-last-hops-1",
            "likewise; RFC 4443 has no such rule, but the quote would lack the ports just as in IPv4"),
    Outcome("6to4", "reports 1/0", "drops", "to-unmapped-fragment-last", "likewise"),
    Outcome("4to6", "drops", "reports 3/4", "size-1500-echo-reply-df",
            "tayga reports no ICMP but echo requests; only errors are forbidden (RFC 1812 section 4.3.2.7)"),
    Outcome("4to6", "drops", "reports 11/0", "ttl-1-echo-reply", "likewise"),
    Outcome("maps", "drops", "reports 3/1", "to-unmapped-echo-reply", "likewise"),
    Outcome("6to4", "drops", "reports 2/0", "size-2000-echo-reply", "likewise (RFC 4443 section 2.4 (e))"),
    Outcome("6to4", "drops", "reports 3/0", "hops-1-echo-reply", "likewise"),
    Outcome("6to4", "drops", "reports 1/0", "to-unmapped-echo-reply", "likewise"),
    Outcome("4to6", "drops", "reports 11/0", "ttl-0", "tayga reports 1 and not 0 (RFC 1812 section 5.3.1)"),
    Outcome("6to4", "drops", "reports 3/0", "hops-0", "likewise (RFC 4443 section 3.3)"),
    # Options and extension headers.
    Outcome("4to6", "passes", "reports 3/5", "option-loose-source-route option-strict-source-route",
            "tayga ignores source routes with hops left (RFC 7915 section 4.1: report them)"),
    Outcome("4to6", "passes", "drops", "option-of-no-length option-too-long",
            "tayga looks at no option; what cannot be walked may hide a source route (RFC 7915 section 4.1)"),
    Outcome("6to4", "passes", "reports 4/0", "routing-left*",
            "tayga ignores routing headers with segments left (RFC 7915 section 5.1: report them)"),
    Outcome("6to4", "passes", "drops", "extension-nine extension-too-long",
            "we walk 8 headers and 256 bytes; the standard names no bound (RFC 8504 section 5.3 lets nodes have one)"),
    Outcome("6to4", "passes", "reports 1/1",
            "fragment-before-options fragment-before-hop-by-hop fragment-before-routing fragment-before-fragment "
            "atomic-before-options",
            "tayga gives the number of an IPv6 header to IPv4 (RFC 7915 section 5.1.1: drop packets with an extension "
            "header behind the Fragment header)"),
    Outcome("6to4", "passes", "drops", "fragment-last-of-options quote-fragment-before-options", "likewise"),
    # Transport.
    Outcome("4to6", "drops", "reports 3/13", "udp-zero-checksum udp-zero-checksum-empty fragment-udp-zero-checksum",
            "we also tell the sender (RFC 7915 section 4.5 asks for an event and allows it)"),
    Outcome("4to6", "drops", "passes", "udp-nothing tcp-nothing",
            "an empty packet has no checksum to adjust; its receiver judges it (RFC 7915 section 4.5)"),
    Outcome("6to4", "drops", "passes", "udp-nothing tcp-nothing length-0", "likewise (RFC 7915 section 5.5)"),
    Outcome("4to6", "drops", "passes", "echo-wrong-checksum",
            "tayga verifies checksums of queries; adjusting keeps them wrong (RFC 7915 section 4.2)"),
    Outcome("6to4", "drops", "passes", "echo-wrong-checksum", "likewise (RFC 7915 section 5.2)"),
    Outcome("4to6", "passes", "drops", "igmp-unicast",
            "IGMP is single-hop (RFC 7915 section 4.2: drop it)"),
    # Addresses.
    Outcome("4to6", "passes", "drops", "from-zero from-zero-net",
            "tayga takes 0.0.0.0/8 for hosts (RFC 7915 section 4.1 and RFC 1812 section 5.3.7: drop)"),
    Outcome("6to4", "passes", "drops", "from-prefix-zero", "likewise (RFC 7915 section 5.1)"),
    Outcome("4to6", "passes", "reports 3/1", "to-zero to-zero-net", "likewise, as a destination"),
    Outcome("6to4", "passes", "reports 1/0", "to-prefix-zero", "likewise, as a destination"),
    Outcome("4to6", "drops", "reports 3/1", "to-reserved to-loopback",
            "we report destinations that nobody can have like others without a mapping (RFC 1812 section 5.2.7.1)"),
    Outcome("6to4", "drops", "reports 1/0", "to-loopback to-unspecified to-link-local",
            "likewise (RFC 4443 section 3.1)"),
    Outcome("6to4", "reports 1/5", "drops", "from-prefix-group from-prefix-loopback from-prefix-broadcast",
            "tayga reports illegal sources (RFC 7915 section 5.1: drop in silence)"),
    Outcome("6to4", "reports 1/0", "drops", "to-prefix-group to-prefix-broadcast",
            "nothing is sent about packets to groups (RFC 4443 section 2.4 (e))"),
    Outcome("6to4", "reports 1/5", "passes", "from-prefix-of-mapped",
            "tayga lets nobody use the prefix for hosts that are mapped (RFC 7757 section 4 leaves that to hairpinning, "
            "which is off)"),
    Outcome("6to4", "reports 1/0", "passes", "to-prefix-of-mapped", "likewise"),
    Outcome("4to6", "drops", "reports 3/1", "to-link-local", "likewise (RFC 3927 section 2.7: never forward)"),
    Outcome("6to4", "reports 1/5", "drops", "from-prefix-link-local",
            "tayga reports sources that no packet may be forwarded from (RFC 3927 section 2.7)"),
    # ICMP errors.
    Outcome("4to6", "passes", "drops", "time-exceeded-2",
            "we drop codes that do not exist (RFC 792 has 0 and 1), though RFC 7915 section 4.2 leaves the code as it is"),
    Outcome("6to4", "passes", "drops", "time-exceeded-2", "likewise (RFC 4443 section 3.3, RFC 7915 section 5.2)"),
    Outcome("6to4", "drops", "passes", "unreachable-3",
            "tayga does not know address unreachable (RFC 7915 section 5.2: host unreachable)"),
    Outcome("6to4", "drops", "passes", "too-big-0 too-big-1 too-big-67",
            "tayga drops MTUs below 68 (RFC 7915 section 5.2 excepts none)"),
    Outcome("4to6", "drops", "passes",
            "parameter-0 parameter-1 parameter-2 parameter-3 parameter-8 parameter-9 parameter-12 parameter-13 "
            "parameter-14 parameter-15 parameter-16 parameter-17 parameter-18 parameter-19 parameter-code-2 "
            "objects-parameter objects-parameter-pointer",
            "tayga drops parameter problems (RFC 7915 section 4.2, figure 3)"),
    Outcome("6to4", "drops", "passes",
            "parameter-0 parameter-1 parameter-4 parameter-5 parameter-6 parameter-7 parameter-8 parameter-9 "
            "parameter-15 parameter-22 parameter-23 parameter-24 parameter-25 parameter-38 parameter-39",
            "likewise (RFC 7915 section 5.2, figure 6)"),
    Outcome("4to6", "drops", "passes",
            "quote-tcp-8 quote-tcp-17 quote-udp-7 quote-header-only quote-odd-time-exceeded quote-fragment-echo "
            "quote-echo-reply quote-udp-zero-checksum",
            "tayga drops errors whose quote it would not translate as a packet; a router quotes as little as 8 bytes (RFC "
            "792), and a fragment, an echo reply or a zero checksum may well cause an error (RFC 7915 section 4.3)"),
    Outcome("6to4", "drops", "passes",
            "quote-tcp-8 quote-tcp-17 quote-udp-7 quote-header-only quote-odd-time-exceeded quote-fragment-echo "
            "quote-echo-reply quote-udp-zero-checksum",
            "likewise (RFC 7915 section 5.3)"),
    Outcome("4to6", "drops", "passes", "error-from-loopback",
            "errors from illegal sources are translated for trouble shooting (RFC 7915 section 4.1)"),
    Outcome("maps", "drops", "reports 3/0", "error-of-unmapped-router",
            "tayga drops errors of routers that have no mapping; ours come from the translator, so that traces go on"),
    Outcome("6to4", "drops", "reports 11/0", "error-from-unmapped error-from-prefix-loopback",
            "likewise (RFC 6791)"),
]
