// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  R      every command, with its first allocation failing, its second, …
//! ```
//!
//! Whatever it answers, a command then has done what it does, or nothing: the
//! answer takes memory too. And it can be given again. That nothing is lost on
//! the way is for the harness to see.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    recv, send, socket, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType,
};
use ovnet_uapi::{
    Action, Client, Criteria, Device, Direction, Error, HostSet, Locator, MappingSet, MappingState,
    NetworkSet, Peering, PortSet, PortState, Prefix, ResolverState, RuleSet, Vni,
};

use super::{Case, Failure};
use crate::fault::{self, is_lack_of_memory, Nth};
use crate::overlay::{draw, within};

/// No command is half done when memory runs out.
pub const CASE: Case = Case {
    name: "allocation-failures",
    title:
        "whichever allocation fails, a command is done or not done, says so, and can be repeated",
    rows: &[],
    guests: 1,
    timeout: 240,
    run,
};

/// Nor is a device half made, or half gone.
pub const LINKS: Case = Case {
    name: "allocation-failures-links",
    title: "whichever allocation fails, a device is made or not made, goes or stays, and can be tried again",
    rows: &[],
    guests: 1,
    timeout: 180,
    run: links,
};

/// More than any command makes.
const LIMIT: u32 = 400;
const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

type Act<'a> = &'a dyn Fn(&mut Client) -> Result<(), Failure>;

fn run() -> Result<(), Failure> {
    over(|bench| {
        bench.hosts_and_networks()?;
        bench.ports()?;
        bench.mappings()?;
        bench.policy()?;
        bench.dumps()
    })
}

fn links() -> Result<(), Failure> {
    over(|bench| {
        bench.keeps_host.set(true);
        bench.links()
    })
}

/// Tries commands; says what any of them did wrong.
fn over(commands: impl FnOnce(&Bench) -> Result<(), Failure> + Send) -> Result<(), Failure> {
    fault::prepare()?;
    draw("modprobe ovnet; ns R; ip -n R link add v0 type ovnet")?;
    within("R", || {
        let vni = |number| Vni::new(number).ok_or("a VNI");
        let bench = Bench {
            nth: Nth::of_this_thread()?,
            keeps_host: Cell::new(false),
            wrong: RefCell::default(),
            own: Locator::new(0xfd00_000a, 0x0001_0001)?,
            vni: vni(7)?,
            peer: vni(8)?,
            port: Device::here(if_nametoindex("v0")?),
        };
        commands(&bench)?;
        match bench.wrong.take() {
            wrong if wrong.is_empty() => Ok(()),
            wrong => Err(wrong.join("\n").into()),
        }
    })
}

/// What the commands are about.
struct Bench {
    nth: Nth,
    /// Whether the host stays set from one try to the next.
    keeps_host: Cell<bool>,
    /// What commands did wrong.
    wrong: RefCell<Vec<String>>,
    own: Locator,
    vni: Vni,
    peer: Vni,
    port: Device<'static>,
}

// What is set up, from nothing, for the commands.
impl Bench {
    fn host(&self, client: &mut Client) -> Result<(), Failure> {
        Ok(client.host_set(self.own)?)
    }

    fn networks(&self, client: &mut Client) -> Result<(), Failure> {
        self.host(client)?;
        client.network_set(&NetworkSet::new(self.peer))?;
        Ok(client.network_set(&NetworkSet::new(self.vni))?)
    }

    fn ported(&self, client: &mut Client) -> Result<(), Failure> {
        self.networks(client)?;
        Ok(client.port_set(&self.place())?)
    }

    fn mapped(&self, client: &mut Client) -> Result<(), Failure> {
        self.networks(client)?;
        Ok(client.mapping_set(&self.away(OTHER, 2)?)?)
    }

    fn ruled(&self, client: &mut Client) -> Result<(), Failure> {
        self.mapped(client)?;
        client.peering_set(&self.peering())?;
        Ok(client.rules_set(self.vni, &[rule(1), rule(2)])?)
    }

