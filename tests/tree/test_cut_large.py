"""Cuts of stores with more files than a cut looks at: what has not changed is known from the times of
folders, and a wrong time, or none at all, costs time but no file."""

import os
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, accounts, chain, snap, snap_code
from lib.files import files_in
from lib.mount import INFLUXFS
from lib.stores import HandmadeStore, tsm, wal_entry

SHARDS, FILES = 45, 200          # in each
TURNS = SHARDS * FILES // 4096 + 1   # marks.c looks at so many of those that seem to be the same


class LargeTest(StoreTest):
    timeout = 600

    def setUp(self):
        super().setUp()
        self.store, self.number = self.folder / "store", 900000000
        made, content = HandmadeStore(self.store), tsm(b"x")
        for number in range(SHARDS):
            made.shard("second" if number % 10 == 9 else "db", wal={"_00001.wal": wal_entry(number)},
                       tsm={f"{n + 1:09d}-000000001.tsm": content for n in range(FILES)})
        made.write_meta()
        self.state = self.store / "influxfs"

    def shards(self, database="db"):
        return sorted((self.store / f"data/{database}/autogen").iterdir())

    def flush(self, shard):
        """As influxd does: a new file, by rename."""
        self.number += 1
        fresh = shard / f"{self.number}-000000001.tsm"
        fresh.with_suffix(".new").write_bytes(tsm(b"new" * (self.number % 100)))
        fresh.with_suffix(".new").rename(fresh)
        return fresh

    def cut(self, *words, **how):
        """How many members the captures had."""
        said = snap(self.store, "--log=debug", "cut", *words, **how)
        return sum(map(int, re.findall(r"capture (?:[0-9a-f]{32}|of a part): (\d+) members", said)))

    def cut_later(self, hours):
        preload = Path(INFLUXFS).parent / "tests/preload_clock.so"
        return self.cut(env=os.environ | {"LD_PRELOAD": str(preload), "CLOCK_SHIFT": str(hours * 3600)})

    def assert_all_retained(self, without="-"):
        """What the newest cut has is what lies in the data folder."""
        held = {}
        for cut in chain(self.state):
            held |= {name: words[4:7:2] for name, words in cut.files.items()}
            held = {name: words for name, words in held.items() if name not in cut.removed}
        there = {}
        for path in files_in(self.store / "data"):
            path, stat = Path(path), os.stat(path)
            if path.relative_to(self.store).parts[1] != without:
                there[str(path.relative_to(self.store))] = [str(stat.st_size), str(stat.st_ino)]
        self.assertEqual({name: words for name, words in held.items() if name.startswith("data/")}, there)
        self.assertEqual(accounts(self.state), (set(), set()))


class ShortcutTest(LargeTest):

    def test_one_change(self):
        self.cut()
        self.flush(self.shards()[3])
        members = self.cut()
        self.assertLess(members, SHARDS * FILES * 0.6)
        self.assertEqual(len(chain(self.state)[-1].files), 1)
        self.assert_all_retained()

    def test_nothing_changed(self):
        self.cut()
        self.assertLess(self.cut(), SHARDS * FILES * 0.6)
        self.assertEqual(len(chain(self.state)), 1)

    def test_changes_one_after_the_other(self):
        """Before, after and while cuts are made, with no pause: within ticks of the clock."""
        self.cut()
        for number in range(12):
            shard = self.shards()[number * 7 % 40]
            self.flush(shard)
            self.flush(shard)
            self.cut()
            if number % 3 == 0:
                self.flush(shard).unlink()
                next(shard.glob("*.tsm")).unlink()
        self.cut()
        self.assert_all_retained()

    def test_a_shard_comes_and_goes(self):
        self.cut()
        for database in ("db", "second"):
            gone = self.shards(database)[2]
            shutil.move(gone, self.folder / "aside")
            shutil.rmtree(self.store / "wal" / gone.relative_to(self.store / "data"))
            self.cut()
            self.assert_all_retained()
            shutil.move(self.folder / "aside", gone)
            self.cut()
            self.assert_all_retained()

    def test_excluded_for_a_while(self):
        self.cut("--exclude=second")
        self.assert_all_retained(without="second")
        self.flush(self.shards("second")[0])
        self.cut()
        self.assert_all_retained()
        self.cut("--exclude=second")
        self.assert_all_retained(without="second")

    def check_found_in_turn(self, cut):
        """Files that are changed in place, by cut(number) as often as there are turns."""
        self.cut()
        self.cut_later(1)  # folders that have just changed are not believed
        self.assertLess(self.cut_later(1), SHARDS * FILES * 0.6)
        files = [next(shard.glob("*.tsm")) for shard in self.shards()]
        for path in files:
            path.chmod(0o600)
        for number in range(TURNS):
            cut(number)
        modes = {name: words[0] for cut in chain(self.state) for name, words in cut.files.items()}
        for path in files:
            self.assertEqual(modes[str(path.relative_to(self.store))], "600")

    def test_what_folders_do_not_tell(self):
        self.check_found_in_turn(lambda _: self.cut_later(1))

    def test_what_folders_do_not_tell_beside_changes(self):
        """Which do not come in step with the turns, nor do the hours."""
        def cut(number):
            self.flush(self.shards()[0])
            self.cut_later(1 + number * (TURNS - 1))

        self.check_found_in_turn(cut)


