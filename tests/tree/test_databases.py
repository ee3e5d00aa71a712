"""databases/DB.tar and influxsnap backup of a part: each is a store of what was selected, and of nothing else."""

import gzip
import json
import os
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime

from lib import fixtures
from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, snap, snap_code
from lib.files import FIXTURES, HANG, run, sha256, wait_until
from lib.influxd import Influxd
from lib.points import Served, names
from lib.stores import HandmadeStore, tsm

HOUR = 3600 * 10**9
DAY = 24 * HOUR
LONG = "l" * 255
NAMES = ["a.b", "x y", "ü", "-rf", "%", LONG]


def file_of(database):
    """Its name in databases/."""
    if database == LONG:
        return f"{LONG[:180]}~{run('sh', '-c', f'printf %s {LONG} | sha256sum')[:16]}.tar"
    return database.replace("%", "%25") + ".tar"


def cells(influxd, database):
    return {cell for cell in Served(influxd).cells if cell[0] == database}


def shards_of(influxd):
    """[(database, id, start, end), …], the times as numbers."""
    def nanoseconds(text):
        return int(datetime.fromisoformat(text).timestamp()) * 10**9

    rows = [dict(zip(series["columns"], row)) for series in influxd.run("SHOW SHARDS") for row in series.get("values", [])]
    return sorted((row["database"], str(row["id"]), nanoseconds(row["start_time"]), nanoseconds(row["end_time"]))
                  for row in rows)


def without_null_tags(found):
    """A server that knows no series with a tag does not say that the tag is empty."""
    return {(*cell[:3], tuple(tag for tag in cell[3] if tag[1]), *cell[4:]) for cell in found}


def within(cell, shard):
    return cell[0] == shard[0] and shard[2] <= cell[4] < shard[3]


class PartTest(StoreTest):
    """self.source: an influxd with databases, whose points lie in files, tombstones and the WAL."""

    def begin(self, databases, index="inmem", days=16):
        self.source = self.influxd(self.folder / "source", index=index)
        for database in databases:
            self.source.run(f'CREATE DATABASE "{database}"')
            self.source.write([f"m,host=a v={n},s=\"of {n}\" {n * 6 * HOUR}" for n in range(days * 4)], database)
        self.source.restart()  # what is in the WAL goes into files when the cache is full, or by a delete
        for number, database in enumerate(databases):
            self.source.run(f"DELETE FROM m WHERE time > {number + 2}d AND time < {number + 4}d", database)
            self.source.write([f"m,host=a v={n * 10} {n * 6 * HOUR}" for n in range(20)], database)
            self.source.write([f"other\\,\\ one,host={n} i={n}i {n * DAY}" for n in range(days)], database)
        return self.source

    def unpacked(self, *tars, name="unpacked"):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in tars:
            with tarfile.open(path) as tar:
                tar.extractall(folder, filter="fully_trusted")
        return folder

    def check(self, tar, wanted, databases, index="inmem"):
        """An influxd on what was unpacked answers this, and knows these databases alone."""
        with Influxd(self.unpacked(tar), index=index) as other:
            self.assertEqual(sorted(names(other, "SHOW DATABASES")), sorted(databases))
            self.assertEqual(Served(other).cells, wanted)


