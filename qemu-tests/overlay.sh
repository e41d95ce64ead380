# SPDX-License-Identifier: GPL-2.0
#
# The words in which cases draw an overlay; part of lib.sh.
#
#    A ───── R ───── fabric ───── S ───── G
#      v0       sub          sub     v0
#
# A host is a namespace whose device `sub` leads to the namespace `fabric`, a
# router that knows one route per locator and nothing else (AD5). A node is a
# namespace whose device `v0` is an ovnet port. Neighbours on the substrate are
# set and nodes have no IPv6, so that nobody sends anything by itself: every
# packet counted is one that the case sent.

# The locator of each host that was drawn.
declare -A LOCATOR=()
# The networks that were set, as HOST:VNI.
declare -A NETWORK=()
# The processes that `flood` started.
FLOODS=()
# What `stats` saw last, as HOST:COUNTER.
declare -A COUNTED=()

# The addresses on the link between the fabric and host N.
readonly FABRIC=fe80::ff FABRIC_MAC=02:fa:b0:00:00:ff

# hosts NAME...: hosts on one fabric. The first has the locator
# fd00:a:1:1::/64, its own address is fd00:a:1:1::1, and so on.
hosts() {
  local name
  [[ -e /run/netns/fabric ]] || fabric
  for name; do
    host "$name" "fd00:a:1:$((${#LOCATOR[@]} + 1))"
    ovctl -n "$name" host set "${LOCATOR[$name]}"
  done
}

fabric() {
  ns fabric
  in_ns fabric sysctl -qw net.ipv6.conf.all.forwarding=1
  address fabric lo fd00:f::1/128
}

