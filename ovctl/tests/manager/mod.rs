// SPDX-License-Identifier: GPL-2.0

//! A real manager for `ovctl --server` to talk to: the daemon's own code, in a process of its own.
//!
//! Programs of other packages are not built for a test. So the process is this test program itself, started
//! again for its one test [`daemon`], which runs the daemon instead where a variable names a configuration.

use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "OVCTL_TEST_MANAGER";

#[test]
fn daemon() {
    let Some(config) = std::env::var_os(CONFIG) else {
        return;
    };
    let config = ovnet_mgr::config::Config::load(config.as_ref()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ovnet_mgr::daemon::run(config)).unwrap();
}

pub(crate) struct Manager {
    pub(crate) directory: TempDir,
    pub(crate) url: String,
    pub(crate) address: Ipv4Addr,
    child: Option<Child>,
}

impl Manager {
    pub(crate) fn start() -> Manager {
        Manager::start_with("http", |_| String::new())
    }

    /// Starts one whose `[api]` has more lines, made for its address.
    pub(crate) fn start_with(scheme: &str, api: impl FnOnce(&Manager) -> String) -> Manager {
        // An address of its own for each: no port of one test can be another's.
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = (std::process::id() << 6) + COUNT.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::from_bits(0x7f00_0000 | (number & 0x00ff_ffff));
        let mut manager = Manager {
            directory: tempfile::tempdir().unwrap(),
            url: format!("{scheme}://{address}:8440"),
            address,
            child: None,
        };
        let at = manager.directory.path().display();
        let api = api(&manager);
        let config = format!(
            "roles = [\"system\"]\n[store]\npath = \"{at}/store\"\n[metrics]\nlisten = \"{address}:9440\"\n\
             [api]\nlisten = \"{address}:8440\"\nfirst_token = \"{at}/token\"\n{api}\n\
             [southbound]\nlisten = \"{address}:8441\"\n"
        );
        std::fs::write(manager.path("config"), config).unwrap();
        manager.run();
        manager
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts it, again perhaps, and waits until it carries out orders.
    pub(crate) fn run(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let mut program = Command::new(std::env::current_exe().unwrap());
        let program = program.args(["--exact", "manager::daemon", "--nocapture"]);
        program.env(CONFIG, self.path("config"));
        let streams = program.stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(streams.stderr(log).spawn().unwrap());
        let start = Instant::now();
        let waits = |what: &str| {
            let log = std::fs::read_to_string(self.path("log")).unwrap();
            assert!(start.elapsed() < Duration::from_secs(60), "{what}\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        };
        while TcpStream::connect((self.address, 8441)).is_err() {
            waits("no answer");
        }
        // Orders are refused until this manager leads.
        while self.ovctl("org set ready").status.code() == Some(7) {
            waits("no leader");
        }
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The program, with the first token; its words are parted by blanks.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = bare(line);
        command.env("OVCTL_SERVER", &self.url);
        command.arg("--token-file").arg(self.path("token"));
        if self.url.starts_with("https") {
            command.arg("--cacert").arg(self.path("ca"));
        }
        command
    }

    pub(crate) fn ovctl(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What it writes if all is well.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.ovctl(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        let text = self.ok(&format!("{line} --json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What it complains of, with this exit code.
    #[track_caller]
    pub(crate) fn fails(&self, line: &str, code: i32) -> String {
        let output = self.ovctl(line);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{line}: {}",
            said(&output)
        );
        assert!(output.stdout.is_empty(), "{line}");
        said(&output)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program without the variables and files of whoever runs the tests.
pub(crate) fn bare(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ovctl"));
    command.args(line.split(' ').filter(|word| !word.is_empty()));
    for variable in ["OVCTL_SERVER", "OVCTL_TOKEN", "SSL_CERT_FILE"] {
        command.env_remove(variable);
    }
    command.env("OVCTL_CONFIG", "/nonexistent");
    command.stdin(Stdio::null());
    command
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
