// SPDX-License-Identifier: GPL-2.0

//! Which manager is meant, what it is to believe who asks, and whom to trust for it.
//!
//! What is said on the command line comes first, then the environment, then the file:
//!
//! ```toml
//! [servers.lab]
//! url = "https://manager.example:8440"
//! token-file = "/home/me/lab.token"
//! cacert = "/etc/ovnet/lab-ca.pem"
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use ureq::http::Uri;

use crate::failure::Failure;

/// The value of `--server` that is no manager.
const LOCAL: &str = "local";
/// The configuration of a machine, where the user has none.
const MACHINE: &str = "/etc/ovnet/ovctl.toml";

#[derive(Debug, Args)]
#[command(next_help_heading = "Manager")]
pub(crate) struct Options {
    /// The manager to ask instead of this host: its URL, or a name in ovctl.toml; `local` is this host
    #[arg(long, global = true, value_name = "URL|NAME", env = "OVCTL_SERVER")]
    server: Option<String>,

    /// The file with the token for the manager, if not in OVCTL_TOKEN or named in ovctl.toml
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The file with the certificates to trust for https instead of the machine's
    #[arg(long, global = true, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

/// A manager that the command line or the environment names.
#[derive(Debug)]
pub(crate) struct Manager {
    name: String,
    token_file: Option<PathBuf>,
    cacert: Option<PathBuf>,
}

/// All that is needed to ask it.
#[derive(Debug, PartialEq)]
pub(super) struct Access {
    /// Without a slash at the end.
    pub(super) url: String,
    pub(super) token: String,
    pub(super) cacert: Option<PathBuf>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    servers: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    url: String,
    token_file: Option<PathBuf>,
    cacert: Option<PathBuf>,
}

impl Options {
    /// The manager, unless this host is meant.
    pub(crate) fn named(&self) -> Option<Manager> {
        let name = self.server.clone();
        let name = name.filter(|name| !name.is_empty() && name != LOCAL)?;
        Some(Manager {
            name,
            token_file: self.token_file.clone(),
            cacert: self.cacert.clone(),
        })
    }
}

impl Manager {
    pub(super) fn access(self) -> Result<Access, Failure> {
        let path = path();
        let file = read(&path)?;
        let token = std::env::var("OVCTL_TOKEN").ok();
        self.find(&path, file, token)
    }

    fn find(self, path: &Path, file: File, variable: Option<String>) -> Result<Access, Failure> {
        let is_url = self.name.contains("://");
        let known = file.servers.into_iter().find(|(name, entry)| match is_url {
            true => trimmed(&entry.url) == trimmed(&self.name),
            false => *name == self.name,
        });
        let entry = known.map(|(_, entry)| entry);
        let url = match (&entry, is_url) {
            (Some(entry), _) => entry.url.clone(),
            (None, true) => self.name.clone(),
            (None, false) => {
                return Err(Failure::Usage(format!(
                    "{} is neither a URL such as https://manager.example:8440 nor a server of {}",
                    self.name,
                    path.display()
                )))
            }
        };
        let url = trimmed(&url).to_owned();
        private(&url)?;
        let (of_entry, cacert) = match entry {
            Some(entry) => (entry.token_file, entry.cacert),
            None => (None, None),
        };
        let token = match (self.token_file, variable, of_entry) {
            (Some(file), _, _) | (None, None, Some(file)) => token(&file)?,
            (None, Some(token), _) => token.trim().to_owned(),
            (None, None, None) => {
                return Err(Failure::Usage(
                    "there is no token: name its file by --token-file FILE, or put it into OVCTL_TOKEN; \
                     the manager's first start wrote one to /var/lib/ovnet/admin-token"
                        .into(),
                ))
            }
        };
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || !visible(&token) {
            return Err(Failure::Usage(
                "the token is no token: it looks like ovnet_…, on one line".into(),
            ));
        }
        let cacert = self.cacert.or(cacert);
        Ok(Access { url, token, cacert })
    }
}

fn trimmed(url: &str) -> &str {
    url.trim_end_matches('/')
}

/// Whoever reads a token on the way is who it says.
fn private(url: &str) -> Result<(), Failure> {
    let wrong = || {
        Failure::Usage(format!(
            "{url} is no manager's URL: write https://HOST:PORT"
        ))
    };
    let parsed: Uri = url.parse().map_err(|_| wrong())?;
    let host = parsed.host().ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost",
    };
    match (parsed.scheme_str(), parsed.query()) {
        (Some("https"), None) => Ok(()),
        (Some("http"), None) if loopback => Ok(()),
        (Some("http"), None) => Err(Failure::Usage(format!(
            "{url} would show the token to the network: use https, as `certificate` and `key` of [api] set it up"
        ))),
        _ => Err(wrong()),
    }
}

fn token(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map(|text| text.trim().to_owned())
        .map_err(|error| {
            let file = file.display();
            Failure::Input(format!("cannot read the token in {file}: {error}"))
        })
}

/// Where the configuration is: OVCTL_CONFIG, the user's, or the machine's.
fn path() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = variable("OVCTL_CONFIG") {
        return path.into();
    }
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".config"));
    let directory = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = directory
        .or_else(home)
        .map(|directory| directory.join("ovnet/ovctl.toml"));
    own.filter(|own| own.exists())
        .unwrap_or_else(|| MACHINE.into())
}

fn read(path: &Path) -> Result<File, Failure> {
    let failure = |what: &dyn std::fmt::Display| {
        let path = path.display();
        Failure::Input(format!("{path} cannot be used: {what}"))
    };
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| failure(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
        Err(error) => Err(failure(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
        [servers.lab]
        url = 'https://manager.example:8440/'
        token-file = '/no/such/token'
        cacert = '/ca'
        [servers.here]
        url = 'http://127.0.0.1:8440'
    ";

    fn find(name: &str, variable: Option<&str>) -> Result<Access, String> {
        let manager = Manager {
            name: name.into(),
            token_file: None,
            cacert: None,
        };
        let file = toml::from_str(FILE).unwrap();
        let access = manager.find(Path::new("ovctl.toml"), file, variable.map(str::to_owned));
        access.map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_name_or_its_url_has_what_the_file_says() {
        for name in ["lab", "https://manager.example:8440"] {
            let access = find(name, Some("ovnet_1_2\n")).unwrap();
            assert_eq!(
                access,
                Access {
                    url: "https://manager.example:8440".into(),
                    token: "ovnet_1_2".into(),
                    cacert: Some("/ca".into()),
                }
            );
        }
        // The variable comes before the file's token, and without it that is read.
        let failure = find("lab", None).unwrap_err();
        assert!(failure.contains("/no/such/token"), "{failure}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        for (name, variable, says) in [
            ("other", Some("t"), "nor a server of ovctl.toml"),
            ("here", None, "--token-file"),
            ("here", Some(" "), "on one line"),
            ("here", Some("a b"), "on one line"),
            ("http://manager.example:8440", Some("t"), "use https"),
            ("http://[2001:db8::1]:8440", Some("t"), "use https"),
            ("ftp://127.0.0.1", Some("t"), "write https://"),
            ("https://manager.example/?x=1", Some("t"), "write https://"),
        ] {
            let failure = find(name, variable).unwrap_err();
            assert!(failure.contains(says), "{name}: {failure}");
        }
        for name in [
            "here",
            "http://localhost:1",
            "http://[::1]:8440/",
            "http://127.9.9.9:1",
        ] {
            find(name, Some("t")).unwrap();
        }
        assert!(toml::from_str::<File>("[servers.a]\nurl = 'x'\ntoken = 'y'").is_err());
    }
}
