// SPDX-License-Identifier: GPL-2.0

//! The functions that the generated tables of the family (`netlink-gen.c`) name, and its registration.

use super::{
    bindings,
    namespace::{Net, Registry},
    netlink::{Dump, Message, Nth, Refusal, Request, ROOM},
    table::Table,
};
use crate::{
    control,
    host::{Host, Mapping, Network, Remote},
    policy::Peering,
};
use kernel::{error::to_result, ffi::c_ulong, prelude::*, sync::Arc, types::Opaque};

/// The registered family. Dropping it waits for requests under way.
pub(crate) struct FamilyRegistration(());

/// Tells hosts of sockets that close.
///
/// # Invariants
///
/// Only the kernel uses it, from its registration until it is taken back.
struct Notifier(Opaque<bindings::notifier_block>);

// SAFETY: The kernel synchronises its use.
unsafe impl Sync for Notifier {}

static NOTIFIER: Notifier = Notifier(Opaque::uninit());

/// # Safety
///
/// Called by the kernel with a [`bindings::netlink_notify`], in process context.
unsafe extern "C" fn socket_event(
    _: *mut bindings::notifier_block,
    event: c_ulong,
    notify: *mut c_void,
) -> i32 {
    if event == bindings::OVNET_NETLINK_URELEASE {
        // SAFETY: By the contract; the closing socket keeps its namespace meanwhile.
        let (protocol, port, net) = unsafe {
            let notify = &*notify.cast::<bindings::netlink_notify>();
            (notify.protocol, notify.portid, Net::from_raw(notify.net))
        };
        if protocol == bindings::OVNET_NETLINK_GENERIC {
            if let Ok(host) = Registry::<Host>::state(net) {
                host.socket_closed(port);
            }
        }
    }
    0
}

impl FamilyRegistration {
    /// Registers the family.
    pub(crate) fn new() -> Result<Self> {
        let block = bindings::notifier_block {
            notifier_call: Some(socket_event),
            ..pin_init::zeroed()
        };
        // SAFETY: The block is static, and not registered now; the family is static and complete.
        unsafe {
            NOTIFIER.0.get().write(block);
            to_result(bindings::netlink_register_notifier(NOTIFIER.0.get()))?;
            let result = to_result(bindings::genl_register_family(
                &raw mut bindings::ovnet_nl_family,
            ));
            if let Err(error) = result {
                bindings::netlink_unregister_notifier(NOTIFIER.0.get());
                return Err(error);
            }
        }
        Ok(FamilyRegistration(()))
    }
}

impl Drop for FamilyRegistration {
    fn drop(&mut self) {
        // SAFETY: Both are registered.
        unsafe {
            bindings::genl_unregister_family(&raw mut bindings::ovnet_nl_family);
            bindings::netlink_unregister_notifier(NOTIFIER.0.get());
        }
    }
}

