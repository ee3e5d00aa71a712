"""stat of now.tar when a store has many files, and the memory that the daemon takes for it."""

import re
import time
from pathlib import Path

from bench.pairs import seconds
from bench.stores import store_of_files
from bench.table import progress
from lib.mount import Mount
from lib.stores import tsm, wal_entry

FILES = 10_000
MANY_FILES = 100_000
RUNS = 11
PAUSE = 0.1  # folders that changed a moment ago are looked at anew, however long ago they were looked at


def measure(table, disk, _):
    times(table, disk)
    memory_taken(table, disk)


def times(table, disk):
    store = store_of_files(disk / "store", FILES)
    changed, same = [], []
    with Mount(store, disk / "mnt") as mnt:
        stat(mnt)
        for number in range(RUNS):
            progress(f"stat of now.tar: run {number + 1} of {RUNS}")
            change(store, number)
            changed.append(stat(mnt) * 1000)
            time.sleep(PAUSE)
            stat(mnt)
            time.sleep(PAUSE)
            same.append(stat(mnt) * 1000)
    table.single(f"stat of now.tar, {FILES} files, something changed", changed, "ms", most=100)
    table.single(f"stat of now.tar, {FILES} files, nothing changed", same, "ms", most=20)


def memory_taken(table, disk):
    store = store_of_files(disk / "many", MANY_FILES)
    with Mount(store, disk / "mnt-many") as mnt:
        first = stat(mnt)
        rss, peak = memory(mnt)
        change(store, 0)
        second = stat(mnt)
        after = memory(mnt)
    table.single(f"resident memory after a stat, {MANY_FILES} files", [rss], "MiB", most=64)
    table.note(f"at its peak {peak:.0f} MiB; after a change and another stat {after[0]:.0f}, "
               f"at its peak {after[1]:.0f}; the stats took {first:.2f} s and {second:.2f} s")


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
