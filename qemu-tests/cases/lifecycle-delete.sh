# SPDX-License-Identifier: GPL-2.0
# case: devices, nodes and hosts are deleted while packets are under way, and nothing is left of them
# rows: OP4
# timeout: 120
#
#  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
#  B 10.0.0.4 ──┘                  └── H 10.0.0.5

hosts R S
node A on R net 7 10.0.0.2
node B on R net 7 10.0.0.4
node G on S net 7 10.0.0.3
node H on S net 7 10.0.0.5
# mappings HOST STATE: how many are in that state.
mappings() { ovctl -n "$1" mapping show --all --json | { grep -o "\"state\":\"$2\"" || true; } | wc -l; }

# A device goes: its mapping becomes a tombstone, packets to it are not here.
stream A G 10.0.0.3
flood B 10.0.0.5
flood B 10.0.0.2
sleep 0.3
ip -n G link del v0
expect 1 mappings S local
expect 1 mappings S deleted
expect '"ports":1' bash -c "ovctl -n S net show 7 --json | grep -o '\"ports\":[0-9]*'"
# What was under way to the device found it down, then found nobody.
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=+ \
  drop:not-here=0-99999 drop:port-down=0-99999

# A node's namespace goes, and the device with it.
ip netns pids H | xargs -r kill
ip netns del H
eventually 10 bash -c "[[ \$(ovctl -n S port show --json) == '[]' ]]"
expect 0 mappings S local

# The host's namespace goes while its devices live in others: they end.
ip netns pids R | xargs -r kill
ip netns del R
for node in A B; do
  eventually 10 bash -c "! ip -n $node link show v0"
done
calm

# A host that is gone holds nothing: the module can leave.
ip netns del S
eventually 10 rmmod ovnet
