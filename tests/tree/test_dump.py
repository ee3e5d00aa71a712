"""Dumps against the answers of the real influxd 1.6.7, byte for byte."""

import gzip
import json
import os
import random
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumps import EARLIEST, LATEST, DumpError, answer, copy_stripped, difference, dump, rfc3339
from lib.files import FIXTURES, HANG, files_in
from lib.influxd import Influxd
from lib.measurements import HOUR, MEASUREMENTS, START, Measurements

RANGES = 6  # of each measurement
FIRST, COUNT = map(int, os.environ.get("INFLUXFS_SEEDS", "1:2").split(":"))  # make soak sets it
SEEDS = range(FIRST, FIRST + COUNT)
FLUSHES = 3


class DumpTest(StoreTest):
    timeout = 300

    def compare(self, influxd, store, form, *question):
        """The dump's bytes, which are influxd's."""
        wanted, got = answer(influxd, form, *question), dump(store, form, *question)
        if wanted != got:
            self.fail(f"{form} {question}: {difference(wanted, got)}")
        return got


def times_of(csv):
    """In the third column; names are quoted if need be."""
    return sorted({int(t) for t in re.findall(rb'^(?:"(?:[^"]|"")*"|[^,"]*),,(-?\d+)', csv, re.M)})


def some_range(rng, times):
    """From one point to another, a nanosecond to either side or at it."""
    if not times or rng.random() < 0.1:
        return EARLIEST, LATEST
    start, end = sorted(rng.choices(times, k=2))
    if rng.random() < 0.5:  # short ones cut through blocks, not only through shards
        end = times[min(len(times) - 1, times.index(start) + rng.randrange(20))]
    return start + rng.randint(-1, 1), end + rng.randint(-1, 1)


class FixtureDumpTest(DumpTest):

    def questions(self, name):
        answers = json.loads(gzip.decompress((FIXTURES / name / "answers.json.gz").read_bytes()))
        return [(one["db"], one["rp"], one["measurement"]) for one in answers]

    def check(self, name):
        store = fixtures.unpack(name, self.folder / "store")
        served = copy_stripped(store, self.folder / "served")
        rng = random.Random(name)
        index = fixtures.index_of(name)
        influxd = self.influxd(served, index=index)
        whole = {}
        for question in self.questions(name):
            whole[question] = self.compare(influxd, store, "json", *question)
            times = times_of(self.compare(influxd, store, "csv", *question))
            for _ in range(RANGES if times else 1):
                form = rng.choice(("json", "csv"))
                self.compare(influxd, store, form, *question, *some_range(rng, times))
        self.assertTrue(any(len(text) > 100_000 for text in whole.values()))
        self.check_lines(store, whole)

    def check_lines(self, store, whole):
        """Line protocol into an empty influxd gives the same answers."""
        influxd = self.influxd(self.folder / "fresh")
        for db, rp, measurement in whole:
            influxd.run(f'CREATE DATABASE "{db}"')
            influxd.run(f'CREATE RETENTION POLICY "{rp}" ON "{db}" DURATION INF REPLICATION 1')
            lines = dump(store, "lp", db, rp, measurement)
            if lines:
                influxd.write(lines, db, rp)
        for question, text in whole.items():
            self.assertIsNone(difference(text, answer(influxd, "json", *question)), question)


def add_test(name):
    method = f"test_{name}".replace(".", "_").replace("-", "_")
    setattr(FixtureDumpTest, method, lambda self: self.check(name))


for fixture in fixtures.NAMES:
    add_test(fixture)


