# SPDX-License-Identifier: GPL-2.0
"""IPv4 packets that both translators get: dictionaries from the name of a kind to its bytes."""

import struct

from hosts import *
from packet import *

def plain():
    """IPv4 packets without anything to report."""
    u = udp(A4, B4, b"hello")
    t = tcp(A4, B4, b"some data")
    syn = tcp(A4, B4, flags=2, options=bytes.fromhex("020405b40402080a000000010000000001030307"))
    kinds = {
        "udp": ip4(A4, B4, UDP, u),
        "udp-empty": ip4(A4, B4, UDP, udp(A4, B4, b"")),
        "udp-even": ip4(A4, B4, UDP, udp(A4, B4, b"even")),
        "udp-wrong-checksum": ip4(A4, B4, UDP, udp(A4, B4, b"x", sum=0x1234)),
        "udp-checksum-ffff": ip4(A4, B4, UDP, udp(A4, B4, b"x", sum=0xFFFF)),
        "udp-to-prefix": ip4(A4, C4, UDP, udp(A4, C4, b"hello")),
        "udp-from-prefix": ip4(C4, A4, UDP, udp(C4, A4, b"hello")),
        "udp-all-by-prefix": ip4(C4, R4, UDP, udp(C4, R4, b"hello")),
        "udp-private-by-prefix": ip4(a4("10.9.9.9"), A4, UDP, udp(a4("10.9.9.9"), A4, b"hello")),
        "udp-mapped-prefix": ip4(P4, Q4, UDP, udp(P4, Q4, b"hello")),
        "udp-longer-than-packet": ip4(A4, B4, UDP, put(u, 4, 200)),
        "tcp": ip4(A4, B4, TCP, t),
        "tcp-syn": ip4(A4, B4, TCP, syn),
        "tcp-to-prefix": ip4(A4, C4, TCP, tcp(A4, C4, b"odd")),
        "echo": ip4(A4, B4, ICMP, echo4()),
        "echo-reply": ip4(A4, B4, ICMP, echo4(0)),
        "echo-empty": ip4(A4, B4, ICMP, echo4(payload=b"")),
        "echo-odd": ip4(A4, B4, ICMP, echo4(payload=b"odd")),
        "echo-code": ip4(A4, B4, ICMP, echo4(code=3)),
        "echo-to-prefix": ip4(A4, C4, ICMP, echo4()),
    }
    # A checksum that becomes 0: of TCP it stays 0, of UDP it is written as its complement (RFC 768).
    for name, protocol, make, at, zero in (
        ("udp", UDP, lambda n: udp(A4, B4, struct.pack("!H", n)), 6, 0xFFFF),
        ("tcp", TCP, lambda n: tcp(A4, B4, struct.pack("!H", n)), 16, 0),
    ):
        base = make(0)
        translated = put(base, at, 0)
        missing = checksum(pseudo(A6, B6, protocol, len(base)) + translated)
        kinds[f"{name}-becomes-zero"] = ip4(A4, B4, protocol, make(missing))
    for name, number in OTHERS.items():
        kinds[f"protocol-{name}"] = ip4(A4, B4, number, bulk(40))
        kinds[f"protocol-{name}-empty"] = ip4(A4, B4, number, b"")
    kinds["protocol-ah"] = ip4(A4, B4, 51, bytes([UDP, 4, 0, 0]) + bulk(20) + u)
    for number in (HOP_BY_HOP, ROUTING, FRAGMENT, ICMPV6, NO_NEXT, DESTINATION):
        kinds[f"protocol-of-ipv6-{number}"] = ip4(A4, B4, number, extension(UDP) + u)
    for tos in (0x01, 0x02, 0x03, 0x10, 0xB8, 0xFF):
        kinds[f"tos-{tos:02x}"] = ip4(A4, B4, UDP, u, tos=tos)
    for ttl in (255, 128, 2):
        kinds[f"ttl-{ttl}"] = ip4(A4, B4, UDP, u, ttl=ttl)
    for flags, name in ((0, "no-df"), (2, "df"), (4, "reserved"), (6, "reserved-df")):
        for ident in (0, 1, 0xFFFF):
            kinds[f"{name}-id-{ident:x}"] = ip4(A4, B4, TCP, t, flags=flags, ident=ident)
    for name, options in {
        "nop": "01010101",
        "end": "00000000",
        "router-alert": "94040000",
        "record-route": "070b04c000020100000000" + "00",
        "timestamp": "440c0500" + "00000000" * 2,
        "source-route-done": "830708" + "c0000201" + "00",
        "strict-source-route-done": "890708" + "c0000201" + "00",
        "unknown": "5e04abcd",
        "longest": "01" * 40,
    }.items():
        kinds[f"option-{name}"] = ip4(A4, B4, UDP, u, options=bytes.fromhex(options))
    kinds["padding"] = ip4(A4, B4, UDP, u) + bytes(13)
    kinds["padding-of-ethernet"] = ip4(A4, B4, TCP, tcp(A4, B4, flags=0x10)) + bytes(6)
    return kinds


