// SPDX-License-Identifier: GPL-2.0

//! Generic-netlink requests, answers, dumps and events, in terms of attributes. Process context, but
//! for events, which may be sent from softirq.
//!
//! What a request may carry is checked by the generated policy before anything here is called.

use super::{
    bindings,
    namespace::Net,
    table::{Table, Walk},
};
use core::{marker::PhantomData, mem::MaybeUninit, net::Ipv4Addr, slice};
use kernel::{error::to_result, prelude::*, sync::rcu};
use ovnet_engine::{Locator, Mac};

/// Why a request is refused: an errno, a text for people, and the attribute that is at fault.
pub(crate) struct Refusal {
    pub(crate) errno: Error,
    pub(crate) text: Option<&'static CStr>,
    pub(crate) attr: Option<u32>,
}

impl Refusal {
    /// A refusal with a text.
    pub(crate) const fn new(errno: Error, text: &'static CStr) -> Self {
        Refusal {
            errno,
            text: Some(text),
            attr: None,
        }
    }

    /// Names the attribute that is at fault.
    pub(crate) const fn at(mut self, attr: u32) -> Self {
        self.attr = Some(attr);
        self
    }
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Refusal {
            errno: error.into(),
            text: None,
            attr: None,
        }
    }
}

/// The attributes of a request, or of one nest in it.
///
/// # Invariants
///
/// The table has an entry for each attribute that the policy of its set admits and that has a bit in `present`:
/// null or a valid attribute of a message that outlives the value. The extended ack is null or valid.
pub(crate) struct Attrs<'a> {
    table: *const *mut bindings::nlattr,
    present: u64,
    ack: *mut bindings::netlink_ext_ack,
    _message: PhantomData<&'a bindings::nlattr>,
}

impl Attrs<'_> {
    #[inline]
    fn attr(&self, attr: u32) -> *mut bindings::nlattr {
        if self.present & 1_u64.wrapping_shl(attr) == 0 {
            return core::ptr::null_mut();
        }
        // SAFETY: By the invariant; only attributes of the set itself are asked for.
        unsafe { *self.table.add(attr as usize) }
    }

    /// The bytes of an attribute, if it is there and has `N` of them.
    fn bytes<const N: usize>(&self, attr: u32) -> Option<[u8; N]> {
        // SAFETY: The pointer is null or an attribute of the message.
        unsafe { attr_bytes(self.attr(attr)) }
    }

    /// The bytes of an attribute, however many.
    pub(crate) fn data(&self, attr: u32) -> Option<&[u8]> {
        // SAFETY: The pointer is null or an attribute of the message.
        unsafe { attr_data(self.attr(attr)) }
    }

    /// Whether the attribute is there.
    pub(crate) fn has(&self, attr: u32) -> bool {
        !self.attr(attr).is_null()
    }

    /// A `u8` attribute.
    pub(crate) fn u8(&self, attr: u32) -> Option<u8> {
        self.bytes(attr).map(u8::from_ne_bytes)
    }

    /// A `u16` attribute.
    pub(crate) fn u16(&self, attr: u32) -> Option<u16> {
        self.bytes(attr).map(u16::from_ne_bytes)
    }

    /// A `u32` attribute.
    pub(crate) fn u32(&self, attr: u32) -> Option<u32> {
        self.bytes(attr).map(u32::from_ne_bytes)
    }

    /// A `u64` attribute.
    pub(crate) fn u64(&self, attr: u32) -> Option<u64> {
        self.bytes(attr).map(u64::from_ne_bytes)
    }

    /// An IPv4 address.
    pub(crate) fn ipv4(&self, attr: u32) -> Option<Ipv4Addr> {
        self.bytes::<4>(attr).map(Ipv4Addr::from)
    }

    /// A MAC.
    pub(crate) fn mac(&self, attr: u32) -> Option<Mac> {
        self.bytes(attr).map(Mac)
    }

    /// An IPv6 prefix or address.
    pub(crate) fn ipv6(&self, attr: u32) -> Option<[u8; 16]> {
        self.bytes(attr)
    }

    /// The refusal of a request that lacks an attribute.
    pub(crate) fn missing(&self, attr: u32, text: &'static CStr) -> Refusal {
        if !self.ack.is_null() {
            // SAFETY: By the invariant.
            unsafe { bindings::ovnet_extack_missing(self.ack, attr as i32) };
        }
        Refusal::new(EINVAL, text)
    }

    /// Writes a refusal into the extended ack; what is left of it is the errno.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Error {
        let bad = refusal
            .attr
            .map_or(core::ptr::null_mut(), |attr| self.attr(attr));
        if let Some(text) = refusal.text {
            // SAFETY: The ack is null or valid, the text static.
            unsafe { bindings::ovnet_extack(self.ack, text.as_char_ptr(), bad) };
        }
        refusal.errno
    }
}

