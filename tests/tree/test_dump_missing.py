"""What dumps lack or show against expectation, and that they say so."""

import re
import subprocess
from pathlib import Path

from lib.cuts import INFLUXSNAP
from lib.dumps import answer
from lib.files import HANG, files_in, sizes_in, wait_until
from lib.influxd import Influxd
from lib.measurements import HOUR, START
from tree.test_dump import DumpTest


class RevivedTest(DumpTest):
    """Points that influxd 1.6 has deleted and that its next start brings back: the dump says so."""

    def dump(self, root, *words):
        done = subprocess.run([INFLUXSNAP, "-c", root, "dump", "--no-ddl", *words], capture_output=True, timeout=HANG)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, done.stderr.decode()

    def test_segment_that_was_kept(self):
        root = self.folder / "store"
        with Influxd(root) as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.write([f"m v=1 {START}", f"m v=2 {START + 1}", f"n v=2 {START}"], "db")
        with Influxd(root, cache_snapshot_write_cold_duration="1s") as influxd:
            tsm = lambda: [path for path in files_in(root / "data") if path.endswith(".tsm")]
            wait_until(tsm, 60, "the cache to be written")
            self.assertNotIn("warning", self.dump(root, "db")[1])
            influxd.run("DROP MEASUREMENT m", "db")
            text, said = self.dump(root, "db", "autogen", "m")
            kept = any(sizes_in(root / "wal"))
            self.assertEqual(answer(influxd, "csv", "db", "autogen", "m"), b"")
        self.assertTrue(kept, "this influxd keeps the segment")
        self.assertEqual(text, f"m v=1 {START}\nm v=2 {START + 1}\n".encode())
        self.assertIn("warning: db/autogen/1: values in the WAL that tombstones of the same shard cover: 2;", said)
        with Influxd(root) as influxd:
            self.assertEqual(answer(influxd, "csv", "db", "autogen", "m"), self.dump(root, "--format=csv", "db", "autogen", "m")[0])

    def test_other_deletes(self):
        """Written again after the delete, or deleted from the WAL: as it should be, and nothing is said."""
        root = self.folder / "store"
        with Influxd(root, cache_snapshot_write_cold_duration="1s") as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.write([f"m v=1 {START}", f"n v=2 {START}"], "db")
            wait_until(lambda: not any(sizes_in(root / "wal")), 60, "the cache to be written")
        with Influxd(root) as influxd:
            influxd.write([f"n v=3 {START}"], "db")
            influxd.run("DROP MEASUREMENT m", "db")
            influxd.run("DROP MEASUREMENT n", "db")
            influxd.write([f"m v=1 {START}"], "db")
            for form in ("csv", "json"):
                self.compare(influxd, root, form, "db", "autogen", "m")
            self.assertNotIn("warning", self.dump(root, "db")[1])


class OmittedTest(DumpTest):
    """What influxd does not show of a database is said of its dumps."""

    def test_set_aside(self):
        root = self.folder / "store"
        with Influxd(root, cache_snapshot_write_cold_duration="1s") as influxd:
            for db in ("db", "other"):
                influxd.run(f"CREATE DATABASE {db}")
                influxd.write([f"m v=1 {START}"], db)
            tsm = lambda: [Path(path) for path in files_in(root / "data/db") if path.endswith(".tsm")]
            wait_until(tsm, 60, "the cache to be written")
        path = tsm()[0]
        path.rename(path.with_suffix(".tsm.bad"))
        for words, code in ((("db",), 6), (("db", "autogen"), 6), (("db", "autogen", "m"), 6), (("other",), 0)):
            done = subprocess.run([INFLUXSNAP, "-c", root, "dump", *words], capture_output=True, text=True, timeout=HANG)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(f"data/db/autogen/1/{path.name}.bad: left out, " in done.stderr, code == 6)


