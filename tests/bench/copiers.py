"""Copies of one store by those who copy files: what each costs, the daemon's part of ours included. They see files
that change while they read them; a snapshot is of one instant."""

import os
import shutil
import statistics

from bench.stores import store_of_size, warm
from bench.table import progress
from lib.cost import cost_of, cost_so_far
from lib.cuts import INFLUXSNAP
from lib.files import STORE_FOLDERS
from lib.mount import Mount

MEGABYTES = 256
RUNS = 3
RESTIC = {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": "cache"}


def measure(table, disk, _):
    store = store_of_size(disk / "store", MEGABYTES)
    warm(store)
    target = disk / "target"
    folders = [store / folder for folder in STORE_FOLDERS]
    table.note(f"copies of {MEGABYTES} MB, hot, on disk; medians of {RUNS}, least and greatest:")
    table.note(f"{'':<26}{'seconds':>18} {'processor s':>12} {'memory MiB':>11} {'read MB':>8} {'stored MB':>10}")
    with Mount(store, disk / "mnt", "pace=off") as mnt:
        commands = {
            "cp now.tar": (["cp", mnt / "snapshots/now.tar", target], mnt.pid()),
            "influxsnap backup": ([INFLUXSNAP, "-c", store, "--quiet", "backup", target], None),
            "tar cf": (["tar", "cf", target, "-C", store, *STORE_FOLDERS], None),
            "rsync -a": (["rsync", "-a", *folders, target], None),
            "restic backup": (["restic", "--quiet", "-r", target, "backup", "--force", *folders], None),
        }
        found = {}
        for name, (command, daemon) in commands.items():
            found[name] = costs(name, command, daemon, disk, target)
            show(table, name, found[name])
    ours = median(found["cp now.tar"], "seconds")
    for name, runs in found.items():
        if median(runs, "seconds") < ours:
            table.note(f"cp now.tar is behind {name} in time, {ours / median(runs, 'seconds'):.2f} to 1")


def costs(name, command, daemon, disk, target):
    """Into what is not there, or, of restic, a new repository."""
    found = []
    environment = os.environ | RESTIC | {"RESTIC_CACHE_DIR": str(disk / "cache")}
    for number in range(RUNS + 1):
        progress(f"{name}: " + (f"run {number} of {RUNS}" if number else "warming up"))
        remove(target)
        if command[0] == "restic":
            cost_of(["restic", "--quiet", "-r", target, "init"], env=environment)
        os.sync()
        before = cost_so_far(daemon) if daemon else None
        cost = cost_of(command, env=environment)
        if daemon:
            beside = cost_so_far(daemon) - before
            cost = cost._replace(**{word: getattr(cost, word) + getattr(beside, word)
                                    for word in ("processor", "memory", "stored")})
        found.append(cost)
    remove(target)
    return found[1:]


def remove(target):
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)


def median(runs, word):
    return statistics.median(getattr(cost, word) for cost in runs)


def show(table, name, runs):
    times = sorted(cost.seconds for cost in runs)
    span = f"{median(runs, 'seconds'):.2f} ({times[0]:.2f}–{times[-1]:.2f})"
    table.note(f"{name:<26}{span:>18} {median(runs, 'processor'):>12.2f} {median(runs, 'memory'):>11.0f} "
               f"{median(runs, 'read') / 2**20:>8.0f} {median(runs, 'stored') / 2**20:>10.0f}")
