// SPDX-License-Identifier: GPL-2.0

//! Why a manager did not do something, in one line, with the exit code that says so.

use serde::Deserialize;
use serde_json::Value;
use ureq::http::StatusCode;

use crate::failure::{Code, Failure};

/// Why the manager did not do it, or could not be asked.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    /// The HTTP status, if there was an answer.
    status: Option<StatusCode>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What was done before, of a document that was applied.
    pub(crate) results: Vec<Value>,
}

/// Problem details (RFC 9457), as far as they are for people.
#[derive(Debug, Deserialize)]
struct Details {
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    results: Vec<Value>,
}

impl Problem {
    /// What an answer with an error's status says.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Problem {
        let code = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::Permission,
            StatusCode::PRECONDITION_FAILED => Code::Changed,
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Code::Away,
            _ => Code::Refused,
        };
        let Ok(details) = serde_json::from_slice::<Details>(body) else {
            return Problem {
                code,
                status: Some(status),
                message: format!("the answer is not a manager's (HTTP status {status})"),
                hint: Some("--server must be the URL of a manager's API, without /v1".into()),
                results: Vec::new(),
            };
        };
        Problem {
            code,
            status: Some(status),
            message: sentence(&details.title, &details.detail),
            hint: None,
            results: details.results,
        }
    }

    /// What was asked for is not kept any more.
    pub(super) fn is_gone(&self) -> bool {
        self.status == Some(StatusCode::GONE)
    }

    /// The manager could not be asked.
    pub(super) fn away(url: &str, error: &ureq::Error) -> Problem {
        let text = error.to_string();
        let hint = match error {
            ureq::Error::Rustls(_) => {
                "--cacert FILE names the authority that has signed the manager's certificate"
            }
            _ if text.contains("certificate") => {
                "--cacert FILE names the authority that has signed the manager's certificate"
            }
            _ => "is it running, and is the URL right? `curl URL/healthz` asks without a token",
        };
        Problem {
            code: Code::Away,
            status: None,
            message: format!("cannot ask {url}: {text}"),
            hint: Some(hint.into()),
            results: Vec::new(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Manager(problem)
    }
}

/// Title and detail as one line. Whatever comes from afar moves no cursor.
fn sentence(title: &str, detail: &str) -> String {
    let mut title = title.to_owned();
    // "The token" begins a sentence there; here it goes on behind the command.
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let mut line = match detail {
        "" => title,
        detail => format!("{title}: {}", detail.trim_end_matches('.')),
    };
    line.retain(|character| !character.is_control());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_that_says_what_to_do() {
        let body =
            br#"{"type":"urn:ovnet:problem:forbidden","title":"The token does not allow this",
            "status":403,"detail":"This needs a token with the role operator in acme."}"#;
        let problem = Problem::of(StatusCode::FORBIDDEN, body);
        assert_eq!(
            problem.message,
            "the token does not allow this: This needs a token with the role operator in acme"
        );
        assert_eq!(problem.code, Code::Permission);
        let problem = Problem::of(StatusCode::CONFLICT, br#"{"title":"a\u001b[2Jb"}"#);
        assert_eq!(
            (&problem.message[..], problem.code),
            ("a[2Jb", Code::Refused)
        );
    }

    #[test]
    fn statuses_have_their_exit_codes() {
        for (status, code) in [
            (401, Code::Permission),
            (404, Code::Refused),
            (412, Code::Changed),
            (422, Code::Refused),
            (503, Code::Away),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Problem::of(status, b"{\"title\":\"no\"}").code, code);
        }
        let page = Problem::of(StatusCode::NOT_FOUND, b"<html>");
        assert!(page.message.contains("404"), "{}", page.message);
        assert!(page.hint.is_some());
    }
}
