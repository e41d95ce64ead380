# SPDX-License-Identifier: GPL-2.0
# case: ten thousand rules stop what they are about, and nothing else is lost
# rows: AU3
# timeout: 240
#
#  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
#  B 10.1.0.2 ──┘ (net 8)          └─── H 10.1.0.3 (net 8)

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
node B on R net 8 10.1.0.2
node H on S net 8 10.1.0.3

# Hosts and ports that nobody has, and one that there is, in the last line.
awk 'BEGIN {
  for (i = 1; i < 10000; i++)
    printf "{\"vni\":7,\"id\":%d,\"direction\":\"%s\",\"action\":\"deny\",\"src\":\"10.%d.%d.0/24\",\"protocol\":\"tcp\",\"dport-min\":%d,\"dport-max\":%d}\n",
      i, i % 2 ? "in" : "out", 128 + i % 64, i % 256, i, i + i % 3
  print "{\"vni\":7,\"id\":10000,\"direction\":\"out\",\"priority\":60000,\"action\":\"deny\",\"protocol\":\"udp\",\"dport-min\":5000,\"dport-max\":5009}"
}' >/tmp/rules

flood A 10.0.0.3
flood B 10.1.0.3
ovctl -n R rule load /tmp/rules
ovctl -n S rule load /tmp/rules
expect 10000 bash -c 'ovctl -n R rule show 7 | tail -n +2 | wc -l'
expect 10000 bash -c 'ovctl -n R rule show --json | tr "}" "\n" | grep -c "\"vni\":7"'
calm
# Nothing was lost while the rules came, nor is now.
recount S
stats R arp-replies=+ tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+
pings A 10.0.0.3 100
pings B 10.1.0.3 100
stats R arp-replies=0-4 tx-packets=200 tx-bytes=16800 rx-packets=200 rx-bytes=16800
stats S arp-replies=0-4 tx-packets=200 tx-bytes=16800 rx-packets=200 rx-bytes=16800

# What the last rule is about stops, and only that counts.
for port in 5000 5005 5009 5010; do
  echo -n 0123456789 | in_ns A socat -u - "UDP:10.0.0.3:$port"
done
# The one that arrives finds nobody: G says so.
stats R arp-replies=0-2 tx-packets=1 tx-bytes=38 rx-packets=1 rx-bytes=66 drop:policy=3
stats S arp-replies=0-2 rx-packets=1 rx-bytes=38 tx-packets=1 tx-bytes=66
expect '3 114' bash -c "ovctl -n R rule show 7 10000 --json |
  sed -nE 's/.*\"packets\":([0-9]+),\"bytes\":([0-9]+).*/\1 \2/p'"
expect 1 bash -c 'ovctl -n R rule show --json | tr "}" "\n" | grep -vc "\"packets\":0,\|^\]"'

# What is shown can be loaded: nothing changes, and counters stay.
ovctl -n R rule show --json >/tmp/shown
sed 's/^\[//; s/\]$//; s/},{/}\n{/g' /tmp/shown | ovctl -n R rule load -
expect "$(cat /tmp/shown)" ovctl -n R rule show --json

ovctl -n R rule del 7 --all
expect '[]' ovctl -n R rule show --json
pings A 10.0.0.3
# What ARP knows may have grown old meanwhile.
stats R arp-replies=0-2 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
