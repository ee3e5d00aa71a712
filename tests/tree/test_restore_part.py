"""A part of a snapshot is restored, and all else of the store stays byte for byte as it is."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, snap, snap_code
from lib.files import HANG, run, wait_until
from lib.influxd import CONFIG, Influxd
from lib.metaparts import MetaParts
from lib.trees import difference, litter, store_tree, tree

HOUR = 3600 * 10**9
NOON = 1465646400 * 10**9  # 2016-06-11T12:00:00Z
QUERY = "CREATE CONTINUOUS QUERY {} ON {} BEGIN SELECT mean(v) INTO {} FROM {} GROUP BY time(1h) END"


class PartTest(StoreTest):
    """self.source has what is restored into self.store: databases foo and other, with users."""

    flushed = False

    def setUp(self):
        super().setUp()
        self.index = "inmem" if "inmem" in self.id() else "tsi1"
        self.source = self.make(self.folder / "source", self.fill_source)
        self.tar = self.folder / "full.tar"
        snap(self.source, "backup", self.tar)
        self.store = self.make(self.folder / "store", self.fill_store)

    def make(self, root, fill):
        """All of it in the WAL; or first some of it flushed."""
        if self.flushed:
            with Influxd(root, self.index, cache_snapshot_memory_size=1,
                         cache_snapshot_write_cold_duration="1s") as influxd:
                fill(influxd, 0)
                wait_until(lambda: len(list(root.glob("data/*/*/*/*.tsm"))) >= 4, 60, "a flush")
        with Influxd(root, self.index) as influxd:
            fill(influxd, 1)
            influxd.stop()
        return root

    def database(self, influxd, name, policy="hours", value=0, shards=2):
        influxd.run(f'CREATE DATABASE "{name}" WITH DURATION INF SHARD DURATION 1h NAME "{policy}"')
        influxd.write([f"m,host=h{n} v={value + n} {NOON + n * HOUR + value}" for n in range(shards)], name)

    def fill_source(self, influxd, step):
        self.database(influxd, "other", value=10 + step)
        self.database(influxd, "foo", value=20 + step, shards=3)
        if step:
            influxd.run("DELETE FROM m WHERE host='h2'", "foo")
            influxd.run("CREATE RETENTION POLICY days ON foo DURATION INF REPLICATION 1 SHARD DURATION 1d")
            influxd.write([f"m v=5 {NOON}"], "foo", "days")
            influxd.run(QUERY.format("own", "foo", "foo.hours.mean", "foo.hours.m"))
            influxd.run(QUERY.format("out", "foo", "other.hours.mean", "foo.hours.m"))
            influxd.run("CREATE SUBSCRIPTION sub ON foo.hours DESTINATIONS ALL 'udp://127.0.0.1:9'")
            for user in ("anna", "bert"):
                influxd.run(f"CREATE USER {user} WITH PASSWORD 'there'")
                influxd.run(f"GRANT READ ON foo TO {user}")

    def fill_store(self, influxd, step):
        for n, name in enumerate(("first", "foo", "y z", "ü.d", "other")):
            self.database(influxd, name, value=100 * n + step)
        if step:
            influxd.run("CREATE RETENTION POLICY old ON foo DURATION INF REPLICATION 1 DEFAULT")
            influxd.write([f"gone v=1 {NOON}"], "foo")
            influxd.run(QUERY.format("q", "first", "first.hours.mean", "first.hours.m"))
            for user in ("bert", "carl"):
                influxd.run(f"CREATE USER {user} WITH PASSWORD 'here'")
                influxd.run(f"GRANT ALL ON foo TO {user}")

    def restore(self, *words, store=None):
        """What it says as JSON."""
        done = subprocess.run([INFLUXSNAP, "-c", store or self.store, "restore", "-q", "--json", *words], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=HANG)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def answers(self, root, names):
        """What each of these databases answers, whatever its shards are called."""
        with Influxd(root, self.index) as influxd:
            found = {}
            for name in names:
                policies = [row[0] for row in influxd.run(f'SHOW RETENTION POLICIES ON "{name}"')[0]["values"]]
                found[name] = {policy: influxd.run(f'SELECT * FROM "{policy}"./.*/', name) for policy in policies}
                found[name]["fields"] = influxd.run("SHOW FIELD KEYS", name)
                found[name]["series"] = influxd.run("SHOW SERIES", name)
            influxd.stop()
        return found

    def others(self, found, *changed):
        """The entries of a tree that are not of these databases, nor of meta.db."""
        return {name: what for name, what in found.items()
                if name != "meta/meta.db" and not any(f"{name}/".startswith((f"data/{db}/", f"wal/{db}/")) for db in changed)}

    def check_others(self, before, meta, *changed):
        """The store's other files, and other parts of meta.db, are byte for byte as they were."""
        was, now = self.others(before, *changed), self.others(store_tree(self.store), *changed)
        self.assertTrue(was == now, difference(was, now))
        after = MetaParts(self.store)
        for parts in (meta, after):
            for name in changed:
                parts.databases.pop(name, None)
        self.assertEqual(meta.databases, after.databases)
        self.assertEqual(meta.users, after.users)
        self.assertEqual(meta.rest, after.rest)
        self.assertEqual(litter(self.store), [])


