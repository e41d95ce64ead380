// SPDX-License-Identifier: GPL-2.0

//! Finding the rule that decides about a packet by hashing, in time that does not grow with the rules that
//! are not about it: tuple space search.
//!
//! All that criteria compare but for sizes is 128 bits of a packet, a [`Key`]. Criteria split into pieces,
//! each a mask and what the masked bits must be; prefixes are one piece, a range of ports is as many as
//! aligned blocks make it up. Rules mostly share their masks, the *shapes*: a search masks the packet's key
//! once per shape and looks the result up in one hash table. Shapes are tried in the order of the lowest rank
//! they have, and the search ends when none can have a lower one than was found.
//!
//! ```text
//! key   src 32 | dst 32 || source port 16 | destination port 16 | protocol 8 | peer 24
//!                          0              | ICMP type 8, code 8 | 1
//! ```
//!
//! Memory is the caller's, so that the kernel's module can have it from the kernel's allocator. Nothing
//! changes in an index once it is built.

use super::{mask, Criteria, Prefix, Span, Subject, Transport, ICMP, L4};

/// The most shapes of an index: what a search costs at most.
pub const SHAPES_MAX: usize = 64;
/// The most pieces of one rule.
pub const PIECES_MAX: usize = 1024;
/// The most pieces with one mask and one key: rules that differ in nothing but sizes and ranks. Sizes are
/// compared one after the other.
pub const ALIKE_MAX: usize = 64;

/// The numbers of shapes.
const NUMBERS: core::ops::Range<u8> = 0..SHAPES_MAX as u8;

/// The end of a list of pieces, and no rank.
const NONE: u32 = u32::MAX;

/// The bits of a packet that shapes are masks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key {
    nodes: u64,
    rest: u64,
}

const PORTS_SHIFT: u32 = 32;
const PROTOCOL_SHIFT: u32 = 24;
const PROTOCOL: u64 = 0xff << PROTOCOL_SHIFT;
const PEER: u64 = 0xff_ffff;

impl Key {
    #[inline]
    fn new(src: u32, dst: u32, ports: (u16, u16), protocol: u8, peer: u32) -> Key {
        let ports = u64::from(ports.0) << 16 | u64::from(ports.1);
        Key {
            nodes: u64::from(src) << 32 | u64::from(dst),
            rest: ports << PORTS_SHIFT
                | u64::from(protocol) << PROTOCOL_SHIFT
                | u64::from(peer) & PEER,
        }
    }

    #[inline]
    fn of(subject: &Subject) -> Key {
        let ports = match subject.l4 {
            L4::None => (0, 0),
            L4::Ports(src, dst) => (src, dst),
            L4::Icmp(kind, code) => (0, u16::from_be_bytes([kind, code])),
        };
        Key::new(
            subject.src.to_bits(),
            subject.dst.to_bits(),
            ports,
            subject.protocol,
            subject.peer.get(),
        )
    }

    #[inline]
    const fn masked(self, mask: Key) -> Key {
        Key {
            nodes: self.nodes & mask.nodes,
            rest: self.rest & mask.rest,
        }
    }

    /// One multiplication mixes all bits; without the secret nobody can make keys that collide.
    #[inline]
    fn hash(self, shape: u8, secret: [u64; 2]) -> u64 {
        let [first, second] = secret;
        let second = second.wrapping_add(u64::from(shape).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let product = u128::from(self.nodes ^ first).wrapping_mul(u128::from(self.rest ^ second));
        product as u64 ^ (product >> 64) as u64
    }
}

/// A mask that criteria of some rules have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    mask: Key,
    /// The lowest rank of its rules.
    first: u32,
}

impl Shape {
    /// Whether the packet has what the mask asks for. Without a protocol in the mask it is ports.
    #[inline]
    fn concerns(&self, l4: L4) -> bool {
        if self.mask.rest >> PORTS_SHIFT == 0 {
            return true;
        }
        match l4 {
            L4::None => false,
            L4::Ports(..) => true,
            L4::Icmp(..) => self.mask.rest & PROTOCOL != 0,
        }
    }
}

/// A part of a rule's criteria: one key of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    key: Key,
    rank: u32,
    /// The next piece of the bucket; ranks ascend.
    next: u32,
    size: Span,
    shape: u8,
}

impl Piece {
    /// What memory for pieces is filled with.
    pub const EMPTY: Piece = Piece {
        key: Key { nodes: 0, rest: 0 },
        rank: NONE,
        next: NONE,
        size: Span::ALL,
        shape: 0,
    };
}

