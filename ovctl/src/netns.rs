// SPDX-License-Identifier: GPL-2.0

//! Network namespaces by the names people use for them.
//!
//! `ip netns` keeps a file per name in /run/netns; the kernel knows ids, which depend on who
//! looks, so ids are turned into names by asking for the id of each of those files.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sched::{setns, CloneFlags};
use ovnet_uapi::{Error, Mac, NetnsIds};

use crate::failure::Failure;

/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";
/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// A namespace as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Netns {
    text: String,
    path: PathBuf,
}

impl FromStr for Netns {
    type Err = String;

    /// `pid:N`, a path, or a name in /run/netns.
    fn from_str(text: &str) -> Result<Netns, String> {
        let path = if let Some(pid) = text.strip_prefix("pid:") {
            let pid: u32 = pid
                .parse()
                .map_err(|_| "pid: must be followed by a process id".to_owned())?;
            PathBuf::from(format!("/proc/{pid}/ns/net"))
        } else if text.contains('/') {
            PathBuf::from(text)
        } else if matches!(text, "" | "." | "..") {
            return Err("a namespace is a name, a path, or pid:N".into());
        } else {
            Path::new(NAMES).join(text)
        };
        Ok(Netns {
            text: text.to_owned(),
            path,
        })
    }
}

impl Netns {
    /// Make the calling thread's namespace this one.
    pub(crate) fn enter(&self) -> Result<(), Failure> {
        self.open()?.enter()
    }

    /// Open the namespace.
    pub(crate) fn open(&self) -> Result<OpenNetns, Failure> {
        let file = File::open(&self.path).map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
            Failure::Name {
                message: match errno {
                    Errno::ENOENT => format!("no network namespace {}", self.text),
                    _ => format!("cannot open {}: {}", self.path.display(), errno.desc()),
                },
                errno,
                hint: match errno {
                    Errno::EACCES | Errno::EPERM => "run as root".into(),
                    _ => "`ip netns list` shows the names; a path or pid:N will do as well".into(),
                },
            }
        })?;
        Ok(OpenNetns {
            text: self.text.clone(),
            file,
        })
    }
}

/// A namespace held by a file descriptor.
pub(crate) struct OpenNetns {
    text: String,
    file: File,
}

impl OpenNetns {
    fn enter(&self) -> Result<(), Failure> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(|errno| Failure::Name {
            message: format!("cannot enter namespace {}: {}", self.text, errno.desc()),
            errno,
            hint: match errno {
                Errno::EINVAL => format!("{} is not a network namespace", self.text),
                _ => "run as root, or with CAP_SYS_ADMIN there and here".into(),
            },
        })
    }

    /// Whether it is the calling thread's own.
    pub(crate) fn is_own(&self) -> io::Result<bool> {
        let (own, this) = (fs::metadata(OWN)?, self.file.metadata()?);
        Ok((own.dev(), own.ino()) == (this.dev(), this.ino()))
    }
}

impl fmt::Display for OpenNetns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsFd for OpenNetns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The index of a device in a namespace, or in the calling thread's.
pub(crate) fn ifindex(netns: Option<&OpenNetns>, device: &str) -> Result<u32, Failure> {
    inside(netns, || if_nametoindex(device))?
        .map_err(|errno| no_device(errno, device, netns.map(|netns| &*netns.text)))
}

/// The MAC of a device in a namespace, or in the calling thread's.
pub(crate) fn mac(netns: Option<&OpenNetns>, device: &str) -> Result<Mac, Failure> {
    let found = inside(netns, || {
        let link = getifaddrs()?
            .filter(|interface| interface.interface_name == device)
            .find_map(|interface| interface.address?.as_link_addr()?.addr());
        link.map(Mac).ok_or(Errno::ENODEV)
    })?;
    found.map_err(|errno| no_device(errno, device, netns.map(|netns| &*netns.text)))
}

