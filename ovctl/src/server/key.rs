// SPDX-License-Identifier: GPL-2.0

//! Keys by which a manager knows a request that comes twice.

use std::fs::File;
use std::io::Read;

use crate::failure::Failure;

/// A key that nobody else has: 128 random bits.
pub(super) fn random() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Failure::Input(format!("cannot read /dev/urandom: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
