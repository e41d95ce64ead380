// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ──┬── S ── v0 ┐
//!                              └── T ── v1 ┴ br0 G 10.0.0.3
//! ```
//!
//! G's address is on a bridge with one of two ports, as that of a machine whose
//! tap goes from one host to another. While it pauses, the bridge changes
//! ports; everything else is the hosts' doing.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{setns, CloneFlags};
use nix::sys::socket::{setsockopt, sockopt};

use super::{Case, Failure};
use crate::overlay::{draw, fewer, longer, same};

/// A node moves between two hosts, and nothing is lost.
pub const CASE: Case = Case {
    name: "move-lossless",
    title: "a node moves between two hosts and back: no packet is lost, none comes twice, a TCP stream goes on",
    rows: &["MV3", "MV4", "MV5"],
    guests: 1,
    timeout: 240,
    run,
};

/// Packets each way, where packets are fast.
const PACKETS: u32 = 100_000;
/// How many go in a row before the sender rests.
const BURST: u32 = 32;
const REST: Duration = Duration::from_millis(3);
const MOVES: u32 = 6;
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S T
         node A on R net 7 10.0.0.2
         for host in S T; do
             ovctl -n $host net set 7
             ovctl -n $host mapping set 7 10.0.0.2 --locator ${LOCATOR[R]}
         done
         ovctl -n R mapping set 7 10.0.0.3 --locator ${LOCATOR[S]} --gen 1
         ovctl -n T mapping set 7 10.0.0.3 --locator ${LOCATOR[S]} --gen 1
         device G on S
         ip -n T link add v1 netns G type ovnet
         ovctl -n S port set v0 --netns G --net 7 --address 10.0.0.3 --gen 1
         ip -n G link add br0 address 02:76:0a:00:00:03 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
         ip -n G link set v1 address 02:76:0a:00:00:03
         ip -n G link set v0 master br0 up
         ip -n G link set v1 up
         ip -n G link set br0 mtu 1480 up
         ip -n G address add 10.0.0.3/24 dev br0
         ip -n G neigh add 10.0.0.2 lladdr 02:76:0a:00:00:02 dev br0 nud permanent
         ip -n A neigh replace 10.0.0.3 lladdr 02:76:0a:00:00:03 dev v0 nud permanent
         pings A 10.0.0.3
         recount R S T",
    )?;
    let pause = Arc::new(Pause::default());
    let there = receive("G", 5000)?;
    let back = receive("A", 5001)?;
    let stream = Stream::open()?;
    let out = send("A", SocketAddrV4::new(G, 5000), None)?;
    let home = send("G", SocketAddrV4::new(A, 5001), Some(pause.clone()))?;

    for number in 0..MOVES {
        thread::sleep(Duration::from_millis(400));
        let (from, to) = if number % 2 == 0 {
            ("S v0", "T v1")
        } else {
            ("T v1", "S v0")
        };
        step(from, to, number + 2, &pause)?;
    }
    out.join().map_err(|_| "the sender of A panicked")??;
    home.join().map_err(|_| "the sender of G panicked")??;
    there
        .join()
        .map_err(|_| "the receiver of G panicked")?
        .check("from A to G")?;
    back.join()
        .map_err(|_| "the receiver of A panicked")?
        .check("from G to A")?;
    stream.finish()?;
    // Whatever was dropped would be under a name. But the stack of a node that pauses may still acknowledge
    // some of the stream, and then finds its new port on standby: those packets do not count.
    draw(
        "for host in R S T; do
             drops=$(ovctl -n $host stats --json | grep -o '\"drop\":\\[[^]]*\\]' |
                 sed 's/{\"reason\":\"port-inactive\",\"packets\":[0-9]*}//')
             [[ $drops == '\"drop\":[]' ]] || fail \"$host: $drops\"
         done
         counted S | grep -q '^forwarded=[1-9]' || fail 'S forwarded nothing'",
    )
}

/// Moves the node, in the order in which a manager would.
fn step(from: &str, to: &str, gen: u32, pause: &Pause) -> Result<(), Failure> {
    let split = |side: &str| -> Result<(String, String), Failure> {
        let (host, device) = side.split_once(' ').ok_or("host and device")?;
        Ok((host.to_owned(), device.to_owned()))
    };
    let ((old, left), (new, right)) = (split(from)?, split(to)?);
    let node = "--netns G --net 7 --address 10.0.0.3";
    draw(&format!(
        "ovctl -n {new} port set {right} {node} --state standby"
    ))?;
    pause.begin();
    draw(&format!(
        "to=$(ovctl -n {new} host show --json | grep -o 'fd00:a:1:[0-9]*::/64' | head -n 1)
         ovctl -n {old} port set {left} {node} --state frozen --forward-to $to
         ip -n G link set {left} nomaster
         ip -n G link set {right} master br0
         ovctl -n R mapping set 7 10.0.0.3 --locator $to --gen {gen}
         ovctl -n {old} mapping set 7 10.0.0.3 --locator $to --gen {gen} --state moved
         ovctl -n {new} port set {right} {node} --state active --gen {gen}"
    ))?;
    pause.end();
    thread::sleep(Duration::from_millis(200));
    // Settled: nobody sends to the old host any more.
    draw(&format!(
        "to=$(ovctl -n {new} host show --json | grep -o 'fd00:a:1:[0-9]*::/64' | head -n 1)
         ovctl -n {old} mapping set 7 10.0.0.3 --locator $to --gen {gen}"
    ))
}

/// The node's pause: its sender rests meanwhile.
#[derive(Default)]
struct Pause {
    wanted: AtomicBool,
    /// Set by the sender while it rests, and for good when it is done.
    rests: AtomicBool,
}

