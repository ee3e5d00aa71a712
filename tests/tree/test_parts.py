"""What shows one database costs what that database costs, whatever else the store holds: descriptors and
calls are counted, and a live influxd writes meanwhile."""

import json
import os
import subprocess
import threading
from contextlib import contextmanager

from lib.archive import Archive
from lib.case import StoreTest
from lib.cost import cost_of
from lib.cuts import INFLUXSNAP, snap
from lib.files import run, wait_until
from lib.influxd import Influxd
from lib.mount import held_files
from lib.points import Served
from lib.stores import HandmadeStore, tsm

DATABASES, EACH = 40, 50
FILES = DATABASES * EACH
LIMIT = 512  # fewer than there are files. Root may raise a limit; without that capability it may not.
LIMITED = ("setpriv", "--bounding-set=-sys_resource", "prlimit", f"--nofile={LIMIT}:{LIMIT}")
TOGETHER = 256  # files that are held because somebody looked at them (fs/parts.h)


@contextmanager
def most_held(mnt, below):
    """{"most": N}, the most files below the folder that the daemon held at once."""
    seen, done = {"most": 0}, threading.Event()

    def watch():
        while not done.wait(0.01):
            seen["most"] = max(seen["most"], len(held_files(mnt, below)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


class PartsTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.store = HandmadeStore(self.folder / "store")
        for number in range(DATABASES):
            for shard in range(2):
                self.store.shard(f"db{number:02}", tsm={f"{i:09}-000000001.tsm": tsm(b"%d %d %d" % (number, shard, i))
                                                        for i in range(1, EACH // 2 + 1)})
        self.root = self.store.write_meta()

    def files_of(self, tar):
        return [name for name in Archive(tar).files() if name.endswith(".tsm")]

    def test_one_of_many(self):
        """More files than may be open: now.tar says so, and each database can be had."""
        with self.mounted(self.root, prefix=LIMITED) as mnt:
            with self.assertRaises(OSError):
                os.stat(mnt / "snapshots/now.tar")
            self.assertEqual(len(os.listdir(mnt / "databases")), DATABASES)
            run("cp", mnt / "databases/db07.tar", self.folder / "db07.tar")
            self.assertEqual(len(self.files_of(self.folder / "db07.tar")), EACH)
            self.assertLessEqual(len(held_files(mnt, self.root / "data")), EACH)
            self.assertEqual(sorted(os.listdir(mnt / "dump/lp")), [f"db{number:02}" for number in range(DATABASES)])
            self.assertEqual(os.listdir(mnt / "dump/lp/db08"), ["autogen"])
            self.assertIn("files, and a snapshot can hold only", self.check())

    def check(self):
        """What is known before the night in which now.tar would fail."""
        return subprocess.run([*LIMITED, INFLUXSNAP, "-c", self.root, "status", "--check"], capture_output=True,
                              text=True, check=False).stdout

    def test_list_with_sizes(self):
        """One database after the other, and what has not changed is the same again."""
        with self.mounted(self.root, prefix=LIMITED) as mnt:
            with most_held(mnt, self.root / "data") as held:
                first = run("ls", "-l", mnt / "databases")
            self.assertEqual(len(first.splitlines()), DATABASES + 1)
            self.assertLessEqual(held["most"], TOGETHER + EACH)
            self.assertEqual(run("ls", "-l", mnt / "databases"), first)
            run("cp", "-r", mnt / "databases", self.folder / "copy")
            self.assertIn("db03.tar", run("ls", self.folder / "copy"))
            (self.root / "data/db03/autogen/7/000000099-000000001.tsm").write_bytes(tsm(b"more"))
            changed = set(run("ls", "-l", mnt / "databases").splitlines()[1:]) - set(first.splitlines())
            self.assertEqual([line.split()[-1] for line in changed], ["db03.tar"])
            mirrored = run("rsync", "-rin", "--size-only", f"{mnt.point}/databases/", self.folder / "copy")
            self.assertEqual([line.split()[-1] for line in mirrored.splitlines() if ".tar" in line], ["db03.tar"])

    def test_the_same_as_of_the_whole(self):
        """A database is the same bytes by itself and of an instant of the whole store."""
        with self.mounted(self.root) as mnt:
            alone = run("sha256sum", mnt / "databases/db11.tar")
            both = run("sh", "-c", f"exec 3<{mnt.point}/snapshots/now.tar; exec sha256sum {mnt.point}/databases/db11.tar")
            self.assertEqual(alone, both)
        with self.mounted(self.root, prefix=LIMITED) as mnt:
            self.assertEqual(run("sha256sum", mnt / "databases/db11.tar"), alone)

    def test_many_at_once(self):
        """Several readers of as many databases, each larger than what is held for a look, get theirs."""
        with self.mounted(self.root, prefix=LIMITED) as mnt:
            script = " & ".join(f"cat {mnt.point}/databases/db{number:02}.tar >{self.folder}/{number}.tar"
                                for number in range(6)) + " & wait"
            for _ in range(3):
                self.assertEqual(run("sh", "-c", script), "")
                for number in range(6):
                    self.assertEqual(len(self.files_of(self.folder / f"{number}.tar")), EACH)

    def test_another_database_is_broken(self):
        """What cannot be captured elsewhere is no concern of a database."""
        shard = self.root / "data/db20/autogen/41"
        for path in shard.iterdir():
            path.unlink()
        shard.rmdir()
        shard.write_text("no folder")
        with self.mounted(self.root) as mnt:
            self.assertEqual(len(self.files_of(mnt / "databases/db21.tar")), EACH)
            with self.assertRaises(OSError):
                os.stat(mnt / "databases/db20.tar")
            self.assertIn("data/db20/autogen/41", json.loads((mnt / "status.json").read_text())["last_error"]["text"])

    def test_influxsnap(self):
        """As few descriptors, and calls that do not count the others."""
        cost = cost_of([*LIMITED, INFLUXSNAP, "-c", self.root, "--quiet", "backup", "--database=db30", self.folder / "b.tar"])
        self.assertEqual(len(self.files_of(self.folder / "b.tar")), EACH)
        self.assertLess(cost.reads, FILES // 2, cost)
        snap(self.root, "backup", "--shard=12", self.folder / "s.tar")
        self.assertEqual(len(self.files_of(self.folder / "s.tar")), EACH // 2)
        (self.root / "data/db30/autogen/61/000000099-000000001.tsm").write_bytes(tsm(b"more"))
        snap(self.root, "backup", "--database=db30", self.folder / "b.tar")
        self.assertEqual(len(self.files_of(self.folder / "b.tar.0")), 1)


class LargePartsTest(StoreTest):
    def test_sets_and_dumps(self):
        """Of a real database beside others with more files than may be open."""
        with Influxd(self.folder / "source") as source:
            source.run("CREATE DATABASE mine")
            source.write([f"m v={n} {n * 10**9}" for n in range(9)], "mine")
            source.run("CREATE DATABASE other")
            source.write(["m v=1 1"], "other")
            shard = next((source.root / "data/other/autogen").iterdir())
        for number in range(100, 100 + LIMIT):
            (shard / f"{number:09}-000000001.tsm").write_bytes(tsm(b"%d" % number))
        with self.mounted(source.root, prefix=LIMITED) as mnt:
            with self.assertRaises(OSError):
                os.stat(mnt / "snapshots/now.tar")
            names = os.listdir(mnt / "backup/portable/mine")
            self.assertEqual(sorted(name.partition(".")[2].split(".")[0][:1] for name in names), ["m", "m", "s"])
            text = run("cat", next((mnt / "dump/lp/mine/autogen").iterdir()) / "m_1970-01-01-00:00:00_1970-01-02-00:00:00.lp")
            self.assertEqual(len(text.splitlines()), 9)
            self.assertEqual(held_files(mnt, shard), [])
        done = subprocess.run([*LIMITED, INFLUXSNAP, "-c", source.root, "dump", "mine", "autogen", "m"], capture_output=True,
                              text=True, check=True)
        self.assertEqual(sum(line.startswith("m v=") for line in done.stdout.splitlines()), 9)


class RoomTest(StoreTest):
    def test_one_after_the_other(self):
        """Of two databases only one fits: what was only looked at makes room for the next."""
        store = HandmadeStore(self.folder / "store")
        for db in ("one", "two"):
            store.shard(database=db, tsm={f"{n:09}-000000001.tsm": tsm(b"%d" % n) for n in range(LIMIT // 2 - 20)})
        store.write_meta()
        with self.mounted(store.root, prefix=LIMITED) as mnt:
            for db in ("one", "two", "one"):
                self.assertGreater(os.stat(mnt / f"databases/{db}.tar").st_size, 0)
            self.assertIsNone(json.loads((mnt / "status.json").read_text())["last_error"])


class LivePartsTest(StoreTest):
    """A part of a running server, each time a state that a kill -9 could have left."""

    def test_while_influxd_writes(self):
        """What was acknowledged before the look is there, over flushes and compactions."""
        with Influxd(self.folder / "source", cache_snapshot_memory_size=2000) as source:
            for number in range(3):
                source.run(f"CREATE DATABASE d{number} WITH SHARD DURATION 1h")
            done, count = threading.Event(), [0]

            def write():
                while not done.is_set():
                    n = count[0]
                    for number in range(3):
                        source.write([f"m v={n} {n * 600 * 10**9}"], f"d{number}")
                    count[0] = n + 1

            writer = threading.Thread(target=write)
            writer.start()
            try:
                copies = self.take(source, count)
            finally:
                done.set()
                writer.join()
        for copy, least in copies:
            self.check(copy, least)

    def take(self, source, count):
        copies = []
        for number in range(5):
            wait_until(lambda least=40 * (number + 1): count[0] >= least, 60, "writes")
            least, copy = count[0], self.folder / f"{number}.tar"
            snap(source.root, "backup", "--database=d1", copy)
            copies.append((copy, least))
        return copies

    def check(self, copy, least):
        folder = self.folder / copy.stem
        folder.mkdir()
        run("tar", "xf", copy, "-C", folder)
        with Influxd(folder) as other:
            times = {cell[4] for cell in Served(other).cells}
        self.assertGreaterEqual(len(times), least)
        self.assertEqual(times, {n * 600 * 10**9 for n in range(len(times))})  # none is missing in between
