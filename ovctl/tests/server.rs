// SPDX-License-Identifier: GPL-2.0

//! `ovctl --server` against a real manager: what is created, shown, changed, refused, and how that is said.

mod manager;

use manager::{bare, said, Manager};
use serde_json::{json, Value};

#[test]
fn organisations_and_networks_are_set_shown_and_deleted() {
    let manager = Manager::start();
    manager.ok("org add acme --title Acme");
    assert_eq!(manager.ok("org show acme"), "NAME  TITLE\nacme  Acme\n");
    let refused = manager.fails("net set 7 --name front", 2);
    assert!(refused.contains("--org"), "{refused}");
    manager.ok("net set 7 --name front --org acme --prefix 10.0.0.0/24 --prefix 10.1.0.0/24");
    assert_eq!(
        manager.ok("net show"),
        "VNI  NAME   ORGANISATION  PREFIXES                 LEARN  FIDELITY  ADMITS  RULES\n\
         7    front  acme          10.0.0.0/24,10.1.0.0/24  no     semantic  -       0\n"
    );
    // What is not said stays as it is.
    manager.ok("net set 7 --fidelity exact --learn yes");
    let mut network = manager.json("net show 7")[0].clone();
    let etag = network.as_object_mut().unwrap().remove("etag").unwrap();
    assert_eq!(
        network,
        json!({
            "vni": 7, "name": "front", "organisation": "acme",
            "prefixes": ["10.0.0.0/24", "10.1.0.0/24"],
            "learn": true, "exact": true, "admits": [], "rules": [],
        })
    );
    // A change that is meant for what was seen, and for that alone.
    let tag = etag.as_str().unwrap();
    manager.ok(&format!("net set 7 --name back --if-match {tag}"));
    let late = manager.fails(&format!("net set 7 --name late --if-match {tag}"), 8);
    assert!(late.contains("Read it again"), "{late}");
    manager.fails(&format!("net del 7 --if-match {tag}"), 8);
    let in_use = manager.fails("org del acme", 1);
    assert!(in_use.starts_with("ovctl: org del: "), "{in_use}");
    assert_eq!(in_use.lines().count(), 1, "{in_use}");
    manager.ok("net del 7");
    assert!(manager.fails("net show 7", 1).contains("no such network"));
    manager.ok("org del acme");
}

/// An organisation, network 7 and a host.
fn furnished() -> Manager {
    let manager = Manager::start();
    manager.ok("org add acme");
    manager.ok("net add 7 --name front --org acme --prefix 10.0.0.0/24");
    manager.ok("host add fd00:a:1:1::/64 --name R --org acme");
    manager
}

#[test]
fn nodes_are_created_moved_and_deleted() {
    let manager = furnished();
    assert_eq!(
        manager.ok("host ls"),
        "LOCATOR          ID                NAME  ORGANISATION  CAPACITY  COST  DRAINING  LOAD\n\
         fd00:a:1:1::/64  fd00000a00010001  R     acme          0         0     no        -\n"
    );
    let made = manager.json("node add --net 7 --name web --host fd00:a:1:1::/64");
    let id = made[0]["id"].as_str().unwrap();
    assert_eq!(made[0]["addresses"][0]["address"], "10.0.0.1");
    assert_eq!(
        manager.ok("node add 00000000000000aa --net 7 --name db --address 10.0.0.9 --mac 02:00:00:00:00:09"),
        "ID                NAME  NETWORK  ADDRESSES  MAC                HOST\n\
         00000000000000aa  db    7        10.0.0.9   02:00:00:00:00:09  -\n"
    );
    let again = manager.fails("node add 00000000000000aa --net 7 --name db", 8);
    assert!(again.contains("If-None-Match"), "{again}");
    assert_eq!(
        manager.ok("node set aa --host fd00000a00010001 --dry-run"
            .replace("aa", "00000000000000aa")
            .as_str()),
        "~ node 00000000000000aa\n    host: none -> fd00000a00010001\n"
    );
    manager.ok(
        "node set 00000000000000aa --host fd00:a:1:1::/64 --address 10.0.0.9 --address 10.0.0.8",
    );
    manager.ok("address add 00000000000000aa 10.0.0.7");
    manager.ok("address del 00000000000000aa 10.0.0.9");
    let addresses = manager.ok("address show 7");
    let rows: Vec<Vec<_>> = addresses
        .lines()
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["VNI", "ADDRESS", "NODE", "HOME", "AT"]);
    assert_eq!(rows[1], ["7", "10.0.0.1", id, "fd00:a:1:1::/64", "-"]);
    assert_eq!(
        (rows[2][1], rows[3][1], rows.len()),
        ("10.0.0.7", "10.0.0.8", 4)
    );
    manager.ok("node set 00000000000000aa --host none");
    let here = manager.json("node show --host fd00:a:1:1::/64");
    assert_eq!(
        (here[0]["name"].as_str(), here.as_array().unwrap().len()),
        (Some("web"), 1)
    );
    assert_eq!(manager.json("node show --net 8"), json!([]));
    let absent = manager.fails("node set 00000000000000bb --host none", 1);
    assert!(
        absent.contains("ovctl node add 00000000000000bb"),
        "{absent}"
    );
    let used = manager.fails("host del fd00:a:1:1::/64", 1);
    assert!(used.contains("still"), "{used}");
    manager.ok(&format!("node del {id}"));
    manager.ok("node del 00000000000000aa");
    let token = manager.ok("host enrol fd00:a:1:1::/64");
    assert_eq!(token.lines().count(), 1, "{token}");
    manager.ok("host del fd00:a:1:1::/64");
    let which = manager.fails("host del", 2);
    assert!(which.contains("say which host"), "{which}");
}

