// SPDX-License-Identifier: GPL-2.0

//! Owned socket buffers: the packet, from the moment the kernel hands it over until it is sent,
//! delivered or dropped. Softirq context, or process context with softirqs off.

use super::{
    bindings,
    device::{Device, DeviceRef, Driver},
    drop_reason,
    namespace::Net,
    route::Route,
    trace,
};
use core::{net::Ipv4Addr, ptr::NonNull, slice};
use kernel::{error::to_result, prelude::*};
use ovnet_engine::{
    fast::L4Checksum,
    siit::{self, Beyond, View},
    DropReason, Vni,
};

/// EtherType of IPv6 (IEEE 802 numbers).
const ETH_P_IPV6: u16 = 0x86dd;
/// EtherType of IPv4.
const ETH_P_IP: u16 = 0x0800;

/// The fields of an `sk_buff` that a clone copies.
type Headers = bindings::sk_buff__bindgen_ty_4__bindgen_ty_2;

/// What the kernel was asked to put off: segmentation that this module cannot carry over.
pub(crate) struct UnsupportedOffload;

/// What is known of a packet so far, for whoever counts or traces what becomes of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flow {
    /// The network it is of; 0: not known yet, and the addresses mean nothing.
    pub(crate) vni: u32,
    /// The virtual source.
    pub(crate) src: u32,
    /// The virtual destination.
    pub(crate) dst: u32,
    /// How it travels, as netlink numbers the forms.
    pub(crate) form: u32,
}

impl Flow {
    /// A packet between two nodes of a network.
    #[inline]
    pub(crate) fn new(vni: Vni, src: Ipv4Addr, dst: Ipv4Addr) -> Self {
        Flow {
            vni: vni.get(),
            src: src.to_bits(),
            dst: dst.to_bits(),
            form: bindings::OVNET_FORM_NONE,
        }
    }
}

/// An owned socket buffer. Dropping it drops the packet, without a reason.
///
/// # Invariants
///
/// The pointer is a valid `sk_buff` that nobody else frees. If it is `from_node`, its device is one of ours
/// and stays initialised as long as the value lives.
pub(crate) struct Skb {
    skb: NonNull<bindings::sk_buff>,
    /// Whether it comes from the node behind its device, which is one of ours then and lives as long.
    from_node: bool,
    /// What is known of it.
    pub(crate) flow: Flow,
}

impl Skb {
    /// Takes a packet over from the kernel.
    ///
    /// # Safety
    ///
    /// `skb` must be valid, and the caller must give up its ownership.
    pub(super) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Option<Self> {
        // INVARIANT: By the contract.
        NonNull::new(skb).map(|skb| Skb {
            skb,
            from_node: false,
            flow: Flow::default(),
        })
    }

    /// Takes a frame over that the node behind the frame's device sends.
    ///
    /// # Safety
    ///
    /// As [`Self::from_raw`]; the device must be of the one driver there is, initialised, and stay so until
    /// the packet is sent, delivered or dropped.
    pub(super) unsafe fn from_node(skb: *mut bindings::sk_buff) -> Option<Self> {
        // SAFETY: By the contract.
        let mut packet = unsafe { Self::from_raw(skb) }?;
        packet.from_node = true;
        Some(packet)
    }

    /// The device it came by: the sending node's, or the substrate's. Null: none.
    #[inline]
    pub(super) fn device(&self) -> *mut bindings::net_device {
        // SAFETY: By the invariant; the field is the device wherever this module holds packets.
        unsafe { bindings::ovnet_skb_dev(self.as_ptr()) }
    }

    /// The port whose node sends the packet; none for what the substrate brings.
    #[inline]
    pub(crate) fn sender<D: Driver>(&self) -> Option<&D> {
        // SAFETY: By the invariant the device is one of the one driver's, and valid.
        self.from_node.then(|| unsafe { D::of(self.device()) })
    }

