// SPDX-License-Identifier: GPL-2.0

//! The standard form: RFC 7915 for any peer.

use ovnet_engine::embed::Eam;
use ovnet_engine::siit::{self, Siit, Verdict, View};
use ovnet_uapi::DropReason;

use super::eam::Table;
use super::{Direction, Outcome, Packet, HEADROOM};
use crate::failure::Failure;

/// A translator and its table.
pub(super) struct Standard<'c> {
    siit: Siit<'c>,
    table: Table,
}

impl<'c> Standard<'c> {
    pub(super) fn new(siit: Siit<'c>, maps: &[Eam]) -> Result<Standard<'c>, Failure> {
        let table = Table::new(maps)?;
        Ok(Standard { siit, table })
    }

    pub(super) fn run(&self, packet: Packet<'_>, direction: Direction, id: u16) -> Outcome {
        if !packet.ip {
            return Outcome::dropped(DropReason::NotIpv4);
        }
        // Frames to a group carry no packet to translate, whatever its address.
        if packet.link < packet.start && packet.buf[packet.link] & 1 != 0 {
            return Outcome::dropped(DropReason::Multicast);
        }
        self.translate(packet.buf, packet.start, direction, true, id)
    }

    fn translate(
        &self,
        buf: &mut [u8],
        start: usize,
        direction: Direction,
        hop: bool,
        id: u16,
    ) -> Outcome {
        let view = View {
            id,
            hop,
            ..View::new(buf, start)
        };
        let verdict = match direction {
            Direction::To6 => siit::to6(view, &self.siit, &self.table),
            Direction::To4 => siit::to4(view, &self.siit, &self.table),
        };
        match verdict {
            Verdict::Packet(packet) => {
                let bytes = &buf[packet.start..packet.start + packet.len as usize];
                self.turn(bytes, packet.hairpin, id)
            }
            Verdict::Fragments(fragments) => Outcome {
                out: fragments
                    .map(|piece| {
                        let payload = &buf[piece.payload..piece.payload + piece.payload_len];
                        [piece.header(), payload].concat()
                    })
                    .collect(),
                ..Outcome::default()
            },
            Verdict::Error => {
                let mut out = [0; siit::MAX_ERROR6];
                let result = match direction {
                    Direction::To6 => {
                        siit::error_to6(&buf[start..], &self.siit, &self.table, hop, &mut out)
                    }
                    Direction::To4 => {
                        siit::error_to4(&buf[start..], &self.siit, &self.table, hop, id, &mut out)
                    }
                };
                match result {
                    Ok(packet) => self.turn(&out[..packet.len as usize], packet.hairpin, id),
                    Err(reason) => Outcome::dropped(reason),
                }
            }
            // A view of a whole packet leaves nothing to a device.
            Verdict::Software => Outcome::dropped(DropReason::Offload),
            Verdict::Reply(reason, reply) => {
                let mut out = [0; siit::MAX_ERROR6];
                let len = reply.write(&buf[start..], &self.siit, id, &mut out);
                Outcome {
                    errors: len.map(|len| out[..len].to_vec()).into_iter().collect(),
                    ..Outcome::dropped(reason)
                }
            }
            Verdict::Drop(reason) => Outcome::dropped(reason),
        }
    }

    /// What leaves, or comes back at once.
    fn turn(&self, bytes: &[u8], hairpin: bool, id: u16) -> Outcome {
        if !hairpin {
            return Outcome::sent(bytes.to_vec());
        }
        let mut buf = [&[0; HEADROOM][..], bytes].concat();
        self.translate(&mut buf, HEADROOM, Direction::To6, false, id)
    }
}
