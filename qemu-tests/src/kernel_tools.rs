// SPDX-License-Identifier: GPL-2.0

//! What the kernel's own tools see of dropped packets: tracefs, and
//! `drop_monitor` over netlink.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{setns, CloneFlags};
use nix::sys::socket::{
    bind, recv, send, setsockopt, socket, sockopt, AddressFamily, MsgFlags, NetlinkAddr, SockFlag,
    SockProtocol, SockType,
};
use nix::sys::time::TimeVal;

use crate::cases::Failure;

/// Where tracefs is.
const TRACEFS: &str = "/sys/kernel/tracing";

/// A trace buffer of our own, which ends with the value: while it lasts the
/// module whose events it has cannot be unloaded.
pub struct Trace {
    directory: String,
}

impl Trace {
    /// Traces these events, `SYSTEM/NAME`, from now on.
    pub fn start(events: &[&str]) -> Result<Trace, Failure> {
        if !Path::new(TRACEFS).join("instances").exists() {
            run("mount", &["-t", "tracefs", "tracefs", TRACEFS])?;
        }
        let directory = format!("{TRACEFS}/instances/ovnet-test");
        fs::create_dir(&directory)?;
        let trace = Trace { directory };
        trace.write("buffer_size_kb", "4096")?;
        for event in events {
            trace.write(&format!("events/{event}/enable"), "1")?;
        }
        Ok(trace)
    }

    /// Writes to one of its files.
    pub fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        let path = format!("{}/{file}", self.directory);
        fs::write(&path, text).map_err(|error| format!("{path}: {error}").into())
    }

    /// The lines of an event, each from its name on.
    pub fn lines(&self, event: &str) -> Result<Vec<String>, Failure> {
        let head = format!(" {event}: ");
        let text = fs::read_to_string(format!("{}/trace", self.directory))?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once(&head))
            .map(|(_, fields)| fields.to_owned())
            .collect())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = fs::write(format!("{}/events/enable", self.directory), "0");
        let _ = fs::remove_dir(&self.directory);
    }
}

/// The value of a field of a traced line: `src=10.0.0.2`, or `reason: 0x10001`.
pub fn field<'l>(line: &'l str, name: &str) -> Result<&'l str, Failure> {
    for mark in ["=", ": "] {
        let mark = format!(" {name}{mark}");
        if let Some((_, rest)) = line.split_once(&mark) {
            return Ok(rest.split(' ').next().unwrap_or(rest));
        }
    }
    Err(format!("no {name} in: {line}").into())
}

/// Runs a command that must succeed.
fn run(command: &str, arguments: &[&str]) -> Result<(), Failure> {
    let status = Command::new(command).args(arguments).status()?;
    if !status.success() {
        return Err(format!("{command} {arguments:?}: {status}").into());
    }
    Ok(())
}

/// The guest's first network namespace, the only one that `drop_monitor` talks
/// to; see guest/case.
const FIRST_NAMESPACE: &str = "/proc/self/fd/3";

/// Generic netlink's controller: its family, "get family", a family's name, and its id.
const CONTROLLER: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// linux/net_dropmon.h: the group, commands, attributes.
const GROUP: u32 = 1;
const CONFIG: u8 = 2;
const START: u8 = 3;
const STOP: u8 = 4;
const PACKET_ALERT: u8 = 5;
const ALERT_MODE: u16 = 1;
const TRUNC_LEN: u16 = 9;
const SW_DROPS: u16 = 20;
const REASON: u16 = 23;
const MODE_PACKET: u8 = 1;

/// `drop_monitor` as `dropwatch` uses it: every packet that is dropped, by
/// name.
pub struct DropMonitor {
    control: OwnedFd,
    alerts: OwnedFd,
    family: u16,
}

