"""Draws that depend on seed, purpose and index alone, so that anyone can be made again without making the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Shares = NDArray[np.float64]
Flags = NDArray[np.bool_]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Draws:
    """A seed's draws. One index and one purpose always give one value, in whatever order they are asked for."""

    seed: int

    def bits(self, purpose: str, index: Ints) -> NDArray[np.uint64]:
        """Return 64 bits each (SplitMix64, a permutation: different indices of one purpose never give the same)."""
        start = blake2b(f"{self.seed}/{purpose}".encode(), digest_size=8).digest()
        mixed = index.astype(np.uint64)
        mixed *= _STEP
        mixed += np.uint64(int.from_bytes(start, "big"))
        mixed ^= mixed >> np.uint64(30)
        mixed *= _MIX_1
        mixed ^= mixed >> np.uint64(27)
        mixed *= _MIX_2
        mixed ^= mixed >> np.uint64(31)
        return mixed

    def share(self, purpose: str, index: Ints) -> Shares:
        """Return a number of [0, 1) each."""
        return (self.bits(purpose, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, purpose: str, index: Ints, bound: int | Ints) -> Ints:
        """Return a whole number of [0, bound) each."""
        return (self.share(purpose, index) * bound).astype(np.int64)

    def pick(self, purpose: str, index: Ints, weights: Sequence[float] | Shares) -> Ints:
        """Return a position in the weights each, as often as its weight says."""
        return np.searchsorted(edges(weights), self.share(purpose, index), side="right").astype(np.int64)


def edges(weights: Sequence[float] | Shares) -> Shares:
    """Return the shares of all up to and including each weight; the last is 1."""
    summed = np.cumsum(np.asarray(weights, dtype=np.float64))
    summed /= summed[-1]
    # What stands after the last weight above zero must not be reached by a rounding error.
    summed[summed >= summed[-1]] = 1.0
    return summed
