// SPDX-License-Identifier: GPL-2.0

//! The thread that hears the kernel's events, and what they mean for the agent.

use std::sync::mpsc::Sender;
use std::thread;

use ovnet_uapi::{Error, Event, EventKind, Events, MappingState};
use tokio::sync::mpsc::UnboundedSender;

use super::kernel::{News, Request};
use crate::core::agent::kernel::Event as Told;
use crate::core::agent::Input;
use crate::core::Key;
use crate::metrics::Metrics;

/// Hears events until nobody wants to know of them.
pub(super) fn start(
    events: Events,
    tell: UnboundedSender<News>,
    requests: Sender<Request>,
    metrics: Metrics,
) -> std::io::Result<()> {
    let listener = Listener {
        tell,
        requests,
        metrics,
    };
    thread::Builder::new()
        .name("ovnet-events".into())
        .spawn(move || listener.listen(events))
        .map(drop)
}

struct Listener {
    tell: UnboundedSender<News>,
    requests: Sender<Request>,
    metrics: Metrics,
}

impl Listener {
    fn listen(self, events: Events) {
        for event in events {
            let heard = match event {
                Ok(event) => self.heard(event),
                // Whatever was lost is in the tables.
                Err(Error::Overrun) => {
                    tracing::warn!("the kernel had more to say than was read: reading its tables");
                    self.metrics.agent_overruns.inc();
                    self.requests.send(Request::Review).is_ok()
                }
                Err(error @ Error::Io(..)) => {
                    tracing::error!(%error, "the kernel's events cannot be read any more");
                    let _ = self.requests.send(Request::Fail);
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "an event of the kernel makes no sense");
                    true
                }
            };
            if !heard {
                return;
            }
        }
    }

    /// Passes an event on; false if there is nobody any more.
    fn heard(&self, event: Event) -> bool {
        if let Some(kind) = event.kind.name() {
            self.metrics.agent_events.with_label_values(&[kind]).inc();
        }
        let key = event
            .vni
            .zip(event.address)
            .map(|(vni, address)| Key::new(vni, address));
        let told = match (event.kind, key) {
            (EventKind::Miss, Some(key)) => Told::Miss {
                key,
                from: event.locator,
            },
            (EventKind::Forged, Some(key)) => Told::Forged(key),
            (EventKind::Claim, Some(key)) => Told::Claim(key),
            (EventKind::Stale, Some(key)) => match event.locator {
                Some(sender) => Told::Stale { key, sender },
                None => return true,
            },
            // One that somebody else has given a time: it is over.
            (EventKind::Expiry, Some(key)) if event.state == Some(MappingState::Deleted) => {
                Told::Idle(key)
            }
            (EventKind::Fenced, _) => return self.requests.send(Request::Fenced).is_ok(),
            (EventKind::Port, _) => return self.requests.send(Request::Look).is_ok(),
            (EventKind::NewAddress | EventKind::Spoof, _) => {
                return self.requests.send(Request::Heard(Box::new(event))).is_ok();
            }
            _ => return true,
        };
        self.tell
            .send(News::Input(Input::Kernel(vec![told])))
            .is_ok()
    }
}
