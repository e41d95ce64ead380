# SPDX-License-Identifier: GPL-2.0
# case: where a host is, is said by name in either layout, and is the prefix that packets carry
# rows: AD1 AD2 AD5
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#                locale 1, area 2,    locale 1,
#                rack 3, host 4       rack 9

# What the bits of the two layouts are: 00, 6, 8, 8, 8 and 01, 14, 16.
fabric
host R fd00:a:102:304
host S fd00:a:4001:9
ovctl -n R host set --organisation fd00:a::/32 --topology locale=1,area=2,rack=3,host=4
ovctl -n S host set --organisation fd00:a::/32 --topology locale=1,rack=9
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3

# shows HOST LOCATOR TOPOLOGY: how a host is shown to HOST.
shows() {
  local shown
  shown=$(ovctl -n "$1" host show "$2" --json)
  [[ $shown == *'"organisation":"fd00:a::/32"'*"\"topology\":$3"* ]] || fail "$1 shows $shown"
}
shows R fd00:a:102:304::/64 '{"locale":1,"area":2,"rack":3,"host":4}'
shows R fd00:a:4001:9::/64 '{"locale":1,"rack":9}'
shows S fd00:a:4001:9::/64 '{"locale":1,"rack":9}'
shows S fd00:a:102:304::/64 '{"locale":1,"area":2,"rack":3,"host":4}'

# The fabric, which knows the two prefixes and nothing else, carries packets by them.
pings A 10.0.0.3 3
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=1
stats S tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=1

# Each part has its room, and no other words do.
for wrong in locale=64,area=0,rack=0,host=0 locale=0,area=256,rack=0,host=0 \
  locale=0,area=0,rack=256,host=0 locale=0,area=0,rack=0,host=256 \
  locale=16384,rack=0 locale=0,rack=65536 locale=1 locale=1,area=2 rack=1 locale=1,rack=9,row=2; do
  refused '*--topology*' ovctl -n R host set --organisation fd00:a::/32 --topology "$wrong"
done
# A host keeps its place as long as anything is there.
refused '*EBUSY*' ovctl -n R host set --organisation fd00:a::/32 --topology locale=1,rack=9
shows R fd00:a:102:304::/64 '{"locale":1,"area":2,"rack":3,"host":4}'
recount R
