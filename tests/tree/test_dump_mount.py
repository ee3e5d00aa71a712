"""dump/ of the mount: measurements as files, whose bytes are what influxd answers."""

import errno
import gzip
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib import fixtures
from lib.clock import Clock
from lib.dumps import EARLIEST, LATEST, answer, copy_stripped, difference, dump
from lib.dumptree import DAY, coded, day_name, day_path, file_name, path, policy
from lib.files import FIXTURES, files_in, run, sizes_in, wait_until
from lib.influxd import Influxd, tsm_files
from lib.measurements import HOUR, MEASUREMENTS, START
from tree.test_dump import CREATE, DumpTest, fill, some_range, times_of

FORMS = ("json", "csv", "lp")


def read(name):
    """The bytes of a file, which are as many as it says."""
    size = os.stat(name).st_size
    with open(name, "rb") as file:
        data = file.read()
    if len(data) != size:
        raise AssertionError(f"{name}: {len(data)} bytes, not {size}")
    return data


def is_as_stated(name):
    try:
        return len(read(name)) == os.stat(name).st_size
    except AssertionError:
        return False


def io_of(pid):
    """Bytes that a process has asked files for."""
    lines = Path(f"/proc/{pid}/io").read_text().split()
    return int(lines[lines.index("rchar:") + 1])


class MountedDumpTest(DumpTest):

    def check_file(self, wanted, name):
        got = read(name)
        if got != wanted:
            self.fail(f"{name}: {difference(wanted, got)}")


