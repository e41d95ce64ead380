# SPDX-License-Identifier: GPL-2.0
"""A node sends a TCP packet that stands for three, of which the first has ID 0: DEVICE SRC DST MAC."""

import socket
import sys

from packet import TCP, a4, bulk, checksum, ip4, pseudo, put, tcp
from tap import NEEDS_CSUM, vnet

SOL_PACKET, PACKET_VNET_HDR, TCPV4, DF, SIZE = 263, 15, 1, 2, 1000

device, src, dst, mac = sys.argv[1:]
src, dst = a4(src), a4(dst)
segment = tcp(src, dst, bulk(3 * SIZE))
head = len(segment) - 3 * SIZE
# What a device adds up starts with the sum of the pseudo-header.
segment = put(segment, 16, 0xFFFF ^ checksum(pseudo(src, dst, TCP, len(segment))))
packet = ip4(src, dst, TCP, segment, ident=0, flags=DF)
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0800) as port:
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.bind((device, 0x0800))
    own = port.getsockname()[4]
    frame = bytes.fromhex(mac.replace(":", "")) + own + b"\x08\0" + packet
    port.send(vnet(NEEDS_CSUM, TCPV4, 14 + 20 + head, SIZE, 14 + 20, 16) + frame)
