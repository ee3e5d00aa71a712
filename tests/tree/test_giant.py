"""Ten terabytes in thousands of files: what is asked for is found by counting, not by reading. The store
is of holes (lib/stores.py); what counts are bytes and calls, since seconds depend on the machine."""

import errno
import json
import os
import stat
import tarfile

from lib.case import StoreTest
from lib.chains import names_of
from lib.cost import cost_of, cost_so_far
from lib.cuts import INFLUXSNAP, CutFile, snap
from lib.files import run
from lib.mount import held_files
from lib.stores import Hollow, giant_store, tsm

BYTES, FILES, SHARDS, DATABASES = 10 * 2**40, 5000, 1000, 100
MEMBERS = FILES + SHARDS + 1  # with the WAL's segments and meta.db
BLOCK = 512
MEMORY = 64  # MiB, at most
# Fewer than there are files. Root may raise a limit; without that capability it may not.
LIMIT = 4096
LIMITED = ("setpriv", "--bounding-set=-sys_resource", "prlimit", f"--nofile={LIMIT}:{LIMIT}")
HELD_MOST = 256 + 3 * FILES // DATABASES  # that nobody reads, and those of the database
HUGE = 2**40 + 1


class GiantTest(StoreTest):
    timeout = 120

    def setUp(self):
        super().setUp()
        self.store = giant_store(self.folder / "store", BYTES, FILES, SHARDS, DATABASES)

    def change(self):
        """What a flush leaves: one file more, of one shard."""
        path = self.store / "data/db0050/autogen/501/000000009-000000001.tsm"
        path.write_bytes(tsm(b"new" * 99))
        return path

    def snap(self, *words, most=MEMBERS):
        """The cost of influxsnap, which may make so many calls for bytes and may not read what the files hold."""
        cost = cost_of([INFLUXSNAP, "-c", self.store, "--quiet", *words])
        self.assertLess(cost.memory, MEMORY, cost)
        self.assertLess(cost.read + cost.written, 1000 * MEMBERS, cost)
        self.assertLess(cost.reads + cost.writes, most, cost)
        return cost


