// SPDX-License-Identifier: GPL-2.0

//! The corpus once more: what broke before does not break again.

use std::collections::HashSet;

use ovnet_engine_fuzz::{corpus, TARGETS};

#[test]
fn everything_holds_for_the_corpus() {
    for target in TARGETS {
        let inputs = corpus::read(target.name);
        let mut seen = HashSet::new();
        for input in &inputs {
            seen.insert((target.run)(input));
        }
        // A corpus that comes to one thing only would test one thing only.
        assert!(seen.len() > 5, "{}: {} outcomes", target.name, seen.len());
    }
}

#[test]
fn every_truncation_of_the_corpus_holds() {
    for target in TARGETS {
        for input in corpus::read(target.name) {
            for len in 0..input.len().min(200) {
                let mut cut = input[..len].to_vec();
                (target.run)(&cut);
                corpus::repair(&mut cut, 1);
                (target.run)(&cut);
            }
        }
    }
}
