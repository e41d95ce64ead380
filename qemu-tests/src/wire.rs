// SPDX-License-Identifier: GPL-2.0

//! The wire between guests: QEMU sends every frame of a guest's card as one
//! datagram, and the harness, which is the switch, passes it to all others.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The largest frame QEMU sends (`NET_BUFSIZE`).
const FRAME: usize = 69 << 10;

/// How often a thread looks whether it should end, and how long a guest that
/// does not read may hold up its senders before a frame is lost to it.
const PATIENCE: Duration = Duration::from_millis(100);

/// A switch with one socket per guest; ends when dropped.
#[derive(Debug)]
pub struct Wire {
    directory: PathBuf,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Wire {
    /// Opens the switch's sockets in `directory` and starts to forward.
    pub fn new(directory: &Path, guests: usize) -> io::Result<Wire> {
        let mut wire = Wire {
            directory: directory.to_owned(),
            ended: Arc::default(),
            threads: Vec::new(),
        };
        for guest in 0..guests {
            let socket = UnixDatagram::bind(wire.socket("switch", guest))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            let others = (0..guests)
                .filter(|other| *other != guest)
                .map(|other| wire.socket("guest", other))
                .collect::<Vec<_>>();
            let ended = wire.ended.clone();
            wire.threads
                .push(thread::spawn(move || forward(&socket, &others, &ended)));
        }
        Ok(wire)
    }

    /// The `-netdev` argument of a guest, counted from 0.
    pub fn netdev(&self, guest: usize) -> String {
        format!(
            "dgram,id=wire,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            self.socket("guest", guest).display(),
            self.socket("switch", guest).display()
        )
    }

    fn socket(&self, side: &str, guest: usize) -> PathBuf {
        self.directory.join(format!("{side}-{guest}"))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A forwarder that panicked has already said so.
            let _ = thread.join();
        }
    }
}

fn forward(socket: &UnixDatagram, others: &[PathBuf], ended: &AtomicBool) {
    let mut frame = vec![0; FRAME];
    while !ended.load(Ordering::Relaxed) {
        if let Ok(length) = socket.recv(&mut frame) {
            for other in others {
                // A guest that is off or too slow loses the frame, as on a wire.
                let _ = socket.send_to(&frame[..length], other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_frame_reaches_every_guest_but_its_sender() {
        let directory = Path::new("/tmp").join(format!("ovnet-wire-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let wire = Wire::new(&directory, 3).unwrap();
        let guests: Vec<UnixDatagram> = (0..3)
            .map(|guest| {
                let socket = UnixDatagram::bind(wire.socket("guest", guest)).unwrap();
                socket
                    .set_read_timeout(Some(Duration::from_secs(5)))
                    .unwrap();
                socket
            })
            .collect();
        guests[1]
            .send_to(b"frame", wire.socket("switch", 1))
            .unwrap();
        let mut buffer = [0; 16];
        for guest in [0, 2] {
            let length = guests[guest].recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"frame");
        }
        guests[1].set_nonblocking(true).unwrap();
        assert!(guests[1].recv(&mut buffer).is_err());
        drop(wire);
        fs::remove_dir_all(&directory).unwrap();
    }
}
