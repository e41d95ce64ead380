# SPDX-License-Identifier: GPL-2.0
# case: a dump that may show entries twice, because the table grew meanwhile, says so
# rows: OP2
# timeout: 90
#
#  R      1,000 mappings; 7,000 more between two messages of a dump

hosts R
ovctl -n R net set 7
cat >/tmp/dump <<'END'
import ipaddress, socket, struct, sys
sys.path.insert(0, "/usr/lib/ynl/pyynl")
from lib import YnlFamily
ynl = YnlFamily("/usr/lib/ynl/specs/ovnet.yaml", schema="")
NETLINK_GENERIC, NLM_F_REQUEST, NLM_F_DUMP_INTR, NLM_F_DUMP, NLMSG_DONE, ADDRESS = 16, 1, 0x10, 0x300, 3, 2
MAPPING_GET = ynl.ops["mapping-get"].req_value

def install(numbers):
    for number in numbers:
        address = str(ipaddress.ip_address(0x0A000001 + number))
        ynl.do("mapping-set", {"vni": 7, "address": address, "locator": "fd00:a:1:2::"})

def dump(meanwhile):
    """The addresses of a dump, and whether it was marked; `meanwhile` runs after its first buffer."""
    nl = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    header = struct.pack("=IHHII", 20, ynl.nlproto.family_id, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
    nl.send(header + struct.pack("=BBH", MAPPING_GET, 1, 0))
    seen, marked = [], False
    while True:
        buffer = nl.recv(65536)
        while buffer:
            length, kind, flags = struct.unpack("=IHH", buffer[:8])
            marked = marked or bool(flags & NLM_F_DUMP_INTR)
            if kind == NLMSG_DONE:
                return seen, marked
            attrs, buffer = buffer[20:length], buffer[length:]
            while attrs:
                size, attr = struct.unpack("=HH", attrs[:4])
                if attr == ADDRESS:
                    seen.append(attrs[4:8])
                attrs = attrs[(size + 3) & ~3:]
        meanwhile()
        meanwhile = lambda: None

install(range(1000))
seen, marked = dump(lambda: None)
if len(seen) != 1000 or len(set(seen)) != 1000 or marked:
    sys.exit(f"undisturbed: {len(seen)} entries, {len(set(seen))} of them distinct, marked: {marked}")
seen, marked = dump(lambda: install(range(1000, 8000)))
if len(seen) == len(set(seen)):
    sys.exit(f"the table grew, but nothing came twice: {len(seen)} entries; this case shows nothing")
if not marked:
    sys.exit(f"{len(seen) - len(set(seen))} entries came twice, and the dump does not say so")
END
in_ns R python3 /tmp/dump