#[test]
fn hosts_are_emptied_and_nodes_say_where_they_may_be() {
    let manager = furnished();
    manager.ok("host set fd00:a:1:1::/64 --capacity 8 --cost 3");
    manager.ok(
        "node add 00000000000000aa --net 7 --name db --address 10.0.0.9 --host fd00:a:1:1::/64",
    );
    let untold = "NODE              EVACUATE  BALANCE  PIN  GROUP  SIZE\n\
                  00000000000000aa  no        no       -    -      1\n";
    assert_eq!(manager.ok("placement show 00000000000000aa"), untold);
    assert_eq!(
        manager.ok("placement set 00000000000000aa --evacuate yes --group db --dry-run"),
        "~ placement 00000000000000aa\n    evacuate: false -> true\n    group: \"\" -> db\n"
    );
    assert_eq!(manager.ok("placement show 00000000000000aa"), untold);
    manager.ok("placement set 00000000000000aa --evacuate yes --group db --pin fd00:a:1:1::/64");
    manager.ok("placement set 00000000000000aa --size 4 --balance yes");
    assert_eq!(
        manager.ok("placement show 00000000000000aa"),
        "NODE              EVACUATE  BALANCE  PIN              GROUP  SIZE\n\
         00000000000000aa  yes       yes      fd00:a:1:1::/64  db     4\n"
    );
    let absent = manager.fails("placement set 00000000000000bb --size 4", 1);
    assert!(absent.contains("no such node"), "{absent}");
    // Nobody can take it: it is told why, and that nothing is done yet.
    let plan = "NODE              FROM             TO  WHY\n\
                00000000000000aa  fd00:a:1:1::/64  -   fd00:a:1:1::/64: the node is there\n";
    assert_eq!(manager.ok("host drain fd00:a:1:1::/64 --dry-run"), plan);
    let shown = |manager: &Manager| manager.json("host show fd00:a:1:1::/64")[0].clone();
    assert_eq!(shown(&manager)["draining"], false);
    assert_eq!(manager.ok("host drain fd00:a:1:1::/64"), plan);
    let host = shown(&manager);
    assert_eq!(
        (&host["draining"], &host["capacity"], &host["cost"]),
        (&true.into(), &8.into(), &3.into())
    );
    manager.ok("host undrain fd00:a:1:1::/64");
    assert_eq!(shown(&manager)["draining"], false);
    assert_eq!(
        manager.json("placement plan balance"),
        serde_json::json!([])
    );
    manager.fails("placement plan upwards", 2);
    manager.ok("host fence fd00:a:1:1::/64");
    manager.fails("host fence fd00:a:1:9::/64", 1);
    assert_eq!(
        bare("host drain fd00:a:1:1::/64")
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn more_than_a_page_is_listed_whole() {
    let manager = furnished();
    let mut nodes = String::from("nodes:\n");
    for n in 0..1003 {
        let (high, low) = (n / 250, n % 250);
        nodes.push_str(&format!(
            "  - {{id: '{n:016x}', name: n, network: 9, addresses: [10.9.{high}.{low}]}}\n"
        ));
    }
    let file = manager.path("nodes.yaml");
    std::fs::write(&file, nodes).unwrap();
    manager.ok("net set 9 --org acme --prefix 10.9.0.0/16");
    let applied = manager.ok(&format!("apply -f {}", file.display()));
    assert!(
        applied.ends_with("1003 created, 0 changed, 0 deleted, 0 unchanged\n"),
        "{applied}"
    );
    let shown = manager.json("node show --net 9");
    assert_eq!(shown.as_array().unwrap().len(), 1003);
}

#[test]
fn peerings_have_a_direction() {
    let manager = furnished();
    manager.ok("net add 8 --org acme");
    assert_eq!(
        manager.ok("peering add 8 7 --dry-run"),
        "+ peering 8 7\n    from: 8\n    to: 7\n"
    );
    assert_eq!(manager.ok("peering show"), "FROM  TO\n");
    manager.ok("peering add 8 7");
    manager.ok("peering add 8 7");
    assert_eq!(manager.ok("peering add 8 7 --dry-run"), "= peering 8 7\n");
    assert_eq!(manager.ok("peering show"), "FROM  TO\n8     7\n");
    assert_eq!(
        manager.json("peering show 8 7"),
        json!([{"from": 8, "to": 7}])
    );
    assert_eq!(manager.json("peering show 7"), json!([]));
    assert_eq!(manager.json("net show 7")[0]["admits"], json!([8]));
    let partial = manager.fails("peering add 8 7 from 10.0.0.2", 2);
    assert!(partial.contains("about all nodes"), "{partial}");
    manager.ok("peering del 8 7");
    manager.fails("peering del 8 7", 1);
}

#[test]
fn rules_are_a_list() {
    let manager = furnished();
    manager.ok("rule add 7 in proto tcp dport 22 allow");
    manager.ok("rule add 7 in deny");
    manager.ok("rule add 7 in before 2 icmp-type 8 window 08:00-17:30 allow");
    assert_eq!(
        manager.ok("rule show 7"),
        "VNI  ID  RULE                            ACTION\n\
         7    1   proto tcp dport 22              allow\n\
         7    2   icmp-type 8 window 08:00-17:30  allow\n\
         7    3   any                             deny\n"
    );
    assert_eq!(
        manager.json("rule show 7 3"),
        json!([{"vni": 7, "id": 3, "action": "deny"}])
    );
    manager.fails("rule show 7 4", 1);
    manager.ok("rule set 7 in id 1 proto udp deny --dry-run");
    manager.ok("rule del 7 1 3");
    assert_eq!(manager.json("rule show").as_array().unwrap().len(), 1);
    let wrong = manager.fails("rule add 7 in window 8-9 deny", 1);
    assert!(wrong.contains("08:00"), "{wrong}");
    manager.fails("rule add 9 in deny", 1);
    manager.ok("rule del 7 --all");
    assert_eq!(manager.json("rule show"), json!([]));
}

const DOCUMENT: &str = "
organisations: [{name: acme, title: Acme}]
networks: [{vni: 7, name: front, organisation: acme, prefixes: [10.0.0.0/24]}]
hosts: [{id: fd00000a00010001, name: R, organisation: acme}]
nodes: [{id: 00000000000000aa, name: web, network: 7, addresses: [10.0.0.2]}]
";

#[test]
fn a_document_is_applied_and_told_as_differences() {
    let manager = Manager::start();
    let file = manager.path("document");
    let line = format!("apply -f {}", file.display());
    std::fs::write(&file, DOCUMENT).unwrap();
    let created =
        "+ organisation acme\n+ network 7\n+ host fd00000a00010001\n+ node 00000000000000aa\n\
                   4 created, 0 changed, 0 deleted, 0 unchanged";
    assert_eq!(
        manager.ok(&format!("{line} --dry-run")),
        format!("{created}; nothing was done\n")
    );
    manager.fails("org show acme", 1);
    assert_eq!(manager.ok(&line), format!("{created}\n"));
    assert_eq!(
        manager.ok(&line),
        "0 created, 0 changed, 0 deleted, 4 unchanged\n"
    );
    let other = DOCUMENT.replace("Acme", "Other").replace(
        "addresses: [10.0.0.2]",
        "addresses: [10.0.0.3], host: fd00000a00010001",
    );
    std::fs::write(&file, other).unwrap();
    assert_eq!(
        manager.ok(&format!("{line} --dry-run")),
        "~ organisation acme\n    title: Acme -> Other\n\
         ~ node 00000000000000aa\n    addresses: [\"10.0.0.2\"] -> [\"10.0.0.3\"]\n    \
         host: none -> fd00000a00010001\n\
         0 created, 2 changed, 0 deleted, 2 unchanged; nothing was done\n"
    );
    // JSON, and from standard input.
    let less = r#"{"organisations": [{"name": "acme", "title": "Other"}]}"#;
    let mut child = manager
        .command("apply -f - --prune --json")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), less.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        steps[0],
        json!({
            "kind": "organisation", "id": "acme", "action": "changed",
            "fields": [{"field": "title", "from": "Acme", "to": "Other"}]
        })
    );
    assert_eq!(steps.as_array().unwrap().len(), 4, "{steps}");
    // A refusal comes behind what was done.
    std::fs::write(&file, DOCUMENT.replace("10.0.0.2", "10.9.9.9")).unwrap();
    let output = manager.ovctl(&line);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.ends_with("2 created, 1 changed, 0 deleted, 0 unchanged\n"),
        "{text}"
    );
    assert!(said(&output).contains("outside"), "{}", said(&output));
    manager.fails("apply -f /no/such/file", 1);
}

