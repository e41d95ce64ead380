# SPDX-License-Identifier: GPL-2.0
"""Frames of the same bytes, laid out in different ways, must leave as the same bytes."""

import os
import socket
import struct
import sys
import time

from packet import *
from tap import *

A4, G4 = a4("10.0.0.2"), a4("10.0.0.3")
A6, G6 = a6("fd00:a:1:1:0:7:a00:2"), a6("fd00:a:1:2:0:7:a00:3")
TAP_MAC, FABRIC_MAC = bytes.fromhex("02fab0000077"), bytes.fromhex("02fab00000ff")
A_MAC, G_MAC = bytes.fromhex("02760a000002"), bytes.fromhex("02760a000003")
# TTL 64, DF; nothing of the flow.
LABEL = 64 << 12 | 1 << 11


def substrate(protocol, payload):
    return TAP_MAC + FABRIC_MAC + b"\x86\xdd" + ip6(G6, A6, protocol, payload, label=LABEL)


def node(protocol, payload):
    return A_MAC + G_MAC + b"\x08\0" + ip4(G4, A4, protocol, payload, ident=0, flags=2)


# Escaped with the longest header there is: the options reach far into the packet.
LONG = ip4(G4, A4, UDP, udp(G4, A4, bulk(100)), ident=7, options=b"\x07\x27\x04" + bytes(36) + b"\0")

# What the substrate brings, and what the node gets.
PAIRS = {
    "udp": (substrate(UDP, udp(G6, A6, bulk(1000))), node(UDP, udp(G4, A4, bulk(1000)))),
    "udp, odd": (substrate(UDP, udp(G6, A6, bulk(333))), node(UDP, udp(G4, A4, bulk(333)))),
    "tcp": (substrate(TCP, tcp(G6, A6, bulk(1200))), node(TCP, tcp(G4, A4, bulk(1200)))),
    "tcp, options": (
        substrate(TCP, tcp(G6, A6, bulk(50), options=b"\x01\x01\x08\x0a" + bytes(8))),
        node(TCP, tcp(G4, A4, bulk(50), options=b"\x01\x01\x08\x0a" + bytes(8))),
    ),
    "echo": (substrate(ICMP, icmp4(8, 0, 1, bulk(100))), node(ICMP, icmp4(8, 0, 1, bulk(100)))),
    "escaped": (substrate(4, LONG), A_MAC + G_MAC + b"\x08\0" + LONG),
}

# Lengths of the first parts: all in one; the header of Ethernet alone; borders within each header, and at
# each; many small parts.
CUTS = [
    (14,),
    (14, 40),
    (14, 20, 20),
    (14, 39, 1, 7, 1),
    (14, 40, 4, 4),
    (14, 40, 1, 1, 1, 1, 1, 1, 1, 1),
    (30, 10, 20, 2, 2, 3),
    (54, 17, 1),
    (55, 5, 5, 5, 5, 5, 5, 5, 5),
    (74, 1),
]


class Port:
    """What comes to the node."""

    def __init__(self):
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.setns(os.open("/run/netns/A", os.O_RDONLY), os.CLONE_NEWNET)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind(("v0", 0))
        os.setns(here, os.CLONE_NEWNET)

    def expect(self, what, frame):
        self.socket.settimeout(5)
        try:
            got = self.socket.recv(1 << 17)
        except TimeoutError:
            sys.exit(f"{what}: nothing came")
        if got != frame:
            sys.exit(f"{what}: expected\n  {frame.hex()}\ngot\n  {got.hex()}")

    def silent(self, what):
        self.socket.settimeout(0.2)
        try:
            sys.exit(f"{what}: expected nothing, got {self.socket.recv(1 << 17).hex()}")
        except TimeoutError:
            pass


def up(name):
    os.system(f"ip link set {name} addrgenmode none address {TAP_MAC.hex(':')} up")


port = Port()
linear, frags = Tap("linear", 0), Tap("frags", IFF_NAPI | IFF_NAPI_FRAGS)
up("linear")
up("frags")
sent = 0
for name, (frame, wanted) in PAIRS.items():
    linear.receive(frame)
    port.expect(f"{name}, linear", wanted)
    sent += 1
    # GRO looks at transport headers and so moves them to the linear part; without it they stay.
    for gro in ("on", "off"):
        os.system(f"ethtool -K frags gro {gro}")
        for cuts in CUTS:
            frags.receive(frame, cuts)
            port.expect(f"{name}, gro {gro}, cut at {cuts}", wanted)
            sent += 1
# Cut off within a header that only the substrate's length speaks of.
for length in (14 + 39, 14 + 40 + 7):
    frags.receive(PAIRS["udp"][0][:length], (14, 20))
    port.silent(f"{length} bytes of frame")
# A kind of segmentation that translation cannot carry: it would need fragments.
frame = PAIRS["udp"][0]
linear.receive(frame, header=vnet(NEEDS_CSUM, UFO, 62, 500, 54, 6))
port.silent("fragmentation left to a device")
print(f"rx-packets={sent} rx-bytes={sum((len(w) - 14) * (1 + 2 * len(CUTS)) for _, w in PAIRS.values())}")