def sizes():
    """IPv4 packets around the limits of a path, and fragments."""
    kinds = {}
    for size in (1239, 1240, 1241, 1259, 1260, 1261, 1280, 1479, 1480):
        for flags, name in ((0, "no-df"), (2, "df")):
            kinds[f"size-{size}-{name}"] = ip4(A4, B4, UDP, udp(A4, B4, bulk(size - 28)), flags=flags)
    for size in (1481, 1500, 2000, 4000):
        kinds[f"size-{size}-no-df"] = ip4(A4, B4, TCP, tcp(A4, B4, bulk(size - 40)))
        kinds[f"size-{size}-df"] = ip4(A4, B4, TCP, tcp(A4, B4, bulk(size - 40)), flags=2)
    kinds["size-1500-options-no-df"] = ip4(A4, B4, UDP, udp(A4, B4, bulk(1468)), options=b"\x01" * 4)
    kinds["size-1484-options-df"] = ip4(A4, B4, UDP, udp(A4, B4, bulk(1452)), options=b"\x01" * 4, flags=2)
    kinds["size-1500-echo-df"] = ip4(A4, B4, ICMP, echo4(payload=bulk(1472)), flags=2)
    kinds["size-1500-echo-reply-df"] = ip4(A4, B4, ICMP, echo4(0, payload=bulk(1472)), flags=2)
    kinds["size-2000-echo-no-df"] = ip4(A4, B4, ICMP, echo4(payload=bulk(1972)))
    kinds["size-2000-gre-no-df"] = ip4(A4, B4, 47, bulk(1980), ident=0)

    whole = udp(A4, B4, bulk(3000))
    segment = tcp(A4, B4, bulk(3000))
    for ident in (0, 1, 0xFFFF):
        kinds[f"fragment-first-id-{ident:x}"] = ip4(A4, B4, UDP, whole[:64], flags=1, ident=ident)
    kinds |= {
        "fragment-first-tcp": ip4(A4, B4, TCP, segment[:64], flags=1),
        "fragment-first-gre": ip4(A4, B4, 47, bulk(64), flags=1),
        "fragment-middle": ip4(A4, B4, UDP, whole[64:128], flags=1, offset=8),
        "fragment-last": ip4(A4, B4, UDP, whole[128:137], offset=16),
        "fragment-last-tcp": ip4(A4, B4, TCP, segment[128:137], offset=16),
        "fragment-first-df": ip4(A4, B4, UDP, whole[:64], flags=3),
        "fragment-last-df": ip4(A4, B4, UDP, whole[64:100], flags=2, offset=8),
        "fragment-options": ip4(A4, B4, UDP, whole[:64], flags=1, options=b"\x01" * 4),
        "fragment-to-prefix": ip4(C4, A4, UDP, udp(C4, A4, bulk(100))[:64], flags=1),
        "fragment-largest-offset": ip4(A4, B4, UDP, bulk(7), offset=8191),
        "fragment-too-far": ip4(A4, B4, UDP, bulk(8), offset=8191),
        "fragment-uneven": ip4(A4, B4, UDP, whole[:61], flags=1),
        "fragment-tiny-udp": ip4(A4, B4, UDP, whole[:8], flags=1),
        "fragment-tiny-tcp": ip4(A4, B4, TCP, segment[:16], flags=1),
        "fragment-empty-last": ip4(A4, B4, UDP, b"", offset=8),
        "fragment-1252": ip4(A4, B4, UDP, whole[:1232], flags=1),
        "fragment-1260": ip4(A4, B4, UDP, whole[:1240], flags=1),
        "fragment-1500": ip4(A4, B4, UDP, whole[:1480], flags=1),
        "fragment-1500-last": ip4(A4, B4, UDP, whole[1480:2960], offset=185),
        "fragment-1500-df": ip4(A4, B4, UDP, whole[:1480], flags=3),
        "fragment-1476-df": ip4(A4, B4, UDP, whole[:1456], flags=3),
        "fragment-1468-df": ip4(A4, B4, UDP, whole[:1448], flags=3),
        "fragment-1300-df": ip4(A4, B4, UDP, whole[:1280], flags=3),
        "fragment-udp-zero-checksum": ip4(A4, B4, UDP, put(whole, 6, 0)[:64], flags=1),
        "fragment-ttl-1": ip4(A4, B4, UDP, whole[:64], flags=1, ttl=1),
        "fragment-last-ttl-1": ip4(A4, B4, UDP, whole[64:80], offset=8, ttl=1),
        "fragment-echo": ip4(A4, B4, ICMP, echo4(payload=bulk(100))[:64], flags=1),
        "fragment-echo-last": ip4(A4, B4, ICMP, bulk(50), offset=8),
    }
    return kinds


