"""stat of now.tar when a store has many files, and the memory that the daemon takes for it."""

import re
import resource
import time
from pathlib import Path

from bench.pairs import seconds
from bench.stores import store_of_files
from bench.table import progress
from lib.mount import Mount
from lib.stores import tsm, wal_entry

SIZES = {1_000: 10, 10_000: 100, 100_000: 1_000, 1_000_000: 10_000}  # files: shards
# What must be, in milliseconds, of a look-up and in MiB of memory at its peak.
TARGETS = {10_000: {"nothing changed": 10}, 100_000: {"the first": 500, "something changed": 100, "memory": 48}}
GROWTH = "ms of a look-up or cut, by files"
RUNS = 11
PAUSE = 0.1  # folders that changed a moment ago are looked at anew, however long ago they were looked at


def measure(table, disk, _):
    for files, shards in SIZES.items():
        if table.beyond(files, f"stat of now.tar, {files} files"):
            continue
        if too_many_to_hold(table, files, shards):
            continue
        times(table, disk / f"{files}", files, shards)


def too_many_to_hold(table, files, shards):
    """A capture holds each file open; an eighth of the limit is kept for what else is open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit * 7 // 8 >= files + shards:
        return False
    table.note(f"{files} files: not measured, since no more than {limit} may be open")
    return True


def times(table, folder, files, shards):
    store = store_of_files(folder / "store", files, shards)
    targets = TARGETS.get(files, {})
    changed, same = [], []
    with Mount(store, folder / "mnt") as mnt:
        first = stat(mnt) * 1000
        peak = memory(mnt)[1]
        for number in range(RUNS):
            progress(f"stat of now.tar: run {number + 1} of {RUNS}")
            change(store, number)
            changed.append(stat(mnt) * 1000)
            time.sleep(PAUSE)
            stat(mnt)
            time.sleep(PAUSE)
            same.append(stat(mnt) * 1000)
        now = memory(mnt)
    for what, values in (("the first", [first]), ("something changed", changed), ("nothing changed", same)):
        table.growth(GROWTH, f"stat, {what}", files, sorted(values)[len(values) // 2])
        table.single(f"stat of now.tar, {files} files, {what}", values, "ms", most=targets.get(what))
    table.single(f"memory at its peak, {files} files", [now[1]], "MiB", most=targets.get("memory"))
    table.note(f"after the first {peak:.0f} MiB at its peak; {now[0]:.0f} MiB stay")


def change(store, number):
    """What a flush leaves behind: a new file in one shard, an entry more in another's WAL."""
    (store / f"data/db/autogen/9/{900000000 + number}-000000001.tsm").write_bytes(tsm(b""))
    with (store / "wal/db/autogen/5/_00001.wal").open("ab") as segment:
        segment.write(wal_entry(number))


def stat(mnt):
    return seconds("stat", mnt / "snapshots/now.tar")


def memory(mnt):
    """MiB that the daemon takes, and took at most."""
    status = Path("/proc", str(mnt.pid()), "status").read_text()
    return [int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024 for name in ("VmRSS", "VmHWM")]
