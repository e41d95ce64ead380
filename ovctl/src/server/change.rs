// SPDX-License-Identifier: GPL-2.0

//! Changes of objects: read, changed, written if nobody has changed them meanwhile.

use std::borrow::Cow;

use clap::Args;
use serde_json::Value;

use super::client::{Condition, Reply};
use super::{sides, Server};
use crate::failure::{Code, Failure};
use crate::output::{Object, Output};

/// Others may change an object between reading and writing it so often.
const TRIES: u32 = 5;

/// How a change is meant.
#[derive(Debug, Default, Args)]
#[group(skip)]
pub(crate) struct Change {
    /// Only say what would change
    #[arg(long, help_heading = sides::MANAGER)]
    dry_run: bool,

    /// Only if the object still has this ETag, which `show --json` of that one object tells
    #[arg(long, value_name = "ETAG", help_heading = sides::MANAGER)]
    if_match: Option<String>,
}

impl Change {
    /// The path, with what the change is to be asked for.
    pub(crate) fn path(&self, path: &str) -> String {
        match self.dry_run {
            true => format!("{path}?dry_run=true"),
            false => path.to_owned(),
        }
    }

    pub(crate) fn is_dry(&self) -> bool {
        self.dry_run
    }

    /// On what the change of something that was not read depends.
    pub(crate) fn condition(&self) -> Condition<'_> {
        self.tag().map_or(Condition::None, Condition::Is)
    }

    fn tag(&self) -> Option<&str> {
        let tag = self.if_match.as_deref()?;
        Some(tag.trim_matches('"'))
    }
}

/// Which object, for the manager and for people.
pub(crate) struct Which<'w> {
    pub(crate) path: &'w str,
    pub(crate) kind: &'static str,
    pub(crate) id: Cow<'w, str>,
}

/// Make an object what `make` makes of what it is. What nobody else should see is not lost: if it changes
/// between reading and writing, it is read again, unless the change is only meant for one state of it.
pub(crate) fn set(
    server: &Server,
    which: &Which<'_>,
    change: &Change,
    make: impl Fn(Option<Object>) -> Result<Object, Failure>,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let path = change.path(which.path);
    for left in (0..TRIES).rev() {
        let before = server.find(which.path)?;
        let etag = before.as_ref().and_then(|reply| reply.etag.clone());
        let before = before.map(|reply| reply.object);
        let condition = match (change.tag(), &etag) {
            (Some(tag), _) => Condition::Is(tag),
            (None, Some(tag)) => Condition::Is(tag),
            (None, None) => Condition::Absent,
        };
        let wanted = make(before.clone())?;
        match server.put(&path, condition, Some(&wanted)) {
            Err(Failure::Manager(problem))
                if problem.code == Code::Changed && change.tag().is_none() && left > 0 => {}
            Err(failure) => return Err(failure),
            Ok(Reply { object, .. }) if change.is_dry() => {
                return tell(which, before.as_ref(), Some(&object), output)
            }
            Ok(_) => return Ok(()),
        }
    }
    Ok(())
}

/// Delete an object.
pub(crate) fn delete(
    server: &Server,
    which: &Which<'_>,
    change: &Change,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    server.delete(&change.path(which.path), change.condition())?;
    match change.is_dry() {
        true => tell(which, Some(&Object::new()), None, output),
        false => Ok(()),
    }
}

/// Write what a change makes of an object.
pub(crate) fn tell(
    which: &Which<'_>,
    before: Option<&Object>,
    after: Option<&Object>,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let differences = match (before, after) {
        (before, Some(after)) => differences(before, after),
        (_, None) => Vec::new(),
    };
    let (sign, action) = match (before, after) {
        (None, _) => ('+', "created"),
        (Some(_), None) => ('-', "deleted"),
        (Some(_), Some(_)) if differences.is_empty() => ('=', "unchanged"),
        (Some(_), Some(_)) => ('~', "changed"),
    };
    if output.is_json() {
        let mut line = Object::new();
        line.insert("kind".into(), which.kind.into());
        line.insert("id".into(), which.id.as_ref().into());
        line.insert("action".into(), action.into());
        if let Some(after) = after {
            line.insert("object".into(), Value::Object(after.clone()));
        }
        return Ok(output.object(line)?);
    }
    output.line(&format!("{sign} {} {}", which.kind, which.id))?;
    for difference in differences {
        output.line(&format!("    {difference}"))?;
    }
    Ok(())
}

/// A value, as it is shown among differences.
pub(super) fn word(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// What is different, key by key: `name: front -> back`.
fn differences(before: Option<&Object>, after: &Object) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in after {
        match before {
            None if value.is_null() => {}
            None => lines.push(format!("{key}: {}", word(Some(value)))),
            Some(before) if before.get(key) == Some(value) => {}
            Some(before) => {
                lines.push(format!(
                    "{key}: {} -> {}",
                    word(before.get(key)),
                    word(Some(value))
                ));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;
    use serde_json::json;

    fn told(before: Value, after: Value, json: bool) -> String {
        let which = Which {
            path: "",
            kind: "network",
            id: "7".into(),
        };
        capture::text(json, |output| {
            tell(&which, before.as_object(), after.as_object(), output).unwrap();
        })
    }

    #[test]
    fn a_dry_run_tells_what_is_different() {
        let before = json!({"vni": 7, "name": "a", "prefixes": [], "host": "x"});
        let after = json!({"vni": 7, "name": "b", "prefixes": ["10.0.0.0/8"], "host": null});
        assert_eq!(
            told(before.clone(), after, false),
            "~ network 7\n    name: a -> b\n    prefixes: [] -> [\"10.0.0.0/8\"]\n    host: x -> none\n"
        );
        assert_eq!(told(before.clone(), before.clone(), false), "= network 7\n");
        assert_eq!(told(before.clone(), Value::Null, false), "- network 7\n");
        assert_eq!(
            told(Value::Null, json!({"name": "a", "host": null}), false),
            "+ network 7\n    name: a\n"
        );
        assert_eq!(
            told(Value::Null, json!({"name": "a"}), true),
            "{\"kind\":\"network\",\"id\":\"7\",\"action\":\"created\",\"object\":{\"name\":\"a\"}}\n"
        );
    }
}