impl Pause {
    fn begin(&self) {
        self.wanted.store(true, SeqCst);
        while !self.rests.load(SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(&self) {
        self.wanted.store(false, SeqCst);
    }

    fn observe(&self) {
        while self.wanted.load(SeqCst) {
            self.rests.store(true, SeqCst);
            thread::sleep(Duration::from_millis(1));
        }
        self.rests.store(false, SeqCst);
    }
}

/// Runs `act` on a thread in a namespace.
fn inside<T: Send + 'static>(
    namespace: &str,
    act: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let file = File::open(format!("/run/netns/{namespace}"))?;
    Ok(thread::spawn(move || {
        setns(&file, CloneFlags::CLONE_NEWNET).expect("the namespace is there");
        act()
    }))
}

fn send(
    from: &str,
    to: SocketAddrV4,
    pause: Option<Arc<Pause>>,
) -> Result<JoinHandle<Result<(), String>>, Failure> {
    inside(from, move || {
        let text = |error: std::io::Error| format!("sending to {to}: {error}");
        let socket = UdpSocket::bind("0.0.0.0:0").map_err(text)?;
        for number in 0..fewer(PACKETS) {
            if number % BURST == 0 {
                thread::sleep(REST);
                if let Some(pause) = &pause {
                    pause.observe();
                }
            }
            socket.send_to(&number.to_be_bytes(), to).map_err(text)?;
        }
        if let Some(pause) = &pause {
            pause.rests.store(true, SeqCst);
        }
        Ok(())
    })
}

/// What a receiver saw.
struct Seen {
    times: Vec<u8>,
    /// Packets that came after a later one.
    late: u32,
}

impl Seen {
    fn check(&self, way: &str) -> Result<(), Failure> {
        let count = |times| self.times.iter().filter(|&&seen| seen == times).count();
        same(&format!("packets lost {way}"), count(0), 0)?;
        same(
            &format!("packets that came once {way}"),
            count(1),
            fewer(PACKETS) as usize,
        )?;
        // Once per move those that were forwarded may come after those that were sent directly.
        if self.late > MOVES * 4 * BURST {
            return Err(format!("{} packets out of order {way}", self.late).into());
        }
        Ok(())
    }
}

fn receive(at: &str, port: u16) -> Result<JoinHandle<Seen>, Failure> {
    let packets = fewer(PACKETS);
    let ready = Arc::new(AtomicBool::new(false));
    let told = ready.clone();
    let thread = inside(at, move || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free");
        setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20)).expect("root may");
        socket
            .set_read_timeout(Some(longer(Duration::from_secs(8))))
            .expect("a timeout is no error");
        told.store(true, SeqCst);
        let mut seen = Seen {
            times: vec![0; packets as usize],
            late: 0,
        };
        let (mut buffer, mut highest, mut all) = ([0; 4], 0, 0);
        // Silence ends it, unless everything has come; then a short one shows that nothing comes twice.
        while socket.recv(&mut buffer).is_ok() {
            let number = u32::from_be_bytes(buffer);
            let times = &mut seen.times[number as usize];
            *times = times.saturating_add(1);
            all += u32::from(*times == 1);
            seen.late += u32::from(number < highest);
            highest = highest.max(number);
            if all == packets {
                let short = Some(Duration::from_millis(300));
                socket
                    .set_read_timeout(short)
                    .expect("a timeout is no error");
            }
        }
        seen
    })?;
    while !ready.load(SeqCst) {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(thread)
}

/// A TCP stream from A to G, numbers in a row.
struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    sender: JoinHandle<Result<(), String>>,
    receiver: JoinHandle<Result<u32, String>>,
}

impl Stream {
    fn open() -> Result<Stream, Failure> {
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU32::new(0)),
        );
        let ready = Arc::new(AtomicBool::new(false));
        let told = ready.clone();
        let receiver = inside("G", move || {
            let text = |error: std::io::Error| format!("receiving the stream: {error}");
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 5002)).map_err(text)?;
            told.store(true, SeqCst);
            let (mut stream, _) = listener.accept().map_err(text)?;
            let (mut number, mut word) = (0, [0; 4]);
            loop {
                match stream.read_exact(&mut word) {
                    Ok(()) if u32::from_be_bytes(word) == number => number += 1,
                    Ok(()) => return Err(format!("the stream is broken after {number} words")),
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                        return Ok(number)
                    }
                    Err(error) => return Err(text(error)),
                }
            }
        })?;
        while !ready.load(SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let (stopped, count) = (stop.clone(), sent.clone());
        let sender = inside("A", move || {
            let text = |error: std::io::Error| format!("sending the stream: {error}");
            let mut stream = TcpStream::connect((G, 5002)).map_err(text)?;
            while !stopped.load(SeqCst) {
                let mut words = Vec::new();
                for _ in 0..256 {
                    words.extend(count.fetch_add(1, SeqCst).to_be_bytes());
                }
                stream.write_all(&words).map_err(text)?;
                thread::sleep(REST);
            }
            Ok(())
        })?;
        Ok(Stream {
            stop,
            sent,
            sender,
            receiver,
        })
    }

    fn finish(self) -> Result<(), Failure> {
        let start = Instant::now();
        self.stop.store(true, SeqCst);
        self.sender
            .join()
            .map_err(|_| "the stream's sender panicked")??;
        let received = self
            .receiver
            .join()
            .map_err(|_| "the stream's receiver panicked")??;
        if start.elapsed() > longer(Duration::from_secs(30)) {
            return Err("the stream took too long to end".into());
        }
        same("words of the stream", received, self.sent.load(SeqCst))
    }
}
