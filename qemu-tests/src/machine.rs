// SPDX-License-Identifier: GPL-2.0

//! Guests: their QEMU command line, their boot, and what they tell.

use std::fs::{self, File};
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::console::{Console, News};
use crate::environment::Environment;
use crate::payload::Payload;
use crate::protocol::Message;
use crate::wire::Wire;

/// A boot takes some 8 s on two idle cores without KVM.
const BOOT: Duration = Duration::from_secs(180);

/// How often a boot is tried again after the early Oops TCG causes.
const ATTEMPTS: u32 = 4;

/// What the clock of a guest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time.
    Time,
    /// Executed instructions, one a nanosecond, on the one CPU there is then. While that idles it goes with time.
    /// The same program takes the same time, whatever the machine below does (QEMU: `-icount`).
    Instructions,
}

/// Something that happened in a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `ovnet-guest` said something.
    Control(Message),
    /// The console did.
    Console(News),
}

/// One running guest.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    control: UnixStream,
    /// Its kernel log.
    pub console: Console,
}

/// Guests on one wire, booted together.
#[derive(Debug)]
pub struct Group {
    /// The guests; guest 1 is the first.
    pub machines: Vec<Machine>,
    events: Receiver<(usize, Event)>,
    _wire: Wire,
    directory: PathBuf,
}

