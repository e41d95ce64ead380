// SPDX-License-Identifier: GPL-2.0

//! No function of the engine can panic: an optimised object of it refers to nothing that does.
//!
//! A panic inside a kernel module takes the machine down. The engine is compiled as the kernel does it,
//! overflow checks on, and the names in the object are searched for those of core's panic functions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Parts of the names of every function of core that panics: `core::panicking::*`,
/// `core::slice::index::slice_index_fail`, `core::option::unwrap_failed` and their like.
const PANICS: [&[u8]; 2] = [b"panic", b"_fail"];

/// Functions for any [`Maps`](ovnet_engine::siit::Maps) are compiled only for one.
const INSTANCES: &str = "
/// What a caller brings.
#[allow(missing_docs)]
pub mod instances {
    use crate::siit::{self, Maps, Packet, Siit, Verdict, View};
    use crate::DropReason;

    pub struct Prefix;

    impl Maps for Prefix {
        fn v4_to_v6(&self, address: core::net::Ipv4Addr) -> Option<[u8; 16]> {
            (address.is_private()).then(|| address.to_ipv6_mapped().octets())
        }

        fn v6_to_v4(&self, address: &[u8; 16]) -> Option<core::net::Ipv4Addr> {
            core::net::Ipv6Addr::from(*address).to_ipv4_mapped()
        }
    }

    pub fn to6(view: View<'_>, siit: &Siit<'_>) -> Verdict {
        siit::to6(view, siit, &Prefix)
    }

    pub fn to4(view: View<'_>, siit: &Siit<'_>) -> Verdict {
        siit::to4(view, siit, &Prefix)
    }

    pub fn error_to6(packet: &[u8], siit: &Siit<'_>, out: &mut [u8]) -> Result<Packet, DropReason> {
        siit::error_to6(packet, siit, &Prefix, true, out)
    }

    pub fn error_to4(packet: &[u8], siit: &Siit<'_>, out: &mut [u8]) -> Result<Packet, DropReason> {
        siit::error_to4(packet, siit, &Prefix, true, 7, out)
    }
}
";

/// The compiler beside the cargo that builds this test, else the one in the path.
fn rustc() -> PathBuf {
    let sibling = Path::new(env!("CARGO")).with_file_name("rustc");
    if sibling.exists() {
        sibling
    } else {
        PathBuf::from("rustc")
    }
}

/// Compiles `dir/lib.rs` to one object and says which of [`PANICS`] its names contain.
fn panics_of(dir: &Path) -> Vec<&'static str> {
    // `incremental` keeps small functions from being left out of the object because every caller would
    // inline them; one codegen unit still lets them be inlined here.
    let output = Command::new(rustc())
        .args(["--edition=2021", "--crate-type=lib", "--crate-name=engine"])
        .args([
            "--check-cfg=cfg(MODULE,test)",
            "-Copt-level=2",
            "-Cpanic=abort",
        ])
        .args(["-Coverflow-checks=on", "-Ccodegen-units=1"])
        .args(["-Cincremental=incremental", "--emit=obj=lib.o", "lib.rs"])
        .current_dir(dir)
        .output()
        .expect("rustc starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let object = fs::read(dir.join("lib.o")).expect("rustc wrote the object");
    for name in ["to_ipv6", "question", "eligible", "to6", "error_to4"] {
        let found = object
            .windows(name.len())
            .any(|window| window == name.as_bytes());
        assert!(
            found,
            "{name} is not in the object, so nothing is said about it"
        );
    }
    PANICS
        .into_iter()
        .filter(|name| object.windows(name.len()).any(|window| window == *name))
        .map(|name| std::str::from_utf8(name).expect("names are ASCII"))
        .collect()
}

/// Copies the sources without `#[inline]`, which would keep a function out of the object as long as no
/// other function calls it, and appends `extra` to the crate's root.
fn sources(name: &str, extra: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    copy(&src, &dir, extra);
    dir
}

fn copy(from: &Path, to: &Path, extra: &str) {
    fs::create_dir_all(to).expect("the temporary directory can be written");
    for entry in fs::read_dir(from).expect("the sources are there") {
        let path = entry.expect("the sources can be listed").path();
        let file = to.join(path.file_name().expect("a listed path has a name"));
        if path.is_dir() {
            copy(&path, &file, extra);
            continue;
        }
        let mut text = fs::read_to_string(&path).expect("the sources can be read");
        for hint in ["#[inline]\n", "#[inline(always)]\n"] {
            text = text.replace(hint, "\n");
        }
        if path.ends_with("lib.rs") {
            text.push_str(extra);
        }
        fs::write(file, text).expect("the copy can be written");
    }
}

#[test]
fn no_function_can_panic() {
    let dir = sources("whole", INSTANCES);
    assert_eq!(panics_of(&dir), [""; 0]);
}

#[test]
fn the_search_finds_a_panic() {
    let sum = "/// Adds.\npub fn control(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
    assert_eq!(panics_of(&sources("sum", sum)), ["panic"]);
    let index = "/// Cuts.\npub fn control(a: &[u8], b: usize) -> &[u8] {\n    &a[..b]\n}\n";
    assert!(panics_of(&sources("index", index)).contains(&"_fail"));
}
