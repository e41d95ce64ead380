# SPDX-License-Identifier: GPL-2.0
#
# client.py DIRECTORY: talks to server.py through one connection and by datagrams, until there is a file `stop`.
# `answers` has what was answered, a line each; at the end every line and every datagram must have been answered once,
# in order, by the same server.

import os
import socket
import sys
import threading
import time

# Of the packets that wait for a node on its way, 64 have room: at this rate that is a pause of 19 s.
INTERVAL = 0.3

place = sys.argv[1]
peer = "10.0.0.3"
begun = time.monotonic()
answers = open(f"{place}/answers", "w", buffering=1)
heard = {"tcp": [], "udp": []}
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.connect((peer, 7))
connection = socket.create_connection((peer, 5000))


def told(kind, text):
    heard[kind].append((time.monotonic() - begun, text))
    print(f"{heard[kind][-1][0]:.2f} {kind} {text}", file=answers)


def listen():
    while True:
        told("udp", datagrams.recv(2048).decode())


def ask():
    sent = 0
    while not os.path.exists(f"{place}/stop"):
        datagrams.send(b"%d" % sent)
        sent += 1
        time.sleep(INTERVAL)
    return sent


def converse():
    lines = connection.makefile("rb")
    number = 0
    while not os.path.exists(f"{place}/stop"):
        connection.sendall(b"%d\n" % number)
        line = lines.readline()
        if not line:
            sys.exit("the connection was ended")
        told("tcp", line.decode().strip())
        number += 1
        time.sleep(0.2)


threading.Thread(target=listen, daemon=True).start()
talk = threading.Thread(target=converse)
talk.start()
sent = ask()
talk.join()
time.sleep(3)

name = heard["tcp"][0][1].split()[1]
lines = [text for _, text in heard["tcp"]]
if lines != [f"{n} {name} {n}" for n in range(len(lines))]:
    sys.exit("the connection did not go on as it was: " + ", ".join(lines))
got = [text for _, text in heard["udp"]]
wanted = [f"{n} {name}" for n in range(sent)]
if got != wanted:
    missing = [it for it in wanted if it not in got]
    again = sorted({it for it in got if got.count(it) > 1})
    sys.exit(f"of {sent} datagrams {len(got)} were answered, or not in order; missing: {missing}; again: {again}")
for kind, what in (("tcp", "lines"), ("udp", "datagrams")):
    times = [at for at, _ in heard[kind]]
    gaps = sorted((b - a for a, b in zip(times, times[1:])), reverse=True)[:4]
    print(f"{len(times)} {what} answered, the longest waits", ", ".join(f"{it:.2f} s" for it in gaps))