class RandomDumpTest(DumpTest):
    """Stores that influxd made of random writes and deletes with a tiny cache."""
    timeout = DumpTest.timeout + 60 * COUNT

    def test_inmem(self):
        self.check_all("inmem", 0)

    def test_tsi1(self):
        self.check_all("tsi1", 1000)

    def check_all(self, index, more):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                self.check(seed + more, index)

    def check(self, seed, index):
        root = copy_stripped(fill(self.folder / f"live-{seed}", seed, index), self.folder / f"store-{seed}")
        rng = random.Random(seed)
        whole = {}
        with Influxd(copy_stripped(root, self.folder / f"served-{seed}"), index=index) as influxd:
            for measurement in MEASUREMENTS:
                question = ("db", "rp", measurement)
                whole[question] = self.compare(influxd, root, "json", *question)
                times = times_of(self.compare(influxd, root, "csv", *question))
                for _ in range(2 * RANGES if times else 0):
                    form = rng.choice(("json", "csv"))
                    self.compare(influxd, root, form, *question, *some_range(rng, times))
        self.check_lines(root, whole)

    def check_lines(self, root, whole):
        with Influxd(self.folder / f"fresh-{root.name}") as influxd:
            influxd.run(CREATE)
            for question, text in whole.items():
                lines = dump(root, "lp", *question)
                if lines:
                    influxd.write(lines, "db")
                self.assertEqual(bool(lines), b"values" in text)
                self.assertEqual(rows(text), rows(answer(influxd, "json", *question)), question)


CREATE = 'CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"'


def fill(root, seed, index):
    """A store as a SIGKILL leaves it."""
    lines = Measurements(seed)
    with Influxd(root, index=index, cache_snapshot_memory_size=3000) as influxd:
        influxd.run(CREATE)
        for _ in range(FLUSHES):
            for _ in range(lines.rng.randrange(2, 10)):
                if lines.rng.random() < 0.2:
                    influxd.run(lines.delete(), "db")
                else:
                    influxd.write(lines.batch(), "db")
            time.sleep(1.1)  # it looks at its caches every second
        influxd.run(lines.delete(), "db")
        influxd.write(lines.batch(), "db")
    return root


def rows(text):
    """The rows of an answer in an order of ours, without what is null: a server that has forgotten
    a field does not show it."""
    series = json.loads(text)["results"][0].get("series", [])
    return sorted(json.dumps([pair for pair in zip(series[0]["columns"], row) if pair[1] is not None])
                  for one in series for row in one["values"])


