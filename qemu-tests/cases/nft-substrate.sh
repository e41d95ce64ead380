# SPDX-License-Identifier: GPL-2.0
# case: filters, counters and neighbours of the substrate see what a host sends, and change it
# rows: TX6
# timeout: 240
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3

# packets HOST COUNTER: what a counter of its table has.
packets() {
  in_ns "$1" nft list counter ip6 t "$2" | sed -nE 's/.*packets ([0-9]+).*/\1/p'
}
# sent COUNTER: what R's device `sub` counts of IPv6.
sent() {
  in_ns R sed -nE "s/^$1[[:space:]]+//p" /proc/net/dev_snmp6/sub
}
# lost A ADDRESS: three echoes, none answered.
lost() {
  ! in_ns "$1" ping -q -n -c 3 -i 0.02 -W 1 "$2" >/dev/null || fail "$1 reaches $2"
}
both() {
  stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=0-1
  stats S tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=0-1
}

# Without a filter of IPv6, what the device sent is counted as of any IPv6.
before=$(sent Ip6OutTransmits)
octets=$(sent Ip6OutOctets)
pings A 10.0.0.3
both
expect $((before + 3)) sent Ip6OutTransmits
expect $((octets + 3 * 104)) sent Ip6OutOctets

# Chains on the way out see each packet once, both or the last alone.
in_ns R nft -f - <<'END'
table ip6 t {
  counter output { }
  counter postrouting { }
  chain output { type filter hook output priority 0; ip6 daddr fd00:a:1:2::/64 counter name output; }
  chain postrouting { type filter hook postrouting priority 0; ip6 daddr fd00:a:1:2::/64 counter name postrouting; }
}
END
pings A 10.0.0.3
both
expect 3 packets R output
expect 3 packets R postrouting
in_ns R nft delete chain ip6 t output
pings A 10.0.0.3
both
expect 3 packets R output
expect 6 packets R postrouting
expect $((before + 9)) sent Ip6OutTransmits

# What the last one changes is what travels.
in_ns fabric nft -f - <<'END'
table ip6 t {
  counter marked { }
  chain forward { type filter hook forward priority 0; ip6 dscp cs5 ip6 daddr fd00:a:1:2::/64 counter name marked; }
}
END
in_ns R nft add rule ip6 t postrouting ip6 dscp set cs5
pings A 10.0.0.3
both
expect 3 packets fabric marked

# What a chain drops does not travel.
in_ns R nft flush chain ip6 t postrouting
in_ns R nft add rule ip6 t postrouting drop
lost A 10.0.0.3
stats R tx-packets=3 tx-bytes=252 arp-replies=0-1
in_ns R nft delete table ip6 t
in_ns R nft -f - <<'END'
table ip6 t {
  chain output { type filter hook output priority 0; ip6 daddr fd00:a:1:2::/64 drop; }
}
END
lost A 10.0.0.3
stats R tx-packets=3 tx-bytes=252 arp-replies=0-1
in_ns R nft delete table ip6 t
stats S arp-replies=0-1

# The next hop's address is asked for with every packet.
ip -n R neigh replace "$FABRIC" lladdr 02:fa:b0:00:00:99 dev sub nud permanent
lost A 10.0.0.3
stats R tx-packets=3 tx-bytes=252 arp-replies=0-1
stats S arp-replies=0-1
ip -n R neigh replace "$FABRIC" lladdr "$FABRIC_MAC" dev sub nud permanent
pings A 10.0.0.3
both

# Unknown as yet, it is found; the packet waits with the kernel.
address fabric R "$FABRIC/64"
address R sub fe80::1/64
ip -n R neigh delete "$FABRIC" dev sub
pings A 10.0.0.3
both

# So is the route.
ip -n R route replace unreachable fd00:a:1:2::/64
lost A 10.0.0.3
stats R drop:no-route=3 arp-replies=0-1
ip -n R route delete unreachable fd00:a:1:2::/64
pings A 10.0.0.3
both
