"""A day merged into a year, against the same day merged into a week: what grows is the day, not the year."""

import os
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

from bench.pairs import RUNS, in_turn
from bench.table import progress
from lib.cuts import INFLUXSNAP, snap
from lib.stores import HandmadeStore, tsm, wal_entry

DAYS, WEEK = 365, 7
FILE = 4 * 2**20


def measure(table, disk, _):
    content = tsm(random.Random(1).randbytes(FILE))
    year, week = (store_of_days(disk / name, days, content) for name, days in (("year", DAYS), ("week", WEEK)))
    days = {count: snapshot_of_days(disk, count, content) for count in (1, 4)}
    for mode in ("theirs", "ours"):
        name = f"merge={mode} of a day into a year / into a week"
        table.pairs(name, in_turn(name, lambda mode=mode: merged(disk, year, mode, days[1])[0],
                                  lambda mode=mode: merged(disk, week, mode, days[1])[0]), most=2)
    name = "merge of four days into a year / of one"
    table.pairs(name, in_turn(name, lambda: merged(disk, year, "theirs", days[4])[0],
                              lambda: merged(disk, year, "theirs", days[1])[0]), most=4)
    table.single("memory of a merge into a year", [merged(disk, year, "theirs", days[4])[1] for _ in range(RUNS)], "MiB", 64)


def store_of_days(root, count, content):
    store = HandmadeStore(root)
    for number in range(count):
        progress(f"writing a store of {count} days: {number}")
        store.shard(tsm={"000000001-000000002.tsm": content}, wal={"_00001.wal": wal_entry(number, 50)})
    return store.write_meta()


def snapshot_of_days(disk, count, content):
    store = store_of_days(disk / f"days-{count}", count, content)
    snap(store, "--quiet", "backup", disk / f"days-{count}.tar")
    shutil.rmtree(store)
    return disk / f"days-{count}.tar"


def merged(disk, store, mode, snapshot):
    """How long it takes, and the most memory that it had, in MiB."""
    target = disk / "target"
    subprocess.run(["cp", "-al", store, target], check=True)  # files are never written in place
    os.sync()
    started, most = time.monotonic(), 0
    process = subprocess.Popen([INFLUXSNAP, "-c", target, "--quiet", "restore", f"--merge={mode}", snapshot],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        most = max(most, int(found[1]) / 1024 if found else 0)
        time.sleep(0.005)
    taken = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"merge={mode}: exit {process.returncode}")
    shutil.rmtree(target)
    return taken, most
