// SPDX-License-Identifier: GPL-2.0

//! Who may not is refused, and the audit log tells of it: wrong tokens, wrong roles, forged identities, and hosts
//! that want what is another's.

#[path = "common/daemon.rs"]
#[allow(dead_code, reason = "other test programs use the rest of it")]
mod common;

use std::time::{Duration, Instant};

use common::Daemon;
use ovnet_mgr::core::message::{Claim, Denial, ToAgent, ToManager, Verdict};
use ovnet_mgr::core::{Generation, Key, NodeId};
use ovnet_mgr::southbound::client::{self, Keeper, Stream};
use serde_json::{json, Value};

const OWN: &str = "fd00000a00010001";
const OTHER: &str = "fd00000a00010002";

/// Two hosts; the first has node aa of network 7, the second bb of network 7 and cc of network 9.
fn furnished() -> Daemon {
    let daemon = Daemon::start();
    let document = json!({
        "organisations": [{"name": "acme"}, {"name": "other"}],
        "networks": [
            {"vni": 7, "name": "n", "organisation": "acme", "prefixes": ["10.0.0.0/24"]},
            {"vni": 9, "name": "n", "organisation": "other", "prefixes": ["10.0.0.0/24"]},
        ],
        "hosts": [
            {"id": OWN, "name": "R", "organisation": "acme"},
            {"id": OTHER, "name": "S", "organisation": "acme"},
        ],
        "nodes": [
            {"id": "00000000000000aa", "name": "a", "network": 7, "addresses": ["10.0.0.2"], "host": OWN},
            {"id": "00000000000000bb", "name": "b", "network": 7, "addresses": ["10.0.0.3"], "host": OTHER},
            {"id": "00000000000000cc", "name": "c", "network": 9, "addresses": ["10.0.0.4"], "host": OTHER},
        ],
    });
    daemon.post("/v1/apply", &document.to_string()).expect(200);
    daemon
}