def refused():
    """IPv4 packets that are reported, dropped, or wrong."""
    u = udp(A4, B4, b"hello")
    good = ip4(A4, B4, UDP, u)
    kinds = {
        "ttl-1": ip4(A4, B4, UDP, u, ttl=1),
        "ttl-0": ip4(A4, B4, UDP, u, ttl=0),
        "ttl-1-echo": ip4(A4, B4, ICMP, echo4(), ttl=1),
        "ttl-1-echo-reply": ip4(A4, B4, ICMP, echo4(0), ttl=1),
        "ttl-1-large": ip4(A4, B4, UDP, udp(A4, B4, bulk(1000)), ttl=1),
        "ttl-1-padding": ip4(A4, B4, UDP, u, ttl=1) + bytes(9),
        "ttl-1-options": ip4(A4, B4, UDP, u, ttl=1, options=b"\x01" * 4),
        "option-loose-source-route": ip4(A4, B4, UDP, u, options=bytes.fromhex("830704c000020100")),
        "option-strict-source-route": ip4(A4, B4, UDP, u, options=bytes.fromhex("89070401020304" + "00")),
        "option-of-no-length": ip4(A4, B4, UDP, u, options=bytes.fromhex("94000000")),
        "option-too-long": ip4(A4, B4, UDP, u, options=bytes.fromhex("94080000")),
        "udp-zero-checksum": ip4(A4, B4, UDP, udp(A4, B4, b"none", sum=0)),
        "udp-zero-checksum-empty": ip4(A4, B4, UDP, udp(A4, B4, b"", sum=0)),
        "udp-truncated": ip4(A4, B4, UDP, u[:7]),
        "udp-nothing": ip4(A4, B4, UDP, b""),
        "tcp-truncated": ip4(A4, B4, TCP, tcp(A4, B4)[:19]),
        "tcp-nothing": ip4(A4, B4, TCP, b""),
        "icmp-truncated": ip4(A4, B4, ICMP, echo4()[:7]),
        "icmp-nothing": ip4(A4, B4, ICMP, b""),
        "echo-wrong-checksum": ip4(A4, B4, ICMP, put(echo4(), 2, 0x1111)),
        "header-wrong-checksum": put(good, 10, 0x1111),
        "header-truncated": good[:19],
        "header-one-byte": good[:1],
        "header-short": b"\x44" + good[1:],
        "header-long": b"\x4f" + good[1:],
        "version-5": b"\x55" + good[1:],
        "length-beyond": ip4(A4, B4, UDP, u, length=len(u) + 21),
        "length-below-header": ip4(A4, B4, UDP, u, length=19),
        "length-0": ip4(A4, B4, UDP, u, length=0),
        "igmp": ip4(A4, a4("224.0.0.22"), IGMP, bytes.fromhex("2200f9020000000104000000e00000fb")),
        "igmp-unicast": ip4(A4, B4, IGMP, bytes.fromhex("1600 e9 04 e0 00 00 fb")),
    }
    for name, address in {
        "group": "224.0.0.5", "broadcast": "255.255.255.255", "reserved": "240.0.0.1",
        "loopback": "127.0.0.1", "zero": "0.0.0.0", "zero-net": "0.1.2.3", "link-local": "169.254.1.1",
    }.items():
        other = a4(address)
        kinds[f"from-{name}"] = ip4(other, B4, UDP, udp(other, B4, b"x"))
        kinds[f"to-{name}"] = ip4(A4, other, UDP, udp(A4, other, b"x"))
    for kind in (1, 2, 6, 7, 9, 10, 13, 14, 15, 16, 17, 18, 19, 30, 37, 40, 42, 43, 255):
        kinds[f"icmp-type-{kind}"] = ip4(A4, B4, ICMP, icmp4(kind, 0, 0x00420001, bulk(12)))
    return kinds


