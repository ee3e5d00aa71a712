"""Sets that the real `influxd backup` wrote, restored by influxsnap, beside what the real
`influxd restore` makes of them."""

import json
import os
import re
import shutil
import time
from datetime import datetime, timezone
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import snap, snap_code
from lib.files import run, wait_until
from lib.influxbackup import backup, restore_legacy, restore_portable
from lib.influxd import Influxd, InfluxError, tsm_files
from lib.points import Served, names
from lib.trees import difference, whole_tree

SECOND = 10**9
WEEK = 7 * 86400
START = 1465000000
DATABASES = ("db", "a.b", "x y", "ü")
RUNS = 5
WAITS = "4h"  # before a compaction of a shard that is not written to


def cells_of(root):
    """All that an influxd on this store answers."""
    with Influxd(root) as influxd:
        return Served(influxd).cells


def settled(influxd):
    """What it answers once its shards are enabled, which `influxd restore` does not wait for."""
    def answers():
        try:
            return Served(influxd).cells
        except InfluxError:
            return None
    return wait_until(answers, 60, "the restored shards")


class SetsTest(StoreTest):
    """self.root: an empty store, to be restored into."""

    def setUp(self):
        super().setUp()
        self.root = self.folder / "store"
        self.root.mkdir()

    def restore_set(self, path, *options, code=0):
        got, said = snap_code(self.root, "restore", *options, path)
        self.assertEqual(got, code, said)
        return said

    def check_cells(self, right, root=None):
        got = cells_of(root or self.root)
        self.assertEqual((sorted(right - got)[:5], sorted(got - right)[:5]), ([], []))

    def check_refused(self, path, words, code=4):
        """By restore and by a trial of it; the store stays as it is."""
        before = whole_tree(self.root)
        for options in ((), ("--dry-run",)):
            got, said = snap_code(self.root, "--quiet", "restore", *options, path)
            self.assertEqual(got, code, said)
            self.assertRegex(said, words)
        self.assertTrue(whole_tree(self.root) == before, difference(before, whole_tree(self.root)))


class FiveRunsTest(SetsTest):
    """Overwrites, compactions and deletes lie between the runs, of which all but the first ask for
    what is new alone."""

    timeout = 300

    def test_all(self):
        live = self.influxd(self.folder / "live", cache_snapshot_memory_size=1, compact_full_write_cold_duration=WAITS,
                            cache_snapshot_write_cold_duration="1s")
        for db in DATABASES:
            live.run(f'CREATE DATABASE "{db}"')
        since = []
        for number in range(RUNS):
            self.change(live, number)
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            for db in DATABASES[:2]:
                backup(live, self.folder / "legacy", "-database", db, *since)
            backup(live, self.folder / "portable", "-portable", *since)
            since = ["-since", now]
        for db in DATABASES[2:]:
            backup(live, self.folder / "legacy", "-database", db)
        right = Served(live)
        live.stop()
        for kind in ("legacy", "portable"):
            with self.subTest(kind):
                self.restore_set(self.folder / kind)
                self.check_cells(right.cells)
                shutil.rmtree(self.root)
                self.root.mkdir()
        self.real_legacy(right)

    def change(self, live, number):
        """Shards 1 to 12 and one of each other database; in shard 1 something is deleted from files of
        earlier runs, before and after they are compacted."""
        before = tsm_files(live.root)
        live.write([f"m,t={'ab'[week % 2]} v={number} {(START + week * WEEK) * SECOND}" for week in range(12)], "db")
        live.write([f"n v={i} {(START + number * 1000 + i) * SECOND}" for i in range(200)], "db")
        for db in DATABASES[1:]:
            live.write([f"m v={number} {START * SECOND}", f"m v={number} {START * SECOND + number}"], db)
        wait_until(lambda: len({Path(path).parent for path in tsm_files(live.root) - before}) == 15, 60, "flushes")
        if number in (1, 3):
            self.compact(live)
        if number == 2:
            live.run("DELETE FROM m WHERE t='a' AND time < 1466000000s", "db")
        if number in (2, 4):
            at = START + (number - 2) * 500
            live.run(f"DELETE FROM n WHERE time > {at + 10}s AND time < {at + 20}s", "db")


    def compact(self, live):
        """Now, and not between a delete and the run that is to see it."""
        before = tsm_files(live.root)
        for now, then in ((WAITS, "1s"), ("1s", WAITS)):
            live.config.write_text(live.config.read_text().replace(f'compact-full-write-cold-duration = "{now}"',
                                                                   f'compact-full-write-cold-duration = "{then}"'))
            live.restart()
            if then != WAITS:
                wait_until(lambda: any("db/autogen/1/" in path for path in before - tsm_files(live.root)), 60, "a compaction")
        time.sleep(1)  # what is of the same second as a run is in the next one too

    def real_legacy(self, right):
        """Shard 10 comes to lie in the folder of shard 1, and names with dots are refused."""
        store = self.folder / "real"
        restore_legacy(store, self.folder / "legacy", "db")
        with self.assertRaisesRegex(InfluxError, "incorrect format"):
            restore_legacy(store, self.folder / "legacy", "a.b")
        lost = right.cells - cells_of(store)
        shards = {place for cell in lost for place in right.shards_of(cell)}
        self.assertIn("db/autogen/10", shards)
        self.assertEqual({cell[0] for cell in lost}, set(DATABASES))


