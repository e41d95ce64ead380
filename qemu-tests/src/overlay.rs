// SPDX-License-Identifier: GPL-2.0

//! The overlay a Rust case works on: drawn with the words of `overlay.sh`,
//! looked at through raw sockets, counters and events.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sched::{setns, CloneFlags};
use nix::sys::socket::{
    bind, recvmsg, send, setsockopt, socket, sockopt, AddressFamily, LinkAddr, MsgFlags, SockFlag,
    SockProtocol, SockType,
};
use nix::sys::time::TimeVal;
use ovnet_uapi::{Client, Event, EventKind, Events};

use crate::cases::Failure;
use crate::frame::{hex, Mac};
use crate::shadow;

/// How many times longer than usual everything takes: a kernel that checks
/// itself is slow, and the harness says how much.
fn slowness() -> u32 {
    let factor = env::var("PATIENCE").ok().and_then(|text| text.parse().ok());
    factor.unwrap_or(1).max(1)
}

/// How long to wait for what usually takes no longer than that.
pub fn longer(usual: Duration) -> Duration {
    usual * slowness()
}

/// How long a frame, a counter or an event may take to come. TCG is slow.
pub fn patience() -> Duration {
    longer(Duration::from_secs(3))
}

/// How many of something to do where `count` is usual: as many as take the
/// same time.
pub fn fewer(count: u32) -> u32 {
    count / slowness()
}

/// How long nothing must come to have been nothing.
const SILENCE: Duration = Duration::from_millis(100);

/// The MAC of the fabric's end of each link.
pub const FABRIC_MAC: Mac = [0x02, 0xfa, 0xb0, 0, 0, 0xff];

/// The MAC of the device `sub` of the host with this number.
pub const fn host_mac(number: u8) -> Mac {
    [0x02, 0xfa, 0xb0, 0, 0, number]
}

/// The MAC that stands for a node whose MAC was not chosen.
pub const fn virtual_mac(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    [0x02, 0x76, a, b, c, d]
}

/// The substrate address of a node behind the host with this number.
/// `form` is the byte of slot, U and G.
pub fn substrate(host: u16, form: u8, vni: u32, node: Ipv4Addr) -> Ipv6Addr {
    let locator = u128::from(Ipv6Addr::new(0xfd00, 0xa, 1, host, 0, 0, 0, 0));
    let low = u128::from(form) << 56 | u128::from(vni) << 32 | u128::from(node.to_bits());
    Ipv6Addr::from(locator | low)
}

/// Runs words of `lib.sh` and `overlay.sh`.
pub fn draw(words: &str) -> Result<(), Failure> {
    let status = Command::new("bash")
        .args(["-c", &format!(". /ovnet/lib.sh\n{words}")])
        .status()?;
    if !status.success() {
        return Err(format!("{status} from:\n{words}").into());
    }
    Ok(())
}

/// Does something in a namespace, on a thread that ends with it.
pub fn within<T: Send>(
    namespace: &str,
    act: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let file = File::open(format!("/run/netns/{namespace}"))?;
    let done = thread::scope(|scope| {
        let act = || {
            setns(&file, CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string())?;
            act().map_err(|error| error.to_string())
        };
        scope.spawn(act).join()
    });
    match done {
        Ok(result) => result.map_err(|text| format!("in {namespace}: {text}").into()),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A raw socket on a device: sends frames as they are and sees each that
/// passes, in both directions, but those it sent.
pub struct Wire {
    namespace: String,
    device: String,
    name: String,
    socket: OwnedFd,
}

impl Wire {
    /// A socket on the device of a namespace.
    pub fn open(namespace: &str, device: &str) -> Result<Wire, Failure> {
        let socket = within(namespace, || {
            let socket = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::EthAll,
            )?;
            // The device's own entry has no protocol, which keeps the socket's.
            let address = getifaddrs()?
                .filter(|entry| entry.interface_name == device)
                .find_map(|entry| entry.address?.as_link_addr().copied())
                .ok_or("no such device")?;
            bind(socket.as_raw_fd(), &address)?;
            Ok(socket)
        })?;
        Ok(Wire {
            namespace: namespace.to_owned(),
            device: device.to_owned(),
            name: format!("{namespace}/{device}"),
            socket,
        })
    }

    /// Sends a frame. What becomes of it is what a trace says, if that is to be
    /// seen.
    pub fn send(&self, frame: &[u8]) -> Result<(), Failure> {
        if !shadow::is_on() {
            return self.send_alone(frame);
        }
        let foreseen = shadow::foresee(&self.namespace, &self.device, frame)?;
        self.send_alone(frame)?;
        foreseen.map_or(Ok(()), |foreseen| {
            let said = foreseen.comes_true();
            said.map_err(|error| format!("{}, {}: {error}", self.name, hex(frame)).into())
        })
    }

    /// Sends a frame at once, whatever is traced.
    pub fn send_alone(&self, frame: &[u8]) -> Result<(), Failure> {
        let sent = self
            .try_send(frame)
            .map_err(|error| format!("{}: cannot send: {error}", self.name))?;
        if sent != frame.len() {
            return Err(format!("{}: sent {sent} of {} bytes", self.name, frame.len()).into());
        }
        Ok(())
    }

    /// Sends a frame where that may fail; says how much of it went.
    pub fn try_send(&self, frame: &[u8]) -> Result<usize, Errno> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty())
    }

    /// The next frame, if one comes in that time.
    fn next(&self, within: Duration) -> Result<Option<Vec<u8>>, Failure> {
        let left = TimeVal::new(within.as_secs() as i64, i64::from(within.subsec_micros()));
        setsockopt(&self.socket, sockopt::ReceiveTimeout, &left)?;
        let mut frame = vec![0; 1 << 17];
        let length = {
            let mut parts = [IoSliceMut::new(&mut frame)];
            match recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut parts, None, MsgFlags::empty())
            {
                Ok(message) => message.bytes,
                // Nothing comes from a device that has gone down either.
                Err(Errno::EAGAIN | Errno::ENETDOWN) => return Ok(None),
                Err(error) => return Err(format!("{}: cannot receive: {error}", self.name).into()),
            }
        };
        frame.truncate(length);
        Ok(Some(frame))
    }

    /// A frame that has come already.
    pub fn waiting(&self) -> Result<Option<Vec<u8>>, Failure> {
        self.next(Duration::from_micros(100))
    }

    /// The next frame; there must be one.
    pub fn receive(&self) -> Result<Vec<u8>, Failure> {
        self.next(patience())?
            .ok_or_else(|| format!("{}: no frame came", self.name).into())
    }

    /// The next frame, unless none comes.
    pub fn pending(&self) -> Result<Option<Vec<u8>>, Failure> {
        self.next(SILENCE)
    }

    /// The next frame is exactly this one.
    pub fn expect(&self, wanted: &[u8]) -> Result<(), Failure> {
        let got = self.receive()?;
        if got != wanted {
            return Err(format!(
                "{}: expected\n  {}\ngot\n  {}",
                self.name,
                hex(wanted),
                hex(&got)
            )
            .into());
        }
        Ok(())
    }

    /// No frame has come and none comes.
    pub fn silent(&self) -> Result<(), Failure> {
        match self.next(SILENCE)? {
            None => Ok(()),
            Some(frame) => {
                Err(format!("{}: expected nothing, got\n  {}", self.name, hex(&frame)).into())
            }
        }
    }
}