/// A request, and the attributes it came with.
pub(crate) struct Request<'a> {
    info: *mut bindings::genl_info,
    attrs: Attrs<'a>,
}

impl<'a> core::ops::Deref for Request<'a> {
    type Target = Attrs<'a>;

    fn deref(&self) -> &Attrs<'a> {
        &self.attrs
    }
}

impl<'a> Request<'a> {
    /// # Safety
    ///
    /// `info` must be that of a request being handled, for all of `'a`.
    pub(super) unsafe fn from_raw(info: *mut bindings::genl_info) -> Self {
        // SAFETY: By the contract; the table was made by the command's policy.
        let attrs = unsafe {
            // INVARIANT: As above.
            Attrs {
                table: (*info).attrs,
                present: u64::MAX,
                ack: (*info).extack,
                _message: PhantomData,
            }
        };
        Request { info, attrs }
    }

    /// The namespace of the asker's socket.
    pub(crate) fn net(&self) -> Net {
        // SAFETY: The info is valid; the socket keeps its namespace while the request is handled.
        unsafe { Net::from_raw(bindings::ovnet_info_net(self.info)) }
    }

    /// The port of the asker's socket.
    pub(crate) fn port(&self) -> u32 {
        // SAFETY: The info is valid.
        unsafe { bindings::ovnet_info_port(self.info) }
    }

    /// How many attributes `attr` there are.
    pub(crate) fn count(&self, attr: u32) -> usize {
        let mut count = 0usize;
        self.each(attr, |_| count = count.wrapping_add(1));
        count
    }

    /// Calls `f` with each `u32` attribute `attr`, in order.
    pub(crate) fn each_u32(&self, attr: u32, mut f: impl FnMut(u32)) {
        self.each(attr, |nla| {
            // SAFETY: It is an attribute of the message.
            if let Some(bytes) = unsafe { attr_bytes(nla) } {
                f(u32::from_ne_bytes(bytes));
            }
        });
    }

    fn each(&self, attr: u32, mut f: impl FnMut(*mut bindings::nlattr)) {
        let mut nla = core::ptr::null_mut();
        loop {
            // SAFETY: The info is valid; the attribute is null or one of its message.
            nla = unsafe { bindings::ovnet_info_next_attr(self.info, attr as i32, nla) };
            if nla.is_null() {
                return;
            }
            f(nla);
        }
    }