class FlushedTest(PartTest):
    """With TSM files, tombstones and a WAL over them, and indexes of both kinds."""

    flushed = True

    def check_replaced(self):
        before, meta, theirs = store_tree(self.store), MetaParts(self.store), MetaParts(self.source)
        wanted = self.answers(self.copy(self.store), ("first", "y z", "ü.d", "other")) | self.answers(
            self.copy(self.source), ("foo",))
        done = self.restore("--database=foo", self.tar)
        self.assertEqual(done["databases"], [{"database": "foo", "from": "foo", "how": "replaced", "shards": 4,
                                              "renumbered": 4 - len(set(theirs.shards("foo")) & set(
                                                  MetaParts(self.store).shards("foo")))}])
        self.assertEqual((done["users"], done["continuous_queries"], done["subscriptions"]), (0, 2, 1))
        self.assertEqual(["anna (read)" in line for line in done["warnings"]], [True])
        self.assertTrue(set(MetaParts(self.store).shards("foo")).isdisjoint(
            number for name in meta.databases if name != "foo" for number in meta.shards(name)))
        kept = {f"{name.partition('.')[0]}/{below}": what for name in os.listdir(self.store) if "before-restore" in name
                for below, what in tree(self.store / name).items()}
        self.assertTrue(before == kept, difference(before, kept))
        self.check_others(before, meta, "foo")
        self.assertEqual(self.answers(self.store, wanted), wanted)
        with Influxd(self.store, self.index) as influxd:
            self.assertEqual(sorted(row[0] for row in influxd.run("SHOW USERS")[0]["values"]), ["bert", "carl"])
            self.assertEqual([row[0] for row in influxd.run("SHOW GRANTS FOR carl")[0]["values"]], ["foo"])

    def copy(self, root):
        """To be asked, since influxd writes when it starts."""
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        for folder in ("meta", "data", "wal"):
            shutil.copytree(root / folder, self.folder / "copy" / folder)
        return self.folder / "copy"

    def test_tsi1(self):
        self.check_replaced()

    def test_inmem(self):
        self.check_replaced()


