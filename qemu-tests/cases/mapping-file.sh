# SPDX-License-Identifier: GPL-2.0
# case: mappings go from host to host in a file, many at once, older ones never over newer ones
# rows: OP2 SM2
# timeout: 180
#
#  A 10.0.0.2 ── R ── fabric ── S

hosts R S
node A on R net 7 10.0.0.2
ovctl -n S net set 8

# Thirty thousand mappings of two networks, in more than one batch.
python3 - >/tmp/many <<'END'
import json
for n in range(30000):
    print(json.dumps({
        "vni": 7 + n % 2, "address": f"10.{1 + n // 65536}.{n // 256 % 256}.{n % 256}",
        "locator": f"fd00:a:2:{n % 500:x}::/64", "gen": 5}))
END
expect "30000 mappings, all sound; nothing was changed" ovctl -n S mapping import /tmp/many --dry-run
expect "30000 installed, 0 unchanged, 0 older than known" ovctl -n S mapping import /tmp/many
expect "0 installed, 30000 unchanged, 0 older than known" ovctl -n S mapping import - </tmp/many

# What S exports, R takes; what R knows better stays.
ovctl -n S mapping export 7 >/tmp/seven
(($(wc -l </tmp/seven) == 15001)) || fail "exported $(wc -l </tmp/seven) of network 7"
ovctl -n R mapping set 7 10.1.0.0 --locator fd00:a:1:2::/64 --gen 9
# A itself is at R, where S says it is.
sed -i '/"10.0.0.2"/d' /tmp/seven
expect "14999 installed, 0 unchanged, 1 older than known" ovctl -n R mapping import /tmp/seven
ovctl -n R mapping export 7 | grep '"10.1.0.0".*"gen":9'
ovctl -n R mapping export 7 | grep -v '"10.1.0.0"' | sort >/tmp/back
grep -v '"10.1.0.0"' /tmp/seven | sort | cmp - /tmp/back

# A file with a line that is wrong changes nothing.
before=$(state R)
{ head -n 2 /tmp/seven | sed 's/"gen":5/"gen":6/'; echo '{"vni":7}'; } >/tmp/wrong
refused '*line 3: address is missing*nothing was changed*' ovctl -n R mapping import /tmp/wrong
[[ $(state R) == "$before" ]] || fail "a wrong file changed something"

# What the kernel refuses is named by its line.
{ sed -n '1s/"gen":5/"gen":7/p' /tmp/seven; sed -n '2s/"vni":7/"vni":9/p' /tmp/seven; } >/tmp/nowhere
refused '*line 2*the 1 mappings before it are set*no such network*ovctl net set 9*' \
  ovctl -n R mapping import /tmp/nowhere
