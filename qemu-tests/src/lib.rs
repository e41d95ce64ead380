// SPDX-License-Identifier: GPL-2.0

//! Boots stock kernels in QEMU and runs cases in them.
//!
//! ```text
//!  ovnet-vm (host)                              a guest
//!  suite ── machine ──── serial console ──────── kernel log   (console)
//!             │   └───── virtio-serial ───────── ovnet-guest  (protocol)
//!             └───────── unix datagrams ──────── eth0         (wire)
//! ```
//!
//! One boot runs many cases. A case is a bash script or a Rust function; it
//! runs in network, mount and process namespaces of its own, so that nothing
//! it leaves behind reaches the next one. Whatever the kernel complains about
//! on its console fails the case that was running.

pub mod barrier;
pub mod bench;
pub mod case;
pub mod cases;
pub mod console;
pub mod environment;
pub mod fault;
pub mod frame;
pub mod kernel_tools;
pub mod machine;
pub mod overlay;
pub mod payload;
pub mod protocol;
pub mod report;
pub mod rows;
pub mod selection;
pub mod shadow;
pub mod suite;
pub mod traffic;
pub mod wire;
