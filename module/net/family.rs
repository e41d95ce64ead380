// SPDX-License-Identifier: GPL-2.0

//! The functions that the generated tables of the family (`netlink-gen.c`) name, and its registration.

use super::{
    bindings,
    namespace::Registry,
    netlink::{Dump, Message, Nth, Refusal, Request},
    table::Table,
};
use crate::{
    control,
    host::{Host, Mapping, Network, Remote},
};
use kernel::{error::to_result, prelude::*, sync::Arc};

/// The registered family. Dropping it waits for requests under way.
pub(crate) struct FamilyRegistration(());

impl FamilyRegistration {
    /// Registers the family.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The family is static and complete.
        to_result(unsafe { bindings::genl_register_family(&raw mut bindings::ovnet_nl_family) })?;
        Ok(FamilyRegistration(()))
    }
}

impl Drop for FamilyRegistration {
    fn drop(&mut self) {
        // SAFETY: It is registered.
        unsafe { bindings::genl_unregister_family(&raw mut bindings::ovnet_nl_family) };
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
        Err(refusal) => request.refuse(&refusal),
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

/// Requests that are answered with one message.
macro_rules! get {
    ($($name:ident => $handler:path,)*) => {$(
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
                    request.reply(|message| handler(host, request, message))
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
}

get! {
    ovnet_nl_host_get_doit => control::host::get,
    ovnet_nl_network_get_doit => control::network::get,
    ovnet_nl_port_get_doit => control::port::get,
    ovnet_nl_mapping_get_doit => control::mapping::get,
    ovnet_nl_stats_get_doit => control::stats::get,
}

dump! {
    ovnet_nl_host_get_dumpit => control::host::dump,
    ovnet_nl_network_get_dumpit => control::network::dump,
    ovnet_nl_port_get_dumpit => control::port::dump,
    ovnet_nl_mapping_get_dumpit => control::mapping::dump,
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
}