    /// A new packet with these bytes, for `device` to receive.
    pub(crate) fn new(device: &Device, bytes: &[u8]) -> Option<Self> {
        let len = u32::try_from(bytes.len()).ok()?;
        // SAFETY: The device is valid.
        let mut skb = unsafe { Skb::from_raw(bindings::ovnet_skb_alloc(device.as_ptr(), len)) }?;
        skb.head_mut(bytes.len())?.copy_from_slice(bytes);
        Some(skb)
    }

    /// A frame with these bytes, as the node behind `port` would send it.
    pub(crate) fn sent_by<D: Driver>(port: &DeviceRef<D>, bytes: &[u8]) -> Option<Self> {
        let mut frame = Skb::new(port, bytes)?;
        // INVARIANT: The device is of the driver. The caller's reference outlives the packet where it is
        // dealt with at once, and nowhere else are such packets used.
        frame.from_node = true;
        Some(frame)
    }

    /// An IPv6 packet with these bytes, as the substrate of `net` would bring it.
    pub(crate) fn brought(net: Net, bytes: &[u8]) -> Option<Self> {
        let len = u32::try_from(bytes.len()).ok()?;
        // SAFETY: No device is needed for the allocation; the namespace is valid and gives one.
        let mut packet = unsafe {
            let skb = bindings::ovnet_skb_alloc(core::ptr::null_mut(), len);
            let packet = Skb::from_raw(skb)?;
            bindings::ovnet_skb_forget_device(skb, net.as_ptr());
            packet
        };
        packet.head_mut(bytes.len())?.copy_from_slice(bytes);
        packet.is_ipv6();
        Some(packet)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.skb.as_ptr()
    }

    /// Gives ownership up.
    pub(super) fn into_raw(self) -> *mut bindings::sk_buff {
        let skb = self.as_ptr();
        core::mem::forget(self);
        skb
    }

