// SPDX-License-Identifier: GPL-2.0

//! Network namespaces and the state the module keeps in each: a namespace is a host.
//!
//! The memory is the kernel's per-namespace memory, so that the state outlives every device whose
//! substrate the namespace is: those devices, wherever they live, are unregistered first.

use super::{
    alarm::{Alarm, Alarmed},
    bindings,
    device::{self, Rtnl},
    hook::{Hook, Receiver},
    rcu,
    work::{Later, Worker},
};
use core::{cell::UnsafeCell, ptr};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// A network namespace.
///
/// # Invariants
///
/// The namespace outlives the value: it is handed only to the state the namespace owns, and to calls.
#[derive(Clone, Copy)]
pub(crate) struct Net(*mut bindings::net);

// SAFETY: A namespace may be used from any thread.
unsafe impl Sync for Net {}
// SAFETY: As above.
unsafe impl Send for Net {}

impl Net {
    /// Wraps the kernel's pointer.
    ///
    /// # Safety
    ///
    /// The namespace must outlive the value.
    pub(super) unsafe fn from_raw(net: *mut bindings::net) -> Self {
        // INVARIANT: By the contract.
        Net(net)
    }

    pub(super) fn as_ptr(self) -> *mut bindings::net {
        self.0
    }

    /// Whether both are the same namespace.
    pub(crate) fn is(self, other: Net) -> bool {
        ptr::eq(self.0, other.0)
    }

    /// The id that `self` knows `other` by; it gets one if it has none. None: no memory.
    pub(crate) fn id_of(self, other: Net) -> Option<i32> {
        // SAFETY: Both namespaces are valid. The caller may be an RCU reader, so nothing may sleep.
        let id = unsafe { bindings::peernet2id_alloc(self.0, other.0, bindings::OVNET_GFP_ATOMIC) };
        (id >= 0).then_some(id)
    }
}

/// A namespace held by reference, found by a file descriptor of the calling process.
///
/// # Invariants
///
/// The value owns a reference to the namespace.
pub(crate) struct OwnedNet(Net);

impl OwnedNet {
    /// The namespace behind a file descriptor.
    pub(crate) fn from_fd(fd: u32) -> Result<Self> {
        let fd = i32::try_from(fd).map_err(|_| EBADF)?;
        // SAFETY: Any number may be asked for; the result is a referenced namespace or an error.
        unsafe {
            let net = bindings::get_net_ns_by_fd(fd);
            if bindings::ovnet_is_err(net.cast()) {
                return Err(Error::from_errno(bindings::ovnet_ptr_err(net.cast()) as i32));
            }
            // INVARIANT: The reference is ours.
            Ok(OwnedNet(Net(net)))
        }
    }

    /// The namespace, while this reference is held.
    pub(crate) fn net(&self) -> Net {
        self.0
    }
}

impl Drop for OwnedNet {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_put_net(self.0 .0) };
    }
}

/// State that every namespace has one of.
pub(crate) trait Namespaced: Worker + Alarmed + Sized + Send + Sync + 'static {
    /// The one registry of this type.
    fn registry() -> &'static Registry<Self>;

    /// The state of a new namespace.
    fn new(net: Net) -> impl PinInit<Self, Error>;

    /// Whether RCU callbacks may be pending that hold parts of the namespace, which must not outlive it.
    fn leaves_callbacks(&self) -> bool;
}

/// What lies in a namespace's memory.
#[repr(C)]
pub(super) struct Slot<T> {
    pub(super) net: Net,
    /// The hook on the namespace's packets, while there is one. Protected by RTNL.
    hook: UnsafeCell<Option<Hook>>,
    /// Devices whose substrate is this namespace. Protected by RTNL.
    pub(super) devices: UnsafeCell<bindings::list_head>,
    /// Counts changes of that list, for dumps. Protected by RTNL.
    pub(super) changes: UnsafeCell<u32>,
    /// The state, a leaked box, from `init` to `exit`.
    pub(super) value: *mut T,
    /// What the state puts off.
    later: Option<Later>,
    /// When it wants to be called.
    alarm: Option<Alarm>,
}

/// Where the kernel finds the state of a type.
///
/// # Invariants
///
/// `id` is written by the kernel while registering, before any reader exists, and is 0 otherwise.
pub(crate) struct Registry<T> {
    id: UnsafeCell<u32>,
    ops: Opaque<bindings::pernet_operations>,
    _state: core::marker::PhantomData<fn() -> T>,
}

// SAFETY: The kernel writes while it registers; later there are only readers.
unsafe impl<T> Sync for Registry<T> {}

impl<T: Namespaced> Registry<T> {
    /// A registry that is not registered.
    pub(crate) const fn new() -> Self {
        Registry {
            id: UnsafeCell::new(0),
            ops: Opaque::uninit(),
            _state: core::marker::PhantomData,
        }
    }

    /// Gives every namespace, now and later, its state.
    pub(crate) fn register() -> Result<Registration<T>> {
        let registry = T::registry();
        let ops = bindings::pernet_operations {
            init: Some(Self::init),
            exit: Some(Self::exit),
            exit_rtnl: Some(Self::exit_rtnl),
            id: registry.id.get(),
            size: size_of::<Slot<T>>(),
            ..pin_init::zeroed()
        };
        // SAFETY: The registry is static, and module initialisation is the only writer.
        unsafe {
            registry.ops.get().write(ops);
            to_result(bindings::register_pernet_subsys(registry.ops.get()))
        }
        .inspect_err(|_| Self::forget_id())?;
        Ok(Registration(core::marker::PhantomData))
    }

