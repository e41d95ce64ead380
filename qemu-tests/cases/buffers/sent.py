# SPDX-License-Identifier: GPL-2.0
"""Frames that a node sends from a ring of pages must leave as those it sends in one piece."""

import mmap
import os
import socket
import struct
import sys
import time

from packet import *

A4, G4 = a4("10.0.0.2"), a4("10.0.0.3")
A6, G6 = a6("fd00:a:1:1:0:7:a00:2"), a6("fd00:a:1:2:0:7:a00:3")
A_MAC, G_MAC = bytes.fromhex("02760a000002"), bytes.fromhex("02760a000003")
LABEL = 64 << 12 | 1 << 11
# Linux: include/uapi/linux/if_packet.h.
SOL_PACKET, PACKET_VERSION, PACKET_TX_RING, TPACKET_V2, SEND_REQUEST = 263, 10, 13, 1, 1
FRAME, FRAMES, DATA = 2048, 8, 32


def in_namespace(name, act):
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.setns(os.open(f"/run/netns/{name}", os.O_RDONLY), os.CLONE_NEWNET)
    try:
        return act()
    finally:
        os.setns(here, os.CLONE_NEWNET)


def raw(device, protocol):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    packets.bind((device, protocol))
    packets.settimeout(5)
    return packets


def sent(protocol, payload):
    return G_MAC + A_MAC + b"\x08\0" + ip4(A4, G4, protocol, payload, ident=0, flags=2)


def fast(protocol, payload):
    return ip6(A6, G6, protocol, payload, label=LABEL)


LONG = ip4(A4, G4, UDP, udp(A4, G4, bulk(100)), ident=7, options=b"\x07\x27\x04" + bytes(36) + b"\0")
PAIRS = {
    "udp": (sent(UDP, udp(A4, G4, bulk(1000))), fast(UDP, udp(A6, G6, bulk(1000)))),
    "udp, odd": (sent(UDP, udp(A4, G4, bulk(333))), fast(UDP, udp(A6, G6, bulk(333)))),
    "tcp": (sent(TCP, tcp(A4, G4, bulk(1200))), fast(TCP, tcp(A6, G6, bulk(1200)))),
    "echo": (sent(ICMP, icmp4(8, 0, 1, bulk(100))), fast(ICMP, icmp4(8, 0, 1, bulk(100)))),
    "escaped": (G_MAC + A_MAC + b"\x08\0" + LONG, ip6(A6, G6, 4, LONG)),
}

substrate = in_namespace("fabric", lambda: raw("R", 0x86DD))
port = in_namespace("A", lambda: raw("v0", 0x0800))
ring = in_namespace("A", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
ring.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
ring.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack("IIII", 4096, FRAME * FRAMES // 4096, FRAME, FRAMES))
pages = mmap.mmap(ring.fileno(), FRAME * FRAMES)
in_namespace("A", lambda: ring.bind(("v0", 0x0800)))


def expect(what, packet, escaped):
    got = substrate.recv(1 << 17)[14:]
    # What the escape form says of the flow is the sender's matter.
    same = got == packet or (escaped and got[:1] + got[4:] == packet[:1] + packet[4:])
    if not same:
        sys.exit(f"{what}: expected\n  {packet.hex()}\ngot\n  {got.hex()}")


copies = int(sys.argv[1])
slot = 0
for name, (frame, wanted) in PAIRS.items():
    port.send(frame)
    for copy in range(copies):
        expect(f"{name}, in one piece, {copy}", wanted, name == "escaped")
    for _ in range(FRAMES + 1):
        at = slot % FRAMES * FRAME
        slot += 1
        pages[at + DATA : at + DATA + len(frame)] = frame
        pages[at : at + 8] = struct.pack("II", SEND_REQUEST, len(frame))
        ring.send(b"")
        for copy in range(copies):
            expect(f"{name}, from the ring, {copy}", wanted, name == "escaped")
        deadline = time.monotonic() + 5
        while struct.unpack("I", pages[at : at + 4])[0] != 0:
            if time.monotonic() > deadline:
                sys.exit(f"{name}: the kernel keeps the frame")
            time.sleep(0.01)
        if pages[at + DATA : at + DATA + len(frame)] != frame:
            sys.exit(f"{name}: the sender's own memory was written to")