    /// The packet's bytes from its current start, those not linear included.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: By the invariant.
        unsafe { (*self.as_ptr()).len }
    }

    /// The memory it takes, in bytes.
    pub(super) fn truesize(&self) -> u32 {
        // SAFETY: By the invariant.
        unsafe { (*self.as_ptr()).truesize }
    }

    /// Whether `device` is its device.
    pub(super) fn is_from(&self, device: &Device) -> bool {
        core::ptr::eq(self.device(), device.as_ptr())
    }

    fn data(&self) -> *mut u8 {
        // SAFETY: By the invariant.
        unsafe { (*self.as_ptr()).data }
    }

    /// Makes sure that the first `len` bytes are linear.
    #[inline]
    fn linearize(&mut self, len: u32) -> bool {
        // SAFETY: By the invariant.
        unsafe {
            let linear = (*self.as_ptr()).len.wrapping_sub((*self.as_ptr()).data_len);
            len <= linear || bindings::ovnet_skb_may_pull(self.as_ptr(), len)
        }
    }

    /// Whether the first `len` bytes are linear already.
    #[inline]
    pub(crate) fn has_linear(&self, len: usize) -> bool {
        // SAFETY: By the invariant.
        let linear = unsafe { (*self.as_ptr()).len.wrapping_sub((*self.as_ptr()).data_len) };
        linear as usize >= len
    }

    /// The first bytes, if they are linear already.
    #[inline]
    pub(crate) fn peek<const N: usize>(&self) -> Option<&[u8; N]> {
        // SAFETY: So many bytes from `data` are linear, and `self` is borrowed as long as they are.
        self.has_linear(N)
            .then(|| unsafe { &*self.data().cast::<[u8; N]>() })
    }

    /// The ports in the transport header at `at`, if they are linear.
    #[inline]
    pub(crate) fn ports(&self, at: usize) -> Option<[u8; 4]> {
        if !self.has_linear(at.checked_add(4)?) {
            return None;
        }
        // SAFETY: So many bytes are linear.
        Some(unsafe { self.data().add(at).cast::<[u8; 4]>().read() })
    }

    /// The length of the TCP header at `at`, if it is linear up to its flags.
    #[inline]
    pub(crate) fn tcp_header_len(&self, at: usize) -> Option<u32> {
        if !self.has_linear(at.checked_add(14)?) {
            return None;
        }
        // SAFETY: The byte is linear.
        let offset = unsafe { *self.data().add(at).add(12) };
        Some(u32::from(offset >> 4).wrapping_mul(4))
    }

    /// The first `len` bytes; moves them into the linear part if need be.
    #[inline]
    pub(crate) fn head(&mut self, len: usize) -> Option<&[u8]> {
        let wanted = u32::try_from(len).ok()?;
        if !self.linearize(wanted) {
            return None;
        }
        // SAFETY: `len` bytes from `data` are linear now, and `self` is borrowed as long as the slice.
        Some(unsafe { slice::from_raw_parts(self.data(), len) })
    }

    /// The first `len` bytes to write to: linear, and shared with no clone.
    #[inline]
    pub(crate) fn head_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        let wanted = u32::try_from(len).ok()?;
        if !self.own(0, wanted) {
            return None;
        }
        // SAFETY: `len` bytes from `data` are linear and private now; `self` is borrowed mutably.
        Some(unsafe { slice::from_raw_parts_mut(self.data(), len) })
    }

    /// Makes sure that there is `room` before the packet and that its first `len` bytes are linear, and that
    /// no clone shares either. False: no memory.
    #[inline]
    fn own(&mut self, room: u32, len: u32) -> bool {
        let skb = self.as_ptr();
        // SAFETY: By the invariant; `head` and `data` are of one allocation.
        unsafe {
            let headroom = (*skb).data.offset_from((*skb).head) as usize;
            let linear = (*skb).len.wrapping_sub((*skb).data_len);
            // As is most often.
            ((*skb).cloned() == 0 && headroom >= room as usize && linear >= len)
                || bindings::ovnet_skb_open(skb, room, len)
        }
    }

    /// Moves the packet's start `growth` bytes back, with `headroom` bytes before that, and gives the first
    /// bytes to write to: those that are new and `len` more, linear and shared with no clone. None: no memory.
    #[inline]
    pub(crate) fn open(&mut self, growth: u32, headroom: u32, len: usize) -> Option<&mut [u8]> {
        let old = u32::try_from(len).ok()?;
        let skb = self.as_ptr();
        let room = headroom.checked_add(growth)?;
        if !self.own(room, old) {
            return None;
        }
        // SAFETY: By the invariant; the room is there now.
        unsafe {
            (*skb).data = (*skb).data.sub(growth as usize);
            (*skb).len = (*skb).len.wrapping_add(growth);
        }
        // SAFETY: What was made room for and `len` bytes are linear and private now; `self` is borrowed
        // mutably.
        Some(unsafe { slice::from_raw_parts_mut(self.data(), len.wrapping_add(growth as usize)) })
    }

    /// Moves the packet's start `len` bytes on. False, and nothing done, if it is shorter.
    #[inline]
    pub(crate) fn pull(&mut self, len: u32) -> bool {
        if !self.linearize(len) {
            return false;
        }
        let skb = self.as_ptr();
        // SAFETY: By the invariant; `len` bytes are linear.
        unsafe {
            (*skb).data = (*skb).data.add(len as usize);
            (*skb).len = (*skb).len.wrapping_sub(len);
        }
        true
    }

    /// Cuts the packet to `len` bytes: removes link-layer padding. False: no memory.
    #[inline]
    pub(crate) fn trim(&mut self, len: u32) -> bool {
        // SAFETY: By the invariant.
        self.len() <= len || unsafe { bindings::ovnet_skb_trim(self.as_ptr(), len) == 0 }
    }

    /// What a clone of the packet copies: its headers, and how its checksum and its hash stand.
    #[inline(always)]
    fn headers(&self) -> *mut Headers {
        // SAFETY: By the invariant; the union has these fields at its start.
        unsafe { (&raw mut (*self.as_ptr()).__bindgen_anon_4).cast() }
    }

    /// How the checksum of a transport header at `offset` from the packet's start stands.
    #[inline]
    pub(crate) fn l4_checksum(&self, offset: u16) -> L4Checksum {
        let skb = self.as_ptr();
        // SAFETY: By the invariant; `head` and `data` are of one allocation. The words of a partial checksum
        // are those read.
        let partial = unsafe {
            let headers = self.headers();
            let place = (*skb).data.offset_from((*skb).head) as u16;
            (*headers).ip_summed() == bindings::OVNET_CHECKSUM_PARTIAL
                && (*headers).__bindgen_anon_1.__bindgen_anon_1.csum_start
                    == place.wrapping_add(offset)
        };
        if partial {
            L4Checksum::Partial
        } else {
            L4Checksum::Complete
        }
    }

    /// [`Skb::l4_checksum`] and [`Skb::flow_hash`] at once.
    #[inline]
    pub(crate) fn l4(&self, offset: u16) -> (L4Checksum, u32) {
        (self.l4_checksum(offset), self.flow_hash())
    }

    /// Whether the packet, or each segment it stands for, is at most `mtu` bytes long.
    #[inline]
    pub(crate) fn fits(&self, mtu: u32) -> bool {
        if self.is_segmented() {
            // SAFETY: By the invariant.
            unsafe { bindings::ovnet_skb_segments_fit(self.as_ptr(), mtu) }
        } else {
            self.len() <= mtu
        }
    }

    /// What clones share: where segmentation is said.
    #[inline]
    fn shared(&self) -> *mut bindings::skb_shared_info {
        let skb = self.as_ptr();
        // SAFETY: By the invariant it lies at the end of the linear part.
        unsafe { (*skb).head.add((*skb).end as usize).cast() }
    }

    /// The number of segments it stands for.
    #[inline]
    pub(crate) fn segments(&self) -> u32 {
        // SAFETY: By the invariant.
        let count = unsafe { (*self.shared()).gso_segs };
        if self.is_segmented() {
            u32::from(count).max(1)
        } else {
            1
        }
    }

    /// Whether it stands for segments that are to be cut later.
    #[inline]
    pub(crate) fn is_segmented(&self) -> bool {
        self.gso().0 != 0
    }

    /// The payload of each segment it stands for but the last; 0 if it is one packet.
    #[inline]
    pub(crate) fn segment_size(&self) -> u16 {
        self.gso().0 as u16
    }

    /// Size and kind of the segments it stands for; size 0 if it is one packet.
    #[inline]
    pub(super) fn gso(&self) -> (u16, u32) {
        let shared = self.shared();
        // SAFETY: By the invariant.
        unsafe { ((*shared).gso_size, (*shared).gso_type) }
    }

    /// Hash of the flow where the sender's stack or the device made one from the transport header,
    /// else 0. Constant per flow.
    #[inline]
    pub(crate) fn flow_hash(&self) -> u32 {
        let headers = self.headers();
        // SAFETY: By the invariant.
        unsafe {
            if (*headers).l4_hash() != 0 {
                (*headers).hash
            } else {
                0
            }
        }
    }

    /// Runs `f` on the IP packet as the standard form sees it, with `spare` bytes before it and room for
    /// `headroom` before those. None: no memory.
    pub(crate) fn viewed<T>(
        &mut self,
        spare: usize,
        headroom: u32,
        id: u16,
        f: impl FnOnce(View<'_>) -> T,
    ) -> Option<T> {
        let len = self.len();
        let segment = self.is_segmented().then(|| {
            // SAFETY: By the invariant.
            unsafe { bindings::ovnet_skb_network_seglen(self.as_ptr()) }
        });
        // SAFETY: As above.
        let csum = if unsafe { bindings::ovnet_skb_is_partial(self.as_ptr()) } {
            L4Checksum::Partial
        } else {
            L4Checksum::Complete
        };
        let rest = Rest {
            skb: self.as_ptr(),
            spare,
        };
        let growth = u32::try_from(spare).ok()?;
        let seen = siit::HEAD.min(len as usize);
        let result = self.open(growth, headroom, seen).map(|buf| {
            f(View {
                segment,
                csum,
                // What is summed is beyond what may be written.
                beyond: &rest,
                len,
                id,
                ..View::new(buf, spare)
            })
        })?;
        // What was pushed is there to be pulled.
        let _ = self.pull(growth);
        Some(result)
    }

    /// Moves the packet's start by so many bytes, back if negative, and its end so that it is `len` bytes long.
    pub(crate) fn recut(&mut self, by: isize, len: u32) -> bool {
        let moved = match u32::try_from(by) {
            Ok(on) => self.pull(on),
            Err(_) => {
                u32::try_from(by.unsigned_abs()).is_ok_and(|back| self.open(back, 0, 0).is_some())
            }
        };
        moved && self.trim(len)
    }

    /// A packet of its own with this header and, behind it, `len` bytes of this one from `from` on, where 0 is
    /// `spare` bytes before its start. It has room for `headroom` bytes before.
    pub(crate) fn piece(
        &self,
        headroom: u32,
        header: &[u8],
        spare: usize,
        (from, len): (usize, usize),
    ) -> Option<Self> {
        let from = i32::try_from(from)
            .ok()?
            .checked_sub(i32::try_from(spare).ok()?)?;
        let len = u32::try_from(len).ok()?;
        let header_len = u32::try_from(header.len()).ok()?;
        // SAFETY: By the invariant; the function copies what is there or fails.
        let mut piece = unsafe {
            let skb = bindings::ovnet_skb_piece(self.as_ptr(), headroom, header_len, from, len);
            Skb::from_raw(skb)
        }?;
        piece.head_mut(header.len())?.copy_from_slice(header);
        Some(piece.like(self.from_node, self.flow))
    }

    /// Does what was left to a device: finishes the checksum or cuts the packet into its segments, and hands
    /// `each` what comes of it. Fails with the packet.
    pub(crate) fn finished(self, each: impl FnMut(Skb)) -> Result<(), (Skb, DropReason)> {
        if !self.is_segmented() {
            let mut each = each;
            // SAFETY: By the invariant.
            if unsafe { bindings::ovnet_skb_checksum_help(self.as_ptr()) } != 0 {
                return Err((self, DropReason::NoMemory));
            }
            each(self);
            return Ok(());
        }
        self.cut(each)
    }

    /// Says that segments are to be TCP over IPv6.
    #[inline]
    pub(crate) fn segment_as_ipv6(&mut self) -> Result<(), UnsupportedOffload> {
        // A constant IP ID is what the fast form has anyway.
        self.change_segments(
            bindings::OVNET_GSO_TCPV4,
            bindings::OVNET_GSO_TCPV6,
            bindings::OVNET_GSO_TCP_FIXEDID,
        )
    }

    /// Says that segments are to be TCP over IPv4.
    #[inline]
    pub(crate) fn segment_as_ipv4(&mut self) -> Result<(), UnsupportedOffload> {
        self.change_segments(bindings::OVNET_GSO_TCPV6, bindings::OVNET_GSO_TCPV4, 0)
    }

    /// Swaps the family of segments; `gso_size` is kept, since the transport payload is.
    fn change_segments(
        &mut self,
        from: u32,
        to: u32,
        forget: u32,
    ) -> Result<(), UnsupportedOffload> {
        let (size, kind) = self.gso();
        if size == 0 {
            return Ok(());
        }
        // No kind at all is what LRO leaves, which cannot be undone.
        if kind & (from | bindings::OVNET_GSO_UDP_L4) == 0
            || kind & !(from | forget | bindings::OVNET_GSO_NEUTRAL) != 0
        {
            return Err(UnsupportedOffload);
        }
        let swapped = if kind & from != 0 {
            kind & !from | to
        } else {
            kind
        };
        // SAFETY: By the invariant; the shared info is private since the header was made writable.
        unsafe { (*self.shared()).gso_type = swapped & !forget };
        Ok(())
    }

    /// Checks that segments may stay TCP over IPv4, or UDP.
    #[inline]
    pub(crate) fn segments_are_ipv4(&self) -> Result<(), UnsupportedOffload> {
        let (size, kind) = self.gso();
        let known = bindings::OVNET_GSO_TCPV4 | bindings::OVNET_GSO_UDP_L4;
        let harmless = bindings::OVNET_GSO_TCP_FIXEDID | bindings::OVNET_GSO_NEUTRAL;
        if size == 0 || (kind & known != 0 && kind & !(known | harmless) == 0) {
            Ok(())
        } else {
            Err(UnsupportedOffload)
        }
    }

    /// Prepares the IPv4 packet to be carried behind an IPv6 header that is pushed next: offloads then
    /// mean the inner packet. False: no memory.
    pub(crate) fn encapsulate(&mut self) -> bool {
        // SAFETY: By the invariant; the network header was set by `is_ipv4`.
        unsafe { bindings::ovnet_skb_encapsulate(self.as_ptr()) == 0 }
    }

    /// The reverse, after the IPv6 header was pulled. False: no memory.
    pub(crate) fn decapsulate(&mut self) -> bool {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_skb_decapsulate(self.as_ptr()) == 0 }
    }

    /// Whether the device has chained several packets together, with headers of their own.
    #[inline]
    pub(crate) fn is_chained(&self) -> bool {
        self.gso().1 & bindings::OVNET_GSO_FRAGLIST != 0
    }

    /// Hands the packet to `each`; if the device has chained several together, each by itself. They have
    /// headers of their own then, which translation would have to change one by one anyway. Fails with the
    /// packet if it cannot be taken apart.
    #[inline]
    pub(crate) fn apart(self, mut each: impl FnMut(Skb)) -> Result<(), (Skb, DropReason)> {
        if !self.is_chained() {
            each(self);
            return Ok(());
        }
        self.cut(each)
    }

    /// Cuts the packet into the packets it stands for. Fails with the packet.
    fn cut(self, mut each: impl FnMut(Skb)) -> Result<(), (Skb, DropReason)> {
        let (from_node, flow) = (self.from_node, self.flow);
        let mut each = |piece: Skb| each(piece.like(from_node, flow));
        let call = taker(&each);
        // SAFETY: The packet is given away unless the call fails; the closure outlives the call, and the
        // function is the closure's.
        let done =
            unsafe { bindings::ovnet_skb_apart(self.as_ptr(), Some(call), (&raw mut each).cast()) };
        match to_result(done) {
            Ok(()) => {
                core::mem::forget(self);
                Ok(())
            }
            Err(ENOMEM) => Err((self, DropReason::NoMemory)),
            Err(_) => Err((self, DropReason::Offload)),
        }
    }

    /// Cuts the IPv4 packet into fragments of at most `mtu` bytes (RFC 791) and hands each to `piece`. What
    /// the kernel cannot cut, for want of memory, it drops. It counts what it does (`Ip: FragOKs`), unless
    /// that is for a trace.
    pub(crate) fn fragment(
        self,
        net: Net,
        from: &Device,
        mtu: u16,
        counted: bool,
        mut piece: impl FnMut(Skb),
    ) {
        let (from_node, flow) = (self.from_node, self.flow);
        // The kernel gives each fragment the device of the whole.
        let mut piece = |fragment: Skb| piece(fragment.like(from_node, flow));
        let call = taker(&piece);
        // SAFETY: The packet is given away; namespace, device and closure outlive the call, and the
        // function is the closure's.
        unsafe {
            bindings::ovnet_skb_fragment(
                net.as_ptr(),
                self.into_raw(),
                from.as_ptr(),
                mtu,
                counted,
                Some(call),
                (&raw mut piece).cast(),
            )
        };
    }

    /// Says that the packet starts with an IPv4 header of `header_len` bytes.
    #[inline]
    pub(crate) fn is_ipv4(&mut self, header_len: u8) {
        self.set_layers(ETH_P_IP, 0, header_len.into());
    }

    /// Moves the packet's start `len` bytes on, to an Ethernet header before an IPv4 header of 20 bytes. False,
    /// and nothing done, if it is shorter.
    #[inline(always)]
    pub(crate) fn becomes_frame(&mut self, len: u32) -> bool {
        let pulled = self.pull(len);
        if pulled {
            self.set_layers(ETH_P_IP, 14, 20);
        }
        pulled
    }

    /// Says that the packet starts with an IPv6 header without extensions.
    #[inline]
    pub(crate) fn is_ipv6(&mut self) {
        self.is_ipv6_before(40);
    }

    /// Says that the packet starts with IPv6 headers of so many bytes.
    #[inline]
    pub(crate) fn is_ipv6_before(&mut self, transport: u16) {
        self.set_layers(ETH_P_IPV6, 0, transport);
    }

    /// Says what the header at `at` is, and that the transport header is `l4` bytes behind that.
    #[inline]
    fn set_layers(&mut self, protocol: u16, at: u16, l4: u16) {
        let skb = self.as_ptr();
        // SAFETY: By the invariant; `head` and `data` are of one allocation, and nobody else has the packet.
        unsafe {
            let headers = self.headers();
            let start = ((*skb).data.offset_from((*skb).head) as u16).wrapping_add(at);
            (*headers).protocol = protocol.to_be();
            (*headers).network_header = start;
            (*headers).transport_header = start.wrapping_add(l4);
            // What was made here, and fragments, never had an Ethernet header.
            (*skb).mac_len = match (*headers).mac_header {
                u16::MAX => 0,
                mac => start.wrapping_sub(mac),
            };
            if (*headers).l4_hash() == 0 {
                (*headers).hash = 0;
                (*headers).set_sw_hash(0);
            }
            // What the device summed covers headers that are no more.
            if (*headers).ip_summed() == bindings::OVNET_CHECKSUM_COMPLETE {
                (*headers).set_ip_summed(bindings::OVNET_CHECKSUM_NONE);
            }
        }
    }

    /// Answers the IPv4 packet with ICMP "fragmentation needed" and this MTU (RFC 1191), rate limited by
    /// the kernel.
    pub(crate) fn answer_too_big(&mut self, mtu: u32) {
        // SAFETY: By the invariant; the network header was set by `is_ipv4`.
        unsafe { bindings::ovnet_skb_too_big(self.as_ptr(), mtu) };
    }

    /// Answers the IPv4 packet with ICMP "communication administratively prohibited" (RFC 1812 §5.2.7.1),
    /// rate limited by the kernel.
    pub(crate) fn answer_prohibited(&mut self) {
        // SAFETY: By the invariant; the network header was set by `is_ipv4`.
        unsafe { bindings::ovnet_skb_prohibited(self.as_ptr()) };
    }

    /// Sends the IPv6 packet onto the substrate of `net`.
    pub(crate) fn send(self, net: Net, route: Route<'_>, from: &Device) {
        // SAFETY: The packet is given away; the device is valid, and the route is as long as this RCU reader
        // reads.
        unsafe {
            bindings::ovnet_ip6_send(net.as_ptr(), self.into_raw(), route.as_ptr(), from.as_ptr())
        };
    }

    /// Sends on an IPv6 packet that the substrate of `net` brought.
    pub(crate) fn forward(self, net: Net, route: Route<'_>) {
        // SAFETY: The packet is given away; the route is valid as long as this RCU reader reads.
        unsafe {
            bindings::ovnet_ip6_send(
                net.as_ptr(),
                self.into_raw(),
                route.as_ptr(),
                core::ptr::null(),
            )
        };
    }

    /// Hands the Ethernet frame to `device` as received.
    pub(crate) fn deliver(self, device: &Device) {
        // SAFETY: The device is valid and the frame is given away, whatever comes of it.
        unsafe {
            bindings::ovnet_dev_count_rx(device.as_ptr(), self.len());
            bindings::dev_forward_skb(device.as_ptr(), self.into_raw());
        }
    }

    /// As [`Skb::deliver`], for what the substrate brought. The caller has checked that the device is up and
    /// that the frame fits.
    pub(crate) fn receive(self, device: &Device) {
        // SAFETY: The device is valid and the frame is given away, whatever comes of it.
        unsafe { bindings::ovnet_dev_receive(device.as_ptr(), self.into_raw()) };
    }

    /// What is known of a fragment is what was known of the whole.
    fn like(mut self, from_node: bool, flow: Flow) -> Self {
        self.from_node = from_node;
        self.flow = flow;
        self
    }

    /// Drops the packet under a reason that the kernel's tools can tell.
    pub(crate) fn discard(self, reason: DropReason) {
        trace::drop(&self, reason);
        // SAFETY: The packet is given away.
        unsafe {
            bindings::sk_skb_reason_drop(
                core::ptr::null_mut(),
                self.into_raw(),
                drop_reason::number(reason),
            )
        };
    }

    /// The frame did what it was for: frees it without calling it lost.
    pub(crate) fn consume(self) {
        // SAFETY: The packet is given away.
        unsafe { bindings::consume_skb(self.into_raw()) };
    }
}