    /// Calls `f` with the attributes of each nest `attr`, whose set has `N` attributes, in order. The policy of
    /// the request has checked them.
    pub(crate) fn each_nest<const N: usize>(
        &self,
        attr: u32,
        _: Nest<N>,
        mut f: impl FnMut(&Attrs<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut nest = core::ptr::null_mut();
        loop {
            // SAFETY: The info is valid; the nest is null or an attribute of its message.
            nest = unsafe { bindings::ovnet_info_next_attr(self.info, attr as i32, nest) };
            if nest.is_null() {
                return Ok(());
            }
            const { assert!(N <= 64) };
            let mut table = [const { MaybeUninit::<*mut bindings::nlattr>::uninit() }; N];
            let table = table.as_mut_ptr().cast();
            // SAFETY: The table has room for all attributes up to the policy's last.
            let present =
                unsafe { bindings::ovnet_nla_index(table, N.saturating_sub(1) as i32, nest) };
            // INVARIANT: What is present was just filled in.
            f(&Attrs {
                table,
                present,
                ack: self.attrs.ack,
                _message: PhantomData,
            })?;
        }
    }

    /// Answers with one message of at most so many bytes.
    pub(super) fn reply(
        &self,
        room: usize,
        fill: impl FnOnce(&mut Message<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let buffer = Buffer::new(room, bindings::OVNET_GFP_KERNEL)?;
        // SAFETY: The buffer and the info are valid.
        let header = unsafe { bindings::ovnet_genlmsg_put_reply(buffer.0, self.info) };
        let mut message = Message::begin(buffer.0, header).ok_or(EMSGSIZE)?;
        fill(&mut message)?;
        message.end();
        // SAFETY: The message is given away.
        to_result(unsafe { bindings::ovnet_genlmsg_reply(buffer.into_raw(), self.info) })?;
        Ok(())
    }
}

/// A set of attributes below `N` that the generated policies know as a nest.
#[derive(Clone, Copy)]
pub(crate) struct Nest<const N: usize>;

/// A mapping in a batch.
pub(crate) const MAPPING: Nest<{ bindings::OVNET_A_MAPPING_SLOT as usize + 1 }> = Nest;

/// A port's further source.
pub(crate) const SOURCE: Nest<{ bindings::OVNET_A_SOURCE_IDLE as usize + 1 }> = Nest;

/// A rule.
pub(crate) const RULE: Nest<{ bindings::OVNET_A_RULE_BYTES as usize + 1 }> = Nest;

/// # Safety
///
/// The pointer must be null or a valid attribute.
unsafe fn attr_bytes<const N: usize>(attr: *const bindings::nlattr) -> Option<[u8; N]> {
    // SAFETY: By the contract.
    unsafe { attr_data(attr) }?.try_into().ok()
}

/// # Safety
///
/// The pointer must be null or an attribute that is valid for `'a`.
unsafe fn attr_data<'a>(attr: *const bindings::nlattr) -> Option<&'a [u8]> {
    if attr.is_null() {
        return None;
    }
    const HEADER: usize = core::mem::size_of::<bindings::nlattr>();
    // SAFETY: By the contract; the slice is as long as the attribute says.
    unsafe {
        let len = usize::from((*attr).nla_len).checked_sub(HEADER)?;
        Some(slice::from_raw_parts(attr.cast::<u8>().add(HEADER), len))
    }
}

/// The bytes of most messages.
pub(super) const ROOM: usize = bindings::OVNET_MESSAGE_ROOM;

/// The bytes of an event, which has a dozen of numbers and addresses at most, and a device's name. Of a larger
/// buffer the kernel would clear all and make a smaller copy to queue (`netlink_trim()`).
const EVENT_ROOM: usize = 256;

/// An owned buffer for a message.
struct Buffer(*mut bindings::sk_buff);

impl Buffer {
    fn new(room: usize, flags: bindings::gfp_t) -> Result<Self> {
        // SAFETY: A plain allocation.
        let skb = unsafe { bindings::ovnet_genlmsg_new(room, flags) };
        if skb.is_null() {
            return Err(ENOMEM);
        }
        Ok(Buffer(skb))
    }

    fn into_raw(self) -> *mut bindings::sk_buff {
        let skb = self.0;
        core::mem::forget(self);
        skb
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: The buffer is owned.
        unsafe { bindings::ovnet_nlmsg_free(self.0) };
    }
}

/// A message being written. One that is dropped before its end is taken back.
pub(crate) struct Message<'a> {
    skb: *mut bindings::sk_buff,
    header: *mut c_void,
    _buffer: PhantomData<&'a mut bindings::sk_buff>,
}

impl Message<'_> {
    pub(super) fn begin(skb: *mut bindings::sk_buff, header: *mut c_void) -> Option<Self> {
        (!header.is_null()).then_some(Message {
            skb,
            header,
            _buffer: PhantomData,
        })
    }

    pub(super) fn end(self) {
        // SAFETY: The header is that of the message begun in this buffer.
        unsafe { bindings::ovnet_genlmsg_end(self.skb, self.header) };
        core::mem::forget(self);
    }