#[test]
fn changes_are_followed_through_the_death_of_the_manager() {
    use std::io::{BufRead, BufReader};
    let mut manager = furnished();
    let mut child = manager
        .command("watch --kind network --json")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    // Changes until one is seen.
    let mut n = 0;
    let mut change = || {
        n += 1;
        manager.ok(&format!("net set 7 --name {n}"));
        n
    };
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(&mut next);
        while !first.is_finished() {
            assert!(change() < 200, "nothing is told");
        }
        first.join().unwrap()
    });
    let last = change();
    manager.kill();
    manager.run();
    manager.ok("net set 8 --org acme");
    manager.ok("net del 8");
    // From the first one on each comes, once, in its order.
    let number = |told: &Value| {
        told["object"]["name"]
            .as_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    let mut told = first;
    for n in number(&told)..=last {
        assert_eq!((number(&told), &told["action"]), (n, &json!("changed")));
        told = next();
    }
    assert_eq!(
        (&told["id"], &told["action"]),
        (&json!("8"), &json!("created"))
    );
    let resume = told["resume"].as_str().unwrap().to_owned();
    told = next();
    assert_eq!(
        (&told["id"], &told["action"]),
        (&json!("8"), &json!("deleted"))
    );
    child.kill().unwrap();
    child.wait().unwrap();
    // Who has read so far goes on from there.
    let rest = manager.ok(&format!("monitor --from {resume} --count 1"));
    assert!(
        rest.starts_with("network 8 deleted vni 8 name 8 organisation acme"),
        "{rest}"
    );
    let gone = manager.fails("monitor --from 0000000000000000-1", 1);
    assert!(gone.contains("not kept"), "{gone}");
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let manager = Manager::start();
    assert_eq!(
        manager.ok("org set acme --title Acme --dry-run"),
        "+ organisation acme\n    name: acme\n    title: Acme\n"
    );
    manager.fails("org show acme", 1);
    manager.ok("org set acme");
    manager.ok("net set 7 --org acme");
    let before = manager.ok("net show 7 --json");
    assert_eq!(
        manager.ok("net set 7 --name front --dry-run"),
        "~ network 7\n    name: 7 -> front\n"
    );
    assert_eq!(manager.ok("net del 7 --dry-run"), "- network 7\n");
    assert_eq!(manager.ok("net show 7 --json"), before);
}

