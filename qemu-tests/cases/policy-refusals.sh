# SPDX-License-Identifier: GPL-2.0
# case: rules and peerings that cannot be are refused with the reason, and change nothing
# rows: AU2 AU3 OP2
# timeout: 120
#
#  R, a host without nodes

hosts R
ovctl -n R net set 7
ovctl -n R rule add 7 in id 5 proto tcp dport 80 deny
ovctl -n R peering add 7 8
before=$(state R; ovctl -n R rule show --json; ovctl -n R peering show --json)

# rule-set by the kernel's client, which checks nothing itself.
set_rules() {
  in_ns R ynl --do rule-set --json "{\"vni\": 7, \"rule\": [$1]}"
}
basic='"direction": "in", "action": "deny"'

refused '*no such network*(ENOENT)*ovctl net set 9*' ovctl -n R rule add 9 in deny
refused '*no such network*' ovctl -n R rule del 9 1
refused '*no rule with that id*(ENOENT)*ovctl rule show 7*' ovctl -n R rule del 7 6
refused '*no rule with that id*' ovctl -n R rule del 7 5 6
refused '*no rule with that id*' ovctl -n R rule show 7 6
refused '*direction is missing*' set_rules '{"action": "deny"}'
refused '*action is missing*' set_rules '{"direction": "in"}'
refused '*two rules of the request have the same id*' \
  set_rules "{\"id\": 9, $basic}, {\"id\": 9, $basic}"
refused '*the greatest id of a rule is taken*' \
  set_rules "{\"id\": 4294967295, $basic}, {$basic}"
refused '*bits of an address are set beyond*' \
  set_rules "{$basic, \"src\": \"10.0.0.1\", \"src-len\": 8}"
refused '*a range ends before it begins*' set_rules "{$basic, \"dport-min\": 2, \"dport-max\": 1}"
refused '*a range ends before it begins*' set_rules "{$basic, \"size-min\": 2, \"size-max\": 1}"
refused '*that protocol has no ports*' set_rules "{$basic, \"protocol\": 47, \"dport-min\": 2}"
refused '*ICMP has no ports*' set_rules "{$basic, \"icmp-type\": 8, \"dport-min\": 2}"
refused '*only ICMP has ICMP types*' set_rules "{$basic, \"icmp-type\": 8, \"protocol\": 6}"
refused '*an ICMP code needs a type*' set_rules "{$basic, \"icmp-code\": 1}"
refused '*too ragged*' ovctl -n R rule add 7 in proto tcp sport 1-65534 dport 1-65534 deny
refused '*the rules are missing*' in_ns R ynl --do rule-set --json '{"vni": 7}'
refused '*' set_rules "{$basic, \"src\": \"10.0.0.0\", \"src-len\": 33}"

# One combination of lengths more than there may be.
awk 'BEGIN { for (i = 0; i < 65; i++) printf "{\"vni\":7,\"direction\":\"out\",\"action\":\"deny\",\"src\":\"0.0.0.0\",\"src-len\":%d,\"dst\":\"0.0.0.0\",\"dst-len\":%d}\n", i % 33, i / 33 }' >/tmp/rules
refused '*more than 64 combinations*(ENOSPC)*line 65 of /tmp/rules*' ovctl -n R rule load /tmp/rules
expect 65 bash -c 'ovctl -n R rule show 7 | tail -n +2 | wc -l'
# The numbers are words.
# shellcheck disable=SC2046
ovctl -n R rule del 7 $(seq 6 69)
awk 'BEGIN { for (i = 0; i < 65; i++) printf "{\"vni\":7,\"direction\":\"out\",\"action\":\"deny\",\"size-min\":%d,\"size-max\":%d}\n", i, i }' >/tmp/rules
refused '*more than 64 rules differ in nothing but size*line 65*' ovctl -n R rule load /tmp/rules
# The numbers are words.
# shellcheck disable=SC2046
ovctl -n R rule del 7 $(seq 6 69)
# A mistake in a file is found before anything is set.
printf '%s\n' '{"vni":7,"direction":"in","action":"deny"}' '{"vni":7,"direction":"in","acton":"deny"}' >/tmp/rules
refused '*line 2: action is missing*' ovctl -n R rule load /tmp/rules
refused '*cannot read /tmp/nothing*' ovctl -n R rule load /tmp/nothing

refused '*nodes of one network need no peering*' ovctl -n R peering add 7 7
refused '*no such peering*(ENOENT)*ovctl peering show*' ovctl -n R peering del 8 7
refused '*no such peering*' ovctl -n R peering del 7 8 from 10.0.0.2
refused '*bits of an address are set beyond*' in_ns R ynl --do peering-set \
  --json '{"from": 7, "to": 8, "dst": "10.0.0.1", "dst-len": 8}'
refused '*CAP_NET_ADMIN*' \
  in_ns R setpriv --reuid 65534 --regid 65534 --clear-groups ovctl rule add 7 in allow
refused '*CAP_NET_ADMIN*' \
  in_ns R setpriv --reuid 65534 --regid 65534 --clear-groups ovctl peering add 7 9

now=$(state R; ovctl -n R rule show --json; ovctl -n R peering show --json)
[[ $now == "$before" ]] || fail "refusals changed $before to $now"

# A peering ends with either of its networks.
ovctl -n R peering add 8 7 from 10.1.0.0/16
ovctl -n R peering add 8 9
ovctl -n R net del 7
expect '[{"from":8,"to":9}]' ovctl -n R peering show --json
stats R
