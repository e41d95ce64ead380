// SPDX-License-Identifier: GPL-2.0

//! Who wants to hear of a mapping.

use super::SessionId;

/// Sessions, in order: 8 bytes if there are none, and 4 more for each besides one allocation.
#[allow(
    clippy::box_collection,
    reason = "most mappings have none: one word instead of three"
)]
#[derive(Clone, Debug, Default)]
pub(super) struct Subscribers(Option<Box<Vec<SessionId>>>);

impl Subscribers {
    pub(super) fn add(&mut self, session: SessionId) {
        let sessions = self
            .0
            .get_or_insert_with(|| Box::new(Vec::with_capacity(4)));
        if let Err(place) = sessions.binary_search(&session) {
            sessions.insert(place, session);
        }
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        self.retain(|other| other != session);
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(SessionId) -> bool) {
        if let Some(sessions) = &mut self.0 {
            sessions.retain(|session| keep(*session));
            if sessions.is_empty() {
                self.0 = None;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.0.iter().flat_map(|sessions| sessions.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_none_costs_a_word() {
        assert_eq!(std::mem::size_of::<Subscribers>(), 8);
        let mut subscribers = Subscribers::default();
        for session in [3, 1, 3, 2] {
            subscribers.add(SessionId(session));
        }
        let all: Vec<_> = subscribers.iter().map(|session| session.0).collect();
        assert_eq!(all, [1, 2, 3]);
        for session in 1..=3 {
            subscribers.remove(SessionId(session));
        }
        assert!(subscribers.0.is_none());
    }
}
