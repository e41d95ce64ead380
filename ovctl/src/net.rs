// SPDX-License-Identifier: GPL-2.0

//! `ovctl net`: virtual networks.

use clap::Subcommand;
use nix::errno::Errno;
use ovnet_uapi::{Action, Client, Fidelity, Network, NetworkSet, Vni};

use crate::failure::{Failure, Hint};
use crate::output::{one_of, put, Object, Output, Row};
use crate::server::{self, sides};
use crate::{prefix, rule};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create or change a network
    #[command(visible_alias = "add")]
    Set {
        /// The network's id
        #[arg(value_parser = prefix::vni)]
        vni: Vni,
        /// The TTL of packets whose flow label the substrate cleared [default: 64]
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..), help_heading = sides::HERE)]
        ttl: Option<u8>,
        /// semantic: all that means something arrives; exact: every byte does, at 20 bytes more per packet
        /// with an IPv4 identification [default: semantic]
        #[arg(long, value_parser = fidelity)]
        fidelity: Option<Fidelity>,
        /// What becomes of packets to its nodes that no rule is about: allow, deny or reject [default: allow]
        #[arg(long, value_name = "ACTION", value_parser = rule::action, help_heading = sides::HERE)]
        policy_in: Option<Action>,
        /// What becomes of packets from its nodes that no rule is about: allow, deny or reject [default: allow]
        #[arg(long, value_name = "ACTION", value_parser = rule::action, help_heading = sides::HERE)]
        policy_out: Option<Action>,
        #[command(flatten)]
        manager: server::net::Set,
    },
    /// Delete a network with its mappings, rules and peerings
    #[command(visible_alias = "delete")]
    Del {
        /// The network's id
        #[arg(value_parser = prefix::vni)]
        vni: Vni,
        #[command(flatten)]
        change: server::Change,
    },
    /// Show all networks, or one
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// The network's id
        #[arg(value_parser = prefix::vni)]
        vni: Option<Vni>,
    },
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut client = Client::connect()?;
        match self {
            Command::Set {
                vni,
                ttl,
                fidelity,
                policy_in,
                policy_out,
                ..
            } => Ok(client.network_set(&NetworkSet {
                vni,
                ttl,
                fidelity,
                policy_in,
                policy_out,
            })?),
            Command::Del { vni, .. } => client
                .network_del(vni)
                .map_err(Failure::with_hints([in_use(), not_listed()])),
            Command::Show { vni: None } => output.list(client.networks()?),
            Command::Show { vni: Some(vni) } => {
                let network = client
                    .network_get(vni)
                    .map_err(Failure::with_hints([not_listed()]))?;
                output.list([Ok(network)])
            }
        }
    }
}

fn in_use() -> Hint {
    let text = "take the configuration of its ports away first: `ovctl port show`";
    Hint::of(Errno::EBUSY, text)
}

fn not_listed() -> Hint {
    let text = "`ovctl net show` lists the networks of this host";
    Hint::of(Errno::ENOENT, text)
}

/// What to do about a network that is not on this host.
pub(crate) fn unknown(vni: Vni) -> Hint {
    let text = format!("`ovctl net set {vni}` brings the network to this host");
    Hint::of(Errno::ENOENT, text).at("vni")
}

/// A fidelity by its word.
fn fidelity(text: &str) -> Result<Fidelity, String> {
    one_of(text, &[Fidelity::Semantic, Fidelity::Exact], Fidelity::name)
}

/// The word of a fidelity, or its number if it is newer than this program.
fn word(fidelity: Fidelity) -> String {
    fidelity
        .name()
        .map_or_else(|| u32::from(fidelity).to_string(), str::to_owned)
}

impl Row for Network {
    const COLUMNS: &'static [&'static str] = &[
        "VNI", "TTL", "FIDELITY", "PORTS", "MAPPINGS", "IN", "OUT", "RULES",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.vni.to_string(),
            self.ttl.to_string(),
            word(self.fidelity),
            self.ports.to_string(),
            self.mappings.to_string(),
            rule::action_word(self.policy_in),
            rule::action_word(self.policy_out),
            self.rules.to_string(),
        ]
    }

    fn object(&self) -> Object {
        let mut object = Object::new();
        put(&mut object, "vni", Some(self.vni.get()));
        put(&mut object, "ttl", Some(self.ttl));
        put(&mut object, "fidelity", Some(word(self.fidelity)));
        put(&mut object, "ports", Some(self.ports));
        put(&mut object, "mappings", Some(self.mappings));
        let word = rule::action_word;
        put(&mut object, "policy-in", Some(word(self.policy_in)));
        put(&mut object, "policy-out", Some(word(self.policy_out)));
        put(&mut object, "rules", Some(self.rules));
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;

    #[test]
    fn a_network_is_a_row_and_an_object() {
        let network = || {
            vec![Network {
                vni: Vni::new(7).unwrap(),
                ttl: 64,
                fidelity: Fidelity::Exact,
                ports: 2,
                mappings: 1900,
                policy_in: Action::Deny,
                policy_out: Action::Allow,
                rules: 12,
            }]
        };
        assert_eq!(
            capture::list(network(), false),
            "VNI  TTL  FIDELITY  PORTS  MAPPINGS  IN    OUT    RULES\n\
             7    64   exact     2      1900      deny  allow  12\n"
        );
        assert_eq!(
            capture::list(network(), true),
            "[{\"vni\":7,\"ttl\":64,\"fidelity\":\"exact\",\"ports\":2,\"mappings\":1900,\
             \"policy-in\":\"deny\",\"policy-out\":\"allow\",\"rules\":12}]\n"
        );
    }
}
