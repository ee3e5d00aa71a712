"""Dumps of a mount read at any offset, backwards, and by several readers at once: what it costs, and
that the bytes are right. The cost is counted in bytes that the daemon has read from the store."""

import json
import os
import random
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib.dumps import dump
from lib.dumptree import DAY, day_path
from lib.files import HANG, run, sizes_in, wait_until
from lib.influxd import Influxd
from lib.measurements import START
from tree.test_dump import CREATE, DumpTest
from tree.test_dump_mount import FORMS, io_of

SERIES, POINTS, TEXT = 5, 24_000, 30  # 12 MB of text: several windows of recent text, and many blocks of each series


class ReadersTest(DumpTest):

    @classmethod
    def setUpClass(cls):
        cls.store = Path(os.path.realpath(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="influxfs-")))) / "store"
        rng = random.Random(1)
        with Influxd(cls.store, cache_snapshot_write_cold_duration="1s") as influxd:
            influxd.run(CREATE)
            for first in range(0, POINTS, 2000):
                influxd.write([f"m,host=h{series:02d} v={n}i,s=\"{rng.randbytes(TEXT).hex()}\" {START + n * 10**9}"
                               for series in range(SERIES) for n in range(first, first + 2000)], "db")
            wait_until(lambda: sum(sizes_in(cls.store / "wal")) < 100_000, 30,
                       "the points to be in TSM files", 0.2)
        cls.texts = {form: dump(cls.store, form, "db", "rp", "m") for form in FORMS}

    def fresh(self, options=""):
        """A mount that knows no sizes yet."""
        state = tempfile.mkdtemp(dir=self.folder)
        return self.mount(self.store, options=",".join(filter(None, (options, f"state={state}"))))

    @staticmethod
    def file(mnt, form):
        return os.fsdecode(day_path(mnt, form, "db", "rp", "m", START // DAY))

    def cost(self, mnt, action):
        """Bytes that the daemon asks files for meanwhile; and what the action returns."""
        before = io_of(mnt.pid())
        result = action()
        return io_of(mnt.pid()) - before, result

    def whole_cost(self, mnt, form):
        cost, text = self.cost(mnt, lambda: Path(self.file(mnt, form)).read_bytes())
        self.assertEqual(text, self.texts[form])
        self.assertGreater(cost, len(text) / 4)
        return cost

    def test_sized_once(self):
        """By all who ask at the same time."""
        mnt = self.fresh()
        with ThreadPoolExecutor(len(FORMS) * 4) as pool:
            sizes = list(pool.map(lambda form: run("stat", "-c", "%s", self.file(mnt, form)), FORMS * 4))
        wanted = [len(self.texts[form]) for form in FORMS]
        self.assertEqual(list(map(int, sizes)), wanted * 4)
        counters = json.loads((mnt / "status.json").read_text())["counters"]
        self.assertEqual(counters["dump_sizing_bytes"], sum(wanted))

    def read_by_four(self, name, kill=False):
        """The texts that four cats got; the first one is killed at once."""
        cats = [subprocess.Popen(["cat", name], stdout=subprocess.PIPE) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            texts = [pool.submit(cat.communicate, timeout=HANG) for cat in cats]
            if kill:
                time.sleep(0.2)
                cats[0].kill()
            return [text.result()[0] for text in texts]

    def test_four_at_once(self):
        """They cost about as much as one, and one who is killed does not harm the others. The pace is what keeps
        the first from being far ahead before the others have begun."""
        mnt = self.fresh("pace=20M")
        for form, kill in (("lp", False), ("json", True)):
            name = self.file(mnt, form)
            os.stat(name)
            one = self.whole_cost(mnt, form)
            cost, texts = self.cost(mnt, lambda name=name, kill=kill: self.read_by_four(name, kill))
            self.assertTrue(self.texts[form].startswith(texts[0]))
            for text in texts[kill:]:
                self.assertEqual(text, self.texts[form])
            self.assertLess(cost, 2.5 * one, form)

    def test_offsets(self):
        self.check_offsets(self.fresh())

    def test_offsets_in_little_memory(self):
        """The rows of an answer are put down in a file."""
        self.check_offsets(self.fresh("memory=1M"))

    def check_offsets(self, mnt):
        """What is read at an offset costs a part of what the whole does."""
        for form in FORMS:
            name, text, rng = self.file(mnt, form), self.texts[form], random.Random(form)
            os.stat(name)
            tail = self.cost(mnt, lambda name=name: self.output("tail", "-c", "1000", name))
            one = self.whole_cost(mnt, form)
            skipped = self.cost(mnt, lambda name=name: self.output("dd", f"if={name}", "bs=4096", "skip=2500", "count=3",
                                                                   "status=none"))
            lines = self.cost(mnt, lambda name=name: self.output("tac", name))
            for (cost, got), wanted, most in ((tail, text[-1000:], 0.6), (skipped, text[10240000:10240000 + 3 * 4096], 0.6),
                                              (lines, b"".join(reversed(text.splitlines(keepends=True))), 3)):
                self.assertTrue(got == wanted, form)
                self.assertLess(cost, one * most, form)
            with open(name, "rb", buffering=0) as file:
                for _ in range(15):
                    at, n = rng.randrange(len(text) + 100), rng.randrange(1, 2_000_000)
                    self.assertEqual(os.pread(file.fileno(), n, at), text[at:at + n])

    @staticmethod
    def output(*words):
        return subprocess.run(words, capture_output=True, check=True).stdout

    def test_many_at_offsets(self):
        """More readers than there are makings, each at a place of its own, forwards and backwards."""
        mnt = self.fresh()

        def reader(seed):
            form, rng = FORMS[seed % len(FORMS)], random.Random(seed)
            text = self.texts[form]
            with open(self.file(mnt, form), "rb", buffering=0) as file:
                at, step = rng.randrange(len(text)), rng.choice((-1, 1)) * 131072
                for _ in range(20):
                    at = (at + step) % len(text)
                    self.assertEqual(os.pread(file.fileno(), 131072, at), text[at:at + 131072])
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(reader, range(12)))

    def test_rclone(self):
        """In several streams, and from an offset, as when a transfer is resumed."""
        mnt = self.fresh()
        for form in ("lp", "json"):
            name, text, target = self.file(mnt, form), self.texts[form], self.folder / form
            run("rclone", "--config", "/dev/null", "--retries", "1", "copyto", "--multi-thread-streams", "4",
                "--multi-thread-cutoff", "100k", name, target)
            self.assertEqual(target.read_bytes(), text)
            one = self.whole_cost(mnt, form)
            cost, rest = self.cost(mnt, lambda name=name: self.output("rclone", "--config", "/dev/null", "cat", "--offset",
                                                                      "9876543", name))
            self.assertEqual(rest, text[9876543:])
            self.assertLess(cost, one * 0.6, form)


class ChangingTest(DumpTest):

    def test_a_store_that_changes(self):
        """What was opened stays what it was, at any offset, while influxd writes, deletes and drops."""
        influxd = self.influxd(self.folder / "store", cache_snapshot_memory_size=100_000)
        influxd.run(CREATE)
        rng = random.Random(2)

        def write(first):
            influxd.write([f"m,host=h{n % 40:02d} s=\"{rng.randbytes(200).hex()}\" {START + n * 10**6}"
                           for n in range(first, first + 4000)], "db")
        for first in range(0, 20_000, 4000):
            write(first)
        wanted = {form: dump(influxd.root, form, "db", "rp", "m") for form in FORMS}
        mnt = self.mount(influxd.root)
        files = {form: open(os.fsdecode(day_path(mnt, form, "db", "rp", "m", START // DAY)), "rb", buffering=0)
                 for form in FORMS}
        changes = threading.Thread(target=lambda: (write(20_000), influxd.run("DELETE FROM m WHERE host = 'h01'", "db"),
                                                   write(1000), influxd.run("DROP DATABASE db")))
        changes.start()
        try:
            for _ in range(25):
                for form, file in files.items():
                    at = rng.randrange(len(wanted[form]))
                    self.assertEqual(os.pread(file.fileno(), 100_000, at), wanted[form][at:at + 100_000])
        finally:
            changes.join()
        for form, file in files.items():
            file.seek(0)
            self.assertEqual(file.readall(), wanted[form])
            file.close()