class ReplacedTest(PartTest):
    """One database, or several, in the place of those of their names."""

    def test_its_own_snapshot(self):
        """Of a database alone, from a mount and by the command, into a mount."""
        before, meta = store_tree(self.store), MetaParts(self.store)
        with self.mounted(self.source) as mnt:
            run("cp", mnt / "databases/foo.tar", self.folder / "foo.tar")
        mnt = self.mount(self.store)
        run("cp", self.folder / "foo.tar", mnt / "restore/")
        self.check_others(before, meta, "foo")
        status = json.loads((mnt / "restore/status.json").read_text())
        self.assertEqual([one["database"] for one in status["databases"]], ["foo"])
        log = (mnt / "restore/log").read_text()
        for words in ("anna (read)", "database foo, in the place of what was there: 4 shards"):
            self.assertIn(words, log)
        run("cp", mnt / "snapshots/now.tar", self.folder / "now.tar")
        snap(self.store, "verify", self.folder / "now.tar")

    def test_several(self):
        before, meta = store_tree(self.store), MetaParts(self.store)
        done = self.restore("--database=foo:other", self.tar)
        self.assertEqual({one["database"] for one in done["databases"]}, {"foo", "other"})
        self.check_others(before, meta, "foo", "other")

    def test_missing_here(self):
        with Influxd(self.store, self.index) as influxd:
            influxd.run("DROP DATABASE foo")
            influxd.stop()
        before, meta = store_tree(self.store), MetaParts(self.store)
        self.assertEqual(self.restore("--database=foo", self.tar)["databases"][0]["how"], "made")
        self.check_others(before, meta, "foo")

    def test_a_chain_ends(self):
        """Numbers of the chain that was restored before do not fit any more."""
        base, number = self.folder / "chain.tar", self.folder / "chain.tar.0"
        snap(self.source, "backup", base)
        with Influxd(self.source, self.index) as influxd:
            influxd.write([f"more v=1 {NOON}"], "foo")
            influxd.stop()
        snap(self.source, "backup", base)
        store = self.folder / "whole"
        (store / "meta").mkdir(parents=True)
        first = self.folder / "first.tar"
        shutil.copy(base, first)
        snap(store, "restore", first)
        code, said = snap_code(store, "restore", "-q", number)
        self.assertEqual(code, 0, said)
        snap(store, "restore", first)
        snap(store, "restore", "--database=other", self.tar)
        code, said = snap_code(store, "restore", "-q", number)
        self.assertEqual(code, 5, said)
        self.assertIn("moved on", said)
        # The end of a chain is what a part of it is taken of.
        done = self.restore("--database=foo", base, store=store)
        self.assertEqual(done["databases"][0]["how"], "replaced")
        self.assertIn("more", json.dumps(self.answers(store, ("foo",))))

    def test_influxd_runs(self):
        with Influxd(self.store, self.index):
            code, said = snap_code(self.store, "restore", "--database=foo", self.tar)
            self.assertEqual(code, 3, said)
            with self.mounted(self.store) as mnt:
                self.assertIn("busy", subprocess.run(["cp", self.tar, mnt / "restore/as/new"], check=False,
                                                     capture_output=True, text=True).stderr)

    def test_no_store_yet(self):
        """A database's own snapshot becomes the store; of another one only the database comes."""
        snap(self.source, "backup", "--database=foo", self.folder / "foo.tar")
        for name, words, users in (("a", [self.folder / "foo.tar"], 2), ("b", ["--database=foo", self.tar], 0)):
            store = self.folder / name
            (store / "meta").mkdir(parents=True)
            snap(store, "restore", "-q", *words)
            parts = MetaParts(store)
            self.assertEqual((list(parts.databases), len(parts.users)), (["foo"], users))
            self.assertEqual(self.answers(store, ("foo",)), self.answers(self.source, ("foo",)))

    def test_no_folder_yet(self):
        """An empty folder becomes the store."""
        for n, words in enumerate((["--database=foo"], ["--database=foo", "--as=bar"], ["--merge=ours"], ["--merge=theirs"])):
            store = self.folder / f"new{n}"
            store.mkdir()
            self.restore(*words, self.tar, store=store)
            self.assertIn("bar" if "--as=bar" in words else "foo", MetaParts(store).databases)

    def test_disk_that_is_not_mounted(self):
        """Of a store whose shards are all missing, none may stay."""
        for folder in ("data", "wal"):
            (self.store / folder).rename(self.folder / folder)
        for folders in ((), ("data", "wal")):
            for folder in folders:
                (self.store / folder).mkdir()
            for words in (["--database=foo"], ["--database=foo", "--as=bar"], ["--merge=ours"], ["--database=foo", "--rp=hours"]):
                before = store_tree(self.store)
                for more in ([], ["--dry-run"]):
                    code, said = snap_code(self.store, "restore", "-q", *words, *more, self.tar)
                    self.assertEqual(code, 1, said)
                    self.assertIn("holds none of them: is its disk mounted?", said)
                self.assertEqual(before, store_tree(self.store))
        with Influxd(self.store, self.index) as influxd:
            for name in ("first", '"y z"', '"ü.d"'):
                influxd.run(f"DROP DATABASE {name}")
            influxd.stop()
        for folder in ("data", "wal"):
            shutil.rmtree(self.store / folder)
        self.restore("--database=foo:other", self.tar)
        self.assertEqual(sorted(MetaParts(self.store).databases), ["foo", "other"])

    def test_strangers_files(self):
        """They stay, and are nothing that a later restore must leave behind."""
        shard = next(self.store.glob("data/first/hours/*"))
        (shard / "000000009-000000001.tsm.bad").write_bytes(b"set aside")
        (self.store / "data/first/notes.txt").write_text("mine")
        (self.store / "data/first/deep/er").mkdir(parents=True)
        (self.store / "data/first/deep/er/file").write_text("mine")
        os.symlink("notes.txt", self.store / "data/first/link")
        os.mkfifo(self.store / "data/first/pipe")
        os.symlink(self.folder / "elsewhere", self.store / "wal/dangling")
        os.chmod(self.store / "data/first/deep", 0o750)
        os.setxattr(self.store / "data/first/deep", "user.mine", b"yes")
        before, meta = store_tree(self.store), MetaParts(self.store)
        for _ in range(2):
            self.restore("--database=foo", self.tar)
            self.check_others(before, meta, "foo")
            meta = MetaParts(self.store)
            self.assertEqual(os.getxattr(self.store / "data/first/deep", "user.mine"), b"yes")
        # What is not in the store any more is left behind, also where it has another name elsewhere.
        (self.store / "data/foo/mine.txt").write_text("mine")
        os.link(self.store / "data/foo/mine.txt", self.folder / "mine.txt")
        for _ in range(2):
            self.restore("--database=foo", self.tar)
        self.assertTrue((self.store / "data.left-behind-1/foo/mine.txt").samefile(self.folder / "mine.txt"))