/// What memory for buckets is filled with.
pub const EMPTY_BUCKET: u32 = NONE;

/// How many buckets so many pieces should have: a power of two.
pub const fn buckets(pieces: usize) -> usize {
    match pieces.checked_next_power_of_two() {
        Some(buckets) => buckets.saturating_mul(2),
        None => usize::MAX,
    }
}

/// How many pieces the criteria make; `None` if more than [`PIECES_MAX`].
pub fn pieces(criteria: &Criteria) -> Option<usize> {
    let (src, dst, ..) = ports(&criteria.transport);
    let count = src.len().wrapping_mul(dst.len());
    (count <= PIECES_MAX).then_some(count)
}

/// Why an index cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// More shapes than there is memory for.
    Shapes,
    /// More than [`ALIKE_MAX`] pieces with one key.
    Alike,
    /// More pieces than there is memory for.
    Pieces,
}

/// An index being built.
pub struct Builder<'a> {
    shapes: &'a mut [Shape],
    shape_count: usize,
    pieces: &'a mut [Piece],
    piece_count: usize,
    buckets: &'a mut [u32],
    secret: [u64; 2],
}

impl<'a> Builder<'a> {
    /// Starts an index. `shapes` has room for [`SHAPES_MAX`] at most, `pieces` for the [`pieces`] of all
    /// rules, and `buckets` is [`EMPTY_BUCKET`] as often as [`buckets`] says. The secret is random, and the
    /// one that is searched with.
    pub fn new(
        shapes: &'a mut [Shape],
        pieces: &'a mut [Piece],
        buckets: &'a mut [u32],
        secret: [u64; 2],
    ) -> Builder<'a> {
        Builder {
            shapes,
            shape_count: 0,
            pieces,
            piece_count: 0,
            buckets,
            secret,
        }
    }

    /// Adds a rule of a higher rank than all before.
    ///
    /// # Errors
    ///
    /// [`Full`]; the index is of no use then.
    pub fn add(&mut self, rank: u32, criteria: &Criteria) -> Result<(), Full> {
        let Criteria {
            src,
            dst,
            transport,
            size,
            peer,
        } = *criteria;
        let (sources, destinations, protocol) = ports(&transport);
        let peer_mask = if peer.is_some() { PEER as u32 } else { 0 };
        let peer = peer.map_or(0, |peer| peer.get());
        let bits = |prefix: Prefix| (prefix.address().to_bits(), mask(prefix.length()));
        let ((src, src_mask), (dst, dst_mask)) = (bits(src), bits(dst));
        for (from, from_mask) in sources {
            for (to, to_mask) in destinations {
                let key = Key::new(src, dst, (from, to), protocol.unwrap_or(0), peer);
                let protocol_mask = if protocol.is_some() { u8::MAX } else { 0 };
                let ports_mask = (from_mask, to_mask);
                let mask = Key::new(src_mask, dst_mask, ports_mask, protocol_mask, peer_mask);
                let shape = self.shape(mask, rank)?;
                self.piece(key, rank, size, shape)?;
            }
        }
        Ok(())
    }

    /// How many shapes there are now: they are the first so many.
    pub fn shapes(&self) -> usize {
        self.shape_count
    }

    /// The number of the shape with this mask, known or new. New ones come with ascending ranks.
    fn shape(&mut self, mask: Key, rank: u32) -> Result<u8, Full> {
        let mut known = NUMBERS.zip(self.shapes.iter().take(self.shape_count));
        if let Some((number, _)) = known.find(|(_, shape)| shape.mask == mask) {
            return Ok(number);
        }
        let free = self.shapes.get_mut(self.shape_count).ok_or(Full::Shapes)?;
        *free = Shape { mask, first: rank };
        let number = self.shape_count as u8;
        self.shape_count = self.shape_count.wrapping_add(1);
        Ok(number)
    }

    /// Appends a piece to its bucket, unless one before it fits whatever it fits.
    fn piece(&mut self, key: Key, rank: u32, size: Span, shape: u8) -> Result<(), Full> {
        let bucket = bucket(key.hash(shape, self.secret), self.buckets.len());
        let mut link = *self.buckets.get(bucket).ok_or(Full::Pieces)?;
        let mut last = NONE;
        let mut alike = 0usize;
        while let Some(piece) = self.pieces.get(link as usize) {
            if piece.shape == shape && piece.key == key {
                if piece.size.covers(size) {
                    return Ok(());
                }
                alike = alike.wrapping_add(1);
            }
            last = link;
            link = piece.next;
        }
        if alike >= ALIKE_MAX {
            return Err(Full::Alike);
        }
        let new = self.piece_count as u32;
        *self.pieces.get_mut(self.piece_count).ok_or(Full::Pieces)? = Piece {
            key,
            rank,
            next: NONE,
            size,
            shape,
        };
        self.piece_count = self.piece_count.wrapping_add(1);
        match self.pieces.get_mut(last as usize) {
            Some(last) => last.next = new,
            None => *self.buckets.get_mut(bucket).ok_or(Full::Pieces)? = new,
        }
        Ok(())
    }
}

