# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The words for overlays that a manager keeps; part of lib.sh.
#
#    A ─── R ───┐             ┌─── S ─── G
#        agent  ├── fabric ───┤  agent
#               │             │
#               M  manager
#
# The manager is a machine on the fabric like any other, which knows of no
# overlay; its agents are in the namespaces of the hosts. Nothing is set by hand
# but the ports of nodes.

# The namespace of the manager whose API is asked.
MANAGER=M
# The address at which agents know the manager.
[[ ${MANAGER_AT:-} ]] || readonly MANAGER_AT=fd00:a:1:100::1
# What every daemon said, and its files.
readonly DAEMONS=/tmp/daemons
# The processes, by the namespace they are in.
declare -A DAEMON=()

# manager [LINE...]: a system manager in the namespace M. Further lines go to its
# configuration.
manager() {
  if [[ ! -e /run/netns/M ]]; then
    [[ -e /run/netns/fabric ]] || fabric
    host M "${MANAGER_AT%::1}"
    unset 'LOCATOR[M]'
  fi
  mkdir -p "$DAEMONS/M"
  cat >"$DAEMONS/M.toml" <<END
roles = ["system"]
[api]
first_token = "$DAEMONS/M/token"
[southbound]
names = ["$MANAGER_AT"]
[store]
path = "$DAEMONS/M/store"
$(printf '%s\n' "$@")
END
  daemon M
  eventually 30 healthy
}

# daemon NAMESPACE: starts the daemon that is configured for it.
daemon() {
  ip netns exec "$1" ovmgrd --config "$DAEMONS/$1.toml" 2>>"$DAEMONS/$1.log" &
  DAEMON[$1]=$!
  trap tell_of_daemons EXIT
}

# killed NAMESPACE [SIGNAL]: ends its daemon.
killed() {
  kill -"${2:-KILL}" "${DAEMON[$1]}"
  wait "${DAEMON[$1]}" 2>/dev/null || true
  unset "DAEMON[$1]"
}

tell_of_daemons() {
  local status=$? log
  kill "${DAEMON[@]}" 2>/dev/null || true
  ((status)) || return 0
  for log in "$DAEMONS"/*.log; do
    printf -- '---- %s\n' "$log"
    tail -n 60 "$log"
  done
}

healthy() {
  [[ $(exchange GET /healthz) == 'HTTP/1.1 200 '* ]]
}

# exchange METHOD PATH [JSON]: the whole answer of the manager's API.
exchange() {
  local token=none request
  [[ ! -s $DAEMONS/M/token ]] || token=$(<"$DAEMONS/M/token")
  printf -v request '%s\r\n' "$1 $2 HTTP/1.1" 'Host: manager' 'Connection: close' \
    "Authorization: Bearer $token" 'Content-Type: application/json' \
    "Content-Length: $(printf %s "${3:-}" | wc -c)" ''
  # The parts are those of the shell in the namespace.
  # shellcheck disable=SC2016
  in_ns "$MANAGER" bash -c 'exec 3<>/dev/tcp/127.0.0.1/8440 && printf %s "$1" >&3 && cat <&3' - "$request${3:-}" 2>&1
}

# api METHOD PATH [JSON]: what the API answers, which must be no refusal.
api() {
  local answer
  answer=$(exchange "$@")
  [[ $answer == 'HTTP/1.1 2'* ]] || fail "$1 $2: $answer"
  printf '%s\n' "${answer#*$'\r\n\r\n'}"
}

# id HOST: how the manager calls it.
id() {
  python3 -c 'import ipaddress, sys; print(ipaddress.IPv6Address(sys.argv[1]).exploded.replace(":", "")[:16])' \
    "${LOCATOR[$1]%/64}"
}

# invitation HOST: the token with which it gets its identity.
invitation() {
  local answer
  answer=$(api POST "/v1/hosts/$(id "$1")/enrolments")
  answer=${answer#*\"token\":\"}
  echo "${answer%%\"*}"
}

# agent HOST [TOKEN]: gets the host its identity, and starts its agent; with the
# program EXECUTOR, if that is set, which moves nodes.
agent() {
  local token program=''
  token=${2:-$(invitation "$1")}
  [[ ! ${EXECUTOR:-} ]] || program="executor = \"$EXECUTOR\""
  mkdir -p "$DAEMONS"
  in_ns "$1" ovmgrd enrol --manager "[$MANAGER_AT]:8441" --directory "$DAEMONS/$1" <<<"$token"
  cat >"$DAEMONS/$1.toml" <<END
roles = ["agent"]
[metrics]
listen = "127.0.0.1:9440"
[agent]
hints = "[::]:8442"
$program
managers = ["[$MANAGER_AT]:8441"]
directory = "$DAEMONS/$1"
cache = "$DAEMONS/$1/cache"
END
  daemon "$1"
  eventually 20 resolves "$1"
}

# resolves HOST [STATE]: its agent has a manager to ask, or is in that state.
resolves() {
  [[ $(ovctl -n "$1" host show --json) == *"\"resolver\":\"${2:-ready}\""* ]]
}

# member NODE on HOST net VNI ADDRESS id ID: a node that the manager knows, with
# a device of its own, until it is reachable.
member() {
  local name=$1 host=$3 vni=$5 address=$6 id=$8
  eventually 10 ovctl -n "$host" net show "$vni"
  device "$name" on "$host"
  ovctl -n "$host" port add v0 --netns "$name" --net "$vni" --addr "$address" --node "$id"
  ip -n "$name" link set v0 up
  ip -n "$name" address add "$address/24" dev v0
  eventually 10 is_port "$host" v0 "$name" active
}

# is_port HOST DEVICE NAMESPACE STATE: the port is in that state.
is_port() {
  [[ $(ovctl -n "$1" port show "$2" --netns "$3" --json) == *"\"state\":\"$4\""* ]]
}

# maps HOST VNI ADDRESS TEXT: what the host knows of the address must have this text.
maps() {
  local text
  text=$(ovctl -n "$1" mapping show "$2" "$3" --json)
  [[ $text == *"$4"* ]] || fail "$1 has no $4 in $text"
}

# is_mapping HOST VNI ADDRESS TEXT: what the host knows of the address has this
# text.
is_mapping() {
  [[ $(ovctl -n "$1" mapping show "$2" "$3" --json) == *"$4"* ]]
}

# measures HOST METRIC [MORE]: its agent has counted that, more than MORE times.
measures() {
  (($(measured "$1" "$2") > ${3:-0}))
}

# measured HOST METRIC: how often.
measured() {
  # The parts are those of the shell in the namespace.
  # shellcheck disable=SC2016
  in_ns "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9440 &&
    printf "GET /metrics HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n" >&3 && cat <&3' |
    awk -v metric="^$2\$" '$1 ~ metric { sum += $2 } END { print sum + 0 }'
}

# said NAMESPACE TEXT: its daemon said so.
said() {
  grep -qF -- "$2" "$DAEMONS/$1.log"
}
