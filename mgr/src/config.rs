// SPDX-License-Identifier: GPL-2.0

//! The configuration: one TOML file, every value of which an environment variable overrides.
//!
//! The variable of `[store] path` is `OVMGRD_STORE__PATH`: two underscores between levels. Its
//! text is a TOML value, or else a string.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

const VARIABLES: &str = "OVMGRD_";

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {source}: name another file with --config", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is no TOML, or holds what has no meaning.
    #[error("{}: {reason}", .path.display())]
    Parse {
        /// The file, or the variables.
        path: PathBuf,
        /// What is wrong where.
        reason: String,
    },
    /// A value cannot be, or not beside another one.
    #[error("{key}: {reason}")]
    Invalid {
        /// The name of the value, as `store.path`.
        key: &'static str,
        /// What to do about it.
        reason: String,
    },
}

/// What the daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Keeps this host's kernel module up to date.
    Agent,
    /// Keeps the provisioning data and answers agents and the API.
    System,
}

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// One role or both.
    pub roles: BTreeSet<Role>,
    /// What is logged, and how.
    #[serde(default)]
    pub log: Log,
    /// Where metrics are served.
    #[serde(default)]
    pub metrics: Metrics,
    /// Where the provisioning data is.
    #[serde(default)]
    pub store: Store,
    /// The HTTP API.
    #[serde(default)]
    pub api: Api,
    /// Where agents connect to.
    #[serde(default)]
    pub southbound: Southbound,
    /// Whether nodes leave hosts that are too full.
    #[serde(default)]
    pub balance: Balance,
    /// How this host's agent finds its manager.
    #[serde(default)]
    pub agent: Agent,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level, or `TARGET=LEVEL` with commas between.
    pub level: String,
    /// The form of a line.
    pub format: Format,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// An object per line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: Format::Text,
        }
    }
}

/// `[metrics]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Address and port; nowhere if absent.
    pub listen: Option<SocketAddr>,
}

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Which implementation.
    pub kind: StoreKind,
    /// The file of the embedded store.
    pub path: PathBuf,
    /// How long history is kept, for watches that resume.
    #[serde(deserialize_with = "duration")]
    pub history: Duration,
    /// The cluster, if it is etcd.
    pub etcd: Etcd,
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A file of this machine.
    Embedded,
    /// A cluster.
    Etcd,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: StoreKind::Embedded,
            path: "/var/lib/ovnet/store".into(),
            history: Duration::from_secs(3600),
            etcd: Etcd::default(),
        }
    }
}

/// `[store.etcd]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Etcd {
    /// The members, each as `HOST:PORT`.
    pub endpoints: Vec<String>,
    /// What all keys begin with.
    pub prefix: String,
    /// Whose certificates members have; with it, TLS is used.
    pub ca: Option<PathBuf>,
    /// What to show members, with `key`.
    pub certificate: Option<PathBuf>,
    /// The key of `certificate`.
    pub key: Option<PathBuf>,
}

impl Default for Etcd {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            prefix: "ovnet/".into(),
            ca: None,
            certificate: None,
            key: None,
        }
    }
}

/// `[api]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address and port.
    pub listen: SocketAddr,
    /// With `key`: HTTPS instead of HTTP.
    pub certificate: Option<PathBuf>,
    /// The key of `certificate`.
    pub key: Option<PathBuf>,
    /// Where the first token is written when the store has none.
    pub first_token: PathBuf,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8440)),
            certificate: None,
            key: None,
            first_token: "/var/lib/ovnet/admin-token".into(),
        }
    }
}

/// `[southbound]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Southbound {
    /// Address and port.
    pub listen: SocketAddr,
    /// Names and addresses by which agents know this manager.
    pub names: Vec<String>,
}

impl Default for Southbound {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0u16; 8], 8441)),
            names: vec!["localhost".into(), "127.0.0.1".into(), "::1".into()],
        }
    }
}

/// `[balance]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Balance {
    /// From hosts fuller than so many thousandths; from none if absent.
    pub above: Option<u32>,
}

