// SPDX-License-Identifier: GPL-2.0

//! Virtual Ethernet devices and their link kind.
//!
//! A device lives in the namespace of its node and sends onto the namespace it was made from, its
//! substrate. The driver's state is built in `ndo_init` and dropped when the last reference to the device
//! has gone, so that whoever holds a [`DeviceRef`] may use it.

use super::{
    bindings, ethtool,
    namespace::{Namespaced, Net, Registry, Slot},
    queue::Turn,
    rcu::Rcu,
    skb::Skb,
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ops::Deref,
    ptr::{self, NonNull},
};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// The driver of a link kind: what one device is and does.
pub(crate) trait Driver: Sized + Send + Sync + 'static {
    /// The kind, as in `ip link add ... type KIND`.
    const KIND: &'static CStr;

    /// The state of the namespace that is the substrate.
    type Substrate: Namespaced;

    /// The state of a new device.
    fn new() -> Result<Self>;

    /// Calls `visit` with each counter of the device: a prefix and a name, together at most 31 bytes, and
    /// the value. Always the same ones in the same order.
    fn statistics(&self, visit: impl FnMut(&str, &str, u64));

    /// The state of a device.
    ///
    /// # Safety
    ///
    /// The device must be of this driver, initialised, and stay so for `'a`.
    unsafe fn of<'a>(device: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the contract.
        unsafe { (*private::<Self>(device)).driver.assume_init_ref() }
    }

    /// Takes a frame that the node sends. Softirqs are off.
    fn transmit(
        &self,
        device: &Device,
        substrate: &Self::Substrate,
        frame: Skb,
        turn: Turn,
        rcu: Rcu<'_>,
    );

    /// Lets go of every reference to the device: it is being unregistered. Under RTNL.
    fn detach(&self, device: &Device, substrate: &Self::Substrate, rtnl: &Rtnl);
}

/// The RTNL mutex, held.
pub(crate) struct Rtnl {
    /// Whether dropping the value unlocks.
    owned: bool,
}

impl Rtnl {
    /// Takes the mutex. Process context.
    pub(crate) fn lock() -> Self {
        // SAFETY: Any process context may wait for it.
        unsafe { bindings::rtnl_lock() };
        Rtnl { owned: true }
    }

    /// Asserts that the caller's caller holds it.
    ///
    /// # Safety
    ///
    /// It must be true for as long as the value lives.
    unsafe fn assume() -> Self {
        Rtnl { owned: false }
    }
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        if self.owned {
            // SAFETY: It was locked by `lock`.
            unsafe { bindings::rtnl_unlock() };
        }
    }
}

/// A network device, borrowed.
#[repr(transparent)]
pub(crate) struct Device(Opaque<bindings::net_device>);

// SAFETY: What is offered below may be done from any thread.
unsafe impl Sync for Device {}
// SAFETY: As above.
unsafe impl Send for Device {}

impl Device {
    /// # Safety
    ///
    /// The device must be valid for `'a`.
    pub(super) unsafe fn from_raw<'a>(device: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the contract; the type is transparent.
        unsafe { &*device.cast::<Device>() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// Its index in the namespace it lives in.
    pub(crate) fn index(&self) -> u32 {
        // SAFETY: The device is valid.
        unsafe { (*self.as_ptr()).ifindex as u32 }
    }

    /// Its name, NUL included, as it is now. It may be renamed meanwhile; the bytes stay a string.
    pub(crate) fn name(&self) -> [u8; 16] {
        // SAFETY: The device is valid; the name is 16 bytes whose last is always 0.
        unsafe { ptr::read_volatile((&raw const (*self.as_ptr()).name).cast::<[u8; 16]>()) }
    }

    /// Its MAC.
    #[inline]
    pub(crate) fn mac(&self) -> [u8; 6] {
        // SAFETY: The device is valid and its address has 6 bytes.
        unsafe { *(*self.as_ptr()).dev_addr.cast::<[u8; 6]>() }
    }

    /// Whether it is administratively up.
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        // SAFETY: The device is valid; the word may change meanwhile.
        let flags = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).flags) };
        flags & bindings::OVNET_IFF_UP != 0
    }

    /// The namespace it lives in now.
    pub(crate) fn net(&self) -> Net {
        // SAFETY: The device is valid. The namespace is used for the length of a call under RTNL or to
        // compare.
        unsafe { Net::from_raw(bindings::ovnet_dev_net(self.as_ptr())) }
    }

    /// Whether it lives in `net` now.
    #[inline]
    pub(crate) fn is_in(&self, net: Net) -> bool {
        self.net().is(net)
    }

    /// Its largest IP packet, in bytes.
    #[inline]
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: The device is valid; the word may change meanwhile.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).mtu) }
    }

    /// Counts a frame that the node sent.
    #[inline]
    pub(crate) fn count_tx(&self, len: u32) {
        // SAFETY: The device is valid; softirqs are off.
        unsafe { bindings::ovnet_dev_count_tx(self.as_ptr(), len) };
    }

    /// Counts a frame of the node that was dropped.
    pub(crate) fn count_tx_dropped(&self) {
        // SAFETY: The device is valid.
        unsafe { bindings::ovnet_dev_count_tx_dropped(self.as_ptr()) };
    }

    /// Gives the device this MAC, unless somebody has chosen its MAC.
    pub(crate) fn adopt_mac(&self, mac: [u8; 6], _: &Rtnl) -> Result {
        // SAFETY: The device is valid and RTNL is held.
        unsafe {
            if !bindings::ovnet_dev_mac_is_random(self.as_ptr()) {
                return Ok(());
            }
            to_result(bindings::ovnet_dev_adopt_mac(
                self.as_ptr(),
                mac.as_ptr(),
                ptr::null_mut(),
            ))
        }
    }
}

