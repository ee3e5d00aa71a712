"""Copies of backup/ against influxd's own backup of the same store, in its two formats."""

import os
import random
import shutil

from bench.pairs import in_turn, seconds
from bench.stores import settle, warm
from bench.table import progress
from lib.influxbackup import rpc_address
from lib.influxd import Influxd, find_influxd
from lib.mount import Mount

POINTS = 3_000_000
SERIES = 500
STEP = 10 * 10**9
START = 1465603200 * 10**9


def measure(table, disk, _):
    with Influxd(disk / "live") as live:
        fill_with_metrics(live)
        warm(live.root)
        with Mount(live.root, disk / "mnt", "pace=off") as mnt:
            compare(table, disk, live, mnt / "backup/portable", ("-portable",), 0.1)
            compare(table, disk, live, mnt / "backup/legacy", ("-database", "metrics"), 1 / 1.5)


def fill_with_metrics(influxd, batch=60):
    """Numbers as hosts report them: influxd's gzip has to work on these, while it gives strings that do
    not compress up soon."""
    influxd.run("CREATE DATABASE metrics WITH DURATION INF SHARD DURATION 1d")
    rng = random.Random(1)
    usage = [50.0] * SERIES
    for first in range(0, POINTS // SERIES, batch):
        progress(f"influxd writes {POINTS} points: {first * SERIES}")
        lines = []
        for row in range(first, first + batch):
            for host in range(SERIES):
                usage[host] += rng.gauss(0, 1)
                value = usage[host]
                lines.append(f"cpu,host=h{host} usage={value:.2f},idle={100 - value:.2f},load={value / 7:.3f},n={row}i "
                             f"{START + row * STEP}")
        influxd.write(lines, "metrics")
    settle(influxd)


def compare(table, disk, live, folder, options, most):
    """Both into a folder that is not there; what is written back is not counted."""
    ours, theirs = disk / "ours", disk / "theirs"

    def prepare(target):
        shutil.rmtree(target, ignore_errors=True)
        os.sync()

    def with_cp():
        prepare(ours)
        return seconds("cp", "-r", folder, ours)

    def with_influxd():
        prepare(theirs)
        return seconds(find_influxd(), "backup", *options, "-host", rpc_address(live), theirs)

    name = f"cp -r backup/{folder.name} / influxd backup {options[0]}"
    table.pairs(name, in_turn(name, with_cp, with_influxd), most=most)
