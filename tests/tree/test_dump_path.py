"""influxsnap dump --path: loose shards and files as points, without meta.db."""

import gzip
import shutil
import subprocess

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import HANG, PATIENCE, wait_until
from lib.importing import import_text
from lib.influxd import Influxd
from lib.measurements import HOUR, START

DAY = 24 * HOUR


class DumpPathTest(StoreTest):

    def dump(self, *words, code=0):
        done = subprocess.run([INFLUXSNAP, "dump", *words], capture_output=True, text=True, timeout=HANG)
        self.said = done.stderr
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def points(self, text):
        return [line for line in text.splitlines() if line and not line.startswith(("#", "CREATE "))]

    def store(self):
        """Shards of a day, some flushed, some in the WAL alone, one with a tombstone."""
        root = self.folder / "store"
        with Influxd(root) as influxd:
            influxd.run("CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d NAME rp")
            influxd.run("CREATE DATABASE other")
            influxd.write([f"m,t=a v={i} {START + i * HOUR}" for i in range(72)], "db", "rp")
            influxd.write([f"n v=1i,s=\"x\" {START}"], "other")
            influxd.stop()
        with Influxd(root, cache_snapshot_memory_size=1, cache_snapshot_write_cold_duration="1s") as influxd:
            influxd.write([f"m,t=b v=1 {START + HOUR}"], "db", "rp")    # a flush of one shard
            shard = root / "data/db/rp" / min(path.name for path in (root / "data/db/rp").iterdir())
            self.wait_for(lambda: list(shard.glob("*.tsm")))
            influxd.run(f"DELETE FROM m WHERE time = {START + 2 * HOUR}", "db")
            self.wait_for(lambda: list(shard.glob("*.tombstone")))
            influxd.kill()
        self.shard = shard
        return root

    def wait_for(self, condition):
        wait_until(condition, 20 * PATIENCE, "influxd to write its files")

    def whole(self, root, db, rp=None):
        return self.points(self.dump("-c", root, db, *([rp] if rp else [])))

    def test_folders(self):
        """A shard, a policy, a database and the data folder give the points of the store; moved elsewhere, too."""
        root = self.store()
        db, other = self.whole(root, "db"), self.whole(root, "other")
        (root / "meta/meta.db").unlink()
        self.assertEqual(len(db), 72)
        self.assertEqual(self.points(self.dump("--path", root / "data/db")), db)
        self.assertIn(f"the WAL of these shards is taken from {root / 'wal'}", self.said)
        self.assertIn("guessed: db/rp (the default): kept for ever; shard duration 1d", self.said)
        self.assertEqual(self.points(self.dump("--path", root / "data/db/rp")), db)
        self.assertEqual(self.points(self.dump("--path", root / "data")), db + other)
        shards = sorted((root / "data/db/rp").iterdir(), key=lambda path: int(path.name))
        found = [self.points(self.dump("--path", shard)) for shard in shards]
        self.assertEqual(sorted(sum(found, [])), sorted(db))
        self.assertTrue(all(found))
        moved = self.folder / "moved"
        shutil.copytree(self.shard, moved)
        for segment in (root / f"wal/db/rp/{self.shard.name}").iterdir():
            shutil.copy(segment, moved)
        self.assertEqual(self.points(self.dump("--path", moved)), found[0])
        self.assertEqual(self.dump("--path", moved, "--format=csv").splitlines()[0], "name,tags,time,t,v")
        later = self.dump("--path", root / "data/db", "--from=2016-06-12T00:00:00Z", "--to=2016-06-12T02:00:00Z")
        self.assertEqual(len(self.points(later)), 2)

    def test_import(self):
        """The text of a database makes it on another server."""
        root = self.store()
        wanted = self.whole(root, "db")
        new = self.influxd(self.folder / "new")
        import_text(new, self.dump("--path", root / "data/db"))
        new.kill()
        self.assertEqual(self.whole(new.root, "db"), wanted)

    def test_files(self):
        """A TSM file with the tombstone beside it, under any name; without it, deleted points are there; a segment."""
        root = self.store()
        tsm = next(self.shard.glob("*.tsm"))
        tombstone = tsm.with_suffix(".tombstone")
        deleted = f"m,t=a v=2 {START + 2 * HOUR}"
        found = self.points(self.dump("--path", tsm))
        self.assertTrue(found)
        self.assertNotIn(deleted, found)
        bad, alone = self.folder / (tsm.name + ".bad"), self.folder / "alone.tsm"
        shutil.copy(tsm, bad)
        shutil.copy(tombstone, self.folder)
        shutil.copy(tsm, alone)
        self.assertEqual(self.points(self.dump("--path", bad)), found)
        self.assertIn(deleted, self.points(self.dump("--path", alone)))
        later = max((root / "wal/db/rp").iterdir(), key=lambda path: int(path.name))
        segment = max(later.iterdir(), key=lambda path: path.stat().st_size)
        self.assertEqual(len(self.points(self.dump("--path", segment))), 24)
        # A torn end is no damage.
        (self.folder / "_00007.wal").write_bytes(segment.read_bytes() + segment.read_bytes()[:-3])
        self.assertEqual(len(self.points(self.dump("--path", self.folder / "_00007.wal"))), 24)

    def test_damage(self):
        root = self.store()
        tsm = next(self.shard.glob("*.tsm"))
        content = bytearray(tsm.read_bytes())
        content[12] ^= 0xff
        tsm.write_bytes(content)
        self.dump("--path", self.shard, code=1)
        self.assertIn("damaged at byte 5: the block does not match its CRC", self.said)
        self.dump("--path", self.shard, "--skip-damaged", code=6)
        segment = self.folder / "_00001.wal"
        later = max((root / "wal/db/rp").iterdir(), key=lambda path: int(path.name))
        content = max(later.iterdir(), key=lambda path: path.stat().st_size).read_bytes()
        segment.write_bytes(content + b"\x09" + content)
        self.dump("--path", segment, code=1)
        self.assertIn(f"{segment}: damaged at byte {len(content)}", self.said)
        self.assertEqual(len(self.points(self.dump("--path", segment, "--skip-damaged", code=6))), 24)
        tsm.write_bytes(b"no TSM file")
        self.dump("--path", tsm, code=1)
        self.assertIn(str(tsm), self.said)

    def test_refused(self):
        """What is no shard is named, and so are contradictions."""
        root = self.store()
        empty = self.folder / "empty"
        empty.mkdir()
        self.dump("--path", empty, code=1)
        self.assertIn("looks like a shard's", self.said)
        text = self.folder / "a.txt"
        text.write_bytes(gzip.compress(b"x"))
        self.dump("--path", text, code=1)
        self.assertIn("a.txt: neither a folder nor a TSM file", self.said)
        self.dump("--path", self.folder / "missing", code=1)
        self.assertIn("missing: No such file", self.said)
        self.dump("--path", root / "data", "db", code=2)
        self.dump(code=2)
