// SPDX-License-Identifier: GPL-2.0

//! Requests to a manager's API, and their answers.

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{header, Method, Request, Response, StatusCode};
use ureq::tls::{parse_pem, Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::config::{Access, Manager};
use super::{key, Problem};
use crate::failure::Failure;
use crate::output::Object;

/// Connecting takes at most so long,
const CONNECT: Duration = Duration::from_secs(10);
/// and the other side may be silent so long; a stream of events says every 15 seconds that it is alive.
const SILENCE: Duration = Duration::from_secs(60);
/// A request that may be sent again is sent so often in all.
const TRIES: u32 = 3;
/// No answer is larger but a backup, which is not held in memory.
const LARGEST: u64 = 1 << 28;
/// Items of a list that are asked for at once.
const PAGE: usize = 1000;
/// Whom this machine trusts, as Debian keeps it.
const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// On what a change depends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<'c> {
    None,
    /// The object has this ETag.
    Is(&'c str),
    /// There is no such object.
    Absent,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) object: Object,
    /// As `If-Match` takes it, without quotes.
    pub(crate) etag: Option<String>,
}

impl Reply {
    /// The object, with its ETag as a key.
    pub(crate) fn with_etag(self) -> Object {
        let mut object = self.object;
        if let Some(etag) = self.etag {
            object.insert("etag".into(), etag.into());
        }
        object
    }
}

/// A manager that can be asked.
pub(crate) struct Server {
    agent: Agent,
    url: String,
    bearer: String,
}

struct Question<'q> {
    method: Method,
    path: &'q str,
    condition: Condition<'q>,
    /// Its type, and what it is.
    body: Option<(&'static str, Vec<u8>)>,
    key: Option<String>,
    /// The last event that was read, of a stream to be resumed.
    last_event: Option<&'q str>,
}

impl Question<'_> {
    /// Whether it is harmless to ask twice.
    fn is_repeatable(&self) -> bool {
        self.method == Method::GET || self.key.is_some()
    }
}