def error4(kind, code=0, word=0, quote=None, *, src=R4, dst=A4, objects=b"", **header):
    """An ICMP error about a packet from A to B."""
    quote = ip4(A4, B4, UDP, udp(A4, B4, b"hello"), ttl=1) if quote is None else quote
    return ip4(src, dst, ICMP, icmp4(kind, code, word, quote + objects), **header)


def errors():
    """ICMP errors."""
    kinds = {}
    for code in range(17):
        kinds[f"unreachable-{code}"] = error4(3, code, 1400 if code == 4 else 0)
    for mtu in (0, 1, 67, 68, 296, 576, 1239, 1259, 1260, 1261, 1400, 1479, 1480, 1481, 1500, 9000, 65535):
        kinds[f"fragmentation-needed-{mtu}"] = error4(3, 4, mtu)
    large = ip4(A4, B4, UDP, udp(A4, B4, bulk(1472)), flags=2)
    for name, quote in (("1500", large), ("1006", put(large, 2, 1006)), ("2002", put(large, 2, 2002)), ("68", put(large, 2, 68))):
        kinds[f"fragmentation-needed-0-of-{name}"] = error4(3, 4, 0, quote[:28])
    kinds["fragmentation-needed-high-bits"] = error4(3, 4, 0x12000578)
    for code in range(3):
        kinds[f"time-exceeded-{code}"] = error4(11, code)
    for pointer in [*range(22), 255]:
        kinds[f"parameter-{pointer}"] = error4(12, 0, pointer << 24)
    kinds["parameter-code-1"] = error4(12, 1, 0)
    kinds["parameter-code-2"] = error4(12, 2, 16 << 24)
    kinds["parameter-code-3"] = error4(12, 3, 0)
    kinds["source-quench"] = error4(4)
    kinds["redirect"] = error4(5, 1, 0x01020304)

    segment = tcp(A4, B4, bulk(40))
    whole = udp(A4, B4, bulk(1400))
    quotes = {
        "tcp": ip4(A4, B4, TCP, segment),
        "tcp-8": ip4(A4, B4, TCP, segment)[:28],
        "tcp-17": ip4(A4, B4, TCP, segment)[:37],
        "tcp-20": ip4(A4, B4, TCP, segment)[:40],
        "udp-8": ip4(A4, B4, UDP, whole)[:28],
        "udp-7": ip4(A4, B4, UDP, whole)[:27],
        "header-only": ip4(A4, B4, UDP, whole)[:20],
        "header-cut": ip4(A4, B4, UDP, whole)[:19],
        "nothing": b"",
        "548": ip4(A4, B4, UDP, whole)[:548],
        "1300": ip4(A4, B4, UDP, whole)[:1300],
        "gre": ip4(A4, B4, 47, bulk(30)),
        "sctp": ip4(A4, B4, 132, bulk(30)),
        "protocol-58": ip4(A4, B4, 58, bulk(30)),
        "echo": ip4(A4, B4, ICMP, echo4()),
        "echo-8": ip4(A4, B4, ICMP, echo4(payload=bulk(100)))[:28],
        "echo-reply": ip4(A4, B4, ICMP, echo4(0)),
        "error": ip4(A4, B4, ICMP, icmp4(3, 3, 0, ip4(B4, A4, UDP, udp(B4, A4, b"hello")))),
        "timestamp": ip4(A4, B4, ICMP, icmp4(13, 0, 0, bulk(12))),
        "options": ip4(A4, B4, UDP, whole, options=b"\x01" * 8)[:64],
        "options-cut": ip4(A4, B4, UDP, whole, options=b"\x01" * 8)[:24],
        "fragment-first": ip4(A4, B4, UDP, whole[:64], flags=1),
        "fragment-first-tcp": ip4(A4, B4, TCP, segment[:32], flags=1),
        "fragment-middle": ip4(A4, B4, UDP, whole[64:128], flags=1, offset=8),
        "fragment-last": ip4(A4, B4, UDP, whole[128:140], offset=16),
        "fragment-echo": ip4(A4, B4, ICMP, echo4(payload=bulk(100))[:64], flags=1),
        "tos-df-ttl-0": ip4(A4, B4, UDP, whole[:40], tos=0xB9, flags=2, ttl=0),
        "wrong-checksum": put(ip4(A4, B4, UDP, whole)[:28], 10, 0x5555),
        "wrong-length": ip4(A4, B4, UDP, whole[:40], length=2000),
        "udp-zero-checksum": ip4(A4, B4, UDP, udp(A4, B4, b"none", sum=0)),
        "tcp-zero-checksum": ip4(A4, B4, TCP, put(segment, 16, 0)),
        "mapped-prefix": ip4(P4, Q4, UDP, udp(P4, Q4, b"hello")),
        "by-prefix": ip4(C4, A4, UDP, udp(C4, A4, b"hello")),
        "padded": ip4(A4, B4, UDP, udp(A4, B4, b"hello")) + bytes(99),
    }
    for name, quote in quotes.items():
        kinds[f"quote-{name}"] = error4(3, 3, 0, quote)
    kinds["quote-odd-time-exceeded"] = error4(11, 0, 0, quotes["tcp-17"])
    long = ip4(A4, B4, UDP, whole)[:128]
    kinds |= {
        "objects": error4(11, 0, 32 << 16, long, objects=OBJECTS),
        "objects-unreachable": error4(3, 1, 32 << 16, long, objects=OBJECTS),
        "objects-parameter": error4(12, 0, 32 << 16, long, objects=OBJECTS),
        "objects-parameter-pointer": error4(12, 0, 16 << 24 | 32 << 16, long, objects=OBJECTS),
        "objects-fragmentation-needed": error4(3, 4, 32 << 16 | 1400, long, objects=OBJECTS),
        "objects-port": error4(3, 3, 32 << 16, long, objects=OBJECTS),
        "objects-protocol": error4(3, 2, 32 << 16, long, objects=OBJECTS),
        "objects-quote-padded": error4(11, 0, 32 << 16, quotes["udp-8"] + bytes(100), objects=OBJECTS),
        "objects-quote-132": error4(11, 0, 33 << 16, ip4(A4, B4, UDP, whole)[:132], objects=OBJECTS),
        "objects-large": error4(11, 0, 135 << 16, ip4(A4, B4, UDP, whole)[:540], objects=OBJECTS),
        "objects-of-no-length": error4(11, 0, 0, long, objects=OBJECTS),
        "objects-length-alone": error4(11, 0, 32 << 16, long),
        "objects-length-beyond": error4(11, 0, 64 << 16, long),
        "objects-source-quench": error4(4, 0, 32 << 16, long, objects=OBJECTS),
        "error-ttl-1": error4(3, 3, ttl=1),
        "error-ttl-2": error4(3, 3, ttl=2),
        "error-tos": error4(3, 3, tos=0xC0),
        "error-options": error4(3, 3, options=b"\x01" * 4),
        "error-from-destination": error4(3, 3, src=B4),
        "error-from-loopback": error4(3, 3, src=a4("127.0.0.1")),
        "error-to-prefix": error4(3, 3, 0, quotes["by-prefix"], dst=C4, src=A4),
        "error-fragment": error4(3, 3, flags=1),
        "error-wrong-checksum": ip4(R4, A4, ICMP, put(icmp4(3, 3, 0, ip4(A4, B4, UDP, whole[:20])), 2, 0x1111)),
        "error-truncated": ip4(R4, A4, ICMP, icmp4(3, 3)[:6]),
    }
    return kinds


def unmapped():
    """Packets of hosts that a translator without a prefix does not know."""
    u = udp(A4, B4, b"hello")
    return {
        "mapped": ip4(A4, B4, UDP, u),
        "from-unmapped": ip4(LOST4, B4, UDP, u),
        "to-unmapped": ip4(A4, LOST4, UDP, u),
        "to-unmapped-echo": ip4(A4, LOST4, ICMP, echo4()),
        "to-unmapped-echo-reply": ip4(A4, LOST4, ICMP, echo4(0)),
        "to-unmapped-fragment": ip4(A4, LOST4, UDP, bulk(16), offset=8),
        "between-unmapped": ip4(LOST4, C4, UDP, u),
        "to-unmapped-ttl-1": ip4(A4, LOST4, UDP, u, ttl=1),
        "error-of-unmapped-router": error4(11, 0),
        "error-to-unmapped": error4(11, 0, dst=LOST4),
        "error-quotes-unmapped-source": error4(11, 0, 0, ip4(LOST4, B4, UDP, u)),
        "error-quotes-unmapped-destination": error4(11, 0, 0, ip4(A4, LOST4, UDP, u)),
    }


def kinds():
    """All that a translator with a prefix gets."""
    return plain() | sizes() | refused() | errors()