impl DropMonitor {
    /// Monitors from now on.
    pub fn start() -> Result<DropMonitor, Failure> {
        run("modprobe", &["drop_monitor"])?;
        // A thread keeps the namespace it enters.
        let open = || {
            let namespace = fs::File::open(FIRST_NAMESPACE).map_err(|error| error.to_string())?;
            setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string())?;
            Ok::<_, String>((netlink(0)?, netlink(1 << (GROUP - 1))?))
        };
        let (control, alerts) =
            thread::scope(|scope| scope.spawn(open).join()).map_err(|_| "panicked")??;
        setsockopt(&alerts, sockopt::RcvBuf, &(1 << 22))?;
        let answer = ask(
            &control,
            CONTROLLER,
            GET_FAMILY,
            &attribute(FAMILY_NAME, b"NET_DM\0"),
        )?;
        let id = attributes(&answer).remove(&FAMILY_ID);
        let id = id.ok_or("no answer about the family NET_DM")?;
        let family = u16::from_ne_bytes(id.try_into().map_err(|_| "an id that is none")?);
        let monitor = DropMonitor {
            control,
            alerts,
            family,
        };
        let short = attribute(TRUNC_LEN, &64u32.to_ne_bytes());
        let mode = [attribute(ALERT_MODE, &[MODE_PACKET]), short].concat();
        ask(&monitor.control, family, CONFIG, &mode)?;
        ask(&monitor.control, family, START, &attribute(SW_DROPS, &[]))?;
        Ok(monitor)
    }

    /// How many packets were dropped under each reason since the last call.
    /// The kernel reports from a work queue: gives it that long of silence.
    pub fn reasons(&self, silence: Duration) -> Result<BTreeMap<String, u64>, Failure> {
        let wait = TimeVal::new(
            silence.as_secs().cast_signed(),
            i64::from(silence.subsec_micros()),
        );
        setsockopt(&self.alerts, sockopt::ReceiveTimeout, &wait)?;
        let mut reasons = BTreeMap::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match recv(self.alerts.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => {
                    let message = buffer.get(16..length).unwrap_or_default();
                    if message.first() != Some(&PACKET_ALERT) {
                        continue;
                    }
                    let reason = attributes(message).remove(&REASON).unwrap_or_default();
                    let reason = String::from_utf8_lossy(&reason);
                    let reason = reason.trim_end_matches('\0').to_owned();
                    *reasons.entry(reason).or_default() += 1;
                }
                Err(Errno::EAGAIN) => return Ok(reasons),
                Err(error) => return Err(format!("drop monitor: {error}").into()),
            }
        }
    }
}

impl Drop for DropMonitor {
    fn drop(&mut self) {
        let _ = ask(&self.control, self.family, STOP, &attribute(SW_DROPS, &[]));
    }
}

/// A generic netlink socket that listens to these groups.
fn netlink(groups: u32) -> Result<OwnedFd, String> {
    let text = |error: Errno| error.to_string();
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkGeneric,
    )
    .map_err(text)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups)).map_err(text)?;
    Ok(socket)
}

/// An attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = 4 + value.len();
    let mut bytes = Vec::new();
    bytes.extend((length as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length.next_multiple_of(4), 0);
    bytes
}

/// The attributes behind a generic header.
fn attributes(message: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut rest = message.get(4..).unwrap_or_default();
    while let Some((&[l0, l1, k0, k1], _)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let Some(value) = rest.get(4..length) else {
            break;
        };
        all.insert(u16::from_ne_bytes([k0, k1]) & 0x3fff, value.to_vec());
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// Sends a request and returns its answer from the generic header on, empty if
/// it is just acknowledged.
fn ask(socket: &OwnedFd, family: u16, command: u8, attributes: &[u8]) -> Result<Vec<u8>, Failure> {
    /// NLM_F_REQUEST and NLM_F_ACK; NLMSG_ERROR, which an acknowledgement is too.
    const FLAGS: u16 = 1 | 4;
    const ERROR: u16 = 2;
    let length = 20 + attributes.len() as u32;
    let mut request = Vec::new();
    request.extend(length.to_ne_bytes());
    request.extend(family.to_ne_bytes());
    request.extend(FLAGS.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([command, 1, 0, 0]);
    request.extend(attributes);
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let Some(message) = buffer.get(..length) else {
            continue;
        };
        let (Some(&[k0, k1]), Some(body)) = (
            message.get(4..6).and_then(|kind| kind.first_chunk::<2>()),
            message.get(16..),
        ) else {
            return Err("a netlink message cut off".into());
        };
        if u16::from_ne_bytes([k0, k1]) != ERROR {
            answer = body.to_vec();
            continue;
        }
        let code = body
            .first_chunk::<4>()
            .map_or(0, |code| i32::from_ne_bytes(*code));
        if code != 0 {
            let errno = Errno::from_raw(-code);
            return Err(format!("netlink family {family} command {command}: {errno}").into());
        }
        return Ok(answer);
    }
}
