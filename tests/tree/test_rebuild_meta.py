"""influxsnap rebuild-meta: a store whose meta.db is lost, damaged or too old, and influxd on what is made."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

from lib import fixtures
from lib.case import StoreTest
from lib.cutoff import killing
from lib.cuts import INFLUXSNAP
from lib.dumps import answer
from lib.files import HANG, run, wait_until
from lib.influxd import Influxd
from lib.measurements import HOUR, START

DAY = 24 * HOUR
ROOT = os.geteuid() == 0
SLOW = Path(INFLUXSNAP).parent / "tests/preload_slow.so"


class RebuildMetaTest(StoreTest):
    timeout = 240

    def rebuild(self, store, *words, code=0):
        done = subprocess.run([INFLUXSNAP, "-c", store, "rebuild-meta", *words], capture_output=True, text=True,
                              timeout=HANG)
        self.said = done.stderr
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if "--json" in words and code in (0, 6) else done.stdout

    def fixture(self, name):
        """Made anew from the folders, it gives every answer that the store's own server gave."""
        store = fixtures.unpack(name, self.folder / "store")
        lost = (store / "meta/meta.db").read_bytes()
        (store / "meta/meta.db").unlink()
        result = self.rebuild(store, "--json")
        self.assertTrue(result["written"])
        self.assertEqual([result["kept"], result["left_out"]], [None, []])
        self.assertIn("guessed: sensu_db/four_weeks: kept for ever; shard duration 1h", self.said)
        self.assertNotEqual((store / "meta/meta.db").read_bytes(), lost)
        with Influxd(store, index=fixtures.index_of(name)) as influxd:
            for policy in ("autogen",):     # it had no shard
                influxd.run(f"CREATE RETENTION POLICY {policy} ON sensu_db DURATION INF REPLICATION 1")
            fixtures.check_answers(name, influxd)

    def answers(self, influxd, policies, measurement="m"):
        return {rp: answer(influxd, "json", "db", rp, measurement) for rp in policies}

    def test_changed_shard_durations(self):
        """Shards of several lengths; influxd then writes between them, and after a restart, as before."""
        root = self.folder / "store"
        with Influxd(root) as influxd:
            influxd.run("CREATE DATABASE db WITH DURATION INF SHARD DURATION 7d NAME rp")
            for length, at in (("7d", 0), ("1d", 30 * DAY), ("1h", 60 * DAY), ("1d", 61 * DAY), ("52w", 600 * DAY)):
                influxd.run(f"ALTER RETENTION POLICY rp ON db SHARD DURATION {length}")
                influxd.write([f"m,t=a v={i} {START + at + i * 7 * HOUR}" for i in range(20)], "db", "rp")
            influxd.write([f"m,t=b v=1 {time}" for time in (-9223372036854775806, -1, 0, 1, 9223372036854775806)], "db", "rp")
            wanted = self.answers(influxd, ["rp"])
            influxd.kill()
        (root / "meta/meta.db").unlink()
        self.rebuild(root, "--shard-duration", "db/rp=1d")
        with Influxd(root) as influxd:
            self.assertEqual(self.answers(influxd, ["rp"]), wanted)
            rule = influxd.run("SHOW RETENTION POLICIES ON db")[0]["values"][0]
            self.assertEqual(rule, ["rp", "0s", "24h0m0s", 1, True])
            influxd.write([f"m,t=c v=2 {START + i * 5 * DAY + HOUR}" for i in range(150)], "db", "rp")
            wanted = self.answers(influxd, ["rp"])
            influxd.restart()
            self.assertEqual(self.answers(influxd, ["rp"]), wanted)

    def test_older_meta(self):
        """What it knows stays, users and queries included; what was made since is added."""
        root = self.folder / "store"
        with Influxd(root) as influxd:
            influxd.run("CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d NAME rp")
            influxd.run("CREATE USER root WITH PASSWORD 'x' WITH ALL PRIVILEGES")
            influxd.run("CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(v) INTO m2 FROM m GROUP BY time(5m) END")
            influxd.write([f"m v=1 {START}"], "db", "rp")
            old = (root / "meta/meta.db").read_bytes()
            influxd.run("CREATE RETENTION POLICY later ON db DURATION INF REPLICATION 1 SHARD DURATION 1h")
            influxd.run("CREATE DATABASE other")
            influxd.write([f"m v={i} {START + i * 10 * HOUR}" for i in range(10)], "db", "rp")
            influxd.write([f"m v={i} {START + i * HOUR}" for i in range(10)], "db", "later")
            influxd.write([f"m v=3 {START}"], "other")
            wanted = self.answers(influxd, ["rp", "later"])
            influxd.kill()
        meta = root / "meta/meta.db"
        meta.write_bytes(old)
        meta.chmod(0o640)
        if ROOT:
            os.chown(meta, 1234, 1235)
        result = self.rebuild(root, "--json")
        self.assertEqual([result["databases"], result["kept"]], [2, str(root / "meta/meta.db.before-rebuild")])
        self.assertEqual((root / "meta/meta.db.before-rebuild").read_bytes(), old)
        self.assertEqual(stat.S_IMODE(meta.stat().st_mode), 0o640)
        if ROOT:
            self.assertEqual((meta.stat().st_uid, meta.stat().st_gid), (1234, 1235))
        with Influxd(root) as influxd:
            self.assertEqual(self.answers(influxd, ["rp", "later"]), wanted)
            self.assertEqual(influxd.run("SHOW USERS")[0]["values"], [["root", True]])
            self.assertEqual(len(influxd.run("SHOW CONTINUOUS QUERIES")[0]["values"]), 1)
            self.assertEqual(influxd.run('SELECT v FROM "other".."m"')[0]["values"][0][1], 3)
            influxd.kill()
        # What anew would lose is named.
        lost = self.rebuild(root, "--json", "--dry-run", "--replace")["warnings"]
        self.assertIn("1 user, 1 continuous query and 0 subscriptions of the old meta.db are not in the new one", lost)
        # Nothing is left to do: not a byte changes.
        before = meta.read_bytes()
        self.assertIn("knows every shard", self.rebuild(root))
        self.assertEqual(meta.read_bytes(), before)

    def some_store(self):
        root = self.folder / "store"
        with Influxd(root) as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.write([f"m v={i} {START + i * DAY}" for i in range(30)], "db")
            influxd.kill()
        return root

    def test_refused(self):
        """While influxd runs; over a damaged meta.db unless told; without a store or shards."""
        root = self.some_store()
        meta = root / "meta/meta.db"
        good = meta.read_bytes()
        with Influxd(root):
            (root / "meta/meta.db").unlink()
            self.rebuild(root, code=3)
            self.assertFalse(meta.exists())
        meta.write_bytes(good[:-1])
        self.rebuild(root, code=1)
        self.assertIn("meta.db: damaged", self.said)
        self.assertIn("--replace", self.said)
        self.rebuild(root, "--duration", "nonsense", code=2)
        self.rebuild(root, "--duration", "db/none=3d", "--replace", code=1)
        self.assertIn("there is no policy db/none", self.said)
        self.assertEqual(meta.read_bytes(), good[:-1])
        self.rebuild(root, "--replace", "--dry-run")
        self.assertEqual(meta.read_bytes(), good[:-1])
        self.rebuild(root, "--replace")
        self.assertEqual((root / "meta/meta.db.before-rebuild").read_bytes(), good[:-1])
        made = meta.read_bytes()
        os.link(root / "meta/meta.db.before-rebuild", root / "meta/meta.db.rebuilt")  # as a killed run may leave it
        self.rebuild(root, "--replace")
        self.assertEqual((root / "meta/meta.db.before-rebuild").read_bytes(), good[:-1])
        self.assertEqual((root / "meta/meta.db.before-rebuild-2").read_bytes(), made)
        self.assertEqual(sorted(os.listdir(root / "meta")), ["meta.db", "meta.db.before-rebuild", "meta.db.before-rebuild-2"])
        shutil.rmtree(root / "data/db")
        shutil.rmtree(root / "wal/db")
        meta.unlink()
        self.rebuild(root, code=1)
        self.assertIn("no shard with a point", self.said)

    def has_open(self, process, ending):
        try:
            return any(os.readlink(fd).endswith(ending) for fd in Path(f"/proc/{process.pid}/fd").iterdir())
        except FileNotFoundError:
            return False    # it was closed just now

    def test_changed_meanwhile(self):
        """A meta.db that has come since it was looked for stays."""
        root = self.some_store()
        meta = root / "meta/meta.db"
        good = meta.read_bytes()
        meta.unlink()
        switch = self.folder / "milliseconds"
        switch.write_text("1000")
        process = subprocess.Popen([INFLUXSNAP, "-c", root, "rebuild-meta"], stderr=subprocess.PIPE, text=True, env=os.environ |
                                   {"LD_PRELOAD": str(SLOW), "SLOW_ROOT": str(root / "wal"), "SLOW_SWITCH": str(switch)})
        wait_until(lambda: self.has_open(process, ".wal"), HANG, "the WAL to be read")
        meta.write_bytes(good)
        switch.unlink()
        said = process.communicate(timeout=HANG)[1]
        self.assertEqual(process.returncode, 1, said)
        self.assertIn("meta.db was changed meanwhile; try again", said)
        self.assertEqual([os.listdir(root / "meta"), meta.read_bytes()], [["meta.db"], good])

    def test_killed(self):
        """At each step: meta.db is the old one or the new one, and the next run finishes the work."""
        root = self.some_store()
        meta = root / "meta/meta.db"
        old = meta.read_bytes()
        with Influxd(root) as influxd:
            wanted = self.answers(influxd, ["autogen"])
            influxd.run("CREATE DATABASE later")
            influxd.write([f"m v=1 {START}"], "later")
            influxd.kill()
        at, ended = 0, False
        while not ended:
            at += 1
            for path in (root / "meta").iterdir():
                path.unlink()
            meta.write_bytes(old)
            done = subprocess.run([INFLUXSNAP, "-c", root, "rebuild-meta"], capture_output=True, timeout=HANG,
                                  env=os.environ | killing(root / "meta", at, self.folder / "count"))
            ended = done.returncode == 0
            self.assertTrue(meta.read_bytes() == old or b"later" in meta.read_bytes(), f"at step {at}")
            if b"later" in meta.read_bytes():
                self.assertEqual((root / "meta/meta.db.before-rebuild").read_bytes(), old)
            self.rebuild(root)
            self.assertIn(b"later", meta.read_bytes())
            self.assertNotIn("meta.db.rebuilt", os.listdir(root / "meta"))
        self.assertGreater(at, 5)
        with Influxd(root) as influxd:
            self.assertEqual(self.answers(influxd, ["autogen"]), wanted)
            self.assertEqual(influxd.run("SELECT v FROM m", "later")[0]["values"][0][1], 1)

    def test_odd_folders(self):
        """WAL that lost its data folder is served again; ids that stand twice and damage are named."""
        root = self.some_store()
        with Influxd(root) as influxd:
            wanted = self.answers(influxd, ["autogen"])
            influxd.kill()
        ids = sorted(int(path.name) for path in (root / "data/db/autogen").iterdir())
        only_wal = root / f"data/db/autogen/{ids[0]}"
        shutil.rmtree(only_wal)
        (root / "meta/meta.db").unlink()
        (root / f"data/db/autogen/0{ids[1]}").mkdir()
        shutil.copytree(root / f"wal/db/autogen/{ids[2]}", root / f"wal/other/rp/{ids[2]}")
        shutil.copytree(root / f"data/db/autogen/{ids[2]}", root / f"data/other/rp/{ids[2]}")
        bad = root / "data/db/autogen/900"
        bad.mkdir()
        (bad / "000000001-000000001.tsm").write_bytes(b"damaged")
        (root / "data/lost+found").mkdir()
        (root / "data/.influxfs").mkdir()
        result = self.rebuild(root, "--json", code=6)
        said = "\n".join(result["left_out"])
        for words in (f"autogen/0{ids[1]}: influxd serves it as shard", f"left out: other/rp/{ids[2]}: another shard has this id",
                      "900/000000001-000000001.tsm"):
            self.assertIn(words, said)
        self.assertEqual(len(result["left_out"]), 3)
        self.assertIn(f"{only_wal}: made, since only its WAL is there", self.said)
        for path in (root / f"data/db/autogen/0{ids[1]}", bad, root / "data/other", root / "wal/other"):
            shutil.rmtree(path)
        with Influxd(root) as influxd:
            self.assertEqual(self.answers(influxd, ["autogen"]), wanted)

    def test_index_without_series_file(self):
        """influxd would show nothing of such a shard; it is named, and what to do helps."""
        root = self.folder / "store"
        with Influxd(root, index="tsi1") as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.write([f"m v={i} {START + i * DAY}" for i in range(30)], "db")
            wanted = self.answers(influxd, ["autogen"])
            influxd.kill()
        (root / "meta/meta.db").unlink()
        shutil.rmtree(root / "data/db/_series")
        result = self.rebuild(root, "--json", code=6)
        self.assertIn("is of a series file that is not there", result["left_out"][0])
        for index in root.glob("data/db/autogen/*/index"):
            shutil.rmtree(index)
            index.mkdir()
            (index.parent / "fields.idx").unlink(missing_ok=True)
        with Influxd(root, index="tsi1") as influxd:
            self.assertEqual(self.answers(influxd, ["autogen"]), wanted)

    def test_a_point_is_kept(self):
        """Old points stay although retention runs, unless a duration is asked for, with a warning."""
        root = self.some_store()
        (root / "meta/meta.db").unlink()
        self.rebuild(root, "--duration", "30d")
        self.assertRegex(self.said, r"warning: \d+ shards of db/autogen ended more than 30d ago")
        self.rebuild(root, "--replace")
        self.assertNotIn("warning", self.said)
        with Influxd(root, retention=True) as influxd:
            run("sleep", "3")
            self.assertEqual(influxd.run("SELECT count(v) FROM m", "db")[0]["values"][0][1], 30)

    def test_captured_and_restored(self):
        """The store that was made can be backed up."""
        root = self.some_store()
        (root / "meta/meta.db").unlink()
        self.rebuild(root)
        run(INFLUXSNAP, "-c", root, "backup", self.folder / "s.tar")
        run(INFLUXSNAP, "verify", self.folder / "s.tar")


def add_test(name):
    method = "test_fixture_" + name.replace(".", "_").replace("-", "_")
    setattr(RebuildMetaTest, method, lambda self: self.fixture(name))


for fixture in ("1.6.7-tsi1", "1.8.10-inmem", "1.12.4-tsi1"):
    add_test(fixture)
