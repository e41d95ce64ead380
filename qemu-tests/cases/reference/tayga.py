# SPDX-License-Identifier: GPL-2.0
"""Both translators, set up alike: tayga behind a TUN device, and `ovctl translate`."""

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from hosts import *
from packet import *

DEVICE = "nat64"
MTU = 1500
MAPS = (
    ("192.0.2.33", "2001:db8:a::33"),
    ("198.51.100.2", "2001:db8:b::2"),
    ("10.1.0.0/24", "2001:db8:c::/120"),
)
PREFIX = "2001:db8:64::/96"
OWN4, OWN6 = "192.0.2.1", "2001:db8:1::1"
PATIENCE = 20

ETHERTYPES = {4: 0x0800, 6: 0x86DD}


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


class Tayga:
    """The other end of tayga's device. Packets are put there and taken from there without a look of the kernel's."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((DEVICE, 3))
        self.socket.settimeout(PATIENCE)
        self.asked = 0

    def translate(self, packet, version):
        """What comes of the packet: tayga takes one packet after the other, so a packet that is known to pass ends it."""
        self.asked += 1
        mark = b"end of kind %d" % self.asked
        self.send(packet, version)
        self.send(ip4(A4, B4, UDP, udp(A4, B4, mark), flags=2), 4)
        out = []
        while True:
            try:
                data, (_, _, direction, *_) = self.socket.recvfrom(1 << 16)
            except TimeoutError:
                raise SystemExit("tayga is silent: it has ended, or the packet that passes does not")
            if direction == socket.PACKET_OUTGOING:
                continue
            if data.endswith(mark) and data[40:44] == udp(A4, B4, b"")[:4]:
                return out
            out.append(data)

    def send(self, packet, version):
        self.socket.sendto(packet, (DEVICE, ETHERTYPES[version]))


@contextmanager
def tayga(directory, prefix):
    """A tayga of its own, with or without the translation prefix."""
    config = [f"tun-device {DEVICE}", f"ipv4-addr {OWN4}", f"ipv6-addr {OWN6}"]
    config += [f"map {v4} {v6}" for v4, v6 in MAPS]
    config += [f"prefix {PREFIX}"] if prefix else []
    path = Path(directory, "tayga.conf")
    path.write_text("\n".join(config) + "\n")
    run("tayga", "--config", path, "--mktun", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Nobody but this program speaks on the device.
    for version in "ipv4/conf/nat64/forwarding", "ipv6/conf/nat64/forwarding":
        Path("/proc/sys/net", version).write_text("0")
    Path("/proc/sys/net/ipv6/conf/nat64/disable_ipv6").write_text("1")
    run("ip", "link", "set", DEVICE, "mtu", str(MTU), "up")
    process = subprocess.Popen(["tayga", "--config", path, "--nodetach"])
    try:
        # The device has a carrier when tayga has it; the first packet waits until it has read its MTU.
        carrier = Path(f"/sys/class/net/{DEVICE}/carrier")
        deadline = time.monotonic() + PATIENCE
        while carrier.read_text() != "1\n":
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("tayga does not start")
            time.sleep(0.05)
        peer = Tayga()
        if peer.translate(ip4(A4, B4, 47, b"first"), 4) != [ip6(A6, B6, 47, b"first", hops=63)]:
            raise SystemExit("tayga does not translate at all")
        # From here on larger packets reach it, as they do from another link.
        run("ip", "link", "set", DEVICE, "mtu", "9000")
        yield peer
    finally:
        process.terminate()
        process.wait()
        run("tayga", "--config", path, "--rmtun", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ovctl(packets, direction, prefix):
    """What leaves of each of these packets by our translator: its errors too."""
    command = ["ovctl", "--json", "translate", "--direction", direction, "--hairpin", "off"]
    command += ["--own4", OWN4, "--own6", OWN6, "--unmapped", "report", "--mtu4", str(MTU), "--mtu6", str(MTU)]
    for v4, v6 in MAPS:
        command += ["--map", f"{v4}={v6}"]
    command += ["--pool6", PREFIX] if prefix else []
    text = "".join(packet.hex() + "\n" for packet in packets)
    done = run(*command, input=text, stdout=subprocess.PIPE)
    outcomes = map(json.loads, done.stdout.splitlines())
    return [[bytes.fromhex(text) for text in outcome["out"] + outcome["errors"]] for outcome in outcomes]