# host NAME LOCATOR-BITS: a namespace on the fabric with that prefix, which
# ovnet does not know of yet.
host() {
  local name=$1 prefix=$2 number=${2##*:}
  local link=fe80::$number mac
  mac=$(printf '02:fa:b0:00:%02x:%02x' $((16#$number >> 8)) $((16#$number & 255)))
  LOCATOR[$name]=$prefix::/64
  ns "$name"
  ip -n fabric -batch - <<END
link add $name address $FABRIC_MAC type veth peer name sub address $mac netns $name
link set $name addrgenmode none up
route add $prefix::/64 via $link dev $name
neigh add $link lladdr $mac dev $name nud permanent
END
  ip -n "$name" -batch - <<END
link set sub addrgenmode none up
address add $prefix::1/128 dev sub nodad
route add default via $FABRIC dev sub
neigh add $FABRIC lladdr $FABRIC_MAC dev sub nud permanent
END
}

# device NODE on HOST: a namespace with an ovnet device, not yet a port.
device() {
  local name=$1 host=$3
  ns "$name"
  in_ns "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n "$host" link add v0 netns "$name" type ovnet
}

# port NODE on HOST net VNI ADDRESS: a node known to every host drawn before
# it, up, whose own stack has no address: it answers nothing, so that a case
# can send and see every frame itself.
port() {
  local name=$1 host=$3 vni=$5 address=$6 other
  device "$name" on "$host"
  for other in "${!LOCATOR[@]}"; do
    if [[ ! ${NETWORK[$other:$vni]:-} ]]; then
      ovctl -n "$other" net set "$vni"
      NETWORK[$other:$vni]=1
    fi
    [[ $other == "$host" ]] ||
      ovctl -n "$other" mapping set "$vni" "$address" --locator "${LOCATOR[$host]}"
  done
  ovctl -n "$host" port set v0 --netns "$name" --net "$vni" --address "$address"
  ip -n "$name" link set v0 up
}

# node NODE on HOST net VNI ADDRESS: a port whose stack has its address in a
# /24.
node() {
  port "$@"
  ip -n "$1" address add "$6/24" dev v0
}

# counted HOST: every counter as COUNTER=VALUE lines, drops as drop:REASON.
counted() {
  ovctl -n "$1" stats --json |
    sed -E 's/\{"reason":"([^"]*)","packets":([0-9]+)\}/"drop:\1":\2/g; s/"drop":\[/,/' |
    tr ',' '\n' | sed -nE 's/.*"([^"]+)":([0-9]+).*/\1=\2/p'
}

# stats HOST [COUNTER=WANTED]...: since the last `stats HOST`, exactly this was
# counted, and no other counter has moved. WANTED is a number, `N-M`, or
# `+` for any but 0. What is still under way gets a second (times PATIENCE) to
# arrive.
stats() {
  local host=$1 tries said
  shift
  for ((tries = 0; ; tries++)); do
    said=$(compare "$host" "$@")
    [[ $said ]] || break
    ((tries < 10 * PATIENCE)) || fail "$host: $said"
    sleep 0.1
  done
  recount "$host"
}

# recount HOST...: what was counted so far is not the next `stats`'s matter.
recount() {
  local host line
  for host; do
    while read -r line; do
      COUNTED[$host:${line%%=*}]=${line#*=}
    done < <(counted "$host")
  done
}

# Prints each counter of a host that is not as wanted.
compare() {
  local host=$1 line name got pair wanted now
  shift
  local -A want=()
  for pair; do want[${pair%%=*}]=${pair#*=}; done
  now=$(counted "$host") || { echo "no counters"; return; }
  while read -r line; do
    name=${line%%=*}
    got=$((${line#*=} - ${COUNTED[$host:$name]:-0}))
    wanted=${want[$name]:-0}
    unset "want[$name]"
    case $wanted in
      +) ((got > 0)) || echo "$name is $got, not more" ;;
      *-*) ((got >= ${wanted%-*} && got <= ${wanted#*-})) || echo "$name is $got, not $wanted" ;;
      *) ((got == wanted)) || echo "$name is $got, not $wanted" ;;
    esac
  done <<<"$now"
  for name in "${!want[@]}"; do
    [[ ${want[$name]} == 0 || ${want[$name]} == 0-* ]] || echo "$name is 0, not ${want[$name]}"
  done
}

# events HOST FILE: collects the host's events in a file from now on.
events() {
  local before
  before=$(listeners "$1")
  ovctl -n "$1" monitor --json >"$2" &
  eventually 5 listener_beyond "$1" "$before"
}

# How many netlink sockets of the host listen to a generic group.
listeners() {
  in_ns "$1" awk '$2 == 16 && $4 != "00000000" { n++ } END { print n + 0 }' /proc/net/netlink
}

listener_beyond() {
  (($(listeners "$1") > $2))
}

# event FILE TEXT...: an event with all these texts comes within two seconds
# (times PATIENCE).
event() {
  local file=$1 tries line text
  shift
  for ((tries = 0; tries < 20 * PATIENCE; tries++)); do
    while read -r line; do
      for text; do [[ $line == *"$text"* ]] || continue 2; done
      return
    done <"$file"
    sleep 0.1
  done
  fail "no event with: $*; there were: $(<"$file")"
}

# state HOST: all that ovctl shows of a host but its counters.
state() {
  local object
  for object in "host show" "net show" "port show" "mapping show --all"; do
    # The words of a command.
    # shellcheck disable=SC2086
    ovctl -n "$1" $object --json
  done
}

# pings NODE ADDRESS [COUNT]: echoes all answered.
pings() {
  in_ns "$1" ping -q -n -c "${3:-3}" -i 0.02 -W 5 "$2"
}

# flood NODE ADDRESS: echoes as fast as they come back, until `calm`.
flood() {
  # Not by in_ns, whose shell would be what is killed.
  ip netns exec "$1" ping -q -n -f -W 1 "$2" >/dev/null 2>&1 &
  FLOODS+=($!)
}

# stream NODE TO ADDRESS: TCP at full speed, until `calm`.
stream() {
  ip netns exec "$2" socat -u TCP-LISTEN:5000,reuseaddr OPEN:/dev/null 2>/dev/null &
  FLOODS+=($!)
  eventually 5 bash -c "ip netns exec $2 ss -Hltn | grep -q :5000"
  ip netns exec "$1" socat -u OPEN:/dev/zero "TCP:$3:5000" 2>/dev/null &
  FLOODS+=($!)
}

# calm: ends floods and streams, also those that the loss of their device has ended.
calm() {
  kill "${FLOODS[@]}" 2>/dev/null || true
  wait "${FLOODS[@]}" 2>/dev/null || true
  FLOODS=()
}

# forwards_only: the fabric knows the locators and nothing of the overlay
# (AD5): neither a node's address nor a network.
forwards_only() {
  local routes
  routes=$(ip -n fabric -6 route show | grep -c '^fd00:a:')
  ((routes == ${#LOCATOR[@]})) || fail "the fabric has $routes routes for ${#LOCATOR[@]} locators"
}
