// SPDX-License-Identifier: GPL-2.0

//! The command line as a whole: what is common to all commands.

use clap::{ArgMatches, Parser, Subcommand};

use crate::failure::Failure;
use crate::netns::Netns;
use crate::output::Output;
use crate::{
    host, manual, mapping, monitor, net, peering, port, rule, server, stats, top, trace, translate,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused by the kernel or the manager, or not found
  2  wrong usage
  3  no permission, or no token that gives it
  4  the ovnet module is not loaded and could not be loaded
  5  the traced packet is dropped
  6  the traced packet waits for a mapping, or for a node that moves
  7  the manager cannot be reached, or cannot do this now
  8  the object is not, or no longer, what --if-match says";

/// Control of the ovnet overlay: of this host, or with --server of what a manager has provisioned.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Write JSON; its keys are the words of the netlink specification, or of the manager's API
    #[arg(short, long, global = true)]
    pub(crate) json: bool,

    /// Indent the JSON
    #[arg(short, long, global = true, requires = "json")]
    pub(crate) pretty: bool,

    /// The host to talk to, if not this namespace: a name in /run/netns, a path, or pid:N
    #[arg(short = 'n', long = "netns", value_name = "NETNS", id = "host-netns")]
    host: Option<Netns>,

    #[command(flatten)]
    manager: server::Options,

    #[command(subcommand)]
    object: Object,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Object {
    /// This host and the hosts its mappings point to
    #[command(subcommand)]
    Host(host::Command),
    /// Virtual networks
    #[command(subcommand, visible_alias = "network")]
    Net(net::Command),
    /// Ports: ovnet devices, each the attachment of a node
    #[command(subcommand)]
    Port(port::Command),
    /// Where nodes are
    #[command(subcommand)]
    Mapping(mapping::Command),
    /// What becomes of which packets of a network
    #[command(subcommand)]
    Rule(rule::Command),
    /// Which networks may send to which others
    #[command(subcommand)]
    Peering(peering::Command),
    /// Counters of this host, its ports, networks and remote hosts
    Stats(stats::Command),
    /// Who sends and gets how much right now, and what is dropped
    Top(top::Command),
    /// Print events of this host, or changes at the manager, as they happen
    #[command(visible_alias = "watch")]
    Monitor(monitor::Command),
    Trace(Box<trace::Command>),
    Translate(Box<translate::Command>),
    #[command(flatten)]
    Managed(server::Object),
    /// Print the completions of a shell
    Completion(manual::Completion),
    /// Write the man pages to a directory
    #[command(hide = true)]
    Manual(manual::Manual),
}

impl Cli {
    /// Do what the command line says.
    pub(crate) fn run(self, matches: &ArgMatches, output: &mut Output<'_>) -> Result<(), Failure> {
        let manager = self.manager.named();
        server::sides::check(matches, manager.is_some())?;
        if let Some(host) = &self.host {
            host.enter()?;
        }
        match manager {
            Some(manager) => server::run(self.object, manager, output),
            None => self.object.run(output),
        }
    }
}

impl Object {
    /// Do it on this host.
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Object::Host(command) => command.run(output),
            Object::Net(command) => command.run(output),
            Object::Port(command) => command.run(output),
            Object::Mapping(command) => command.run(output),
            Object::Rule(command) => command.run(output),
            Object::Peering(command) => command.run(output),
            Object::Stats(command) => command.run(output),
            Object::Monitor(command) => command.run(output),
            Object::Top(command) => command.run(output),
            Object::Trace(command) => command.run(output),
            Object::Translate(command) => command.run(output),
            Object::Managed(_) => Err(server::sides::no_manager()),
            Object::Completion(command) => command.run(output),
            Object::Manual(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_are_accepted_in_the_ways_iproute2_users_write_them() {
        for line in [
            "host set fd00:a:1:1::/64",
            "host add fd00:a:1:1::/64",
            "host set --organisation fd00:a::/32 --topology locale=1,area=2,rack=3,host=4",
            "host set --organisation fd00:a::/32 --topology locale=1,rack=9",
            "host set --mappings-max 65536",
            "host set fd00:a:1:1::/64 --mappings-max 65536",
            "host del",
            "host show",
            "host ls -j",
            "host list fd00:a:1:1::/64 -jp",
            "net set 7 --ttl 63",
            "net set 7 --fidelity exact",
            "network add 7",
            "net delete 7",
            "-n red net show",
            "--netns red port set v0 --netns blue --net 7 --address 10.0.0.2",
            "port add v0 --net 7 --address 10.0.0.2 --mac 02:00:00:00:00:09 --gen 5",
            "port set v0 --net 7 --address 10.0.0.2 --state frozen --forward-to fd00:a:1:2::/64",
            "port set v0 --net 7 --address 10.0.0.2 --source-check learn --source 10.0.0.9 --source 10.1.0.0/24",
            "port set v0 --net 7 --address 10.0.0.2 --no-sources",
            "port show -d",
            "port del v0 --netns pid:12",
            "port show",
            "port show v0 --netns /proc/12/ns/net",
            "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64",
            "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --state moved --peer-net 9",
            "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --soft-ttl 30s --hard-ttl 5m",
            "mapping set 7 10.0.0.3 --state negative --hard-ttl 500ms",
            "mapping set 7 10.0.0.3 --external 2001:db8::9 --hard-ttl 5m",
            "mapping show --detail",
            "mapping del 7 10.0.0.3 --gen 9",
            "mapping show 7 10.0.0.3",
            "mapping show --all --json",
            "net set 7 --policy-in deny --policy-out reject",
            "rule add 7 in allow",
            "rule add 7 out id 9 priority 10 from 10.0.0.0/8 to 10.0.0.3 proto tcp sport 1-2 dport 80 deny",
            "rule set 7 in icmp-type 8/0 size 0-1500 peer 8 reject --json",
            "rule del 7 1 2 3",
            "rule del 7 --all",
            "rule show",
            "rule ls 7 5 -jp",
            "rule load -",
            "peering add 7 8",
            "peering set 7 8 from 10.0.0.2 to 10.1.0.0/16",
            "peering del 7 8 from 10.0.0.2",
            "peering show 7",
            "mapping export 7",
            "mapping import - --dry-run --json",
            "stats --all",
            "stats show",
            "stats show --all --json",
            "stats show port v0 --netns blue --all",
            "stats show net 7 -jp",
            "stats show host fd00:a:1:2::/64",
            "top --once --json",
            "top --interval 0.5 --count 3 --sort drops --rows 5",
            "completion zsh",
            "monitor -t --count 3 --json",
            "trace v0 --dst 10.0.0.3",
            "trace v0 --netns blue --src 10.0.0.9 --dst 10.0.0.3 --proto udp --sport 5 --dport 53 --len 1400 --ttl 1 --tos 0xb8 --df -jp",
            "trace v0 --dst 10.0.0.3 --icmp-type 0 --icmp-code 0 --src-mac 02:00:00:00:00:01 --dst-mac 02:00:00:00:00:02",
            "trace v0 --dst 10.0.0.3 --arp",
            "trace v0 --dst 10.0.0.3 --follow S --follow pid:12",
            "trace v0 --hex 0200",
            "-n S trace --from-substrate --hex 60:00 --json",
            "translate --pool6 64:ff9b::/96 --direction 4to6 -j",
            "translate packets.pcap --map 192.0.2.1=2001:db8::1 --map 10.0.0.0/8=fd00::/96 --tos 0xb9",
            "translate --profile overlay --locator fd00:a:1:1::/64 --peer-locator fd00:a:1:2::/64 --vni 7 --slot 3",
        ] {
            let words = std::iter::once("ovctl").chain(line.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn a_wrong_command_line_is_refused_with_what_to_write_instead() {
        for (line, says) in [
            (
                "host set",
                "<LOCATOR|--organisation <PREFIX>|--mappings-max <N>|--lease <TIME>>",
            ),
            ("host set --mappings-max 0", "1.."),
            (
                "host set fd00:a:1:1::/64 --organisation fd00:a::/32 --topology locale=1,rack=9",
                "cannot be used with",
            ),
            ("host set fd00:a:1:1::/48", "write fd00:a:1:1::/64"),
            ("host set fd00:a:1:1::5/64", "write fd00:a:1:1::/64"),
            ("host set fd00:a:1:1::", "write fd00:a:1:1::/64"),
            ("host set fe80::/64", "use a routed /64 prefix"),
            ("host set --organisation fd00:a::/32", "--topology"),
            (
                "host set --organisation fd00:a::/32 --topology locale=1",
                "locale=1,rack=9",
            ),
            ("net set 0", "1 to 16777215"),
            ("net set 16777216", "1 to 16777215"),
            ("net set 7 --ttl 0", "1..=255"),
            ("net set 7 --fidelity high", "semantic or exact"),
            ("port set v0 --net 7", "--address"),
            (
                "port set v0 --net 7 --address 10.0.0.2 --mac 01:00:5e:00:00:01",
                "unicast",
            ),
            (
                "port set v0 --net 7 --address 10.0.0.2 --state inactive",
                "active, standby or frozen",
            ),
            (
                "port set v0 --net 7 --address 10.0.0.2 --source 10.1.0.1/24",
                "write 10.1.0.0/24",
            ),
            (
                "port set v0 --net 7 --address 10.0.0.2 --source 10.1.0.0/24 --no-sources",
                "cannot be used with",
            ),
            ("mapping set 7 10.0.0.3", "--locator"),
            ("mapping set 7 10.0.0.3 --state moved", "--locator"),
            (
                "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --external 2001:db8::9",
                "cannot be used with",
            ),
            (
                "mapping set 7 10.0.0.3 --state local",
                "remote, moved or negative",
            ),
            (
                "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --hard-ttl soon",
                "500ms, 30s",
            ),
            (
                "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --gen 0",
                "1..=",
            ),
            ("stats --pretty", "--json"),
            ("stats show net 0", "1 to 16777215"),
            ("stats show host fd00:a:1:2::1/64", "write fd00:a:1:2::/64"),
            ("top --interval 0", "between 0.1 and 86400"),
            ("top --once --count 2", "cannot be used with"),
            ("trace", "<PORT|--from-substrate>"),
            ("trace v0", "<--dst <ADDRESS>|--hex <FRAME>>"),
            ("trace --from-substrate", "--hex"),
            ("trace --from-substrate --dst 10.0.0.3", "--hex"),
            ("trace v0 --from-substrate --hex 60", "cannot be used with"),
            ("trace v0 --dst 10.0.0.3 --proto 256", "a number up to 255"),
            ("trace v0 --dst 10.0.0.3 --hex 60", "cannot be used with"),
            ("trace v0 --hex 6", "an even number of digits"),
            ("completion sh", "bash"),
            ("translate --map 192.0.2.1", "write V4=V6"),
            ("translate --mtu6 1279", "1280..=65535"),
            ("translate --lowest-ipv6-mtu 1279", "1280..=65535"),
            ("translate --profile overlay --vni 7", "--locator"),
        ] {
            let words = std::iter::once("ovctl").chain(line.split(' '));
            let error = Cli::try_parse_from(words).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
            let text = error.to_string();
            assert!(text.contains(says), "{line}: {text}");
        }
    }
}
