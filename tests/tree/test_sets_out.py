"""backup/ and `influxsnap backup --format`: sets that the real `influxd restore` takes, whose points
are those of the source."""

import gzip
import io
import json
import os
import random
import socket
import subprocess
import tarfile
import threading
import time
import zlib

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import snap, snap_code
from lib.files import CHECKOUT, HANG, PATIENCE, files_in, run, sha256, wait_until, within
from lib.influxbackup import influxd_command, restore_legacy, restore_portable, rpc_address
from lib.influxd import Influxd, InfluxError
from lib.load import Load
from lib.mount import held_files
from lib.stores import DAY, HandmadeStore, message, wal_entry

SNAP = CHECKOUT / "build/influxsnap"
HOUR = 3600 * 10**9
START = 1465603200 * 10**9  # 2016-06-11


def flush(influxd, shard):
    """The cache becomes a TSM file: what influxd does before it backs up the shard."""
    host, _, port = rpc_address(influxd).partition(":")
    request = {"ShardID": shard, "Since": "2200-01-01T00:00:00Z"}
    with socket.create_connection((host, int(port)), timeout=HANG) as peer:
        peer.sendall(b"\x03\x00" + json.dumps(request).encode() + b"\n")
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    if len(answer) != 1024:
        raise InfluxError(f"shard {shard} was not flushed")


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shards(influxd):
    """[(id, database, policy)], as influxd lists them."""
    found = []
    for series in influxd.run("SHOW SHARDS"):
        found += [(row[0], row[1], row[2]) for row in series.get("values", ())]
    return found


def points(influxd, db, rp):
    return influxd.query(f"SELECT * FROM {quoted(rp)}./.*/", db)


def everything(influxd):
    """{(database, policy): all points of it} of whatever has a shard."""
    return {(db, rp): points(influxd, db, rp) for _, db, rp in shards(influxd)}


class SetTest(StoreTest):

    def check_same(self, expected, influxd):
        """Once the last shard has been taken in, which the real restore does not wait for."""
        def equal():
            try:
                found = {where: points(influxd, *where) for where in expected}
            except InfluxError:
                return False
            return found == expected
        if not within(equal, 60 * PATIENCE, step=0.1):
            for where, answer in expected.items():
                self.assertEqual(points(influxd, *where), answer, where)

    def restored(self, folder, name="other", *options, **how):
        """A second server, running, with what the portable set in the folder has."""
        other = self.influxd(self.folder / name, **how)
        restore_portable(other, folder, *options)
        return other

    def offline(self, folder, databases, name="offline", **how):
        """A server started on what the real restore has made of the legacy set in the folder."""
        root = self.folder / name
        root.mkdir()
        for database in databases:
            restore_legacy(root, folder, database)
        (root / "wal").mkdir()
        return self.influxd(root, **how)


class FixtureTest(SetTest):
    """Stores of three versions, WAL, tombstones and overwritten points in them."""

    def by_mount(self, name):
        store = fixtures.unpack(name, self.folder / "store")
        index = fixtures.index_of(name)
        mnt = self.mount(store)
        with Influxd(self.folder / "portable", index=index) as other:
            restore_portable(other, mnt / "backup/portable")
            wait_until(lambda: self.answers(name, other) is None, 10, "the last shard", step=0.1)
            fixtures.check_answers(name, other)
        databases = {path.name for path in (store / "data").iterdir()} - {"a.b"}
        with self.assertRaisesRegex(InfluxError, "no backup files"):
            restore_legacy(self.folder / "none", mnt / "backup/legacy", "a.b")
        self.assertIn("database a.b", (mnt / "backup/legacy/left_out").read_text())
        other = self.offline(mnt / "backup/legacy", databases, index=index)
        fixtures.check_answers(name, other, without={"a.b"})
        # The metastore is the store's own: users, grants and queries come along.
        self.assertTrue(other.run("SHOW USERS")[0]["values"])
        self.assertTrue(other.run("SHOW CONTINUOUS QUERIES"))

    def answers(self, name, influxd):
        try:
            fixtures.check_answers(name, influxd)
        except (AssertionError, InfluxError) as error:
            return error
        return None


