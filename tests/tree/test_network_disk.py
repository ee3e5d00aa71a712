"""A store on a disk that another machine writes to: what this one remembers of it counts for nothing."""

import os
import shutil

from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import snap
from lib.files import run
from lib.stores import big_file, some_store, tombstone, tsm, wal_entry


class NetworkDiskTest(StoreTest):
    """bindfs shows a folder through FUSE, and the kernel is told to believe for an hour what it has
    seen of sizes and times."""

    names_too = False  # whether it also believes which file a name leads to

    def setUp(self):
        super().setUp()
        self.near = some_store(self.folder / "near", 1)  # where the other machine writes
        self.far = self.folder / "far"
        self.far.mkdir()
        run("bindfs", "-o", f"attr_timeout=3600,entry_timeout={3600 * self.names_too}", self.near, self.far)
        self.addCleanup(run, "umount", self.far)
        self.mnt = self.mount(self.far, options=f"state={self.folder / 'state'}")
        self.shard, self.log = self.near / "data/first/autogen/1", self.near / "wal/first/autogen/1"
        self.assert_seen("at first")

    def seen(self):
        """The files of a capture, by another process each time."""
        copy = self.folder / "copy.tar"
        run("cp", self.mnt / "snapshots/now.tar", copy)
        archive = Archive(copy)
        return {name: archive.members[name].size for name in archive.files()}

    def there(self):
        files = (path for kind in ("*.tsm", "*.tombstone", "*.wal", "*.db") for path in self.near.rglob(kind))
        return {str(path.relative_to(self.near)): path.stat().st_size for path in files}

    def assert_seen(self, what):
        self.assertEqual(self.seen(), self.there(), what)

    def assert_each_seen(self, *changes):
        """Although the folders get their times back."""
        for change in changes:
            folders = {path: path.stat() for path in (self.shard, self.log, self.shard.parent, self.log.parent)}
            change()
            for path, was in folders.items():
                os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
            self.assert_seen(change.__name__)
            self.assert_seen(f"{change.__name__}, again")

    def append(self):
        with (self.log / "_00002.wal").open("ab") as segment:
            segment.write(wal_entry(9))

    def flush(self):
        (self.shard / "000000007-000000001.tsm").write_bytes(tsm(b"new"))
        (self.log / "_00001.wal").unlink()

    def delete_points(self):
        (self.shard / "000000007-000000001.tombstone").write_bytes(tombstone("new"))

    def replace(self):
        (self.shard / "x.tmp").write_bytes(tombstone("another"))
        (self.shard / "x.tmp").rename(self.shard / "000000007-000000001.tombstone")

    def drop_shard(self):
        for root in ("data", "wal"):
            shutil.rmtree(self.near / root / "first/autogen/2")

    def compact(self):
        for path in self.shard.glob("000000001-*"):
            path.unlink()

    def test_the_cache_is_stale(self):
        """Else the other tests would show nothing."""
        with open(self.far / "wal/first/autogen/1/_00002.wal", "rb") as far:
            before = os.fstat(far.fileno()).st_size
            self.append()
            self.assertEqual(os.fstat(far.fileno()).st_size, before)

    def test_changes_are_seen(self):
        self.assert_each_seen(self.append, self.flush, self.delete_points, self.replace, self.append, self.drop_shard,
                              self.compact, self.append)


    def test_cuts_hold_the_changes(self):
        """Each by a process of its own, which knows of the store what the one before has left."""
        def cut():
            snap(self.far, "cut", f"--state={self.folder / 'state'}")
        cut()
        self.assert_each_seen(self.append, self.flush)
        cut()
        self.assert_each_seen(self.delete_points, self.replace, self.compact)
        cut()
        latest = self.mnt / "at/latest"
        held = {str(path.relative_to(latest)): path.stat().st_size for path in latest.rglob("*") if path.is_file()}
        self.assertEqual(held, self.there())


class NamesTest(NetworkDiskTest):
    """What a held segment has grown by must be asked for."""

    names_too = True

    test_cuts_hold_the_changes = None  # what has been replaced cannot be seen

    def test_changes_are_seen(self):
        self.assert_each_seen(self.append, self.flush, self.delete_points, self.append)
