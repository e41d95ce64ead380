# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: Geneve over IPv6 between two datapaths of Open vSwitch

setup() {
  one_lan
  both host
}

# The flows a learning switch would have installed, without the switch: port 1
# is the node, port 2 the tunnel. The outer UDP has a checksum, as is the default
# of the tunnels' devices over IPv6.
host() {
  local ethertype tunnel="tun_id=0x1,ttl=64"
  modprobe openvswitch
  ip -n "$H" link add tun0 type geneve dstport 6081 external
  ip -n "$H" link set tun0 mtu 65000 up
  in_ns "$H" ovs-dpctl add-dp dp0
  in_ns "$H" ovs-dpctl add-if dp0 node
  in_ns "$H" ovs-dpctl add-if dp0 tun0
  for ethertype in '0x0800),ipv4(' '0x0806),arp('; do
    in_ns "$H" ovs-dpctl add-flow dp0 "in_port(1),eth(),eth_type($ethertype)" \
      "set(tunnel($tunnel,ipv6_src=$ME,ipv6_dst=$PEER,tp_dst=6081,flags(csum|key))),2"
    in_ns "$H" ovs-dpctl add-flow dp0 \
      "tunnel($tunnel,ipv6_src=$PEER,ipv6_dst=$ME,flags(-df+csum+key)),in_port(2),eth(),eth_type($ethertype)" 1
  done
}