class RenamedTest(PartTest):
    """Beside what is there."""

    def test_names(self):
        before, meta = store_tree(self.store), MetaParts(self.store)
        names = ("bar", "x y", "a.b", "ü", "-rf", "n" * 255)
        for name in names:
            done = self.restore("--database=foo", f"--as={name}", self.tar)
            self.assertEqual(done["databases"][0]["how"], "made")
            self.check_users(meta, name)
            meta = MetaParts(self.store)
        was, now = self.others(before, *names), self.others(store_tree(self.store), *names)
        self.assertTrue(was == now, difference(was, now))
        wanted = self.answers(self.source, ("foo",))["foo"]
        self.assertEqual(self.answers(self.store, names), {name: wanted for name in names})

    def check_users(self, meta, name):
        """bert, who is here, got the grant that he has there; nothing else of them changed."""
        after = MetaParts(self.store)
        self.assertEqual(meta.users["carl"], after.users["carl"])
        self.assertEqual(after.users["bert"].count(name.encode()), 1)
        self.assertTrue(after.users["bert"].startswith(meta.users["bert"]))
        del after.databases[name]
        self.assertEqual(meta.databases, after.databases)

    def test_what_is_said(self):
        done = self.restore("--database=foo", "--as=bar", self.tar)
        said = "\n".join(done["warnings"])
        for words in ("continuous query out of bar is left out", "1 subscription of foo is left out: sub", "anna (read)"):
            self.assertIn(words, said)
        log = (self.store / "influxfs/restore.log").read_text()
        for words in ("database foo as bar", "continuous query own of bar is rewritten", "1 user here got the grants on bar"):
            self.assertIn(words, log)
        with Influxd(self.store, self.index) as influxd:
            queries = {one["name"]: one.get("values", []) for one in influxd.run("SHOW CONTINUOUS QUERIES")}
            self.assertEqual([name for name, _ in queries["bar"]], ["own"])
            self.assertNotIn("foo", queries["bar"][0][1])
            self.assertNotIn("sub", json.dumps(influxd.run("SHOW SUBSCRIPTIONS")))

    def test_after_a_drop(self):
        """influxd takes grants away when it drops a database: only --as gives them again, else they are named."""
        with Influxd(self.store, self.index) as influxd:
            influxd.run("DROP DATABASE foo")
            influxd.stop()
        meta = MetaParts(self.store)
        grant = 'GRANT READ ON "foo" TO "bert"'
        for name, words, given in (("own", [], False), ("merged", ["--merge=ours"], False), ("as", ["--as=foo"], True)):
            with self.subTest(name=name):
                store = Path(shutil.copytree(self.store, self.folder / name))
                done = self.restore("--database=foo", *words, self.tar, store=store)
                self.assertEqual([grant in line for line in done["warnings"] if "grant" in line], [False] if given else [False, True])
                after, log = MetaParts(store), (store / "influxfs/restore.log").read_text()
                self.assertEqual(grant in log, not given)
                self.assertEqual("1 user here got the grants on foo" in log, given)
                self.assertEqual(after.users == meta.users, not given)
                self.assertEqual(b"foo" in after.users["bert"], given)
        with Influxd(self.folder / "own", self.index) as influxd:
            influxd.run(grant)
            self.assertEqual(influxd.run("SHOW GRANTS FOR bert")[0]["values"], [["foo", "READ"]])

    def test_queries_write_into_the_copy(self):
        """Once influxd runs them."""
        self.restore("--database=foo", self.tar)
        self.restore("--database=foo", "--as=bar", self.tar)
        config = CONFIG.format(root=self.store, data=f'  index-version = "{self.index}"').replace(
            "[continuous_queries]\n  enabled = false", '[continuous_queries]\n  enabled = true\n  run-interval = "1s"')
        with Influxd(self.store, config=config) as influxd:
            influxd.run("DROP CONTINUOUS QUERY own ON foo")
            influxd.run("DROP CONTINUOUS QUERY out ON foo")
            text = dict(next(one for one in influxd.run("SHOW CONTINUOUS QUERIES") if one["name"] == "bar")["values"])["own"]
            influxd.run("DROP CONTINUOUS QUERY own ON bar")
            influxd.run(text.replace("time(1h)", "time(1s)").replace(" BEGIN", " RESAMPLE EVERY 1s FOR 1m BEGIN"))
            influxd.write([f"m v=7 {time.time_ns() - 5 * 10**9}"], "bar", "hours")
            wait_until(lambda: influxd.run("SELECT * FROM hours.mean", "bar"), 60, "the query to run")
            self.assertEqual(influxd.run("SELECT * FROM hours.mean", "foo"), [])

    def test_refused(self):
        before = store_tree(self.store)
        for words, code, why in ((["--database=foo", "--as=first"], 1, "there is a database first"),
                                 (["--database=foo", "--as=foo"], 1, "there is a database foo already"),
                                 (["--as=new"], 1, "2 databases"),
                                 (["--database=foo", "--as=_internal"], 2, "_internal"),
                                 (["--database=foo", "--as=.influxfs"], 2, "cannot be a database"),
                                 (["--database=foo", "--as=a/b"], 2, "no name"),
                                 (["--database=foo", "--as=" + "n" * 256], 2, "255 bytes"),
                                 (["--database=foo:other", "--as=new"], 2, "only one"),
                                 (["--database=foo", "--as=a\x01b"], 2, "no control characters"),
                                 (["--database=fo"], 1, "no database fo; it holds: other, foo"),
                                 (["--database=foo", "--rp=x"], 1, "no policy x there; it holds: foo.hours, foo.days"),
                                 (["--exact", "--database=foo"], 2, "need a time"),
                                 (["--shard=77"], 1, "no shard 77"),
                                 (["--from=2017-01-01T00:00:00Z"], 1, "no shard of these times"),
                                 (["--exclude=fo"], 1, "no database fo, which is to be excluded"),
                                 (["--to=2300-01-01T00:00:00Z"], 2, "2262"),
                                 (["--exclude=foo:other"], 1, "it holds: other, foo")):
            with self.subTest(words=words):
                got, said = snap_code(self.store, "restore", "-q", *words, self.tar)
                self.assertEqual(got, code, said)
                self.assertIn(why, said)
        short, junk = self.folder / "short.tar", self.folder / "junk"
        short.write_bytes(self.tar.read_bytes()[:20000])
        junk.write_bytes(b"x" * 1000)
        for path, why in ((short, f"influxsnap: {short}: ends early"), (junk, "not a tar")):
            for words in ([], ["--database=foo"], ["--merge=ours"], ["--as=new"]):
                got, said = snap_code(self.store, "restore", "-q", *words, path)
                self.assertEqual(got, 4, said)
                self.assertIn(why, said)
        self.assertEqual(before, store_tree(self.store))
        self.assertEqual(litter(self.store), [])


