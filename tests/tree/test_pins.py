"""What a capture holds back is given back in time, and no copy fails under full load."""

import json
import os
import random
import subprocess
import sys
import threading
import time

from lib.archive import Archive
from lib.case import StoreTest
from lib.clock import Clock
from lib.files import run, wait_until
from lib.mount import held_files
from lib.stores import big_file, some_store, tsm

KEPT_SECONDS = 60    # an unopened capture
CLOSED_SECONDS = 10  # one that was open
COPIES = {"cp": 60, "rclone": 30, "restic": 10}


def captures_held(mnt):
    return json.loads((mnt / "status.json").read_text())["captures_held"]


class PinTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.clock = Clock(self.folder / "clock")
        self.mnt = self.mount(self.store, environment=self.clock.environment)
        self.now = self.mnt / "snapshots/now.tar"

    def held(self):
        return held_files(self.mnt, self.store / "data")

    def deleted(self):
        return [target for target in self.held() if target.endswith(" (deleted)")]

    def test_forgotten_stat(self):
        """By a process that goes on, as a monitor does. Meanwhile others come and go."""
        code = "import os, sys, time; os.stat(sys.argv[1]); print(flush=True); time.sleep(10**6)"
        monitor = subprocess.Popen([sys.executable, "-c", code, self.now], stdout=subprocess.PIPE)
        self.addCleanup(monitor.wait)
        self.addCleanup(monitor.kill)
        monitor.stdout.readline()
        taken = self.clock.now()
        first = os.stat(self.now)
        tsm = big_file(self.store)
        tsm.unlink()
        self.assertEqual(len(self.deleted()), 1, "the test sees what is held")
        # Another process sees the store as it is, which does not prolong the first one's capture.
        self.assertLess(int(run("stat", "-c", "%s", self.now)), first.st_size)
        self.clock.forward(KEPT_SECONDS / 2)
        time.sleep(2)  # it looks each second
        held = len(self.deleted())
        if self.clock.now() < taken + KEPT_SECONDS:     # else this machine was too slow to see it
            self.assertEqual(held, 1, "it is kept for a process that may still read")
        self.clock.forward(KEPT_SECONDS / 2)
        wait_until(lambda: not self.deleted(), 60, "the deleted file to be let go", 0.2)
        wait_until(lambda: captures_held(self.mnt) == 0, 30, "all captures to be let go", 0.2)
        # A late open gets what is there now, as stat says again.
        with open(self.now, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.assertLess(size, first.st_size)
            self.assertEqual(len(file.read()), size)

    def test_ended_process_holds_nothing(self):
        run("stat", self.now)
        big_file(self.store).unlink()
        run("stat", self.now)
        wait_until(lambda: not self.deleted(), 30, "the capture of an ended process to be let go")
        self.assertEqual(captures_held(self.mnt), 1)

    def test_open_file_is_kept(self):
        """For as long as it is open; 10 s after the last close it is let go, here with its process."""
        code = ("import sys, time; f = open(sys.argv[1], 'rb'); print(flush=True); sys.stdin.readline()\n"
                "print(len(f.read()), flush=True)")
        reader = subprocess.Popen([sys.executable, "-c", code, self.now], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        reader.stdout.readline()
        size = os.stat(self.now).st_size
        big_file(self.store).unlink()
        self.clock.forward(KEPT_SECONDS)
        time.sleep(2)
        self.assertEqual(len(self.deleted()), 1)
        reader.stdin.write("\n")
        self.assertEqual(int(reader.communicate()[0]), size)
        self.clock.forward(CLOSED_SECONDS)
        wait_until(lambda: not self.deleted(), 30, "the capture to be let go", 0.1)

    def test_unchanged_store_is_captured_once(self):
        time.sleep(0.05)
        run("cp", self.now, self.folder)
        before = len(self.held())
        for _ in range(20):
            run("cp", self.now, self.folder)
        self.assertEqual((len(self.held()), captures_held(self.mnt)), (before, 1))

    def test_unchanged_files_are_held_once(self):
        """Captures of a store that grows share the files that stay."""
        holders = []
        for number in range(5):
            holders.append(subprocess.Popen([sys.executable, "-c", "import sys; f = open(sys.argv[1], 'rb');"
                                             "print(flush=True); sys.stdin.read()", self.now],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            holders[-1].stdout.readline()
            (self.store / f"data/first/autogen/1/{number + 2:09}-000000001.tsm").write_bytes(tsm(b""))
            time.sleep(0.02)
        self.assertEqual(captures_held(self.mnt), 5)
        held = self.held()
        self.assertEqual(len(held), len(set(held)))
        for holder in holders:
            holder.communicate()
        wait_until(lambda: captures_held(self.mnt) <= 1, 30, "the captures to be let go")

    def test_unmount_lets_everything_go(self):
        os.stat(self.now)
        big_file(self.store).unlink()
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual(self.held(), [])


class FullRateTest(StoreTest):
    """influxd writes as fast as it can, flushes and compacts all the time."""
    timeout = 600

    def setUp(self):
        super().setUp()
        self.live = self.influxd(self.folder / "live", cache_snapshot_memory_size=200_000)
        self.live.run("CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d")
        self.stopping = threading.Event()
        self.written = 0
        self.failure = None
        writer = threading.Thread(target=self.write)
        writer.start()
        self.addCleanup(writer.join)
        self.addCleanup(self.stopping.set)
        self.mnt = self.mount(self.live.root)
        self.now = self.mnt / "snapshots/now.tar"
        wait_until(lambda: self.written > 20 or self.failure, 60, "the writer")

    def write(self):
        """Few points in many batches, in a ring: the store changes all the time and stays small."""
        chosen = random.Random(1)
        days = [1465603200 * 10**9 + day * 86400 * 10**9 for day in range(3)]
        try:
            while not self.stopping.is_set():
                self.written += 1
                base = self.written % 200 * 100
                self.live.write([f'm,host=h{i % 5} v={self.written}i,s="{chosen.randbytes(30).hex()}" '
                                 f"{chosen.choice(days) + base + i}" for i in range(100)], "db")
                if self.written % 2000 == 0:
                    self.live.run("DROP DATABASE db")
                    self.live.run("CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d")
        except Exception as error:
            self.failure = error

    def wait_for_write(self):
        """However slow the disk is, the store is another one for each copy."""
        begun = self.written + 1
        wait_until(lambda: self.written > begun or self.failure, 30, "a write")

    def by_cp(self, out):
        run("cp", self.now, out)

    def by_rclone(self, out):
        run("rclone", "--config", "/dev/null", "--retries", "1", "--low-level-retries", "1", "copyto", self.now, out)

    def by_restic(self, out):
        environment = os.environ | {"RESTIC_PASSWORD": "secret", "HOME": str(self.folder)}
        restic = ("restic", "-q", "--no-cache", "-r", self.folder / "repository")
        if not (self.folder / "repository").exists():
            run(*restic, "init", env=environment)
        run(*restic, "backup", self.now, env=environment)
        with out.open("wb") as file:
            subprocess.run([*map(str, restic), "dump", "latest", str(self.now)], env=environment, stdout=file,
                           check=True)

    def copies(self, tool):
        ids = []
        for _ in range(COPIES[tool]):
            self.wait_for_write()
            out = self.folder / "copy.tar"
            out.unlink(missing_ok=True)
            getattr(self, f"by_{tool}")(out)
            ids.append(Archive(out).manifest["id"])
        self.assertIsNone(self.failure)
        self.assertGreater(len(set(ids)), len(ids) // 2, "the store hardly changed")
        self.assertIsNone(json.loads((self.mnt / "status.json").read_text())["last_error"])

    def test_cp(self):
        self.copies("cp")

    def test_rclone(self):
        self.copies("rclone")

    def test_restic(self):
        self.copies("restic")
