"""influxsnap, killed after each step of a cut, of a fold and of what comes after: the last complete
cut is there, nothing is lost, and nothing lies about once the next one has come."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, accounts, chain, snap, snap_code
from lib.files import HANG, run
from lib.mount import INFLUXFS
from lib.stores import HandmadeStore, tsm, wal_entry

PRELOAD = Path(INFLUXFS).parent / "tests/preload_kill.so"


class CutKillTest(StoreTest):
    timeout = 300

    def setUp(self):
        super().setUp()
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        self.store = self.folder / "store"
        self.state = self.store / "influxfs"
        store = HandmadeStore(self.store)
        for number in range(2):
            store.shard(tsm={"000000001-000000001.tsm": tsm(bytes([number]))}, wal={"_00001.wal": wal_entry(1)})
        store.write_meta()

    def change(self, number):
        """What a compaction and some writes leave."""
        folder = self.store / "data/db/autogen/1"
        for old in folder.glob("*.tsm"):
            old.unlink()
        fresh = folder / f"{number + 2:09}-000000002.tsm"
        fresh.with_suffix(".tmp").write_bytes(tsm(b"x" * number))
        fresh.with_suffix(".tmp").rename(fresh)
        with (self.store / "wal/db/autogen/2/_00001.wal").open("ab") as segment:
            segment.write(wal_entry(number))

    def cuts(self, count):
        for number in range(count):
            self.change(number)
            snap(self.store, "cut", "--guard=off")

    def killed(self, at, *words):
        """Whether it was killed after that many changes to the state folder."""
        environment = os.environ | {"LD_PRELOAD": str(PRELOAD), "KILL_ROOT": str(self.state), "KILL_AT": str(at),
                                    "KILL_COUNT": str(self.folder / "count"),
                                    "ASAN_OPTIONS": "verify_asan_link_order=0"}
        code, said = snap_code(self.store, *words, env=environment)
        self.assertIn(code, (0, -9), said)
        return code == -9

    def each_step(self, words, check):
        """Each time from the same state folder."""
        kept = self.folder / "kept"
        run("cp", "-a", self.state, kept)
        at, killed = 0, True
        while killed:
            at += 1
            shutil.rmtree(self.state)
            run("cp", "-a", kept, self.state)
            killed = self.killed(at, *words)
            with self.subTest(at=at):
                check()
        self.assertGreater(at, 10)
        print(f"{at - 1} steps")

    def check_whole(self, numbers):
        """The cuts are these; the next cut and the next fold leave nothing behind."""
        cuts = chain(self.state)
        self.assertIn([cut.number for cut in cuts], numbers)
        self.assertEqual(accounts(self.state)[0], set())
        last = cuts[-1].number if cuts else -2
        self.change(99)
        snap(self.store, "cut", "--guard=off")
        self.assertEqual(chain(self.state)[-1].number, last + 1)
        self.assertEqual(accounts(self.state), (set(), set()))
        snap(self.store, "prune", "--keep=1")
        self.assertEqual(len(chain(self.state)), min(2, last + 3))
        self.assertEqual(accounts(self.state), (set(), set()))
        self.assertEqual([name for name in os.listdir(self.state / "cuts") if name.endswith(".tmp")], [])

    def test_first_cut(self):
        self.state.mkdir(mode=0o700)
        self.each_step(["cut"], lambda: self.check_whole([[], [-1]]))

    def test_later_cut(self):
        self.cuts(3)
        self.change(50)
        self.each_step(["cut"], lambda: self.check_whole([[-1, 0, 1], [-1, 0, 1, 2]]))

    def test_fold(self):
        self.cuts(6)
        self.each_step(["prune", "--keep=2"], lambda: self.check_whole([[-1, 0, 1, 2, 3, 4], [2, 3, 4]]))

    def test_two_at_once(self):
        """One number each for what changed in between, and none twice."""
        self.cuts(2)
        for round_number in range(5):
            before = chain(self.state)[-1].number
            self.change(60 + round_number)
            processes = [subprocess.Popen([INFLUXSNAP, "-c", self.store, "cut"], stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
            for process in processes:
                said, _ = process.communicate(timeout=HANG)
                self.assertEqual(process.returncode, 0, said)
            self.assertEqual(chain(self.state)[-1].number, before + 1)
            self.assertEqual(accounts(self.state), (set(), set()))

    def test_cut_and_fold_at_once(self):
        self.cuts(2)
        stop = threading.Event()
        said = []

        def fold():
            while not stop.is_set():
                code, text = snap_code(self.store, "prune", "--keep=1")
                if code:
                    said.append(text)

        thread = threading.Thread(target=fold)
        thread.start()
        try:
            self.cuts(12)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(said, [])
        snap(self.store, "prune", "--keep=1")
        self.assertEqual(len(chain(self.state)), 2)
        self.assertEqual(accounts(self.state), (set(), set()))

    def test_full_disk(self):
        """A cut that does not fit is none; the chain is as it was, and works again with room."""
        if os.geteuid():
            self.skipTest("only root can mount file systems")
        self.state.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", self.state)
        self.addCleanup(run, "umount", self.state)
        self.cuts(2)
        big = self.store / "data/db/autogen/1/000000077-000000001.tsm"
        big.write_bytes(tsm(os.urandom(3 << 20)))
        code, said = snap_code(self.store, "cut", "--reserve=0")
        self.assertEqual(code, 1, said)
        self.assertRegex(said, "(?i)no space|free")
        self.assertEqual([cut.number for cut in chain(self.state)], [-1, 0])
        self.assertEqual(accounts(self.state), (set(), set()))
        big.unlink()
        self.cuts(1)
        self.assertEqual(chain(self.state)[-1].number, 1)

    def test_torn_catalogue(self):
        """Cut off by a page, empty, or no catalogue at all: the cuts are there, and go on."""
        self.cuts(3)
        catalogue = self.state / "catalog.mdb"
        whole = catalogue.read_bytes()
        for number, content in enumerate((whole[:-4096], whole[:100], b"", os.urandom(len(whole)))):
            with self.subTest(bytes=len(content)):
                catalogue.write_bytes(content)
                self.change(70 + number)
                snap(self.store, "cut", "--guard=off")
                cuts = chain(self.state)
                self.assertEqual(cuts[-1].number, 2 + number)
                self.assertGreater(int(cuts[-1].head["index"]), int(cuts[-2].head["index"]))
                self.assertEqual(accounts(self.state), (set(), set()))
                self.assertLess(len(cuts[-1].files), 4, "what has not changed was cut again")