/// A device's place in its substrate's list. Protected by RTNL.
#[repr(C)]
pub(super) struct Member {
    link: bindings::list_head,
    device: *mut bindings::net_device,
}

/// What lies in the device's private memory.
#[repr(C)]
struct Private<D: Driver> {
    member: Member,
    /// Set before the device is registered; outlives it (see `namespace`).
    substrate: *mut Slot<D::Substrate>,
    /// Built in `ndo_init`, dropped by the destructor.
    driver: MaybeUninit<D>,
}

/// A reference to a device of this driver. The device cannot be freed while it is held, so holders let go
/// when the driver is told to detach.
///
/// # Invariants
///
/// The value owns a reference to a device of `D` that was initialised, known by `tracker`.
pub(crate) struct DeviceRef<D: Driver> {
    device: NonNull<bindings::net_device>,
    /// Takes no room but on a kernel that keeps account of who holds what.
    tracker: MaybeUninit<bindings::netdevice_tracker>,
    _driver: PhantomData<D>,
}

// SAFETY: The reference count is atomic, the device and the driver may be shared.
unsafe impl<D: Driver> Send for DeviceRef<D> {}
// SAFETY: As above.
unsafe impl<D: Driver> Sync for DeviceRef<D> {}

impl<D: Driver> DeviceRef<D> {
    /// # Safety
    ///
    /// The device must be of this driver, initialised, and valid during the call.
    unsafe fn hold(device: *mut bindings::net_device) -> Option<Self> {
        let device = NonNull::new(device)?;
        let mut tracker = MaybeUninit::uninit();
        // SAFETY: By the contract; the tracker is filled in, and may move then.
        unsafe { bindings::ovnet_dev_hold(device.as_ptr(), tracker.as_mut_ptr()) };
        // INVARIANT: The reference was taken just now.
        Some(DeviceRef {
            device,
            tracker,
            _driver: PhantomData,
        })
    }

    /// The driver's state.
    #[inline]
    pub(crate) fn driver(&self) -> &D {
        // SAFETY: By the invariant; the state is dropped only after the last reference.
        unsafe { D::of(self.device.as_ptr()) }
    }

    /// Whether this is that device.
    pub(crate) fn is(&self, device: &Device) -> bool {
        ptr::eq(self.device.as_ptr(), device.as_ptr())
    }
}

impl<D: Driver> Clone for DeviceRef<D> {
    fn clone(&self) -> Self {
        let mut tracker = MaybeUninit::uninit();
        // SAFETY: By the invariant the device is valid; the tracker is filled in, and may move then.
        unsafe { bindings::ovnet_dev_hold(self.device.as_ptr(), tracker.as_mut_ptr()) };
        // INVARIANT: The reference was taken just now.
        DeviceRef {
            device: self.device,
            tracker,
            _driver: PhantomData,
        }
    }
}

impl<D: Driver> Deref for DeviceRef<D> {
    type Target = Device;

    fn deref(&self) -> &Device {
        // SAFETY: By the invariant the device is valid as long as the reference.
        unsafe { Device::from_raw(self.device.as_ptr()) }
    }
}

impl<D: Driver> Drop for DeviceRef<D> {
    fn drop(&mut self) {
        // SAFETY: By the invariant this value owns a reference, known by the tracker.
        unsafe { bindings::ovnet_dev_put(self.device.as_ptr(), self.tracker.as_mut_ptr()) };
    }
}

/// # Safety
///
/// The device must be of this driver.
unsafe fn private<D: Driver>(device: *mut bindings::net_device) -> *mut Private<D> {
    // SAFETY: By the contract the private memory is a `Private<D>`.
    unsafe { (&raw mut (*device).priv_).cast() }
}