    fn place(&self) -> PortSet<'static> {
        PortSet::new(self.port, self.vni, NODE)
    }

    /// A mapping behind the host of this number.
    fn away(&self, node: Ipv4Addr, host: u32) -> Result<MappingSet, Failure> {
        let there = Locator::new(0xfd00_000a, 0x0001_0000 + host)?;
        Ok(MappingSet::remote(self.vni, node, there))
    }

    fn peering(&self) -> Peering {
        Peering {
            from: self.vni,
            to: self.peer,
            src: Prefix::ALL,
            dst: Prefix::ALL,
        }
    }
}

fn rule(id: u32) -> RuleSet {
    RuleSet {
        id: Some(id),
        direction: Direction::Out,
        priority: Some(100),
        action: Action::Deny,
        criteria: Criteria::ALL,
    }
}

// The commands.
impl Bench {
    fn hosts_and_networks(&self) -> Result<(), Failure> {
        let resolver = HostSet {
            resolver: Some(ResolverState::Ready),
            ..HostSet::default()
        };
        self.try_all("host set", &|_| Ok(()), &|c| self.host(c))?;
        self.try_all(
            "host del",
            &|c| self.host(c),
            &|c| Ok(c.host_del(self.own)?),
        )?;
        // To take it away each time would take most of the time.
        self.keeps_host.set(true);
        self.try_all("resolver", &|c| self.host(c), &|c| {
            Ok(c.host_configure(&resolver)?)
        })?;
        self.try_all("net set", &|c| self.host(c), &|c| {
            Ok(c.network_set(&NetworkSet::new(self.vni))?)
        })?;
        self.try_all("net del", &|c| self.ruled(c), &|c| {
            Ok(c.network_del(self.vni)?)
        })
    }

    fn ports(&self) -> Result<(), Failure> {
        let in_state = |state| PortSet {
            state: Some(state),
            ..self.place()
        };
        self.try_all("port set", &|c| self.networks(c), &|c| {
            Ok(c.port_set(&self.place())?)
        })?;
        self.try_all("port set, standby", &|c| self.networks(c), &|c| {
            Ok(c.port_set(&in_state(PortState::Standby))?)
        })?;
        self.try_all("port set, frozen", &|c| self.ported(c), &|c| {
            Ok(c.port_set(&in_state(PortState::Frozen))?)
        })?;
        let frozen = |c: &mut Client| {
            self.ported(c)?;
            Ok(c.port_set(&in_state(PortState::Frozen))?)
        };
        self.try_all("mapping set, moved", &frozen, &|c| {
            Ok(c.mapping_set(&MappingSet {
                state: MappingState::Moved,
                gen: Some(10),
                ..self.away(NODE, 2)?
            })?)
        })?;
        self.try_all("port del", &|c| self.ported(c), &|c| {
            Ok(c.port_del(self.port)?)
        })
    }

    fn mappings(&self) -> Result<(), Failure> {
        self.try_all("mapping set", &|c| self.networks(c), &|c| {
            Ok(c.mapping_set(&self.away(OTHER, 2)?)?)
        })?;
        self.try_all("mapping set, elsewhere", &|c| self.mapped(c), &|c| {
            Ok(c.mapping_set(&self.away(OTHER, 3)?)?)
        })?;
        self.try_all("mapping set, negative", &|c| self.mapped(c), &|c| {
            Ok(c.mapping_set(&MappingSet {
                hard_ttl: Some(std::time::Duration::from_secs(600)),
                ..MappingSet::negative(self.vni, Ipv4Addr::new(10, 0, 0, 77))
            })?)
        })?;
        self.try_all("mapping del", &|c| self.mapped(c), &|c| {
            Ok(c.mapping_del(self.vni, OTHER, None)?)
        })?;
        // What a batch has set before it ends stays.
        let batch = (0..4)
            .map(|number| self.away(Ipv4Addr::new(10, 0, 1, number), u32::from(number) + 2))
            .collect::<Result<Vec<_>, _>>()?;
        let first = |many: usize| {
            let batch = &batch;
            move |c: &mut Client| -> Result<(), Failure> {
                c.mapping_batch(&batch[..many]).map(drop)?;
                Ok(())
            }
        };
        let parts = [first(1), first(2), first(3)];
        let parts: Vec<Act> = parts.iter().map(|part| part as Act).collect();
        self.try_parts("mapping batch", &|c| self.networks(c), &first(4), &parts)
    }