    /// Appends an attribute with these bytes.
    pub(crate) fn put(&mut self, attr: u32, bytes: &[u8]) -> Result {
        let len = i32::try_from(bytes.len()).map_err(|_| EMSGSIZE)?;
        // SAFETY: The buffer is valid, and so are `len` bytes.
        to_result(unsafe { bindings::nla_put(self.skb, attr as i32, len, bytes.as_ptr().cast()) })
    }

    /// Appends a `u8`.
    pub(crate) fn put_u8(&mut self, attr: u32, value: u8) -> Result {
        self.put(attr, &[value])
    }

    /// Appends a `u16`.
    pub(crate) fn put_u16(&mut self, attr: u32, value: u16) -> Result {
        self.put(attr, &value.to_ne_bytes())
    }

    /// Appends a `u32`.
    pub(crate) fn put_u32(&mut self, attr: u32, value: u32) -> Result {
        self.put(attr, &value.to_ne_bytes())
    }

    /// Appends an `s32`.
    pub(crate) fn put_i32(&mut self, attr: u32, value: i32) -> Result {
        self.put(attr, &value.to_ne_bytes())
    }

    /// Appends a `u64`.
    pub(crate) fn put_u64(&mut self, attr: u32, value: u64) -> Result {
        self.put(attr, &value.to_ne_bytes())
    }

    /// Appends an IPv4 address, in network byte order.
    pub(crate) fn put_ipv4(&mut self, attr: u32, address: Ipv4Addr) -> Result {
        self.put(attr, &address.octets())
    }

    /// Appends a MAC.
    pub(crate) fn put_mac(&mut self, attr: u32, mac: Mac) -> Result {
        self.put(attr, &mac.octets())
    }

    /// Appends a locator as an IPv6 prefix.
    pub(crate) fn put_locator(&mut self, attr: u32, locator: Locator) -> Result {
        self.put(attr, &locator.to_prefix())
    }

    /// Appends a string: the bytes before the first NUL, and a NUL.
    pub(crate) fn put_name(&mut self, attr: u32, name: &[u8]) -> Result {
        let name = name
            .split_inclusive(|&byte| byte == 0)
            .next()
            .unwrap_or(b"\0");
        self.put(attr, name)
    }

    /// Appends a nest.
    pub(crate) fn put_nest(&mut self, attr: u32, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: The buffer is valid.
        let nest = unsafe { bindings::ovnet_nla_nest_start(self.skb, attr as i32) };
        if nest.is_null() {
            return Err(EMSGSIZE);
        }
        let filled = fill(self);
        // SAFETY: The nest was started in this buffer.
        unsafe {
            match filled {
                Ok(()) => bindings::ovnet_nla_nest_end(self.skb, nest),
                Err(_) => bindings::ovnet_nla_nest_cancel(self.skb, nest),
            }
        }
        filled
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: The header is that of the message begun in this buffer.
        unsafe { bindings::ovnet_genlmsg_cancel(self.skb, self.header) };
    }
}

/// Whether anybody listens to the group in `net`. Any context.
pub(crate) fn has_listeners(net: Net) -> bool {
    // SAFETY: The namespace is valid.
    unsafe { bindings::ovnet_genl_listeners(net.as_ptr()) }
}

/// Sends an event to the group's listeners in `net`; without listeners nothing is done. Any context.
pub(crate) fn send_event(net: Net, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
    if !has_listeners(net) {
        return Ok(());
    }
    let buffer = Buffer::new(EVENT_ROOM, bindings::OVNET_GFP_ATOMIC)?;
    // SAFETY: The buffer is valid, the family static.
    let header = unsafe {
        bindings::genlmsg_put(
            buffer.0,
            0,
            0,
            &raw const bindings::ovnet_nl_family,
            0,
            bindings::OVNET_CMD_EVENT as u8,
        )
    };
    let mut message = Message::begin(buffer.0, header).ok_or(EMSGSIZE)?;
    fill(&mut message)?;
    message.end();
    // SAFETY: The message is given away.
    unsafe {
        bindings::ovnet_genlmsg_multicast(
            net.as_ptr(),
            buffer.into_raw(),
            bindings::OVNET_GFP_ATOMIC,
        )
    };
    Ok(())
}

