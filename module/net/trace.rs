// SPDX-License-Identifier: GPL-2.0

//! The tracepoints `ovnet:*`, for tracefs, perf and BPF. Any context. One that is off costs a NOP.

use super::{
    bindings,
    device::Device,
    skb::{Flow, Skb},
};
use core::ffi::c_void;
use kernel::{bindings::tracepoint, jump_label::static_branch_unlikely};
use ovnet_engine::DropReason;

/// The C side of a tracepoint, as `CREATE_RUST_TRACE_POINTS` makes it: packet, device, VNI, source,
/// destination, and form or reason.
type Probe = unsafe extern "C" fn(*const c_void, *const c_void, u32, u32, u32, u32);

macro_rules! tracepoints {
    ($($key:ident, $probe:ident;)*) => {
        // The kernel's own type of its own static, of which only the address is used.
        #[allow(improper_ctypes)]
        extern "C" {
            $(
                static $key: tracepoint;
                fn $probe(
                    skb: *const c_void,
                    dev: *const c_void,
                    vni: u32,
                    src: u32,
                    dst: u32,
                    what: u32,
                );
            )*
        }
    };
}

tracepoints! {
    __tracepoint_ovnet_tx, rust_do_trace_ovnet_tx;
    __tracepoint_ovnet_rx, rust_do_trace_ovnet_rx;
    __tracepoint_ovnet_drop, rust_do_trace_ovnet_drop;
}

/// Out of line: only while somebody looks.
#[cold]
fn call(probe: Probe, packet: &Skb, flow: Flow, device: *const bindings::net_device, what: u32) {
    let Flow { vni, src, dst, .. } = flow;
    // SAFETY: The packet is valid, the device is valid or, for a drop, null.
    unsafe { probe(packet.as_ptr().cast(), device.cast(), vni, src, dst, what) };
}

/// The node behind `device` has sent the packet.
#[inline(always)]
pub(crate) fn tx(packet: &Skb, device: &Device) {
    tx_of(packet, device, || packet.flow);
}

/// The same, for a packet of which is known what `flow` says.
#[inline(always)]
pub(crate) fn tx_of(packet: &Skb, device: &Device, flow: impl FnOnce() -> Flow) {
    // SAFETY: The key is that of a tracepoint.
    if unsafe { static_branch_unlikely!(__tracepoint_ovnet_tx, tracepoint, key) } {
        let flow = flow();
        call(
            rust_do_trace_ovnet_tx,
            packet,
            flow,
            device.as_ptr(),
            flow.form,
        );
    }
}

/// The node behind `device` gets the packet.
#[inline(always)]
pub(crate) fn rx(packet: &Skb, device: &Device) {
    rx_of(packet, device, || packet.flow);
}

/// The same, for a packet of which is known what `flow` says.
#[inline(always)]
pub(crate) fn rx_of(packet: &Skb, device: &Device, flow: impl FnOnce() -> Flow) {
    // SAFETY: The key is that of a tracepoint.
    if unsafe { static_branch_unlikely!(__tracepoint_ovnet_rx, tracepoint, key) } {
        let flow = flow();
        call(
            rust_do_trace_ovnet_rx,
            packet,
            flow,
            device.as_ptr(),
            flow.form,
        );
    }
}

/// The packet is dropped.
#[inline(always)]
pub(super) fn drop(packet: &Skb, reason: DropReason) {
    // SAFETY: The key is that of a tracepoint.
    if unsafe { static_branch_unlikely!(__tracepoint_ovnet_drop, tracepoint, key) } {
        call(
            rust_do_trace_ovnet_drop,
            packet,
            packet.flow,
            packet.device(),
            reason as u32,
        );
    }
}
