"""Cuts: that a thousand of them cost no more than a few; and a backup of what has not changed."""

import json
import os
import re
import shutil
import time
from pathlib import Path

from bench.lookup import too_many_to_hold
from bench.pairs import seconds
from bench.stores import store_of_files
from bench.table import progress
from lib.cuts import INFLUXSNAP, snap
from lib.files import files_in
from lib.mount import Mount
from lib.stores import tsm

FILES, SHARDS = 100_000, 100
RUNS = 5
CUTS = 1000
KEEP = 24
SHOWN = (100, 250, 500, 750, 1000)


def measure(table, disk, _):
    unchanged_backup(table, disk)
    many(table, disk)


def change(store, number, folder):
    """What a flush leaves: a new TSM file, and the WAL goes on."""
    shard = store / folder
    fresh = shard / f"{900000000 + number}-000000001.tsm"
    fresh.with_suffix(".new").write_bytes(tsm(b"x" * 4096))
    fresh.with_suffix(".new").rename(fresh)
    return fresh


def own_bytes(folder):
    """Bytes on disk of files that have no other name."""
    found = [os.stat(path) for path in files_in(folder)]
    return sum(entry.st_blocks * 512 for entry in found if entry.st_nlink == 1)


def unchanged_backup(table, disk):
    """Reading its contents would take longer, and show in what it reads."""
    if too_many_to_hold(table, FILES, SHARDS):
        return
    store, target = store_of_files(disk / "store", FILES, SHARDS), disk / "backup.tar"
    progress("backup")
    first = seconds(INFLUXSNAP, "-c", store, "backup", target)
    again = [seconds(INFLUXSNAP, "-c", store, "backup", target) for _ in range(RUNS)]
    table.note(f"influxsnap backup of {FILES} files: {first:.2f} s at first, {sorted(again)[RUNS // 2]:.2f} s when nothing has changed")
    target.unlink()
    shutil.rmtree(store)


def many(table, disk):
    """One file is rewritten before each cut, one goes; the daemon is mounted anew at each line."""
    store = store_of_files(disk / "many", 2000, shards=20)
    state = store / "influxfs"
    table.note(f"{CUTS} cuts of a store that changes, keep={KEEP}:")
    table.note(f"{'cuts':>6} {'numbers':>8} {'retained':>9} {'own MiB':>8} {'catalogue MiB':>14} "
               f"{'mount s':>8} {'ls -l s':>8} {'memory MiB':>11}")
    for number in range(1, CUTS + 1):
        if number % 20 == 0:
            progress(f"cut {number} of {CUTS}")
        fresh = change(store, number, f"data/db/autogen/{number % 20 + 1}")
        old = fresh.parent.parent / f"{(number - 20) % 20 + 1}/{900000000 + number - 20}-000000001.tsm"
        if number > 20 and old.exists():
            old.unlink()
        snap(store, "cut", f"--keep={KEEP}")
        if number in SHOWN:
            show(table, store, state, disk, number)
    shutil.rmtree(store)


def show(table, store, state, disk, number):
    started = time.monotonic()
    with Mount(store, disk / "mnt-many") as mnt:
        mounted = time.monotonic() - started
        listed = seconds("ls", "-l", mnt / "snapshots")
        status = json.loads((mnt / "status.json").read_text())
        memory = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{mnt.pid()}/status").read_text())[1]) / 1024
    names = [name for name in os.listdir(state / "cuts") if name.isdigit()]
    retained = len(files_in(state / "cuts/files"))
    catalogue = (state / "catalog.mdb").stat().st_size / 2**20
    assert status["cuts"]
    table.note(f"{number:>6} {len(names):>8} {retained:>9} {own_bytes(state) / 2**20:>8.1f} {catalogue:>14.1f} "
               f"{mounted:>8.2f} {listed:>8.2f} {memory:>11.1f}")
