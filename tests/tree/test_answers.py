"""JSON and CSV of more series than memory holds: the text, the memory, and what becomes of the file that takes
the rest."""

import errno
import json
import os
import random
import re
import subprocess
from contextlib import suppress
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumps import answer, difference, dump
from lib.dumptree import day_path
from lib.files import HANG, run, wait_until
from lib.metrics import Metrics
from lib.stores import DAY, many_rows, many_series

SERIES = 200_000
SMALL = 50_000
PIECE = 2**20


def command(store, form, *words, measurement="m", policy="autogen"):
    return [INFLUXSNAP, "-q", "-c", store, "dump", f"--format={form}", *words, "--", "db", policy, measurement]


def most_memory(process):
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    return int(found[1]) / 2**10 if found else 0


def measured(words):
    """(output, the most memory that it had, in MiB)"""
    output, most = bytearray(), 0
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        while piece := process.stdout.read1(PIECE):
            output += piece
            most = max(most, most_memory(process))
    if process.returncode:
        raise AssertionError(f"{words}: exit {process.returncode}")
    return bytes(output), most


class ManySeriesTest(StoreTest):
    timeout = HANG

    def test_memory(self):
        """What stands for a series is a few bytes: the default budget holds, and the least one nearly."""
        store = self.folder / "store"
        many_series(store, SERIES)
        wanted = b"name,tags,time,host,v\n" + b"".join(
            b"m,,%d,%08d,%d\n" % (DAY, number, 2 if number % 2 or number % 10 == 0 else 1) for number in range(SERIES))
        for words, most in (((), 64), (("--memory=1M",), 24 + 32 * SERIES / 2**20)):
            text, memory = measured(command(store, "csv", *words))
            self.assertTrue(text == wanted, words)
            self.assertLess(memory, most, words)


