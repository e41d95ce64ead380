// SPDX-License-Identifier: GPL-2.0

//! System calls and an instruction that no safe interface offers: every `unsafe` of the program.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{fence, Ordering};

/// The time stamp counter.
pub fn tsc() -> u64 {
    // SAFETY: Every x86-64 CPU has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// What the thread has used of its CPU, in nanoseconds: with a clock that counts instructions, those of the thread.
pub fn thread_time() -> io::Result<u64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: The kernel writes a time.
    check(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) })?;
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// A socket of generic netlink, which sends to the kernel.
pub fn generic_netlink() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: Numbers only.
    check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_GENERIC) })
        .map(|fd| own(fd as RawFd))
}

fn check(result: c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Sets an integer option of a socket.
pub fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    value: c_int,
) -> io::Result<()> {
    // SAFETY: The kernel reads an integer.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            mem::size_of::<c_int>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Takes a file descriptor that a call just returned.
pub fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: It is new, so nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Waits until a socket can be read, or written if its flag says so.
pub fn wait(sockets: &[(BorrowedFd<'_>, bool)], milliseconds: c_int) -> io::Result<()> {
    let mut polled: Vec<libc::pollfd> = sockets
        .iter()
        .map(|(socket, write)| libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN | if *write { libc::POLLOUT } else { 0 },
            revents: 0,
        })
        .collect();
    // SAFETY: As many as there are.
    let ready = check(unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as _, milliseconds) })?;
    if ready == 0 {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no traffic any more",
        ));
    }
    Ok(())
}

/// Datagrams sent with one call, and taken in with few. The message headers point into the buffers, which
/// never move.
pub struct Batch {
    size: usize,
    out: Vec<u8>,
    input: Vec<u8>,
    send: Vec<libc::mmsghdr>,
    receive: Vec<libc::mmsghdr>,
    _vectors: [Vec<libc::iovec>; 2],
}

impl Batch {
    /// Room for `count` datagrams of `size` bytes.
    pub fn new(count: usize, size: usize) -> Batch {
        let mut out: Vec<u8> = (0..count)
            .flat_map(|index| vec![b'a' + (index % 26) as u8; size])
            .collect();
        let mut input = vec![0; count * size];
        let (send_vectors, send) = headers(&mut out, size);
        let (receive_vectors, receive) = headers(&mut input, size);
        Batch {
            size,
            out,
            input,
            send,
            receive,
            _vectors: [send_vectors, receive_vectors],
        }
    }

    /// Sends the first `count` datagrams.
    pub fn send(&mut self, socket: BorrowedFd<'_>, count: usize) -> io::Result<()> {
        let messages = &mut self.send[..count];
        // SAFETY: As many messages as given, whose vectors point into buffers of this value.
        let sent = check(unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                messages.len() as _,
                0,
            )
        })?;
        if sent != count {
            return Err(io::Error::other(format!(
                "{sent} of {count} datagrams sent"
            )));
        }
        Ok(())
    }

    /// Takes up to `count` datagrams in, behind the `taken` ones; at least one unless it times out.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        taken: usize,
        count: usize,
    ) -> io::Result<usize> {
        let messages = &mut self.receive[taken..][..count];
        // SAFETY: As above.
        check(unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                messages.len() as _,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        })
    }

    /// Whether all that was sent last arrived as it was sent, in order.
    pub fn arrived_intact(&self) -> bool {
        self.input == self.out
            && self
                .receive
                .iter()
                .all(|message| message.msg_len as usize == self.size)
    }
}