impl Group {
    /// Boots `guests` guests and waits until each takes programs.
    pub fn boot(
        environment: &Environment,
        payload: &Payload,
        guests: usize,
        clock: Clock,
    ) -> io::Result<Group> {
        let mut attempt = 1;
        loop {
            let mut group = Group::start(environment, payload, guests, clock)?;
            match group.wait_until_ready(environment) {
                Ok(()) => return Ok(group),
                Err(_) if attempt < ATTEMPTS && group.died_early() => {
                    eprintln!("note: boot {attempt} ended before its first process; booting again");
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn start(
        environment: &Environment,
        payload: &Payload,
        guests: usize,
        clock: Clock,
    ) -> io::Result<Group> {
        let directory = payload.archive.with_file_name("wire");
        fs::create_dir(&directory)?;
        let (sender, events) = mpsc::channel();
        let mut group = Group {
            machines: Vec::new(),
            events,
            _wire: Wire::new(&directory, guests)?,
            directory,
        };
        for guest in 0..guests {
            let netdev = group._wire.netdev(guest);
            let socket = group.directory.join(format!("control-{guest}"));
            let mut command = qemu(environment, payload, guests, clock, "");
            command
                .arg("-netdev")
                .arg(netdev)
                .arg("-device")
                .arg(format!(
                    "virtio-net-pci,netdev=wire,romfile=,mac=52:54:00:00:00:{:02x}",
                    guest + 1
                ))
                .arg("-chardev")
                .arg(format!("socket,id=control,path={}", socket.display()))
                .args(["-device", "virtio-serial-pci", "-device"])
                .arg(format!(
                    "virtserialport,chardev=control,name={}",
                    crate::protocol::PORT_NAME
                ))
                .args(["-serial", "stdio"]);
            let log = environment.logs().join(format!("guest-{}.log", guest + 1));
            let machine = Machine::start(command, &socket, &log, guest, &sender)?;
            group.machines.push(machine);
        }
        Ok(group)
    }

    fn wait_until_ready(&mut self, environment: &Environment) -> io::Result<()> {
        let deadline = Instant::now() + BOOT * environment.patience().min(3);
        let mut waiting = self.machines.len();
        while waiting > 0 {
            match self.next(deadline) {
                Some((_, Event::Control(Message::Ready))) => waiting -= 1,
                Some((guest, Event::Console(News::Complaint | News::Closed))) => {
                    thread::sleep(Duration::from_secs(1));
                    return Err(self.not_booted(guest, "did not boot"));
                }
                Some(_) => {}
                None => return Err(self.not_booted(0, "did not boot in time")),
            }
        }
        Ok(())
    }

    fn not_booted(&self, guest: usize, what: &str) -> io::Error {
        let console = &self.machines[guest].console;
        let lines = console.take_complaint().unwrap_or_else(|| console.tail(20));
        io::Error::other(format!("guest {} {what}:\n{}", guest + 1, lines.join("\n")))
    }

    fn died_early(&self) -> bool {
        self.machines
            .iter()
            .any(|machine| machine.console.died_early())
    }

    /// The next event of any guest (counted from 0), or `None` at the deadline.
    pub fn next(&mut self, deadline: Instant) -> Option<(usize, Event)> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.events.recv_timeout(left).ok()
    }

    /// Says something to one guest.
    pub fn send(&mut self, guest: usize, message: &Message) -> io::Result<()> {
        message.send(&mut self.machines[guest].control)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for machine in &mut self.machines {
            // Both fail only if the guest has ended, which is what they are for.
            let _ = machine.child.kill();
            let _ = machine.child.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Machine {
    fn start(
        mut command: Command,
        socket: &Path,
        log: &Path,
        guest: usize,
        events: &Sender<(usize, Event)>,
    ) -> io::Result<Machine> {
        let listener = UnixListener::bind(socket)?;
        let log = File::create(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?)
            .spawn()
            .map_err(|e| io::Error::new(e.kind(), format!("qemu-system-x86_64: {e}")))?;
        let console = Console::default();
        if let Some(output) = child.stdout.take() {
            let (console, events) = (console.clone(), events.clone());
            thread::spawn(move || {
                console.watch(output, log, |news| {
                    // Nobody listens once the group is dropped.
                    let _ = events.send((guest, Event::Console(news)));
                });
            });
        }
        let control = accept(&listener, &mut child)?;
        let mut reader = control.try_clone()?;
        let events = events.clone();
        thread::spawn(move || {
            while let Ok(Some(message)) = Message::receive(&mut reader) {
                if events.send((guest, Event::Control(message))).is_err() {
                    break;
                }
            }
        });
        Ok(Machine {
            child,
            control,
            console,
        })
    }
}

/// QEMU connects before the guest starts, or ends with a message in its log.
fn accept(listener: &UnixListener, child: &mut Child) -> io::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!(
                "qemu-system-x86_64: {status}; see out/qemu/guest-1.log"
            )));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// What every guest has: kernel, memory, disks, no default devices. `append`
/// goes to the kernel's command line.
pub fn qemu(
    environment: &Environment,
    payload: &Payload,
    guests: usize,
    clock: Clock,
    append: &str,
) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(match clock {
        Clock::Time if environment.kvm => ["-accel", "kvm", "-cpu", "host"],
        Clock::Time => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        Clock::Instructions => ["-accel", "tcg,thread=single", "-cpu", COUNTED_CPU],
    });
    let (cpus, options) = match clock {
        Clock::Time => (if guests == 1 { "2" } else { "1" }, "mitigations=off"),
        Clock::Instructions => {
            command.args(["-icount", "shift=0", "-seed", "1"]);
            command.args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
            ("1", "nokaslr")
        }
    };
    command
        // What a kernel remembers to check itself takes as much again. And the
        // other machine describes its interrupts by a program, which takes such
        // a kernel longer than the 30 s that ACPI gives it.
        .args(if environment.is_debug() {
            ["-machine", "q35", "-m", "2G"]
        } else {
            ["-machine", "pc", "-m", "1G"]
        })
        .args(["-smp", cpus])
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(environment.kernel_dir.join("vmlinuz"))
        .arg("-initrd")
        .arg(&payload.initramfs)
        .arg("-append")
        .arg(format!("{COMMAND_LINE} {options} {append}"))
        .arg("-drive")
        .arg(format!(
            "if=none,id=root,format=raw,snapshot=on,file={}",
            environment.rootfs.display()
        ))
        .args(["-device", "virtio-blk-pci,drive=root", "-drive"])
        .arg(format!(
            "if=none,id=payload,format=raw,read-only=on,file={}",
            payload.archive.display()
        ))
        .args(["-device", "virtio-blk-pci,drive=payload"]);
    command
}

/// `loglevel` lets warnings and the markers of the protocol through to the
/// console; `devkmsg` keeps the kernel from rationing those markers.
const COMMAND_LINE: &str = "console=ttyS0 panic=-1 loglevel=6 printk.devkmsg=on \
    random.trust_cpu=on";

/// Copies are by words, since `rep movsb` would count once per byte, and nothing random comes from outside.
const COUNTED_CPU: &str = "max,-erms,-rdrand,-rdseed";