/// Waits for an entry of the audit log that has all of this.
#[track_caller]
fn kept(daemon: &Daemon, wanted: &[(&str, Value)], says: &str) {
    let start = Instant::now();
    loop {
        let log = daemon.get("/v1/audit?limit=1000").expect(200).json();
        let found = log["items"].as_array().unwrap().iter().any(|entry| {
            let problem = entry["problem"].as_str().unwrap_or_default();
            wanted.iter().all(|(key, value)| &entry[*key] == value) && problem.contains(says)
        });
        if found {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "nothing of {wanted:?} in {log}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn wrong_tokens_and_wrong_roles() {
    let mut daemon = furnished();
    let grants = json!([{"organisation": "acme", "role": "viewer"}]);
    let body = json!({"description": "v", "grants": grants}).to_string();
    let viewer = daemon.post("/v1/tokens", &body).expect(201).json();
    let id = viewer["id"].clone();
    let text = viewer["token"].as_str().unwrap();
    // One that never was, one with another secret, one that is void, and none.
    let void = daemon.post("/v1/tokens", &body).expect(201).json();
    let path = format!("/v1/tokens/{}", void["id"].as_str().unwrap());
    daemon.delete(&path).expect(204);
    let guessed = format!("{}0", &text[..text.len() - 1]);
    for (n, wrong) in ["ovnet_00_00", &guessed, void["token"].as_str().unwrap(), ""]
        .into_iter()
        .enumerate()
    {
        let headers = [("Authorization", &format!("Bearer {wrong}")[..])];
        let path = format!("/v1/networks/{}", 100 + n);
        daemon.request("GET", &path, &headers, "").expect(401);
        daemon.request("DELETE", &path, &headers, "").expect(401);
        for method in ["GET", "DELETE"] {
            let wanted = [
                ("target", json!(path)),
                ("method", json!(method)),
                ("status", json!(401)),
                ("token", json!("")),
            ];
            kept(&daemon, &wanted, "no valid token");
        }
    }
    // A role that is not enough, to change and to read; neither shows in the log what is secret.
    let all = std::mem::replace(&mut daemon.token, text.to_owned());
    daemon.delete("/v1/networks/7").expect(403);
    daemon.get("/v1/backup").expect(403);
    daemon.get("/v1/audit").expect(403);
    daemon.token = all;
    for (method, target) in [
        ("DELETE", "/v1/networks/7"),
        ("GET", "/v1/backup"),
        ("GET", "/v1/audit"),
    ] {
        let wanted = [
            ("method", json!(method)),
            ("target", json!(target)),
            ("status", json!(403)),
            ("token", id.clone()),
        ];
        kept(&daemon, &wanted, "needs a token with the role");
    }
    daemon.get("/v1/networks/7").expect(200);
    let log = daemon.get("/v1/audit?limit=1000").body;
    let secret = text.rsplit('_').next().unwrap();
    assert!(!String::from_utf8_lossy(&log).contains(secret));
}

fn invitation(daemon: &Daemon, host: &str) -> String {
    let made = daemon.post(&format!("/v1/hosts/{host}/enrolments"), "");
    made.expect(201).json()["token"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn southbound(daemon: &Daemon) -> String {
    format!("{}:{}", daemon.address, common::SOUTHBOUND)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_identities() {
    let (daemon, foreign) = (furnished(), furnished());
    let directory = daemon.path("agent");
    let token = invitation(&daemon, OWN);
    client::enrol(&southbound(&daemon), &token, &directory)
        .await
        .unwrap();
    // A one-time token for the second time.
    client::enrol(&southbound(&daemon), &token, &daemon.path("thief"))
        .await
        .unwrap_err();
    let enrol = [("method", json!("ENROL")), ("status", json!(403))];
    kept(&daemon, &enrol, "it was used");
    // The certificate of another authority, for the same name.
    let theirs = foreign.path("agent");
    let token = invitation(&foreign, OWN);
    client::enrol(&southbound(&foreign), &token, &theirs)
        .await
        .unwrap();
    let read = |path: &std::path::Path| -> Value {
        serde_json::from_slice(&std::fs::read(path.join("identity.json")).unwrap()).unwrap()
    };
    let mut mixed = read(&theirs);
    mixed["authority"] = read(&directory)["authority"].clone();
    std::fs::write(theirs.join("identity.json"), mixed.to_string()).unwrap();
    let impostor = Keeper::load(&theirs).unwrap();
    assert!(impostor.connect(&southbound(&daemon)).await.is_err());
    let connect = [
        ("method", json!("CONNECT")),
        ("status", json!(401)),
        ("token", json!("")),
    ];
    kept(&daemon, &connect, "invalid peer certificate");
    // A host that was deleted, with its certificate.
    daemon.delete("/v1/nodes/00000000000000aa").expect(204);
    daemon.delete(&format!("/v1/hosts/{OWN}")).expect(204);
    let keeper = Keeper::load(&directory).unwrap();
    keeper.renew(&southbound(&daemon)).await.unwrap_err();
    let gone = [
        ("method", json!("CONNECT")),
        ("status", json!(403)),
        ("token", json!("host fd00:a:1:1::/64")),
    ];
    kept(&daemon, &gone, "not provisioned");
}

/// The next message that is an answer, rather than news.
async fn answer(stream: &mut Stream) -> ToAgent {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), stream.next());
        match next.await.unwrap().unwrap().unwrap() {
            ToAgent::Network { .. } | ToAgent::Push { .. } => {}
            answer => return answer,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_another_hosts() {
    let daemon = furnished();
    let manager = southbound(&daemon);
    let mut streams = Vec::new();
    for host in [OWN, OTHER] {
        let directory = daemon.path(host);
        let token = invitation(&daemon, host);
        client::enrol(&manager, &token, &directory).await.unwrap();
        let keeper = Keeper::load(&directory).unwrap();
        let mut stream = keeper.connect(&manager).await.unwrap();
        let seen = Generation::NONE;
        stream
            .say(ToManager::Hello {
                epoch: 1,
                seen,
                frozen: false,
            })
            .await;
        assert!(matches!(answer(&mut stream).await, ToAgent::Welcome(_)));
        streams.push(stream);
    }
    let mut other = streams.pop().unwrap();
    let mut own = streams.pop().unwrap();
    let vni = |n| ovnet_engine::Vni::new(n).unwrap();
    let key = |n, last| Key::new(vni(n), std::net::Ipv4Addr::new(10, 0, 0, last));
    let claim = |key, node, held| {
        let node = NodeId(node);
        let attempt = 1;
        ToManager::Claim(vec![Claim {
            key,
            node,
            attempt,
            held,
        }])
    };
    other.say(claim(key(7, 3), 0xbb, Generation::NONE)).await;
    let ToAgent::Granted { generation, .. } = answer(&mut other).await else {
        panic!("its own node was not granted");
    };
    // Its node, under the generation of its binding or any other; its address for one's own node.
    let last = Generation::from_u64(u64::MAX >> 1);
    for held in [Generation::NONE, generation, last] {
        own.say(claim(key(7, 3), 0xbb, held)).await;
        let denied = answer(&mut own).await;
        let reason = Denial::OtherHost;
        assert!(
            matches!(denied, ToAgent::Denied { reason: it, .. } if it == reason),
            "{denied:?}"
        );
    }
    own.say(claim(key(7, 3), 0xaa, Generation::NONE)).await;
    let denied = answer(&mut own).await;
    let duplicate = matches!(
        denied,
        ToAgent::Denied {
            reason: Denial::Duplicate,
            ..
        }
    );
    assert!(duplicate, "{denied:?}");
    let who = ("token", json!("host fd00:a:1:1::/64"));
    let what = ("method", json!("CLAIM"));
    kept(&daemon, &[who.clone(), what.clone()], "of another host");
    kept(&daemon, &[who, what], "which is another node's");
    // Its binding is not one's own to give up, whatever generation is named.
    for generation in [generation, last] {
        let key = key(7, 3);
        own.say(ToManager::Release { key, generation }).await;
        let told = answer(&mut own).await;
        let ToAgent::Answer { items, .. } = &told else {
            panic!("{told:?}");
        };
        assert!(matches!(items[0].1, Verdict::Found { .. }), "{told:?}");
    }
    // Of a network without nodes here nothing is told.
    own.say(ToManager::Resolve(vec![(key(9, 4), Generation::NONE)]))
        .await;
    let told = answer(&mut own).await;
    let ToAgent::Answer { items, .. } = &told else {
        panic!("{told:?}");
    };
    assert_eq!(items[0], (key(9, 4), Verdict::Refused));
    let addresses = daemon.get("/v1/networks/7/addresses").json();
    assert_eq!(addresses["items"][1]["at"], OTHER);
}