fn headers(buffer: &mut [u8], size: usize) -> (Vec<libc::iovec>, Vec<libc::mmsghdr>) {
    let mut vectors: Vec<libc::iovec> = buffer
        .chunks_mut(size)
        .map(|chunk| libc::iovec {
            iov_base: chunk.as_mut_ptr().cast(),
            iov_len: size,
        })
        .collect();
    let messages = vectors
        .iter_mut()
        .map(|vector| {
            // SAFETY: A message header of zeros has no address, no vector and no control data.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    (vectors, messages)
}

/// One interrupted place: return addresses in the kernel, the innermost first; none for user space.
pub type Stack = Vec<u64>;

/// Looks what the CPU does every so many nanoseconds: the kernel's `cpu-clock` event (perf_event_open(2)).
pub struct Sampler {
    event: OwnedFd,
    ring: *mut u8,
}

const PAGE: usize = 4096;
const RING: usize = 16384 * PAGE;
/// Offsets in the ring's first page (`struct perf_event_mmap_page`).
const DATA_HEAD: usize = 1024;
/// `PERF_EVENT_IOC_ENABLE`, `PERF_EVENT_IOC_DISABLE`.
const ENABLE: libc::Ioctl = 0x2400;
const DISABLE: libc::Ioctl = 0x2401;
/// `PERF_RECORD_SAMPLE`.
const SAMPLE: u32 = 9;
/// `PERF_CONTEXT_MAX`: entries from here on are marks, not addresses.
const MARKS: u64 = -4095_i64 as u64;

impl Sampler {
    /// Sampling of the first CPU, not started.
    pub fn new(period: u64) -> io::Result<Sampler> {
        // struct perf_event_attr, PERF_ATTR_SIZE_VER0: type PERF_TYPE_SOFTWARE and size, config
        // PERF_COUNT_SW_CPU_CLOCK, period, what is in a sample (PERF_SAMPLE_CALLCHAIN), read format, flags
        // (disabled, exclude_callchain_user), and nothing of breakpoints.
        let attributes: [u64; 8] = [1 | 64 << 32, 0, period, 1 << 5, 0, 1 | 1 << 22, 0, 0];
        // SAFETY: The attributes are of the size they say.
        let event = check(unsafe {
            libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), -1, 0, -1, 0)
        } as c_int)?;
        let event = own(event as RawFd);
        // SAFETY: A new mapping of the event.
        let ring = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGE + RING,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if ring == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Sampler {
            event,
            ring: ring.cast(),
        })
    }

    /// Starts.
    pub fn start(&self) -> io::Result<()> {
        self.control(ENABLE)
    }

    /// Stops, and says what was seen.
    pub fn stop(self) -> io::Result<Vec<Stack>> {
        self.control(DISABLE)?;
        // SAFETY: The first page of the mapping; the event is off, so that nobody writes any more.
        let head = unsafe { self.ring.add(DATA_HEAD).cast::<u64>().read_volatile() } as usize;
        fence(Ordering::Acquire);
        if head >= RING {
            return Err(io::Error::other("more samples than there is room for"));
        }
        // SAFETY: The kernel wrote that much behind the first page.
        let data = unsafe { std::slice::from_raw_parts(self.ring.add(PAGE), head) };
        Ok(stacks(data))
    }

    fn control(&self, request: libc::Ioctl) -> io::Result<()> {
        // SAFETY: These requests take no memory.
        check(unsafe { libc::ioctl(self.event.as_raw_fd(), request, 0) })?;
        Ok(())
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: The mapping is this value's; nothing borrows from it.
        unsafe { libc::munmap(self.ring.cast(), PAGE + RING) };
    }
}

/// Reads records: a header (type 4 bytes, misc 2, size 2), and in a sample a count and so many addresses.
fn stacks(mut data: &[u8]) -> Vec<Stack> {
    let mut stacks = Vec::new();
    while data.len() >= 8 {
        let size = usize::from(u16::from_ne_bytes([data[6], data[7]]));
        if size < 8 || size > data.len() {
            break;
        }
        let (record, rest) = data.split_at(size);
        if u32::from_ne_bytes([record[0], record[1], record[2], record[3]]) == SAMPLE {
            stacks.push(
                record[8..]
                    .chunks_exact(8)
                    .skip(1)
                    .map(|word| word.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
                    .filter(|&address| address < MARKS)
                    .collect(),
            );
        }
        data = rest;
    }
    stacks
}
