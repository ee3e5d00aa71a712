"""pace=: reading is held to a rate, which status.json shows."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lib.case import StoreTest
from lib.files import wait_until
from lib.mount import INFLUXFS
from lib.stores import some_store

PIECE = 2**20   # what is read at a time: the first is given at once
MEGABYTES = 6
READERS = 150   # their turns, of a piece each, would take so many seconds


class PaceTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", MEGABYTES)

    def pace(self, mnt):
        return json.loads((mnt / "status.json").read_text())["pace"]

    def held_to(self, mnt):
        return self.pace(mnt)["held_to_bytes_per_second"]

    def wait_until_not_held(self, mnt):
        wait_until(lambda: self.held_to(mnt) is None, 5, "the reader's end to be seen")

    def reader(self, mnt):
        """A process that reads now.tar, ended with the test."""
        process = subprocess.Popen(["cat", mnt / "snapshots/now.tar"], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def seconds(self, mnt, readers):
        """How long that many need who read now.tar at the same time, and how much they read."""
        size = readers * (mnt / "snapshots/now.tar").stat().st_size
        started = time.monotonic()
        for process in [self.reader(mnt) for _ in range(readers)]:
            self.assertEqual(process.wait(), 0)
        return time.monotonic() - started, size

    def test_rate(self):
        """All readers together are never faster."""
        mnt = self.mount(self.store, options="pace=4M")
        for readers in 1, 3:
            elapsed, size = self.seconds(mnt, readers)
            self.assertGreaterEqual(elapsed, (size - PIECE) / 2**22)

    def test_status(self):
        """What readers are held to is shown while one reads, and not otherwise."""
        mnt = self.mount(self.store, options="pace=2M")
        self.assertEqual(self.pace(mnt), {"setting": str(2**21), "held_to_bytes_per_second": None})
        reader = self.reader(mnt)
        wait_until(lambda: self.held_to(mnt), 10, "the reader to be held")
        self.assertEqual(self.held_to(mnt), 2**21)
        self.assertIsNone(reader.poll())
        self.assertEqual(reader.wait(), 0)
        self.wait_until_not_held(mnt)

    def test_settings(self):
        for options, setting in ("", "auto"), ("pace=auto", "auto"), ("pace=off", "off"):
            with self.mounted(self.store, options=options) as mnt:
                self.assertEqual(self.pace(mnt), {"setting": setting, "held_to_bytes_per_second": None})

    def test_off(self):
        """Nothing is held, whatever else there is to do."""
        with self.mounted(self.store, options="pace=off") as mnt, self.busy_influxds(), self.reading(mnt):
            for _ in range(50):
                self.assertIsNone(self.held_to(mnt))
                time.sleep(0.02)

    @contextlib.contextmanager
    def reading(self, mnt):
        """One process after the other reads now.tar, at least one of them to its end."""
        stop = threading.Event()

        def go_on():
            while True:
                subprocess.run(["cat", mnt / "snapshots/now.tar"], check=True, stdout=subprocess.DEVNULL)
                if stop.is_set():
                    return
        with ThreadPoolExecutor() as pool:
            reading = pool.submit(go_on)
            try:
                yield
            finally:
                stop.set()
                reading.result()

    @contextlib.contextmanager
    def busy_influxds(self):
        """More of them than there are processors, each of which wants one."""
        program = self.folder / "influxd"
        shutil.copy("/bin/sh", program)
        burners = [subprocess.Popen([program, "-c", "while :; do :; done"]) for _ in range(os.cpu_count() + 1)]
        try:
            yield
        finally:
            for burner in burners:
                burner.kill()
                burner.wait()

    def test_auto_gives_way(self):
        """By default, to an influxd that is at work while all processors are wanted."""
        if os.cpu_count() > 32:
            self.skipTest("the influxds that are looked at are too few to be an eighth of the processors")
        mnt = self.mount(self.store)
        with self.reading(mnt):
            with self.busy_influxds():
                held_to = wait_until(lambda: self.held_to(mnt), 30, "the reader to be held")
                self.assertEqual(held_to % os.cpu_count(), 0)
            self.wait_until_not_held(mnt)

    def test_killed_reader(self):
        """It does not wait for its turn, which others have taken before it."""
        mnt = self.mount(self.store, options="pace=1M")
        readers = [self.reader(mnt) for _ in range(READERS)]
        time.sleep(1)
        for reader in readers:
            reader.kill()
        started = time.monotonic()
        for reader in readers:
            reader.wait()
        self.assertLess(time.monotonic() - started, READERS / 2)

    def test_wrong_values(self):
        point = self.folder / "point"
        point.mkdir()
        for value in ("", "0", "x", "-1", "1.5M", "1MB", "64m", "on", "AUTO", "auto ", "1023K", "9999999T",
                      "99999999999999999999"):
            done = subprocess.run([INFLUXFS, "-o", f"pace={value}", self.store, point], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, value)
            self.assertRegex(done.stderr, rf"^influxfs: option pace={re.escape(value)}: .*\n$")
        for value in ("1M", "1024K", "1048576", "100G", "off", "auto"):
            with self.mounted(self.store, options=f"pace={value}"):
                pass