/// The bytes of a packet that its view does not show.
struct Rest {
    skb: *mut bindings::sk_buff,
    spare: usize,
}

impl Beyond for Rest {
    fn sum(&self, offset: u32, len: u32) -> Option<u16> {
        let offset = offset.checked_add(u32::try_from(self.spare).ok()?)?;
        // SAFETY: The packet is valid as long as the view; the sum is of bytes that it has.
        unsafe {
            let all = (*self.skb).len;
            if offset.checked_add(len)? > all {
                return None;
            }
            Some(u16::from_be(bindings::ovnet_skb_sum(self.skb, offset, len)))
        }
    }
}

/// What hands a packet that C gives away to a closure of this kind.
fn taker<F: FnMut(Skb)>(_: &F) -> unsafe extern "C" fn(*mut c_void, *mut bindings::sk_buff) {
    /// # Safety
    ///
    /// Called with a closure of the kind, and a packet that is given away.
    unsafe extern "C" fn take<F: FnMut(Skb)>(closure: *mut c_void, skb: *mut bindings::sk_buff) {
        // SAFETY: By the contract.
        if let Some(skb) = unsafe { Skb::from_raw(skb) } {
            // SAFETY: By the contract.
            unsafe { (*closure.cast::<F>())(skb) };
        }
    }
    take::<F>
}

impl Drop for Skb {
    fn drop(&mut self) {
        // SAFETY: By the invariant nobody else frees it.
        unsafe {
            bindings::sk_skb_reason_drop(
                core::ptr::null_mut(),
                self.as_ptr(),
                bindings::OVNET_DROPPED,
            )
        };
    }
}

/// A fresh IPv4 ID for a datagram of `segments` packets (RFC 6864: unique per source, destination and
/// protocol within the datagram's lifetime).
#[inline]
pub(crate) fn fresh_id(net: Net, src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, segments: u32) -> u16 {
    // SAFETY: The namespace is valid.
    unsafe {
        bindings::ovnet_ip_ident(
            net.as_ptr(),
            u32::from_ne_bytes(src.octets()),
            u32::from_ne_bytes(dst.octets()),
            protocol,
            i32::try_from(segments).unwrap_or(1),
        )
    }
}

/// Bits that nobody can foresee.
pub(crate) fn random() -> u64 {
    // SAFETY: A plain call.
    unsafe { bindings::ovnet_random() }
}
