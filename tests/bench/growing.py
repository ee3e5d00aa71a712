"""Cuts and clones of stores of more and more files."""

import os
import shutil

from bench.cutting import change
from bench.listing import MEGABYTES, listed
from bench.lookup import GROWTH
from bench.table import progress
from lib.cost import cost_of
from lib.cuts import INFLUXSNAP, snap
from lib.stores import giant_store

SIZES = {1_000: 10, 10_000: 100, 100_000: 1_000, 1_000_000: 10_000}  # files: shards
TARGETS = {100_000: {"seconds": 0.5, "memory": 64, "stored": 1}, 1_000_000: {"seconds": 5, "memory": 64}}
BYTES = 10 * 2**40
BLOCKS = 10 * 2**10  # bytes of disk that a file of holes takes, and its names
RUNS = 5


def measure(table, disk, _):
    for files, shards in SIZES.items():
        cuts(table, disk, files, shards)


def cuts(table, disk, files, shards):
    """Ten terabytes of holes, whatever the number of files: of these a cut reads nothing."""
    if table.beyond(files, f"a cut of {files} files"):
        return
    place = os.statvfs(disk)
    if place.f_favail < 2 * files or place.f_bavail * place.f_frsize < files * BLOCKS:
        table.note(f"a cut of {files} files: not measured, since the disk has too little room for them")
        return
    progress(f"a store of {files} files")
    store = giant_store(disk / "store", BYTES, files, shards, shards // 10, MEGABYTES * 2**20)
    progress("the first cut")
    first = cost_of([INFLUXSNAP, "-c", store, "--quiet", "cut"])
    costs = []
    for number in range(RUNS):
        progress(f"a cut after one change of {files} files: run {number + 1} of {RUNS}")
        change(store, number, folder="data/db0000/autogen/1")
        os.sync()
        costs.append(cost_of([INFLUXSNAP, "-c", store, "--quiet", "cut"]))
    seconds, memory = sorted(cost.seconds for cost in costs), max(cost.memory for cost in costs)
    targets = TARGETS.get(files, {})
    table.single(f"a cut after one changed file, {files} files of {BYTES >> 40} TB", seconds, "s", most=targets.get("seconds"))
    table.single("memory of it", [memory], "MiB", most=targets.get("memory"))
    table.single("the same, written to disk", [cost.stored / 2**20 for cost in costs], "MiB", most=targets.get("stored"))
    table.growth(GROWTH, "cut, something changed", files, seconds[RUNS // 2] * 1000)
    table.growth(GROWTH, "cut, the first", files, first.seconds * 1000)
    table.note(f"the first cut took {first.seconds:.2f} s, {first.memory:.0f} MiB and {first.reads + first.writes} calls of "
               f"read and write; a later one {costs[-1].reads + costs[-1].writes}")
    cloned(table, store, disk)
    listed(table, store, disk, files)
    shutil.rmtree(store)


def cloned(table, store, disk):
    clone = disk / "clone"
    clone.mkdir()
    cost = cost_of([INFLUXSNAP, "-c", store, "--quiet", "clone", "latest", clone])
    snap(store, "clone", "--remove", clone)
    clone.rmdir()
    table.note(f"a clone of it: {cost.seconds:.2f} s, {cost.memory:.0f} MiB")
    listed = cost_of([INFLUXSNAP, "-c", store, "list"])
    table.note(f"influxsnap list: {listed.seconds:.2f} s, {listed.memory:.0f} MiB")
