// SPDX-License-Identifier: GPL-2.0

//! A hash table that packets read under RCU: the kernel's rhashtable with 64-bit keys.
//!
//! Reading needs no lock. Writers must be serialised by the caller: `set` and `remove` look up before
//! they change.

use super::{bindings, rcu::Rcu};
use core::{cell::UnsafeCell, marker::PhantomData, ptr::NonNull};
use kernel::{alloc::Flags, error::to_result, prelude::*, sync::rcu, types::Opaque};

/// One entry.
#[repr(C)]
struct Node<V> {
    link: bindings::ovnet_node,
    value: V,
}

/// The table. An entry is never changed in place: a reader sees the old one or the new one.
///
/// # Invariants
///
/// The rhashtable is initialised, and each object in it is a leaked `KBox<Node<V>>`, which is freed after
/// a grace period once it is out.
#[pin_data(PinnedDrop)]
pub(crate) struct Table<V: Send + Sync> {
    #[pin]
    inner: Opaque<bindings::rhashtable>,
    _values: PhantomData<V>,
}

// SAFETY: The rhashtable locks its own buckets, and the values may be shared and sent.
unsafe impl<V: Send + Sync> Sync for Table<V> {}
// SAFETY: As above.
unsafe impl<V: Send + Sync> Send for Table<V> {}

/// An entry that is in no table yet: there is memory for it.
///
/// # Invariants
///
/// A leaked `KBox<Node<V>>` that nobody else knows.
pub(crate) struct Entry<V> {
    node: NonNull<bindings::ovnet_node>,
    _value: PhantomData<V>,
}

impl<V> Entry<V> {
    /// A new entry.
    fn new(key: u64, value: V, flags: Flags) -> Result<Self> {
        let node = Node {
            link: bindings::ovnet_node {
                key,
                ..pin_init::zeroed()
            },
            value,
        };
        let node = NonNull::from(KBox::leak(KBox::new(node, flags)?)).cast();
        // INVARIANT: It was just leaked.
        Ok(Entry {
            node,
            _value: PhantomData,
        })
    }

    /// The node, which is the caller's.
    fn into_raw(self) -> *mut bindings::ovnet_node {
        let node = self.node.as_ptr();
        core::mem::forget(self);
        node
    }
}

impl<V> Drop for Entry<V> {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        drop(unsafe { KBox::from_raw(self.node.as_ptr().cast::<Node<V>>()) });
    }
}

