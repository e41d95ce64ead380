// SPDX-License-Identifier: GPL-2.0

//! What several test programs share: the cluster they start.

pub(crate) mod etcd;