class DryRunTest(PartTest):
    """What would be done, without doing it."""

    def test_dry_run(self):
        before = tree(self.store)
        for words in (["--database=foo"], ["--database=foo", "--as=bar"], ["--rp=hours"], ["--to=2016-06-11T13:00:00Z"]):
            foreseen = self.restore("--dry-run", *words, self.tar)
            self.assertFalse(foreseen.pop("restored"))
            self.assertTrue(before == tree(self.store), difference(before, tree(self.store)))
            copy = self.folder / f"copy{len(words[-1])}"
            shutil.copytree(self.store, copy, symlinks=True)
            done = self.restore(*words, self.tar, store=copy)
            for key in ("databases", "warnings", "users", "continuous_queries", "subscriptions"):
                self.assertEqual(foreseen[key], done[key], words)
        self.assertEqual(snap_code(self.store, "restore", "--dry-run", "-q", "--database=foo", "--as=first", self.tar)[0], 1)
        self.assertIn("and put 1 database into",
                      snap_code(self.store, "restore", "--dry-run", "-q", "--database=foo", self.tar)[1])


class SmallerPartTest(PartTest):
    """Policies and shards."""

    def select(self, root, name="foo", policy="hours"):
        with Influxd(root, self.index) as influxd:
            found = influxd.run(f'SELECT v FROM "{policy}".m', name)
            influxd.stop()
        return [row[1] for one in found for row in one["values"]]

    def test_policy(self):
        before, meta = store_tree(self.store), MetaParts(self.store)
        done = self.restore("--database=foo", "--rp=hours", self.tar)
        self.assertEqual(done["databases"][0]["how"], "part")
        self.check_others(before, meta, "foo")
        self.assertEqual(self.select(self.store), self.select(self.source))
        with Influxd(self.store, self.index) as influxd:
            self.assertEqual(len(influxd.run("SELECT * FROM old.gone", "foo")), 1)
            self.assertEqual([row[0] for row in influxd.run("SHOW RETENTION POLICIES ON foo")[0]["values"] if row[4]], ["old"])

    def test_policy_that_is_missing(self):
        self.restore("--database=foo", "--rp=days", self.tar)
        self.assertEqual(self.select(self.store, policy="days"), [5])
        self.assertEqual(self.select(self.store), [101, 102])

    def test_times(self):
        """One hour of each database; the others, and the other hours, stay."""
        was = self.select(self.store)
        self.restore("--database=foo", "--rp=hours", "--from=2016-06-11T13:00:00Z", "--to=2016-06-11T13:30:00Z", self.tar)
        theirs = self.select(self.source)
        self.assertEqual(self.select(self.store), [was[0], theirs[1]])

    def test_shard_by_its_number(self):
        number = MetaParts(self.source).shards("foo")[0]
        before, meta = store_tree(self.store), MetaParts(self.store)
        done = self.restore(f"--shard={number}", self.tar)
        self.assertEqual([(one["database"], one["shards"]) for one in done["databases"]], [("foo", 1)])
        self.check_others(before, meta, "foo")
        self.assertEqual(self.select(self.store), [self.select(self.source)[0], 102])

    def test_nothing_of_others(self):
        """A database of which nothing is asked for is not made, nor is it in a snapshot of the part."""
        for what in ("--rp=days", f"--shard={MetaParts(self.source).shards('foo')[0]}"):
            part = self.folder / f"part{what}.tar"
            snap(self.source, "backup", what, part)
            for words in ([what, self.tar], [part]):
                store = self.folder / f"new{len(os.listdir(self.folder))}"
                store.mkdir()
                self.restore(*words, store=store)
                self.assertEqual(list(MetaParts(store).databases), ["foo"])

    def test_longer_shard_here(self):
        """What the snapshot does not cover would be lost. It is not the snapshot that is wrong."""
        with Influxd(self.store, self.index) as influxd:
            influxd.run("DROP DATABASE foo")
            influxd.run("CREATE DATABASE foo WITH DURATION INF SHARD DURATION 1d NAME hours")
            influxd.write([f"m v=1 {NOON}", f"m v=2 {NOON + 8 * HOUR}"], "foo")
            influxd.stop()
        before, part = store_tree(self.store), ["--database=foo", "--rp=hours", "--to=2016-06-11T14:00:00Z"]
        snap(self.source, "backup", *part, self.folder / "part.tar")
        for words in ([*part, self.tar], [self.folder / "part.tar"]):
            code, said = snap_code(self.store, "restore", "-q", *words)
            self.assertEqual(code, 1, said)
            self.assertIn("would be lost", said)
        self.assertEqual(before, store_tree(self.store))

    def test_exact(self):
        """To the point, in shards that both have, that are longer here, and that are missing here."""
        with Influxd(self.source, self.index) as influxd:
            influxd.write([f"m,host=h0 v=50 {NOON + n * 60 * 10**9}" for n in range(1, 200)], "foo")
            influxd.stop()
        snap(self.source, "backup", self.tar.with_suffix(".more"))
        with Influxd(self.store, self.index) as influxd:
            influxd.write([f"m,host=h9 v=60 {NOON + n * 60 * 10**9}" for n in range(1, 100)], "foo", "hours")
            influxd.run('CREATE DATABASE longer WITH DURATION INF SHARD DURATION 1d NAME "hours"')
            influxd.write([f"m,host=h9 v=60 {NOON + n * 60 * 10**9}" for n in range(-600, 700, 7)], "longer")
            influxd.stop()
        start, end = "2016-06-11T12:30:00Z", "2016-06-11T14:10:00Z"
        times = f"WHERE time >= '{start}' AND time < '{end}'", f"WHERE time < '{start}' OR time >= '{end}'"
        wanted = [self.points(self.source, "foo", times[0]), self.points(self.store, "foo", times[1])]
        before, meta = store_tree(self.store), MetaParts(self.store)
        done = self.restore("--exact", f"--from={start}", f"--to={end}", "--database=foo", "--rp=hours",
                            self.tar.with_suffix(".more"))
        self.assertEqual([one["how"] for one in done["databases"]], ["part"])
        self.check_others(before, meta, "foo")
        self.assertEqual([self.points(self.store, "foo", when) for when in times], wanted)
        self.check_exact_elsewhere(start, end, times, wanted[0])

    def check_exact_elsewhere(self, start, end, times, theirs):
        """Under a name that is new; and, merged by hand, where shards do not line up."""
        words = ["--exact", f"--from={start}", f"--to={end}", "--rp=hours", "--database=foo"]
        self.restore(*words, "--as=new", self.tar.with_suffix(".more"))
        self.assertEqual([self.points(self.store, "new", when) for when in times], [theirs, []])
        with Influxd(self.source, self.index) as influxd:
            influxd.run('CREATE DATABASE longer WITH DURATION INF SHARD DURATION 1h NAME "hours"')
            influxd.run("SELECT * INTO longer.hours.m FROM foo.hours.m GROUP BY *")
            influxd.stop()
        snap(self.source, "backup", "--database=longer", self.folder / "longer.tar")
        rest = self.points(self.store, "longer", times[1])
        self.restore(*words[:3], self.folder / "longer.tar")
        self.assertEqual([self.points(self.store, "longer", when) for when in times], [theirs, rest])

    def points(self, root, name, when):
        """Whose time is such, after influxd has started anew."""
        with Influxd(root, self.index) as influxd:
            found = influxd.run(f"SELECT * FROM hours.m {when}", name)
            influxd.stop()
        return [row for one in found for row in one["values"]]

    def test_stray_shard(self):
        """A folder that meta.db does not know is a shard to influxd: its number is not given again."""
        highest = max(number for name in MetaParts(self.store).databases for number in MetaParts(self.store).shards(name))
        stray = self.store / f"data/first/hours/{highest + 1}"
        stray.mkdir()
        self.restore("--database=foo", "--as=bar", self.tar)
        self.assertNotIn(highest + 1, MetaParts(self.store).shards("bar"))
        self.assertTrue(stray.is_dir())