class OddDumpTest(DumpTest):

    def test_floats(self):
        rng = random.Random(1)
        numbers = [struct.unpack(">d", rng.randbytes(8))[0] for _ in range(6000)]
        numbers += [2.0**n for n in range(-1074, 1024)] + [rng.randrange(10**18) / 10**rng.randrange(20) for _ in range(6000)]
        numbers += [rng.randrange(2**51, 10**15 * 4) / 4 for _ in range(2000)] + [10.0**n for n in range(-320, 309)]
        lines = [f"m v={number!r} {i}" for i, number in enumerate(numbers) if abs(number) < float("inf")]
        influxd = self.influxd(self.folder / "store")
        influxd.run("CREATE DATABASE db")
        influxd.write(lines, "db")
        for form in ("json", "csv"):
            self.assertGreater(self.compare(influxd, influxd.root, form, "db", "autogen", "m").count(b"0"), 10000)

    def test_tags_of_other_shards(self):
        """With an index in memory a database's measurement has all its tags everywhere."""
        for index in ("inmem", "tsi1"):
            influxd = self.influxd(self.folder / index, index=index)
            influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"')
            influxd.run('CREATE RETENTION POLICY other ON db DURATION INF REPLICATION 1')
            influxd.write([f"m,a=1 v=1 {START}", f"m,b=1 w=1 {START + HOUR}", f"m,b=1 w=2i {START + 3 * HOUR}"], "db")
            influxd.write([f"m,c=1 x=1 {START}"], "db", "other")
            seen = set()
            for start in range(-1, 5):
                for end in range(start, 5):
                    seen.add(self.compare(influxd, influxd.root, "csv", "db", "rp", "m", START + start * HOUR,
                                          START + end * HOUR).partition(b"\n")[0])
            self.compare(influxd, influxd.root, "json", "db", "other", "m")
            self.assertEqual(any(b"c" in head[len("name,tags,"):] for head in seen), index == "inmem")

    def test_names(self):
        influxd = self.influxd(self.folder / "store")
        influxd.run("CREATE DATABASE db")
        influxd.write([f"m,k=1,k_1=x k=2,k_2=3i {START}", f'm,k=1 k_1=true {START}', f'm,f_1=t f=1,z="s" {START}'], "db")
        for form in ("json", "csv"):
            self.compare(influxd, influxd.root, form, "db", "autogen", "m")

    def test_overlapping_shards(self):
        """A policy whose shards became longer has some that cover the same time."""
        influxd = self.influxd(self.folder / "store")
        influxd.run(CREATE)
        hours = [2, 3, 7, 30]
        influxd.write([f"m,h={n} v={n} {START + hour * HOUR}" for hour in hours for n in range(5)], "db")
        influxd.run("ALTER RETENTION POLICY rp ON db SHARD DURATION 1d")
        influxd.write([f"m,h={n} v={n} {START + hour * HOUR + 5}" for hour in range(40) for n in range(5)], "db")
        for start in range(0, 40, 3):
            self.compare(influxd, influxd.root, "json", "db", "rp", "m", START + start * HOUR, START + (start + 9) * HOUR)

    def test_many_points(self):
        """More than influxd answers in one piece, in blocks of a thousand, cut anywhere."""
        influxd = self.influxd(self.folder / "store", cache_snapshot_memory_size=100_000)
        influxd.run("CREATE DATABASE db")
        for part in range(4):
            influxd.write([f"m,h={i % 3} v={i},i={i * i}i {START + i * 10**9}" for i in range(part, 24000, 4)], "db")
            time.sleep(1.1)
        influxd.run(f"DELETE FROM m WHERE time >= {START + 5000 * 10**9} AND time < {START + 7777 * 10**9} AND h = '1'", "db")
        rng = random.Random(1)
        influxd.write([f"n v=1 {i}" for i in range(10_001)], "db")
        for end in (10_000, 10_001):
            text = self.compare(influxd, influxd.root, "json", "db", "autogen", "n", 0, end)
            self.assertNotIn(b"partial", text)
            self.assertEqual(len(json.loads(text)["results"][0]["series"][0]["values"]), end)
        self.assertGreater(self.compare(influxd, influxd.root, "json", "db", "autogen", "m").count(b"["), 20_000)
        lines = [line.split(b" ") for line in dump(influxd.root, "lp", "db", "autogen", "m").splitlines()]
        self.assertGreater(len(lines), 20_000)
        order = [(series, int(when)) for series, fields, when in lines]
        self.assertEqual(order, sorted(set(order)), "a line a point, by series and time")
        for _ in range(20):
            start, end = sorted(START + rng.randrange(24000) * 10**9 + rng.randint(-1, 1) for _ in range(2))
            self.compare(influxd, influxd.root, rng.choice(("json", "csv")), "db", "autogen", "m", start, end)

    def test_not_there(self):
        influxd = self.influxd(self.folder / "store")
        influxd.run("CREATE DATABASE db")
        for form, text in (("json", b'{"results":[{"statement_id":0}]}\n'), ("csv", b""), ("lp", b"")):
            self.assertEqual(dump(influxd.root, form, "db", "autogen", "m"), text)
        for place in (("nodb", "autogen"), ("db", "norp")):
            with self.assertRaisesRegex(DumpError, "no database"):
                dump(influxd.root, "json", *place, "m")