/// `[agent]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Managers, each as `HOST:PORT`.
    pub managers: Vec<String>,
    /// Where the agent keeps its identity and the number of its boots.
    pub directory: PathBuf,
    /// The file in which it leaves what it knows to the next agent.
    pub cache: PathBuf,
    /// What no packet has used for so long is given up.
    #[serde(deserialize_with = "duration")]
    pub idle: Duration,
    /// Where hints of other agents are heard; nowhere, and none are sent, if absent.
    pub hints: Option<SocketAddr>,
    /// The program that moves nodes themselves; none: somebody else moves them.
    pub executor: Option<PathBuf>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            managers: Vec::new(),
            directory: "/var/lib/ovnet/agent".into(),
            cache: "/var/lib/ovnet/agent/cache".into(),
            idle: Duration::from_secs(600),
            hints: None,
            executor: None,
        }
    }
}

impl Config {
    /// Reads the file and the environment.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        Self::parse(path, &text, std::env::vars())
    }

    /// The configuration in a text, with variables.
    pub fn parse(
        path: &Path,
        text: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let wrong = |path: &Path, reason: String| Error::Parse {
            path: path.into(),
            reason,
        };
        let mut table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| wrong(path, error.to_string()))?;
        // The file by itself first, so that a mistake is shown with its line.
        let file_has_roles = table.contains_key("roles");
        let mut overridden = false;
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(VARIABLES) else {
                continue;
            };
            overridden = true;
            set(&mut table, &key.to_lowercase(), &value)
                .map_err(|reason| wrong(Path::new(&name), reason))?;
        }
        let config: Self = match overridden {
            false => toml::from_str(text).map_err(|error| wrong(path, error.to_string()))?,
            true => {
                if file_has_roles {
                    toml::from_str::<Self>(text).map_err(|error| wrong(path, error.to_string()))?;
                }
                table.try_into().map_err(|error: toml::de::Error| {
                    wrong(Path::new("OVMGRD_ variables"), error.to_string())
                })?
            }
        };
        config.check()?;
        Ok(config)
    }

    /// Whether the daemon has a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |key, reason: &str| {
            Err(Error::Invalid {
                key,
                reason: reason.into(),
            })
        };
        if self.roles.is_empty() {
            return invalid("roles", "name at least one of \"agent\" and \"system\"");
        }
        if self
            .balance
            .above
            .is_some_and(|above| !(1..1000).contains(&above))
        {
            return invalid(
                "balance.above",
                "a host has up to 1000 thousandths: try 800, or leave it out for no such moves",
            );
        }
        if let Err(error) = crate::log::filter(&self.log.level) {
            return invalid(
                "log.level",
                &format!("{error}: try \"info\" or \"info,ovnet_mgr=debug\""),
            );
        }
        if self.has(Role::Agent) && self.agent.managers.is_empty() {
            return invalid("agent.managers", "name at least one manager, as HOST:PORT");
        }
        if !self.agent.managers.iter().all(|it| is_endpoint(it)) {
            return invalid(
                "agent.managers",
                "each must be HOST:PORT, as in \"manager:8441\"",
            );
        }
        if self
            .agent
            .executor
            .as_ref()
            .is_some_and(|it| it.is_relative())
        {
            return invalid(
                "agent.executor",
                "name the program by its whole path, as in \"/usr/local/lib/ovnet/executor\"",
            );
        }
        if !self.has(Role::System) {
            return Ok(());
        }
        if self.store.kind == StoreKind::Etcd && self.store.etcd.endpoints.is_empty() {
            return invalid(
                "store.etcd.endpoints",
                "name at least one member, as HOST:PORT",
            );
        }
        if !self.store.etcd.endpoints.iter().all(|it| is_endpoint(it)) {
            return invalid(
                "store.etcd.endpoints",
                "each must be HOST:PORT, as in \"etcd1:2379\"",
            );
        }
        if self.store.etcd.certificate.is_some() != self.store.etcd.key.is_some() {
            return invalid(
                "store.etcd.certificate",
                "needs store.etcd.key, and the other way round",
            );
        }
        if self.store.etcd.certificate.is_some() && self.store.etcd.ca.is_none() {
            return invalid(
                "store.etcd.ca",
                "without it there is no TLS to show a certificate in",
            );
        }
        if self.api.certificate.is_some() != self.api.key.is_some() {
            return invalid("api.certificate", "needs api.key, and the other way round");
        }
        if self.api.certificate.is_none() && !self.api.listen.ip().is_loopback() {
            return invalid(
                "api.listen",
                "tokens would cross the network in clear text: set api.certificate and api.key, \
                 or listen on a loopback address",
            );
        }
        if self.southbound.names.is_empty() {
            return invalid(
                "southbound.names",
                "agents must know the manager by some name",
            );
        }
        Ok(())
    }
}

