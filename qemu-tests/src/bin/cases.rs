// SPDX-License-Identifier: GPL-2.0

//! Runs one Rust case by its name, in the guest.

use std::process::ExitCode;

use ovnet_qemu_tests::cases;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let some = cases::DEBUG.iter().chain(cases::STOCK);
    let mut all = cases::ALL.iter().chain(some.map(|(case, _)| case));
    let Some(case) = all.find(|case| case.name == name) else {
        eprintln!("no Rust case is named {name:?}");
        return ExitCode::from(2);
    };
    match (case.run)() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