impl<V: Send + Sync> Table<V> {
    /// An empty table.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // INVARIANT: The rhashtable is initialised, empty.
            inner <- Opaque::try_ffi_init(|slot| {
                // SAFETY: `slot` is valid memory for a rhashtable.
                to_result(unsafe { bindings::ovnet_table_init(slot) })
            }),
            _values: PhantomData,
        })
    }

    /// An empty table whose entries take no more than so many bytes each, or it does not compile.
    pub(crate) fn new_within<const MAX: usize>() -> impl PinInit<Self, Error> {
        const { assert!(core::mem::size_of::<Node<V>>() <= MAX) };
        Self::new()
    }

    /// The entry of `key`.
    #[inline]
    pub(crate) fn get<'a>(&'a self, key: u64, _: Rcu<'a>) -> Option<&'a V> {
        // SAFETY: The table is initialised, and the caller is an RCU reader.
        let node = unsafe { bindings::ovnet_table_get(self.inner.get(), key) };
        // SAFETY: By the invariant the object is a `Node<V>`, which lives as long as the reader reads.
        unsafe { node.cast::<Node<V>>().as_ref() }.map(|node| &node.value)
    }

    /// Sets the entry of `key`, new or in place of an old one. Process context.
    pub(crate) fn set(&self, key: u64, value: V) -> Result {
        // Charged to whoever asks: a namespace of an unprivileged user must not eat all memory.
        self.set_with(key, value, GFP_KERNEL_ACCOUNT)
    }

    /// As [`Table::set`], in any context.
    pub(crate) fn set_atomic(&self, key: u64, value: V) -> Result {
        self.set_with(key, value, GFP_ATOMIC)
    }

    /// An entry to be inserted. Process context.
    pub(crate) fn entry(&self, key: u64, value: V) -> Result<Entry<V>> {
        Entry::new(key, value, GFP_KERNEL_ACCOUNT)
    }

    /// Inserts the entry of a key that has none.
    pub(crate) fn insert<'a>(&'a self, entry: Entry<V>, _: Rcu<'a>) -> Result<&'a V> {
        let node = entry.node;
        // SAFETY: The table is initialised; the node is nobody else's.
        to_result(unsafe { bindings::ovnet_table_insert(self.inner.get(), node.as_ptr()) })?;
        // The table's from here on.
        entry.into_raw();
        // SAFETY: It is a `Node<V>`, and lives as long as the reader reads even if it is removed at once.
        Ok(unsafe { &node.cast::<Node<V>>().as_ref().value })
    }

    fn set_with(&self, key: u64, value: V, flags: Flags) -> Result {
        let new = Entry::new(key, value, flags)?;
        let table = self.inner.get();
        let reader = rcu::read_lock();
        // SAFETY: The table is initialised and this is an RCU reader; `new` is nobody else's.
        let (old, result) = unsafe {
            let node = new.node.as_ptr();
            let old = bindings::ovnet_table_get(table, key);
            if old.is_null() {
                (old, bindings::ovnet_table_insert(table, node))
            } else {
                (old, bindings::ovnet_table_replace(table, old, node))
            }
        };
        drop(reader);
        to_result(result)?;
        // The table's from here on.
        new.into_raw();
        // SAFETY: The table let go of `old`, if there was one.
        unsafe { Self::retire(old) };
        Ok(())
    }

    /// Removes the entry of `key`; says whether there was one.
    pub(crate) fn remove(&self, key: u64) -> bool {
        if self.len() == 0 {
            return false;
        }
        let table = self.inner.get();
        let reader = rcu::read_lock();
        // SAFETY: The table is initialised and this is an RCU reader; writers are serialised, so that
        // what was found is what is removed.
        let old = unsafe {
            let old = bindings::ovnet_table_get(table, key);
            if old.is_null() || bindings::ovnet_table_remove(table, old) != 0 {
                return false;
            }
            old
        };
        drop(reader);
        // SAFETY: The table let go of `old`.
        unsafe { Self::retire(old) };
        true
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: The table is initialised; the number is a word that the kernel writes as a whole.
        unsafe { (&raw const (*self.inner.get()).nelems.counter).read_volatile() as u32 }
    }

    /// Starts a walk over all entries.
    ///
    /// # Safety
    ///
    /// The walk must end before the table does.
    pub(super) unsafe fn walk(&self) -> Result<Walk<V>> {
        let iter = KBox::new(UnsafeCell::new(pin_init::zeroed()), GFP_KERNEL)?;
        // SAFETY: The table is initialised; the iterator is boxed, so that it stays where it is.
        unsafe { bindings::rhashtable_walk_enter(self.inner.get(), iter.get()) };
        // INVARIANT: The walk was entered.
        Ok(Walk {
            iter,
            restarts: 0,
            _values: PhantomData,
        })
    }

    /// Calls `visit` with each entry, as an RCU reader: it must not sleep. Entries that come or
    /// go meanwhile may be missed; if the table is resized meanwhile, entries may be visited again.
    /// Process context.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, &V)) {
        let iter = UnsafeCell::new(pin_init::zeroed());
        // SAFETY: The table is initialised; the iterator stays where it is until it is left.
        unsafe {
            bindings::rhashtable_walk_enter(self.inner.get(), iter.get());
            resume::<V>(iter.get(), &mut 0, |key, value, _| {
                visit(key, value);
                true
            });
            bindings::rhashtable_walk_exit(iter.get());
        }
    }

    /// Calls `visit` with the entries of so many buckets from one on; says which bucket is next, 0 after the
    /// last. While the table is resized entries may be missed; they come in the next round.
    pub(crate) fn visit(
        &self,
        from: u32,
        count: u32,
        _: Rcu<'_>,
        mut visit: impl FnMut(u64, &V),
    ) -> u32 {
        let mut size = 0;
        let mut bucket = from;
        while bucket.wrapping_sub(from) < count {
            // SAFETY: The table is initialised and the caller is an RCU reader.
            let mut node =
                unsafe { bindings::ovnet_table_bucket(self.inner.get(), bucket, &mut size) };
            // SAFETY: By the invariant the objects are `Node<V>`, which live as long as the reader reads.
            while let Some(entry) = unsafe { node.cast::<Node<V>>().as_ref() } {
                visit(entry.link.key, &entry.value);
                // SAFETY: As above.
                node = unsafe { bindings::ovnet_table_next(node) };
            }
            bucket = bucket.wrapping_add(1);
            if bucket >= size {
                return 0;
            }
        }
        bucket
    }

    /// Frees an entry after its last reader.
    ///
    /// # Safety
    ///
    /// `node` must be null or a leaked `Node<V>` that is in no table any more.
    unsafe fn retire(node: *mut bindings::ovnet_node) {
        if !node.is_null() {
            // SAFETY: By the contract; the callback gets back to the node from its head.
            unsafe { bindings::call_rcu(&raw mut (*node).rcu, Some(Self::free_rcu)) };
        }
    }

    /// Frees an entry after its grace period.
    ///
    /// # Safety
    ///
    /// `head` must be that of a leaked `Node<V>` that nobody reads.
    unsafe extern "C" fn free_rcu(head: *mut bindings::callback_head) {
        let offset = core::mem::offset_of!(bindings::ovnet_node, rcu);
        // SAFETY: By the contract, and since the link is the first field of the `repr(C)` node.
        drop(unsafe { KBox::from_raw(head.byte_sub(offset).cast::<Node<V>>()) });
    }

    /// Frees an entry of a table that dies.
    ///
    /// # Safety
    ///
    /// `node` must be a leaked `Node<V>` that nobody reads.
    unsafe extern "C" fn free_now(node: *mut c_void, _: *mut c_void) {
        // SAFETY: By the contract.
        drop(unsafe { KBox::from_raw(node.cast::<Node<V>>()) });
    }
}

