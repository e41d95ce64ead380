// SPDX-License-Identifier: GPL-2.0

//! Why a command failed, what to do next, and the exit code that says so.

use std::fmt;
use std::io;

use nix::errno::Errno;
use ovnet_uapi::{Error, Kind, Refusal};

use crate::server::Problem;

/// The exit codes of `ovctl --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Refused = 1,
    Usage = 2,
    Permission = 3,
    Module = 4,
    Dropped = 5,
    Waits = 6,
    Away = 7,
    Changed = 8,
}

impl From<Code> for std::process::ExitCode {
    fn from(code: Code) -> Self {
        (code as u8).into()
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The kernel, or the way to it.
    Kernel { error: Error, hint: Option<String> },
    /// The manager, or the way to it.
    Manager(Problem),
    /// A name that stands for nothing, or a namespace that cannot be entered.
    Name {
        message: String,
        errno: Errno,
        hint: String,
    },
    /// Arguments that are sound one by one but not together.
    Usage(String),
    /// A file that cannot be read, or does not hold what it should.
    Input(String),
    /// Standard output cannot be written.
    Output(io::Error),
    /// Standard output was closed by its reader.
    Closed,
    /// Nothing failed, but a traced packet does not arrive; that was written.
    Verdict(Code),
}

/// What to do about a refusal; a command knows only some.
pub(crate) struct Hint {
    /// The errno; absent: any.
    errno: Option<Errno>,
    /// The attribute the kernel must point at; absent: any or none.
    attribute: Option<&'static str>,
    text: String,
}

impl Hint {
    /// What to do about this errno.
    pub(crate) fn of(errno: Errno, text: impl Into<String>) -> Hint {
        Hint {
            errno: Some(errno),
            attribute: None,
            text: text.into(),
        }
    }

    /// What to do about any refusal.
    pub(crate) fn any(text: impl Into<String>) -> Hint {
        Hint {
            errno: None,
            attribute: None,
            text: text.into(),
        }
    }

    /// Only if the kernel points at this attribute.
    pub(crate) fn at(mut self, attribute: &'static str) -> Hint {
        self.attribute = Some(attribute);
        self
    }

    fn fits(&self, refusal: &Refusal) -> bool {
        self.errno.is_none_or(|errno| errno == refusal.errno)
            && (self.attribute.is_none() || self.attribute == refusal.attribute)
    }
}

impl Failure {
    /// A command's refusal, with the first hint that fits.
    pub(crate) fn with_hints<const N: usize>(hints: [Hint; N]) -> impl FnOnce(Error) -> Failure {
        move |error| {
            let hint = match &error {
                Error::Refused(refusal) => hints
                    .into_iter()
                    .find_map(|hint| hint.fits(refusal).then_some(hint.text)),
                _ => None,
            };
            Failure::Kernel { error, hint }
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Failure::Kernel { error, .. } => match error {
                Error::ModuleMissing(_) => Code::Module,
                Error::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    Code::Permission
                }
                _ if error.kind() == Some(Kind::Permission) => Code::Permission,
                _ => Code::Refused,
            },
            Failure::Name { errno, .. } => match errno {
                Errno::EPERM | Errno::EACCES => Code::Permission,
                _ => Code::Refused,
            },
            Failure::Manager(problem) => problem.code,
            Failure::Usage(_) => Code::Usage,
            Failure::Verdict(code) => *code,
            Failure::Input(_) | Failure::Output(_) | Failure::Closed => Code::Refused,
        }
    }

    /// What to do next, where that is known.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Failure::Kernel {
                hint: Some(hint), ..
            }
            | Failure::Name { hint, .. } => Some(hint),
            Failure::Manager(problem) => problem.hint.as_deref(),
            Failure::Kernel { error, .. } => match error {
                Error::ModuleMissing(_) => {
                    Some("load it with `modprobe ovnet` as root; `dmesg` says why if that fails")
                }
                _ if self.code() == Code::Permission => {
                    Some("run as root, or with CAP_NET_ADMIN in the host's network namespace")
                }
                _ => None,
            },
            Failure::Usage(_)
            | Failure::Input(_)
            | Failure::Output(_)
            | Failure::Closed
            | Failure::Verdict(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Kernel { error, .. } => error.fmt(f),
            Failure::Manager(problem) => f.write_str(&problem.message),
            Failure::Name { message, errno, .. } => write!(f, "{message} ({errno:?})"),
            Failure::Usage(message) | Failure::Input(message) => f.write_str(message),
            Failure::Output(error) => write!(f, "cannot write the output: {error}"),
            Failure::Closed => f.write_str("the output was closed"),
            Failure::Verdict(_) => f.write_str("the packet does not arrive"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Kernel { error, hint: None }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Output(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: Errno) -> Refusal {
        Refusal {
            errno,
            message: Some("no".into()),
            attribute: None,
            missing: None,
        }
    }

    #[test]
    fn each_failure_has_its_code_and_hint() {
        let module = Failure::from(Error::ModuleMissing(refusal(Errno::ENOENT)));
        assert_eq!(module.code(), Code::Module);
        assert!(module.hint().unwrap().contains("modprobe ovnet"));

        let permission = Failure::from(Error::Refused(refusal(Errno::EPERM)));
        assert_eq!(permission.code(), Code::Permission);
        assert!(permission.hint().unwrap().contains("CAP_NET_ADMIN"));

        let stale = Failure::with_hints([Hint::of(Errno::ESTALE, "newer")]);
        let stale = stale(Error::Refused(refusal(Errno::ESTALE)));
        assert_eq!((stale.code(), stale.hint()), (Code::Refused, Some("newer")));
        assert_eq!(stale.to_string(), "no (ESTALE)");
    }

    #[test]
    fn a_commands_hint_does_not_hide_the_hint_for_another_errno() {
        let hints = Failure::with_hints([Hint::of(Errno::ESTALE, "newer")]);
        let permission = hints(Error::Refused(refusal(Errno::EPERM)));
        assert!(permission.hint().unwrap().contains("CAP_NET_ADMIN"));
    }

    #[test]
    fn a_hint_for_an_attribute_is_for_no_other() {
        let hint = |attribute| {
            let failure = Failure::with_hints([
                Hint::of(Errno::ENOENT, "set the network").at("vni"),
                Hint::of(Errno::ENOENT, "look it up"),
            ]);
            let refusal = Refusal {
                attribute,
                ..refusal(Errno::ENOENT)
            };
            failure(Error::Refused(refusal)).hint().map(str::to_owned)
        };
        assert_eq!(hint(Some("vni")).as_deref(), Some("set the network"));
        assert_eq!(hint(Some("address")).as_deref(), Some("look it up"));
        assert_eq!(hint(None).as_deref(), Some("look it up"));
    }

    #[test]
    fn a_closed_pipe_is_no_failure_of_the_output() {
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(closed, Failure::Closed));
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, Failure::Output(_)));
    }
}
