# SPDX-License-Identifier: GPL-2.0
# case: netlink messages that no client of ours would send are refused by the kernel itself
# rows: OP2
#
#  A 10.0.0.2 ── R

hosts R
node A on R net 7 10.0.0.2
ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --gen 5
before=$(state R)

# The kernel's client with a specification that lacks every check and has an
# attribute too many.
cat >/tmp/input <<'END'
import sys, yaml
sys.path.insert(0, "/usr/lib/ynl/pyynl")
from lib import YnlFamily, NlError
with open("/usr/lib/ynl/specs/ovnet.yaml") as file:
    licence = file.readline()
    spec = yaml.safe_load(file)
for attrs in spec["attribute-sets"]:
    for attr in attrs["attributes"]:
        attr.pop("checks", None)
        attr.pop("display-hint", None)
    attrs["attributes"].append({"name": "unheard-of", "type": "u32", "value": 999})
for op in spec["operations"]["list"]:
    if op.get("do", {}).get("request"):
        op["do"]["request"]["attributes"] += ["unheard-of"]
with open("/tmp/loose.yaml", "w") as file:
    file.write(licence)
    yaml.safe_dump(spec, file, sort_keys=False)
ynl = YnlFamily("/tmp/loose.yaml", schema="")

PREFIX = bytes.fromhex("fd00000a000100020000000000000000")
LOW = bytes.fromhex("fd00000a000100020000000000000001")
NODE = 0x0A000003
good = {"vni": 7, "address": NODE, "locator": PREFIX, "gen": 6}
failures = []

def refuses(errno, operation, **attrs):
    try:
        ynl.do(operation, attrs)
    except NlError as error:
        if error.error != errno:
            failures.append(f"{operation} {attrs}: {error}, not {errno}")
    else:
        failures.append(f"{operation} {attrs}: taken")

EINVAL, ERANGE, EBADF, ENODEV = 22, 34, 9, 19
for operation in ("network-set", "network-del", "network-get"):
    refuses(ERANGE, operation, vni=0)
    refuses(ERANGE, operation, vni=1 << 24)
    refuses(ERANGE, operation, vni=0xFFFFFFFF)
    refuses(EINVAL, operation)
refuses(ERANGE, "network-set", vni=7, ttl=0)
refuses(EINVAL, "network-set", **{"vni": 7, "unheard-of": 1})
for change in (
    {"locator": LOW}, {"locator": PREFIX[:8]}, {"locator": bytes(16)},
    {"locator": bytes.fromhex("fe80") + bytes(14)}, {"locator": bytes.fromhex("ff02") + bytes(14)},
    {"mac": bytes.fromhex("01005e000001")}, {"mac": bytes(6)}, {"mac": bytes(5)},
    {"address": 0xE0000001}, {"address": 0x7F000001}, {"address": 0},
    {"unheard-of": 1},
):
    try:
        ynl.do("mapping-set", {**good, **change})
    except NlError as error:
        if error.error not in (EINVAL, ERANGE):
            failures.append(f"{change}: {error}")
    else:
        failures.append(f"{change}: taken")
refuses(ERANGE, "mapping-set", **{**good, "vni": 0})
refuses(ERANGE, "mapping-set", **{**good, "gen": 1 << 63})
for missing in ("vni", "address", "locator"):
    refuses(EINVAL, "mapping-set", **{k: v for k, v in good.items() if k != missing})
refuses(EINVAL, "host-set", locator=LOW)
refuses(EINVAL, "host-set")
port = {"ifindex": 2, "vni": 7, "address": 0x0A000009}
refuses(ERANGE, "port-set", **{**port, "ifindex": 0})
refuses(ENODEV, "port-set", **{**port, "ifindex": 0x7FFFFFFF})
refuses(EBADF, "port-set", **{**port, "netns-fd": 999})
refuses(EINVAL, "port-set", **{**port, "netns-fd": 1})
refuses(EINVAL, "port-set", vni=7, address=0x0A000009)
if failures:
    sys.exit("\n".join(failures))
END
in_ns R python3 /tmp/input
[[ $(state R) == "$before" ]] || fail "changed $before to $(state R)"
stats R
