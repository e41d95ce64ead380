# SPDX-License-Identifier: GPL-2.0
# case: ovctl top shows who sends how much right now, busiest first, and nothing of the past
# rows: OP2 OP5
# timeout: 120
#
#  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
#  B 10.0.0.4 ──┘

hosts R S
node A on R net 7 10.0.0.2
node B on R net 7 10.0.0.4
node G on S net 7 10.0.0.3
pings B 10.0.0.3 5
flood A 10.0.0.3
ovctl -n R top --once --interval 1 --json >/tmp/busy
ovctl -n R top --once --interval 1 >/tmp/table
calm
sleep 1
ovctl -n R top --count 2 --interval 0.5 --json >/tmp/calm

# of FILE EXPRESSION: what Python makes of the first line's object, called `o`.
of() {
  python3 -c 'import json,sys; o = json.loads(open(sys.argv[1]).readline()); print(eval(sys.argv[2]))' "$@"
}
is() {
  [[ $(of "$1" "$2") == "$3" ]] || fail "$2 is $(of "$1" "$2"), not $3"
}

is /tmp/busy 'o["port"][0]["address"]' 10.0.0.2
is /tmp/busy 'o["port"][0]["tx-pps"] > 5' True
is /tmp/busy 'o["port"][1]["tx-pps"]' 0.0
# Counters are read one after the other, while packets go by.
is /tmp/busy '0.5 < o["network"][0]["tx-pps"] / o["host"]["tx-pps"] < 2' True
is /tmp/busy 'o["remote"][0]["locator"]' fd00:a:1:2::/64
is /tmp/busy 'o["remote"][0]["tx-bps"] > 5 * 84 * 8' True
is /tmp/calm 'o["host"]["tx-pps"]' 0.0
(($(wc -l </tmp/calm) == 2)) || fail "two looks are $(wc -l </tmp/calm) lines"
grep -q '^DEVICE  NETNS  VNI  ADDRESS' /tmp/table
grep -qE '^v0 +A +7 +10.0.0.2 +[0-9.]+k? ' /tmp/table
