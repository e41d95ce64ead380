# SPDX-License-Identifier: GPL-2.0
# case: the kernel's own netlink client speaks to the module by the YAML specification
# rows: OP2
# timeout: 90
#
#  A 10.0.0.2 ── R ── fabric ── S      (10.0.0.3, 10.0.0.4 said to be there)

hosts R S
node A on R net 7 10.0.0.2
for address in 10.0.0.3 10.0.0.4; do
  ovctl -n R mapping set 7 "$address" --locator "${LOCATOR[S]}"
done
ovctl -n R mapping del 7 10.0.0.4

# Each object is what ovctl shows of it, but for names that ovctl adds and the
# length it writes behind a prefix.
cat >/tmp/compare <<'END'
import json, sys
def plain(entry):
    entry = {k: v for k, v in entry.items() if k not in ("netns", "ifname", "organisation", "topology")}
    for key in ("locator",):
        if key in entry:
            entry[key] = entry[key].removesuffix("/64")
    if entry.get("self") in (True, False, ""):
        entry["self"] = entry["self"] is not False
    if not entry.get("mappings"):
        entry.pop("mappings", None)
    if not entry.get("self"):
        entry.pop("self", None)
    if entry.get("mac") and entry.get("state") == "deleted":
        entry.pop("mac")
    return {k: str(v) for k, v in entry.items()}
def read(path):
    with open(path) as file:
        found = json.load(file)
    found = found if isinstance(found, list) else [found]
    return sorted((plain(entry) for entry in found), key=str)
ours, theirs = read("/tmp/ovctl"), read("/tmp/ynl")
if ours != theirs:
    sys.exit(f"ovctl: {ours}\nynl:   {theirs}")
if not ours:
    sys.exit("nothing to compare")
END
# alike OVCTL-WORDS YNL-WORD...
alike() {
  # The words of a command.
  # shellcheck disable=SC2086
  ovctl -n R $1 --json >/tmp/ovctl
  shift
  in_ns R ynl "$@" --output-json >/tmp/ynl
  python3 /tmp/compare
}
alike "host show" --dump host-get
alike "net show" --dump network-get
alike "port show" --dump port-get
alike "mapping show --all" --dump mapping-get
alike "mapping show 7 10.0.0.3" --do mapping-get --json '{"vni": 7, "address": "10.0.0.3"}'
alike "net show 7" --do network-get --json '{"vni": 7}'

# A change by ynl is a change, and an event that ynl reads.
in_ns R ynl --subscribe events --duration 5 --output-json >/tmp/events &
listener=$!
eventually 8 listener_beyond R 0
in_ns R ynl --do mapping-set --json '{"vni": 7, "address": "10.0.0.5", "locator": "fd00:a:1:2::", "gen": 3}'
alike "mapping show 7 10.0.0.5" --do mapping-get --json '{"vni": 7, "address": "10.0.0.5"}'
wait "$listener"
for text in '"kind": "mapping"' '"address": "10.0.0.5"' '"gen": 3' '"state": "remote"' '"locator": "fd00:a:1:2::"'; do
  grep -qF "$text" /tmp/events || fail "no $text in $(</tmp/events)"
done

# A refusal carries its text, and which attribute is wrong.
refused '*older than the generation this host knows*' in_ns R ynl --do mapping-set \
  --json '{"vni": 7, "address": "10.0.0.5", "locator": "fd00:a:1:2::", "gen": 2}'
stats R