#[pinned_drop]
impl<V: Send + Sync> PinnedDrop for Table<V> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the invariant each object is a leaked `Node<V>`; the exclusive reference says that
        // there is no reader.
        unsafe {
            bindings::rhashtable_free_and_destroy(
                self.inner.get(),
                Some(Self::free_now),
                core::ptr::null_mut(),
            )
        };
    }
}

/// A walk over a table, which may pause between entries.
///
/// # Invariants
///
/// The walk was entered on a table of `V` that outlives it.
pub(super) struct Walk<V> {
    iter: KBox<UnsafeCell<bindings::rhashtable_iter>>,
    /// How often the walk started again, because the table was resized.
    restarts: u32,
    _values: PhantomData<V>,
}

impl<V> Walk<V> {
    /// Visits entries until `visit` says false; the next call starts with the entry it said false to.
    /// `visit` also gets how often the walk started again: what it then sees it may have seen before.
    /// Says whether the walk is over.
    pub(crate) fn resume(&mut self, visit: impl FnMut(u64, &V, u32) -> bool) -> bool {
        // SAFETY: By the invariant the walk was entered on a table of `V`.
        unsafe { resume(self.iter.get(), &mut self.restarts, visit) }
    }
}

/// See [`Walk::resume`].
///
/// # Safety
///
/// The walk must have been entered on a table of `V`.
unsafe fn resume<V>(
    iter: *mut bindings::rhashtable_iter,
    restarts: &mut u32,
    mut visit: impl FnMut(u64, &V, u32) -> bool,
) -> bool {
    // SAFETY: By the contract.
    let (started, mut object) = unsafe {
        (
            bindings::rhashtable_walk_start_check(iter),
            bindings::rhashtable_walk_peek(iter),
        )
    };
    // The one error is EAGAIN, here and below: the table was resized, and the walk is at its start.
    if started != 0 {
        *restarts = restarts.wrapping_add(1);
    }
    let mut over = true;
    while let Some(node) = NonNull::new(object) {
        // SAFETY: A plain test of the pointer's value.
        if unsafe { bindings::ovnet_is_err(node.as_ptr()) } {
            *restarts = restarts.wrapping_add(1);
        } else {
            // SAFETY: The object is a `Node<V>`, valid until the walk stops.
            let node = unsafe { node.cast::<Node<V>>().as_ref() };
            if !visit(node.link.key, &node.value, *restarts) {
                over = false;
                break;
            }
        }
        // SAFETY: The walk is started.
        object = unsafe { bindings::rhashtable_walk_next(iter) };
    }
    // SAFETY: The walk is started.
    unsafe { bindings::rhashtable_walk_stop(iter) };
    over
}

impl<V> Drop for Walk<V> {
    fn drop(&mut self) {
        // SAFETY: By the invariant the walk was entered.
        unsafe { bindings::rhashtable_walk_exit(self.iter.get()) };
    }
}
