# SPDX-License-Identifier: GPL-2.0
# case: what cannot be is refused with its reason and its exit code, and changes nothing
# rows: OP2 CH4
# timeout: 120
#
#  A 10.0.0.2 ──┬── R ── fabric ── S
#  B (no port) ─┘

hosts R S
node A on R net 7 10.0.0.2
device B on R
device C on S
ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --gen 5
before=$(state R)

# no STATUS PATTERN OVCTL-WORD...: ovctl at R ends with that status and says so.
no() {
  local status=$1 pattern=$2 got=0 text
  shift 2
  text=$(ovctl -n R "$@" 2>&1) || got=$?
  [[ $got == "$status" ]] || fail "$*: status $got, not $status: $text"
  # The pattern is a glob on purpose.
  # shellcheck disable=SC2053
  [[ $text == $pattern ]] || fail "$*: '$text' is not '$pattern'"
}
# unchanged: R is as it was.
unchanged() {
  local now
  now=$(state R)
  [[ $now == "$before" ]] || fail "refusals changed $before to $now"
}

# Wrong usage is told before the kernel is asked.
no 2 '*1 to 16777215*' net set 0
no 2 '*1 to 16777215*' net set 16777216
no 2 '*write fd00:a:1:2::/64*' mapping set 7 10.0.0.3 --locator fd00:a:1:2::1/64
no 2 '*unicast*' mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --mac 01:00:5e:00:00:01
no 2 '*--locator*' mapping set 7 10.0.0.3
unchanged

# Addresses that no node can have.
for address in 224.0.0.1 255.255.255.255 127.0.0.1 0.1.2.3; do
  no 1 '*not a unicast address: a node cannot have it*(EINVAL)*' \
    mapping set 7 "$address" --locator fd00:a:1:2::/64
  no 1 '*not a unicast address*' port set v0 --netns B --net 7 --address "$address"
done
unchanged

# What is not there.
no 1 '*no such network: set the network first*(ENOENT)*ovctl net set 9*' \
  mapping set 9 10.0.0.3 --locator fd00:a:1:2::/64
no 1 '*no such network*' port set v0 --netns B --net 9 --address 10.0.0.9
no 1 '*no such network*' net del 9
no 1 '*no mapping of that address*' mapping show 7 10.0.0.9
no 1 '*no mapping of that address*' mapping del 7 10.0.0.9
no 1 '*no mapping points to a host with that locator*' host show fd00:a:1:7::/64
no 1 '*no port of this host has that address: set the port*' \
  mapping set 7 10.0.0.9 --locator fd00:a:1:1::/64
no 1 '*not configured as a port*' port del v0 --netns B
no 1 '*no device v9*' port set v9 --netns B --net 7 --address 10.0.0.9
no 1 '*no network namespace nowhere*' port set v0 --netns nowhere --net 7 --address 10.0.0.9
unchanged

# What is in use.
no 1 '*another port of this host has that address*(EADDRINUSE)*' \
  port set v0 --netns B --net 7 --address 10.0.0.2
no 1 '*the network has ports on this host: delete them first*(EBUSY)*' net del 7
no 1 '*this host has ports or mappings: delete its networks first*(EBUSY)*' host del
no 1 '*(EBUSY)*' host set fd00:a:1:7::/64
no 1 '*a port of this host has that address: delete the port*(EBUSY)*' mapping del 7 10.0.0.2
unchanged

# Devices that are not this host's: another kind, another substrate, a file
# that is no namespace.
no 1 '*no ovnet device with that index there*' port set sub --net 7 --address 10.0.0.9
no 1 '*no ovnet device with that index there*' port set lo --netns B --net 7 --address 10.0.0.9
no 1 '*no ovnet device with that index there*' port set v0 --netns C --net 7 --address 10.0.0.9
no 1 '*' port set v0 --netns /etc/passwd --net 7 --address 10.0.0.9
unchanged

# Without a locator there is nothing to be mapped from.
ns N
ovctl -n N net set 7
refused '*this host has no locator: set the host*(ENODEV)*' \
  ovctl -n N mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64
refused '*no mapping points to a host with that locator*' ovctl -n N host show fd00:a:1:2::/64
refused '*not this host*locator*' ovctl -n N host del fd00:a:1:2::/64

# Without the right, nothing; everybody may look.
status=0
text=$(in_ns R setpriv --reuid 65534 --regid 65534 --clear-groups ovctl net set 8 2>&1) || status=$?
[[ $status == 3 && $text == *CAP_NET_ADMIN* ]] || fail "status $status: $text"
status=0
in_ns R setpriv --reuid 65534 --regid 65534 --clear-groups ovctl net del 7 2>/dev/null || status=$?
expect 3 echo "$status"
unchanged
expect "$(ovctl -n R net show --json)" \
  in_ns R setpriv --reuid 65534 --regid 65534 --clear-groups ovctl net show --json
# A user's own namespace is a host of its own.
setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Urn bash -c \
  'ovctl host set fd00:a:9:9::/64 && ovctl net set 7 && ovctl mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64'
unchanged
stats R