class GiantTarTest(GiantTest):
    """now.tar, and what is made of it."""

    def test_now(self):
        with self.mounted(self.store, options="pace=off") as mnt:
            now = mnt / "snapshots/now.tar"
            size = os.stat(now).st_size
            started = cost_so_far(mnt.pid())
            with open(now, "rb", buffering=0) as tar:
                places = self.places(tar)
                self.assertEqual(size, places["end"])
                self.check_members(tar, places)
                tar.seek(size - 2 * BLOCK)  # of what is before it, no byte is known until all have been read
                self.assertEqual(tar.read(BLOCK), bytes(BLOCK))
            self.check_again(mnt, now, size)
            cost = cost_so_far(mnt.pid()) - started
        self.assertLess(cost.memory, MEMORY, cost)
        # Its manifest is read, and what was looked up; the rest would be 10 TB.
        self.assertLess(cost.read + cost.written, 64 * 2**20, cost)

    def places(self, tar):
        """name -> where its header must be, by the sizes of the store's files alone."""
        head = tarfile.TarInfo.frombuf(tar.read(BLOCK), "utf-8", "strict")
        self.assertEqual(head.name, "manifest")
        manifest = json.loads(self.read(tar, BLOCK, head.size))
        self.assertEqual(sum(file["size"] for file in manifest["files"]) // 2**30, BYTES // 2**30)
        at, places = BLOCK + padded(head.size), {}
        for name, there in names_of(self.store).items():
            places[name] = at
            at += BLOCK + (padded(there.st_size) if stat.S_ISREG(there.st_mode) else 0)
        self.assertEqual(len(manifest["files"]), MEMBERS)
        places["SHA256SUMS"] = at
        sums = tarfile.TarInfo.frombuf(self.read(tar, at, BLOCK), "utf-8", "strict")
        places["end"] = at + BLOCK + padded(sums.size) + 2 * BLOCK
        return places

    @staticmethod
    def read(tar, at, size):
        tar.seek(at)
        data = b""
        while len(data) < size:
            piece = tar.read(size - len(data))
            assert piece, f"{len(data)} bytes of {size} at {at}"
            data += piece
        return data

    def check_members(self, tar, places):
        """Some of them, from the first to the last."""
        names = [name for name in places if name != "end"]
        for name in names[::len(names) // 60] + names[-1:]:
            info = tarfile.TarInfo.frombuf(self.read(tar, places[name], BLOCK), "utf-8", "strict")
            self.assertEqual(info.name.rstrip("/"), name)
            if not info.isfile() or name == "SHA256SUMS":
                continue
            file = self.store / name
            self.assertEqual(info.size, file.stat().st_size)
            with file.open("rb") as source:
                for at in (0, info.size // 2, max(0, info.size - 300)):
                    source.seek(at)
                    self.assertEqual(self.read(tar, places[name] + BLOCK + at, min(300, info.size - at)),
                                     source.read(300), f"{name} at {at}")

    def check_again(self, mnt, now, size):
        """Another process sees another capture, for which what has not changed is not read again."""
        self.look_up(now)  # from the second on, folders are watched
        fresh = self.change()
        before = cost_so_far(mnt.pid())
        grown = self.look_up(now) - size
        cost = cost_so_far(mnt.pid()) - before
        # A header, the file, its line in the manifest (in blocks) and in the sums.
        self.assertGreaterEqual(grown, BLOCK + padded(fresh.stat().st_size))
        self.assertLess(grown, 4096)
        self.assertLess(cost.reads + cost.writes, SHARDS // 4, cost)

    @staticmethod
    def look_up(now):
        return int(run("stat", "-c", "%s", now))

    def test_part(self):
        """One database, with a file of a terabyte, whose size the header of a plain tar cannot hold."""
        Hollow(HUGE).write(self.store / "data/db0050/autogen/505/000000010-000000001.tsm")
        with self.mounted(self.store, options="pace=off") as mnt:
            path = mnt / "databases/db0050.tar"
            with open(path, "rb", buffering=0) as file, tarfile.open(fileobj=file) as tar:
                members = tar.getmembers()
            found = {member.name: member.size for member in members if member.name.endswith(".tsm")}
            wanted = {str(path.relative_to(self.store)): path.stat().st_size
                      for path in self.store.glob("data/db0050/*/*/*.tsm")}
            self.assertEqual(found, wanted)
            self.assertIn(HUGE, wanted.values())
            last = members[-1]
            self.assertEqual(os.stat(path).st_size, last.offset_data + padded(last.size) + 2 * BLOCK)
            self.assertEqual(len(os.listdir(mnt / "databases")), DATABASES)

    def test_dumps(self):
        """Of each database, by its own files alone: who looks at all of them never holds many."""
        with self.mounted(self.store, prefix=LIMITED) as mnt:
            databases = os.listdir(mnt / "dump/lp")
            self.assertEqual(len(databases), DATABASES)
            for database in databases:
                empty = mnt / f"dump/lp/{database}/autogen/m_1960-01-01-00:00:00_1960-01-02-00:00:00.lp"
                self.assertEqual(empty.read_bytes(), b"")
                self.assertLess(len(held_files(mnt, self.store / "data")), HELD_MOST)


class GiantCutTest(GiantTest):
    """Cuts, and what is made of them."""

    def test_cuts(self):
        first = self.snap("cut", most=4 * MEMBERS)
        fresh = self.change()
        second = self.snap("cut", most=2 * SHARDS)
        self.assertLess(second.written, first.written // 10)
        self.assertLess(second.stored, 2**20)
        cut = CutFile(self.store / "influxfs/cuts/0")
        self.assertEqual(list(cut.files), [str(fresh.relative_to(self.store))])
        with self.mounted(self.store) as mnt:
            self.check_mounted(mnt)
        self.check_clone()
        self.snap("rollback", "--dry-run", "base", most=4 * MEMBERS)
        self.assertTrue(fresh.exists())

    def check_mounted(self, mnt):
        self.assertEqual(sorted(os.listdir(mnt / "at")), ["0", "0.tar", "latest", "latest.tar"])
        self.assertGreater(os.stat(mnt / "at/latest.tar").st_size, BYTES)
        self.assertLess(os.stat(mnt / "snapshots/0.tar").st_size, 2**16)
        shard = mnt / "at/0/data/db0099/autogen/1000"
        self.assertEqual(sorted(os.listdir(shard)), sorted(os.listdir(self.store / "data/db0099/autogen/1000")))
        path = shard / "000000003-000000001.tsm"
        size = BYTES // FILES
        self.assertEqual(os.stat(path).st_size, size)
        with open(path, "rb", buffering=0) as ours, open(self.store / path.relative_to(mnt / "at/0"), "rb") as theirs:
            for at in (0, size // 2, size - 4096):
                ours.seek(at), theirs.seek(at)
                self.assertEqual(ours.read(4096), theirs.read(4096))
        cost = cost_so_far(mnt.pid())
        self.assertLess(cost.memory, MEMORY, cost)
        self.assertEqual(held_files(mnt, self.store / "data"), [])

    def check_clone(self):
        clone = self.folder / "clone"
        clone.mkdir()
        self.snap("clone", "latest", clone)
        try:
            found = list((clone / "data").glob("*/*/*/*.tsm"))
            self.assertEqual(len(found), FILES + 1)
            self.assertEqual(sum(path.stat().st_size for path in found) // 2**30, BYTES // 2**30 - 1)
        finally:
            snap(self.store, "clone", "--remove", clone)

    def test_fewer_open_files_than_there_are(self):
        """A cut does with fewer; a mount says why there is no now.tar, and all else goes on."""
        cost_of([*LIMITED, INFLUXSNAP, "-c", self.store, "--quiet", "cut"])
        self.assertEqual(len(CutFile(self.store / "influxfs/cuts/base").files), MEMBERS)
        with self.mounted(self.store, prefix=LIMITED) as mnt:
            with self.assertRaises(OSError) as caught:
                os.stat(mnt / "snapshots/now.tar")
            self.assertEqual(caught.exception.errno, errno.ENFILE)
            self.assertIn(f"the limit on open files ({LIMIT}) is reached",
                          json.loads((mnt / "status.json").read_text())["last_error"]["text"])
            self.assertEqual(len(list((mnt / "live/data").glob("*/*/*/*.tsm"))), FILES)
            self.assertGreater(os.stat(mnt / "at/latest.tar").st_size, BYTES)


def padded(size):
    return -(-size // BLOCK) * BLOCK
