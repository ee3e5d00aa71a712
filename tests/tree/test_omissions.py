"""Nothing is left out in silence: links, folders in every form, ids used twice, files set aside."""

import errno
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumptree import day_path
from lib.files import run
from lib.influxd import Influxd
from lib.stores import HandmadeStore, tsm, wal_entry

DONE, FAILED, OMISSIONS = 0, 1, 6
START, HOUR = 1499990400000000000, 3600 * 10**9
FIRST = "000000001-000000001"
NOBODY = ("setpriv", "--reuid=nobody", "--clear-groups")


class OmissionTest(StoreTest):
    def call(self, *words, code=DONE, store=None, prefix=()):
        done = subprocess.run([*prefix, INFLUXSNAP, "-c", str(store or self.store), *map(str, words)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def said(self, text):
        """The lines on stderr that are no progress."""
        return [line for line in text.splitlines() if line.startswith("influxsnap: ")]


class ServedTest(OmissionTest):
    """Against a real influxd: what it serves is in the backup, or the backup says what is not."""

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.slow = self.folder / "slow"
        self.slow.mkdir()
        self.path = self.folder / "b.tar"

    def fill(self, **how):
        """Three shards with a point each."""
        with Influxd(self.store, **how) as influxd:
            influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"')
            for hour in range(3):
                influxd.write([f"m v={hour} {START + hour * HOUR}"], "db")
            influxd.stop()

    def served(self, root):
        with Influxd(root) as influxd:
            rows = [row for series in influxd.run("SELECT * FROM m", "db") for row in series["values"]]
            influxd.stop()
        return rows

    def move_away(self, place):
        """What people do with cold shards."""
        target = self.slow / place.replace("/", "-")
        shutil.move(self.store / place, target)
        (self.store / place).symlink_to(target)
        return target

    def restored(self, *words):
        other = self.folder / "other"
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        self.call("restore", *words, store=other)
        return other

    def test_linked_shards(self):
        for index, flushed in (("inmem", False), ("tsi1", True)):
            with self.subTest(index=index):
                shutil.rmtree(self.store, ignore_errors=True)
                shutil.rmtree(self.slow)
                self.slow.mkdir()
                self.fill(index=index, **({"cache_snapshot_memory_size": 1} if flushed else {}))
                self.call("cut")
                links = [self.move_away(place) for place in ("data/db/rp/1", "wal/db/rp/1", "wal/db/rp/2")]
                rows = self.served(self.store)
                self.assertEqual([row[1] for row in rows], [0, 1, 2])
                self.path.unlink(missing_ok=True)
                out, err = self.call("backup", "--json", self.path)
                wanted = [f"{place} -> {target}" for place, target in
                          zip(("data/db/rp/1", "wal/db/rp/1", "wal/db/rp/2"), links)]
                self.assertEqual(json.loads(out)["links"], wanted)
                self.assertEqual(json.loads(out)["left_out"], [])
                self.assertIn("3 folders behind a symbolic link", err)
                self.assertEqual(Archive(self.path).manifest["links"], wanted)
                self.assertEqual(self.call("dump", "db")[0].count("m v="), 3)
                other = self.restored(self.path)
                self.assertFalse([path for path in other.rglob("*") if path.is_symlink()])
                self.assertEqual(self.served(other), rows)
                # Cuts: the files are where they were, for all that a cut says.
                self.call("cut")
                self.call("prune", "--keep=0")
                with self.mounted(self.store) as mnt:
                    shutil.copy(mnt / "at/latest.tar", self.folder / "latest.tar")
                    shutil.copy(mnt / "snapshots/now.tar", self.folder / "now.tar")
                    status = json.loads((mnt / "status.json").read_text())["last_capture"]
                self.assertEqual(status["links"], wanted)
                for tar in ("latest.tar", "now.tar"):
                    self.assertEqual(self.served(self.restored(self.folder / tar)), rows)

    def test_links_that_influxd_does_not_follow(self):
        for place in ("data/db", "data/db/rp"):
            with self.subTest(place=place):
                shutil.rmtree(self.store, ignore_errors=True)
                self.fill()
                self.move_away(place)
                for words in (("backup", self.path), ("cut",), ("dump", "db")):
                    self.assertIn(f"{place}: is a symbolic link", self.call(*words, code=FAILED)[1])
                self.assertEqual(self.served(self.store), [])
                self.assertFalse(self.path.exists())

    def test_metastore_begun_anew(self):
        self.fill()
        shutil.rmtree(self.store / "meta")
        with Influxd(self.store) as influxd:
            influxd.run("CREATE DATABASE other")
            for week in range(5):
                influxd.write([f"x v={week} {START + week * 7 * 24 * HOUR}"], "other")
            rows = influxd.run("SELECT * FROM x", "other")[0]["values"]
            self.assertEqual(len(rows), 5)
            for words in (("backup", self.path), ("cut",), ("dump", "other"), ("backup", "--allow-left-out", self.path),
                          ("backup", "--database=other", self.path), ("backup", "--database=other", "--shard=1", self.path)):
                said = self.said(self.call(*words, code=FAILED)[1])
                self.assertRegex(said[-1], r"data/db/rp/\d: meta\.db does not list it, and gives its id")
            influxd.stop()
        self.assertFalse(self.path.exists())

    def test_a_missing_folder_whose_wal_has_points(self):
        self.fill()
        shutil.rmtree(self.store / "data/db/rp/2")
        self.assertEqual(len(self.served(self.store)), 2)
        self.assertIn("data/db/rp/2", self.call("backup", self.path, code=FAILED)[1])
        # Without them there is nothing that could be missed: influxd makes the folder with a point.
        shutil.rmtree(self.store / "wal/db/rp/2")
        self.call("backup", self.path)
        self.assertEqual(len(self.served(self.restored(self.path))), 2)

    def test_a_file_that_influxd_sets_aside(self):
        self.fill(cache_snapshot_memory_size=1)
        with Influxd(self.store, cache_snapshot_memory_size=1, cache_snapshot_write_cold_duration="1s") as influxd:
            influxd.stop()
        shard = self.store / "data/db/rp/1"
        (shard / f"{FIRST}.tsm").write_bytes(b"no TSM file")
        self.served(self.store)
        self.assertTrue((shard / f"{FIRST}.tsm.bad").exists())
        out, err = self.call("backup", "--json", self.path, code=OMISSIONS)
        self.assertEqual(json.loads(out)["left_out"], [
            {"name": f"data/db/rp/1/{FIRST}.tsm.bad", "files": 1, "bytes": 11, "why": "bad"}])
        self.assertIn(f"data/db/rp/1/{FIRST}.tsm.bad (set aside by influxd, 11 bytes)", err)


    def settled_backup(self):
        """On a busy machine a drop may take longer than the five seconds that a capture waits."""
        for _ in range(20):
            done = subprocess.run([INFLUXSNAP, "-c", self.store, "backup", "--json", self.path], text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True)
            if done.returncode != FAILED or "kept changing; try again" not in done.stderr:
                break
        self.assertEqual(done.returncode, DONE, done.stderr)
        return done.stdout

    def test_ordinary_work_is_no_omission(self):
        """Databases and shards come and go: nothing of that may raise an alarm."""
        errors, stop = [], threading.Event()
        with Influxd(self.store, cache_snapshot_memory_size=1000) as influxd:
            influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"')
            influxd.write([f"m v={hour} {START + hour * HOUR}" for hour in range(20)], "db")

            def churn(name):
                try:
                    for turn in range(1000):
                        if stop.is_set():
                            return
                        influxd.run(f'CREATE DATABASE {name} WITH DURATION INF SHARD DURATION 1h NAME "rp"')
                        influxd.write([f"m v={hour} {START + hour * HOUR}" for hour in range(8)], name)
                        for shard in influxd.run("SHOW SHARDS"):
                            for row in shard.get("values", [])[:2]:
                                if shard["name"] == name:
                                    influxd.run(f"DROP SHARD {row[0]}")
                        influxd.run(f"DROP DATABASE {name}")
                        stop.wait(0.1)  # a store that never settles is another matter
                except Exception as error:  # told below: a thread's own ends in silence
                    errors.append(error)

            threads = [threading.Thread(target=churn, args=(f"churn{number}",)) for number in range(2)]
            for thread in threads:
                thread.start()
            try:
                for _ in range(30):
                    self.path.unlink(missing_ok=True)
                    out = self.settled_backup()
                    self.assertEqual(json.loads(out)["left_out"], [])
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            self.assertEqual(errors, [])
            influxd.stop()

    def test_damage_in_the_wal(self):
        """What influxd has in its cache, and cannot read at its next start."""
        with Influxd(self.store) as influxd:
            influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME "rp"')
            segment = self.store / "wal/db/rp/1/_00001.wal"
            ends = [0]
            for n in range(10):
                influxd.write([f"m v={n} {START + n}"], "db")
                ends.append(segment.stat().st_size)
            self.call("backup", self.path)
            with self.mounted(self.store, name="before") as mnt:
                damaged = []
                for _ in range(2):
                    run("cp", mnt / "snapshots/now.tar", self.folder)  # a process gets the same one again
                    damaged += json.loads((mnt / "status.json").read_text())["last_capture"]["damaged"]
                    with segment.open("r+b") as file:
                        file.seek(ends[4] + 7)
                        file.write(b"\xff\xff")
            self.assertEqual(influxd.run("SELECT COUNT(v) FROM m", "db")[0]["values"][0][1], 10)
            words = (f"wal/db/rp/1/_00001.wal: damaged at byte {ends[4]}: "
                     f"the {ends[10] - ends[4]} bytes from there on are not in the snapshot")
            self.assertEqual(damaged, [words])
            for _ in range(2):
                self.path.unlink()
                out, err = self.call("backup", "--json", self.path, code=OMISSIONS)
                self.assertEqual(json.loads(out)["damaged"], [words])
                self.assertEqual([line for line in self.said(err) if "damaged" in line], [f"influxsnap: warning: {words}"])
                out, err = self.call("cut", "--json", code=OMISSIONS)
                self.assertEqual(json.loads(out)["damaged"], [words])
            self.check_dumps(words)
        restored = self.restored(self.path)
        self.assertEqual([row[1] for row in self.served(restored)], [0, 1, 2, 3])

    def check_dumps(self, words):
        dump = ("dump", "--no-ddl")
        for asked in (("db", "rp", "m"), ("db",)):
            out, err = self.call(*dump, *asked, code=FAILED)
            self.assertIn(words, err)
            out, err = self.call(*dump, "--skip-damaged", *asked, code=OMISSIONS)
            self.assertEqual([line for line in out.splitlines() if line[0] != "#"], [f"m v={n} {START + n}" for n in range(4)])
            self.assertEqual(err.count(words), 1, err)
        file = lambda mnt: Path(os.fsdecode(day_path(mnt, "lp", "db", "rp", "m", START // (24 * HOUR))))
        with self.mounted(self.store) as mnt:
            with self.assertRaises(OSError) as caught:
                file(mnt).read_bytes()
            self.assertEqual(caught.exception.errno, errno.EIO)
            self.assertIn(words, (mnt / "status.json").read_text())
        with self.mounted(self.store, options="skip_damaged") as mnt:
            self.assertEqual(file(mnt).read_text().count("m v="), 4)
            status = json.loads((mnt / "status.json").read_text())
            self.assertEqual(status["last_capture"]["damaged"], [words])
            self.assertIn(words, status["dumps_lack"]["lines"][0])


class LeftOutTest(OmissionTest):
    """On stores made by hand."""

    def setUp(self):
        super().setUp()
        self.made = HandmadeStore(self.folder / "store")
        self.made.shard(tsm={f"{FIRST}.tsm": tsm(bytes(5000))}, wal={"_00001.wal": wal_entry()})
        self.store = self.made.write_meta()
        self.path = self.folder / "b.tar"

    def omit(self):
        """A shard that nobody knows, and a file that influxd has set aside."""
        unknown = self.made.shard("lost", tsm={f"{FIRST}.tsm": b"12345"}, wal={"_00001.wal": b"67"}, listed=False)
        (self.store / f"data/db/autogen/1/{FIRST}.tsm.bad").write_bytes(b"890")
        return [{"name": f"data/db/autogen/1/{FIRST}.tsm.bad", "files": 1, "bytes": 3, "why": "bad"},
                {"name": f"lost/autogen/{unknown}", "files": 2, "bytes": 7, "why": "unknown"}]

    def test_every_way_out_says_the_same(self):
        wanted = self.omit()
        line = "left out: 2, 10 bytes: "
        out, err = self.call("backup", "--json", self.path, code=OMISSIONS)
        self.assertEqual(json.loads(out)["left_out"], wanted)
        self.assertEqual(len(self.said(err)), 1)
        self.assertIn(line, self.said(err)[0])
        for omission in wanted:
            self.assertIn(omission["name"], err)
        self.assertEqual(Archive(self.path).manifest["left_out"], wanted)
        self.assertIn(line, self.call("backup", self.path, code=OMISSIONS)[1])  # nothing has changed
        out, err = self.call("verify", "--json", self.path)
        self.assertEqual(json.loads(out)["snapshots"][0]["left_out"], wanted)
        self.assertIn(line, err)
        for _ in range(2):
            out, err = self.call("cut", "--json", code=OMISSIONS)
            self.assertEqual(json.loads(out)["left_out"], wanted)
            self.assertIn(line, err)
        with self.mounted(self.store) as mnt:
            for tar in ("snapshots/now.tar", "at/latest.tar", "snapshots/base.tar"):
                shutil.copy(mnt / tar, self.folder / "copy.tar")
                self.assertEqual(Archive(self.folder / "copy.tar").manifest["left_out"], wanted, tar)
            status = json.loads((mnt / "status.json").read_text())["last_capture"]["left_out"]
            self.assertEqual(status, {"count": 2, "files": 3, "bytes": 10, "names": [o["name"] for o in wanted]})
            shutil.copy(self.path, mnt / "restore")
            self.assertIn(line, (mnt / "restore/log").read_text())
        self.assertIn(line, self.call("restore", self.path)[1])

    def test_json_of_names_that_are_not_utf8(self):
        """JSON is UTF-8, which names need not be: each byte of none comes out as U+FFFD."""
        def read(data):
            return json.loads(data.decode())  # strictly

        def call(*words, code=DONE, store=None):
            done = subprocess.run([INFLUXSNAP, "-c", store or self.store, *words, "--json"], stdin=subprocess.DEVNULL,
                                  capture_output=True)
            self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
            return read(done.stdout)
        odd = self.folder / os.fsdecode(b"st\xffre")
        os.rename(self.store, odd)
        self.store, self.path = odd, self.folder / os.fsdecode(b"\xff.tar")
        aside = self.folder / os.fsdecode(b"asid\xe9")
        os.rename(odd / "data/db/autogen/1", aside)
        os.symlink(aside, odd / "data/db/autogen/1")
        unknown = odd / os.fsdecode(b"data/caf\xe9/rp/50")
        unknown.mkdir(parents=True)
        (unknown / f"{FIRST}.tsm").write_bytes(tsm(bytes(100)))
        wanted = [("caf\ufffd/rp/50", "unknown")]

        def left_out(o):
            return [(one["name"], one["why"]) for one in o["left_out"]]
        told = call("backup", self.path, code=OMISSIONS)
        self.assertEqual(left_out(told), wanted)
        self.assertEqual(told["path"], f"{self.folder}/\ufffd.tar")
        self.assertTrue(any("asid\ufffd" in link for link in told["links"]), told)
        told = call("verify", self.path)["snapshots"][0]
        self.assertEqual((told["path"], left_out(told)), (f"{self.folder}/\ufffd.tar", wanted))
        self.assertEqual(left_out(call("cut", code=OMISSIONS)), wanted)
        self.assertEqual(len(call("list")["cuts"]), 1)
        call("prune")
        self.assertEqual(call("status")["store"]["data"], f"{self.folder}/st\ufffdre/data")
        empty = self.folder / os.fsdecode(b"n\xe9w")
        empty.mkdir()
        self.assertEqual(call("restore", self.path, store=empty)["data"], f"{self.folder}/n\ufffdw/data")
        with self.mounted(odd) as mnt:
            shutil.copy(mnt / "snapshots/now.tar", self.folder / "now.tar")
            manifest = Archive(self.folder / "now.tar").manifest
            self.assertEqual(left_out(manifest), wanted)
            self.assertTrue(any("asid\ufffd" in link for link in manifest["links"]), manifest)
            shutil.copy(self.path, mnt / "restore")
            self.assertEqual(read((mnt / "restore/status.json").read_bytes())["name"], "\ufffd.tar")
            status = read((mnt / "status.json").read_bytes())
            self.assertEqual(status["store"]["data"], f"{self.folder}/st\ufffdre/data")

    def test_damaged_tsm_files_are_said(self):
        """Header, footer, index and length; found when the file is read, and remembered."""
        good = tsm(bytes(5000))
        flipped = bytearray(good)
        flipped[-30] ^= 0xff  # the offset of a block, in the index
        for content in (b"", good[:100], good[:-1], b"x" + good[1:], good + b"more", bytes(flipped)):
            with self.subTest(content=content[-20:]):
                shard = self.made.shard("damaged", tsm={f"{FIRST}.tsm": content})
                name = f"data/damaged/autogen/{shard}/{FIRST}.tsm"
                self.made.write_meta()
                self.path.unlink(missing_ok=True)
                out, err = self.call("backup", "--json", self.path, code=OMISSIONS)
                self.assertEqual(len(json.loads(out)["damaged"]), 1)
                self.assertIn(f"influxsnap: warning: {name}: damaged", err)
                self.assertIn(name, Archive(self.path).files())
                self.assertIn(name, self.call("backup", self.path, code=OMISSIONS)[1])  # remembered
                self.call("verify", self.path, code=4)
                with self.mounted(self.store) as mnt:
                    shutil.copy(mnt / "snapshots/now.tar", self.folder / "now.tar")
                    damaged = json.loads((mnt / "status.json").read_text())["last_capture"]["damaged"]
                self.assertEqual(len(damaged), 1)
                self.assertIn(name, damaged[0])
                self.made.databases["damaged"]["autogen"].remove(shard)
                shutil.rmtree(self.store / f"data/damaged/autogen/{shard}")
                self.made.write_meta()
        self.path.unlink()
        self.call("backup", self.path)

    def test_a_cut_looks_at_what_it_retains(self):
        shard = self.made.shard("damaged", tsm={f"{FIRST}.tsm": b""})
        self.made.write_meta()
        for _ in range(2):
            out, err = self.call("cut", "--json", code=OMISSIONS)
            self.assertIn(f"data/damaged/autogen/{shard}/{FIRST}.tsm", json.loads(out)["damaged"][0])
            self.assertIn("damaged", self.said(err)[0])

    def test_more_left_out_than_kept(self):
        self.made.shard("lost", tsm={f"{FIRST}.tsm": bytes(20000)}, listed=False)
        for words in (("backup", self.path), ("cut",)):
            err = self.call(*words, code=FAILED)[1]
            self.assertIn("more would be left out than kept", err)
            self.assertIn("lost/autogen/2", err)
        self.assertFalse(self.path.exists())
        with self.mounted(self.store) as mnt:
            with self.assertRaises(OSError):
                (mnt / "snapshots/now.tar").stat()
            self.assertIn("lost/autogen/2", json.loads((mnt / "status.json").read_text())["last_error"]["text"])
        with self.mounted(self.store, options="allow_left_out") as mnt:
            (mnt / "snapshots/now.tar").stat()
        self.call("backup", "--allow-left-out", self.path, code=OMISSIONS)
        self.call("cut", "--allow-left-out", code=OMISSIONS)

    def unreadable(self, place):
        """Root's, in a store that is nobody's; the backup is nobody's, too."""
        run("chown", "-R", "nobody", self.folder)
        for above in (self.folder, self.folder.parent):
            if not above.stat().st_mode & 0o001:
                above.chmod(0o755)
        folder = self.store / place
        folder.mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, "root")
        folder.chmod(0o700)

    def test_cuts_that_may_not_be_read_are_not_none(self):
        self.call("cut")
        for place in ("influxfs", "influxfs/cuts"):
            with self.subTest(place=place):
                self.unreadable(place)
                out, err = self.call("list", "--json", code=FAILED, prefix=NOBODY)
                self.assertRegex(err, rf"{place.split('/')[-1]}.*Permission denied")
                self.assertNotIn("no cuts", err)
                if out:  # the state folder itself: the rest is known
                    self.assertRegex(json.loads(out)["error"], rf"{place.split('/')[-1]}.*Permission denied")
                out, err = self.call("status", "--json", code=FAILED, prefix=NOBODY)
                self.assertRegex(err, rf"{place.split('/')[-1]}.*Permission denied")
                if place == "influxfs":
                    cuts = json.loads(out)["cuts"]
                    self.assertRegex(cuts["error"], "Permission denied")
                    for key in ("base", "newest", "not_accepted", "numbers", "files", "bytes", "only_ours"):
                        self.assertIsNone(cuts[key], key)
                    self.assertRegex(self.call("status", code=FAILED, prefix=NOBODY)[0], r"(?m)^cuts +unknown$")
                shutil.chown(self.store / place, "nobody")
                self.assertEqual(len(json.loads(self.call("list", "--json", prefix=NOBODY)[0])["cuts"]), 1)

    def test_unreadable_folders_of_a_database(self):
        for place in ("data/db", "data/db/autogen", "data/db/autogen/1", "data/db/other",
                      "wal/db", "wal/db/autogen", "wal/db/autogen/1"):
            with self.subTest(place=place):
                self.unreadable(place)
                for words in (("backup", self.path), ("cut",)):
                    err = self.call(*words, code=FAILED, prefix=NOBODY)[1]
                    self.assertRegex(err, rf"{place}\b.*Permission denied")
                self.assertFalse(self.path.exists())

    def test_unreadable_folders_of_nobody(self):
        for place, code, why in (("data/lost+found", DONE, "foreign"), ("wal/.Trash-0", DONE, "foreign"),
                                 ("data/old", OMISSIONS, "unreadable")):
            with self.subTest(place=place):
                self.unreadable(place)
                self.path.unlink(missing_ok=True)
                out, err = self.call("backup", "--json", self.path, code=code, prefix=NOBODY)
                self.assertEqual(json.loads(out)["left_out"], [{"name": place, "files": 0, "bytes": 0, "why": why}])
                self.assertEqual(len(self.said(err)), code == OMISSIONS)
                # What may be read again is looked into.
                (self.store / place).chmod(0o755)
                self.assertEqual(json.loads(self.call("cut", "--json", prefix=NOBODY)[0])["left_out"], [])
                (self.store / place).rmdir()

    def test_a_mounted_shard_is_like_any_folder(self):
        cold = self.folder / "cold"
        shard = self.store / "data/db/autogen/1"
        shutil.move(shard, cold)
        shard.mkdir()
        run("mount", "--bind", cold, shard)
        self.addCleanup(run, "umount", shard)
        out, _ = self.call("backup", "--json", self.path)
        self.assertEqual((json.loads(out)["left_out"], json.loads(out)["links"]), ([], []))
        self.assertIn(f"data/db/autogen/1/{FIRST}.tsm", Archive(self.path).files())

    def test_plain_files_and_pipes(self):
        for root in ("data", "wal"):
            for place in ("db", "db/autogen", "db/autogen/1"):
                path, aside = self.store / root / place, self.folder / "aside"
                path.rename(aside)
                for make in (path.touch, lambda: os.mkfifo(path), lambda: path.symlink_to("nowhere")):
                    make()
                    with self.subTest(path=path):
                        self.assertIn(f"{root}/{place}", self.call("backup", self.path, code=FAILED)[1])
                    path.unlink()
                aside.rename(path)
        self.call("backup", self.path)

    def test_a_shard_under_another_number(self):
        """influxd reads the name as a number, zeros before it or not."""
        (self.store / "data/db/autogen/1").rename(self.store / "data/db/autogen/001")
        for words in (("backup", self.path), ("cut",), ("dump", "db")):
            self.assertIn("data/db/autogen/001: influxd serves it as shard 1", self.call(*words, code=FAILED)[1])

    def test_names_with_control_bytes(self):
        """What is left out by such a name is named, and the snapshot can be restored."""
        self.made.shard("lost\r", policy="a\nb", tsm={f"{FIRST}.tsm": tsm(b"x")}, listed=False)
        self.call("backup", self.path, code=OMISSIONS)
        self.assertIn("lost\r/a\nb/2", [left["name"] for left in Archive(self.path).manifest["left_out"]])
        self.call("verify", self.path)
        other = self.folder / "other"
        other.mkdir()
        self.call("restore", self.path, store=other)

    def test_a_policy_whose_disk_is_not_mounted(self):
        for place in ("data/db/autogen", "data/db"):
            moved = self.folder / "moved"
            (self.store / place).rename(moved)
            (self.store / place).mkdir()
            for words in (("backup", self.path), ("cut",)):
                self.assertIn("is its disk mounted?", self.call(*words, code=FAILED)[1])
            (self.store / place).rmdir()
            moved.rename(self.store / place)

    def test_unlisted_shards_without_data(self):
        """influxd leaves some when it is written to while it drops a database."""
        number = self.made.shard("db", wal={"_00001.wal": b""}, listed=False)
        (self.store / f"data/db/autogen/{number}").mkdir(exist_ok=True)
        self.assertEqual(self.said(self.call("backup", self.path)[1])[:-1], [])

    def test_lost_and_found_of_a_database(self):
        """A file system of its own brings one along."""
        self.unreadable("data/db/lost+found")
        out, err = self.call("backup", "--json", self.path, prefix=NOBODY)
        self.assertEqual([left["why"] for left in json.loads(out)["left_out"]], ["foreign"])

    def test_a_damaged_file_is_restored_and_named(self):
        self.made.shard("damaged", tsm={f"{FIRST}.tsm": b""})
        self.made.write_meta()
        self.call("backup", self.path, code=OMISSIONS)
        other = self.folder / "other"
        other.mkdir()
        out, err = self.call("restore", "--json", self.path, store=other)
        self.assertIn(f"data/damaged/autogen/2/{FIRST}.tsm", json.loads(out)["damaged"][0])
        self.assertIn("warning", err)
        with self.mounted(other) as mnt:
            self.assertIn("damaged", (mnt / "restore/log").read_text())
            shutil.copy(self.path, mnt / "restore/again.tar")
            self.assertIn("damaged", "".join(json.loads((mnt / "restore/status.json").read_text())["warnings"]))

    def test_files_set_aside_outlive_restores(self):
        """influxd gave them up, and no snapshot holds them."""
        bad = f"data/db/autogen/1/{FIRST}.tsm.bad"
        self.call("backup", self.path)
        (self.store / bad).write_bytes(b"perhaps good")
        for _ in range(2):
            self.call("restore", self.path)
        found = [path for path in self.store.rglob("*.tsm.bad") if path.read_bytes() == b"perhaps good"]
        self.assertEqual(len(found), 1)
        self.assertIn("left-behind", str(found[0]))
