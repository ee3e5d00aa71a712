"""cp of now.tar against tar of the same files, all of them in the page cache, into memory."""

import os
import shutil

from bench.pairs import in_turn, seconds
from bench.stores import store_of_size, warm
from lib.files import STORE_FOLDERS
from lib.mount import Mount

MEGABYTES = 2048


def measure(table, disk, memory):
    store = store_of_size(disk / "store", MEGABYTES)
    os.sync()  # nothing is to be written back while we measure
    warm(store)
    target = memory / "target.tar"

    def with_tar():
        target.unlink(missing_ok=True)
        return seconds("tar", "cf", target, "-C", store, *STORE_FOLDERS)

    def with_cp(mnt):
        target.unlink(missing_ok=True)
        return seconds("cp", mnt / "snapshots/now.tar", target)

    def with_cp_unknown():
        shutil.rmtree(store / "influxfs", ignore_errors=True)
        with Mount(store, disk / "mnt") as mnt:
            return with_cp(mnt)

    with Mount(store, disk / "mnt") as mnt:
        name = "cp now.tar / tar cf, 2 GB hot, into memory"
        table.pairs(name, in_turn(name, lambda: with_cp(mnt), with_tar), most=1.1)
    name = "the same, first read: checksums not known"
    table.pairs(name, in_turn(name, with_cp_unknown, with_tar), most=2)
