// SPDX-License-Identifier: GPL-2.0

//! The Rust that derives from `proto/` is checked in, so that a build needs no generator. This
//! test compares it with what the generator says; with `OVNET_GENERATE=1` it writes it.

use std::path::Path;

/// Protocol, where its Rust is, whether the server's side is needed.
const GENERATED: &[(&str, &str, bool)] = &[
    ("etcd.proto", "src/store/etcd/generated.rs", false),
    ("southbound.proto", "src/southbound/generated.rs", true),
];

#[test]
fn sources_are_what_the_protocols_say() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (protocol, target, server) in GENERATED {
        let files = protox::compile([protocol], [package.join("proto")]).unwrap();
        let out = tempfile::tempdir().unwrap();
        tonic_prost_build::configure()
            .build_server(*server)
            .build_transport(false)
            .out_dir(out.path())
            .compile_fds(files)
            .unwrap();
        let written: Vec<_> = std::fs::read_dir(out.path()).unwrap().collect();
        let [Ok(file)] = &written[..] else {
            panic!("{protocol} must be of one package")
        };
        let text = format!(
            "// SPDX-License-Identifier: GPL-2.0\n// Written by `make generate` from proto/{protocol}.\n{}",
            std::fs::read_to_string(file.path()).unwrap()
        );
        let target = package.join(target);
        if std::env::var_os("OVNET_GENERATE").is_some() {
            std::fs::write(target, text).unwrap();
        } else {
            let present = std::fs::read_to_string(&target).unwrap_or_default();
            assert!(
                present == text,
                "{} is outdated: run `make generate`",
                target.display()
            );
        }
    }
}