/// Runs the handler of a request on the host it concerns.
///
/// # Safety
///
/// `info` must be that of a request being handled.
unsafe fn answer(
    info: *mut bindings::genl_info,
    handler: impl FnOnce(&Host, &Request<'_>) -> Result<(), Refusal>,
) -> i32 {
    // SAFETY: By the contract.
    let request = unsafe { Request::from_raw(info) };
    let result = match Registry::state(request.net()) {
        Ok(host) => handler(host, &request),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => 0,
        Err(refusal) => request.refuse(&refusal).to_errno(),
    }
}

/// Requests that change something.
macro_rules! change {
    ($($name:ident => $handler:path,)*) => {$(
        /// # Safety
        ///
        /// Called by generic netlink with a checked request.
        #[no_mangle]
        unsafe extern "C" fn $name(
            _: *mut bindings::sk_buff,
            info: *mut bindings::genl_info,
        ) -> i32 {
            // SAFETY: By the contract.
            unsafe { answer(info, $handler) }
        }
    )*};
}

/// Requests that are answered with one message of at most so many bytes.
macro_rules! get {
    ($($name:ident => $handler:path, $room:expr;)*) => {$(
        /// # Safety
        ///
        /// Called by generic netlink with a checked request.
        #[no_mangle]
        unsafe extern "C" fn $name(
            _: *mut bindings::sk_buff,
            info: *mut bindings::genl_info,
        ) -> i32 {
            let handler: fn(&Host, &Request<'_>, &mut Message<'_>) -> Result<(), Refusal> = $handler;
            // SAFETY: By the contract.
            unsafe {
                answer(info, |host, request| {
                    request.reply($room, |message| handler(host, request, message))
                })
            }
        }
    )*};
}

/// Requests that are answered with a message per object.
macro_rules! dump {
    ($($name:ident => $handler:path,)*) => {$(
        /// # Safety
        ///
        /// Called by generic netlink for each buffer of a dump.
        #[no_mangle]
        unsafe extern "C" fn $name(
            skb: *mut bindings::sk_buff,
            callback: *mut bindings::netlink_callback,
        ) -> i32 {
            // SAFETY: By the contract.
            let mut dump = unsafe { Dump::from_raw(skb, callback) };
            match Registry::state(dump.net()) {
                Ok(host) => {
                    let over = $handler(host, &mut dump);
                    dump.result(over)
                }
                Err(error) => error.to_errno(),
            }
        }
    )*};
}

/// The start and the end of dumps that walk over a table.
macro_rules! walk {
    ($($start:ident, $done:ident: $($nth:ident: $value:ty => $table:expr),*;)*) => {$(
        /// # Safety
        ///
        /// Called by generic netlink before the first buffer of a dump.
        #[no_mangle]
        unsafe extern "C" fn $start(callback: *mut bindings::netlink_callback) -> i32 {
            // SAFETY: By the contract; no buffer is used yet.
            let mut dump = unsafe { Dump::from_raw(core::ptr::null_mut(), callback) };
            let started = Registry::state(dump.net()).and_then(|host| {
                $({
                    let table: fn(&Host) -> &Table<$value> = $table;
                    dump.start(Nth::$nth, table(host))?;
                })*
                Ok(())
            });
            match started {
                Ok(()) => 0,
                Err(error) => {
                    // Whoever has no start has no end either.
                    $(dump.done::<$value>(Nth::$nth);)*
                    error.to_errno()
                }
            }
        }

        /// # Safety
        ///
        /// Called by generic netlink after the last buffer of a dump that was started.
        #[no_mangle]
        unsafe extern "C" fn $done(callback: *mut bindings::netlink_callback) -> i32 {
            // SAFETY: By the contract; no buffer is used any more.
            let mut dump = unsafe { Dump::from_raw(core::ptr::null_mut(), callback) };
            $(dump.done::<$value>(Nth::$nth);)*
            0
        }
    )*};
}

change! {
    ovnet_nl_host_set_doit => control::host::set,
    ovnet_nl_host_del_doit => control::host::del,
    ovnet_nl_network_set_doit => control::network::set,
    ovnet_nl_network_del_doit => control::network::del,
    ovnet_nl_port_set_doit => control::port::set,
    ovnet_nl_port_del_doit => control::port::del,
    ovnet_nl_mapping_set_doit => control::mapping::set,
    ovnet_nl_mapping_del_doit => control::mapping::del,
    ovnet_nl_rule_set_doit => control::rule::set,
    ovnet_nl_rule_del_doit => control::rule::del,
    ovnet_nl_peering_set_doit => control::peering::set,
    ovnet_nl_peering_del_doit => control::peering::del,
}

get! {
    ovnet_nl_host_get_doit => control::host::get, ROOM;
    ovnet_nl_network_get_doit => control::network::get, ROOM;
    ovnet_nl_port_get_doit => control::port::get, ROOM;
    ovnet_nl_mapping_batch_doit => control::mapping::batch, ROOM;
    ovnet_nl_mapping_get_doit => control::mapping::get, ROOM;
    ovnet_nl_stats_get_doit => control::stats::get, ROOM;
    ovnet_nl_rule_get_doit => control::rule::get, ROOM;
    ovnet_nl_trace_doit => control::trace::get, control::trace::ROOM;
}

dump! {
    ovnet_nl_host_get_dumpit => control::host::dump,
    ovnet_nl_network_get_dumpit => control::network::dump,
    ovnet_nl_port_get_dumpit => control::port::dump,
    ovnet_nl_mapping_get_dumpit => control::mapping::dump,
    ovnet_nl_rule_get_dumpit => control::rule::dump,
    ovnet_nl_peering_get_dumpit => control::peering::dump,
    ovnet_nl_stats_get_dumpit => control::stats::dump,
}

walk! {
    ovnet_nl_host_get_dump_start, ovnet_nl_host_get_dump_done:
        First: Arc<Remote> => Host::remotes;
    ovnet_nl_network_get_dump_start, ovnet_nl_network_get_dump_done:
        First: Arc<Network> => Host::networks;
    ovnet_nl_mapping_get_dump_start, ovnet_nl_mapping_get_dump_done:
        First: Mapping => Host::mappings;
    ovnet_nl_stats_get_dump_start, ovnet_nl_stats_get_dump_done:
        First: Arc<Network> => Host::networks,
        Second: Arc<Remote> => Host::remotes;
    ovnet_nl_rule_get_dump_start, ovnet_nl_rule_get_dump_done:
        First: Arc<Network> => Host::networks;
    ovnet_nl_peering_get_dump_start, ovnet_nl_peering_get_dump_done:
        First: Peering => Host::peerings;
}