/// A finished index.
#[derive(Clone, Copy)]
pub struct Index<'a> {
    /// The shapes, as many as the builder said.
    pub shapes: &'a [Shape],
    /// The builder's pieces.
    pub pieces: &'a [Piece],
    /// The builder's buckets.
    pub buckets: &'a [u32],
    /// The builder's secret.
    pub secret: [u64; 2],
}

impl Index<'_> {
    /// The lowest rank of the rules whose criteria fit the packet.
    #[inline]
    pub fn find(&self, subject: &Subject) -> Option<u32> {
        let key = Key::of(subject);
        let mut best = NONE;
        for (number, shape) in NUMBERS.zip(self.shapes) {
            if shape.first >= best {
                break;
            }
            if shape.concerns(subject.l4) {
                let masked = key.masked(shape.mask);
                best = self.probe(masked, number, subject.len, best);
            }
        }
        (best != NONE).then_some(best)
    }

    /// The rank of the first piece of a shape that fits, if that is better than the best.
    #[inline]
    fn probe(&self, key: Key, shape: u8, len: u16, best: u32) -> u32 {
        let bucket = bucket(key.hash(shape, self.secret), self.buckets.len());
        let mut link = self.buckets.get(bucket).copied().unwrap_or(NONE);
        while let Some(piece) = self.pieces.get(link as usize) {
            if piece.rank >= best {
                break;
            }
            if piece.key == key && piece.shape == shape && piece.size.contains(len) {
                return piece.rank;
            }
            link = piece.next;
        }
        best
    }
}

/// The bucket of a hash, of a power of two of them.
#[inline]
const fn bucket(hash: u64, buckets: usize) -> usize {
    hash as usize & buckets.wrapping_sub(1)
}

/// The blocks of source and destination ports that a transport asks for, and its protocol.
fn ports(transport: &Transport) -> (Blocks, Blocks, Option<u8>) {
    let all = Blocks::of(Span::ALL);
    match *transport {
        Transport::Any => (all, all, None),
        Transport::Protocol(number) => (all, all, Some(number)),
        Transport::Ports { protocol, src, dst } => (Blocks::of(src), Blocks::of(dst), protocol),
        Transport::Icmp { kind, code } => {
            let first = u16::from_be_bytes([kind, code.unwrap_or(0)]);
            let last = u16::from_be_bytes([kind, code.unwrap_or(u8::MAX)]);
            let types = Blocks {
                next: first.into(),
                last: last.into(),
            };
            (all, types, Some(ICMP))
        }
    }
}

/// The sizes of blocks: few, because each is a shape; four bits apart, because each size makes up to 30
/// blocks of a range.
const BLOCKS: [u32; 5] = [1 << 16, 1 << 12, 1 << 8, 1 << 4, 1];

/// The aligned blocks that make up a range, each as its first number and its mask.
#[derive(Clone, Copy)]
struct Blocks {
    next: u32,
    last: u32,
}

impl Blocks {
    const fn of(span: Span) -> Blocks {
        Blocks {
            next: span.first as u32,
            last: span.last as u32,
        }
    }

    fn len(self) -> usize {
        self.fold(0, |count: usize, _| count.wrapping_add(1))
    }
}

impl Iterator for Blocks {
    type Item = (u16, u16);

    fn next(&mut self) -> Option<(u16, u16)> {
        let first = self.next;
        if first > self.last {
            return None;
        }
        let fits = |&size: &u32| {
            let rest = size.wrapping_sub(1);
            first & rest == 0 && first.wrapping_add(rest) <= self.last
        };
        // The smallest block always fits.
        let size = BLOCKS.into_iter().find(fits).unwrap_or(1);
        self.next = first.wrapping_add(size);
        Some((first as u16, !size.wrapping_sub(1) as u16))
    }
}
