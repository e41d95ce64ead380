# SPDX-License-Identifier: GPL-2.0
"""Gives the same packets to tayga and to `ovctl translate`, and compares what leaves byte for byte.

differences.py says where both differ and why. A difference that it does not explain fails the comparison, and so does
an explanation that nothing needs.
"""

import tempfile
from fnmatch import fnmatchcase

import tayga
import to4
import to6
from differences import OUTCOMES, REPAIRS, outcome

LEAST_KINDS = 650

# Name, direction, version of the packets, whether there is a translation prefix, packets.
CORPORA = (
    ("4to6", "4to6", 4, True, to6.kinds()),
    ("6to4", "6to4", 6, True, to4.kinds()),
    ("maps", "4to6", 4, False, to6.unmapped()),
)


class Comparison:
    """What has been compared so far, and what of the explanations was needed."""

    def __init__(self):
        self.compared = self.equal = self.in_part = 0
        self.failures = []
        self.unused = set(REPAIRS) | {(row.corpus, kind) for row in OUTCOMES for kind in row.kinds.split()}

    def compare(self, corpus, kind, packet, theirs, ours):
        self.compared += 1
        if theirs == ours:
            self.equal += 1
        elif self.is_explained(corpus, kind, theirs, ours):
            pass
        elif self.repair(packet, theirs, ours) == ours:
            self.in_part += 1
        else:
            self.failures.append(f"{corpus} {kind}: no row explains the difference")
            self.failures.append(f"    in     {packet.hex()}")
            self.failures += [f"    tayga  {each.hex()}" for each in theirs or [b""]]
            self.failures += [f"    ovctl  {each.hex()}" for each in ours or [b""]]

    def is_explained(self, corpus, kind, theirs, ours):
        for row in OUTCOMES:
            if (row.corpus, row.theirs, row.ours) != (corpus, outcome(theirs), outcome(ours)):
                continue
            for pattern in row.kinds.split():
                if fnmatchcase(kind, pattern):
                    self.unused.discard((corpus, pattern))
                    return True
        return False

    def repair(self, packet, theirs, ours):
        if len(theirs) != len(ours):
            return theirs
        for repair in REPAIRS:
            before = theirs
            theirs = [repair(their, our, packet) for their, our in zip(theirs, ours)]
            if theirs != before:
                self.unused.discard(repair)
        return theirs

    def finish(self):
        for unused in self.unused:
            name = getattr(unused, "__name__", None) or " ".join(unused)
            self.failures.append(f"{name}: the row explains no difference")
        if self.compared < LEAST_KINDS:
            self.failures.append(f"only {self.compared} kinds of packets compared, not {LEAST_KINDS}")
        rest = self.compared - self.equal - self.in_part
        print(f"{self.compared} kinds of packets: {self.equal} equal, {self.in_part} but for a known part, {rest} otherwise")
        if self.failures:
            raise SystemExit("\n".join(self.failures))


def main():
    comparison = Comparison()
    for corpus, direction, version, prefix, kinds in CORPORA:
        outcomes = tayga.ovctl(kinds.values(), direction, prefix)
        with tempfile.TemporaryDirectory() as directory, tayga.tayga(directory, prefix) as reference:
            for (kind, packet), ours in zip(kinds.items(), outcomes, strict=True):
                theirs = reference.translate(packet, version)
                comparison.compare(corpus, kind, packet, theirs, ours)
    comparison.finish()


main()