class DiskTest(PartTest):
    """Where the store lies."""

    def put(self, where, size="64m"):
        """The store on disks of its own."""
        root = self.folder / "mounted"
        for folder in ("meta", "data", "wal"):
            (root / folder).mkdir(parents=True)
        for folder in where:
            run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", root / folder)
            self.addCleanup(run, "umount", root / folder)
        for folder in ("meta", "data", "wal"):
            run("cp", "-aT", self.store / folder, root / folder)
        self.store = root

    def test_inside(self):
        """Data and WAL are mount points."""
        self.put(["data", "wal"])
        before, meta = store_tree(self.store), MetaParts(self.store)
        self.restore("--database=foo", self.tar)
        now = {name: what for name, what in store_tree(self.store).items() if "/.influxfs" not in name}
        was, now = self.others(before, "foo"), self.others(now, "foo")
        self.assertTrue(was == now, difference(was, now))
        self.assertEqual(sorted(os.listdir(self.store / "data/.influxfs")), ["before-restore"])
        self.assertEqual(meta.users, MetaParts(self.store).users)
        self.assertEqual(self.answers(self.store, ("foo",)), self.answers(self.source, ("foo",)))

    def test_full_disk(self):
        """The other databases' WAL does not fit a second time."""
        with open(next(self.store.glob("wal/first/hours/*/_00001.wal")), "ab") as wal:
            wal.write(os.urandom(5 << 20))
        self.put(["."], "8m")
        before = tree(self.store)
        code, said = snap_code(self.store, "restore", "-q", "--state", self.folder / "state", "--database=foo", self.tar)
        self.assertEqual(code, 1, said)
        self.assertIn("No space left", said)
        self.assertTrue(before == tree(self.store), difference(before, tree(self.store)))

    def test_room_for_the_part_alone(self):
        """What is not asked for of a snapshot does not pass through the disk."""
        with Influxd(self.source, self.index) as influxd:
            influxd.write([f'm s="{os.urandom(30000).hex()}" {NOON + n}' for n in range(160)], "other")
            influxd.stop()
        tar = self.folder / "large.tar"
        snap(self.source, "backup", tar)
        self.put(["."], "8m")
        state = ["--state", self.folder / "state"]
        for words in (["--database=foo"], ["--merge=ours", "--rp=days"],
                      ["--from=2016-06-11T14:00:00Z", "--to=2016-06-11T15:00:00Z"]):
            foreseen = self.restore(*state, "--dry-run", *words, tar)
            self.assertLess(foreseen["bytes"], 1 << 20)
            self.restore(*state, *words, tar)
        before = tree(self.store)
        for words, said in ((["--database=other"], r"no room: the snapshot needs \d+ bytes for meta, wal, "),
                            (["--database=other", "--dry-run"], "no room for it")):
            code, got = snap_code(self.store, "restore", "-q", *state, *words, tar)
            self.assertEqual(code, 1, got)
            self.assertRegex(got, said)
        self.assertTrue(before == tree(self.store), difference(before, tree(self.store)))