#[test]
fn what_only_one_side_understands_is_refused_there() {
    let manager = Manager::start();
    for (line, says) in [
        ("net set 7 --ttl 9", "--ttl is for a host"),
        ("net set 7 --policy-in deny", "--policy-in is for a host"),
        ("mapping show", "address show"),
        ("port show", "ports are a host's"),
        ("stats", "--server local"),
    ] {
        let said = manager.fails(line, 2);
        assert!(said.contains(says), "{line}: {said}");
    }
    for (line, says) in [
        ("net set 7 --org acme", "--org is for a manager"),
        ("net del 7 --dry-run", "--dry-run is for a manager"),
        ("org show", "OVCTL_SERVER"),
        ("--server local org show", "OVCTL_SERVER"),
    ] {
        let output = bare(line).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(said(&output).contains(says), "{line}: {}", said(&output));
    }
    // What concerns neither works wherever it is called.
    assert!(manager.ok("completion bash").contains("ovctl"));
}

#[test]
fn who_is_not_known_or_may_not_is_told_so() {
    let manager = Manager::start();
    let unknown = |token: &str| {
        let mut command = bare("org show");
        command
            .env("OVCTL_SERVER", &manager.url)
            .env("OVCTL_TOKEN", token);
        command.output().unwrap()
    };
    let output = unknown("ovnet_1_2");
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("Bearer TOKEN"), "{}", said(&output));
    let token = std::fs::read_to_string(manager.path("token")).unwrap();
    assert_eq!(unknown(&token).status.code(), Some(0));
    let none = bare("org show")
        .env("OVCTL_SERVER", &manager.url)
        .output()
        .unwrap();
    assert_eq!(none.status.code(), Some(2));
    assert!(said(&none).contains("--token-file"));
    // The manager's other port speaks, but is no API.
    let mut other = manager.command("org show");
    other.env("OVCTL_SERVER", manager.url.replace("8440", "9440"));
    let output = other.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("not a manager's"),
        "{}",
        said(&output)
    );
    // And nobody at all is there.
    other.env("OVCTL_SERVER", manager.url.replace("8440", "1"));
    let output = other.output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(
        said(&output).contains("cannot ask http://"),
        "{}",
        said(&output)
    );
}

