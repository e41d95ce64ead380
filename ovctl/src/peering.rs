// SPDX-License-Identifier: GPL-2.0

//! `ovctl peering`: which networks may send to which others.

use clap::{Args, Subcommand};
use nix::errno::Errno;
use ovnet_uapi::{Client, Peering, Prefix, Vni};

use crate::failure::{Failure, Hint};
use crate::output::{put, put_text, Object, Output, Row};
use crate::prefix;
use crate::server::Change;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let nodes of one network send to nodes of another; for answers add the other direction too
    #[command(visible_alias = "set")]
    Add(Grant),
    /// Take a peering back
    #[command(visible_alias = "delete")]
    Del(Grant),
    /// Show all peerings, those from one network, or those from one to another
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// The network whose nodes may send
        #[arg(value_parser = prefix::vni)]
        from: Option<Vni>,
        /// The network they may send to
        #[arg(value_parser = prefix::vni)]
        to: Option<Vni>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// The network whose nodes may send
    #[arg(value_parser = prefix::vni)]
    pub(crate) from: Vni,
    /// The network they may send to
    #[arg(value_parser = prefix::vni)]
    pub(crate) to: Vni,
    /// `from PREFIX`: only these nodes may send; `to PREFIX`: only to these
    #[arg(value_name = "from PREFIX|to PREFIX")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) change: Change,
}

impl Grant {
    fn peering(&self) -> Result<Peering, Failure> {
        let mut peering = Peering {
            from: self.from,
            to: self.to,
            src: Prefix::ALL,
            dst: Prefix::ALL,
        };
        for pair in self.words.chunks(2) {
            let (side, value) = match pair {
                [word, value] if word == "from" => (&mut peering.src, value),
                [word, value] if word == "to" => (&mut peering.dst, value),
                _ => {
                    let text = format!("{}: write from PREFIX, to PREFIX or both", pair[0]);
                    return Err(Failure::Usage(text));
                }
            };
            if *side != Prefix::ALL {
                return Err(Failure::Usage(format!("{} is given twice", pair[0])));
            }
            *side = prefix::addresses(value).map_err(Failure::Usage)?;
        }
        Ok(peering)
    }
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Add(grant) => {
                let peering = grant.peering()?;
                Ok(Client::connect()?.peering_set(&peering)?)
            }
            Command::Del(grant) => {
                let peering = grant.peering()?;
                Client::connect()?
                    .peering_del(&peering)
                    .map_err(Failure::with_hints([not_listed()]))
            }
            Command::Show { from, to } => output.list(Client::connect()?.peerings(from, to)?),
        }
    }
}

fn not_listed() -> Hint {
    let text = "`ovctl peering show` lists the peerings of this host, with their prefixes";
    Hint::of(Errno::ENOENT, text)
}

impl Row for Peering {
    const COLUMNS: &'static [&'static str] = &["FROM", "TO", "SOURCE", "DESTINATION"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.from.to_string(),
            self.to.to_string(),
            prefix::addresses_text(self.src),
            prefix::addresses_text(self.dst),
        ]
    }

    fn object(&self) -> Object {
        let mut object = Object::new();
        put(&mut object, "from", Some(self.from.get()));
        put(&mut object, "to", Some(self.to.get()));
        put_prefix(&mut object, "src", "src-len", self.src);
        put_prefix(&mut object, "dst", "dst-len", self.dst);
        object
    }
}

/// Put a prefix in, unless it is every address.
pub(crate) fn put_prefix(object: &mut Object, address: &str, length: &str, prefix: Prefix) {
    if prefix != Prefix::ALL {
        put_text(object, address, Some(prefix.address()));
        put(object, length, Some(prefix.length()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;

    fn grant(words: &str) -> Result<Peering, String> {
        let grant = Grant {
            from: Vni::new(7).unwrap(),
            to: Vni::new(8).unwrap(),
            words: words.split_whitespace().map(str::to_owned).collect(),
            change: Change::default(),
        };
        grant.peering().map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_peering_is_a_row_and_an_object() {
        let peerings = || {
            vec![
                grant("").unwrap(),
                grant("to 10.1.0.0/16 from 10.0.0.2").unwrap(),
            ]
        };
        assert_eq!(
            capture::list(peerings(), false),
            "FROM  TO  SOURCE    DESTINATION\n\
             7     8   any       any\n\
             7     8   10.0.0.2  10.1.0.0/16\n"
        );
        assert_eq!(
            capture::list(peerings(), true),
            "[{\"from\":7,\"to\":8},{\"from\":7,\"to\":8,\"src\":\"10.0.0.2\",\"src-len\":32,\
             \"dst\":\"10.1.0.0\",\"dst-len\":16}]\n"
        );
    }

    #[test]
    fn words_that_say_nothing_are_refused() {
        for (words, says) in [
            ("between 10.0.0.2", "between: write from PREFIX"),
            ("from", "from: write from PREFIX"),
            ("from 10.0.0.2 from 10.0.0.3", "from is given twice"),
            ("to 10.0.0.2/8", "write 10.0.0.0/8"),
        ] {
            let error = grant(words).unwrap_err();
            assert!(error.contains(says), "{words}: {error}");
        }
    }
}
