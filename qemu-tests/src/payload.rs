// SPDX-License-Identifier: GPL-2.0

//! What a run puts into its guests: an initramfs that finds the root file
//! system, and an archive with the module, programs and cases of the checkout
//! that is unpacked over it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::Environment;

/// The programs a guest gets, and where. Only `ovnet-guest` must be there: a
/// case that needs another one fails by itself.
const PROGRAMS: &[(&str, &str)] = &[
    ("ovnet-guest", "ovnet/bin"),
    ("ovnet-cases", "ovnet/bin"),
    ("ovnet-bench", "ovnet/bin"),
    ("ovctl", "usr/local/bin"),
    ("ovmgrd", "usr/local/bin"),
];

/// The two files a guest boots with.
#[derive(Debug, Clone)]
pub struct Payload {
    /// For `-initrd`.
    pub initramfs: PathBuf,
    /// A tar archive, for the second disk.
    pub archive: PathBuf,
}

impl Payload {
    /// Makes the payload in `directory`; `script`, if any, becomes
    /// `/ovnet/run` in the guest.
    pub fn build(
        environment: &Environment,
        directory: &Path,
        script: Option<&Path>,
    ) -> io::Result<Payload> {
        Payload::build_with(environment, directory, script, &[])
    }

    /// The same with further programs, which come to be in `/usr/local/bin`.
    pub fn build_with(
        environment: &Environment,
        directory: &Path,
        script: Option<&Path>,
        programs: &[PathBuf],
    ) -> io::Result<Payload> {
        let payload = Payload {
            initramfs: directory.join("initramfs"),
            archive: directory.join("payload.tar"),
        };
        fs::write(&payload.initramfs, initramfs(environment)?)?;

        let stage = directory.join("payload");
        stage_modules(environment, &stage)?;
        stage_checkout(environment, &stage)?;
        for program in programs {
            copy(program, &stage.join("usr/local/bin"))?;
        }
        if let Some(script) = script {
            fs::copy(script, stage.join("ovnet/run"))
                .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", script.display())))?;
        }
        run(Command::new("tar")
            .args(["--owner=0", "--group=0", "-cf"])
            .arg(&payload.archive)
            .arg("-C")
            .arg(&stage)
            .arg("."))?;
        fs::remove_dir_all(&stage)?;
        Ok(payload)
    }
}

/// The kernel's modules that guests use and ovnet, with the indexes that let
/// them load by name and by alias.
fn stage_modules(environment: &Environment, stage: &Path) -> io::Result<()> {
    let version = &environment.kernel_version;
    let modules = stage.join("usr/lib/modules");
    fs::create_dir_all(&modules)?;
    let stock = environment.modules.join("lib/modules").join(version);
    copy(&stock, &modules)?;
    let ovnet = environment
        .checkout
        .join(format!("out/module-{version}/ovnet.ko"));
    if ovnet.exists() {
        let extra = modules.join(version).join("extra");
        fs::create_dir_all(&extra)?;
        fs::copy(&ovnet, extra.join("ovnet.ko"))?;
    } else {
        eprintln!(
            "note: {} is not built; guests run without it",
            ovnet.display()
        );
    }
    // depmod looks in lib/, which is a link in the guest and here for its sake.
    let link = stage.join("lib");
    std::os::unix::fs::symlink("usr/lib", &link)?;
    run(Command::new("depmod")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("-b")
        .arg(stage)
        .arg(version))?;
    fs::remove_file(link)
}

fn stage_checkout(environment: &Environment, stage: &Path) -> io::Result<()> {
    let tests = environment.checkout.join("qemu-tests");
    for directory in ["ovnet/bin", "usr/local/bin", "usr/lib/ynl/specs"] {
        fs::create_dir_all(stage.join(directory))?;
    }
    for name in [
        "guest",
        "cases",
        "bench",
        "lib.sh",
        "overlay.sh",
        "manager.sh",
        "trace.sh",
        "demo.sh",
    ] {
        let path = tests.join(name);
        if path.exists() {
            copy(&path, &stage.join("ovnet"))?;
        }
    }
    fs::rename(
        stage.join("ovnet/guest/ynl"),
        stage.join("usr/local/bin/ynl"),
    )?;
    for (program, place) in PROGRAMS {
        let built = environment.binaries.join(program);
        if built.exists() {
            fs::copy(&built, stage.join(place).join(program))?;
        } else if *program == "ovnet-guest" {
            return Err(io::Error::other(format!(
                "{} is not built: run make, or name another directory with --binaries",
                built.display()
            )));
        }
    }
    let lib = stage.join("usr/local/lib/ovnet");
    fs::create_dir_all(&lib)?;
    copy(&environment.checkout.join("mgr/executor-criu"), &lib)?;
    let source = environment.kernel_dir.join("source");
    copy(
        &source.join("tools/net/ynl/pyynl"),
        &stage.join("usr/lib/ynl"),
    )?;
    fs::copy(
        environment
            .checkout
            .join("Documentation/netlink/specs/ovnet.yaml"),
        stage.join("usr/lib/ynl/specs/ovnet.yaml"),
    )?;
    Ok(())
}

/// The archive format of an initramfs is cpio "newc": per entry a header of
/// eight-digit hexadecimal fields, the name and the content, each padded to 4
/// bytes (kernel: Documentation/driver-api/early-userspace/buffer-format.rst).
fn initramfs(environment: &Environment) -> io::Result<Vec<u8>> {
    const NONE: (u32, u32) = (0, 0);
    let mut archive = Vec::new();
    for directory in ["bin", "dev", "modules", "root"] {
        entry(&mut archive, directory, 0o040_755, NONE, b"");
    }
    entry(&mut archive, "dev/console", 0o020_600, (5, 1), b"");
    let busybox = fs::read("/bin/busybox")?;
    entry(&mut archive, "bin/busybox", 0o100_755, NONE, &busybox);
    let init = fs::read(environment.checkout.join("qemu-tests/guest/init"))?;
    entry(&mut archive, "init", 0o100_755, NONE, &init);
    for module in fs::read_dir(environment.kernel_dir.join("initrd"))? {
        let module = module?;
        let name = format!("modules/{}", module.file_name().to_string_lossy());
        entry(
            &mut archive,
            &name,
            0o100_644,
            NONE,
            &fs::read(module.path())?,
        );
    }
    entry(&mut archive, "TRAILER!!!", 0, NONE, b"");
    Ok(archive)
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, device: (u32, u32), content: &[u8]) {
    let length = content.len();
    let (major, minor) = device;
    let name_length = name.len() + 1;
    // Magic, inode, mode, owner, group, links, time, length, device of the
    // file system (2), device (2), length of the name, checksum.
    let header = format!(
        "070701{0:08x}{mode:08x}{0:08x}{0:08x}{1:08x}{0:08x}{length:08x}{0:08x}{0:08x}\
         {major:08x}{minor:08x}{name_length:08x}{0:08x}",
        0, 1
    );
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

fn copy(from: &Path, into: &Path) -> io::Result<()> {
    run(Command::new("cp").arg("-r").arg(from).arg(into))
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{}: {}: {}",
        command.get_program().to_string_lossy(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}
