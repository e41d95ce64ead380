// SPDX-License-Identifier: GPL-2.0

//! A real ovmgrd on loopback, and an HTTP client that is small enough to read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const API: u16 = 8440;
pub(crate) const SOUTHBOUND: u16 = 8441;
pub(crate) const METRICS: u16 = 9440;

/// A daemon and what it runs from.
pub(crate) struct Daemon {
    pub(crate) directory: TempDir,
    pub(crate) address: Ipv4Addr,
    pub(crate) token: String,
    more: String,
    child: Option<Child>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| &value[..])
    }

    /// Fails the test if the status is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

impl Daemon {
    /// Starts one with an embedded store.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with more configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        // An address of its own for each: no port of one test can be another's.
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = (std::process::id() << 6) + COUNT.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::from_bits(0x7f00_0000 | (number & 0x00ff_ffff));
        let mut daemon = Self {
            directory: tempfile::tempdir().unwrap(),
            address,
            token: String::new(),
            more: more.into(),
            child: None,
        };
        daemon.run();
        daemon
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command of the program with this daemon's configuration.
    pub(crate) fn command(&self) -> Command {
        let at = self.directory.path().display();
        let Self { address, more, .. } = self;
        let config = format!(
            "roles = [\"system\"]\n[metrics]\nlisten = \"{address}:{METRICS}\"\n[api]\nlisten = \
             \"{address}:{API}\"\nfirst_token = \"{at}/token\"\n[southbound]\nlisten = \
             \"{address}:{SOUTHBOUND}\"\nnames = [\"{address}\"]\n{more}\n"
        );
        std::fs::write(self.path("config"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ovmgrd"));
        command
            .arg("--config")
            .arg(self.path("config"))
            .stdin(Stdio::null());
        if !self.more.contains("[store]") {
            command.env("OVMGRD_STORE__PATH", self.path("store"));
        }
        command
    }

    /// Starts it, again perhaps, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        self.child = Some(self.command().stderr(log).spawn().unwrap());
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("ovmgrd ended: {status}\n{}", self.log());
            }
            if TcpStream::connect((self.address, SOUTHBOUND)).is_ok()
                && TcpStream::connect((self.address, API)).is_ok()
            {
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "no answer\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.token.is_empty() {
            let token = std::fs::read_to_string(self.path("token")).unwrap();
            self.token = token.trim().to_owned();
        }
        // Orders are refused until this manager leads or knows who does.
        while self.put("/v1/organisations/ready", "{}").status == 503 {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "no leader\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end; returns its exit status and how long it took.
    pub(crate) fn terminate(&mut self) -> (Option<i32>, Duration) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        let mut child = self.child.take().unwrap();
        let start = Instant::now();
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        (child.wait().unwrap().code(), start.elapsed())
    }

    /// Sends a request with headers and returns the stream that the answer is on.
    pub(crate) fn open(
        &self,
        port: u16,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect((self.address, port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: ovnet\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!(
            "Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ));
        stream.write_all(request.as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// Status and headers of an answer.
    pub(crate) fn head(reader: &mut BufReader<TcpStream>) -> Answer {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .parse()
            .unwrap_or(0);
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
                None => break,
            }
        }
        Answer {
            status,
            headers,
            body: Vec::new(),
        }
    }

    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![
            ("Authorization", &bearer[..]),
            ("Content-Type", "application/json"),
        ];
        // What a test says itself replaces what is sent by default.
        all.retain(|(name, _)| !headers.iter().any(|(it, _)| it == name));
        all.extend_from_slice(headers);
        let mut reader = self.open(API, method, target, &all, body);
        let mut answer = Self::head(&mut reader);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        answer.body = match answer.header("transfer-encoding") {
            Some(_) => unchunk(&rest),
            None => rest,
        };
        answer
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.request("GET", target, &[], "")
    }

    pub(crate) fn put(&self, target: &str, body: &str) -> Answer {
        self.request("PUT", target, &[], body)
    }

    pub(crate) fn post(&self, target: &str, body: &str) -> Answer {
        self.request("POST", target, &[], body)
    }

    pub(crate) fn delete(&self, target: &str) -> Answer {
        self.request("DELETE", target, &[], "")
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 4 + size..];
        if size == 0 {
            break;
        }
    }
    whole
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
