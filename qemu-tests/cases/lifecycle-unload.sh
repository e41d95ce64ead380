# SPDX-License-Identifier: GPL-2.0
# case: the module is unloaded while packets are under way in both directions
# rows: OP4
# timeout: 120
#
#  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
#  B 10.0.0.4 ──┘

for ((round = 0; round < 3; round++)); do
  LOCATOR=() NETWORK=() COUNTED=()
  hosts R S
  node A on R net 7 10.0.0.2
  node G on S net 7 10.0.0.3
  node B on R net 7 10.0.0.4
  stream A G 10.0.0.3
  flood G 10.0.0.4
  flood B 10.0.0.2
  flood A 10.0.0.77
  sleep 0.5
  stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ local-packets=+ local-bytes=+ arp-replies=+ drop:no-mapping=0-99999
  rmmod ovnet
  refused '*does not exist*' ip -n A link show v0
  calm
  for name in fabric R S A G B; do ip netns del "$name"; done
done
refused '*' test -e /sys/module/ovnet
