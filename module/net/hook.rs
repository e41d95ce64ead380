// SPDX-License-Identifier: GPL-2.0

//! A hook on the IPv6 packets that a namespace receives, before conntrack and routing. Softirq context.

use super::{bindings, namespace::Net, rcu::Rcu, skb::Skb};
use core::cell::UnsafeCell;
use kernel::{error::to_result, prelude::*};

/// Just before the raw table and conntrack (`NF_IP6_PRI_RAW` is -300), after defragmentation.
const PRIORITY: i32 = -301;

/// Who takes packets out of the stream.
pub(crate) trait Receiver: Sync + 'static {
    /// Whether the packet to this IPv6 destination is the receiver's. Called for every packet.
    fn claims(&self, destination: &[u8; 16]) -> bool;

    /// Takes a packet that was claimed; it starts with its IPv6 header.
    fn receive(&self, packet: Skb, rcu: Rcu<'_>);
}

/// A registered hook. Dropping it waits for packets under way.
///
/// # Invariants
///
/// The operations are registered in `net`, and stay where they are.
pub(super) struct Hook {
    ops: KBox<UnsafeCell<bindings::nf_hook_ops>>,
    net: Net,
}

// SAFETY: The kernel synchronises its use of the operations.
unsafe impl Send for Hook {}
// SAFETY: As above; a shared hook offers nothing.
unsafe impl Sync for Hook {}

impl Hook {
    /// Lets `receiver` see the packets of `net`.
    ///
    /// # Safety
    ///
    /// The receiver must outlive the hook.
    pub(super) unsafe fn register<R: Receiver>(net: Net, receiver: &R) -> Result<Self> {
        let ops = KBox::new(
            UnsafeCell::new(bindings::nf_hook_ops {
                hook: Some(hook::<R>),
                priv_: core::ptr::from_ref(receiver).cast_mut().cast(),
                pf: bindings::NFPROTO_IPV6 as u8,
                hooknum: bindings::NF_INET_PRE_ROUTING,
                priority: PRIORITY,
                ..pin_init::zeroed()
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The namespace is valid, the operations are boxed and valid until unregistered.
        to_result(unsafe { bindings::nf_register_net_hook(net.as_ptr(), ops.get()) })?;
        // INVARIANT: Just registered.
        Ok(Hook { ops, net })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // SAFETY: By the invariant it is registered; after the grace period no packet is in it.
        unsafe {
            bindings::nf_unregister_net_hook(self.net.as_ptr(), self.ops.get());
            bindings::synchronize_net();
        }
    }
}

/// # Safety
///
/// Called by netfilter as an RCU reader, with the registered `receiver` and an IPv6 packet whose header is
/// linear.
unsafe extern "C" fn hook<R: Receiver>(
    receiver: *mut c_void,
    skb: *mut bindings::sk_buff,
    _: *const bindings::nf_hook_state,
) -> u32 {
    // SAFETY: By the contract of `register` the receiver is alive.
    let receiver = unsafe { &*receiver.cast::<R>() };
    // SAFETY: `ipv6_rcv` made the 40 bytes of the header linear; the destination is at 24.
    let destination = unsafe { &*(*skb).data.add(24).cast::<[u8; 16]>() };
    if !receiver.claims(destination) {
        return bindings::NF_ACCEPT;
    }
    // SAFETY: NF_STOLEN gives the packet to us; the hook runs as an RCU reader.
    unsafe {
        if let Some(packet) = Skb::from_raw(skb) {
            receiver.receive(packet, Rcu::assume());
        }
    }
    bindings::NF_STOLEN
}
