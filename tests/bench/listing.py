"""What is asked of a mount of ten terabytes, in more and more files, that is a small part of them: it is found as
fast, and in as little memory, however many files there are. Called for each store of growing.py, which has cuts."""

import os
import resource

from bench.pairs import seconds
from bench.table import progress
from lib.cost import cost_so_far
from lib.cuts import INFLUXSNAP
from lib.mount import Mount

GROWTH = "ms of a list or a part, by files"
MEGABYTES = 64  # of the database `part`


def listed(table, store, disk, files):
    copy = disk / "part.tar"
    with Mount(store, disk / "mnt-listed", "pace=off") as mnt:
        table.note(f"a mount of it, where {resource.getrlimit(resource.RLIMIT_NOFILE)[1]} files may be open: memory at its peak "
                   f"{cost_so_far(mnt.pid()).memory:.0f} MiB; then, as a user asks for the first time:")
        for what, command in {
                "ls of databases/": ["ls", mnt / "databases"],
                "ls of a policy's days": ["ls", mnt / "dump/lp/part/autogen"],
                "ls of a cut's shard": ["ls", "-l", mnt / "at/latest/data/db0000/autogen/1"],
                "ls -l of snapshots/ but now.tar": ["stat", mnt / "snapshots/base.tar", mnt / "snapshots/0.tar"],
                "status.json": ["cat", mnt / "status.json"],
                f"cp of a database of {MEGABYTES} MB": ["cp", mnt / "databases/part.tar", copy],
                "influxsnap verify of that": [INFLUXSNAP, "verify", copy]}.items():
            progress(f"{what}, {files} files")
            show(table, mnt, what, command, files)
        held = len(os.listdir(f"/proc/{mnt.pid()}/fd"))
    table.note(f"it held {held} files open at the end")
    copy.unlink()


def show(table, mnt, what, command, files):
    before = cost_so_far(mnt.pid())
    taken = seconds(*command)
    cost = cost_so_far(mnt.pid()) - before
    table.growth(GROWTH, what, files, taken * 1000)
    table.note(f"{what:<34}{taken:>8.2f} s, {cost.processor:>6.2f} s of processor, {cost.memory:>4.0f} MiB, "
               f"{cost.reads + cost.writes:>7} calls of read and write")