/// The devices whose substrate is a namespace, in the order they came. RTNL keeps the list as it is.
pub(crate) struct Devices<'a> {
    head: *mut bindings::list_head,
    /// Changes whenever the list does.
    pub(crate) changes: u32,
    _rtnl: PhantomData<&'a Rtnl>,
}

impl<'a> Devices<'a> {
    /// The list of `net`.
    pub(crate) fn of<T: Namespaced>(net: Net, _: &'a Rtnl) -> Result<Self> {
        let slot = Registry::<T>::slot(net)?;
        // SAFETY: The namespace is valid, and RTNL protects the list and its count.
        Ok(unsafe {
            Devices {
                head: (*slot).devices.get(),
                changes: *(*slot).changes.get(),
                _rtnl: PhantomData,
            }
        })
    }

    /// The devices.
    pub(crate) fn iter<D: Driver>(&self) -> impl Iterator<Item = DeviceRef<D>> + 'a {
        // SAFETY: RTNL is held for 'a, and only registered devices of the one driver are listed.
        unsafe { members(self.head) }.filter_map(|device| unsafe { DeviceRef::hold(device) })
    }
}

/// The devices of a list.
///
/// # Safety
///
/// The list must be initialised, and RTNL be held as long as the iterator is used.
unsafe fn members(
    head: *mut bindings::list_head,
) -> impl Iterator<Item = *mut bindings::net_device> {
    // SAFETY: By the contract the list does not change, and its links are those of members, of which
    // they are the first field.
    let mut next = unsafe { (*head).next };
    core::iter::from_fn(move || {
        if ptr::eq(next, head) {
            return None;
        }
        // SAFETY: As above.
        unsafe {
            let member = next.cast::<Member>();
            next = (*next).next;
            Some((*member).device)
        }
    })
}

/// Queues the devices of a list for unregistration.
///
/// # Safety
///
/// RTNL must be held, the list be initialised and `kill` be a valid list.
pub(super) unsafe fn unregister_all(
    head: *mut bindings::list_head,
    kill: *mut bindings::list_head,
) {
    // SAFETY: By the contract; the devices leave the list later, when they are unregistered.
    unsafe { members(head) }
        .for_each(|device| unsafe { bindings::unregister_netdevice_queue(device, kill) });
}

/// A registered link kind. Dropping it unregisters its devices in every namespace.
///
/// # Invariants
///
/// The operations are registered and pinned.
#[pin_data(PinnedDrop)]
pub(crate) struct LinkKind<D: Driver> {
    #[pin]
    ops: Opaque<bindings::rtnl_link_ops>,
    _driver: PhantomData<D>,
}

// SAFETY: The kernel synchronises its use of the operations.
unsafe impl<D: Driver> Send for LinkKind<D> {}
// SAFETY: As above.
unsafe impl<D: Driver> Sync for LinkKind<D> {}

