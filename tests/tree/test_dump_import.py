"""A whole database as line protocol, and an empty server made of it."""

import json
import subprocess
import time

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumps import answer
from lib.files import HANG
from lib.importing import import_text
from lib.measurements import HOUR, START

WEEK = 7 * 24 * HOUR


class ImportTest(StoreTest):
    timeout = 300

    def dump(self, influxd, *words, code=0):
        done = subprocess.run([INFLUXSNAP, "-c", influxd.root, "dump", *words], capture_output=True, timeout=HANG)
        self.assertEqual(done.returncode, code, done.stderr)
        self.said = done.stderr.decode()
        return done.stdout.decode(errors="surrogateescape")

    def test_policies_and_types(self):
        """Odd names and durations, a default policy that is not the first, a field that changes its type."""
        old = self.influxd(self.folder / "old")
        db, odd = 'my "db" x', 'rp "q"'
        quoted = json.dumps(db)
        old.run(f"CREATE DATABASE {quoted} WITH DURATION 90m SHARD DURATION 1h NAME {json.dumps(odd)}")
        for rule in ("long ON DB DURATION 100d REPLICATION 3 SHARD DURATION 1h", "ever ON DB DURATION INF REPLICATION 1 SHARD "
                     "DURATION 36h", "main ON DB DURATION INF REPLICATION 1 SHARD DURATION 1h DEFAULT",
                     "fine ON DB DURATION 3600000000001ns REPLICATION 1 SHARD DURATION 1h"):
            old.run("CREATE RETENTION POLICY " + rule.replace("DB", quoted))
        now = time.time_ns()
        for rp in ("ever", "main"):
            old.write([f"m,h=a v=1.5,ok=0 {START}", f"m,h=a v=7i,ok=1 {START + HOUR * 40}", f'm,h=a v="s",ok=2 {START + HOUR * 80}'],
                      db, rp)
        old.write([f"n v=1 {now}"], db, odd)
        text = self.dump(old, db)
        self.assertEqual(self.said.count("several types"), 2)
        self.assertIn("main/m: the field v has several types (", self.said)
        new = self.influxd(self.folder / "new")
        import_text(new, text)
        policies = [one.run(f"SHOW RETENTION POLICIES ON {quoted}")[0] for one in (old, new)]
        self.assertEqual(sorted(policies[0]["values"]), sorted(policies[1]["values"]))
        for rp, measurement in (("ever", "m"), ("main", "m"), (odd, "n")):
            wanted = answer(old, "json", db, rp, measurement)
            self.assertIn(b"values", wanted)
            self.assertEqual(answer(new, "json", db, rp, measurement), wanted)
        self.dump(old, db, "main", "m")
        self.assertEqual(self.said.count("several types"), 1)

    def test_points_beyond_the_duration(self):
        old = self.influxd(self.folder / "old")
        old.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"')
        old.write([f"m v=1 {START}", f"m v=2 {time.time_ns()}"], "db")
        old.run("ALTER RETENTION POLICY rp ON db DURATION 30d")
        self.assertIn("DURATION 30d REPLICATION 1 SHARD DURATION 1h", self.dump(old, "db"))
        self.assertIn("db/rp: points of 1 shards are older than the 30d", self.said)
        old.run("ALTER RETENTION POLICY rp ON db DURATION INF")
        self.dump(old, "db")
        self.assertNotIn("older", self.said)
