// SPDX-License-Identifier: GPL-2.0

//! The daemon as people and hosts meet it: a real process, real sockets.

#[path = "common/daemon.rs"]
mod common;

use std::io::{BufRead, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use common::Daemon;
use ovnet_mgr::core::message::{ToAgent, ToManager};
use ovnet_mgr::core::Generation;
use ovnet_mgr::southbound::client::{self, Error, Keeper};
use serde_json::{json, Value};

const NETWORK: &str = r#"{"name": "n", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}"#;
const HOST: &str = "/v1/hosts/fd00000a00010001";

/// A daemon with an organisation, a network and a host.
fn furnished() -> Daemon {
    let daemon = Daemon::start();
    daemon
        .put("/v1/organisations/acme", r#"{"title": "Acme"}"#)
        .expect(201);
    daemon.put("/v1/networks/7", NETWORK).expect(201);
    daemon
        .put(HOST, r#"{"name": "R", "organisation": "acme"}"#)
        .expect(201);
    daemon
}

fn error(answer: &common::Answer) -> String {
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[test]
fn objects_are_created_read_changed_and_deleted() {
    let daemon = furnished();
    let node = daemon
        .post(
            "/v1/nodes",
            r#"{"name": "a", "network": 7, "host": "fd00000a00010001"}"#,
        )
        .expect(201)
        .json();
    assert_eq!(node["addresses"][0]["address"], "10.0.0.1");
    let path = format!("/v1/nodes/{}", node["id"].as_str().unwrap());
    daemon
        .post(&format!("{path}/addresses"), r#"{"address": "10.0.0.9"}"#)
        .expect(201);
    let addresses = daemon.get("/v1/networks/7/addresses").json();
    let at = |n: usize| &addresses["items"][n];
    assert_eq!(
        (&at(0)["address"], &at(1)["address"]),
        (&json!("10.0.0.1"), &json!("10.0.0.9"))
    );
    assert_eq!(
        (&at(1)["node"], &at(1)["home"]),
        (&node["id"], &json!("fd00000a00010001"))
    );
    daemon
        .delete(&format!("{path}/addresses/10.0.0.1"))
        .expect(204);
    daemon
        .put(&format!("{path}/placement"), r#"{"host": null}"#)
        .expect(200);
    let node = daemon.get(&path).expect(200).json();
    assert_eq!(
        (node["addresses"].as_array().unwrap().len(), &node["host"]),
        (1, &Value::Null)
    );
    // What is in use cannot go.
    assert!(error(&daemon.delete("/v1/networks/7").expect(409)).contains("still has nodes"));
    daemon.delete("/v1/organisations/acme").expect(409);
    daemon.put("/v1/networks/7/peerings/8", "").expect(201);
    daemon.put("/v1/networks/7/peerings/8", "").expect(200);
    assert_eq!(
        daemon.get("/v1/networks/7/peerings").json()["items"][0]["peer"],
        8
    );
    let rules = r#"{"rules": [{"action": "deny", "protocol": 6, "ports": {"first": 1, "last": 9},
                    "window": {"from": "08:00", "until": "17:30"}}]}"#;
    daemon.put("/v1/networks/7/rules", rules).expect(200);
    let network = daemon.get("/v1/networks/7").json();
    assert_eq!(network["admits"], json!([8]));
    assert_eq!(
        network["rules"],
        serde_json::from_str::<Value>(rules).unwrap()["rules"]
    );
    daemon.delete("/v1/networks/7/peerings/8").expect(204);
    daemon.delete("/v1/networks/7/peerings/8").expect(404);
    for path in [&path[..], "/v1/networks/7", HOST, "/v1/organisations/acme"] {
        daemon.delete(path).expect(204);
        daemon.get(path).expect(404);
    }
    // All of it is in the audit log, refusals too.
    let audit = daemon.get("/v1/audit?limit=1000").json();
    let audit = audit["items"].as_array().unwrap();
    let refused = audit.iter().find(|it| it["status"] == 409).unwrap();
    assert_eq!(
        (&refused["method"], &refused["target"]),
        (&json!("DELETE"), &json!("/v1/networks/7"))
    );
    assert!(refused["problem"]
        .as_str()
        .unwrap()
        .contains("delete them first"));
}

#[test]
fn mistakes_are_explained() {
    let daemon = furnished();
    let put = |path: &str, body: &str| daemon.put(path, body);
    for (answer, status, said) in [
        (put("/v1/networks/9", "{"), 400, "does not fit"),
        (
            put(
                "/v1/networks/9",
                r#"{"name": "n", "prefixes": [], "organisation": "acme", "x": 1}"#,
            ),
            400,
            "unknown field",
        ),
        (
            put(
                "/v1/networks/9",
                r#"{"name": "n", "prefixes": ["10.0.0.1/24"], "organisation": "acme"}"#,
            ),
            422,
            "10.0.0.0/24",
        ),
        (
            put(
                "/v1/networks/9",
                r#"{"name": "n", "prefixes": [], "organisation": "none"}"#,
            ),
            422,
            "create it first",
        ),
        (put("/v1/networks/16777216", NETWORK), 404, "list"),
        (
            put("/v1/hosts/xyz", r#"{"name": "R", "organisation": "acme"}"#),
            422,
            "16 hexadecimal",
        ),
        (
            daemon.post(
                "/v1/nodes",
                r#"{"name": "a", "network": 7, "addresses": ["10.0.1.1"]}"#,
            ),
            422,
            "outside",
        ),
        (
            daemon.request(
                "POST",
                "/v1/apply",
                &[("Content-Type", "application/yaml")],
                "nodes: [{id: 1000000000000012, name: a, network: 7}]",
            ),
            400,
            "in quotes",
        ),
        (daemon.get("/v1/networks?limit=0"), 400, "1 to 1000"),
        (
            daemon.get("/v1/networks?color=red"),
            400,
            "no parameter color",
        ),
        (daemon.get("/v2"), 404, "list"),
        (
            daemon.request("PATCH", "/v1/networks/7", &[], ""),
            405,
            "Allow",
        ),
        (
            daemon.request(
                "PUT",
                "/v1/networks/7",
                &[("Content-Type", "text/plain")],
                "x",
            ),
            415,
            "application/json",
        ),
        (
            daemon.request("PUT", "/v1/networks/7", &[], &"x".repeat(5 << 20)),
            413,
            "at most",
        ),
        (
            daemon.request("GET", "/v1/networks", &[("Authorization", "Bearer x")], ""),
            401,
            "Bearer TOKEN",
        ),
    ] {
        let answer = answer.expect(status);
        let detail = error(&answer);
        assert!(detail.contains(said), "{said:?} is not in {detail:?}");
    }
}

#[test]
fn etags_guard_against_lost_updates() {
    let daemon = furnished();
    let etag = daemon
        .get("/v1/networks/7")
        .header("etag")
        .unwrap()
        .to_owned();
    let put = |headers: &[(&str, &str)]| daemon.request("PUT", "/v1/networks/7", headers, NETWORK);
    let second = put(&[("If-Match", &etag)]).expect(200);
    let second = second.header("etag").unwrap().to_owned();
    assert_ne!(second, etag);
    assert!(error(&put(&[("If-Match", &etag)]).expect(412)).contains("new ETag"));
    put(&[("If-Match", "\"0000000000000000-1\"")]).expect(412);
    put(&[("If-None-Match", "*")]).expect(412);
    daemon
        .request("DELETE", "/v1/networks/7", &[("If-Match", &etag)], "")
        .expect(412);
    // Of many who have read the same state one may write.
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| put(&[("If-Match", &second)]).status))
            .collect();
        let statuses: Vec<_> = writers.into_iter().map(|it| it.join().unwrap()).collect();
        assert!(
            statuses.iter().all(|it| [200, 412].contains(it)),
            "{statuses:?}"
        );
        statuses.into_iter().filter(|it| *it == 200).count()
    });
    assert_eq!(won, 1);
    put(&[("If-Match", "*")]).expect(200);
}

