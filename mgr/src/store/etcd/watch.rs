// SPDX-License-Identifier: GPL-2.0

//! A watch of an etcd cluster that outlives the member it began at.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tonic::{Request, Status};

use super::pb::{self, event::EventType, watch_client::WatchClient};
use super::{convert, Etcd, Failure};
use crate::store::{Change, Error, Event, Range, Result, Revision};

/// Why a stream ended.
enum End {
    /// Nobody listens.
    Left,
    /// The member broke off: another may go on.
    Broken,
    /// There is no going on.
    Failed(Error),
}

/// Sends the changes of a range until nobody listens or they are compacted away.
pub(super) async fn follow(
    store: Etcd,
    range: Range,
    mut next: Revision,
    sender: Sender<Result<Change>>,
) {
    let mut pause = Duration::from_millis(50);
    loop {
        let before = next;
        let end = tokio::select! {
            end = stream(&store, &range, &mut next, &sender) => end,
            () = sender.closed() => End::Left,
        };
        match end {
            End::Left => return,
            End::Failed(error) => {
                let _ = sender.send(Err(error)).await;
                return;
            }
            End::Broken if next > before => pause = Duration::from_millis(50),
            End::Broken => pause = (pause * 2).min(Duration::from_secs(5)),
        }
        store.cluster.leave();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = sender.closed() => return,
        }
    }
}

async fn stream(
    store: &Etcd,
    range: &Range,
    next: &mut Revision,
    sender: &Sender<Result<Change>>,
) -> End {
    let Ok(channel) = store.cluster.channel().await else {
        return End::Broken;
    };
    let prefix = &store.cluster.options.prefix;
    let (key, range_end) = convert::bounds(prefix, range);
    let create = pb::WatchCreateRequest {
        key,
        range_end,
        start_revision: convert::signed(*next),
        progress_notify: true,
    };
    let create = pb::watch_request::RequestUnion::CreateRequest(create);
    let (_keep_open, requests) = tokio::sync::mpsc::channel::<pb::WatchRequest>(1);
    let first = tokio_stream::once(pb::WatchRequest {
        request_union: Some(create),
    });
    let requests = tokio_stream::StreamExt::chain(
        first,
        tokio_stream::wrappers::ReceiverStream::new(requests),
    );
    let mut request = Request::new(requests);
    // A member that lost its cluster ends the stream instead of keeping silent.
    request.metadata_mut().insert(
        "hasleader",
        tonic::metadata::MetadataValue::from_static("true"),
    );
    let mut client = WatchClient::new(channel).max_decoding_message_size(usize::MAX);
    let mut answers = match client.watch(request).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return broken(status, *next),
    };
    loop {
        let answer = match answers.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) => return End::Broken,
            Err(status) => return broken(status, *next),
        };
        if answer.compact_revision > 0 {
            return End::Failed(Error::Compacted { wanted: *next });
        }
        if answer.canceled {
            let reason = answer.cancel_reason;
            // Members that lost their leader cancel with this reason.
            return match reason.contains("no leader") {
                true => End::Broken,
                false => End::Failed(Error::Unavailable(format!(
                    "etcd ended the watch: {reason}"
                ))),
            };
        }
        let progress = !answer.created && answer.events.is_empty();
        let seen = convert::revision(answer.header.as_ref());
        for change in group(prefix, answer.events) {
            let revision = change.revision;
            if sender.send(Ok(change)).await.is_err() {
                return End::Left;
            }
            *next = revision + 1;
        }
        if progress {
            *next = (*next).max(seen + 1);
        }
    }
}

fn broken(status: Status, next: Revision) -> End {
    let failure = Failure::Answer(status);
    match failure.is_transient() {
        true => End::Broken,
        false => End::Failed(convert::error(failure, next)),
    }
}

/// The events of each revision together: etcd sends them in order and never splits a revision.
fn group(prefix: &str, events: Vec<pb::Event>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for event in events {
        let kind = event.r#type();
        let Some(kv) = event.kv else { continue };
        let entry = convert::entry(prefix, kv);
        let revision = entry.modified;
        let event = match kind {
            EventType::Put => Event::Put(entry),
            EventType::Delete => Event::Delete(entry.key),
        };
        match changes.last_mut() {
            Some(change) if change.revision == revision => change.events.push(event),
            _ => changes.push(Change {
                revision,
                events: vec![event],
            }),
        }
    }
    changes
}