    fn policy(&self) -> Result<(), Failure> {
        self.try_all("rule set", &|c| self.ruled(c), &|c| {
            Ok(c.rules_set(self.vni, &[rule(2), rule(3), rule(4)])?)
        })?;
        self.try_all("rule del", &|c| self.ruled(c), &|c| {
            Ok(c.rules_del(self.vni, &[1])?)
        })?;
        self.try_all("peering set", &|c| self.mapped(c), &|c| {
            Ok(c.peering_set(&self.peering())?)
        })?;
        self.try_all("peering del", &|c| self.ruled(c), &|c| {
            Ok(c.peering_del(&self.peering())?)
        })
    }

    fn dumps(&self) -> Result<(), Failure> {
        self.try_all("mapping show", &|c| self.ruled(c), &|c| {
            all(c.mappings(None)?).map(drop)
        })?;
        self.try_all("port show", &|c| self.ported(c), &|c| {
            all(c.ports()?).map(drop)
        })?;
        self.try_all("rule show", &|c| self.ruled(c), &|c| {
            all(c.rules(None)?).map(drop)
        })?;
        self.try_all("stats show", &|c| self.ruled(c), &|c| {
            c.stats()?;
            all(c.all_stats(None)?).map(drop)
        })
    }

    fn links(&self) -> Result<(), Failure> {
        // Of one allocation the kernel itself does not look whether there is memory for it, the name of the
        // device (netdev_register_kobject), and refuses a device without one (device_add). It may be met more
        // than once, as caches fill and numbers shift.
        let nameless = Cell::new(0);
        let add = |_: &mut Client| {
            change_link(RTM_NEWLINK).map_err(|failure| {
                let invalid = failure.downcast_ref() == Some(&Errno::EINVAL);
                nameless.set(nameless.get() + u32::from(invalid));
                match invalid && nameless.get() < 4 {
                    true => Errno::ENOMEM.into(),
                    false => failure,
                }
            })
        };
        self.try_all("link add", &|c| self.mapped(c), &add)?;
        self.try_all("link del", &add, &|_| change_link(RTM_DELLINK))
    }
}

impl Bench {
    fn try_all(&self, name: &str, set_up: Act, act: Act) -> Result<(), Failure> {
        self.try_parts(name, set_up, act, &[])
    }

    /// Runs a command once well, and then with each of its allocations failing.
    /// It may have come as far as one of `parts`. Notes the first thing that goes
    /// wrong; what cannot be tried is an error.
    fn try_parts(&self, name: &str, set_up: Act, act: Act, parts: &[Act]) -> Result<(), Failure> {
        let tried = self.vary(set_up, act, parts);
        match tried.map_err(|error| format!("{name}: {error}"))? {
            Ok(count) => println!("{name}: {count} allocations"),
            Err(wrong) => self.wrong.borrow_mut().push(format!("{name}: {wrong}")),
        }
        Ok(())
    }

    fn vary(&self, set_up: Act, act: Act, parts: &[Act]) -> Result<Result<u32, String>, Failure> {
        let before = state(&mut self.fresh(set_up)?)?;
        let after = |act: Act| -> Result<String, Failure> {
            let mut client = self.fresh(set_up)?;
            act(&mut client)?;
            state(&mut client)
        };
        let done = after(act)?;
        let partial = parts.iter().map(|part| after(*part));
        let partial = partial.collect::<Result<Vec<_>, _>>()?;
        for number in 1..LIMIT {
            let mut client = self.fresh(set_up)?;
            let (failed, result) = self.nth.fail(number, || act(&mut client))?;
            let now = state(&mut client_anew(client)?)?;
            let wrong = |what: &str| {
                format!("allocation {number}: {what}: {result:?}, and there is\n{now}\nnot\n{done}\nor\n{before}")
            };
            if !failed {
                return Ok(match &result {
                    Ok(()) if now == done && number > 1 => Ok(number - 1),
                    _ => Err(wrong("did not fail")),
                });
            }
            match &result {
                Ok(()) if now != done => return Ok(Err(wrong("not done"))),
                Err(failure) if !is_lack_of_memory(failure) => {
                    return Ok(Err(wrong("refused otherwise")));
                }
                Err(_) if now != done && now != before && !partial.contains(&now) => {
                    return Ok(Err(wrong("half done")));
                }
                _ => {}
            }
            if now != done {
                let mut client = Client::connect()?;
                if let Err(error) = act(&mut client) {
                    return Ok(Err(wrong(&format!("again: {error}"))));
                }
                let now = state(&mut client)?;
                if now != done {
                    return Ok(Err(wrong(&format!("again: {now}"))));
                }
            }
        }
        Ok(Err(format!("more than {LIMIT} allocations")))
    }