impl<D: Driver> LinkKind<D> {
    const OPS: &'static bindings::net_device_ops = &bindings::net_device_ops {
        ndo_init: Some(Self::init),
        ndo_uninit: Some(Self::uninit),
        ndo_start_xmit: Some(Self::start_xmit),
        ndo_set_mac_address: Some(bindings::eth_mac_addr),
        ndo_validate_addr: Some(bindings::eth_validate_addr),
        ..pin_init::zeroed()
    };

    /// Registers the kind.
    pub(crate) fn register() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ops <- Opaque::try_ffi_init(|slot: *mut bindings::rtnl_link_ops| {
                let ops = bindings::rtnl_link_ops {
                    kind: D::KIND.as_char_ptr(),
                    priv_size: size_of::<Private<D>>(),
                    setup: Some(Self::setup),
                    newlink: Some(Self::newlink),
                    dellink: Some(Self::dellink),
                    get_link_net: Some(Self::link_net),
                    ..pin_init::zeroed()
                };
                // SAFETY: The slot is valid, pinned memory.
                to_result(unsafe {
                    slot.write(ops);
                    bindings::rtnl_link_register(slot)
                })
            }),
            _driver: PhantomData,
        })
    }

    /// # Safety
    ///
    /// Called by rtnetlink with a new device.
    unsafe extern "C" fn setup(device: *mut bindings::net_device) {
        // SAFETY: By the contract.
        unsafe {
            let ethtool = ethtool::Operations::<D>::OPS;
            bindings::ovnet_dev_setup(device, Self::OPS, ethtool, Some(Self::destroy));
        }
    }

    /// # Safety
    ///
    /// Called by rtnetlink under RTNL with a new device that `setup` has seen.
    unsafe extern "C" fn newlink(
        device: *mut bindings::net_device,
        params: *mut bindings::rtnl_newlink_params,
        _: *mut bindings::netlink_ext_ack,
    ) -> i32 {
        // SAFETY: By the contract; the namespace of the parameters is valid during the call.
        let substrate = unsafe { Net::from_raw(bindings::ovnet_newlink_net(params)) };
        match Registry::<D::Substrate>::slot(substrate) {
            // SAFETY: The private memory is the new device's own.
            Ok(slot) => unsafe {
                (*private::<D>(device)).substrate = slot;
                bindings::register_netdevice(device)
            },
            Err(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// Called by rtnetlink under RTNL with a registered device of this kind.
    unsafe extern "C" fn dellink(
        device: *mut bindings::net_device,
        kill: *mut bindings::list_head,
    ) {
        // SAFETY: By the contract.
        unsafe { bindings::unregister_netdevice_queue(device, kill) };
    }

    /// # Safety
    ///
    /// Called by the kernel with a registered device of this kind.
    unsafe extern "C" fn link_net(device: *const bindings::net_device) -> *mut bindings::net {
        // SAFETY: By the contract; the substrate's state outlives the device.
        unsafe { (*(*private::<D>(device.cast_mut())).substrate).net.as_ptr() }
    }

    /// # Safety
    ///
    /// Called by the kernel under RTNL while it registers the device.
    unsafe extern "C" fn init(device: *mut bindings::net_device) -> i32 {
        let driver = match D::new() {
            Ok(driver) => driver,
            Err(error) => return error.to_errno(),
        };
        // SAFETY: `newlink` has set the substrate; RTNL protects its list, and the member stays where it
        // is until `uninit`.
        unsafe {
            let private = private::<D>(device);
            let slot = (*private).substrate;
            (*private).driver.write(driver);
            (*private).member.device = device;
            bindings::ovnet_list_add(&raw mut (*private).member.link, (*slot).devices.get());
            *(*slot).changes.get() = (*(*slot).changes.get()).wrapping_add(1);
        }
        0
    }

    /// # Safety
    ///
    /// Called by the kernel under RTNL, when no frame is under way from the device any more.
    unsafe extern "C" fn uninit(device: *mut bindings::net_device) {
        // SAFETY: `init` has succeeded; RTNL protects the substrate's list.
        unsafe {
            let private = private::<D>(device);
            let slot = (*private).substrate;
            (*private).driver.assume_init_ref().detach(
                Device::from_raw(device),
                &*(*slot).value,
                &Rtnl::assume(),
            );
            bindings::ovnet_list_del(&raw mut (*private).member.link);
            *(*slot).changes.get() = (*(*slot).changes.get()).wrapping_add(1);
        }
    }

    /// # Safety
    ///
    /// Called by the kernel after `uninit`, when the last reference has gone.
    unsafe extern "C" fn destroy(device: *mut bindings::net_device) {
        // SAFETY: `init` has succeeded and nobody uses the state any more.
        unsafe { (*private::<D>(device)).driver.assume_init_drop() };
    }

    /// # Safety
    ///
    /// Called by the kernel with a registered device, its frame, and softirqs off.
    unsafe extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        device: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: By the contract; between `init` and `uninit` state and substrate are valid, and with
        // softirqs off this is an RCU reader.
        unsafe {
            let private = private::<D>(device);
            if let Some(frame) = Skb::from_node(skb) {
                (*private).driver.assume_init_ref().transmit(
                    Device::from_raw(device),
                    &*(*(*private).substrate).value,
                    frame,
                    Turn::New,
                    Rcu::assume(),
                );
            }
        }
        bindings::NETDEV_TX_OK
    }

    /// Transmits a frame that has waited since the node sent it, in [`as_softirq`](super::lock::as_softirq).
    /// Its device must still be registered: `detach` takes out of queues what waits.
    pub(crate) fn transmit_again(frame: Skb, rcu: Rcu<'_>) {
        let device = frame.device();
        // SAFETY: The frame's device is valid, see above; if its operations are this driver's then so is
        // the device, and state and substrate are valid until `uninit`.
        unsafe {
            if device.is_null() || !ptr::eq(bindings::ovnet_dev_ops(device), Self::OPS) {
                return;
            }
            let private = private::<D>(device);
            (*private).driver.assume_init_ref().transmit(
                Device::from_raw(device),
                &*(*(*private).substrate).value,
                frame,
                Turn::Waited,
                rcu,
            );
        }
    }
}

#[pinned_drop]
impl<D: Driver> PinnedDrop for LinkKind<D> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the invariant.
        unsafe { bindings::rtnl_link_unregister(self.ops.get()) };
    }
}