class SkipDamagedTest(DumpTest):
    """Everything else is given, and what is missing is named."""
    DAY = 24 * HOUR

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        with Influxd(self.store, cache_snapshot_write_cold_duration="1s") as influxd:
            influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d NAME "rp"')
            for day in range(3):
                influxd.write([f"{m},h=a v={n}i,w={n} {START + day * self.DAY + n * 10**9}" for n in range(3000)
                               for m in ("m", "o")], "db")
            wait_until(lambda: len(self.files(".tsm")) == 3 and not any(sizes_in(self.store / "wal")), 60,
                       "the caches to be written")
        self.whole = self.lines("m")
        self.assertEqual(len(self.whole), 9000)

    def files(self, suffix):
        return sorted(Path(name) for name in files_in(self.store / "data", self.store / "wal") if name.endswith(suffix))

    def run_dump(self, *words):
        done = subprocess.run([INFLUXSNAP, "-c", self.store, "dump", "--no-ddl", *words], capture_output=True, timeout=HANG)
        self.said = done.stderr.decode(errors="replace")
        self.missing = [row for row in self.said.splitlines() if "left out" in row]
        return done.returncode, done.stdout

    def lines(self, measurement, code=0):
        """{(series, time): fields}"""
        got, text = self.run_dump("--skip-damaged", "db", "rp", measurement)
        self.assertEqual(got, code, self.said)
        rows = (row.split(b" ") for row in text.splitlines())
        return {(series, int(when)): fields for series, fields, when in rows}

    def damage(self, path, change):
        data = bytearray(path.read_bytes())
        path.write_bytes(change(data))
        code, _ = self.run_dump("db", "rp", "m")
        self.assertEqual(code, 1)  # as ever without the option
        self.assertRegex(self.said, rf"{path.name}.*damaged")
        self.assertEqual(self.missing, [])

    def test_block(self):
        """Only its values: the other field of the same points is there."""
        path = self.files(".tsm")[1]
        def flip(data):
            data[100] ^= 1
            return data
        self.damage(path, flip)
        got = self.lines("m", 6)
        self.assertEqual(len(got), 9000)
        changed = [point for point in got if got[point] != self.whole[point]]
        self.assertEqual(len(changed), 1000)
        self.assertEqual(len(self.missing), 1, self.said)
        lost = re.search("#!~#([vw]),", self.missing[0])[1].encode()
        for point in changed:
            self.assertEqual(got[point], b",".join(part for part in self.whole[point].split(b",") if part[:1] != lost))
        self.assertRegex(self.missing[0], rf"data/db/rp/\d+/{path.name}: damaged at byte \d+: .*left out: this block, key m,h=a#!~#., "
                         r"from 2016-06-12T00:00:00Z to 2016-06-12T00:16:39Z")
        self.assertEqual(self.lines("o"), {(series.replace(b"m", b"o"), when): fields
                                           for (series, when), fields in self.whole.items()})
        code, text = self.run_dump("--skip-damaged", "db")
        self.assertEqual((code, len(text.splitlines()), len(self.missing)), (6, 18_003, 1), self.said)

    def check_file(self, change):
        path = self.files(".tsm")[1]
        self.damage(path, change)
        for words in (("db", "rp", "m"), ("db", "rp"), ("db",)):
            code, text = self.run_dump("--skip-damaged", *words)
            self.assertEqual(code, 6, self.said)
            self.assertEqual(sum(row.startswith(b"m,") for row in text.splitlines()), 6000)
            self.assertEqual(len(self.missing), 1, self.said)
            self.assertRegex(self.missing[0], rf"left out: what of file data/db/rp/\d+/{path.name} cannot be read, "
                             r"from 2016-06-12T00:00:00Z to 2016-06-12T23:59:59.999999999Z")
        for form in ("json", "csv"):
            code, text = self.run_dump("--skip-damaged", f"--format={form}", "db", "rp", "m")
            self.assertEqual((code, len(self.missing)), (6, 1), self.said)

    def test_nothing_left(self):
        self.check_file(lambda data: b"")

    def test_no_header(self):
        self.check_file(lambda data: b"\0" + data[1:])

    def test_cut_off(self):
        self.check_file(lambda data: data[:len(data) // 2])

    def test_index(self):
        def first_key(data):
            data[int.from_bytes(data[-8:], "big")] ^= 0x40
            return data
        self.check_file(first_key)

    def test_tombstone(self):
        """Nobody knows which of the file's points are deleted: none is shown."""
        path = self.files(".tsm")[1]
        path.with_suffix(".tombstone").write_bytes(b"\x00\x00\x15\x03 this is not gzip")
        self.assertEqual(len(self.lines("m", 6)), 6000)
        self.assertEqual(len(self.missing), 1)
        self.assertRegex(self.missing[0], rf"{path.stem}.tombstone: damaged.*left out: what of file .*{path.name}")
