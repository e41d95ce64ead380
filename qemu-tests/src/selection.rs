// SPDX-License-Identifier: GPL-2.0

//! What `make check-debug` leaves out: cases that take minutes where traffic is
//! 70 times slower, and run code that others run too; `FILTER=` runs them. And
//! what little `make check-debug-quick` runs.

use crate::case::{Case, Only};

/// What shows the most in the least time: each way in which something of the
/// module comes to life, dies, or is used by two at once.
const QUICK: &[&str] = &[
    "allocation-failures-packets",
    "batch",
    "dumps",
    "kunit",
    "lifecycle-churn",
    "lifecycle-delete",
    "lifecycle-load",
    "lifecycle-namespaces",
    "lifecycle-unload",
    "move-states",
    "move-tcp",
    "policy-many",
    "resolve",
    "ttl",
];

/// Whether a case is of the quick selection.
pub fn is_quick(name: &str) -> bool {
    QUICK.contains(&name)
}

/// Each with the cases that run the same code.
const LEFT_OUT: &[(&str, &str)] = &[
    ("escape-offload", "escape and offload-tcp"),
    ("host-death", "lease and managed"),
    ("managed-addresses", "managed and own-addresses"),
    ("managed-anycast", "managed"),
    ("managed-balance", "managed and managed-move-kernels"),
    ("managed-hint", "managed and move-states"),
    ("managed-kernels", "managed and two-kernels"),
    ("managed-leak", "managed and move-states"),
    ("managed-move-etcd", "managed and move-lossless"),
    ("managed-move-faults", "managed and move-lossless"),
    ("managed-move-kernels", "move-lossless and two-kernels"),
    ("managed-peering", "managed and policy-peering"),
    ("path-mtu", "mtu and substrate-errors"),
    ("wire-stream", "wire-ping"),
];

/// Marks those cases as not for the debug kernel.
pub fn leave_out(cases: &mut [Case]) {
    for case in cases {
        if let Some((_, others)) = LEFT_OUT.iter().find(|(name, _)| *name == case.name) {
            case.only = Some(Only::Stock(format!(
                "takes minutes here, and {others} runs the same code; FILTER={} runs it",
                case.name
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_left_out_is_there_and_only_that() {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let mut cases = Case::all(&scripts).unwrap();
        for (name, _) in LEFT_OUT {
            assert!(cases.iter().any(|case| case.name == *name), "{name}");
        }
        for name in QUICK {
            let there = cases.iter().find(|case| case.name == *name);
            assert!(
                there.is_some_and(|case| case.unfit(true).is_none()),
                "{name}"
            );
        }
        let before = cases.iter().filter(|case| case.unfit(true).is_some());
        let before = before.count();
        leave_out(&mut cases);
        let after = cases.iter().filter(|case| case.unfit(true).is_some());
        assert_eq!(after.count(), before + LEFT_OUT.len());
    }
}