/// The counters and the events of a host.
pub struct Host {
    name: String,
    client: Client,
    seen: BTreeMap<String, u64>,
    events: Receiver<Result<Event, ovnet_uapi::Error>>,
}

impl Host {
    /// Counts and listens from now on.
    pub fn open(name: &str) -> Result<Host, Failure> {
        let (client, listened) = within(name, || {
            let client = Client::connect()?;
            let listened = client.events()?;
            Ok((client, listened))
        })?;
        let mut host = Host {
            name: name.to_owned(),
            client,
            seen: BTreeMap::new(),
            events: forward(listened),
        };
        host.seen = host.read()?;
        Ok(host)
    }

    /// The client in the host's namespace.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn read(&mut self) -> Result<BTreeMap<String, u64>, Failure> {
        let stats = self.client.stats()?;
        let mut all = BTreeMap::from([
            ("tx-packets".to_owned(), stats.tx_packets),
            ("tx-bytes".to_owned(), stats.tx_bytes),
            ("rx-packets".to_owned(), stats.rx_packets),
            ("rx-bytes".to_owned(), stats.rx_bytes),
            ("local-packets".to_owned(), stats.local_packets),
            ("local-bytes".to_owned(), stats.local_bytes),
            ("arp-replies".to_owned(), stats.arp_replies),
            ("icmp-errors".to_owned(), stats.icmp_errors),
            ("labels-cleared".to_owned(), stats.labels_cleared),
            ("forwarded".to_owned(), stats.forwarded),
        ]);
        for drop in stats.drop {
            let reason = match drop.reason {
                Ok(reason) => reason.name().to_owned(),
                Err(number) => number.to_string(),
            };
            all.insert(format!("drop:{reason}"), drop.packets);
        }
        Ok(all)
    }

    /// Since the last call exactly this was counted, and nothing else.
    pub fn counted(&mut self, wanted: &[(&str, u64)]) -> Result<(), Failure> {
        let wanted: BTreeMap<String, u64> = wanted
            .iter()
            .filter(|(_, value)| *value > 0)
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
        let deadline = Instant::now() + patience();
        loop {
            let now = self.read()?;
            let moved = self.moved(&now);
            if moved == wanted {
                self.seen = now;
                return Ok(());
            }
            if Instant::now() > deadline {
                let name = &self.name;
                return Err(format!("{name} counted {moved:?}, not {wanted:?}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What has been counted since the last call, so far.
    pub fn count(&mut self) -> Result<BTreeMap<String, u64>, Failure> {
        let now = self.read()?;
        let moved = self.moved(&now);
        self.seen = now;
        Ok(moved)
    }

    fn moved(&self, now: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        now.iter()
            .map(|(name, value)| {
                let before = self.seen.get(name).copied().unwrap_or_default();
                (name.clone(), value - before)
            })
            .filter(|(_, value)| *value > 0)
            .collect()
    }

    /// The next event, if one comes in that time.
    pub fn event_within(&self, time: Duration) -> Result<Option<Event>, Failure> {
        match self.events.recv_timeout(time) {
            Ok(event) => Ok(Some(event?)),
            Err(_) => Ok(None),
        }
    }

    /// The next event; it must be of this kind.
    pub fn event(&self, kind: EventKind) -> Result<Event, Failure> {
        match self.event_within(patience())? {
            Some(event) if event.kind == kind => Ok(event),
            other => Err(format!("{}: expected {kind:?}, got {other:?}", self.name).into()),
        }
    }

    /// No event has come and none comes.
    pub fn no_event(&self) -> Result<(), Failure> {
        match self.event_within(SILENCE)? {
            None => Ok(()),
            Some(event) => Err(format!("{}: unexpected {event:?}", self.name).into()),
        }
    }
}

/// Reads events on a thread of their own, so that waiting for one can end.
fn forward(events: Events) -> Receiver<Result<Event, ovnet_uapi::Error>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for event in events {
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Fails with the two values if they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<(), Failure> {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{what}: expected {wanted:?}, got {got:?}").into())
}