    /// Ends what the kernel's number of this type stood for; it leaves it behind.
    fn forget_id() {
        // SAFETY: The type is not registered, so that nobody reads the id.
        unsafe { *T::registry().id.get() = 0 };
    }

    /// The slot of a namespace.
    pub(super) fn slot(net: Net) -> Result<*mut Slot<T>> {
        // SAFETY: Written only while registering.
        let id = unsafe { *T::registry().id.get() };
        if id == 0 {
            return Err(ENODEV);
        }
        // SAFETY: The namespace is valid and the id registered.
        Ok(unsafe { bindings::ovnet_net_generic(net.as_ptr(), id) }.cast())
    }

    /// The state of a namespace, for the length of a call about it.
    pub(super) fn state<'a>(net: Net) -> Result<&'a T> {
        let slot = Self::slot(net)?;
        // SAFETY: The namespace is valid during the call, so `init` has run and `exit` has not.
        Ok(unsafe { &*(*slot).value })
    }

    /// Lets the state of a namespace work in so many milliseconds, unless it will anyway. Any context.
    pub(crate) fn work_within(net: Net, ms: u32) {
        if let Ok(slot) = Self::slot(net) {
            // SAFETY: Packets and requests are over before `exit` takes the work away.
            if let Some(later) = unsafe { &(*slot).later } {
                later.within(ms);
            }
        }
    }

    /// Has the state of a namespace called at that moment of the alarm's clock, and at no other. Any context.
    pub(crate) fn alarm_at(net: Net, at: u64) {
        if let Ok(slot) = Self::slot(net) {
            // SAFETY: Requests are over before `exit` takes the alarm away.
            if let Some(alarm) = unsafe { &(*slot).alarm } {
                alarm.set(at);
            }
        }
    }

    /// Lets the state of a namespace receive the namespace's packets, or no more.
    pub(crate) fn receive(net: Net, on: bool, _: &Rtnl) -> Result
    where
        T: Receiver,
    {
        let slot = Self::slot(net)?;
        // SAFETY: RTNL protects the hook; the value outlives it, since `exit` drops the hook first.
        unsafe {
            let hook = &mut *(*slot).hook.get();
            if !on {
                *hook = None;
            } else if hook.is_none() {
                *hook = Some(Hook::register(net, &*(*slot).value)?);
            }
        }
        Ok(())
    }

    /// # Safety
    ///
    /// Called by the kernel with a new namespace, whose memory for this type is zeroed.
    unsafe extern "C" fn init(net: *mut bindings::net) -> i32 {
        // SAFETY: The kernel's pointer is valid until `exit`.
        let net = unsafe { Net::from_raw(net) };
        let result = Self::slot(net).and_then(|slot| {
            // SAFETY: The slot is this namespace's own memory, and nobody else sees it yet.
            unsafe {
                (&raw mut (*slot).net).write(net);
                (&raw mut (*slot).hook).write(UnsafeCell::new(None));
                bindings::ovnet_list_init((*slot).devices.get());
                (&raw mut (*slot).changes).write(UnsafeCell::new(0));
                // Pinned: it stays in its box until `exit`.
                let value = KBox::try_pin_init(T::new(net), GFP_KERNEL)?;
                let later = Later::new(&raw const *value)?;
                let alarm = Alarm::new(&raw const *value)?;
                (*slot).value = KBox::into_raw(Pin::into_inner_unchecked(value));
                (&raw mut (*slot).later).write(Some(later));
                (&raw mut (*slot).alarm).write(Some(alarm));
            }
            Ok(())
        });
        match result {
            Ok(()) => 0,
            Err(error) => error.to_errno(),
        }
    }

    /// Unregisters the devices that send onto a namespace that dies.
    ///
    /// # Safety
    ///
    /// Called by the kernel under RTNL.
    unsafe extern "C" fn exit_rtnl(net: *mut bindings::net, kill: *mut bindings::list_head) {
        // SAFETY: The kernel's pointers are valid, and RTNL protects the list.
        unsafe {
            if let Ok(slot) = Self::slot(Net::from_raw(net)) {
                device::unregister_all((*slot).devices.get(), kill);
            }
        }
    }

    /// # Safety
    ///
    /// Called by the kernel when nothing uses the namespace any more.
    unsafe extern "C" fn exit(net: *mut bindings::net) {
        // SAFETY: `init` succeeded, and this is the last use of the slot.
        unsafe {
            if let Ok(slot) = Self::slot(Net::from_raw(net)) {
                // The hook hands packets to the value: it goes first. Work and alarm use the value, too.
                ptr::drop_in_place(&raw mut (*slot).hook);
                (*slot).alarm = None;
                (*slot).later = None;
                let wait = (*(*slot).value).leaves_callbacks();
                drop(KBox::from_raw((*slot).value));
                if wait {
                    rcu::barrier();
                }
            }
        }
    }
}

/// The registration; dropping it takes the state from every namespace.
pub(crate) struct Registration<T: Namespaced>(core::marker::PhantomData<fn() -> T>);

impl<T: Namespaced> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: It is registered.
        unsafe { bindings::unregister_pernet_subsys(T::registry().ops.get()) };
        Registry::<T>::forget_id();
    }
}
