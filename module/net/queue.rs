// SPDX-License-Identifier: GPL-2.0

//! Packets that wait, in the order they came. Any context but hard interrupts.

use super::{
    bindings,
    device::Device,
    namespace::Net,
    skb::{Flow, Skb},
    time::Moment,
};
use core::cell::UnsafeCell;
use kernel::{prelude::*, types::Opaque};

/// Whether a packet is looked at for the first time, or has waited and is next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It must queue behind those that wait.
    New,
    /// It was taken from the queue.
    Waited,
}

/// Whose packet waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A frame that the node behind a port sent; the device is that port's.
    Sent,
    /// An IPv6 packet that the substrate brought.
    Received,
}

/// A packet that waited.
pub(crate) struct Waiting {
    /// The packet.
    pub(crate) packet: Skb,
    /// Whose it is.
    pub(crate) side: Side,
}

/// Why a packet may not wait.
pub(crate) enum Refused {
    /// The queue is closed: what it waited for is known.
    Closed(Skb),
    /// The queue holds as many as it may.
    Full(Skb),
}

/// Whether a queue takes one more packet.
pub(crate) enum Standing {
    /// It does.
    Open,
    /// It is closed.
    Closed,
    /// It holds as many as it may.
    Full,
}

/// How much may wait in one queue.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// Packets.
    pub(crate) packets: u32,
    /// The memory they take.
    pub(crate) bytes: u32,
}

/// What the queue notes on each packet, in the packet's control block.
#[repr(C)]
struct Note {
    since: Moment,
    side: Side,
    flow: Flow,
}

/// What the lock protects beside the list.
struct State {
    bytes: u32,
    closed: bool,
}

impl State {
    /// Whether a list of so many packets takes one more.
    fn standing(&self, len: u32, packet: &Skb, room: Room) -> Standing {
        if self.closed {
            Standing::Closed
        } else if len >= room.packets || self.bytes.saturating_add(packet.truesize()) > room.bytes {
            Standing::Full
        } else {
            Standing::Open
        }
    }
}

/// The queue.
///
/// # Invariants
///
/// The list is initialised and holds packets that it owns, each with a [`Note`]. List and state are only
/// touched with the list's lock held.
#[pin_data(PinnedDrop)]
pub(crate) struct Queue {
    #[pin]
    list: Opaque<bindings::sk_buff_head>,
    state: UnsafeCell<State>,
}

// SAFETY: The list's lock protects everything.
unsafe impl Send for Queue {}
// SAFETY: As above.
unsafe impl Sync for Queue {}

const _: () = assert!(size_of::<Note>() <= 48);

