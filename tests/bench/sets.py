"""Copies of backup/ against influxd's own backup of the same store, in its two formats."""

import os
import shutil

from bench.pairs import in_turn, seconds
from bench.stores import fill, warm
from lib.influxbackup import rpc_address
from lib.influxd import Influxd, find_influxd
from lib.mount import Mount

MEGABYTES = 400


def measure(table, disk, _):
    with Influxd(disk / "live") as live:
        fill(live, MEGABYTES)
        warm(live.root)
        with Mount(live.root, disk / "mnt", "pace=off") as mnt:
            compare(table, disk, live, mnt / "backup/portable", ("-portable",), 0.1)
            compare(table, disk, live, mnt / "backup/legacy", ("-database", "filled"), 1 / 1.5)


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

    name = f"cp -r backup/{folder.name} / influxd backup {options[0]}, {MEGABYTES} MB"
    table.pairs(name, in_turn(name, with_cp, with_influxd), most=most)