#[test]
fn a_request_sent_twice_is_carried_out_once() {
    let daemon = furnished();
    let body = r#"{"name": "a", "network": 7}"#;
    let key = [("Idempotency-Key", "one")];
    let first = daemon.request("POST", "/v1/nodes", &key, body).expect(201);
    let again = daemon.request("POST", "/v1/nodes", &key, body).expect(201);
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = r#"{"name": "b", "network": 7}"#;
    let misused = daemon.request("POST", "/v1/nodes", &key, other).expect(422);
    assert!(error(&misused).contains("another request"));
    daemon
        .request("POST", "/v1/nodes", &[("Idempotency-Key", "two")], body)
        .expect(201);
    assert_eq!(
        daemon.get("/v1/nodes").json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let daemon = furnished();
    let before = daemon.get("/v1/networks").json();
    daemon
        .put("/v1/networks/8?dry_run=true", NETWORK)
        .expect(201);
    daemon.delete("/v1/networks/7?dry_run=true").expect(204);
    let node = daemon.post("/v1/nodes?dry_run=true", r#"{"name": "a", "network": 7}"#);
    assert_eq!(node.expect(201).json()["name"], "a");
    assert!(daemon.get("/v1/nodes").json()["items"]
        .as_array()
        .unwrap()
        .is_empty());
    daemon
        .delete("/v1/organisations/acme?dry_run=true")
        .expect(409);
    let after = daemon.get("/v1/networks").json();
    assert_eq!(before, after, "not even the revision");
}

#[test]
fn a_document_is_applied_twice_to_one_effect() {
    let daemon = Daemon::start();
    let document = "
organisations: [{name: acme, title: Acme}]
networks:
  - {vni: 7, name: n, organisation: acme, prefixes: [10.0.0.0/24], admits: [8]}
hosts: [{id: fd00000a00010001, name: R, organisation: acme}]
nodes:
  - {id: 00000000000000aa, name: a, network: 7, addresses: [10.0.0.2, 10.0.0.3], host: fd00000a00010001}
";
    let yaml = [("Content-Type", "application/yaml")];
    let apply = |query: &str, document: &str| {
        let answer = daemon.request("POST", &format!("/v1/apply{query}"), &yaml, document);
        let results = answer.expect(200).json()["results"]
            .as_array()
            .unwrap()
            .clone();
        let word = |it: &Value| {
            format!(
                "{} {}",
                it["kind"].as_str().unwrap(),
                it["action"].as_str().unwrap()
            )
        };
        results.iter().map(word).collect::<Vec<_>>()
    };
    let created = [
        "organisation created",
        "network created",
        "host created",
        "node created",
    ];
    assert_eq!(apply("?dry_run=true", document), created);
    daemon.get("/v1/organisations/acme").expect(404);
    assert_eq!(apply("", document), created);
    let unchanged = created.map(|it| it.replace("created", "unchanged"));
    assert_eq!(apply("", document), unchanged);
    let moved = document.replace("10.0.0.3], host: fd00000a00010001", "10.0.0.4]");
    let planned = daemon.request("POST", "/v1/apply?dry_run=true", &yaml, &moved);
    assert_eq!(
        planned.expect(200).json()["results"][3]["fields"],
        json!([
            {"field": "addresses", "from": ["10.0.0.2", "10.0.0.3"], "to": ["10.0.0.2", "10.0.0.4"]},
            {"field": "host", "from": "fd00000a00010001", "to": null},
        ])
    );
    let reordered = document.replace("10.0.0.2, 10.0.0.3", "10.0.0.3, 10.0.0.2");
    assert_eq!(apply("?dry_run=true", &reordered), unchanged);
    assert_eq!(apply("", &moved)[3], "node changed");
    let node = daemon.get("/v1/nodes/00000000000000aa").json();
    assert_eq!(node["addresses"][1]["address"], "10.0.0.4");
    let less = "organisations: [{name: acme, title: Acme}]";
    assert_eq!(
        apply("?prune=true", less),
        [
            "organisation unchanged",
            "node deleted",
            "network deleted",
            "host deleted"
        ]
    );
    // A refusal tells what was done until then.
    let bad = document.replace("10.0.0.3", "10.9.9.9");
    let answer = daemon.request("POST", "/v1/apply", &yaml, &bad).expect(422);
    assert_eq!(answer.json()["results"].as_array().unwrap().len(), 3);
}

#[test]
fn tokens_see_and_change_only_what_they_may() {
    let mut daemon = furnished();
    daemon.put("/v1/organisations/other", "{}").expect(201);
    daemon
        .put("/v1/networks/9", &NETWORK.replace("acme", "other"))
        .expect(201);
    let token = |role: &str| {
        let body = json!({"description": role, "grants": [{"organisation": "acme", "role": role}]});
        let made = daemon
            .post("/v1/tokens", &body.to_string())
            .expect(201)
            .json();
        (
            made["token"].as_str().unwrap().to_owned(),
            made["id"].as_str().unwrap().to_owned(),
        )
    };
    let (viewer, viewer_id) = token("viewer");
    let (operator, _) = token("operator");
    let (admin, _) = token("admin");
    let all = std::mem::take(&mut daemon.token);
    daemon.token = viewer.clone();
    assert_eq!(
        daemon.get("/v1/networks").json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    daemon.get("/v1/networks/7").expect(200);
    daemon.get("/v1/networks/9").expect(404);
    assert!(error(&daemon.put("/v1/networks/7", NETWORK).expect(403)).contains("operator in acme"));
    daemon.put("/v1/networks/9", NETWORK).expect(404);
    daemon.get("/v1/audit").expect(403);
    daemon.get("/v1/backup").expect(403);
    daemon.token = operator;
    daemon.put("/v1/networks/7", NETWORK).expect(200);
    // Neither takes nor gives it what is another's.
    daemon
        .put("/v1/networks/7", &NETWORK.replace("acme", "other"))
        .expect(404);
    daemon.put("/v1/organisations/acme", "{}").expect(403);
    daemon
        .post(
            "/v1/tokens",
            r#"{"description": "", "grants": [{"organisation": "acme", "role": "viewer"}]}"#,
        )
        .expect(403);
    daemon.token = admin;
    daemon.put("/v1/organisations/acme", "{}").expect(200);
    daemon.put("/v1/organisations/more", "{}").expect(403);
    daemon
        .post(
            "/v1/tokens",
            r#"{"description": "", "grants": [{"organisation": "*", "role": "viewer"}]}"#,
        )
        .expect(403);
    daemon
        .delete(&format!("/v1/tokens/{viewer_id}"))
        .expect(204);
    daemon.token = viewer;
    daemon.get("/v1/networks").expect(401);
    daemon.token = all;
    // Secrets are shown once and kept nowhere.
    let tokens = daemon.get("/v1/tokens").expect(200);
    assert!(!String::from_utf8_lossy(&tokens.body).contains("ovnet_"));
    let brief = daemon
        .post(
            "/v1/tokens",
            r#"{"description": "", "ttl": 1, "grants": [{"organisation": "*", "role": "viewer"}]}"#,
        )
        .json();
    daemon.token = brief["token"].as_str().unwrap().to_owned();
    daemon.get("/v1/networks").expect(200);
    std::thread::sleep(Duration::from_millis(2100));
    daemon.get("/v1/networks").expect(401);
}

/// The next event of a stream: its id and data.
fn event(reader: &mut impl BufRead) -> (String, Value) {
    let (mut id, mut data) = (String::new(), Value::Null);
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended");
        let line = line.trim_end();
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.to_owned();
        } else if let Some(text) = line.strip_prefix("data: ") {
            data = serde_json::from_str(text).unwrap();
        } else if line.is_empty() && data != Value::Null {
            return (id, data);
        }
    }
}

#[test]
fn a_watch_tells_changes_and_resumes() {
    let mut daemon = furnished();
    let resume = daemon.get("/v1/networks").json()["resume"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {}", daemon.token);
    let watch = |daemon: &Daemon, target: &str, more: &[(&str, &str)]| {
        let mut headers = vec![("Authorization", &bearer[..])];
        headers.extend_from_slice(more);
        let mut reader = daemon.open(common::API, "GET", target, &headers, "");
        let head = Daemon::head(&mut reader);
        (head, reader)
    };
    let (head, mut stream) = watch(&daemon, &format!("/v1/watch?from={resume}"), &[]);
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/event-stream"))
    );
    daemon.put("/v1/networks/8", NETWORK).expect(201);
    let (first, data) = event(&mut stream);
    let network = data["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["kind"] == "network");
    assert_eq!(network.unwrap()["action"], "created");
    daemon.delete("/v1/networks/8").expect(204);
    let (_, data) = event(&mut stream);
    assert_eq!(data["changes"][0]["action"], "deleted");
    assert_eq!(data["changes"][0]["object"]["vni"], 8);
    // Who lost the connection, or the daemon, goes on where it was.
    daemon.kill();
    daemon.run();
    let (_, mut stream) = watch(
        &daemon,
        "/v1/watch?kind=network",
        &[("Last-Event-ID", &first)],
    );
    assert_eq!(event(&mut stream).1["changes"][0]["action"], "deleted");
    let (head, _) = watch(&daemon, "/v1/watch?from=0000000000000000-1", &[]);
    assert_eq!(head.status, 410);
}

#[test]
fn the_daemon_starts_ends_and_forgets_nothing() {
    let mut daemon = furnished();
    let metrics = {
        let mut reader = daemon.open(common::METRICS, "GET", "/metrics", &[], "");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    };
    assert!(metrics.contains("ovnet_api_requests_total{method=\"PUT\",route=\"/v1/networks/{network}\",status=\"201\"} 1"));
    assert!(metrics.contains("ovnet_store_operation_seconds_bucket{operation=\"commit\""));
    let (code, time) = daemon.terminate();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(time < Duration::from_secs(5), "{time:?}");
    daemon.run();
    daemon.get("/v1/networks/7").expect(200);
    daemon.kill();
    daemon.run();
    daemon.get("/v1/networks/7").expect(200);
    // Two daemons do not share a file.
    let second = daemon
        .command()
        .env("OVMGRD_API__LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
}

/// Creates an organisation; the status, if there was an answer.
fn create(address: Ipv4Addr, token: &str, name: &str) -> Option<u16> {
    let mut stream = TcpStream::connect((address, common::API)).ok()?;
    let request = format!(
        "PUT /v1/organisations/{name} HTTP/1.1\r\nHost: ovnet\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn what_was_answered_is_there_after_any_kill() {
    const ROUNDS: u64 = 12;
    let mut daemon = Daemon::start();
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        let (address, token) = (daemon.address, daemon.token.clone());
        let writer = |writer: u32| {
            let token = token.clone();
            std::thread::spawn(move || {
                let names = (0..).map(|number| format!("r{round}w{writer}n{number}"));
                // The first one without an answer is the daemon's end.
                let created = names.map_while(|name| {
                    let status = create(address, &token, &name)?;
                    Some((name, status))
                });
                created.collect::<Vec<_>>()
            })
        };
        let writers: Vec<_> = (0..4).map(writer).collect();
        std::thread::sleep(Duration::from_millis(20 + (round * 7919) % 200));
        daemon.kill();
        for writer in writers {
            for (name, status) in writer.join().unwrap() {
                assert_eq!(status, 201, "{name}");
                answered.push(name);
            }
        }
        daemon.run();
        for name in &answered {
            let found = daemon.get(&format!("/v1/organisations/{name}"));
            assert_eq!(found.status, 200, "{name} was acknowledged, and is lost");
        }
    }
    assert!(answered.len() > 50, "only {} writes", answered.len());
}

#[test]
fn readiness_and_watchdog_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let daemon = Daemon::start();
    let mut other = Daemon::start();
    other.terminate();
    let mut child = other
        .command()
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let next = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert_eq!(next(), "READY=1");
    assert_eq!((next(), next()), ("WATCHDOG=1".into(), "WATCHDOG=1".into()));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    while next() != "STOPPING=1" {}
    assert!(child.wait().unwrap().success());
    drop(daemon);
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config");
    let run = |text: &str, arguments: &[&str]| {
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ovmgrd"));
        let output = command
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), error)
    };
    assert_eq!(
        run("roles = [\"system\"]", &["--check-config"]),
        (Some(0), String::new())
    );
    let (code, error) = run("roles = [\"system\"]\n[sotre]\n", &["--check-config"]);
    assert_eq!(code, Some(78));
    assert!(
        error.contains("line 2") && error.contains("sotre"),
        "{error}"
    );
    assert_eq!(run("", &["--frobnicate"]).0, Some(2));
    let (code, error) = run(
        "roles = [\"system\"]",
        &["verify", config.to_str().unwrap()],
    );
    assert_eq!(code, Some(1));
    assert!(error.contains("no whole backup"), "{error}");
}

