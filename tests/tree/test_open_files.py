"""The limit on open files: influxd needs a descriptor for each TSM file too, and where there are not
enough a snapshot fails and says why."""

import errno
import json
import os
import subprocess

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import run, wait_until
from lib.influxd import Influxd, tsm_files
from lib.mount import held_files
from lib.stores import HandmadeStore, tsm

LIMIT = 256
HELD_MOST = LIMIT - LIMIT // 8
# Root may raise a limit; without that capability it may not.
LIMITED = ("setpriv", "--bounding-set=-sys_resource", "prlimit", f"--nofile={LIMIT}:{LIMIT}")
WORDS = f"the limit on open files ({LIMIT}) is reached"


class OpenFilesTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.store = HandmadeStore(self.folder / "store")

    def fill(self, files):
        """So many in shards of 20; the rest in the last one."""
        numbers = [20] * (files // 20) + [files % 20]
        self.shards = [self.store.shard("db", tsm={f"{i:09}-000000001.tsm": tsm(b"x") for i in range(1, n + 1)})
                       for n in numbers]
        return self.store.write_meta()

    def test_influxd_needs_as_many(self):
        """One descriptor for each TSM file, in a shard of its own."""
        root = self.folder / "real"
        with Influxd(root, cache_snapshot_memory_size=1) as influxd:
            influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"')
            influxd.write([f"m v={hour} {1499990400000000000 + hour * 3600 * 10**9}" for hour in range(30)], "db")
            wait_until(lambda: len(tsm_files(root)) == 30, 30, "30 caches to be written")
            influxd.restart()
            wait_until(lambda: self.open_files(influxd.pid) == sorted(map(str, tsm_files(root))), 10,
                       "influxd to hold its TSM files open")
            self.assertEqual(len(self.open_files(influxd.pid)), 30)

    def open_files(self, pid):
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        return sorted(link for link in links if link.endswith(".tsm"))

    def test_mount(self):
        root = self.fill(LIMIT)
        with self.mounted(root, prefix=LIMITED) as mnt:
            for _ in range(3):
                with self.assertRaises(OSError) as caught:
                    os.stat(mnt / "snapshots/now.tar")
                self.assertEqual(caught.exception.errno, errno.ENFILE)
                self.assertEqual(held_files(mnt, root / "data"), [])
            status = json.loads((mnt / "status.json").read_text())
            self.assertIn(WORDS, status["last_error"]["text"])
            self.assertIn(WORDS, mnt.said())
            # All else goes on, and so do snapshots as soon as there are fewer files.
            self.assertEqual(len(list((mnt / "live/data").glob("*/*/*/*.tsm"))), LIMIT)
            for path in sorted((root / "data").glob("*/*/*/*.tsm"))[:LIMIT // 2]:
                path.unlink()
            run("cp", mnt / "snapshots/now.tar", self.folder / "now.tar")
            self.assertEqual(run("tar", "tf", self.folder / "now.tar").count(".tsm\n"), LIMIT // 2)

    def test_as_many_as_there_may_be(self):
        """With meta.db they are just as many as may be held, and the rest is enough to read them."""
        root = self.fill(HELD_MOST - 1)
        with self.mounted(root, prefix=LIMITED) as mnt:
            run("cp", mnt / "snapshots/now.tar", self.folder / "now.tar")
            self.assertEqual(run("tar", "tf", self.folder / "now.tar").count(".tsm\n"), HELD_MOST - 1)
            self.assertEqual(len(held_files(mnt, root / "data")), HELD_MOST - 1)

    def test_influxsnap(self):
        root = self.fill(LIMIT)
        state = self.folder / "state"
        state.mkdir()
        for words in (("backup", self.folder / "b.tar"), (f"--state={state}", "cut")):
            done = subprocess.run([*LIMITED, INFLUXSNAP, "-c", str(root), *map(str, words)], text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(WORDS, done.stderr)
        self.assertEqual(list(self.folder.glob("b.tar*")), [])
        self.assertEqual(list(state.glob("cuts/files/*/*")), [])