class DatabasesTest(PartTest):
    def each_alone(self, databases, index):
        source = self.begin(databases + ["other"], index)
        mnt = self.mount(source.root)
        self.assertEqual(set(os.listdir(mnt / "databases")), {file_of(name) for name in databases + ["other"]})
        for database in databases:
            with self.subTest(database=database):
                copy = self.folder / "copy.tar"
                run("cp", mnt / "databases" / file_of(database), copy)
                archive = Archive(copy)
                self.assertEqual((archive.manifest["kind"], archive.manifest["selection"]),
                                 ("database", {"databases": [database]}))
                self.check(copy, cells(source, database), [database], index)

    def test_each_alone(self):
        self.each_alone(NAMES, "inmem")

    def test_each_alone_tsi1(self):
        self.each_alone(["a.b", "ü"], "tsi1")

    def test_fixtures(self):
        """Stores of three versions: each answer for a database is what that database alone gives."""
        for name in fixtures.NAMES:
            store = fixtures.unpack(name, self.folder / name)
            mnt = self.mount(store, name=f"mnt-{name}")
            answers = json.loads(gzip.decompress((FIXTURES / name / "answers.json.gz").read_bytes()))
            databases = {answer["db"] for answer in answers if answer["db"]}
            self.assertTrue(databases)
            for database in sorted(databases):
                with self.subTest(name=name, database=database):
                    unpacked = self.unpacked(mnt / "databases" / file_of(database))
                    with Influxd(unpacked, index=fixtures.index_of(name)) as other:
                        self.assertEqual(names(other, "SHOW DATABASES"), [database])
                        for answer in answers:
                            if answer["db"] == database:
                                self.assertEqual(other.query(answer["query"], database).decode(), answer["body"])

    def test_stays_while_others_change(self):
        source = self.begin(["a", "b"])
        mnt = self.mount(source.root)
        tar = mnt / "databases/a.tar"

        def seen():
            return run("stat", "-c", "%s %y %i", tar), run("sha256sum", tar)

        first = seen()
        mirror = self.folder / "mirror"
        self.assertIn("a.tar", run("rsync", "-ai", f"{mnt.point}/databases/", mirror))
        source.write([f"m v={n} {n * 100 * DAY}" for n in range(9)], "b")
        source.run("CREATE DATABASE c")
        source.run("CREATE USER u WITH PASSWORD 'p'")
        source.run("GRANT ALL ON b TO u")
        self.assertEqual(seen(), first)
        self.assertNotIn("a.tar", run("rsync", "-ai", f"{mnt.point}/databases/", mirror))
        self.assertEqual(run("rsync", "-ai", f"{mnt.point}/databases/", mirror), "")
        mnt.close()
        with self.mounted(source.root):
            self.assertEqual(seen(), first)
            self.assertNotIn("tar", run("rsync", "-ai", f"{self.folder}/mnt/databases/", mirror))
            source.run("DROP DATABASE b")
            self.assertEqual(seen(), first)
            source.write([f"m v=1 {400 * DAY}"], "a")
            self.assertNotEqual(seen(), first)
            changed = seen()
            source.run("GRANT READ ON a TO u")
            self.assertNotEqual(seen()[1], changed[1])

    def test_users(self):
        """Those with a grant on it, with that alone; no hash of anybody else."""
        source = self.begin(["a", "b"])
        for query in ("CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES", "CREATE USER ann WITH PASSWORD 'a'",
                      "CREATE USER bob WITH PASSWORD 'b'", "GRANT READ ON a TO ann", "GRANT ALL ON b TO ann",
                      "GRANT ALL ON b TO bob",
                      "CREATE CONTINUOUS QUERY q ON a BEGIN SELECT mean(v) INTO avg FROM m GROUP BY time(1h) END",
                      "CREATE CONTINUOUS QUERY r ON b BEGIN SELECT mean(v) INTO avg FROM m GROUP BY time(1h) END"):
            source.run(query)
        mnt = self.mount(source.root)
        hashes = (source.root / "meta/meta.db").read_bytes().count(b"$2a$")
        self.assertEqual(hashes, 3)
        store = self.unpacked(mnt / "databases/a.tar")
        self.assertEqual((store / "meta/meta.db").read_bytes().count(b"$2a$"), 1)
        for word in (b"root", b"bob"):
            self.assertEqual((store / "meta/meta.db").read_bytes().count(word), 0)
        with Influxd(store) as other:
            self.assertEqual(other.run("SHOW USERS")[0]["values"], [["ann", False]])
            self.assertEqual(other.run("SHOW GRANTS FOR ann")[0]["values"], [["a", "READ"]])
            queries = {row["name"]: row.get("values") for row in other.run("SHOW CONTINUOUS QUERIES")}
            self.assertEqual([query[0] for query in queries["a"]], ["q"])
            self.assertNotIn("b", queries)
            other.write([f"m v=1 {1000 * DAY}"], "a")  # its next ids are free

    def test_internal(self):
        source = self.begin(["a", "_internal"])
        mnt = self.mount(source.root)
        run("cp", mnt / "databases/_internal.tar", self.folder / "copy.tar")
        self.assertEqual(Archive(self.folder / "copy.tar").manifest["selection"], {"databases": ["_internal"]})

    def test_one_instant_while_it_changes(self):
        """What a process has seen of all of them is what it reads, however slowly."""
        source = self.begin(["a", "b"])
        mnt = self.mount(source.root)
        sizes = {name: os.stat(mnt / "databases" / name).st_size for name in os.listdir(mnt / "databases")}
        for number in range(5):
            source.write([f"m v={n} {(number * 9 + n) * 10 * DAY}" for n in range(9)], "a")
            source.write([f"m v={n} {(number * 9 + n) * 10 * DAY}" for n in range(9)], "b")
        ids = set()
        for name, size in sizes.items():
            content = (mnt / "databases" / name).read_bytes()
            self.assertEqual(len(content), size)
            (self.folder / name).write_bytes(content)
            ids.add(Archive(self.folder / name).manifest["created"])
        self.assertEqual(len(ids), 1)
        self.assertNotEqual(int(run("stat", "-c", "%s", mnt / "databases/a.tar")), sizes["a.tar"])

    def test_names_that_are_not_there(self):
        store = HandmadeStore(self.folder / "store")
        store.shard("a_b", tsm={"000000001-000000001.tsm": tsm(b"x")})
        store.database("empty")
        mnt = self.mount(store.write_meta())
        self.assertEqual(sorted(os.listdir(mnt / "databases")), ["a_b.tar", "empty.tar"])
        for name in ("a_b", "A_b.tar", ".tar", "a_b.tar.tar", "a_b.tar~", ".a_b.tar.x1", "%61_b.tar", "n.tar"):
            with self.assertRaises(FileNotFoundError):
                os.stat(mnt / "databases" / name)
        with self.assertRaises(OSError):
            os.stat(mnt / "databases" / ("n" * 300))
        for make in (lambda: (mnt / "databases/new.tar").write_bytes(b""), lambda: os.mkdir(mnt / "databases/x"),
                     lambda: os.unlink(mnt / "databases/empty.tar")):
            with self.assertRaises(OSError):
                make()
        empty = Archive(mnt / "databases/empty.tar")
        self.assertEqual(empty.files(), ["meta/meta.db"])

    def test_a_store_that_cannot_be_captured(self):
        store = HandmadeStore(self.folder / "store")
        store.shard("a", tsm={"000000001-000000001.tsm": tsm(b"x")})
        store.shard("b", tsm={"000000001-000000001.tsm": tsm(b"x")})
        mnt = self.mount(store.write_meta())
        shutil.rmtree(store.root / "data/a/autogen/1")
        (store.root / "data/a/autogen/1").write_text("no folder")
        self.assertIn("Input/output error", subprocess.run(
            ["ls", mnt / "databases"], capture_output=True, text=True, timeout=HANG).stderr)
        self.assertIn("data/a/autogen/1", json.loads((mnt / "status.json").read_text())["last_error"]["text"])

    def test_without_a_store(self):
        (self.folder / "none").mkdir()
        mnt = self.mount(self.folder / "none")
        self.assertEqual(os.listdir(mnt / "databases"), [])
        with self.assertRaises(FileNotFoundError):
            os.stat(mnt / "databases/a.tar")

    def test_three_hundred(self):
        store = HandmadeStore(self.folder / "store")
        for number in range(300):
            for policy in range(2):
                store.shard(f"database {number}", policy=f"policy {policy}",
                            tsm={"000000001-000000001.tsm": tsm(bytes([number % 256]))})
        mnt = self.mount(store.write_meta())
        self.assertEqual(len(run("ls", "-l", mnt / "databases").splitlines()), 301)
        with (store.root / "data/database 7/policy 0/15/000000002-000000001.tsm").open("wb") as file:
            file.write(tsm(b"more"))
        self.assertEqual(len(run("ls", "-l", mnt / "databases").splitlines()), 301)
        got = run("sh", "-c", f"cat {mnt.point}/databases/*.tar | wc -c")
        self.assertEqual(int(got), sum(os.stat(mnt / "databases" / name).st_size for name in os.listdir(mnt / "databases")))