#[test]
fn a_backup_of_a_running_daemon_is_restored() {
    let mut daemon = furnished();
    let etag = daemon
        .get("/v1/networks/7")
        .header("etag")
        .unwrap()
        .to_owned();
    let backup = daemon.get("/v1/backup").expect(200);
    std::fs::write(daemon.path("backup"), &backup.body).unwrap();
    daemon.terminate();
    let run = |daemon: &Daemon, arguments: &[&str]| {
        let mut command = daemon.command();
        command
            .args(arguments)
            .arg(daemon.path(arguments[0]))
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(run(&daemon, &["backup"]), Some(1), "the file exists");
    let verified = daemon
        .command()
        .arg("verify")
        .arg(daemon.path("backup"))
        .output()
        .unwrap();
    assert!(verified.status.success());
    let restore = |daemon: &Daemon| {
        daemon
            .command()
            .arg("restore")
            .arg(daemon.path("backup"))
            .output()
            .unwrap()
    };
    assert!(!restore(&daemon).status.success(), "the store is not empty");
    std::fs::remove_file(daemon.path("store")).unwrap();
    let restored = restore(&daemon);
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    daemon.run();
    let network = daemon.get("/v1/networks/7").expect(200);
    assert_ne!(
        network.header("etag"),
        Some(&etag[..]),
        "an ETag of the old store is void"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_prove_who_they_are() {
    let daemon = furnished();
    let manager = format!("{}:{}", daemon.address, common::SOUTHBOUND);
    let invite = || {
        let made = daemon
            .post(&format!("{HOST}/enrolments"), "")
            .expect(201)
            .json();
        made["token"].as_str().unwrap().to_owned()
    };
    let directory = daemon.path("agent");
    assert!(matches!(
        Keeper::load(&directory),
        Err(Error::NotEnrolled(_))
    ));
    // A token is good once, for the manager that made it.
    let token = invite();
    client::enrol(&manager, &token, &directory).await.unwrap();
    let again = client::enrol(&manager, &token, &daemon.path("thief"))
        .await
        .unwrap_err();
    assert!(again.to_string().contains("it was used"), "{again}");
    let (secret, digest) = token.split_once('.').unwrap();
    let other = format!("{secret}.{}", digest.replace(|c| c != '0', "0"));
    let wrong = client::enrol(&manager, &other, &daemon.path("thief"))
        .await
        .unwrap_err();
    assert!(matches!(wrong, Error::Connect { .. }), "{wrong}");
    let forged = format!("{}.{digest}", "0".repeat(64));
    let forged = client::enrol(&manager, &forged, &daemon.path("thief"))
        .await
        .unwrap_err();
    assert!(matches!(forged, Error::Refused(_)), "{forged}");

    let keeper = Keeper::load(&directory).unwrap();
    let hello = || ToManager::Hello {
        epoch: 1,
        seen: Generation::NONE,
        frozen: false,
    };
    let mut stream = keeper.connect(&manager).await.unwrap();
    assert!(stream.say(hello()).await);
    let answer = tokio::time::timeout(Duration::from_secs(10), stream.next())
        .await
        .unwrap();
    assert!(
        matches!(answer, Some(Ok(ToAgent::Welcome(_)))),
        "{answer:?}"
    );
    // Rotation: a new certificate and key, while the old stream goes on.
    let before = keeper.certificate().unwrap();
    keeper.renew(&manager).await.unwrap();
    assert_ne!(keeper.certificate().unwrap(), before);
    let reloaded = Keeper::load(&directory).unwrap();
    assert_eq!(reloaded.certificate(), keeper.certificate());
    assert!(stream.say(ToManager::Ack(0)).await);
    // A new connection takes the place of the old one.
    assert!(reloaded.connect(&manager).await.is_ok());

    // An identity of another authority is refused, although all its names are right.
    let foreign = furnished();
    let elsewhere = format!("{}:{}", foreign.address, common::SOUTHBOUND);
    let made = foreign
        .post(&format!("{HOST}/enrolments"), "")
        .expect(201)
        .json();
    let foreign_directory = foreign.path("agent");
    client::enrol(
        &elsewhere,
        made["token"].as_str().unwrap(),
        &foreign_directory,
    )
    .await
    .unwrap();
    let read = |path: &std::path::Path| -> Value {
        serde_json::from_slice(&std::fs::read(path.join("identity.json")).unwrap()).unwrap()
    };
    let mut mixed = read(&foreign_directory);
    mixed["authority"] = read(&directory)["authority"].clone();
    std::fs::write(foreign_directory.join("identity.json"), mixed.to_string()).unwrap();
    let impostor = Keeper::load(&foreign_directory).unwrap();
    assert!(impostor.connect(&manager).await.is_err());
    // A manager of another authority is refused by the agent.
    assert!(matches!(
        keeper.connect(&elsewhere).await,
        Err(Error::Connect { .. })
    ));
    // A key that is not the certificate's proves nothing.
    let mut stolen = read(&directory);
    stolen["key"] = read(&foreign_directory)["key"].clone();
    std::fs::write(foreign_directory.join("identity.json"), stolen.to_string()).unwrap();
    let thief = Keeper::load(&foreign_directory);
    assert!(match thief {
        Err(_) => true,
        Ok(thief) => thief.connect(&manager).await.is_err(),
    });
    // Whoever is not provisioned any more gets no further certificate, and no welcome.
    daemon.delete(HOST).expect(204);
    assert!(matches!(
        keeper.renew(&manager).await,
        Err(Error::Refused(_))
    ));
    let mut late = keeper.connect(&manager).await.unwrap();
    late.say(hello()).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), late.next())
        .await
        .unwrap();
    assert!(
        !matches!(answer, Some(Ok(ToAgent::Welcome(_)))),
        "{answer:?}"
    );
}
