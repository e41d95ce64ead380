# SPDX-License-Identifier: GPL-2.0
"""A device whose received buffers the case lays out: fields of a frame, cut where it wants."""

import fcntl
import os
import struct

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NAPI, IFF_NAPI_FRAGS, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x0010, 0x0020, 0x1000, 0x4000
TUNSETVNETHDRSZ = 0x400454D8

# struct virtio_net_hdr: no checksum is left to do, nothing is to be cut.
PLAIN = bytes(10)
# What kernels no longer cut on the way: UDP that is to become fragments.
UFO = 3
NEEDS_CSUM = 1


def vnet(flags=0, kind=0, header_len=0, size=0, start=0, offset=0):
    """A struct virtio_net_hdr."""
    return struct.pack("=BBHHHH", flags, kind, header_len, size, start, offset)


class Tap:
    """The other side of a TAP device."""

    def __init__(self, name, flags):
        self.file = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags))
        self.name = name

    def receive(self, frame, cuts=(), header=PLAIN):
        """The device receives a frame; cuts are the lengths of its first parts."""
        parts, at = [], 0
        for length in cuts:
            parts.append(frame[at : at + length])
            at += length
        parts.append(frame[at:])
        os.writev(self.file, [header] + [part for part in parts if part])
