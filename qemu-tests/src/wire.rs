// SPDX-License-Identifier: GPL-2.0

//! The wire between guests: QEMU sends every frame of a guest's card as one
//! datagram, and the harness, which is a switch that learns, passes it on.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The largest frame QEMU sends (`NET_BUFSIZE`).
const FRAME: usize = 69 << 10;

/// How often a thread looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a guest that does not read may hold up its senders before a frame is lost to it. On a busy machine
/// none may run for a while, and cases that count what is lost mean what the guests lose.
const BLOCKED: Duration = Duration::from_secs(3);

/// Behind which guest an address is, of each VLAN: what is for it goes nowhere else.
type Addresses = Mutex<HashMap<Station, usize>>;

/// The VLAN tag, if there is one, and a MAC.
type Station = ([u8; 2], [u8; 6]);

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
        let addresses = Arc::new(Addresses::default());
        for guest in 0..guests {
            let socket = UnixDatagram::bind(wire.socket("switch", guest))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(BLOCKED))?;
            let paths = (0..guests)
                .map(|other| wire.socket("guest", other))
                .collect::<Vec<_>>();
            let (ended, addresses) = (wire.ended.clone(), addresses.clone());
            wire.threads.push(thread::spawn(move || {
                forward((guest, &socket), &paths, &addresses, &ended);
            }));
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

fn forward(
    (guest, socket): (usize, &UnixDatagram),
    guests: &[PathBuf],
    addresses: &Addresses,
    ended: &AtomicBool,
) {
    let mut frame = vec![0; FRAME];
    while !ended.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut frame) else {
            continue;
        };
        let frame = &frame[..length];
        let to = next(frame, guest, addresses);
        for (other, path) in guests.iter().enumerate() {
            if other != guest && to.is_none_or(|to| to == other) {
                // A guest that is off or too slow loses the frame, as on a wire.
                let sent = socket.send_to(frame, path);
                if sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                    eprintln!(
                        "the wire lost a frame to guest {}: it read none for 3 s",
                        other + 1
                    );
                }
            }
        }
    }
}

/// The guest that a frame is for, if that is known; from now on it is known of its sender.
fn next(frame: &[u8], from: usize, addresses: &Addresses) -> Option<usize> {
    let (to, own) = stations(frame)?;
    let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
    // A group's address is nobody's.
    if own.1[0] & 1 == 0 {
        addresses.insert(own, from);
    }
    addresses.get(&to).copied()
}

/// Receiver and sender of an Ethernet frame.
fn stations(frame: &[u8]) -> Option<(Station, Station)> {
    let vlan = match frame.get(12..16)? {
        [0x81, 0, tag @ ..] => [tag[0] & 0x0f, tag[1]],
        _ => [0, 0],
    };
    let to = frame[..6].try_into().ok()?;
    let own = frame[6..12].try_into().ok()?;
    Some(((vlan, to), (vlan, own)))
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

    #[test]
    fn an_address_is_learned_in_its_vlan() {
        let addresses = Addresses::default();
        let frame = |to: u8, from: u8, behind: &[u8]| {
            let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from];
            frame.extend(behind);
            frame
        };
        let vlan = |number: u8| vec![0x81, 0, 0x60, number, 8, 0];
        let ip = [8, 0, 0x45, 0];
        assert_eq!(next(&frame(7, 1, &ip), 0, &addresses), None);
        assert_eq!(next(&frame(1, 7, &ip), 2, &addresses), Some(0));
        assert_eq!(next(&frame(7, 1, &ip), 0, &addresses), Some(2));
        assert_eq!(next(&frame(7, 1, &vlan(10)), 0, &addresses), None);
        assert_eq!(next(&frame(1, 7, &vlan(10)), 1, &addresses), Some(0));
        assert_eq!(next(&frame(7, 1, &vlan(10)), 0, &addresses), Some(1));
        assert_eq!(next(&frame(7, 1, &ip), 0, &addresses), Some(2));
        // It may go elsewhere; and everybody hears what is for all.
        assert_eq!(next(&frame(1, 7, &ip), 1, &addresses), Some(0));
        assert_eq!(next(&frame(7, 1, &ip), 0, &addresses), Some(1));
        let mut all = frame(7, 1, &ip);
        all[..6].fill(0xff);
        assert_eq!(next(&all, 0, &addresses), None);
        assert_eq!(next(b"frame", 0, &addresses), None);
    }
}