/// Do something in a namespace, or in the calling thread's.
pub(crate) fn inside<T: Send>(
    netns: Option<&OpenNetns>,
    act: impl FnOnce() -> T + Send,
) -> Result<T, Failure> {
    let Some(netns) = netns else {
        return Ok(act());
    };
    // A namespace belongs to a thread: one of its own can look there and be gone.
    thread::scope(|scope| {
        scope
            .spawn(|| netns.enter().map(|()| act()))
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn no_device(errno: Errno, device: &str, netns: Option<&str>) -> Failure {
    let (place, option) = match netns {
        None => (String::new(), String::new()),
        Some(netns) => (
            format!(" in namespace {netns}"),
            format!(" netns {}", netns.strip_prefix("pid:").unwrap_or(netns)),
        ),
    };
    Failure::Name {
        message: format!("no device {device}{place}"),
        errno,
        hint: format!(
            "make one with `ip link add {device}{option} type ovnet`, from the host's namespace"
        ),
    }
}

/// The names of ids, read when the first id is asked for.
#[derive(Clone)]
pub(crate) struct Names(Option<HashMap<i32, String>>);

impl Names {
    pub(crate) fn new() -> Names {
        Names(None)
    }

    /// The names of ids as seen from another host.
    pub(crate) fn seen_from(netns: &OpenNetns) -> Result<Names, Failure> {
        let names = inside(Some(netns), || {
            read(Path::new(NAMES), &mut NetnsIds::open()?)
        })??;
        Ok(Names(Some(names)))
    }

    /// The name of an id as seen from this host; `None` if nothing in /run/netns has it, or if
    /// there is no id, as for the host's own namespace.
    pub(crate) fn of(&mut self, id: Option<i32>) -> Result<Option<String>, Error> {
        let Some(id) = id else {
            return Ok(None);
        };
        let names = match &mut self.0 {
            Some(names) => names,
            empty => empty.insert(read(Path::new(NAMES), &mut NetnsIds::open()?)?),
        };
        Ok(names.get(&id).cloned())
    }
}

/// A namespace by its name, else by its id.
pub(crate) fn text(name: Option<&str>, id: Option<i32>) -> Option<String> {
    match (name, id) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Some(id)) => Some(format!("nsid:{id}")),
        (None, None) => None,
    }
}

/// The ids of all namespaces with a file in the directory.
fn read(directory: &Path, ids: &mut NetnsIds) -> Result<HashMap<i32, String>, Error> {
    let mut names = HashMap::new();
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        // A name may go while we look, or be a file that is no namespace: it names nothing then.
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        match ids.id(file.as_fd()) {
            Ok(Some(id)) => {
                names.insert(id, entry.file_name().to_string_lossy().into_owned());
            }
            Ok(None) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_name_a_path_or_a_process() {
        for (text, path) in [
            ("blue", "/run/netns/blue"),
            ("./blue", "./blue"),
            ("/proc/12/ns/net", "/proc/12/ns/net"),
            ("pid:12", "/proc/12/ns/net"),
        ] {
            assert_eq!(text.parse::<Netns>().unwrap().path, Path::new(path));
        }
        for text in ["", ".", "..", "pid:", "pid:blue", "pid:-1"] {
            assert!(text.parse::<Netns>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_that_stands_for_nothing_says_where_names_are() {
        let netns: Netns = "no-such-namespace".parse().unwrap();
        let Err(failure) = netns.open() else {
            panic!("opened");
        };
        assert_eq!(
            failure.to_string(),
            "no network namespace no-such-namespace (ENOENT)"
        );
        assert!(failure.hint().unwrap().contains("ip netns list"));
    }

    #[test]
    fn the_own_namespace_is_recognised() {
        let own: Netns = OWN.parse().unwrap();
        assert!(own.open().unwrap().is_own().unwrap());
        let file: Netns = "/proc/self/stat".parse().unwrap();
        assert!(!file.open().unwrap().is_own().unwrap());
    }

    #[test]
    fn a_device_is_looked_up_by_name() {
        assert_eq!(ifindex(None, "lo").unwrap(), 1);
        let failure = ifindex(None, "no-such-device").unwrap_err();
        assert_eq!(failure.to_string(), "no device no-such-device (ENODEV)");
        let failure = no_device(Errno::ENODEV, "v0", Some("blue"));
        assert_eq!(
            failure.to_string(),
            "no device v0 in namespace blue (ENODEV)"
        );
        assert!(failure
            .hint()
            .unwrap()
            .contains("`ip link add v0 netns blue type ovnet`"));
    }

    #[test]
    fn files_that_are_no_namespaces_name_none() {
        let mut ids = NetnsIds::open().unwrap();
        assert!(read(Path::new("/proc/sys/kernel"), &mut ids)
            .unwrap()
            .is_empty());
        assert!(read(Path::new("/no-such-directory"), &mut ids)
            .unwrap()
            .is_empty());
    }
}