/// Sets `store__path` in a table.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<(), String> {
    match key.split_once("__") {
        Some((first, rest)) => {
            let inner = table
                .entry(first)
                .or_insert_with(|| toml::Table::new().into());
            match inner.as_table_mut() {
                Some(inner) => set(inner, rest, value),
                None => Err(format!("{first} has no parts")),
            }
        }
        None => {
            let parsed: Option<toml::Table> = format!("value = {value}").parse().ok();
            // A text with a line break could be more than one value.
            let parsed = parsed.filter(|parsed| parsed.len() == 1);
            let parsed = parsed.and_then(|mut parsed| parsed.remove("value"));
            table.insert(key.into(), parsed.unwrap_or_else(|| value.into()));
            Ok(())
        }
    }
}

fn is_endpoint(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = host.trim_matches(['[', ']']);
        !host.is_empty()
            && port.parse::<u16>().is_ok()
            && (!bare.contains(':')
                || host.starts_with('[') && bare.parse::<std::net::Ipv6Addr>().is_ok())
    })
}

/// A duration as `90s`, `10m` or `1h 30m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        Config::parse(Path::new("file"), text, variables).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_is_the_default() {
        let config = parse(include_str!("../ovmgrd.toml"), &[]).unwrap();
        let default = parse("roles = [\"system\"]", &[]).unwrap();
        assert_eq!(format!("{config:?}"), format!("{default:?}"));
    }

    #[test]
    fn variables_override_the_file() {
        let text = "roles = [\"system\"]\n[store]\npath = \"/a\"\n";
        let config = parse(
            text,
            &[
                ("OVMGRD_STORE__PATH", "/b"),
                ("OVMGRD_STORE__ETCD__ENDPOINTS", "[\"one:1\", \"two:2\"]"),
                ("OVMGRD_API__LISTEN", "127.0.0.1:1"),
                ("OVMGRD_STORE__HISTORY", "90s"),
                ("HOME", "/root"),
            ],
        )
        .unwrap();
        assert_eq!(config.store.path, Path::new("/b"));
        assert_eq!(config.store.etcd.endpoints, ["one:1", "two:2"]);
        assert_eq!(config.api.listen.port(), 1);
        assert_eq!(config.store.history, Duration::from_secs(90));
        let roles = parse("", &[("OVMGRD_ROLES", "[\"system\"]")]).unwrap();
        assert!(roles.has(Role::System) && !roles.has(Role::Agent));
    }

    #[test]
    fn mistakes_are_named() {
        let system = "roles = [\"system\"]\n";
        for (text, variables, named) in [
            ("", &[][..], "roles"),
            ("roles = []", &[], "at least one"),
            ("roles = [\"boss\"]", &[], "boss"),
            ("roles = [\"agent\"]", &[], "agent.managers"),
            (
                "roles = [\"system\"]\n[agent]\nmanagers = [\"here\"]",
                &[],
                "HOST:PORT",
            ),
            ("roles = [\"system\"]\nrolls = 1", &[], "rolls"),
            (
                "roles = [\"system\"]\n[store]\nkind = \"etcd\"",
                &[],
                "store.etcd.endpoints",
            ),
            (
                "roles = [\"system\"]\n[balance]\nabove = 1000",
                &[],
                "balance.above",
            ),
            (
                "roles = [\"system\"]\n[store]\nhistory = \"soon\"",
                &[],
                "history",
            ),
            (
                "roles = [\"system\"]\n[api]\nlisten = \"0.0.0.0:1\"",
                &[],
                "clear text",
            ),
            (
                "roles = [\"system\"]\n[api]\ncertificate = \"/c\"",
                &[],
                "api.key",
            ),
            (
                "roles = [\"system\"]\n[log]\nlevel = \"loud\"",
                &[],
                "log.level",
            ),
            (system, &[("OVMGRD_STORE__PAHT", "/x")], "paht"),
            (system, &[("OVMGRD_ROLES__X", "/x")], "OVMGRD_ROLES__X"),
        ] {
            let error = parse(text, variables).expect_err(text);
            assert!(error.contains(named), "{text:?} {variables:?}: {error}");
        }
    }
}
