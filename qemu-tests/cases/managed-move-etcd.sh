# SPDX-License-Identifier: GPL-2.0
# case: a move while the store's leader dies, at any step, completes or never was
# rows: MV1 MV3 SM1
# timeout: 900
# programs: etcd
#
#  A 10.0.0.2 ── R ── fabric ──┬── S ── v0 ┐
#                        M ────┤           ├ br0 G 10.0.0.3
#          etcd 0, 1, 2 at M   └── T ── v1 ┘
#
# moves/faults.sh has what is drawn here, and what becomes of each move.

# Three members, whose clients' ports are 2379, 2389 and 2399. They are as patient as members have to be on a
# machine that is as slow as this one may be.
declare -A MEMBER=()
member_of_etcd() {
  local number=$1 client=$((2379 + 10 * $1))
  ip netns exec M etcd --name "m$number" --data-dir "/tmp/etcd/m$number" \
    --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
    --listen-peer-urls "http://127.0.0.1:$((client + 1))" \
    --initial-advertise-peer-urls "http://127.0.0.1:$((client + 1))" \
    --initial-cluster m0=http://127.0.0.1:2380,m1=http://127.0.0.1:2390,m2=http://127.0.0.1:2400 \
    --heartbeat-interval 300 --election-timeout 1500 --max-txn-ops 4096 --log-level warn \
    >>"/tmp/etcd/$number.log" 2>&1 &
  MEMBER[$number]=$!
}

# The number of the member that leads.
leader() {
  in_ns M python3 - <<'END'
import sys, urllib.request
for number in range(3):
    try:
        page = urllib.request.urlopen(f"http://127.0.0.1:{2379 + 10 * number}/metrics", timeout=5).read()
    except OSError:
        continue
    if b"\netcd_server_is_leader 1" in page:
        print(number)
        sys.exit()
sys.exit("no member leads")
END
}

fabric
host M "${MANAGER_AT%::1}"
unset 'LOCATOR[M]'
mkdir /tmp/etcd
for number in 0 1 2; do member_of_etcd $number; done
eventually 60 leader
manager 'kind = "etcd"' '[store.etcd]' 'endpoints = ["127.0.0.1:2379", "127.0.0.1:2389", "127.0.0.1:2399"]'
# shellcheck source=qemu-tests/cases/moves/faults.sh
. /ovnet/cases/moves/faults.sh

is_healthy() {
  in_ns M python3 -c 'import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5)' "http://127.0.0.1:$((2379 + 10 * $1))/health"
}

# The move goes on while the others elect another one. The dead member comes back before the next one dies.
dead=
fault() {
  if [[ $dead ]]; then
    member_of_etcd "$dead"
    eventually 60 is_healthy "$dead"
  fi
  dead=$(leader)
  kill -KILL "${MEMBER[$dead]}"
  wait "${MEMBER[$dead]}" 2>/dev/null || true
}

faults etcd
answered_once
unset "MEMBER[$dead]"
kill "${MEMBER[@]}"
