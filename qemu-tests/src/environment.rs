// SPDX-License-Identifier: GPL-2.0

//! Where the checkout, the kernel and the guest's root file system are.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The surroundings of a run.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The top of the checkout.
    pub checkout: PathBuf,
    /// The version of the kernel to boot, as `uname -r` prints it.
    pub kernel_version: String,
    /// What `scripts/env` prepared for that kernel.
    pub kernel_dir: PathBuf,
    /// The modules of that kernel that a guest can load.
    pub modules: PathBuf,
    /// The guest's root file system.
    pub rootfs: PathBuf,
    /// Where the programs for the guest were built.
    pub binaries: PathBuf,
    /// Whether KVM works here.
    pub kvm: bool,
}

impl Environment {
    /// Asks `scripts/env`, which prepares what is missing. `kernel` is a
    /// version or a prefix of one.
    pub fn find(kernel: Option<&str>, binaries: &Path) -> io::Result<Environment> {
        let checkout = checkout()?;
        let mut command = Command::new(checkout.join("scripts/env"));
        command
            .arg("paths")
            .stderr(Stdio::inherit())
            .stdin(Stdio::null());
        if let Some(kernel) = kernel {
            command.env("KERNEL", kernel);
        }
        let output = command.output()?;
        if !output.status.success() {
            return Err(io::Error::other(
                "scripts/env could not prepare the environment",
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
                .ok_or_else(|| io::Error::other(format!("scripts/env paths gave no {name}")))
        };
        Ok(Environment {
            kernel_version: value("kernel-version")?,
            kernel_dir: value("kernel-dir")?.into(),
            modules: value("modules")?.into(),
            rootfs: value("rootfs")?.into(),
            binaries: checkout.join(binaries),
            checkout,
            kvm: kvm_works(),
        })
    }

    /// The program `etcd`, which `scripts/env` prepares.
    pub fn etcd(&self) -> io::Result<PathBuf> {
        let mut command = Command::new(self.checkout.join("scripts/env"));
        let output = command.arg("etcd").stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(io::Error::other("scripts/env could not prepare etcd"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().into())
    }

    /// Whether its kernel is the one that checks itself.
    pub fn is_debug(&self) -> bool {
        self.kernel_version.contains("-debug-")
    }

    /// How much longer than usual its kernel takes: one that checks itself is slow.
    pub fn patience(&self) -> u32 {
        if self.is_debug() {
            10
        } else {
            1
        }
    }

    /// Where logs and reports go.
    pub fn logs(&self) -> PathBuf {
        self.checkout.join("out/qemu")
    }
}

/// The checkout the present directory is in.
fn checkout() -> io::Result<PathBuf> {
    let directory = env::current_dir()?;
    directory
        .ancestors()
        .find(|path| path.join("scripts/env").exists())
        .map(Path::to_owned)
        .ok_or_else(|| io::Error::other("this must run inside a checkout of ovnet"))
}

/// Whether a virtual machine can be made with KVM: the device may exist, may
/// even open, and still refuse.
fn kvm_works() -> bool {
    Path::new("/dev/kvm").exists()
        && Command::new("sh")
            .arg("-c")
            .arg(
                "echo quit | qemu-system-x86_64 -accel kvm -cpu host -m 16 -nodefaults \
                 -display none -S -monitor stdio",
            )
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
}
