"""cp of a snapshot into restore/ against tar xf and sync of it, on disk; and the room that it needs."""

import os
import shutil
import threading
import time

from bench.pairs import in_turn
from bench.stores import store_of_size
from bench.table import progress
from lib.files import run
from lib.mount import Mount

MEGABYTES = 2048
ROOM_MEGABYTES = 1024


def measure(table, disk, memory):
    store = store_of_size(disk / "store", MEGABYTES)
    snapshot = snapshot_of(store, disk, memory)
    shutil.rmtree(store)
    name = "cp into restore/ / tar xf and sync, 2 GB, on disk"
    table.pairs(name, in_turn(name, lambda: with_cp(snapshot, disk), lambda: with_tar(snapshot, disk)), most=1.25)
    snapshot.unlink()
    table.share("most room taken by a restore over a store / its size", room(disk, memory), most=1.02)


def snapshot_of(store, disk, memory):
    with Mount(store, disk / "mnt") as mnt:
        run("cp", mnt / "snapshots/now.tar", memory)
    return memory / "now.tar"


def emptied(folder):
    """An empty folder on a disk that has nothing left to do."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
    return folder


def with_cp(snapshot, disk):
    with Mount(emptied(disk / "target"), disk / "mnt") as mnt:
        started = time.monotonic()
        run("cp", snapshot, mnt / "restore/")
        taken = time.monotonic() - started
    shutil.rmtree(disk / "target")
    return taken


def with_tar(snapshot, disk):
    target = emptied(disk / "target")
    started = time.monotonic()
    run("tar", "xf", snapshot, "-C", target)
    run("sync")
    taken = time.monotonic() - started
    shutil.rmtree(target)
    return taken


def room(disk, memory):
    """In a file system of its own, where nobody else takes or gives any."""
    place = memory / "room"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={3 * ROOM_MEGABYTES}m", "influxfs-bench", place)
    store = store_of_size(place / "store", ROOM_MEGABYTES)
    progress("room that a restore takes")
    snapshot = snapshot_of(store, disk, disk)
    shutil.rmtree(store / "influxfs")
    before = used(place)
    most = [before]
    done = threading.Event()

    def watch():
        while not done.wait(0.002):
            most[0] = max(most[0], used(place))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with Mount(store, disk / "mnt") as mnt:
            run("cp", snapshot, mnt / "restore/")
    finally:
        done.set()
        watcher.join()
    run("umount", place)
    return (most[0] - before) / before


def used(place):
    there = os.statvfs(place)
    return (there.f_blocks - there.f_bfree) * there.f_frsize
