// SPDX-License-Identifier: GPL-2.0

//! Changes as server-sent events: `GET /v1/watch`.
//!
//! The id of an event is the tag of its revision; who sends it as `Last-Event-ID` goes on after it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::IntoResponse;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::call::{Answer, Call};
use super::problem::Problem;
use super::show::Shower;
use crate::store::{self, Change, Error, Range};

pub(super) async fn watch(call: Call) -> Result<Answer, Problem> {
    let last = call
        .headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let from = match last.or(call.query.get("from").map(String::as_str)) {
        Some(tag) => call.state.revision(tag).ok_or_else(Problem::gone)?,
        None => {
            let now = call
                .state
                .store
                .range(&Range::key("meta/schema"), None, Some(1))
                .await?;
            now.revision
        }
    };
    // Whether the history is still there is better told now than in the stream.
    match call
        .state
        .store
        .range(&Range::key("meta/schema"), Some(from), Some(1))
        .await
    {
        Ok(_) => {}
        Err(Error::Compacted { .. } | Error::Future(_)) => return Err(Problem::gone()),
        Err(error) => return Err(error.into()),
    }
    let changes = call.state.store.watch(Range::all(), from + 1).await?;
    let kind = call.query.get("kind").cloned();
    let (sender, events) = mpsc::channel(64);
    tokio::spawn(follow(call, changes, kind, sender));
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    let response = Sse::new(ReceiverStream::new(events)).keep_alive(keep_alive);
    Ok(Answer::Raw(response.into_response()))
}

async fn follow(
    call: Call,
    mut changes: store::Watch,
    kind: Option<String>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
) {
    let state = Arc::clone(&call.state);
    let mut stopping = state.stopping.clone();
    state.metrics.api_watches.inc();
    let mut shower = Shower::new(&call);
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            () = sender.closed() => break,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let told = match change {
            Ok(change) => tell(&call, &mut shower, change, kind.as_deref(), &sender).await,
            Err(error) => Err(error.into()),
        };
        match told {
            Ok(true) => {}
            Ok(false) => break,
            Err(problem) => {
                let data = serde_json::to_string(&problem).unwrap_or_default();
                let _ = sender
                    .send(Ok(Event::default().event("problem").data(data)))
                    .await;
                break;
            }
        }
    }
    state.metrics.api_watches.dec();
}

/// Sends the events of a change; false if nobody listens any more.
async fn tell(
    call: &Call,
    shower: &mut Shower<'_>,
    change: Change,
    kind: Option<&str>,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<bool, Problem> {
    let mut objects = Vec::new();
    for event in change.events {
        if event.key().starts_with(b"network/") {
            shower.forget();
        }
        let (entry, action) = match event {
            store::Event::Put(entry) if entry.created == entry.modified => (Some(entry), "created"),
            store::Event::Put(entry) => (Some(entry), "changed"),
            store::Event::Delete(key) => {
                // Whose it was, and what, the state before tells.
                let before = change.revision.saturating_sub(1);
                let found = call
                    .state
                    .store
                    .range(&Range::key(key), Some(before), None)
                    .await?;
                (found.entries.into_iter().next(), "deleted")
            }
        };
        let Some(entry) = entry else { continue };
        let Some(shown) = shower.show(&entry).await? else {
            continue;
        };
        if shower.visible(&shown) && kind.is_none_or(|kind| kind == shown.kind) {
            objects.push(serde_json::json!({
                "kind": shown.kind, "id": shown.id, "action": action, "object": shown.value,
            }));
        }
    }
    if objects.is_empty() {
        return Ok(true);
    }
    let data = serde_json::json!({ "changes": objects }).to_string();
    let event = Event::default()
        .event("change")
        .id(call.state.tag(change.revision))
        .data(data);
    Ok(sender.send(Ok(event)).await.is_ok())
}
