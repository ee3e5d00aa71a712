"""Names that line protocol cannot express: said, and nothing else lost; never another point."""

import errno
import json
import os
import subprocess

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumptree import path
from lib.files import HANG
from lib.influxd import InfluxError
from lib.measurements import START
from lib.oddnames import OddPoints, answers, decoded, line, shown
from tree.test_dump import COUNT, FIRST

SEEDS = range(FIRST, FIRST + COUNT)
POINTS = 250
DOUBTED = 12  # refusals of a seed that are tried


class NamesTest(StoreTest):
    timeout = 300 + 120 * COUNT

    def dump(self, store, *words):
        """Exit code, text and what was said."""
        done = subprocess.run([INFLUXSNAP, "-c", store, "dump", "--no-ddl", *words], capture_output=True, timeout=HANG)
        self.assertIn(done.returncode, (0, 6), done.stderr)
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")


class RandomNamesTest(NamesTest):

    def test_seeds(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                self.check(seed)

    def check(self, seed):
        odd = OddPoints(seed, POINTS)
        store = odd.store(self.folder / f"store-{seed}")
        code, text, said = self.dump(store, "db", "rp")
        self.assertEqual(code, 6)
        influxd = self.influxd(self.folder / f"fresh-{seed}")
        influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d NAME "rp"')
        influxd.write(text, "db")  # all of it is accepted
        got, doubts = answers(influxd), 0
        wanted = {(*decoded(key), field, when): text for key, fields, when in odd.points for field, text in fields.items()}
        self.assertEqual({point: got[point] for point in got if wanted.get(point) != got[point]}, {}, "invented")
        self.assertGreater(len(got), POINTS // 4)
        for key, fields, when in odd.points:
            for field, value in fields.items():
                if (*decoded(key), field, when) in got:
                    continue
                self.assertTrue(f"left out: the field {shown(field)}," in said or f"the series {shown(key)}," in said or
                                f"db/rp/{shown(decoded(key)[0])}: left out: the measurement," in said, (key, field, said))
                if doubts < DOUBTED and "\n" not in key + field:
                    doubts += 1
                    self.check_refusal(influxd, key, field, value, when)
        influxd.kill()

    def check_refusal(self, influxd, key, field, value, when):
        """No line would have said it."""
        influxd.run('CREATE DATABASE doubt WITH DURATION INF SHARD DURATION 1d NAME "rp"')
        try:
            influxd.write(line(key, {field: value}, when) + b"\nm v=1 1", "doubt")
        except InfluxError:
            pass  # as it may
        self.assertNotEqual(answers(influxd, "doubt").get((*decoded(key), field, when)), value, (key, field))
        influxd.run("DROP DATABASE doubt")


class NamesOfInfluxdTest(NamesTest):
    """Names that influxd itself has made, by SELECT INTO."""

    def setUp(self):
        super().setUp()
        self.influx = self.influxd(self.folder / "store")
        self.influx.run("CREATE DATABASE db")
        self.influx.write([f"m,t={n} v={n},w=2 {START + n}" for n in range(3)], "db")
        self.influx.run('SELECT v INTO "#x" FROM m GROUP BY *', "db")
        self.influx.run('SELECT v INTO "a\\nb" FROM m GROUP BY *', "db")
        self.influx.run('SELECT v AS "f\\nq", w INTO fields FROM m GROUP BY *', "db")

    def test_command(self):
        code, text, said = self.dump(self.influx.root, "db", "autogen")
        self.assertEqual(code, 6)
        for words in ("#x: left out: the measurement, 3 points: its line would be a comment",
                      "a%0Ab: left out: the measurement, 3 points: line protocol cannot express a newline",
                      "fields: left out: the field f%0Aq, 3 values: line protocol cannot express a newline"):
            self.assertEqual(said.count(words), 1, said)
        points = [row for row in text.decode().splitlines() if not row.startswith("# ")]
        self.assertEqual(points, [f"fields,t={n} w=2 {START + n}" for n in range(3)] +
                         [f"m,t={n} v={n},w=2 {START + n}" for n in range(3)])
        self.assertEqual(self.dump(self.influx.root, "db", "autogen", "m")[0], 0)
        for form in ("json", "csv"):
            self.assertEqual(self.dump(self.influx.root, f"--format={form}", "db")[0], 0)

    def test_mount(self):
        mnt = self.mount(self.influx.root)
        for name, why in (("#x", "the series #x,t=0: its line would be a comment"),
                          ("a\nb", "newline"), ("fields", "the field f%0Aq")):
            for form in ("json", "csv"):
                self.assertGreater(os.stat(path(mnt, form, "db", "autogen", name, START, START + 10)).st_size, 0)
            with self.assertRaises(OSError) as caught:
                os.stat(path(mnt, "lp", "db", "autogen", name, START, START + 10))
            self.assertEqual(caught.exception.errno, errno.EIO)
            error = json.loads((mnt / "status.json").read_text())["last_error"]
            self.assertIn(why, json.dumps(error))
        self.assertGreater(os.stat(path(mnt, "lp", "db", "autogen", "m", START, START + 10)).st_size, 0)
        self.assertEqual(os.stat(path(mnt, "lp", "db", "autogen", "#x", 0, 10)).st_size, 0)