class SeveralTest(DumpTest):
    """A database, a policy, or some measurements in one go."""

    def setUp(self):
        super().setUp()
        self.influx = self.influxd(self.folder / "store")
        self.influx.run(CREATE)
        self.influx.run("CREATE RETENTION POLICY other ON db DURATION INF REPLICATION 1")
        self.influx.run("CREATE DATABASE empty")
        for rp in ("rp", "other"):
            self.influx.write([f"{m},h={n} v={n} {START + n * HOUR}" for m in ("a", "b", "c,d".replace(",", "\\,"))
                               for n in range(48)], "db", rp)

    def dump(self, *words, code=0):
        done = subprocess.run([INFLUXSNAP, "-c", self.influx.root, "dump", *words], capture_output=True, timeout=HANG)
        self.assertEqual(done.returncode, code, done.stderr)
        self.said = done.stderr.decode()
        return done.stdout

    def one(self, form, rp, measurement, *times):
        return dump(self.influx.root, form, "db", rp, measurement, *times)

    def test_database(self):
        text = self.dump("--no-ddl", "db")
        ddl = (b'# DDL\nCREATE DATABASE "db" WITH DURATION INF REPLICATION 1 SHARD DURATION 1h NAME "rp"\n'
               b'CREATE RETENTION POLICY "other" ON "db" DURATION INF REPLICATION 1 SHARD DURATION 1w\n')
        self.assertEqual(self.dump("db"), ddl + text)
        context = "# DML\n# CONTEXT-DATABASE: db\n# CONTEXT-RETENTION-POLICY: {}\n"
        self.assertEqual(text, b"".join(part for rp in ("rp", "other") for part in (
            context.format(rp).encode(), *(self.one("lp", rp, m) for m in ("a", "b", "c,d")))))
        self.assertEqual(len(re.findall("dumping db/(other|rp)/", self.said)), 6)
        fresh = self.influxd(self.folder / "fresh")
        fresh.run(CREATE)
        fresh.write(self.dump("db", "rp"), "db")
        for m in ("a", "b", "c,d"):
            self.assertEqual(answer(fresh, "json", "db", "rp", m), answer(self.influx, "json", "db", "rp", m))
        self.assertEqual(self.dump("--no-ddl", "empty"), b"")
        self.assertEqual(self.dump("empty"), b'# DDL\nCREATE DATABASE "empty" WITH DURATION INF REPLICATION 1 '
                         b'SHARD DURATION 1w NAME "autogen"\n')

    def test_filters(self):
        self.assertEqual(self.dump("--format=json", "db", "rp", "c,d", "a"), self.one("json", "rp", "c,d") +
                         self.one("json", "rp", "a"))
        day = rfc3339(START + 24 * HOUR)
        self.assertEqual(self.dump("--format=csv", f"--from={day}", "db", "rp"),
                         b"".join(self.one("csv", "rp", m, START + 24 * HOUR) for m in ("a", "b", "c,d")))
        self.assertNotRegex(self.dump(f"--from={rfc3339(START + 99 * 24 * HOUR)}", "db", "rp"), b"(?m)^[^#]")
        self.assertIn(b"a,h=0 v=0", self.dump(f"--to={rfc3339(START + 1)}", "db", "rp"))
        target = self.folder / "all.json"
        self.assertEqual(self.dump("--format=json", f"--output={target}", "db"), b"")
        self.assertEqual(target.read_bytes().count(b"statement_id"), 6)

    def test_not_there(self):
        for words in (("nodb",), ("db", "norp"), ("db", "norp", "a")):
            self.assertEqual(self.dump(*words, code=1), b"")
            self.assertIn("no database", self.said)
        self.dump(code=2)

    def test_no_points(self):
        """Of what is named, that is told: the name may be mistyped, or the time wrong."""
        later = f"--from={rfc3339(START + 48 * HOUR)}"  # in a shard that "other" has
        for form in ("json", "csv", "lp"):
            for words, rp, named, told in (((), "rp", ("a",), ()), ((), "rp", ("aa", "a"), ("aa",)), ((later,), "other", ("a",), ("a",))):
                self.dump(f"--format={form}", *words, "db", rp, *named)
                self.assertEqual(re.findall(rf"warning: db/{rp} has no points of a measurement (\S+) in that time\n", self.said),
                                 list(told), self.said)

    def test_nobody_reads(self):
        """A reader that goes away, and a full disk: said once."""
        for target in ("/dev/full", None):
            with open(target or os.devnull, "wb") as out:
                command = [INFLUXSNAP, "-c", self.influx.root, "dump", "db", "rp", "a"]
                if target is None:
                    reader, writer = os.pipe()
                    os.close(reader)
                    out = os.fdopen(writer, "wb")
                done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True)
                out.close()
            self.assertEqual((done.returncode, done.stderr.count("standard output")), (1, 1), done.stderr)


def names_of_keys(data):
    """Which bytes of a TSM file are names of keys: nothing protects them."""
    at, end = int.from_bytes(data[-8:], "big"), len(data) - 8
    found = set()
    while at < end:
        n = int.from_bytes(data[at:at + 2], "big")
        found.update(range(at + 2, at + 2 + n))
        at += 2 + n + 3 + int.from_bytes(data[at + 3 + n:at + 5 + n], "big") * 28
    return found