/// A dump under way: one of the calls that fill a buffer each.
pub(crate) struct Dump<'a> {
    skb: *mut bindings::sk_buff,
    callback: *mut bindings::netlink_callback,
    _callback: PhantomData<&'a mut bindings::netlink_callback>,
}

/// Which of a dump's words of memory is its cursor; the others are for walks.
const CURSOR: usize = 0;

/// Which of them says of which part of a dump the last version was.
const PART: usize = 3;

/// Which walk of a dump.
#[derive(Clone, Copy)]
pub(crate) enum Nth {
    /// The one, or the first.
    First,
    /// The second.
    Second,
}

/// A part of a dump, which has versions of its own.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Devices, or rules, or peerings.
    List,
    /// What the first walk goes over.
    First,
    /// What the second walk goes over.
    Second,
}

impl From<Nth> for Part {
    fn from(nth: Nth) -> Self {
        match nth {
            Nth::First => Part::First,
            Nth::Second => Part::Second,
        }
    }
}

impl Dump<'_> {
    /// # Safety
    ///
    /// Both must be those of a dump being handled, for as long as the value lives.
    pub(super) unsafe fn from_raw(
        skb: *mut bindings::sk_buff,
        callback: *mut bindings::netlink_callback,
    ) -> Self {
        Dump {
            skb,
            callback,
            _callback: PhantomData,
        }
    }

    /// The namespace of the asker's socket.
    pub(crate) fn net(&self) -> Net {
        // SAFETY: The callback is valid; the socket keeps its namespace while the dump lasts.
        unsafe { Net::from_raw(bindings::ovnet_dump_net(self.callback)) }
    }

    /// A `u32` attribute of the request.
    pub(crate) fn u32(&self, attr: u32) -> Option<u32> {
        // SAFETY: The callback is that of a generic-netlink dump with a policy; see `Request::attr`.
        unsafe { attr_bytes(bindings::ovnet_dump_attr(self.callback, attr as i32)) }
            .map(u32::from_ne_bytes)
    }

    fn memory(&mut self) -> &mut [i64; 6] {
        // SAFETY: The memory is that of the callback, 48 bytes, zeroed when the dump starts.
        unsafe { &mut *(&raw mut (*self.callback).__bindgen_anon_1).cast::<[i64; 6]>() }
    }

    /// A number that stays between calls, 0 at first.
    pub(crate) fn cursor(&mut self) -> usize {
        self.memory()[CURSOR] as usize
    }

    /// Changes that number.
    pub(crate) fn set_cursor(&mut self, cursor: usize) {
        self.memory()[CURSOR] = cursor as i64;
    }

    /// Lets the asker know if what is dumped has changed since the last call. A dump of several tables has
    /// a part for each, whose versions have nothing to do with one another.
    pub(crate) fn set_version(&mut self, part: Part, version: u32) {
        let is_new = self.memory()[PART] != part as i64;
        self.memory()[PART] = part as i64;
        // SAFETY: The callback is valid. 0 would mean that there is no version, and means of the one before
        // that there was none.
        unsafe {
            (*self.callback).seq = version.wrapping_add(1).max(1);
            if is_new {
                (*self.callback).prev_seq = 0;
            }
        }
    }

    /// Appends one message. False: it does not fit, the next call must repeat it.
    pub(crate) fn put(&mut self, fill: impl FnOnce(&mut Message<'_>) -> Result) -> bool {
        // SAFETY: Both are valid.
        let header = unsafe { bindings::ovnet_genlmsg_put_dump(self.skb, self.callback) };
        let Some(mut message) = Message::begin(self.skb, header) else {
            return false;
        };
        let done = fill(&mut message).is_ok();
        if done {
            message.end();
        }
        done
    }

    /// Appends a message per entry of a table that is `wanted`, as many as fit. True: all are done. If
    /// the table is resized meanwhile, entries may come twice and the asker is told.
    pub(crate) fn put_table<V: Send + Sync>(
        &mut self,
        fill: impl Fn(u64, &V, &mut Message<'_>) -> Result,
        wanted: impl Fn(u64, &V) -> bool,
    ) -> bool {
        self.put_nth_table(Nth::First, fill, wanted)
    }

    /// The same of a dump over several tables.
    pub(crate) fn put_nth_table<V: Send + Sync>(
        &mut self,
        nth: Nth,
        fill: impl Fn(u64, &V, &mut Message<'_>) -> Result,
        wanted: impl Fn(u64, &V) -> bool,
    ) -> bool {
        self.walk_table(nth, |dump, key, value: &V, restarts| {
            dump.set_version(nth.into(), restarts);
            !wanted(key, value) || dump.put(|message| fill(key, value, message))
        })
    }

    /// Calls `visit` with each entry of a table and with how often the walk started again, until it says
    /// that it is not done with one: the next call starts with that one. True: all are done.
    pub(crate) fn walk_table<V: Send + Sync>(
        &mut self,
        nth: Nth,
        mut visit: impl FnMut(&mut Self, u64, &V, u32) -> bool,
    ) -> bool {
        let walk = *self.walk(nth) as *mut Walk<V>;
        if walk.is_null() {
            return true;
        }
        // SAFETY: `start` put the walk there, of a table of this type: each command has its `start`s.
        let walk = unsafe { &mut *walk };
        walk.resume(|key, value, restarts| visit(self, key, value, restarts))
    }

    /// Appends a message per entry of another table that is `wanted`, after those of the walk. True: all are
    /// done. The cursor is the bucket and how many of its entries are done.
    pub(crate) fn put_more<V: Send + Sync>(
        &mut self,
        table: &Table<V>,
        fill: impl Fn(u64, &V, &mut Message<'_>) -> Result,
        wanted: impl Fn(u64, &V) -> bool,
    ) -> bool {
        const BITS: u32 = 16;
        loop {
            let bucket = (self.cursor() >> BITS) as u32;
            let skip = self.cursor() & ((1 << BITS) - 1);
            let mut done = 0_usize;
            let mut fits = true;
            let reader = rcu::read_lock();
            let next = table.visit(bucket, 1, (&reader).into(), |key, value| {
                if fits && done >= skip && wanted(key, value) {
                    fits = self.put(|message| fill(key, value, message));
                }
                done = done.wrapping_add(fits as usize);
            });
            drop(reader);
            if !fits {
                self.set_cursor((bucket as usize) << BITS | done);
                return false;
            }
            if next == 0 {
                return true;
            }
            self.set_cursor((next as usize) << BITS);
        }
    }

    /// Where a dump keeps one of its walks.
    fn walk(&mut self, nth: Nth) -> &mut i64 {
        let [_, first, second, ..] = self.memory();
        match nth {
            Nth::First => first,
            Nth::Second => second,
        }
    }

    /// Starts the `nth` walk, over a table that belongs to the socket's namespace.
    pub(super) fn start<V: Send + Sync>(&mut self, nth: Nth, table: &Table<V>) -> Result {
        // SAFETY: The socket keeps its namespace, and with it the table, until `done`.
        let walk = KBox::new(unsafe { table.walk() }?, GFP_KERNEL)?;
        *self.walk(nth) = KBox::into_raw(walk) as i64;
        Ok(())
    }

    /// Ends the `nth` walk, if it was started.
    pub(super) fn done<V: Send + Sync>(&mut self, nth: Nth) {
        let walk = core::mem::take(self.walk(nth)) as *mut Walk<V>;
        if !walk.is_null() {
            // SAFETY: `start` leaked it.
            drop(unsafe { KBox::from_raw(walk) });
        }
    }

    /// What the kernel wants to hear: bytes, so that it calls again, or 0.
    pub(super) fn result(&self, over: bool) -> i32 {
        if over {
            return 0;
        }
        // SAFETY: The buffer is valid.
        match unsafe { (*self.skb).len } {
            // One message larger than the buffer would make the kernel call for ever.
            0 => EMSGSIZE.to_errno(),
            len => len as i32,
        }
    }
}
