"""cp of now.tar against tar of the same files, into memory: all of them in the page cache, or on disk only."""

import os
import shutil

from bench.pairs import in_turn, seconds
from bench.stores import store_of_files, store_of_size, warm
from lib.files import STORE_FOLDERS, files_in
from lib.mount import Mount

MEGABYTES = 2048
COLD_MEGABYTES = 1024


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
    measure_cold(table, disk, memory)


def chill(store):
    """Has the kernel forget what is in the files, which takes no privileges."""
    for path in files_in(store):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure_cold(table, disk, memory):
    """The first copy after a boot, with nothing in memory and no checksum known; and later ones, with these known."""
    for what, make in (("32 files of 32 MB", lambda root: store_of_size(root, COLD_MEGABYTES)),
                       ("10,000 files of 100 KB", lambda root: store_of_files(root, 10000, content=b"x" * 100000))):
        store = make(disk / "cold")
        os.sync()
        cold = Cold(store, disk / "mnt", memory)
        for name, ours, theirs in (("first cp now.tar / tar cf", cold.first_cp, cold.tar),
                                   ("first cp now.tar / cp -r", cold.first_cp, cold.cp_r),
                                   ("cp now.tar, sums not known / known", cold.first_cp, cold.cp)):
            name = f"{name}, cold, {what}"
            table.pairs(name, in_turn(name, ours, theirs))
        cold.clear()
        shutil.rmtree(store)


class Cold:
    def __init__(self, store, point, memory):
        self.store, self.point = store, point
        self.target, self.folder = memory / "target.tar", memory / "target"

    def clear(self):
        self.target.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def peer(self, *command):
        self.clear()
        chill(self.store)
        return seconds(*command)

    def tar(self):
        return self.peer("tar", "cf", self.target, "-C", self.store, *STORE_FOLDERS)

    def cp_r(self):
        return self.peer("cp", "-r", *(self.store / name for name in STORE_FOLDERS), self.folder)

    def cp(self):
        with Mount(self.store, self.point) as mnt:
            return self.peer("cp", mnt / "snapshots/now.tar", self.target)

    def first_cp(self):
        shutil.rmtree(self.store / "influxfs", ignore_errors=True)
        return self.cp()
