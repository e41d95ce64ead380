// SPDX-License-Identifier: GPL-2.0

//! Where the kernel put the family: its message type and its multicast group.
//!
//! Asking for a family that is not there makes the kernel load its module by alias, so that a
//! client needs no `modprobe`.

use neli::consts::genl::{CtrlAttr, CtrlAttrMcastGrp, CtrlCmd};
use neli::consts::nl::GenlId;

use crate::attrs::{require, Reader, Writer};
use crate::connection::{genl, Connection};
use crate::generated::{FAMILY_NAME, GROUP_EVENTS};
use crate::{Error, Kind};

/// struct genlmsghdr: command, version, two reserved bytes.
pub(crate) const GENL_HEADER: usize = 4;
/// The controller's version; it has had no other since attributes exist.
const CTRL_VERSION: u8 = 2;

/// The numbers a running kernel gave the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// Message type of its messages.
    pub(crate) id: u16,
    /// The multicast group `events`.
    pub(crate) events: u32,
}

impl Family {
    /// Ask the controller.
    pub(crate) fn resolve(connection: &mut Connection) -> Result<Family, Error> {
        let mut attrs = Writer::new();
        let mut name = FAMILY_NAME.as_bytes().to_vec();
        name.push(0);
        attrs.put(CtrlAttr::FamilyName, name)?;
        let request = genl(CtrlCmd::Getfamily, CTRL_VERSION, &attrs);
        let answer = connection
            .transact(u16::from(GenlId::Ctrl), &request, |_| None)
            .map_err(|error| match error {
                Error::Refused(mut refusal) if refusal.kind() == Kind::NotFound => {
                    // The controller says no more than ENOENT.
                    let text = || format!("the kernel has no netlink family {FAMILY_NAME}");
                    refusal.message.get_or_insert_with(text);
                    Error::ModuleMissing(refusal)
                }
                other => other,
            })?;
        let answer = answer.ok_or_else(|| Error::Malformed("no family in the answer".into()))?;
        Family::parse(&answer)
    }

    fn parse(answer: &[u8]) -> Result<Family, Error> {
        let attrs = Reader::<CtrlAttr>::parse(answer.get(GENL_HEADER..).unwrap_or_default())?;
        let id = require(CtrlAttr::FamilyId, attrs.u16(CtrlAttr::FamilyId)?)?;
        let groups = Reader::<u16>::parse(attrs.bytes(CtrlAttr::McastGroups).unwrap_or_default())?;
        for (_, group) in groups.iter() {
            let group = Reader::<CtrlAttrMcastGrp>::parse(group)?;
            if group.string(CtrlAttrMcastGrp::Name).as_deref() == Some(GROUP_EVENTS) {
                let events = require(CtrlAttrMcastGrp::Id, group.u32(CtrlAttrMcastGrp::Id)?)?;
                return Ok(Family { id, events });
            }
        }
        Err(Error::Malformed(format!(
            "the family has no multicast group {GROUP_EVENTS}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const ANSWER: [u8; 44] = [
        1, 2, 0, 0,
        6, 0, 1, 0, 0x1c, 0, 0, 0,
        32, 0, 7, 0x80,
            28, 0, 1, 0x80,
                8, 0, 2, 0, 9, 0, 0, 0,
                11, 0, 1, 0, b'e', b'v', b'e', b'n', b't', b's', 0, 0,
                // The padding of the last one belongs to the nest.
                4, 0, 3, 0,
    ];

    #[test]
    fn the_controllers_answer_gives_type_and_group() {
        assert_eq!(
            Family::parse(&ANSWER).unwrap(),
            Family {
                id: 0x1c,
                events: 9
            }
        );
    }

    #[test]
    fn a_family_of_that_name_without_the_group_is_another() {
        let mut answer = ANSWER;
        answer[32] = b'E';
        assert!(Family::parse(&answer).is_err());
        assert!(Family::parse(&ANSWER[..12]).is_err());
    }
}