class DamagedDumpTest(DumpTest):
    """An error, or what it was: never another value, never a crash. The WAL has no checksums, so
    that only its structure can be found damaged."""

    def damaged(self, data, rng, kind):
        if kind == "cut":
            return data[:rng.randrange(len(data))]
        allowed = sorted(set(range(len(data))) - (names_of_keys(data) if data[:4] == b"\x16\xd1\x16\xd1" else set()))
        copy = bytearray(data)
        copy[rng.choice(allowed)] ^= 1 << rng.randrange(8) if kind == "bit" else rng.randrange(1, 256)
        return bytes(copy)

    def test_damage(self):
        rng = random.Random(1)
        root = fill(self.folder / "store", 7, "inmem")
        whole = {measurement: dump(root, "json", "db", "rp", measurement) for measurement in MEASUREMENTS}
        refused = 0
        files = [Path(path) for path in files_in(root / "data", root / "wal")
                 if path.endswith((".tsm", ".tombstone", ".wal")) and Path(path).stat().st_size]
        self.assertEqual({path.suffix for path in files}, {".tsm", ".tombstone", ".wal"})
        for path in rng.choices(files, k=30) + [path for path in files if path.suffix == ".tombstone"]:
            data = path.read_bytes()
            path.write_bytes(self.damaged(data, rng, rng.choice(("cut", "bit", "byte"))))
            for measurement in MEASUREMENTS:
                try:
                    got = dump(root, "json", "db", "rp", measurement)
                except DumpError as error:
                    self.assertRegex(str(error), rf"^influxsnap: (data|wal)/db/rp/.*{re.escape(path.name)}.*damaged")
                    refused += 1
                else:
                    self.assertTrue(got == whole[measurement] or path.suffix == ".wal", path)
            path.write_bytes(data)
        self.assertGreater(refused, 20)
        self.assertEqual({m: dump(root, "json", "db", "rp", m) for m in MEASUREMENTS}, whole)


class LiveColumnsTest(DumpTest):
    """Columns of which all values were deleted, as the running server still shows them."""

    def stores(self):
        for index in ("inmem", "tsi1"):
            with Influxd(self.folder / index, index=index) as influxd, self.subTest(index=index):
                influxd.run(CREATE)
                yield influxd
                influxd.restart()
                yield influxd

    def test_fields(self):
        for influxd in self.stores():
            influxd.write([f"m,t=1 v=1 {START}", f"m,t=1 w=1i,x=true {START + 1}"], "db")
            influxd.run(f"DELETE FROM m WHERE time = {START + 1}", "db")
            for form in ("json", "csv"):
                text = self.compare(influxd, influxd.root, form, "db", "rp", "m")
                self.assertIn(b"w", text)

    def test_tags(self):
        """A tag that no series has any more is known to the index alone: its column is missing, and no other."""
        for influxd in self.stores():
            influxd.write([f"n,a=1 f=1 {START}", f"n,b=2 g=1 {START + 1}"], "db")
            influxd.run("DROP SERIES FROM n WHERE b='2'", "db")
            wanted = json.loads(answer(influxd, "json", "db", "rp", "n"))["results"][0]["series"][0]
            got = json.loads(dump(influxd.root, "json", "db", "rp", "n"))["results"][0]["series"][0]
            self.assertEqual(got["columns"], ["time", "a", "f", "g"])
            self.assertLessEqual(set(got["columns"]), set(wanted["columns"]))
            self.assertEqual(rows(json.dumps({"results": [{"series": [got]}]})),
                             rows(json.dumps({"results": [{"series": [wanted]}]})))

    def test_new_measurement(self):
        """What was dropped whole is forgotten."""
        for influxd in self.stores():
            influxd.write([f"m v=1,w=2 {START}", f"o v=1 {START}"], "db")
            influxd.run("DROP MEASUREMENT m", "db")
            influxd.write([f"m x=1 {START}"], "db")
            for m in ("m", "o"):
                self.compare(influxd, influxd.root, "json", "db", "rp", m)