class NightlyTest(SetsTest):
    """Several runs of all of a server in one folder: what was deleted between them stays deleted."""

    def fill(self):
        live = self.influxd(self.folder / "live")
        live.run("CREATE DATABASE db")
        live.write([f"m,h={h} v={at} {(START + at) * SECOND}" for h in range(5) for at in range(20)], "db")
        return live

    def test_influxd(self):
        live = self.fill()
        for night in range(3):
            if night:
                before = tsm_files(live.root)
                live.run(f"DROP SERIES FROM m WHERE h = '{night}'", "db")
                wait_until(lambda: tsm_files(live.root) != before, 60, "the compaction of what was deleted in")
                live.write([f"m,h=n{night} v={at} {(START + at) * SECOND}" for at in range(20)], "db")
                time.sleep(1.5)  # names of runs and times in a tar have whole seconds
            backup(live, self.folder / "set", "-portable")
        self.assertIn("of older runs do", self.restore_set(self.folder / "set"))
        self.check_cells(Served(live).cells)

    def test_influxsnap(self):
        live = self.fill()
        live.stop()
        for night in range(2):
            with Influxd(live.root) as influxd:
                if night:
                    influxd.run("DROP SERIES FROM m WHERE h = '1'", "db")
                    influxd.write([f"m,h=n v=1 {START * SECOND}"], "db")
            self.assertEqual(snap_code(live.root, "backup", "--format=portable", self.folder / "set")[0], 0)
        self.restore_set(self.folder / "set")
        self.check_cells(cells_of(live.root))

    def test_range_of_times(self):
        """A run of some hours does not undo the run of all before it, whose files were compacted."""
        live = self.fill()
        backup(live, self.folder / "set", "-portable")
        before = tsm_files(live.root)
        right = Served(live).cells
        live.run("DROP SERIES FROM m WHERE h = '1'", "db")
        wait_until(lambda: tsm_files(live.root) != before, 60, "the compaction of what was deleted in")
        time.sleep(1.5)
        first, last = (datetime.fromtimestamp(START + at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (5, 8))
        backup(live, self.folder / "set", "-portable", "-db", "db", "-start", first, "-end", last)
        self.restore_set(self.folder / "set")
        self.check_cells(right)


class SetFormsTest(SetsTest):
    """One run, in all forms that a set can come in."""

    def make(self, *databases, points=3):
        live = self.influxd(self.folder / "live")
        live.run("CREATE USER u WITH PASSWORD 'p' WITH ALL PRIVILEGES")
        for db in databases:
            live.run(f'CREATE DATABASE "{db}"')
            live.run(f'CREATE CONTINUOUS QUERY q ON "{db}" BEGIN SELECT mean(v) INTO m2 FROM m GROUP BY time(1h) END')
            live.write([f"m v={i} {(START + i * WEEK) * SECOND}" for i in range(points)], db)
        return live

    def test_users_and_queries(self):
        live = self.make("db")
        backup(live, self.folder / "legacy", "-database", "db")
        backup(live, self.folder / "portable", "-portable")
        right = Served(live).cells
        live.stop()
        for kind in ("legacy", "portable"):
            for word in ("users", "queries"):
                self.assertEqual(snap(live.root, "-q", word, "--json", self.folder / kind), snap(live.root, word, "--json"))
            said = self.restore_set(self.folder / kind)
            self.assertIn("1 user", said)
            with Influxd(self.root) as restored:
                self.assertEqual(Served(restored).cells, right)
                self.assertEqual(names(restored, "SHOW USERS"), ["u"])
                self.assertIn("q", str(restored.run("SHOW CONTINUOUS QUERIES")))

    def test_some_databases(self):
        """A set of one of two databases takes the place of that one alone, or comes in beside it."""
        live = self.make("db", "other")
        for kind, options in (("legacy", ["-database", "db"]), ("portable", ["-portable", "-db", "db"])):
            backup(live, self.folder / kind, *options)
        backup(live, self.folder / "whole", "-portable")
        self.restore_set(self.folder / "whole")
        with Influxd(self.root) as store:
            store.run("DELETE FROM m", "db")
            store.write([f"m v=7 {START * SECOND}"], "other")
            store.run("SET PASSWORD FOR u = 'changed'")
            changed = Served(store).cells
        users = self.hashes()
        right = changed | {cell for cell in Served(live).cells if cell[0] == "db"}
        for kind in ("legacy", "portable"):
            with self.subTest(kind):
                self.restore_set(self.folder / kind)
                self.check_cells(right)
                self.assertEqual(self.hashes(), users)
        self.restore_set(self.folder / "whole", "--database=db", "--as=copy")
        self.check_cells(right | {("copy", *cell[1:]) for cell in right if cell[0] == "db"})
        shutil.rmtree(self.root)
        self.root.mkdir()  # a part where no store is yet
        self.restore_set(self.folder / "whole", "--database=db")
        self.check_cells({cell for cell in right if cell[0] == "db"})

    def test_whole_or_part(self):
        """Of a server's only database; by influxfs itself, which writes no users; and a range of times."""
        live = self.make("_internal", "db")
        backup(live, self.folder / "whole", "-portable")
        backup(live, self.folder / "one", "-portable", "-db", "db")
        first, last = (datetime.fromtimestamp(START + at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                       for at in (WEEK, WEEK + 60))
        backup(live, self.folder / "range", "-portable", "-db", "db", "-start", first, "-end", last)
        self.assertIn("it takes the place of the whole store, with 1 user and 2 continuous queries",
                      self.restore_set(self.folder / "whole"))
        self.assertNotIn("warning", self.restore_set(self.folder / "whole", "--quiet"))
        with Influxd(self.root) as store:
            store.run("CREATE DATABASE more")
            store.write(["m v=1 1"], "more")
            store.run("SET PASSWORD FOR u = 'changed'")
            right = Served(store).cells
        users = self.hashes()
        self.assertEqual(snap_code(self.root, "backup", "--format=portable", "--exclude=more", self.folder / "own")[0], 0)
        for kind in ("one", "own"):
            with self.subTest(kind):
                self.restore_set(self.folder / kind)
                self.check_cells(right)
                self.assertEqual(self.hashes(), users)
        (self.folder / "own" / f"{next((self.folder / 'own').glob('*.meta')).stem}.left_out").write_text("database a.b: its \x1b name\n")
        self.assertIn("it says that it lacks database a.b: its ? name",
                      snap_code(self.root, "--quiet", "verify", self.folder / "own")[1])
        self.assertRegex(self.restore_set(self.folder / "range", "--quiet", code=6),
                         r"warning: .*of 2 of 3 shards it holds no points \(db.autogen")

    def hashes(self):
        code, said = snap_code(self.root, "--quiet", "users", "--sql")
        self.assertEqual(code, 0, said)
        return re.findall("its hash.*", said)  # the passwords in it are random

    def test_tar(self):
        live = self.make("db")
        backup(live, self.folder / "set", "-portable")
        right = Served(live).cells
        live.stop()
        run("tar", "-cf", self.folder / "a.tar", "-C", self.folder, "set")
        run("tar", "-czf", self.folder / ".b.tgz", "-C", self.folder / "set", ".")
        for name in ("a.tar", ".b.tgz"):
            self.assertRegex(self.restore_set(self.folder / name), "a portable backup of 1 run")
            self.check_cells(right)
        # What a killed run has unpacked goes with the next; a place that others can write to is refused.
        temporary = self.folder / "tmp"
        place = temporary / f"influxsnap-{os.geteuid()}"
        place.mkdir(0o700, parents=True)
        (place / "0123456789abcdef.new").mkdir()
        (place / "0123456789abcdef.new/half").write_bytes(b"half")
        environment = os.environ | {"TMPDIR": str(temporary)}
        self.assertEqual(snap_code(self.root, "verify", self.folder / "a.tar", env=environment)[0], 0)
        self.assertEqual(os.listdir(temporary), [])
        place.mkdir()
        place.chmod(0o777)
        code, said = snap_code(self.root, "verify", self.folder / "a.tar", env=environment)
        self.assertEqual(code, 1)
        self.assertIn(f"{place} (TMPDIR): Operation not permitted", said)

    def test_json(self):
        live = self.make("db", points=11)
        backup(live, self.folder / "set", "-database", "db")
        code, said = snap_code(self.root, "--quiet", "verify", "--json", self.folder / "set")
        self.assertEqual(code, 0, said)
        found = json.loads(said)
        self.assertTrue(found["good"])
        self.assertEqual(found["snapshots"][0]["tsm_files"], 11)
        self.assertIn("folder of another: db.autogen.10", str(found["snapshots"][0]["notes"]))
        result = json.loads(self.restore_set(self.folder / "set", "--quiet", "--json", "--dry-run"))
        self.assertEqual((result["restored"], result["files"]), (False, 12))
        self.assertEqual(list(self.root.iterdir()), [])

    def test_parts_of_a_file(self):
        """Runs with times cut a TSM file under its own name; the real restore takes a quarter."""
        live = self.make()
        live.run("CREATE DATABASE db")
        live.write([f"m v={i} {(START + i * 20) * SECOND}" for i in range(4000)], "db")
        for hours in range(0, 24, 6):
            times = [datetime.fromtimestamp(START + h * 3600, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for h in (hours, hours + 6)]
            backup(live, self.folder / "set", "-portable", "-start", times[0], "-end", times[1])
            time.sleep(1)  # sets are named by the second
        right = Served(live).cells
        live.stop()
        self.assertIn("put together of parts", self.restore_set(self.folder / "set"))
        self.check_cells(right)
        real = self.influxd(self.folder / "real")
        restore_portable(real, self.folder / "set")
        self.assertLess(len(settled(real)), len(right) / 2)

    def test_dropped_meanwhile(self):
        """A shard that only the older metastore knows is named, and taken when it is asked for."""
        for kind, options in (("legacy", ["-database", "db"]), ("portable", ["-portable"])):
            with self.subTest(kind), Influxd(self.folder / kind / "live") as live:
                folder = self.folder / kind / "set"
                live.run("CREATE DATABASE db")
                live.write([f"m v={i} {(START + i * WEEK) * SECOND}" for i in range(3)], "db")
                backup(live, folder, *options)
                right = Served(live).cells
                live.run("DROP SHARD 2")
                time.sleep(1)  # portable sets are named by the second
                backup(live, folder, *options)
                rest = Served(live).cells
                self.assertEqual((len(right), len(rest)), (3, 2))
                self.assertRegex(self.restore_set(folder, code=6), r"(?s)older metastore.*db.autogen.2\b.*--union.*db/autogen/2\b")
                self.check_cells(rest)
                self.restore_set(folder, "--union")
                self.check_cells(right)


class BadSetsTest(SetsTest):
    """Damaged, incomplete, mixed up, hostile: refused, and the store is as it was."""

    def setUp(self):
        super().setUp()
        with Influxd(self.folder / "live") as live:
            live.run("CREATE DATABASE db")
            live.write([f"m v={i} {(START + i * WEEK) * SECOND}" for i in range(3)], "db")
            backup(live, self.folder / "l", "-database", "db")
            backup(live, self.folder / "p", "-portable")
        self.restore_set(self.folder / "p")
        self.manifest = next((self.folder / "p").glob("*.manifest"))
        self.base = self.manifest.name.removesuffix(".manifest")

    def bad(self, kind, change, words, code=4):
        """change: what is done to a copy of the set."""
        folder = self.folder / "bad"
        shutil.copytree(self.folder / kind, folder)
        change(folder)
        with self.subTest(words):
            self.check_refused(folder, words, code)
        shutil.rmtree(folder)

    def edit(self, **keys):
        """Changes the first file of the manifest."""
        def change(folder):
            manifest = folder / self.manifest.name
            found = json.loads(manifest.read_text())
            found["files"][0] |= keys
            manifest.write_text(json.dumps(found))
        return change

    def cut(self, name, size):
        def change(folder):
            path = folder / name
            path.write_bytes(path.read_bytes()[:size])
        return change

    def flip(self, name, at):
        def change(folder):
            data = bytearray((folder / name).read_bytes())
            data[at] ^= 1
            (folder / name).write_bytes(data)
        return change

    def link(self, name):
        def change(folder):
            (folder / name).rename(folder.parent / "elsewhere")
            (folder / name).symlink_to(folder.parent / "elsewhere")
        return change

    def test_portable(self):
        archive = f"{self.base}.s1.tar.gz"
        self.bad("p", lambda folder: (folder / archive).unlink(), f"names a file that is missing: {archive}")
        self.bad("p", lambda folder: (folder / f"{self.base}.meta").unlink(), "is missing|No such file")
        self.bad("p", lambda folder: (folder / self.manifest.name).unlink(), "incomplete: the .manifest is missing")
        self.bad("p", self.edit(fileName="../x"), "names ../x")
        self.bad("p", self.edit(fileName="/etc/passwd"), "names /etc/passwd")
        self.bad("p", self.edit(size=4096), "its manifest says 4096")
        self.bad("p", self.edit(shardID=2), "names shard 2 twice")
        self.bad("p", self.edit(policy="other"), "mixed up")
        self.bad("p", self.link(archive), "is a link")
        self.bad("p", self.cut(archive, 100), archive)
        self.bad("p", self.cut(self.manifest.name, 100), "not one object of JSON")
        self.bad("p", self.cut(f"{self.base}.meta", 100), "bytes that its manifest says")
        self.bad("p", self.flip(archive, 60), archive)

    def test_legacy(self):
        archive = "db.autogen.00002.00"
        self.bad("l", lambda folder: (folder / archive).unlink(), "meta.00 lists shard 2 of db.autogen, of which no file")
        self.bad("l", lambda folder: (folder / "meta.00").unlink(), "the metastore, meta.NN, is missing")
        self.bad("l", self.flip("meta.00", 6), "does not begin as one")
        self.bad("l", self.cut("meta.00", 60), "ends early")
        self.bad("l", self.cut(archive, 1000), archive)
        self.bad("l", self.flip(archive, 512 + 7), "CRC|damaged")
        self.bad("l", self.link(archive), "is a link")
        self.bad("l", lambda folder: (folder / archive).rename(folder / "db.other.00002.00"), "mixed up")
        self.bad("l", self.exchange(archive, "db.autogen.00003.00"), "is of another shard")
        self.bad("l", lambda folder: shutil.copy(self.manifest, folder), "legacy and of a portable")

    def exchange(self, one, other):
        def change(folder):
            (folder / one).rename(folder / "x")
            (folder / other).rename(folder / one)
            (folder / "x").rename(folder / other)
        return change

    def test_members(self):
        """What a tar of a shard may not hold."""
        for name, words in (("db/autogen/1/../../../x.tsm", "leads out"), ("/db/autogen/1/000000001-000000001.tsm", "leads out"),
                            ("db/autogen/1/x.sh", "is no file of a shard"), ("db/autogen/2/000000001-000000001.tsm", "another shard")):
            self.bad("l", self.repack(name), words)

    def repack(self, name):
        def change(folder):
            path = folder / "db.autogen.00001.00"
            data = bytearray(path.read_bytes())
            data[:100] = name.encode().ljust(100, b"\0")
            data[148:156] = b" " * 8
            data[148:156] = b"%06o\0 " % sum(data[:512])
            path.write_bytes(data)
        return change

    def test_two_servers(self):
        with Influxd(self.folder / "other") as other:
            other.run("CREATE DATABASE db")
            other.write([f"m v=1 {START * SECOND}"], "db")
            time.sleep(1)  # sets are named by the second
            backup(other, self.folder / "q", "-portable")

        def change(folder):
            for path in (self.folder / "q").iterdir():
                shutil.copy(path, folder)
        self.bad("p", change, "is of another server")

    def test_metastore_alone(self):
        def change(folder):
            for path in folder.glob("db.*"):
                path.unlink()
        self.bad("l", change, "holds a metastore and no shard")

    def test_no_set(self):
        (self.folder / "none").mkdir()
        code, said = snap_code(self.root, "restore", self.folder / "none")
        self.assertEqual(code, 1, said)
