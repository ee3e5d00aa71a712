"""influxd's own backup and restore, which need it to run, against copying now.tar."""

import os
import shutil

from bench.pairs import in_turn, seconds
from bench.stores import fill, warm
from lib.influxbackup import rpc_address
from lib.influxd import Influxd, find_influxd
from lib.mount import Mount

MEGABYTES = 400
RESTORES = 3


def measure(table, disk, _):
    backup, copied = disk / "backup", disk / "now.tar"
    with Influxd(disk / "live") as live:
        fill(live, MEGABYTES)
        warm(live.root)

        def with_cp():
            copied.unlink(missing_ok=True)
            os.sync()
            return seconds("cp", mnt / "snapshots/now.tar", copied)

        def with_influxd():
            shutil.rmtree(backup, ignore_errors=True)
            os.sync()
            return seconds(find_influxd(), "backup", "-portable", "-host", rpc_address(live), backup)

        with Mount(live.root, disk / "mnt") as mnt:
            name = f"cp now.tar / influxd backup -portable, {MEGABYTES} MB"
            table.pairs(name, in_turn(name, with_cp, with_influxd))
            table.note(f"{size_of(copied)} MB as now.tar, {size_of(backup)} MB as influxd's backup, compressed")
    shutil.rmtree(disk / "live")
    name = "cp into restore/ / influxd restore -portable of these"
    table.pairs(name, in_turn(name, lambda: restore_by_cp(copied, disk),
                              lambda: restore_by_influxd(backup, disk), RESTORES))


def restore_by_cp(copied, disk):
    target = disk / "target"
    target.mkdir()
    with Mount(target, disk / "mnt") as mnt:
        taken = seconds("cp", copied, mnt / "restore/")
    shutil.rmtree(target)
    return taken


def restore_by_influxd(backup, disk):
    """Starting the server that it needs is not counted."""
    with Influxd(disk / "target") as target:
        taken = seconds(find_influxd(), "restore", "-portable", "-host", rpc_address(target), backup)
    shutil.rmtree(disk / "target")
    return taken


def size_of(path):
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files) // 2**20
