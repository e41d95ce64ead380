// SPDX-License-Identifier: GPL-2.0

//! How busy a host is, as it is written.

use serde::{Deserialize, Serialize};

use crate::core::load::Load;

/// How busy a host is, as the manager says that it is connected to. The record is bound to that
/// manager's lease, and deleted when the host is heard no more: what is there is never old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLoad {
    /// The id of the manager.
    pub manager: u32,
    /// Thousandths of the processors' time.
    pub cpu: u32,
    /// Thousandths of the memory.
    pub memory: u32,
}

impl HostLoad {
    /// The load.
    #[must_use]
    pub const fn load(self) -> Load {
        Load {
            cpu: self.cpu,
            memory: self.memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::record::{decode, encode};

    #[test]
    fn a_load_is_read_as_it_is_written() {
        let load = HostLoad {
            manager: u32::MAX,
            cpu: 1000,
            memory: 7,
        };
        assert_eq!(decode(&encode(&load)), Some(load));
        assert_eq!(decode::<HostLoad>(b"{}"), None);
    }
}
