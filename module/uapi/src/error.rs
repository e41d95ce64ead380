// SPDX-License-Identifier: GPL-2.0

//! What can go wrong between a caller and the kernel, with the kernel's own words kept.

use std::fmt;
use std::io;

use nix::errno::Errno;

/// A request the kernel refused: its errno and what its extended acknowledgement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The errno.
    pub errno: Errno,
    /// The extended acknowledgement's text.
    pub message: Option<String>,
    /// The attribute the kernel points at, as the specification names it.
    pub attribute: Option<&'static str>,
    /// The attribute the kernel misses, as the specification names it.
    pub missing: Option<&'static str>,
}

/// The kinds of refusal a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The object, or one it needs, does not exist.
    NotFound,
    /// The object exists with other contents, or another has what it asks for.
    Exists,
    /// The generation is older than the known one.
    Stale,
    /// The caller may not do this in this namespace.
    Permission,
    /// The object is in use.
    Busy,
    /// A value is wrong or does not fit the others.
    Invalid,
    /// The kernel does not know the command.
    Unsupported,
    /// Anything else; the errno says what.
    Other,
}

impl Refusal {
    /// The kind the errno stands for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.errno {
            Errno::ENOENT | Errno::ENODEV | Errno::ESRCH => Kind::NotFound,
            Errno::EEXIST | Errno::EADDRINUSE => Kind::Exists,
            Errno::ESTALE => Kind::Stale,
            Errno::EPERM | Errno::EACCES => Kind::Permission,
            Errno::EBUSY => Kind::Busy,
            Errno::EINVAL | Errno::ERANGE | Errno::EBADF | Errno::EADDRNOTAVAIL => Kind::Invalid,
            Errno::EOPNOTSUPP => Kind::Unsupported,
            _ => Kind::Other,
        }
    }
}

impl fmt::Display for Refusal {
    /// The kernel's text, or the errno's; the errno's name; the attribute it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => f.write_str(message)?,
            None => f.write_str(self.errno.desc())?,
        }
        write!(f, " ({:?})", self.errno)?;
        match (self.attribute, self.missing) {
            (Some(attribute), _) => write!(f, ", attribute {attribute}"),
            (None, Some(missing)) => write!(f, ", missing attribute {missing}"),
            (None, None) => Ok(()),
        }
    }
}

/// Why a call of this crate failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel does not know the family and could not load the module that has it.
    #[error("the ovnet module is not loaded and could not be loaded: {0}")]
    ModuleMissing(Refusal),
    /// The kernel refused the request.
    #[error("{0}")]
    Refused(Refusal),
    /// A system call failed.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    /// A request cannot be put into netlink's form.
    #[error("cannot encode the request: {0}")]
    Encode(String),
    /// The kernel's answer is not what the specification says.
    #[error("unexpected answer from the kernel: {0}")]
    Malformed(String),
    /// The table changed while it was read, so that entries may be missing or come twice.
    #[error("the table changed while it was read: entries may be missing or come twice")]
    DumpInterrupted,
    /// The socket's buffer overflowed and messages were lost.
    #[error("the kernel had more to say than was read: messages were lost")]
    Overrun,
}

impl Error {
    /// The kind of the refusal, if the kernel refused.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Error::Refused(refusal) => Some(refusal.kind()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: Errno) -> Refusal {
        Refusal {
            errno,
            message: None,
            attribute: None,
            missing: None,
        }
    }

    #[test]
    fn a_refusal_shows_the_kernels_text_or_the_errnos() {
        let mut it = refusal(Errno::ESTALE);
        assert_eq!(it.to_string(), "Stale file handle (ESTALE)");
        it.message = Some("generation 3 is older than the known 5".into());
        assert_eq!(
            it.to_string(),
            "generation 3 is older than the known 5 (ESTALE)"
        );
        it.attribute = Some("gen");
        assert_eq!(
            it.to_string(),
            "generation 3 is older than the known 5 (ESTALE), attribute gen"
        );
        it = refusal(Errno::EINVAL);
        it.missing = Some("vni");
        assert_eq!(
            it.to_string(),
            "Invalid argument (EINVAL), missing attribute vni"
        );
    }

    #[test]
    fn each_errno_the_module_uses_has_its_kind() {
        for (errno, kind) in [
            (Errno::ENOENT, Kind::NotFound),
            (Errno::ENODEV, Kind::NotFound),
            (Errno::EEXIST, Kind::Exists),
            (Errno::EADDRINUSE, Kind::Exists),
            (Errno::ESTALE, Kind::Stale),
            (Errno::EPERM, Kind::Permission),
            (Errno::EBUSY, Kind::Busy),
            (Errno::EINVAL, Kind::Invalid),
            (Errno::EOPNOTSUPP, Kind::Unsupported),
            (Errno::ENOSPC, Kind::Other),
        ] {
            assert_eq!(refusal(errno).kind(), kind, "{errno:?}");
        }
    }
}
