// SPDX-License-Identifier: GPL-2.0

//! Runs the program that moves nodes themselves: once for each move that this host has a part in.
//!
//! ```text
//!  agent ── stdin:  pause, frozen, resume, done, abort ──────────────────────────────────► program
//!        ◄─ stdout: prepared, received, resumed, converged, paused, sent, failed; its end ──
//!        ◄─ stderr: for the log
//! ```
//!
//! The program outlives the agent: what it has in hand is a node. It then finds the end of its standard
//! input, and the next agent runs it again for the same move.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::mpsc;

use super::errands::Errands;
use crate::core::agent::executor::{Command, Errand, Notice};
use crate::core::moves::MoveId;

/// More of a line is not looked at.
const LINE: usize = 2048;
/// What a program that has ended may still have said is waited for so long: a process that it left behind
/// may keep its output open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// An errand, and where its node is.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) errand: Errand,
    /// The name of the port's device, if there is one, and of the namespace it is in, if that has one.
    pub(super) device: Option<(String, Option<String>)>,
}

/// The programs that run.
pub(super) struct Executors {
    program: Option<PathBuf>,
    errands: Errands,
    running: BTreeMap<MoveId, mpsc::UnboundedSender<Command>>,
    /// What is to be said to programs that are about to be run.
    early: BTreeMap<MoveId, Vec<Command>>,
    report: mpsc::UnboundedSender<(MoveId, Notice)>,
    notices: mpsc::UnboundedReceiver<(MoveId, Notice)>,
}

impl Executors {
    pub(super) fn new(program: Option<PathBuf>, errands: Errands) -> Executors {
        let (report, notices) = mpsc::unbounded_channel();
        Executors {
            program,
            errands,
            running: BTreeMap::new(),
            early: BTreeMap::new(),
            report,
            notices,
        }
    }

    /// A program is about to be run: what is said to it from now on waits until it does.
    pub(super) fn expect(&mut self, id: MoveId) {
        if !self.running.contains_key(&id) {
            self.early.insert(id, Vec::new());
        }
    }

    /// Runs the program, unless it runs for that move already.
    pub(super) fn run(&mut self, task: Task) {
        let id = task.errand.id;
        let early = self.early.remove(&id).unwrap_or_default();
        let Some(program) = self
            .program
            .clone()
            .filter(|_| !self.running.contains_key(&id))
        else {
            return;
        };
        let (commands, from_here) = mpsc::unbounded_channel();
        for command in early {
            // Whoever reads is in the next line.
            let _ = commands.send(command);
        }
        self.errands.begin(&task.errand);
        self.running.insert(id, commands);
        let report = self.report.clone();
        tokio::spawn(async move {
            let ended = match start(&program, &task) {
                Ok(child) => attend(id, child, from_here, &report).await,
                Err(error) => Err(error),
            };
            let ended = match ended {
                Ok(status) if status.success() => None,
                Ok(status) => Some(format!("the executor ended with {status}")),
                Err(error) => Some(format!("the executor {}: {error}", program.display())),
            };
            // Nobody listens when the agent ends.
            let _ = report.send((id, Notice::Ended(ended)));
        });
    }

    /// Says something to the program of a move, if it runs or is about to.
    pub(super) fn say(&mut self, id: MoveId, command: Command) {
        if let Some(early) = self.early.get_mut(&id) {
            early.push(command);
        } else if let Some(commands) = self.running.get(&id) {
            // It has just ended, which will be told.
            let _ = commands.send(command);
        }
    }

    /// What a program says next. Can be given up at any time.
    pub(super) async fn next(&mut self) -> (MoveId, Notice) {
        match self.notices.recv().await {
            Some((id, notice)) => {
                if let Notice::Ended(status) = &notice {
                    self.running.remove(&id);
                    if status.is_none() {
                        self.errands.end(id);
                    }
                }
                (id, notice)
            }
            None => std::future::pending().await,
        }
    }
}