class DoubtTest(LargeTest):

    def test_no_catalogue(self):
        self.cut()
        self.flush(self.shards()[5])
        (self.state / "catalog.mdb").unlink()
        self.assertGreater(self.cut(), SHARDS * FILES)
        self.assertEqual(len(chain(self.state)[-1].files), 1)
        self.flush(self.shards()[6])
        self.assertLess(self.cut(), SHARDS * FILES * 0.6)
        self.assert_all_retained()

    def test_an_older_catalogue(self):
        self.cut()
        shutil.copy(self.state / "catalog.mdb", self.folder / "old")
        self.flush(self.shards()[5])
        self.cut()
        self.flush(self.shards()[7])
        self.cut()
        next(self.shards()[9].glob("*.tsm")).unlink()
        shutil.copy(self.folder / "old", self.state / "catalog.mdb")
        self.cut()
        self.assert_all_retained()

    def test_a_catalogue_of_another_store(self):
        self.cut()
        shutil.copytree(self.store, self.folder / "other")
        other = self.folder / "other"
        snap(other, "cut")
        self.flush(self.shards()[5])
        shutil.copy(other / "influxfs/catalog.mdb", self.state / "catalog.mdb")
        self.cut()
        self.assert_all_retained()

    def test_the_clock_is_set_back(self):
        for hours in (24, 0, -24, 0):
            self.flush(self.shards()[abs(hours) * 3600 % 7])
            self.cut_later(hours)
            self.assert_all_retained()

    def test_folder_times_are_set(self):
        """By a program that keeps the times of what it copies."""
        self.cut()
        shard = self.shards()[4]
        before = shard.stat()
        self.flush(shard)
        os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.cut()
        self.assert_all_retained()


class PieceTest(LargeTest):
    """With few descriptors, the files of a cut are retained in pieces."""

    def few(self, limit=2000):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    def test_a_first_cut(self):
        snap(self.store, "cut", preexec_fn=self.few())
        self.assert_all_retained()
        snap(self.store, "verify")
        self.flush(self.shards()[1])
        self.assertLess(self.cut(), SHARDS * FILES * 0.6)
        self.assert_all_retained()

    def test_changes_meanwhile(self):
        stop = threading.Event()

        def work():
            while not stop.is_set():
                for shard in self.shards()[::15]:
                    self.flush(shard)
                    next(shard.glob("0*.tsm")).unlink()
                time.sleep(0.05)
        thread = threading.Thread(target=work)
        thread.start()
        try:
            code, said = snap_code(self.store, "cut", preexec_fn=self.few(3000))
        finally:
            stop.set()
            thread.join()
        self.assertEqual(code, 0, said)
        self.assertEqual(accounts(self.state), (set(), set()))
        snap(self.store, "verify")
        self.cut()
        self.assert_all_retained()

    def test_killed(self):
        for wait in (0.1, 0.3, 0.6, 1):
            cut = subprocess.Popen([INFLUXSNAP, "-c", self.store, "--quiet", "cut"], preexec_fn=self.few(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            time.sleep(wait)
            cut.send_signal(signal.SIGKILL)
            cut.wait()
            self.flush(self.shards()[2])
        self.cut()
        self.assert_all_retained()

    def test_all_has_changed(self):
        self.cut()
        for shard in self.shards():
            self.flush(shard)
            next(shard.glob("*.tsm")).unlink()
        snap(self.store, "cut", preexec_fn=self.few())
        self.assert_all_retained()
        self.assertEqual(len(chain(self.state)[-1].files), len(self.shards()))
        snap(self.store, "prune", "--keep=0")
        self.assert_all_retained()
