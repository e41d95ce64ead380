// SPDX-License-Identifier: GPL-2.0

//! The guest's end of the control channel: runs one program at a time for
//! the host and passes its output, its barriers and its exit status on.
//!
//! Locks: `Channel` (the port's writing side) and `Waiting` (programs at a
//! barrier) are never held together.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ovnet_qemu_tests::barrier;
use ovnet_qemu_tests::protocol::{Message, END_OF_PROGRAM, PORT_NAME};

type Channel = Arc<Mutex<File>>;
type Waiting = Arc<Mutex<HashMap<String, Vec<UnixStream>>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => serve(),
        [command, name] if command == "barrier" => Ok(barrier::wait(name)?),
        _ => Err("usage: ovnet-guest [barrier NAME]".into()),
    }
}

/// Serves the host until it hangs up.
fn serve() -> Result<(), Box<dyn Error>> {
    let mut port = open_port()?;
    let channel: Channel = Arc::new(Mutex::new(port.try_clone()?));
    let waiting = Waiting::default();
    fs::create_dir_all("/run/ovnet")?;
    let listener = UnixListener::bind(barrier::SOCKET)?;
    thread::spawn({
        let (channel, waiting) = (channel.clone(), waiting.clone());
        move || accept(&listener, &channel, &waiting)
    });
    send(&channel, &Message::Ready)?;

    let mut group = None;
    let mut programs = 0;
    while let Some(message) = Message::receive(&mut port)? {
        match message {
            Message::Run(arguments) => {
                programs += 1;
                lock(&waiting).clear();
                group = start(&arguments, programs, &channel)?;
            }
            Message::Barrier(name) => {
                for mut stream in lock(&waiting).remove(&name).unwrap_or_default() {
                    // A program that was killed at the barrier needs no answer.
                    let _ = stream.write_all(b"+");
                }
            }
            Message::Abort => {
                if let Some(group) = group {
                    Command::new("kill")
                        .args(["-9", "--", &format!("-{group}")])
                        .status()?;
                }
            }
            other => {
                return Err(format!("the host sent {other:?}, which is a guest's to say").into())
            }
        }
    }
    Ok(())
}

/// Finds the control port by its name; udev, which would name it, is absent.
fn open_port() -> Result<File, Box<dyn Error>> {
    for entry in fs::read_dir("/sys/class/virtio-ports")? {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("name"))?.trim() == PORT_NAME {
            let device = format!("/dev/{}", entry.file_name().to_string_lossy());
            return Ok(OpenOptions::new().read(true).write(true).open(device)?);
        }
    }
    Err(format!("no virtio port is named {PORT_NAME}").into())
}

/// Starts a program in a process group of its own, and returns that group. A
/// program that cannot start has failed like any other.
fn start(arguments: &[String], number: u32, channel: &Channel) -> io::Result<Option<u32>> {
    let spawned = Command::new(&arguments[0])
        .args(&arguments[1..])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let text = format!("{}: {error}\n", arguments[0]);
            send(channel, &Message::Stderr(text.into_bytes()))?;
            finish(127, number, channel)?;
            return Ok(None);
        }
    };
    let group = child.id();
    let outputs = [
        child
            .stdout
            .take()
            .map(|pipe| copy(pipe, Message::Stdout, channel)),
        child
            .stderr
            .take()
            .map(|pipe| copy(pipe, Message::Stderr, channel)),
    ];
    let channel = channel.clone();
    thread::spawn(move || -> io::Result<()> {
        let status = child.wait()?;
        for output in outputs.into_iter().flatten() {
            // A reader ends with its pipe; what it sent is all there is.
            let _ = output.join();
        }
        finish(code(status), number, &channel)
    });
    Ok(Some(group))
}

/// Marks the end in the kernel log, then tells the host.
fn finish(status: i32, number: u32, channel: &Channel) -> io::Result<()> {
    fs::write("/dev/kmsg", format!("<5>{END_OF_PROGRAM} {number}\n"))?;
    send(channel, &Message::Exit(status))
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn copy(
    mut pipe: impl Read + Send + 'static,
    message: fn(Vec<u8>) -> Message,
    channel: &Channel,
) -> thread::JoinHandle<io::Result<()>> {
    let channel = channel.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        loop {
            match pipe.read(&mut buffer)? {
                0 => return Ok(()),
                length => send(&channel, &message(buffer[..length].to_vec()))?,
            }
        }
    })
}

/// Takes barrier names from programs and asks the host.
fn accept(listener: &UnixListener, channel: &Channel, waiting: &Waiting) {
    for mut stream in listener.incoming().flatten() {
        let mut name = String::new();
        if stream.read_to_string(&mut name).is_ok() {
            lock(waiting).entry(name.clone()).or_default().push(stream);
            // With the host gone the guest ends; the program's wait is moot.
            let _ = send(channel, &Message::Barrier(name));
        }
    }
}

fn send(channel: &Channel, message: &Message) -> io::Result<()> {
    message.send(&mut *lock(channel))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
