# SPDX-License-Identifier: GPL-2.0
#
# What runs in a container that moves: counts lines of a TCP connection, and sends datagrams back. All that it has is
# in memory: a name that it made up when it began, the counters, and some megabytes that it keeps writing to.

import os
import socket
import threading

name = os.urandom(4).hex()
memory = bytearray(os.urandom(4 << 20))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("0.0.0.0", 7))


def echo():
    while True:
        data, sender = datagrams.recvfrom(2048)
        datagrams.sendto(data + b" " + name.encode(), sender)


threading.Thread(target=echo, daemon=True).start()
connection, _ = socket.create_server(("0.0.0.0", 5000)).accept()
for number, line in enumerate(connection.makefile("rb")):
    memory[number * 4096 % len(memory)] ^= 1
    connection.sendall(b"%d %s %s" % (number, name.encode(), line))