#[test]
fn only_a_manager_with_a_known_certificate_is_asked() {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = parameters.self_signed(&authority).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority);
    let manager = Manager::start_with("https", |manager| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec![manager.address.to_string()];
        let parameters = rcgen::CertificateParams::new(names).unwrap();
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        for (name, pem) in [
            ("ca", root.pem()),
            ("certificate", certificate.pem()),
            ("key", key.serialize_pem()),
        ] {
            std::fs::write(manager.path(name), pem).unwrap();
        }
        let at = |name| manager.path(name).display().to_string();
        format!(
            "certificate = \"{}\"\nkey = \"{}\"",
            at("certificate"),
            at("key")
        )
    });
    let ca = manager.path("ca");
    manager.ok("org show");
    // The machine's own authorities do not know it.
    let other = rcgen::generate_simple_self_signed(vec!["other".into()]).unwrap();
    std::fs::write(manager.path("machine"), other.cert.pem()).unwrap();
    let stranger = |more: &[&str]| {
        let mut command = bare("org show");
        command
            .args(more)
            .arg("--token-file")
            .arg(manager.path("token"));
        command.env("OVCTL_SERVER", &manager.url);
        command.env("SSL_CERT_FILE", manager.path("machine"));
        command
    };
    let output = stranger(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("--cacert FILE"), "{}", said(&output));
    // Nor is a file without certificates one.
    let token = manager.path("token");
    let output = stranger(&["--cacert", token.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("no certificates"),
        "{}",
        said(&output)
    );
    // By a name of the configuration all is known.
    let config = manager.path("ovctl.toml");
    let at = |name| manager.path(name).display().to_string();
    let lab = format!(
        "[servers.lab]\nurl = \"{}\"\ntoken-file = \"{}\"\ncacert = \"{}\"\n",
        manager.url,
        at("token"),
        ca.display()
    );
    std::fs::write(&config, lab).unwrap();
    let output = bare("--server lab org show")
        .env("OVCTL_CONFIG", &config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn tokens_the_audit_log_and_a_backup() {
    let manager = furnished();
    let made = manager.ok("token add acme=viewer --ttl 1h --description reads");
    let viewer = |line: &str| {
        let mut command = bare(line);
        command
            .env("OVCTL_SERVER", &manager.url)
            .env("OVCTL_TOKEN", &made);
        command.output().unwrap()
    };
    assert_eq!(viewer("net show 7").status.code(), Some(0));
    let refused = viewer("net del 7");
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(
        said(&refused),
        "ovctl: net del: the token does not allow this: This needs a token with the role operator in acme\n"
    );
    let tokens = manager.json("token show");
    let viewer_token = tokens
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["description"] == "reads")
        .unwrap();
    let id = viewer_token["id"].as_str().unwrap();
    assert!(manager
        .ok("token ls")
        .contains(&format!("{id}  acme=viewer")));
    // While it did not lead, orders were refused as well.
    let log = manager.json("audit --refused");
    let log = log.as_array().unwrap().iter();
    let log: Vec<_> = log.filter(|it| it["status"] != json!(503)).collect();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(
        (&log[0]["token"], &log[0]["status"]),
        (&json!(id), &json!(403))
    );
    assert!(manager.json("audit").as_array().unwrap().len() > 4);
    manager.ok(&format!("token del {id}"));
    assert_eq!(viewer("net show").status.code(), Some(3));
    let file = manager.path("backup");
    let line = format!("backup {}", file.display());
    manager.ok(&line);
    assert_eq!(&std::fs::read(&file).unwrap()[..7], b"OVNETBK");
    assert!(manager.fails(&line, 1).contains("cannot write"));
}
