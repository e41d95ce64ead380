// SPDX-License-Identifier: GPL-2.0

//! Conversations that count what is lost: numbered datagrams and a stream of numbers, each until it is
//! stopped.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{setns, CloneFlags};
use nix::sys::socket::{setsockopt, sockopt};

use crate::cases::Failure;
use crate::overlay::{longer, same};

/// How many datagrams go in a row before the sender rests.
pub const BURST: u32 = 32;
/// Pauses in what arrives that are shorter are those of the sender.
const GAP: Duration = Duration::from_millis(40);

/// A node's pause: what it sends rests meanwhile.
#[derive(Default)]
pub struct Pause {
    wanted: AtomicBool,
    /// Set by the sender while it rests, and for good when it is done.
    rests: AtomicBool,
}

impl Pause {
    /// Begins it, and waits until the sender rests.
    pub fn begin(&self) {
        self.wanted.store(true, SeqCst);
        while !self.rests.load(SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it.
    pub fn end(&self) {
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

fn await_ready(ready: &AtomicBool) {
    while !ready.load(SeqCst) {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Numbered datagrams from one node to another.
pub struct Flow {
    stop: Arc<AtomicBool>,
    /// How many were sent, when that is known.
    all: Arc<AtomicU32>,
    sender: JoinHandle<Result<u32, String>>,
    receiver: JoinHandle<Seen>,
}

/// What arrived of a flow.
pub struct Seen {
    times: Vec<u8>,
    /// Datagrams that came after a later one.
    pub late: u32,
    /// When nothing came for longer than the sender rests, and for how long.
    pub gaps: Vec<(Instant, Duration)>,
}

impl Seen {
    /// How many datagrams came, each counted once.
    pub fn count(&self) -> u32 {
        self.times.iter().map(|&times| u32::from(times > 0)).sum()
    }
}

impl Flow {
    /// Begins to send to an address of the node `at`, [`BURST`] datagrams and then a rest.
    pub fn open(
        (from, at): (&str, &str),
        to: SocketAddrV4,
        rest: Duration,
        pause: Option<Arc<Pause>>,
    ) -> Result<Flow, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let all = Arc::new(AtomicU32::new(u32::MAX));
        let ready = Arc::new(AtomicBool::new(false));
        let (told, known) = (ready.clone(), all.clone());
        let receiver = inside(at, move || receive(to.port(), &told, &known))?;
        await_ready(&ready);
        let (stopped, count) = (stop.clone(), all.clone());
        let sender = inside(from, move || {
            let sent = send(to, rest, &stopped, pause.as_deref());
            if let Some(pause) = &pause {
                pause.rests.store(true, SeqCst);
            }
            count.store(*sent.as_ref().unwrap_or(&0), SeqCst);
            sent
        })?;
        Ok(Flow {
            stop,
            all,
            sender,
            receiver,
        })
    }

    /// Stops it, waits for what is under way, and checks that each datagram came, and came once.
    pub fn finish(self, way: &str) -> Result<Seen, Failure> {
        self.stop.store(true, SeqCst);
        let sent = self.sender.join();
        let sent = sent.map_err(|_| format!("the sender {way} panicked"))??;
        same("datagrams sent", self.all.load(SeqCst), sent)?;
        let seen = self.receiver.join();
        let seen = seen.map_err(|_| format!("the receiver {way} panicked"))?;
        let count = |times| seen.times.iter().filter(|&&seen| seen == times).count();
        println!(
            "{way}: {sent} sent, {} lost, {} twice or more, {} late",
            sent as usize - (seen.times.len() - count(0)),
            seen.times.len() - count(0) - count(1),
            seen.late
        );
        same(
            &format!("datagrams that came once {way}"),
            count(1),
            sent as usize,
        )?;
        same(&format!("datagrams {way}"), seen.times.len(), sent as usize)?;
        Ok(seen)
    }
}

fn send(
    to: SocketAddrV4,
    rest: Duration,
    stop: &AtomicBool,
    pause: Option<&Pause>,
) -> Result<u32, String> {
    let text = |error: std::io::Error| format!("sending to {to}: {error}");
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(text)?;
    let mut number = 0_u32;
    while !stop.load(SeqCst) {
        if let Some(pause) = pause {
            pause.observe();
        }
        for _ in 0..BURST {
            socket.send_to(&number.to_be_bytes(), to).map_err(text)?;
            number += 1;
        }
        thread::sleep(rest);
    }
    Ok(number)
}

fn receive(port: u16, ready: &AtomicBool, all: &AtomicU32) -> Seen {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free");
    setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20)).expect("root may");
    let short = Duration::from_millis(300);
    let timeout = socket.set_read_timeout(Some(short));
    timeout.expect("a timeout is no error");
    ready.store(true, SeqCst);
    let mut seen = Seen {
        times: Vec::new(),
        late: 0,
        gaps: Vec::new(),
    };
    let (mut buffer, mut got, mut last) = ([0; 4], 0, Instant::now());
    // Silence ends it: a short one if everything has come, which shows that nothing comes twice.
    loop {
        if socket.recv(&mut buffer).is_err() {
            let all = all.load(SeqCst);
            let silent = last.elapsed() > longer(Duration::from_secs(8));
            if all != u32::MAX && (got >= all || silent) {
                return seen;
            }
            continue;
        }
        let (now, number) = (Instant::now(), u32::from_be_bytes(buffer) as usize);
        if now - last > GAP && got > 0 {
            seen.gaps.push((last, now - last));
        }
        last = now;
        seen.late += u32::from(number + 1 < seen.times.len());
        if number >= seen.times.len() {
            seen.times.resize(number + 1, 0);
        }
        let times = &mut seen.times[number];
        *times = times.saturating_add(1);
        got += u32::from(*times == 1);
    }
}

/// A TCP stream between two nodes, numbers in a row.
pub struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    sender: JoinHandle<Result<(), String>>,
    receiver: JoinHandle<Result<u32, String>>,
}

impl Stream {
    /// Connects, and begins to send.
    pub fn open(
        (from, at): (&str, &str),
        to: SocketAddrV4,
        rest: Duration,
    ) -> Result<Stream, Failure> {
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU32::new(0)),
        );
        let ready = Arc::new(AtomicBool::new(false));
        let told = ready.clone();
        let receiver = inside(at, move || {
            let text = |error: std::io::Error| format!("receiving the stream: {error}");
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, to.port())).map_err(text)?;
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
        await_ready(&ready);
        let (stopped, count) = (stop.clone(), sent.clone());
        let sender = inside(from, move || {
            let text = |error: std::io::Error| format!("sending the stream: {error}");
            let mut stream = TcpStream::connect(to).map_err(text)?;
            while !stopped.load(SeqCst) {
                let mut words = Vec::new();
                for _ in 0..256 {
                    words.extend(count.fetch_add(1, SeqCst).to_be_bytes());
                }
                stream.write_all(&words).map_err(text)?;
                thread::sleep(rest);
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

    /// Ends it; all that was sent must have come.
    pub fn finish(self) -> Result<(), Failure> {
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