class BackupTest(PartTest):
    """influxsnap backup of a part."""

    def backup(self, *words, path="part.tar"):
        return json.loads(snap(self.source.root, "backup", self.folder / path, "--json", "--quiet", *words))

    def refused(self, words, said, code=1, path="refused.tar"):
        got = snap_code(self.source.root, "backup", self.folder / path, *words)
        self.assertEqual(got[0], code, got)
        self.assertIn(said, got[1])
        self.assertFalse(any(name.startswith("refused") for name in os.listdir(self.folder)))

    def test_some_databases(self):
        source = self.begin(["a", "b", "c"])
        self.assertEqual(self.backup("--database=c:a")["kind"], "database")
        self.check(self.folder / "part.tar", cells(source, "a") | cells(source, "c"), ["a", "c"])
        self.backup("--exclude=b", path="rest.tar")
        self.check(self.folder / "rest.tar", cells(source, "a") | cells(source, "c"), ["a", "c"])
        self.assertEqual(Archive(self.folder / "rest.tar").manifest["selection"], {"exclude": ["b"]})
        self.backup("--database=c:a", "--exclude=c", path="one.tar")
        self.check(self.folder / "one.tar", cells(source, "a"), ["a"])
        source.run("DROP DATABASE b")  # which is not asked for by mistake where a chain goes on
        source.write(["m v=1"], "a")
        self.assertEqual(self.backup("--exclude=b", path="rest.tar")["number"], 0)
        self.refused(["--exclude=b"], "there is no database b")
        self.backup("--exclude=_internal", path="internal.tar")

    def test_to_standard_output_and_compressed(self):
        source = self.begin(["a", "b"])
        with (self.folder / "out.tar").open("wb") as out:
            subprocess.run([INFLUXSNAP, "-c", source.root, "backup", "--database=a", "--quiet", "-"], stdout=out,
                           check=True, timeout=HANG)
        self.check(self.folder / "out.tar", cells(source, "a"), ["a"])
        self.backup("--database=a", "--compress=gzip")
        run("sh", "-c", f"gzip -dc {self.folder}/part.tar > {self.folder}/plain.tar")
        archive = Archive(self.folder / "plain.tar")
        self.assertEqual(archive.manifest["id"], Archive(self.folder / "out.tar").manifest["id"])
        self.assertIn("good, database", snap(source.root, "verify", self.folder / "part.tar"))

    def test_policy(self):
        source = self.begin(["a", "b"])
        source.run("CREATE RETENTION POLICY raw ON a DURATION INF REPLICATION 1")
        source.write([f"m,host=a v={n} {n * DAY}" for n in range(20)], "a", "raw")
        self.backup("--rp=raw")
        wanted = {cell for cell in cells(source, "a") if cell[1] == "raw"}
        self.assertEqual(len(wanted), 20)
        with Influxd(self.unpacked(self.folder / "part.tar")) as other:
            self.assertEqual(Served(other).cells, wanted)
            self.assertEqual(names(other, "SHOW RETENTION POLICIES", "a"), ["raw"])
            self.assertEqual(other.run("SELECT count(v) FROM m", "a")[0]["values"][0][1], 20)  # the default now

    def test_shards(self):
        source = self.begin(["a", "b"], days=40)
        shards = shards_of(source)
        chosen = [shard for shard in shards if shard[0] == "a"][1:3] + [shard for shard in shards if shard[0] == "b"][:1]
        self.backup(f"--shard={':'.join(shard[1] for shard in chosen)}")
        wanted = {cell for cell in Served(source).cells if any(within(cell, shard) for shard in chosen)}
        self.assertGreater(len(wanted), 10)
        self.check(self.folder / "part.tar", wanted, ["a", "b"])

    def range_of(self, index, *words):
        source = self.begin(["a", "b"], index, days=40)
        self.backup("--database=a", "--from=1970-01-05T07:30:00Z", "--to=1970-01-26T00:00:00Z", *words)
        return source, 4 * DAY + 7.5 * HOUR, 25 * DAY

    def test_range_of_whole_shards(self):
        source, start, end = self.range_of("inmem")
        shards = [shard for shard in shards_of(source) if shard[0] == "a"]
        kept = [shard for shard in shards if shard[2] < end and shard[3] > start]
        self.assertLess(len(kept), len(shards))
        wanted = {cell for cell in cells(source, "a") if any(within(cell, shard) for shard in kept)}
        self.check(self.folder / "part.tar", wanted, ["a"])

    def exact(self, index):
        source, start, end = self.range_of(index, "--exact")
        wanted = {cell for cell in cells(source, "a") if start <= cell[4] < end}
        self.assertGreater(len(wanted), 50)
        self.check(self.folder / "part.tar", wanted, ["a"], index)
        self.assertIn("good, database", snap(source.root, "verify", self.folder / "part.tar"))
        self.assertFalse(self.backup("--database=a", "--from=1970-01-05T07:30:00Z", "--to=1970-01-26T00:00:00Z",
                                     "--exact")["written"])

    def test_exact(self):
        self.exact("inmem")

    def test_exact_tsi1(self):
        self.exact("tsi1")

    def test_exact_of_fixtures(self):
        """With tombstones, overlapping files and a WAL: half of the points, by their times."""
        for name in ("1.6.7-inmem", "1.6.7-tsi1"):
            store = fixtures.unpack(name, self.folder / name)
            self.source = self.influxd(self.folder / "second", index=fixtures.index_of(name))
            self.source.kill()
            shutil.copytree(store, self.folder / "second", dirs_exist_ok=True)
            self.source.start()
            wanted = Served(self.source).cells
            times = sorted(cell[4] for cell in wanted)
            start, end = (datetime.fromtimestamp(times[len(times) * part // 4] // 10**9, UTC) for part in (1, 3))
            snap(store, "backup", self.folder / f"{name}.tar", f"--from={start:%FT%TZ}", f"--to={end:%FT%TZ}", "--exact")
            inside = {cell for cell in wanted if start.timestamp() * 10**9 <= cell[4] < end.timestamp() * 10**9}
            self.assertTrue(0 < len(inside) < len(wanted))
            with Influxd(self.unpacked(self.folder / f"{name}.tar"), index=fixtures.index_of(name)) as other:
                self.assertEqual(without_null_tags(Served(other).cells), without_null_tags(inside))
            self.source.kill()
            shutil.rmtree(self.folder / "second")

    def test_chain(self):
        """Numbers follow, of the same selection alone; what others do is no change."""
        source = self.begin(["a", "b"])
        first = self.backup("--database=a")
        self.assertEqual((first["kind"], first["number"]), ("database", None))
        source.write([f"m v=1 {800 * DAY}"], "b")
        source.run("CREATE DATABASE c")
        self.assertFalse(self.backup("--database=a")["written"])
        for number in range(2):
            source.write([f"m v=1 {(500 + 100 * number) * DAY}"], "a")
            done = self.backup("--database=a")
            self.assertEqual((done["kind"], done["number"]), ("incremental", number))
        source.run("DROP SHARD " + shards_of(source)[0][1])
        self.assertGreater(self.backup("--database=a", "--guard=off")["removed"], 0)
        said = snap(source.root, "verify", self.folder / "part.tar")
        self.assertEqual(said.count(": good"), 4)
        manifest = Archive(self.folder / "part.tar.1").manifest
        self.assertEqual((manifest["kind"], manifest["selection"]), ("incremental", {"databases": ["a"]}))
        before = {name: sha256(self.folder / name) for name in os.listdir(self.folder) if name.startswith("part")}
        for words in ((), ("--database=b",), ("--database=a:b",), ("--database=a", "--rp=autogen"),
                      ("--database=a", "--from=1970-01-01T00:00:00Z")):
            self.refused(words, "what lies there is of another selection: database a", path="part.tar")
        snap(source.root, "backup", self.folder / "whole.tar", "--quiet")
        self.refused(["--database=a"], "of another selection: the whole store, not database a", path="whole.tar")
        self.assertEqual({name: sha256(self.folder / name) for name in before}, before)

    def test_chains_of_a_part_are_not_served(self):
        source = self.begin(["a", "b"])
        self.backup("--database=a")
        self.refused(["--host=localhost"], "of another selection: database a, not the whole store", path="part.tar")
        with tarfile.open(self.folder / "part.tar") as tar:
            manifest = tar.extractfile("manifest").read()
        asked = b"POST /snapshot HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(manifest)
        answer = subprocess.run([INFLUXSNAP, "-c", source.root, "serve"], input=asked + manifest, capture_output=True,
                                timeout=HANG).stdout
        self.assertIn(b" 400 ", answer.split(b"\r\n")[0])
        self.assertIn(b"only whole stores are served", answer)

    def test_internal_counts_if_it_is_named(self):
        source = self.begin(["_internal"])
        self.backup("--database=_internal")
        source.write(["m v=1 7"], "_internal")
        self.assertTrue(self.backup("--database=_internal")["written"])

    def test_left_out_of_the_part(self):
        source = self.begin(["a", "b"])
        source.stop()
        for database in ("a", "b"):
            (source.root / f"data/{database}/autogen/{'98' if database == 'a' else '99'}").mkdir()
            (source.root / f"data/{database}/autogen/{'98' if database == 'a' else '99'}/000000001-000000001.tsm").write_bytes(tsm(b"x"))
        code, said = snap_code(source.root, "backup", self.folder / "part.tar", "--database=a", "--json", "--quiet")
        self.assertEqual(code, 6, said)
        self.assertIn("a/autogen/98", said)
        self.assertNotIn("b/autogen/99", said)
        self.assertEqual([left["name"] for left in Archive(self.folder / "part.tar").manifest["left_out"]], ["a/autogen/98"])

    def test_refused(self):
        self.begin(["a", "b"])
        for words, said, code in (
                (["--database=A"], "there is no database A; there are a, b", 1),
                (["--database=a:"], "the name of a database is empty", 2),
                (["--database="], "the name of a database is empty", 2),
                (["--database=a:../b"], "there is no database ../b", 1),
                (["--database=a", "--rp=x"], "no retention policy x; there are a.autogen", 1),
                (["--exclude=a:b"], "all that there are are excluded", 1),
                (["--exclude=c"], "there is no database c; there are a, b", 1),
                (["--database=a", "--exclude=a"], "no database is selected", 1),
                (["--shard=1x"], "not the ids of shards", 2), (["--shard=-1"], "not the ids of shards", 2),
                (["--shard=99999999999999999999"], "not the ids of shards", 2),
                (["--shard=4711"], "no shard 4711; there are 1 of a.autogen", 1),
                (["--from=2030-01-01T00:00:00Z"], "there are times from 19", 1),
                (["--from=2030-01-01T00:00:00Z", "--to=2029-01-01T00:00:00Z"], "--from is not before --to", 2),
                (["--from=yesterday"], "not a time", 2), (["--exact"], "--exact needs --from", 2),
                (["--database=a", "--host=localhost"], "--host takes the whole store", 2)):
            with self.subTest(words=words):
                self.refused(words, said, code)

    def test_damage_stands_in_the_way_of_a_cut(self):
        source = self.begin(["a"])
        source.stop()
        with Influxd(source.root, cache_snapshot_memory_size=1) as again:
            again.write(["m v=1 1"], "a")
            # The one that is cut.
            wait_until(lambda: list(source.root.glob("data/a/autogen/2/*.tsm")), 60, "a flush", step=0.1)
        for path in source.root.glob("data/a/autogen/*/*.tsm"):
            data = bytearray(path.read_bytes())
            data[12] ^= 1
            path.write_bytes(data)
        self.refused(["--to=1970-01-05T07:30:00Z", "--exact"], ".tsm: damaged")
