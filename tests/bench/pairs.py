"""Two ways to do one thing, timed in turn."""

import statistics
import time
from typing import NamedTuple

from bench.table import progress
from lib.files import run

RUNS = 5


class Pairs(NamedTuple):
    ours: float     # medians
    theirs: float
    ratio: float    # of the ratios of the pairs: the median, the least, the greatest
    least: float
    most: float


def compared(ours, theirs):
    ratios = [a / b for a, b in zip(ours, theirs)]
    return Pairs(statistics.median(ours), statistics.median(theirs),
                 statistics.median(ratios), min(ratios), max(ratios))


def in_turn(name, ours, theirs, runs=RUNS):
    """ours() and theirs() prepare, act, and return how long the acting took (or another number)."""
    return compared(*found_in_turn(name, ours, theirs, runs))


def found_in_turn(name, ours, theirs, runs=RUNS):
    """What both have returned, each a list, without the warm-up."""
    found = []
    for number in range(runs + 1):
        progress(f"{name}: " + (f"run {number} of {runs}" if number else "warming up"))
        found.append((ours(), theirs()))
    return [list(side) for side in zip(*found[1:])]


def seconds(*command):
    """How long the command takes; it must succeed."""
    started = time.monotonic()
    run(*command)
    return time.monotonic() - started
