"""How far a rate may lie from what was counted: exact binomial bounds (Clopper and Pearson, 1934)."""

from typing import Final

import numpy as np

CONFIDENCE: Final = 0.95
_STEPS: Final = 200


def upper_bound(errors: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the rate that the true one does not exceed, with this confidence (one-sided).

    With no errors it is 1 - (1 - confidence)^(1/trials), which the rule of three calls 3/trials.
    """
    if not 0 <= errors <= trials or trials == 0:
        raise ValueError("errors are counted among trials")
    if errors == trials:
        return 1.0
    if errors == 0:
        return float(-np.expm1(np.log1p(-confidence) / trials))
    counts = np.arange(1, errors + 1, dtype=np.float64)
    ways = np.concatenate(([0.0], np.cumsum(np.log((trials - counts + 1) / counts))))  # log of "trials choose k"
    k = np.arange(errors + 1, dtype=np.float64)

    def as_few(rate: float) -> float:
        """Return the probability of as few errors, or fewer, at this rate."""
        terms = ways + k * np.log(rate) + (trials - k) * np.log1p(-rate)
        highest = terms.max()
        return float(np.exp(highest) * np.exp(terms - highest).sum())

    low, high = errors / trials, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if as_few(middle) > 1 - confidence else (low, middle)
    return high


def lower_bound(errors: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the rate that the true one does not fall below, with this confidence (one-sided)."""
    return 1.0 - upper_bound(trials - errors, trials, confidence)
