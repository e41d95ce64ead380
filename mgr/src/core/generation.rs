// SPDX-License-Identifier: GPL-2.0

//! Generations: what tells news of a mapping from old news.

use std::fmt;

use crate::store::Revision;

/// The generation of a mapping: the term of the leading manager (24 bits), then the revision of
/// the store (40 bits) that wrote the mapping last.
///
/// Every transaction that writes a mapping is refused unless the term it was made for is still
/// the store's, and terms and revisions only grow: generations of the whole overlay, and so of
/// each mapping, strictly increase in the order of the transactions, whichever manager wrote.
/// No counter has to be kept for a mapping, and none survives one that was deleted: the state of
/// the store at revision R says "no such address" with generation R.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(u64);

impl Generation {
    /// Before the first: the generation of what is not known.
    pub const NONE: Generation = Generation(0);
    /// The largest term: the kernel keeps one of the 64 bits.
    pub const MAX_TERM: u32 = (1 << 23) - 1;
    /// The largest revision.
    pub const MAX_REVISION: Revision = (1 << 40) - 1;

    /// The generation of what was written at a revision in a term.
    #[must_use]
    pub const fn new(term: u32, revision: Revision) -> Generation {
        Generation((term as u64) << 40 | (revision & Generation::MAX_REVISION))
    }

    /// The term.
    #[must_use]
    pub const fn term(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// The revision.
    #[must_use]
    pub const fn revision(self) -> Revision {
        self.0 & Generation::MAX_REVISION
    }

    /// The number, as netlink has it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The generation with this number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Generation {
        Generation(number)
    }
}

/// `term.revision`.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term(), self.revision())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_term_is_greater_than_any_revision_of_an_earlier_one() {
        let last = Generation::new(3, Generation::MAX_REVISION);
        let first = Generation::new(4, 1);
        assert!(last < first);
        assert_eq!((first.term(), first.revision()), (4, 1));
        assert_eq!(Generation::from_u64(first.get()), first);
        assert_eq!(first.to_string(), "4.1");
    }

    #[test]
    fn the_kernel_can_hold_the_largest() {
        let largest = Generation::new(Generation::MAX_TERM, Generation::MAX_REVISION);
        assert_eq!(largest.get(), i64::MAX as u64);
    }
}
