// SPDX-License-Identifier: GPL-2.0

//! The exit codes and messages a script relies on, from the program itself.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn ovctl(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ovctl"))
        .args(line.split(' '))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn wrong_usage_is_2_and_shows_what_to_write() {
    let output = ovctl("mapping set 7 10.0.0.3 --locator fd00:a:1:2::1/64");
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("write fd00:a:1:2::/64"));
    // Sound one by one, but not together.
    let output = ovctl("host set --organisation fe80::/32 --topology locale=1,rack=3");
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).starts_with("ovctl: host set: link-local is not routed"));
}

#[test]
fn a_namespace_that_is_not_there_is_1() {
    let output = ovctl("-n no-such-namespace network ls");
    assert_eq!(output.status.code(), Some(1));
    // An alias is reported by the command's own name.
    assert!(complaint(&output)
        .starts_with("ovctl: net show: no network namespace no-such-namespace (ENOENT)\n"));
    assert!(complaint(&output).contains("\novctl: hint: `ip netns list`"));
}

#[test]
fn a_kernel_without_the_module_is_4() {
    // Where the module is, or comes by its alias, showing networks works.
    if ovctl("net show").status.success() {
        assert!(Path::new("/sys/module/ovnet").exists());
        return;
    }
    for line in [
        "host show",
        "net set 7",
        "port show",
        "mapping show --json",
        "stats",
        "monitor",
    ] {
        let output = ovctl(line);
        assert_eq!(output.status.code(), Some(4), "{line}");
        assert!(output.stdout.is_empty(), "{line}");
        assert!(complaint(&output).contains(
            "the ovnet module is not loaded and could not be loaded: \
             the kernel has no netlink family ovnet (ENOENT)"
        ));
    }
}

#[test]
fn a_file_that_is_wrong_names_its_lines_and_changes_nothing() {
    let file = std::env::temp_dir().join(format!("ovctl-import-{}", std::process::id()));
    let good = r#"{"vni":7,"address":"10.0.0.3","locator":"fd00:a:1:2::/64"}"#;
    let import = |text: &str| {
        std::fs::write(&file, text).unwrap();
        ovctl(&format!("mapping import {} --dry-run", file.display()))
    };
    let wrong = import(&format!("{good}\n{{}}\n{good}\nno\n"));
    let right = import(&format!("{good}\n\n{good}\n"));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.stdout.is_empty());
    for says in [
        "line 2: vni is missing",
        "line 4: no JSON",
        "2 lines are wrong; nothing was changed",
    ] {
        assert!(complaint(&wrong).contains(says), "{}", complaint(&wrong));
    }
    // Looking needs no kernel.
    assert_eq!(right.status.code(), Some(0), "{}", complaint(&right));
    assert_eq!(
        right.stdout,
        b"2 mappings, all sound; nothing was changed\n"
    );
    let absent = ovctl("mapping import /no/such/file --dry-run");
    assert_eq!(absent.status.code(), Some(1));
    assert!(complaint(&absent).contains("cannot open /no/such/file"));
}

#[test]
fn help_lists_the_exit_codes() {
    let output = ovctl("--help");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for code in [
        "0  done",
        "1  refused",
        "2  wrong usage",
        "3  no permission",
        "4  the ovnet",
    ] {
        assert!(text.contains(code), "{code}");
    }
}
