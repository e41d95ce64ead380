// SPDX-License-Identifier: GPL-2.0

//! A client of the API that keeps its connection, and what many of them do at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::progress::Progress;

/// The connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr, token: &str) -> Client {
        let stream = TcpStream::connect(address).expect("the manager listens");
        stream.set_nodelay(true).expect("a TCP connection");
        Client {
            stream: BufReader::new(stream),
            token: token.to_owned(),
        }
    }

    /// Sends a request; returns status and body.
    pub(crate) fn request(&mut self, method: &str, target: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: ovnet\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let sent = self.stream.get_mut().write_all(request.as_bytes());
        sent.expect("the manager reads");
        let mut line = String::new();
        let mut read = |stream: &mut BufReader<TcpStream>| {
            line.clear();
            stream.read_line(&mut line).expect("the manager answers");
            line.trim_end().to_owned()
        };
        let status = read(&mut self.stream);
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut length = 0;
        loop {
            let header = read(&mut self.stream).to_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        self.stream
            .read_exact(&mut body)
            .expect("the manager answers");
        let body = String::from_utf8_lossy(&body).into_owned();
        (status.expect("an answer has a status"), body)
    }

    /// Sends a request that has to succeed; returns the body.
    pub(crate) fn must(&mut self, method: &str, target: &str, body: &str) -> String {
        let (status, answer) = self.request(method, target, body);
        assert!(
            (200..300).contains(&status),
            "{method} {target}: {status} {answer}"
        );
        answer
    }
}

/// Has several clients work off numbered jobs; returns how long each job took, and all together.
pub(crate) fn together(
    clients: usize,
    jobs: usize,
    connect: impl Fn() -> Client + Sync,
    progress: &Progress,
    job: impl Fn(&mut Client, usize) + Sync,
) -> (Vec<Duration>, Duration) {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let times = std::thread::scope(|scope| {
        let worker = || {
            let mut client = connect();
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= jobs {
                    return times;
                }
                let begin = Instant::now();
                job(&mut client, number);
                times.push(begin.elapsed());
                progress.at(number + 1, jobs);
            }
        };
        let workers: Vec<_> = (0..clients).map(|_| scope.spawn(worker)).collect();
        let done = workers.into_iter().map(|worker| worker.join());
        done.flat_map(|times| times.expect("a client has failed, as said above"))
            .collect()
    });
    (times, start.elapsed())
}