impl Queue {
    /// An open queue in which nothing waits.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: Initialised here.
            // SAFETY: `slot` is valid memory for the list.
            list <- Opaque::ffi_init(|slot| unsafe { bindings::ovnet_queue_init(slot) }),
            state: UnsafeCell::new(State { bytes: 0, closed: false }),
        })
    }

    /// Runs `f` with the lock held.
    fn locked<T>(&self, f: impl FnOnce(*mut bindings::sk_buff_head, &mut State) -> T) -> T {
        // SAFETY: By the invariant the list is initialised; the state is ours while it is locked.
        unsafe {
            bindings::ovnet_queue_lock(self.list.get());
            let result = f(self.list.get(), &mut *self.state.get());
            bindings::ovnet_queue_unlock(self.list.get());
            result
        }
    }

    /// Lets a packet wait. One that was `Received` keeps no device: `net` is its host.
    pub(crate) fn push(
        &self,
        packet: Skb,
        side: Side,
        net: Net,
        room: Room,
    ) -> core::result::Result<(), Refused> {
        self.locked(|list, state| {
            // SAFETY: The list is locked.
            match state.standing(unsafe { (*list).qlen }, &packet, room) {
                Standing::Open => {}
                Standing::Closed => return Err(Refused::Closed(packet)),
                Standing::Full => return Err(Refused::Full(packet)),
            }
            state.bytes = state.bytes.saturating_add(packet.truesize());
            let flow = packet.flow;
            let skb = packet.into_raw();
            // SAFETY: The packet was given away and is nobody else's; its control block is ours. What the
            // substrate brought must hold neither a device, which may go, nor a route.
            unsafe {
                (&raw mut (*skb).cb).cast::<Note>().write(Note {
                    since: Moment::now(),
                    side,
                    flow,
                });
                if side == Side::Received {
                    bindings::ovnet_skb_forget_device(skb, net.as_ptr());
                }
                bindings::ovnet_queue_push(list, skb);
            }
            Ok(())
        })
    }

    /// Whether the packet might wait.
    pub(crate) fn standing(&self, packet: &Skb, room: Room) -> Standing {
        // SAFETY: The list is locked.
        self.locked(|list, state| state.standing(unsafe { (*list).qlen }, packet, room))
    }

    /// Packets that wait.
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: The list is locked.
        self.locked(|list, _| unsafe { (*list).qlen })
    }

    /// Whether the queue takes no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.locked(|_, state| state.closed)
    }

    /// Takes the packet that has waited longest.
    pub(crate) fn take(&self) -> Option<Waiting> {
        self.locked(|list, state| {
            // SAFETY: The list is locked; what leaves it is ours, and its note was written.
            unsafe {
                let skb = bindings::ovnet_queue_pop(list);
                let packet = taken(skb)?;
                let side = (*(&raw const (*skb).cb).cast::<Note>()).side;
                state.bytes = state.bytes.saturating_sub(packet.truesize());
                Some(Waiting { packet, side })
            }
        })
    }

    /// Takes the packet that has waited longest if it came before `moment`.
    pub(crate) fn take_before(&self, moment: Moment) -> Option<Waiting> {
        let due = self.locked(|list, _| {
            // SAFETY: The list is locked; its packets have notes.
            unsafe {
                let first = bindings::ovnet_queue_peek(list);
                !first.is_null()
                    && (*(&raw const (*first).cb).cast::<Note>())
                        .since
                        .is_past(moment)
            }
        });
        if due {
            self.take()
        } else {
            None
        }
    }

    /// Closes the queue if nothing waits; says whether it is closed.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.locked(|list, state| {
            // SAFETY: The list is locked.
            state.closed |= unsafe { (*list).qlen } == 0;
            state.closed
        })
    }

    /// Closes the queue; what waits can still be taken.
    pub(crate) fn close(&self) {
        self.locked(|_, state| state.closed = true);
    }

    /// Takes out what a device sent; calls `each` with it.
    pub(crate) fn purge(&self, device: &Device, mut each: impl FnMut(Skb)) {
        for _ in 0..self.len() {
            let Some(skb) = self.locked(|list, state| {
                // SAFETY: The list is locked; what leaves it is ours, and goes back if it stays.
                unsafe {
                    let skb = bindings::ovnet_queue_pop(list);
                    let packet = taken(skb)?;
                    if !packet.is_from(device) {
                        bindings::ovnet_queue_push(list, packet.into_raw());
                        return Some(None);
                    }
                    state.bytes = state.bytes.saturating_sub(packet.truesize());
                    Some(Some(packet))
                }
            }) else {
                return;
            };
            if let Some(packet) = skb {
                each(packet);
            }
        }
    }
}

/// A packet that leaves a queue, with what was known of it.
///
/// # Safety
///
/// `skb` must be null or a packet with a note that no queue holds any more. If a node sent it, its device
/// must still be registered: `detach` takes out of queues what waits.
unsafe fn taken(skb: *mut bindings::sk_buff) -> Option<Skb> {
    if skb.is_null() {
        return None;
    }
    // SAFETY: By the contract.
    unsafe {
        let note = &*(&raw const (*skb).cb).cast::<Note>();
        let mut packet = match note.side {
            Side::Sent => Skb::from_node(skb),
            Side::Received => Skb::from_raw(skb),
        }?;
        packet.flow = note.flow;
        Some(packet)
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        while self.take().is_some() {}
    }
}