impl Server {
    pub(crate) fn new(manager: Manager) -> Result<Server, Failure> {
        let Access { url, token, cacert } = manager.access()?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A token is for the one it was meant for.
            .max_redirects(0)
            .user_agent(concat!("ovctl/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE));
        if url.starts_with("http:") {
            // The URL is this machine's, and no proxy of the environment is between.
            config = config.proxy(None);
        } else {
            config = config.tls_config(tls(cacert.as_deref())?);
        }
        Ok(Server {
            agent: config.build().new_agent(),
            url,
            bearer: format!("Bearer {token}"),
        })
    }

    /// `GET` of one object that must be there.
    pub(crate) fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.ask(question(Method::GET, path))
    }

    /// `GET` of one object, if it is there.
    pub(crate) fn find(&self, path: &str) -> Result<Option<Reply>, Failure> {
        let response = self.send(&question(Method::GET, path))?;
        match response.status() {
            StatusCode::NOT_FOUND => {
                let problem = self.problem(response);
                // A server that is no manager has no objects either, and that is no news of them.
                match problem.hint {
                    None => Ok(None),
                    Some(_) => Err(problem.into()),
                }
            }
            _ => self.reply(response).map(Some),
        }
    }

    /// `GET` of what is read as it comes, from behind an event on if it is a stream of them.
    pub(crate) fn open(&self, path: &str, last_event: Option<&str>) -> Result<impl Read, Failure> {
        let response = self.send(&Question {
            last_event,
            ..question(Method::GET, path)
        })?;
        match response.status().is_success() {
            true => Ok(response.into_body().into_reader()),
            false => Err(self.problem(response).into()),
        }
    }

    /// `GET` of a list, page by page as its items are wanted.
    pub(crate) fn items<'s>(&'s self, path: &'s str) -> Items<'s> {
        Items {
            server: self,
            path,
            page: VecDeque::new(),
            next: Some(None),
        }
    }

    /// `PUT` of an object, or of nothing.
    pub(crate) fn put(
        &self,
        path: &str,
        condition: Condition<'_>,
        body: Option<&Object>,
    ) -> Result<Reply, Failure> {
        let body = body.map(json);
        self.ask(Question {
            condition,
            body,
            ..question(Method::PUT, path)
        })
    }

    /// `POST` of an object, done once even if it is sent twice.
    pub(crate) fn post(&self, path: &str, body: &Object) -> Result<Reply, Failure> {
        let body = Some(json(body));
        self.ask(Question {
            body,
            key: Some(key::random()?),
            ..question(Method::POST, path)
        })
    }

    /// `POST` of a document as somebody wrote it, done once even if it is sent twice.
    pub(crate) fn post_document(
        &self,
        path: &str,
        media: &'static str,
        document: Vec<u8>,
    ) -> Result<Reply, Failure> {
        self.ask(Question {
            body: Some((media, document)),
            key: Some(key::random()?),
            ..question(Method::POST, path)
        })
    }

    /// `POST` of what must not be repeated: its answer has a secret.
    pub(crate) fn post_secret(&self, path: &str, body: Option<&Object>) -> Result<Reply, Failure> {
        self.ask(Question {
            body: body.map(json),
            ..question(Method::POST, path)
        })
    }

    /// `DELETE` of an object.
    pub(crate) fn delete(&self, path: &str, condition: Condition<'_>) -> Result<(), Failure> {
        let question = Question {
            condition,
            ..question(Method::DELETE, path)
        };
        self.ask(question).map(drop)
    }

    fn ask(&self, question: Question<'_>) -> Result<Reply, Failure> {
        let response = self.send(&question)?;
        self.reply(response)
    }

    /// Send it, again if that is harmless and may help.
    fn send(&self, question: &Question<'_>) -> Result<Response<Body>, Failure> {
        let mut left = if question.is_repeatable() { TRIES } else { 1 };
        loop {
            left -= 1;
            let again = match self.send_once(question) {
                Ok(response) if response.status() != StatusCode::SERVICE_UNAVAILABLE => {
                    return Ok(response)
                }
                other => other,
            };
            let lost = match &again {
                Ok(_) => true,
                // A connection that broke; one that was never there will not come.
                Err(ureq::Error::Io(error)) => {
                    error.kind() != std::io::ErrorKind::ConnectionRefused
                }
                Err(_) => false,
            };
            if left == 0 || !lost {
                return again.map_err(|error| Problem::away(&self.url, &error).into());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn send_once(&self, question: &Question<'_>) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder()
            .method(&question.method)
            .uri(format!("{}{}", self.url, question.path))
            .header(header::AUTHORIZATION, &self.bearer);
        request = match question.condition {
            Condition::None => request,
            Condition::Is(etag) => request.header(header::IF_MATCH, format!("\"{etag}\"")),
            Condition::Absent => request.header(header::IF_NONE_MATCH, "*"),
        };
        if let Some(key) = &question.key {
            request = request.header("idempotency-key", key);
        }
        if let Some((media, _)) = question.body {
            request = request.header(header::CONTENT_TYPE, media);
        }
        if let Some(last) = question.last_event {
            request = request.header("last-event-id", last);
        }
        match &question.body {
            Some((_, body)) => self.agent.run(request.body(&body[..])?),
            None => self.agent.run(request.body(())?),
        }
    }

    fn reply(&self, mut response: Response<Body>) -> Result<Reply, Failure> {
        if !response.status().is_success() {
            return Err(self.problem(response).into());
        }
        let etag = response.headers().get(header::ETAG);
        let etag = etag.and_then(|etag| etag.to_str().ok());
        let etag = etag.map(|etag| etag.trim_matches('"').to_owned());
        let body = response
            .body_mut()
            .with_config()
            .limit(LARGEST)
            .read_to_vec();
        let body = body.map_err(|error| Problem::away(&self.url, &error))?;
        let object = match &body[..] {
            [] => Object::new(),
            body => match serde_json::from_slice(body) {
                Ok(Value::Object(object)) => object,
                _ => return Err(Problem::of(response.status(), b"").into()),
            },
        };
        Ok(Reply { object, etag })
    }

    fn problem(&self, mut response: Response<Body>) -> Problem {
        let body = response.body_mut().with_config().limit(1 << 20);
        match body.read_to_vec() {
            Ok(body) => Problem::of(response.status(), &body),
            Err(error) => Problem::away(&self.url, &error),
        }
    }
}

fn question(method: Method, path: &str) -> Question<'_> {
    Question {
        method,
        path,
        condition: Condition::None,
        body: None,
        key: None,
        last_event: None,
    }
}

fn json(object: &Object) -> (&'static str, Vec<u8>) {
    let text = Value::Object(object.clone()).to_string();
    ("application/json", text.into_bytes())
}

/// A word as a part of a path or of a query.
pub(crate) fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for byte in word.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => text.push(byte.into()),
            // A path of dots alone would lead elsewhere.
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The machine's authorities, or those of a file.
fn tls(cacert: Option<&Path>) -> Result<TlsConfig, Failure> {
    let system = || std::env::var_os("SSL_CERT_FILE").unwrap_or_else(|| MACHINE.into());
    let file = cacert.map_or_else(|| system().into(), Path::to_owned);
    let wrong = |what: &dyn std::fmt::Display| {
        let file = file.display();
        Failure::Input(format!("{file} has no certificates to trust: {what}"))
    };
    let pem = std::fs::read(&file).map_err(|error| wrong(&error))?;
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(&error))? {
            roots.push(certificate);
        }
    }
    if roots.is_empty() {
        return Err(wrong(&"name a file of PEM certificates by --cacert"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::from(roots.into_iter()))
        .build())
}

/// The items of a list.
pub(crate) struct Items<'s> {
    server: &'s Server,
    path: &'s str,
    page: VecDeque<Object>,
    /// Where the next page begins; the inner absence is the beginning, the outer the end.
    next: Option<Option<String>>,
}

impl Items<'_> {
    fn more(&mut self, after: Option<String>) -> Result<(), Failure> {
        let join = if self.path.contains('?') { '&' } else { '?' };
        let mut path = format!("{}{join}limit={PAGE}", self.path);
        if let Some(after) = after {
            path.push_str(&format!("&after={}", escaped(&after)));
        }
        let mut list = self.server.get(&path)?.object;
        if let Some(Value::Array(items)) = list.remove("items") {
            let objects = items.into_iter().filter_map(|item| match item {
                Value::Object(object) => Some(object),
                _ => None,
            });
            self.page.extend(objects);
        }
        if let Some(Value::String(next)) = list.remove("next") {
            self.next = Some(Some(next));
        }
        Ok(())
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Object, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(object) = self.page.pop_front() {
                return Some(Ok(object));
            }
            let after = self.next.take()?;
            if let Err(failure) = self.more(after) {
                return Some(Err(failure));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_part_of_a_path() {
        assert_eq!(escaped("acme-2"), "acme-2");
        assert_eq!(escaped("../x?y=\u{e9}"), "%2E%2E%2Fx%3Fy%3D%C3%A9");
    }
}