fn start(program: &PathBuf, task: &Task) -> io::Result<Child> {
    let Errand {
        id,
        role,
        node,
        keys,
        peer,
        endpoint,
    } = &task.errand;
    let addresses: Vec<_> = keys.iter().map(|key| key.address.to_string()).collect();
    let first = keys.first();
    let network = first.map_or(String::new(), |key| key.vni.get().to_string());
    let (ifname, netns) = task.device.clone().unwrap_or_default();
    tokio::process::Command::new(program)
        .arg(role.name())
        .env("OVNET_MOVE", id.to_string())
        .env("OVNET_NODE", node.to_string())
        .env("OVNET_NETWORK", network)
        .env(
            "OVNET_ADDRESS",
            addresses.first().cloned().unwrap_or_default(),
        )
        .env("OVNET_ADDRESSES", addresses.join(" "))
        .env("OVNET_PEER", peer.to_string())
        .env("OVNET_ENDPOINT", endpoint)
        .env("OVNET_IFNAME", ifname)
        .env("OVNET_NETNS", netns.unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What ends the agent from a terminal must not end the program.
        .process_group(0)
        .spawn()
}

/// Passes lines on, both ways, until the program ends.
async fn attend(
    id: MoveId,
    mut child: Child,
    mut commands: mpsc::UnboundedReceiver<Command>,
    report: &mpsc::UnboundedSender<(MoveId, Notice)>,
) -> io::Result<ExitStatus> {
    let none = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut stdin = child.stdin.take().ok_or_else(none)?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or_else(none)?);
    let mut stderr = BufReader::new(child.stderr.take().ok_or_else(none)?);
    tokio::spawn(async move {
        let mut line = Vec::new();
        while let Ok(true) = read_line(&mut stderr, &mut line).await {
            tracing::info!(move = %id, "{}", String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    let (mut line, mut open) = (Vec::new(), true);
    let status = loop {
        tokio::select! {
            read = read_line(&mut stdout, &mut line), if open => match read {
                Ok(true) => take(id, &mut line, report),
                Ok(false) | Err(_) => open = false,
            },
            command = commands.recv() => match command {
                // A program that does not listen ends, or says nothing more, which shows.
                Some(command) => {
                    tracing::info!(move = %id, "the executor is told to {}", command.name());
                    let line = format!("{}\n", command.name());
                    let _ = stdin.write_all(line.as_bytes()).await;
                }
                None => return Err(io::ErrorKind::Interrupted.into()),
            },
            status = child.wait() => break status?,
        }
    };
    let last_words = last_words(id, &mut stdout, &mut line, report);
    let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
    Ok(status)
}

async fn last_words(
    id: MoveId,
    stdout: &mut BufReader<ChildStdout>,
    line: &mut Vec<u8>,
    report: &mpsc::UnboundedSender<(MoveId, Notice)>,
) {
    while let Ok(true) = read_line(stdout, line).await {
        take(id, line, report);
    }
}

fn take(id: MoveId, line: &mut Vec<u8>, report: &mpsc::UnboundedSender<(MoveId, Notice)>) {
    let text = String::from_utf8_lossy(line);
    match Notice::parse(&text) {
        Some(notice) => {
            // An endpoint may have what proves to the destination who the source is.
            let said = match &notice {
                Notice::Prepared(_) => "prepared",
                _ => text.trim(),
            };
            tracing::info!(move = %id, "the executor says {said}");
            // Nobody listens when the agent ends.
            let _ = report.send((id, notice));
        }
        None => tracing::warn!(
            move = %id,
            "the executor says what is no word of its protocol, which is ignored: {}",
            text.trim()
        ),
    }
    line.clear();
}

/// Reads up to the next end of a line, as much as a line may have; false at the end of all. What was read
/// is in `line` if this is given up, and the next call goes on.
async fn read_line(from: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let some = from.fill_buf().await?;
        if some.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = some.iter().position(|byte| *byte == b'\n');
        let text = &some[..end.unwrap_or(some.len())];
        let room = LINE.saturating_sub(line.len());
        line.extend_from_slice(&text[..text.len().min(room)]);
        let used = end.map_or(some.len(), |end| end + 1);
        from.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Ipv4Addr;
    use std::path::Path;

    use ovnet_engine::{Locator, Vni};

    use super::*;
    use crate::core::agent::executor::Role;
    use crate::core::{Key, NodeId};

    const ID: MoveId = MoveId(0xa1);

    struct Rig {
        executors: Executors,
        directory: tempfile::TempDir,
    }

    impl Rig {
        /// Executors whose program is this shell script, which runs in a directory of its own.
        fn new(script: &str) -> Rig {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("executor");
            let place = directory.path().display();
            let text = format!("#!/bin/sh\ntrap '' PIPE\ncd {place}\n{script}\n");
            // Written by another process: a file that a child of another test has inherited open for
            // writing cannot be run.
            let mut install = std::process::Command::new("install")
                .args(["-m", "755", "/dev/stdin"])
                .arg(&path)
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            install
                .stdin
                .take()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            assert!(install.wait().unwrap().success());
            Rig {
                executors: Executors::new(Some(path), errands(&directory)),
                directory,
            }
        }

        fn run(&mut self, role: Role) {
            self.executors.run(task(role));
        }

        async fn hears(&mut self) -> Notice {
            let (id, notice) = self.executors.next().await;
            assert_eq!(id, ID);
            notice
        }

        fn file(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }
    }

    fn task(role: Role) -> Task {
        let key = |n| Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, n));
        Task {
            errand: Errand {
                id: ID,
                role,
                node: NodeId(0xcc),
                keys: vec![key(3), key(4)],
                peer: Locator::new(0xfd00_000a, 2).unwrap(),
                endpoint: "tcp:7000".into(),
            },
            device: Some(("v0".into(), Some("G".into()))),
        }
    }

    fn errands(directory: &tempfile::TempDir) -> Errands {
        Errands::in_directory(directory.path().join("moves"))
    }

    fn prepared(text: &str) -> Notice {
        Notice::Prepared(text.into())
    }

    async fn appears(path: &Path) -> String {
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    #[tokio::test]
    async fn a_program_is_told_what_it_is_about() {
        let mut rig = Rig::new(
            r#"echo "prepared $1 $OVNET_MOVE $OVNET_NODE $OVNET_NETWORK $OVNET_ADDRESS"
               echo "prepared $OVNET_ADDRESSES; $OVNET_PEER $OVNET_ENDPOINT $OVNET_IFNAME $OVNET_NETNS""#,
        );
        rig.run(Role::Destination);
        let first = "destination 00000000000000a1 00000000000000cc 7 10.0.0.3";
        assert_eq!(rig.hears().await, prepared(first));
        let second = "10.0.0.3 10.0.0.4; fd00:a:0:2::/64 tcp:7000 v0 G";
        assert_eq!(rig.hears().await, prepared(second));
        assert_eq!(rig.hears().await, Notice::Ended(None));
    }

    #[tokio::test]
    async fn what_is_said_is_heard_in_order_and_from_the_start_on() {
        let mut rig = Rig::new(
            r#"echo converged
               read word; [ "$word" = pause ] && echo paused
               read word; [ "$word" = frozen ] && echo sent
               read word; [ "$word" = done ]"#,
        );
        rig.executors.expect(ID);
        rig.executors.say(ID, Command::Pause);
        rig.run(Role::Source);
        rig.executors.say(ID, Command::Frozen);
        for notice in [Notice::Converged, Notice::Paused, Notice::Sent] {
            assert_eq!(rig.hears().await, notice);
        }
        assert_eq!(errands(&rig.directory).read(), [task(Role::Source).errand]);
        rig.executors.say(ID, Command::Done);
        assert_eq!(rig.hears().await, Notice::Ended(None));
        assert_eq!(errands(&rig.directory).read(), []);
    }

    #[tokio::test]
    async fn a_program_that_fails_says_why_and_what_is_no_word_is_passed_over() {
        let mut rig = Rig::new(
            "echo 'out of order' >&2; echo hello; head -c 5000 /dev/zero | tr '\\0' x; echo
             printf 'failed no room'; exit 3",
        );
        rig.run(Role::Source);
        assert_eq!(rig.hears().await, Notice::Failed("no room".into()));
        let status = "the executor ended with exit status: 3";
        assert_eq!(rig.hears().await, Notice::Ended(Some(status.into())));
        assert_eq!(errands(&rig.directory).read(), [task(Role::Source).errand]);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_has_ended_badly() {
        let directory = tempfile::tempdir().unwrap();
        let program = Some("/no/such/program".into());
        let mut executors = Executors::new(program, errands(&directory));
        executors.run(task(Role::Start));
        let (_, Notice::Ended(Some(text))) = executors.next().await else {
            panic!("it runs");
        };
        assert!(
            text.starts_with("the executor /no/such/program: "),
            "{text}"
        );
    }

    #[tokio::test]
    async fn one_program_runs_for_a_move_and_another_one_when_that_has_ended() {
        let mut rig = Rig::new("echo run >>runs; echo paused; read word; echo received");
        rig.run(Role::Source);
        rig.run(Role::Source);
        assert_eq!(rig.hears().await, Notice::Paused);
        rig.executors.say(ID, Command::Done);
        assert_eq!(rig.hears().await, Notice::Received);
        assert_eq!(rig.hears().await, Notice::Ended(None));
        assert_eq!(appears(&rig.file("runs")).await, "run\n");
        rig.run(Role::Source);
        assert_eq!(rig.hears().await, Notice::Paused);
        assert_eq!(appears(&rig.file("runs")).await, "run\nrun\n");
    }

    #[tokio::test]
    async fn a_program_that_leaves_a_process_behind_has_ended_all_the_same() {
        let mut rig = Rig::new("echo paused; sleep 1000 & echo $! >left");
        rig.run(Role::Source);
        assert_eq!(rig.hears().await, Notice::Paused);
        assert_eq!(rig.hears().await, Notice::Ended(None));
        let left = appears(&rig.file("left")).await;
        let pid = nix::unistd::Pid::from_raw(left.trim().parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }

    #[test]
    fn a_program_goes_on_when_the_agent_ends() {
        let directory;
        {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let mut rig = Rig::new("echo paused; read word || echo alone; echo on >went");
            runtime.block_on(async {
                rig.run(Role::Source);
                assert_eq!(rig.hears().await, Notice::Paused);
            });
            directory = rig.directory;
            // The agent ends here, with all that it does.
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let went = runtime.block_on(appears(&directory.path().join("went")));
        assert_eq!(went, "on\n");
    }
}