class SpillTest(StoreTest):
    """The file without a name."""
    timeout = HANG

    def setUp(self):
        super().setUp()
        self.store, self.temporary = self.folder / "store", self.folder / "temporary"
        self.temporary.mkdir()
        many_series(self.store, SMALL)

    def start(self, **streams):
        return subprocess.Popen(command(self.store, "json", "--memory=1M"), stdin=subprocess.DEVNULL,
                                env={**os.environ, "TMPDIR": str(self.temporary)}, **streams)

    def test_a_full_disk(self):
        if os.geteuid():
            self.skipTest("only root can mount a small file system")
        run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.temporary)
        self.addCleanup(run, "umount", self.temporary)
        with self.start(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            output, words = process.communicate(timeout=HANG)
        self.assertEqual((process.returncode, output), (1, b""))
        self.assertRegex(words.decode(), f"{self.temporary} has no room for [1-9][0-9]* MiB.*TMPDIR.*memory=.*No space left")
        there = os.statvfs(self.temporary)
        self.assertEqual(there.f_bfree, there.f_blocks)

    def test_a_kill(self):
        """While it waits for its reader, with the file open."""
        with self.start(stdout=subprocess.PIPE) as process:
            self.assertTrue(process.stdout.read(1))
            held = [os.readlink(fd) for fd in Path(f"/proc/{process.pid}/fd").iterdir()]
            self.assertTrue([name for name in held if name.startswith(str(self.temporary))], held)
            self.assertEqual(os.listdir(self.temporary), [])
            process.kill()
        self.assertEqual(os.listdir(self.temporary), [])


class MountTest(StoreTest):
    """The same through a mount: what does not fit is in the state folder, and status.json says how much."""
    timeout = HANG
    MANY, ROWS = 40_000, 3

    def setUp(self):
        super().setUp()
        self.store, self.state = self.folder / "store", self.folder / "state"
        self.state.mkdir()
        self.csv = many_rows(self.store, self.MANY, self.ROWS)

    def mounted_here(self):
        return self.mount(self.store, options=f"memory=1M,state={self.state}")

    @staticmethod
    def file(mnt, form):
        return os.fsdecode(day_path(mnt, form, "db", "autogen", "m", 1))

    @staticmethod
    def status(mnt):
        return json.loads((mnt / "status.json").read_text())

    def spilled(self, mnt):
        return self.status(mnt)["dump_spill"]

    def test_texts(self):
        mnt = self.mounted_here()
        self.assertEqual(self.spilled(mnt), {"folder": str(self.state), "bytes": 0, "most_bytes": 0})
        for form in ("json", "csv"):
            wanted = dump(self.store, form, "db", "autogen", "m")
            text = Path(self.file(mnt, form)).read_bytes()
            self.assertIsNone(difference(wanted, text), form)
            for offset in (len(text) // 2, 5):
                with open(self.file(mnt, form), "rb") as file:
                    file.seek(offset)
                    self.assertTrue(file.read(100_000) == wanted[offset:offset + 100_000], (form, offset))
        self.assertTrue(text == self.csv)
        most = self.spilled(mnt)["most_bytes"]
        self.assertGreater(most, 40 * self.MANY)
        self.assertLess(most, 16 * 2**20)
        wait_until(lambda: self.spilled(mnt)["bytes"] == 0, 30, "the files without a name to be closed")
        found = Metrics((mnt / "metrics.prom").read_text())
        self.assertEqual((found.of("dump_spill_bytes"), found.of("dump_spill_most_bytes")), (0, most))
        self.assertIn("Rows of dumps on disk", (mnt / "status.html").read_text())

    def test_a_full_disk(self):
        """The reader gets an error and the operator the words; with more room, all is well."""
        if os.geteuid():
            self.skipTest("only root can mount a small file system")
        run("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", self.state)
        self.addCleanup(run, "umount", self.state)
        mnt = self.mounted_here()
        with self.assertRaises(OSError) as raised:
            Path(self.file(mnt, "csv")).read_bytes()
        self.assertEqual(raised.exception.errno, errno.EIO)
        words = f"{self.state} has no room for [1-9][0-9]* MiB of rows.*memory=.*No space left"
        self.assertRegex(self.status(mnt)["last_error"]["text"], words)
        self.assertRegex(mnt.said(), words)
        self.assertEqual(self.spilled(mnt)["bytes"], 0)
        run("mount", "-o", "remount,size=64m", self.state)
        self.assertTrue(Path(self.file(mnt, "csv")).read_bytes() == self.csv)

    def test_a_kill(self):
        """While a reader has begun: nothing is left of what was put down."""
        mnt = self.mounted_here()
        size = os.stat(self.file(mnt, "csv")).st_size
        before = sorted(os.listdir(self.state))
        file = os.open(self.file(mnt, "csv"), os.O_RDONLY)
        self.assertEqual(os.read(file, 1000), self.csv[:1000])
        self.assertGreater(self.spilled(mnt)["bytes"], 0)
        mnt.kill()
        with suppress(OSError):
            os.close(file)
        self.assertEqual(sorted(os.listdir(self.state)), before)
        again = self.mount(self.store, "again", options=f"memory=1M,state={self.state}")
        self.assertEqual(os.stat(self.file(again, "csv")).st_size, size)


class ServerTest(StoreTest):
    """Against the real influxd 1.6.7, with what decides between rows of one time in all its kinds."""
    timeout = 300
    HOUR = 3600

    # Fields of each measurement by the letters that they begin with, next to the tags a, b and z.
    FIELDS = {
        "later": ("n={i}i", "v={f}", 'w="{s}"'),
        "texts": ('c="{s}"', "n={i}i", "t={b}"),
        "first": ("A={i}i", "v={f}"),
        "words": ('A="{s}"', 'c="{s}"', "n={f}"),
    }

    def line(self, rng, name, series, time):
        values = {"i": rng.randrange(1000), "f": rng.randrange(1000) / 8, "s": rng.choice(("p", "p1", "a b", r"x\"y")),
                  "b": rng.choice(("true", "false"))}
        fields = [field.format(**values) for field in self.FIELDS[name] if rng.random() < 0.8]
        return f"{name}{series} {','.join(fields or ['n=1' if name == 'words' else 'v=1'])} {time * 10**9}"

    def series(self, rng):
        values = ("1", "1!x", "10", r"x\ y", r"x\,", r"x\=", "longer1", "longer2", "ü")
        tags = [f",{tag}={rng.choice(values)}" for tag in "abz" if rng.random() < 0.8]
        return "".join(tags) + f",zz={rng.randrange(100)}"

    def test_rows_of_one_time(self):
        rng = random.Random(12)
        influxd = self.influxd(self.folder / "live")
        influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"')
        start = DAY // 10**9
        for turn in range(3):
            for name in self.FIELDS:
                series = sorted({self.series(rng) for _ in range(300)})
                influxd.write([self.line(rng, name, one, start + hour * self.HOUR + time)
                               for one in series for hour in range(2) for time in range(4)], "db", "rp")
            # The shards of what follows overlap those before.
            influxd.run(f'ALTER RETENTION POLICY "rp" ON db SHARD DURATION {(3, 1, 2)[turn]}h')
            start += self.HOUR
        for name in self.FIELDS:
            for form in ("json", "csv"):
                wanted = answer(influxd, form, "db", "rp", name)
                self.assertGreater(len(wanted), 100_000)
                for words in ((), ("--memory=1M",)):
                    got, _ = measured(command(influxd.root, form, *words, measurement=name, policy="rp"))
                    self.assertIsNone(difference(wanted, got), (name, form, words))