    /// A client, with everything taken away and what is wanted set up.
    fn fresh(&self, set_up: Act) -> Result<Client, Failure> {
        let mut client = Client::connect()?;
        if is_link() {
            change_link(RTM_DELLINK)?;
        }
        if all(client.ports()?)?.iter().any(|port| port.vni.is_some()) {
            client.port_del(self.port)?;
        }
        for network in all(client.networks()?)? {
            client.network_del(network.vni)?;
        }
        client.host_configure(&HostSet {
            resolver: Some(ResolverState::None),
            ..HostSet::default()
        })?;
        let own = client.host_get(None).ok();
        if let Some(own) = own.filter(|_| !self.keeps_host.get()) {
            client.host_del(own.locator)?;
        }
        set_up(&mut client)?;
        Ok(client)
    }
}

/// A connection that has nothing unread. The old one goes with what it was to
/// the kernel.
fn client_anew(old: Client) -> Result<Client, Failure> {
    drop(old);
    Ok(Client::connect()?)
}

/// All there is, but how long ago it was used.
fn state(client: &mut Client) -> Result<String, Failure> {
    let link = is_link();
    let mut ports = all(client.ports()?)?;
    ports.retain(|port| port.vni.is_some());
    ports.iter_mut().for_each(|port| port.idle = None);
    let mut mappings = all(client.mappings(None)?)?;
    mappings.sort_by_key(|mapping| mapping.address);
    for mapping in &mut mappings {
        (mapping.idle, mapping.hard_ttl) = (None, None);
    }
    let mut hosts = all(client.hosts()?)?;
    hosts.sort_by_key(|host| host.locator.bits());
    // A resolver is lost with its client.
    for host in &mut hosts {
        if host.resolver == Some(ResolverState::Lost) {
            host.resolver = Some(ResolverState::Ready);
        }
    }
    let mut networks = all(client.networks()?)?;
    networks.sort_by_key(|network| network.vni.get());
    Ok(format!(
        "link {link}\n{hosts:?}\n{networks:?}\n{ports:?}\n{mappings:?}\n{:?}\n{:?}",
        all(client.rules(None)?)?,
        all(client.peerings(None, None)?)?,
    ))
}

fn all<T>(dump: impl Iterator<Item = Result<T, Error>>) -> Result<Vec<T>, Failure> {
    Ok(dump.collect::<Result<_, _>>()?)
}

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;

/// Whether the device is there that commands make and delete.
fn is_link() -> bool {
    if_nametoindex("v9").is_ok()
}

/// Asks rtnetlink for a device of our kind, or to delete it (rtnetlink(7)): a
/// program that does it would allocate much of its own.
fn change_link(kind: u16) -> Result<(), Failure> {
    const IFLA_IFNAME: u16 = 3;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    // NLM_F_REQUEST | NLM_F_ACK, and for a new one NLM_F_CREATE | NLM_F_EXCL.
    let flags: u16 = if kind == RTM_NEWLINK { 0x605 } else { 0x5 };
    let mut message = vec![0; 16 + 16];
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message.extend(attribute(IFLA_IFNAME, b"v9\0"));
    let own = attribute(IFLA_INFO_KIND, b"ovnet\0");
    message.extend(attribute(IFLA_LINKINFO, &own));
    let length = u32::try_from(message.len())?;
    message[..4].copy_from_slice(&length.to_ne_bytes());

    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = [0; 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // The error number comes behind the header.
    let error = answer[..length].get(16..20).map(TryInto::try_into);
    match error {
        Some(Ok(bytes)) => match i32::from_ne_bytes(bytes) {
            0 => Ok(()),
            error => Err(Errno::from_raw(-error).into()),
        },
        _ => Err("an answer of rtnetlink that is none".into()),
    }
}

/// An attribute, padded.
fn attribute(kind: u16, bytes: &[u8]) -> Vec<u8> {
    let length = 4 + bytes.len() as u16;
    let mut attribute = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    attribute.extend(bytes);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}