class FixtureMountTest(MountedDumpTest):
    """Every fixture: each day and some ranges, against influxd on the same store."""

    def check(self, name):
        store = fixtures.unpack(name, self.folder / "store")
        rng = random.Random(name)
        influxd = self.influxd(copy_stripped(store, self.folder / "served"), index=fixtures.index_of(name))
        mnt = self.mount(store)
        answers = json.loads(gzip.decompress((FIXTURES / name / "answers.json.gz").read_bytes()))
        questions = sorted({(one["db"], one["rp"], one["measurement"]) for one in answers})
        times = {question: times_of(answer(influxd, "csv", *question)) for question in questions}
        self.assertGreater(sum(map(len, times.values())), 1000)
        for db, rp in sorted({question[:2] for question in questions}):
            self.check_policy(mnt, db, rp, {q[2]: times[q] for q in questions if q[:2] == (db, rp)})
        for question, found in times.items():
            for form in FORMS:
                self.assertGreaterEqual(len(read(path(mnt, form, *question, EARLIEST, LATEST))), 20 if found else 0)
            for day in sorted({when // DAY for when in found}):
                form = rng.choice(FORMS)
                self.check_range(influxd, mnt, store, form, question, day * DAY, (day + 1) * DAY,
                                 day_path(mnt, form, *question, day))
            for _ in range(3):
                form = rng.choice(FORMS)
                self.check_range(influxd, mnt, store, form, question, *some_range(rng, found))

    def check_policy(self, mnt, db, rp, times):
        """Exactly the days that have points, and in each exactly the measurements that have."""
        for form in FORMS:
            top = policy(mnt, form, db, rp)
            days = sorted({when // DAY for found in times.values() for when in found})
            self.assertEqual(sorted(os.listdir(top)), [day_name(day).encode() for day in days])
            for day in days:
                there = {file_name(form, name, day * DAY, (day + 1) * DAY) for name, found in times.items()
                         if any(when // DAY == day for when in found)}
                self.assertEqual(set(os.listdir(top + b"/" + day_name(day).encode())), there)

    def check_range(self, influxd, mnt, store, form, question, start, end, name=None):
        if form == "lp":
            wanted = dump(store, form, *question, start, end)
        else:
            wanted = answer(influxd, form, *question, start, end)
        self.check_file(wanted, name or path(mnt, form, *question, start, end))


def add_test(name):
    method = f"test_{name}".replace(".", "_").replace("-", "_")
    setattr(FixtureMountTest, method, lambda self: self.check(name))


for fixture in fixtures.NAMES:
    add_test(fixture)


class ReadingTest(MountedDumpTest):
    """A dump is a file like any other."""

    @classmethod
    def setUpClass(cls):
        cls.store = Path(os.path.realpath(cls.enterClassContext(_folder()))) / "store"
        with Influxd(cls.store, cache_snapshot_memory_size=200_000) as influxd:
            influxd.run(CREATE)
            for hour in range(30):
                influxd.write([f"m,host=h{n % 5} v={n * hour / 7},i={n}i,s=\"text {n}\" {START + hour * HOUR + n * 10**9}"
                               for n in range(1200)], "db")
        cls.days = (START // DAY, START // DAY + 1)

    def setUp(self):
        super().setUp()
        self.mnt = self.mount(self.store)

    def file(self, form="json", day=None):
        return os.fsdecode(day_path(self.mnt, form, "db", "rp", "m", day or self.days[0]))

    def test_attributes(self):
        for form in FORMS:
            name = self.file(form)
            first = os.stat(name)
            self.assertEqual((first.st_mode, first.st_nlink), (0o100400, 1))
            self.assertEqual(first.st_blocks, -(-first.st_size // 512))
            self.assertGreater(first.st_size, 1_000_000)
            newest = max(os.stat(file).st_mtime_ns for file in files_in(self.store / "data", self.store / "wal"))
            self.assertLessEqual(first.st_mtime_ns, newest)
            self.assertEqual(len(read(name)), first.st_size)
            again = os.stat(name)
            self.assertEqual((first.st_ino, first.st_size, first.st_mtime_ns),
                             (again.st_ino, again.st_size, again.st_mtime_ns))
            elsewhere = path(self.mnt, form, "db", "rp", "m", self.days[0] * DAY, (self.days[0] + 1) * DAY)
            self.assertEqual(os.stat(elsewhere).st_ino, first.st_ino)

    def test_any_offset(self):
        name, rng = self.file(), random.Random(1)
        whole = read(name)
        with open(name, "rb", buffering=0) as file:
            for _ in range(40):
                at, n = rng.randrange(len(whole) + 100), rng.randrange(1, 300_000)
                self.assertEqual(os.pread(file.fileno(), n, at), whole[at:at + n])
            self.assertEqual(os.pread(file.fileno(), 10, len(whole)), b"")
            self.assertEqual(os.pread(file.fileno(), 10**6, len(whole) - 10), whole[-10:])

    def test_readers(self):
        """Several at once, by one descriptor and by their own."""
        name = self.file("lp")
        whole = read(name)
        with open(name, "rb", buffering=0) as file:
            def piece(at):
                return os.pread(file.fileno(), 65536, at)
            with ThreadPoolExecutor(8) as pool:
                offsets = range(0, len(whole), 65536)
                self.assertEqual(b"".join(pool.map(piece, offsets)), whole)
                for data in pool.map(read, [name] * 8):
                    self.assertEqual(data, whole)

    def test_tools(self):
        day, target = os.path.dirname(self.file()), self.folder / "copy"
        run("cp", "-a", day, target)
        self.assertEqual((target / os.path.basename(self.file())).read_bytes(), read(self.file()))
        for command in (["cat"], ["dd", "bs=7777", "status=none", "if="], ["tail", "-c", "+1"], ["head", "-c", "1G"]):
            last = command.pop() + self.file() if command[-1].endswith("=") else self.file()
            done = subprocess.run(command + [last], capture_output=True, check=True)
            self.assertEqual(done.stdout, read(self.file()), command)
        self.assertEqual(subprocess.run(["tail", "-c", "100", self.file()], capture_output=True, check=True).stdout,
                         read(self.file())[-100:])
        mirror = self.folder / "mirror"
        for moved in (True, False):
            done = run("rsync", "-a", "--itemize-changes", f"{self.mnt / 'dump'}/", mirror)
            self.assertEqual("m_2016" in done, moved, done)
        self.assertEqual(len(files_in(mirror)), 2 * len(FORMS))

    def test_json_parses(self):
        rows = []
        for day in self.days:
            rows += json.loads(read(self.file(day=day)))["results"][0]["series"][0]["values"]
        self.assertEqual(len(rows), 30 * 1200)

    def test_ranges(self):
        minute = path(self.mnt, "lp", "db", "rp", "m", START, START + 60 * 10**9)
        self.assertEqual(read(minute).count(b"\n"), 60)
        odd = path(self.mnt, "lp", "db", "rp", "m", START + 1, START + 10**9 + 1)
        self.assertIn(b".000000001_", odd)
        self.assertEqual(read(odd).count(b"\n"), 1)
        empty = {"json": b'{"results":[{"statement_id":0}]}\n', "csv": b"", "lp": b""}
        for form, text in empty.items():
            for start, end in ((START, START), (START + 5, START), (START - DAY, START - HOUR), (EARLIEST, START)):
                self.assertEqual(read(path(self.mnt, form, "db", "rp", "m", start, end)), text)
            self.assertEqual(read(path(self.mnt, form, "db", "rp", "not there", START, START + DAY)), text)
        whole = read(path(self.mnt, "lp", "db", "rp", "m", EARLIEST, LATEST))
        self.assertEqual(whole.count(b"\n"), 30 * 1200)
        top = os.fsdecode(policy(self.mnt, "lp", "db", "rp"))
        self.assertEqual(read(f"{top}/m_0001-01-01-00:00:00_9999-12-31-23:59:59.lp"), whole)

    def test_not_there(self):
        top = os.fsdecode(policy(self.mnt, "json", "db", "rp"))
        m = "m_2016-06-11-00:00:00_2016-06-12-00:00:00"
        for name in (f"{top}/2016-06-10", f"{top}/2016-6-11", f"{top}/2016-02-30", f"{top}/m.json", f"{top}/{m}.csv",
                     f"{top}/{m}", f"{top}/_2016-06-11-00:00:00_2016-06-12-00:00:00.json",
                     f"{top}/m_2016-06-11-00:00:00_2016-06-12-24:00:00.json", f"{top}/m%zz{m[1:]}.json",
                     f"{top}/m_2016-06-11-00:00:00._2016-06-12-00:00:00.json",
                     f"{top}/2016-06-11/m_2016-06-11-00:00:00_2016-06-11-00:01:00.json",
                     f"{self.mnt}/dump/xml", f"{self.mnt}/dump/json/nodb", f"{self.mnt}/dump/json/db/autogen"):
            with self.assertRaises(FileNotFoundError, msg=name):
                os.stat(name)
            self.assertFalse(os.path.lexists(name))

    def test_read_only(self):
        top = os.fsdecode(policy(self.mnt, "json", "db", "rp"))
        for attempt in (lambda: open(self.file(), "wb"), lambda: os.unlink(self.file()), lambda: os.mkdir(f"{top}/x"),
                        lambda: os.rename(self.file(), f"{top}/x"), lambda: os.chmod(self.file(), 0o644),
                        lambda: open(f"{top}/{os.path.basename(self.file())}", "r+b")):
            with self.assertRaises(OSError) as caught:
                attempt()
            self.assertIn(caught.exception.errno, (errno.EROFS, errno.EACCES))

    def test_sizes_are_remembered(self):
        """Found once, also across a mount; and the listing of days reads no blocks."""
        for day in self.days:
            os.stat(self.file(day=day))
        whole = sum(sizes_in(self.store / "data", self.store / "wal"))
        self.mnt.unmount()
        self.mnt.start()
        pid = self.mnt.pid()
        before = io_of(pid)
        for form in FORMS:
            for day in os.listdir(policy(self.mnt, form, "db", "rp")):
                os.listdir(os.path.join(policy(self.mnt, form, "db", "rp"), day))
        listed = io_of(pid) - before
        for day in self.days:
            os.stat(self.file(day=day))
        sized = io_of(pid) - before
        read(self.file(day=self.days[0]))
        made = io_of(pid) - before - sized
        self.assertLess(sized - listed, made / 4, f"{listed} to list, {sized} to size, {made} to make, {whole} in all")


def _folder():
    return tempfile.TemporaryDirectory(prefix="influxfs-")


class NamesTest(MountedDumpTest):

    DATABASES = ("plain", "with.dots and spaces", "ünïcode", "quo'te\"s")
    NAMES = ("a/b", "100%", ".", "..", "%2F", "tab\there", "new\\nline", "under_score_2016-06-11-00:00:00", "ü" * 150,
             "x" * 210, "x" * 211, "x" * 300, "y" * 1000, "sp ace,comma=equals", "emoji \U0001f600", "~", "\x7f\x01")

    def test_names(self):
        influxd = self.influxd(self.folder / "store")
        mnt = self.mount(influxd.root)
        for n, db in enumerate(self.DATABASES):
            influxd.run("CREATE DATABASE \"" + db.replace('"', '\\"') + "\"")
            influxd.write([self.escaped(name) + f",t={n} v={i} {START}" for i, name in enumerate(self.NAMES)], db)
        for form in FORMS:
            self.assertEqual(sorted(os.listdir(bytes(mnt / "dump" / form))), sorted(map(coded, self.DATABASES)))
        for db in self.DATABASES[:2]:
            for form in FORMS:
                day = policy(mnt, form, db, "autogen") + b"/" + day_name(START // DAY).encode()
                there = os.listdir(day)
                self.assertEqual(sorted(there), sorted(file_name(form, name, START, START + DAY) for name in self.NAMES))
                self.assertTrue(all(len(name) <= 255 for name in there))
                for name in self.NAMES:
                    wanted = (dump if form == "lp" else answer)(influxd.root if form == "lp" else influxd, form, db,
                                                                 "autogen", name, START, START + DAY)
                    self.assertGreater(len(wanted), 20)
                    self.check_file(wanted, day_path(mnt, form, db, "autogen", name, START // DAY))
                    self.check_file(wanted, path(mnt, form, db, "autogen", name, START, START + DAY))

    @staticmethod
    def escaped(name):
        return name.replace(",", "\\,").replace(" ", "\\ ")


class LiveTest(MountedDumpTest):
    """While influxd writes, compacts and drops."""

    def test_what_was_stated_is_read(self):
        influxd = self.influxd(self.folder / "store", cache_snapshot_memory_size=20_000)
        influxd.run(CREATE)
        mnt = self.mount(influxd.root)
        influxd.write([f"m v=1 {START}"], "db")
        stop = threading.Event()

        def write():
            n = 0
            while not stop.is_set():
                influxd.write([f"m,h={i} v={n},w={n * i}i {START + n % 50 * 10**6 + i}" for i in range(100)], "db")
                n += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for round_ in range(20):
                form = FORMS[round_ % 3]
                name = os.fsdecode(day_path(mnt, form, "db", "rp", "m", START // DAY))
                target = self.folder / "copy"
                run("cp", name, target)
                data = target.read_bytes()
                if form == "json":
                    json.loads(data)
                else:
                    self.assertTrue(data.endswith(b"\n"))
                size = int(subprocess.run(["sh", "-c", f"stat -c %s '{name}'; cat '{name}' | wc -c"],
                                          capture_output=True, text=True, check=True).stdout.split()[0])
                self.assertGreaterEqual(size, len(data))
                # A process's instant ends after a minute, which may be in between.
                self.assertTrue(is_as_stated(name) or is_as_stated(name))
        finally:
            stop.set()
            writer.join()
        with open(name, "rb", buffering=0) as file:
            first = file.read(1000)
            influxd.run("DROP DATABASE db")
            time.sleep(1)
            rest = file.read()
            while piece := file.read():
                rest += piece
            self.assertEqual(len(first + rest), os.fstat(file.fileno()).st_size)
        self.assertEqual(run("ls", mnt / "dump/lp").split(), [])

    def test_new_points_are_there(self):
        influxd = self.influxd(self.folder / "store")
        influxd.run(CREATE)
        mnt = self.mount(influxd.root)
        name = os.fsdecode(day_path(mnt, "lp", "db", "rp", "m", START // DAY))
        for n in range(1, 20):
            influxd.write([f"m v={n} {START + n}"], "db")
            self.assertEqual(run("cat", name).count("\n"), n)
        influxd.run(f"DELETE FROM m WHERE time <= {START + 5}", "db")
        self.assertEqual(run("cat", name).count("\n"), 14)
        influxd.run("DROP MEASUREMENT m", "db")
        day = os.path.dirname(name)
        self.assertNotEqual(subprocess.run(["ls", day], capture_output=True).returncode, 0)
        self.assertEqual(run("ls", os.path.dirname(day)), "")

    def test_let_go(self):
        """What was only looked at is not kept for long: deleted files' space comes back."""
        influxd = self.influxd(self.folder / "store", cache_snapshot_memory_size=1000)
        influxd.run(CREATE)
        influxd.write([f"m v={n} {START + n}" for n in range(1000)], "db")
        wait_until(lambda: tsm_files(influxd.root), 60, "a flush")
        clock = Clock(self.folder / "clock")
        mnt = self.mount(influxd.root, environment=clock.environment)
        looked = clock.now()
        run("sh", "-c", f"ls -l '{mnt.point}'/dump/json/db/rp/*")
        influxd.run("DROP DATABASE db")
        folder = f"/proc/{mnt.pid()}/fd"

        def deleted():
            return [n for n in os.listdir(folder) if "(deleted)" in _link(f"{folder}/{n}") and "/data/" in _link(f"{folder}/{n}")]

        held = deleted()
        if clock.now() < looked + 10:   # else this machine was too slow to see it
            self.assertTrue(held)
        run("cat", mnt / "status.json")
        clock.forward(60)
        wait_until(lambda: os.path.exists(mnt / "snapshots/now.tar") and not deleted(), 75, "the files to be let go", 1)


def _link(name):
    try:
        return os.readlink(name)
    except OSError:
        return ""


class DamageTest(MountedDumpTest):
    """EIO, with the file and the place in status.json, for what needs the damaged file alone."""

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        with Influxd(self.store, cache_snapshot_memory_size=1000) as influxd:
            influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d NAME "rp"')
            for day in range(3):
                influxd.write([f"{m},h=a v={n} {START + day * DAY + n * 10**9}" for n in range(3000) for m in ("m", "o")],
                              "db")
            time.sleep(1.2)
        self.tsm = sorted(Path(name) for name in files_in(self.store / "data") if name.endswith(".tsm"))
        self.good = {day: dump(self.store, "json", "db", "rp", "m", START + day * DAY, START + (day + 1) * DAY)
                     for day in range(3)}

    def damage(self, where):
        data = bytearray(self.tsm[1].read_bytes())
        where = where(data)
        data[where] ^= 0x40
        self.tsm[1].write_bytes(data)
        return self.tsm[1].name

    def refused(self, mnt, name, said):
        with self.assertRaises(OSError) as caught:
            read(name)
        self.assertEqual(caught.exception.errno, errno.EIO)
        error = json.loads((mnt / "status.json").read_text())["last_error"]
        self.assertRegex(json.dumps(error), said)

    def test_block(self):
        name = self.damage(lambda data: 1000)
        mnt = self.mount(self.store)
        self.assertEqual(len(os.listdir(policy(mnt, "json", "db", "rp"))), 3)
        for day in range(3):
            file = day_path(mnt, "json", "db", "rp", "m", START // DAY + day)
            if day == 1:
                self.refused(mnt, file, rf"data/db/rp/\d+/{name}: damaged at byte \d+")
                self.assertEqual(subprocess.run(["cat", os.fsdecode(file)], capture_output=True).returncode, 1)
                self.assertNotEqual(subprocess.run(["ls", "-l", os.fsdecode(os.path.dirname(file))],
                                                   capture_output=True).returncode, 0)
            else:
                self.check_file(self.good[day], file)

    def test_index(self):
        """The other days are listed, and then the error."""
        name = self.damage(lambda data: int.from_bytes(data[-8:], "big") + 1)
        mnt = self.mount(self.store)
        top = os.fsdecode(policy(mnt, "json", "db", "rp"))
        done = subprocess.run(["ls", top], capture_output=True, text=True)
        self.assertEqual(done.stdout.split(), [day_name(START // DAY), day_name(START // DAY + 2)])
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Input/output error", done.stderr)
        self.refused(mnt, day_path(mnt, "json", "db", "rp", "m", START // DAY + 1), rf"{name}: damaged at byte")
        for day in (0, 2):
            self.check_file(self.good[day], day_path(mnt, "json", "db", "rp", "m", START // DAY + day))

    def test_tombstone(self):
        """Without it nobody knows what is deleted."""
        tombstone = self.tsm[1].with_suffix(".tombstone")
        tombstone.write_bytes(b"\x00\x00\x15\x03 this is not gzip")
        mnt = self.mount(self.store)
        self.refused(mnt, day_path(mnt, "json", "db", "rp", "m", START // DAY + 1), rf"{tombstone.name}: damaged")
        self.check_file(self.good[0], day_path(mnt, "json", "db", "rp", "m", START // DAY))


    def test_skip_damaged(self):
        """All else is there, in files whose sizes hold, and status.json says what is not."""
        name = self.damage(lambda data: 1000)
        mnt = self.mount(self.store, options="skip_damaged")
        for form in FORMS:
            file = day_path(mnt, form, "db", "rp", "m", START // DAY + 1)
            got = read(file)
            self.assertEqual(read(file), got)
            self.check_file(self.good[0], day_path(mnt, "json", "db", "rp", "m", START // DAY))
        self.assertEqual(len(got.splitlines()), 2000)  # of lp: a block of a thousand less
        lacks = json.loads((mnt / "status.json").read_text())["dumps_lack"]
        self.assertFalse(lacks["more"])
        self.assertEqual(len(lacks["lines"]), 1, lacks)
        self.assertRegex(lacks["lines"][0], rf"data/db/rp/\d+/{name}: damaged at byte \d+.*left out: this block, key m,h=a#!~#v, "
                         "from 2016-06-12T")

    def test_skip_a_file(self):
        """The day is listed while it has a point that can be read."""
        self.tsm[1].write_bytes(self.tsm[1].read_bytes()[:1000])
        mnt = self.mount(self.store, options="skip_damaged")
        top = os.fsdecode(policy(mnt, "json", "db", "rp"))
        self.assertEqual(sorted(os.listdir(top)), [day_name(START // DAY), day_name(START // DAY + 2)])
        self.assertNotIn(b"values", read(day_path(mnt, "json", "db", "rp", "m", START // DAY + 1).replace(
            b"/" + day_name(START // DAY + 1).encode() + b"/", b"/")))
        lacks = json.loads((mnt / "status.json").read_text())["dumps_lack"]["lines"]
        self.assertRegex("|".join(lacks), rf"left out: what of file data/db/rp/\d+/{self.tsm[1].name} cannot be read")


class NoStoreTest(MountedDumpTest):

    def test_no_store(self):
        (self.folder / "store").mkdir()
        mnt = self.mount(self.folder / "store")
        for form in FORMS:
            self.assertEqual(os.listdir(mnt / "dump" / form), [])

    def test_database_without_points(self):
        influxd = self.influxd(self.folder / "store")
        influxd.run("CREATE DATABASE db")
        mnt = self.mount(influxd.root)
        self.assertEqual(os.listdir(mnt / "dump/json/db"), ["autogen"])
        self.assertEqual(os.listdir(mnt / "dump/json/db/autogen"), [])

    def test_random_store(self):
        """The tree of a store of random writes and deletes, after restart, by days."""
        root = copy_stripped(fill(self.folder / "live", 11, "inmem"), self.folder / "store")
        served = copy_stripped(root, self.folder / "served")
        mnt = self.mount(root)
        with Influxd(served) as influxd:
            for measurement in MEASUREMENTS:
                for form in ("json", "csv"):
                    wanted = answer(influxd, form, "db", "rp", measurement, START, START + DAY)
                    self.check_file(wanted, day_path(mnt, form, "db", "rp", measurement, START // DAY))
        shutil.rmtree(served)