def add_test(name):
    method = f"test_{name}".replace(".", "_").replace("-", "_")
    setattr(FixtureTest, method, lambda self: self.by_mount(name))


for fixture in fixtures.NAMES:
    add_test(fixture)


class LiveTest(SetTest):
    """A server whose names and ids are the worst."""

    DATABASES = ("a.b", "_t", "x y", "ü", "-rf", "db", "left_out", "meta", "ids")
    REFUSED = {("a.b", "autogen"), ("meta", "autogen"), ("db", "1.h")}

    def setUp(self):
        super().setUp()
        self.source = self.influxd(self.folder / "store")
        self.fill()
        self.expected = everything(self.source)
        self.mnt = self.mount(self.source.root)

    def fill(self):
        """Shards in TSM files, in the WAL alone, and in both, with overwritten and deleted points."""
        for db in self.DATABASES:
            self.source.run(f"CREATE DATABASE {quoted(db)}")
        self.source.run('CREATE RETENTION POLICY "1.h" ON "db" DURATION INF REPLICATION 1')
        self.source.run('CREATE RETENTION POLICY "hours" ON "ids" DURATION INF REPLICATION 1 SHARD DURATION 1h DEFAULT')
        self.source.run("CREATE USER u WITH PASSWORD 'p' WITH ALL PRIVILEGES")
        self.source.run('CREATE CONTINUOUS QUERY q ON "db" BEGIN SELECT max(v) INTO x FROM m GROUP BY time(1h) END')
        for hour in range(80):
            self.source.write([f"m,hour=a v={hour} {START + hour * HOUR}"], "ids")
        for db in self.DATABASES[:-1]:
            self.write(db)
        self.write("db", "1.h")
        self.source.write([f"m,hour=b v={hour} {START + hour * HOUR}" for hour in range(80, 110)], "ids")
        ids = {shard for shard, db, _ in shards(self.source) if db == "ids"}
        self.assertLessEqual({10, 20, 100, 101}, ids)

    def write(self, db, rp=""):
        lines = [f'm,host={host} v={row},s="{db}" {START + row}' for host in "ab" for row in range(200)]
        self.source.write(lines, db, rp)
        for shard, of, policy in shards(self.source):
            if of == db and policy == (rp or "autogen"):
                flush(self.source, shard)
        self.source.write([f"m,host=a v=-{row} {START + row}" for row in range(50)], db, rp)  # overwritten, in the WAL
        self.source.run(f"DELETE FROM m WHERE host = 'b' AND time >= {START + 20} AND time < {START + 120}", db)
        self.source.write([f"n v={row}i {START + row}" for row in range(30)], db, rp)  # in the WAL alone

    def legacy(self):
        return {where: answer for where, answer in self.expected.items() if where not in self.REFUSED}

    def check_legacy(self, folder, name):
        databases = sorted({db for db, _ in self.legacy()})
        other = self.offline(folder, databases, name)
        self.check_same(self.legacy(), other)
        self.assertEqual(other.query("SHOW USERS"), self.source.query("SHOW USERS"))
        self.assertEqual(other.query("SHOW CONTINUOUS QUERIES"), self.source.query("SHOW CONTINUOUS QUERIES"))
        ids = {shard for shard, _, _ in shards(other)}
        self.assertFalse([shard for shard in ids if shard % 10 == 0 and shard < 111], "not renumbered")
        other.write([f"later v=1 {START + 5000 * HOUR}"], "ids")  # a new shard gets an id of its own
        self.assertGreater(max(shard for shard, _, _ in shards(other)), max(ids))

    def test_portable(self):
        """Whole, and one database, under its name and under another."""
        other = self.restored(self.mnt / "backup/portable")
        self.check_same(self.expected, other)
        with self.assertRaises(InfluxError):
            other.run("SHOW GRANTS FOR u")  # no user comes along
        for other_name, db in (("one", "x y"), ("two", "-rf")):
            for source, coded in ((self.mnt / "backup/portable", None), (self.mnt / "backup/portable" / db, db)):
                with Influxd(self.folder / f"{other_name}-{bool(coded)}") as other:
                    restore_portable(other, source, "-db", db, "-newdb", "new")
                    self.check_same({("new", rp): answer for (of, rp), answer in self.expected.items() if of == db}, other)
                    self.assertEqual(other.run("SHOW DATABASES")[0]["values"], [["new"]])

    def test_legacy(self):
        """From a copy with strangers in it, and from the mount."""
        copy = self.folder / "copy"
        run("cp", "-r", self.mnt / "backup/legacy", copy)
        (copy / "db.txt").write_text("mine")
        with self.assertRaisesRegex(InfluxError, "incorrect format"):
            restore_legacy(self.folder / "failed", copy, "db")  # not ours to mend: influxd takes it for a shard
        (copy / "db.txt").unlink()
        (copy / "db-txt").write_text("mine")
        self.check_legacy(copy, "copied")
        self.check_legacy(self.mnt / "backup/legacy", "mounted")
        left_out = (copy / "left_out").read_text()
        for db, rp in self.REFUSED:
            self.assertIn(f"database {db}, policy {rp}: ", left_out)
        self.assertEqual(len(left_out.splitlines()), len(self.REFUSED))
        said = json.loads((self.mnt / "status.json").read_text())["backup_left_out"]
        self.assertEqual(said, [f"backup/legacy: {line}" for line in left_out.splitlines()])
        self.assertFalse([name for name in os.listdir(copy) if name.startswith(("a.b.", "meta.autogen", "db.1.h"))])

    def test_command(self):
        """The same files without a mount, twice into one folder."""
        self.source.kill()
        for form, code in (("portable", 0), ("legacy", 6)):
            folder = self.folder / "sets" / form
            done = subprocess.run([SNAP, "-c", self.source.root, "backup", f"--format={form}", "--quiet", "--json", folder],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done.stderr)
            said = json.loads(done.stdout)
            self.assertEqual(sorted(said["files"]), sorted(os.listdir(folder)))
            self.assertEqual(said["kind"], form)
            shown = self.mnt / "backup" / form
            self.assertEqual(sorted(os.listdir(shown)), sorted(os.listdir(folder)))
            for name in os.listdir(folder):
                self.assertEqual((folder / name).read_bytes(), (shown / name).read_bytes(), name)
            if form == "legacy":
                for db, rp in self.REFUSED:
                    self.assertIn(f"database {db}, policy {rp}: ", done.stderr)
                    self.assertIn(f"database {db}, policy {rp}: ", json.dumps(said["warnings"], ensure_ascii=False))
        first = {form: set(os.listdir(self.folder / "sets" / form)) for form in ("portable", "legacy")}
        self.source.start()
        self.source.write([f"later v=1 {START}"], "db")
        for form, code in (("portable", 0), ("legacy", 6)):
            folder = self.folder / "sets" / form
            self.assertEqual(subprocess.run([SNAP, "-c", self.source.root, "backup", f"--format={form}", "--quiet", folder],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode, code)
            second = set(os.listdir(folder)) - first[form]
            self.assertEqual(len(second), len(first[form]))
            self.assertFalse([name for name in os.listdir(folder) if name.startswith(".")])
        self.assertIn("meta.01", os.listdir(self.folder / "sets/legacy"))
        expected = everything(self.source)
        self.assertNotEqual(expected, self.expected)
        self.check_same(expected, self.restored(self.folder / "sets/portable", "again"))

    def test_part(self):
        """Some databases, as a set; it says that it is not all."""
        folder = self.folder / "part"
        run(SNAP, "-c", self.source.root, "backup", "--format=portable", "--database=x y:ü", folder)
        manifest, = folder.glob("*.manifest")
        self.assertIs(json.loads(manifest.read_text())["limited"], True)
        part = {where: answer for where, answer in self.expected.items() if where[0] in ("x y", "ü")}
        self.check_same(part, self.restored(folder, "some"))
        run(SNAP, "-c", self.source.root, "backup", "--format=legacy", "--database=x y:ü", self.folder / "old")
        self.check_same(part, self.offline(self.folder / "old", ("x y", "ü")))

    def test_refused(self):
        for words, said in ((("--format=portable", "-"), "needs a folder"), (("--format=lp", "x"), "portable or legacy"),
                            (("--format=legacy", "--compress=zstd", "x"), "--compress"),
                            (("--format=legacy", "--host=localhost", "x"), "--host"), (("--format=x", "x"), "portable or legacy")):
            done = subprocess.run([SNAP, "-c", self.source.root, "backup", *words], capture_output=True, text=True, cwd=self.folder)
            self.assertEqual((done.returncode, os.path.exists(self.folder / "x")), (2, False), words)
            self.assertIn(said, done.stderr)
        done = subprocess.run([SNAP, "-c", self.source.root, "dump", "--format=legacy", "db"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)


class BytesTest(SetTest):
    """Any bytes at any offset, the same each time."""

    def setUp(self):
        super().setUp()
        self.store = fixtures.unpack("1.6.7-inmem", self.folder / "store")

    def test_taken_folder(self):
        """A set of the other kind, or numbers after which none comes; a name that is of no set does not count."""
        folder = self.folder / "set"
        snap(self.store, "backup", "--format=legacy", "--database=sensu_db", folder)
        (folder / "meta.9999999999999999999").touch()
        before = sorted(os.listdir(folder))
        code, said = snap_code(self.store, "backup", "--format=portable", folder)
        self.assertEqual([code, sorted(os.listdir(folder))], [1, before])
        self.assertIn("holds a legacy set", said)
        snap(self.store, "backup", "--format=legacy", "--database=sensu_db", folder)
        self.assertEqual({name[-2:] for name in set(os.listdir(folder)) - set(before)}, {"01"})
        (folder / "meta.4294967295").touch()
        code, said = snap_code(self.store, "backup", "--format=legacy", "--database=sensu_db", folder)
        self.assertEqual(code, 1)
        self.assertIn("meta.4294967295: no run", said)

    def every_file(self, mnt):
        return sorted(files_in(mnt / "backup/portable", mnt / "backup/legacy", mnt / "backup/portable/sensu_db"))

    def test_any_offset(self):
        """Sizes before the open, ranges in any order, and what gzip and tar make of it."""
        mnt = self.mount(self.store)
        rng = random.Random(1)
        for path in self.every_file(mnt):
            size = os.stat(path).st_size
            self.assertEqual(os.stat(path).st_blocks, -(-size // 512))
            self.assertEqual(os.stat(path).st_mode & 0o7777, 0o400)
            with open(path, "rb", buffering=0) as file:
                tail = os.pread(file.fileno(), 20, max(size - 20, 0))  # its CRC, before anything else
                pieces = [(off, os.pread(file.fileno(), n, off))
                          for off, n in ((rng.randrange(size), rng.randrange(1, 70000)) for _ in range(20))]
                whole = file.read()
            self.assertEqual(len(whole), size)
            self.assertEqual(whole[-20:], tail)
            for off, piece in pieces:
                self.assertEqual(piece, whole[off:off + len(piece)])
            if path.endswith(".gz"):
                whole = gzip.decompress(whole)
            if path.endswith(".gz") or "/legacy/sensu_db" in path:
                with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
                    self.assertFalse([m.name for m in tar if not m.isreg() or not m.name.endswith(".tsm")])
        self.assertEqual(os.stat(mnt / "backup/portable").st_mode & 0o7777, 0o700)

    def test_unchanged(self):
        """The same names, sizes, times and bytes again, after a remount too; and nothing is made for
        a list of them."""
        found = []
        for again in (False, True):
            with self.mounted(self.store) as mnt:
                run("ls", "-lR", mnt / "backup")
                self.assertEqual(bool(self.made(mnt)), not again)
                found.append({os.path.relpath(path, mnt.point): (self.attributes(path), sha256(path), self.attributes(path))
                              for path in self.every_file(mnt)})
        self.assertEqual(found[0], found[1])
        for before, _, after in found[0].values():
            self.assertEqual(before, after)

    def attributes(self, path):
        found = os.stat(path)
        return found.st_size, found.st_mtime_ns, found.st_ino, found.st_blocks

    def made(self, mnt):
        """The files without a name that the daemon keeps what it makes in."""
        return [name for name in held_files(mnt, self.store / "influxfs") if name.endswith("(deleted)")]

    def test_small_meta(self):
        """No user, no password and no query in a portable set; all of them in a legacy one."""
        mnt = self.mount(self.store)
        store = (self.store / "meta/meta.db").read_bytes()
        portable, = (path.read_bytes() for path in (mnt / "backup/portable").glob("*.meta"))
        self.assertIn(b"$2a$", store)
        self.assertNotIn(b"$2a$", portable)
        self.assertNotIn(b"CONTINUOUS QUERY", portable)
        self.assertIn(b"$2a$", (mnt / "backup/legacy/meta.00").read_bytes())
        self.assertIn(b"CONTINUOUS QUERY", (mnt / "backup/legacy/meta.00").read_bytes())
        one, = (path.read_bytes() for path in (mnt / "backup/portable/with space").glob("*.meta"))
        self.assertLess(len(one), len(portable))
        self.assertNotIn(b"sensu_db", one)

    def test_names(self):
        """The set of all databases is listed, those of one are found by name; nothing can be made."""
        mnt = self.mount(self.store)
        self.assertIn("backup", os.listdir(mnt.point))
        self.assertEqual(sorted(os.listdir(mnt / "backup")), ["legacy", "portable"])
        self.assertNotIn("sensu_db", os.listdir(mnt / "backup/portable"))
        self.assertEqual(len(list((mnt / "backup/portable/a.b").glob("*.s*.tar.gz"))), 1)
        for name in ("none", "sensu_db/none", "20160611T000000Z.meta", "20160611T000000Z.manifest", "..."):
            with self.assertRaises(FileNotFoundError):
                os.stat(mnt / "backup/portable" / name)
        for name in ("backup/x", "backup/legacy/x", "backup/portable/sensu_db/x"):
            with self.assertRaises(OSError):
                (mnt / name).mkdir()
        with self.mounted(self.folder / "empty", "mnt-empty") if (self.folder / "empty").mkdir() is None else None as mnt:
            self.assertEqual(os.listdir(mnt / "backup/portable"), [])
            self.assertEqual(os.listdir(mnt / "backup/legacy"), [])

    def test_damaged(self):
        """What cannot be made fails, with the reason, and nothing else does."""
        wal = next(path for path in files_in(self.store / "wal/sensu_db") if os.path.getsize(path) > 100)
        shard = wal.split("/")[-2]
        mnt = self.mount(self.store)
        tsm = next(path for path in files_in(self.store / "data/sensu_db") if path.endswith(".tombstone"))
        mended = open(tsm, "rb").read()
        with open(tsm, "r+b") as file:
            file.seek(6)
            file.write(b"\xff" * 20)
        damaged = tsm.split("/")[-2]
        with self.assertRaisesRegex(OSError, "Input/output"):
            os.stat(next((mnt / "backup/legacy").glob("meta.00")).with_name(f"sensu_db.default.{int(damaged):05}.00"))
        self.assertIn(f"/{damaged}/", json.loads((mnt / "status.json").read_text())["last_error"]["text"])
        if shard != damaged:
            os.stat(mnt / f"backup/legacy/sensu_db.default.{int(shard):05}.00")
        self.assertTrue(mended)


class InstantTest(SetTest):
    """One copy sees one instant, whatever is written meanwhile."""

    def setUp(self):
        super().setUp()
        self.source = self.influxd(self.folder / "store", cache_snapshot_memory_size=2000, compact_full_write_cold_duration="1s")
        self.mnt = self.mount(self.source.root)

    def check_copies(self, copies, load):
        """Each holds all that had been acknowledged before it began, and nothing half."""
        for n, (copy, began, ended) in enumerate(copies):
            with Influxd(self.folder / f"copy-{n}") as other:
                restore_portable(other, copy)
                # It does not wait until the last shard has been taken in.
                if not within(lambda: self.wrong(other, load, began, ended) == [], 60 * PATIENCE, step=0.2):
                    self.assertEqual(load.wrong_points(other, began, ended), [])

    def wrong(self, other, load, began, ended):
        try:
            return load.wrong_points(other, began, ended)
        except InfluxError:
            return None

    def test_tools(self):
        tools = (("cp", "-r"), ("rsync", "-r"), ("rclone", "copy", "--quiet"))
        copies = []
        with Load(self.source) as load:
            time.sleep(1)
            for n, tool in enumerate(tools):
                target = self.folder / f"taken-{n}"
                began = time.monotonic()
                run(*tool, f"{self.mnt / 'backup/portable'}{'/' if tool[0] == 'rsync' else ''}", target)
                copies.append((target, began, time.monotonic()))
                self.assertEqual(len({name[:16] for name in os.listdir(target)}), 1, "more than one instant")
        load.check()
        self.check_copies(copies, load)

    def test_shell(self):
        """The processes of a job find the files that the shell has listed, though the store changes."""
        self.source.run("CREATE DATABASE db")
        self.source.write(["m v=1 1"], "db")
        said = subprocess.Popen(["sh", "-ec", 'cd "$1"; for file in *; do sleep 0.3; sha256sum "$file"; done', "sh",
                                 self.mnt / "backup/portable"], stdout=subprocess.PIPE, text=True)
        for n in range(5):
            self.source.write([f"m v={n} {n}"], "db")
            run("ls", "-l", self.mnt / "backup/portable")
            time.sleep(0.2)
        listed = [line.split("  ")[1] for line in said.communicate(timeout=HANG)[0].splitlines()]
        self.assertEqual(said.returncode, 0)
        self.assertEqual(len(listed), 3)
        self.assertEqual(len({name[:16] for name in listed}), 1)

    def test_slow_legacy(self):
        """A process that copies slowly gets the files that belong to each other; one that begins later
        gets what was written meanwhile."""
        self.source.run("CREATE DATABASE db")
        self.source.write([f"m v={n} {n}" for n in range(100)], "db")
        names = ["meta.00", "db.autogen.00001.00"]
        folder = self.mnt / "backup/legacy"
        self.assertEqual(sorted(os.listdir(folder)), sorted(names))
        before = {name: (folder / name).stat().st_size for name in names}
        self.source.write([f"n v={n} {n}" for n in range(1000)], "db")
        self.source.run("CREATE DATABASE later")
        self.source.write(["m v=1 1"], "later")
        self.assertEqual({name: len((folder / name).read_bytes()) for name in names}, before)
        self.assertFalse((folder / "later.autogen.00002.00").exists())
        self.assertIn("later.autogen.00002.00", run("ls", folder))
        self.assertNotEqual(int(run("stat", "-c", "%s", folder / names[1])), before[names[1]])

    def test_mapped_and_parallel(self):
        """Several readers at once, in one process, at their own offsets."""
        self.source.run("CREATE DATABASE db")
        self.source.write([f"m,t={n % 7} v={n},w={n * n} {n}" for n in range(5000)], "db")
        file, = (self.mnt / "backup/portable").glob("*.s1.tar.gz")
        whole, wrong = file.read_bytes(), []

        def read(seed):
            rng = random.Random(seed)
            with open(file, "rb", buffering=0) as mine:
                for _ in range(100):
                    off = rng.randrange(len(whole))
                    if os.pread(mine.fileno(), 30000, off) != whole[off:off + 30000]:
                        wrong.append((seed, off))
        readers = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        self.assertEqual(wrong, [])
        self.assertEqual(zlib.crc32(gzip.decompress(whole)), int.from_bytes(whole[-8:-4], "little"))


class UnfinishedTest(SetTest):
    """What could not be written whole is not there."""

    def test_full_disk(self):
        if os.geteuid():
            self.skipTest("only root can mount a small file system")
        store = fixtures.unpack("1.6.7-inmem", self.folder / "store")
        for form in ("portable", "legacy"):
            disk = self.folder / form
            disk.mkdir()
            run("mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk)
            self.addCleanup(run, "umount", disk)
            done = subprocess.run([SNAP, "-c", store, "backup", f"--format={form}", disk / "set"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("No space left on device", done.stderr)
            self.assertEqual(os.listdir(disk / "set"), [])
            run("mount", "-o", "remount,size=10m", disk)
            run(SNAP, "-c", store, "backup", "--format=portable", disk / "set")
            self.assertEqual(len(list((disk / "set").glob("*.manifest"))), 1)

    def test_killed(self):
        """Neither manifest nor metastore; the next run goes on beside what is left."""
        store = fixtures.unpack("1.6.7-inmem", self.folder / "store")
        for form, last in (("portable", "*.manifest"), ("legacy", "meta.*")):
            folder = self.folder / form
            said = subprocess.Popen([SNAP, "-c", store, "backup", f"--format={form}", folder],
                                    stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            said.stderr.readline()
            said.kill()
            said.communicate(timeout=HANG)
            if said.returncode == -9:
                self.assertEqual(list(folder.glob(last)), [])
            done = subprocess.run([SNAP, "-c", store, "backup", f"--format={form}", "--quiet", folder],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0 if form == "portable" else 6)
            self.assertEqual(len(list(folder.glob(last))), 1)
            self.assertFalse([name for name in os.listdir(folder) if name.startswith(".")])


class EnterpriseTest(SetTest):
    """What the metastore of a cluster may hold: a group of several shards, one of which is empty here,
    groups without any, and owners."""

    def test_groups(self):
        store = HandmadeStore(self.folder / "store")
        for n in range(2):
            store.shard("db", wal={"_00001.wal": wal_entry(n)})
        store.shard("db")
        self.assertEqual(store.last_id, 3)

        def group(number, day, ids):
            shards_of = [(5, message((1, shard), (3, message((1, 4))))) for shard in ids]
            return 5, message((1, number), (2, day * DAY), (3, (day + 1) * DAY), (4, 0), *shards_of)
        policy = message((1, "autogen"), (2, 0), (3, DAY), (4, 1), group(1, 0, (1, 3)), group(2, 1, ()), group(3, 2, (2,)))
        (store.root / "meta").joinpath("meta.db").write_bytes(message(
            (1, 1), (2, 1), (3, 1), (5, message((1, "db"), (2, "autogen"), (3, policy))), (7, 4), (8, 3), (9, 3)))
        source = self.influxd(store.root)
        expected = {("db", "autogen"): points(source, "db", "autogen")}
        self.assertIn(b'"m"', expected["db", "autogen"])
        mnt = self.mount(store.root)
        for other in (self.restored(mnt / "backup/portable"), self.offline(mnt / "backup/legacy", ["db"])):
            self.check_same(expected, other)
            other.write([f"m v={n}i {n * DAY + 7}" for n in range(3)], "db")  # into each of the groups
            self.assertEqual(len(set(shard for shard, _, _ in shards(other))), 4)


class ManyTest(SetTest):
    """So many databases that the real server may fail to read the metadata of all."""

    def test_many(self):
        store = HandmadeStore(self.folder / "store")
        for n in range(300):
            store.shard(f"database_{n}", wal={"_00001.wal": wal_entry(n)})
            for policy in range(4):
                store.database(f"database_{n}", f"policy_with_a_long_name_{policy}")
        for n in range(20):
            store.database(f"empty_{n}")
        source = self.influxd(store.write_meta())
        expected = everything(source)
        self.assertEqual(len(expected), 300)
        meta = (store.root / "meta/meta.db").stat().st_size
        self.assertGreater(meta, 65536)
        mnt = self.mount(source.root)
        file, = (mnt / "backup/portable").glob("*.meta")
        self.assertLess(file.stat().st_size, meta)
        one = self.influxd(self.folder / "one")
        for _ in range(10):
            restore_portable(one, mnt / "backup/portable/database_7")
            self.check_same({("database_7", "autogen"): expected["database_7", "autogen"]}, one)
            one.run("DROP DATABASE database_7")
        other = self.restored(mnt / "backup/portable")
        self.check_same(expected, other)
        self.assertEqual(len(other.run("SHOW DATABASES")[0]["values"]), 300)  # but for those without points
        self.assertEqual(len(other.run("SHOW RETENTION POLICIES ON database_7")[0]["values"]), 5)
        self.assertIn("database empty_7: it has no points", next((mnt / "backup/portable").glob("*.left_out")).read_text())
