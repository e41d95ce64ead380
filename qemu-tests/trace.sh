# SPDX-License-Identifier: GPL-2.0
#
# The words in which cases look into the kernel; part of lib.sh. They are for
# what no counter and no capture shows: the shape of a buffer, and what the
# kernel did to it.
#
#    probe cut skb_segment_list 'len=skb->len' # an event of the function
#    record cut net/netif_rx_entry             # from now on
#    recorded cut dev=v0                       # what there was with these texts

readonly TRACEFS=/sys/kernel/tracing

# probe NAME FUNCTION [FIELD...]: an event whenever the kernel calls the
# function. A field is NAME=ARGUMENT, and may follow pointers: 'len=skb->len'.
probe() {
  tracefs
  PROBES=1
  echo "p:ovnet/$1 ${*:2}" >>$TRACEFS/kprobe_events || fail "$(tail -n 3 $TRACEFS/error_log)"
}

# record EVENT...: records these events, and forgets the ones before.
record() {
  local event
  tracefs
  echo 0 >$TRACEFS/tracing_on
  echo >$TRACEFS/set_event
  echo 16384 >$TRACEFS/buffer_size_kb
  echo >$TRACEFS/trace
  for event; do
    [[ $event == */* ]] || event=ovnet/$event
    echo 1 >"$TRACEFS/events/$event/enable"
  done
  echo 1 >$TRACEFS/tracing_on
}

# recorded TEXT...: the events so far whose lines have all these texts, one a
# line.
recorded() {
  local text lines
  # What was overwritten could have been what a case looks for.
  if grep -q 'overrun: [1-9]' $TRACEFS/per_cpu/cpu*/stats; then
    fail "more events than there is room for"
  fi
  lines=$(grep -v '^#' $TRACEFS/trace || true)
  for text; do
    lines=$(grep -F -- "$text" <<<"$lines" || true)
  done
  [[ ! $lines ]] || echo "$lines"
}

# times TEXT...: how many events have all these texts.
times() {
  recorded "$@" | wc -l
}

# Mounts tracefs for the case; events last until it ends.
tracefs() {
  [[ ! -e $TRACEFS/kprobe_events ]] || return 0
  mount -t tracefs tracefs $TRACEFS
  trap untrace EXIT
}

untrace() {
  echo 0 >$TRACEFS/tracing_on
  echo >$TRACEFS/set_event
  [[ ! ${PROBES:-} ]] || echo >$TRACEFS/kprobe_events
  echo >$TRACEFS/trace
}
