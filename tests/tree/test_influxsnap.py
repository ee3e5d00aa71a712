"""influxsnap: backup, restore, verify, clone and the rest, on stores made by hand and of a real influxd."""

import fcntl
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import HANG, run, wait_until
from lib.forge import Forgery
from lib.influxd import Influxd, InfluxError
from lib.mount import INFLUXFS, mounts_under
from lib.stores import HandmadeStore, tombstone, tsm, wal_entry
from lib.trees import difference, litter, owned_by, owner_of, owner_of_new, owners_in, store_tree, whole_tree

DONE, FAILED, USAGE, IN_USE, CORRUPT, INCOMPLETE, OMISSIONS = range(7)
FIRST = "000000001-000000001"
PRELOAD = Path(INFLUXFS).parent / "tests/preload_kill.so"


class SnapTest(StoreTest):
    """self.store is a small store; self.path is where its backup is to lie."""

    def setUp(self):
        super().setUp()
        self.made = HandmadeStore(self.folder / "store")
        self.random = random.Random(1)
        for number in range(3):
            self.shard("db", index=number == 1)
        self.shard("second db")
        self.store = self.made.write_meta()
        self.path = self.folder / "backup.tar"

    def shard(self, database, index=False):
        return self.made.shard(database, index=index, wal={"_00001.wal": wal_entry(1)},
                               tsm={f"{FIRST}.tsm": tsm(self.random.randbytes(3000)),
                                    f"{FIRST}.tombstone": tombstone("any")})

    def call(self, *words, code=DONE, store=None, **options):
        """(stdout, stderr) of a run that is to end with this code."""
        done = subprocess.run([INFLUXSNAP, "-c", str(store or self.store), *map(str, words)], text=True,
                              **{"stdin": subprocess.DEVNULL, "capture_output": True} | options)
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        if code:
            self.assertRegex(done.stderr, r"(?m)^influxsnap: .")
        return done.stdout, done.stderr

    def backup(self, *words, path=None, **how):
        return json.loads(self.call("backup", path or self.path, "--json", *words, **how)[0])

    def names(self):
        return sorted(name for name in os.listdir(self.folder) if name.startswith((".", self.path.name)))

    def place(self, number, root="data", database="db"):
        return self.store / root / database / f"autogen/{number}"

    def change(self, step):
        """What influxd does to a store: each step another thing."""
        if step == 0:    # a flush and a write
            (self.place(1) / "000000002-000000001.tsm").write_bytes(tsm(self.random.randbytes(1000)))
            with (self.place(2, "wal") / "_00001.wal").open("ab") as segment:
                segment.write(wal_entry(step))
        elif step == 1:  # a compaction, and a shard without a file
            (self.place(1) / f"{FIRST}.tsm").unlink()
            (self.place(1) / f"{FIRST}.tombstone").unlink()
            (self.place(1) / "000000002-000000001.tsm").rename(self.place(1) / "000000002-000000002.tsm")
            self.made.shard("db")
            self.made.shard("third", index=True)
        elif step == 2:  # a shard is dropped, and a database with the rest
            for root in ("data", "wal"):
                shutil.rmtree(self.place(3, root))
                shutil.rmtree(self.store / root / "second db")
            self.made.databases["db"]["autogen"].remove(3)
            del self.made.databases["second db"]
        elif step == 3:  # the shard without a file, too; another gets its place
            for root in ("data", "wal"):
                shutil.rmtree(self.place(5, root))
            self.made.databases["db"]["autogen"].remove(5)
            self.shard("db", index=True)
        else:            # one that was dropped comes back under its name
            self.shard("second db")
        self.made.write_meta()

    def restored(self, *paths, name="restored", **how):
        """The tree of a fresh store that they are restored into."""
        store = self.folder / name
        store.mkdir()
        self.call("restore", *paths, store=store, **how)
        found = store_tree(store, times=False)
        self.assertEqual(owners_in(found), {owner_of_new()})
        self.assertEqual(litter(store), [])
        shutil.rmtree(store)
        return found

    def same(self, wanted, got):
        self.assertTrue(wanted == got, difference(wanted, got))

    def forge(self, path, change):
        """Changes a snapshot; its checksums are right again."""
        forged = Forgery(path.read_bytes())
        change(forged)
        path.write_bytes(forged.bytes())


class BackupTest(SnapTest):
    def test_chain(self):
        self.chain()

    def test_chain_zstd(self):
        self.chain("--compress=zstd")

    def test_chain_gzip(self):
        self.chain("--compress=gzip")

    def chain(self, *words):
        """After each step, what lies there restores to what the store is; and in the end, the parts
        up to each number to what it was then."""
        self.assertEqual(self.backup(*words)["kind"], "full")
        states = [self.restored(self.path)]
        for step in range(5):
            self.change(step)
            done = self.backup(*words)
            self.assertEqual((done["written"], done["kind"], done["number"]), (True, "incremental", step))
            self.assertEqual(done["path"], f"{self.path}.{step}")
            self.assertFalse(self.backup(*words)["written"])
            whole = self.folder / f"whole-{step}.tar"
            self.call("backup", whole)
            states.append(self.restored(whole))
            self.assertNotEqual(states[-1], states[-2])
            self.same(states[-1], self.restored(self.path))
        with self.path.open("rb") as file:
            self.same(states[0], self.restored("-", stdin=file))
        for number in range(1, 6):
            self.same(states[number], self.restored(self.path, *(f"{self.path}.{n}" for n in range(number))))
        self.call("verify", self.path)

    def test_unchanged(self):
        """Says so, writes nothing and reads no contents."""
        self.backup()
        place = self.place(1) / f"{FIRST}.tsm"
        times = place.stat()
        with place.open("r+b") as file:  # what reads it would see another file
            file.seek(100)
            file.write(b"changed")
        os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
        before = self.path.stat()
        said, _ = self.call("backup", self.path)
        self.assertIn("nothing has changed", said)
        after = self.path.stat()
        self.assertEqual((after.st_ino, after.st_size, after.st_mtime_ns),
                         (before.st_ino, before.st_size, before.st_mtime_ns))
        self.assertEqual(self.names(), ["backup.tar"])

    def test_only_removed(self):
        """A number without a file, as when influxd removes a WAL segment after a flush: others follow it."""
        self.backup()
        (self.place(1, "wal") / "_00001.wal").unlink()
        done = self.backup()
        self.assertEqual((done["number"], done["removed"]), (0, 1))
        number = Path(f"{self.path}.0")
        self.assertEqual(Archive(number).files(), [])
        self.assertFalse(self.backup()["written"])
        self.change(0)
        whole = number.read_bytes()
        for damaged in (whole[:-1024], whole[:-2048], whole + b"x" * 512):  # its end is still looked at
            number.write_bytes(damaged)
            self.assertIn(f"{number}: is cut off", self.call("backup", self.path, code=CORRUPT)[1])
        number.write_bytes(whole)
        self.assertEqual(self.backup()["number"], 1)
        self.call("backup", self.folder / "whole.tar")
        self.same(self.restored(self.folder / "whole.tar"), self.restored(self.path))

    def test_only_internal(self):
        self.shard("_internal")
        self.made.write_meta()
        self.backup()
        self.shard("_internal")
        self.made.write_meta()
        self.assertFalse(self.backup()["written"])
        # Packed again in another order.
        self.forge(self.path, lambda forged: forged.entries.sort(key=lambda entry: entry[0].name == "meta/meta.db"))
        self.assertFalse(self.backup()["written"])
        self.shard("db")
        self.made.write_meta()
        done = self.backup()
        self.assertTrue(done["written"])
        self.assertTrue(any("_internal" in name for name in Archive(f"{self.path}.0").files()))

    def test_after_a_copy_of_now(self):
        """A now.tar that was copied there does not tell its folders."""
        self.backup()

        def plain(forged):
            for key in ("chain", "folders", "removed_folders"):
                del forged.manifest[key]
        self.forge(self.path, plain)
        for step in range(3):
            self.change(step)
            self.assertTrue(self.backup()["written"])
        self.backup(path=self.folder / "full.tar")
        self.same(self.restored(self.folder / "full.tar"), self.restored(self.path))

    def test_contents(self):
        self.backup()
        self.change(0)
        self.backup()
        self.assertEqual(sorted(Archive(f"{self.path}.0").files()),
                         ["data/db/autogen/1/000000002-000000001.tsm", "meta/meta.db", "wal/db/autogen/2/_00001.wal"])
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_stdout(self):
        out = self.folder / "piped.tar"
        with out.open("wb") as file:
            self.call("backup", "-", stdout=file, stderr=subprocess.PIPE, capture_output=False)
        self.assertEqual(Archive(out).manifest["kind"], "full")
        self.call("backup", self.path)
        with self.path.open("rb") as file:
            self.same(self.restored(out), self.restored("-", stdin=file))
        packed = subprocess.run(f"{INFLUXSNAP} -c '{self.store}' backup --compress=zstd - | zstd -d", shell=True,
                                capture_output=True, check=True).stdout
        self.assertEqual(packed, out.read_bytes())

    def test_closed_streams(self):
        """What is said goes nowhere then, and not into the snapshot."""
        shutil.copytree(self.place(1), self.place(99))  # is left out, of which there is a warning
        for number, closed in enumerate(("<&- 2>&-", "<&- >&- 2>&-", "2>&-")):
            path = self.folder / f"{number}.tar"
            code = subprocess.run(["sh", "-c", f'exec "$0" -c "$1" backup "$2" {closed}', INFLUXSNAP, self.store, path],
                                  stdout=subprocess.DEVNULL, check=False).returncode
            self.assertEqual(code, FAILED if ">&- 2" in closed else OMISSIONS)  # what was done could not be said
            self.call("verify", path)

    def test_closed_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as file:
            _, said = self.call("backup", "-", code=FAILED, stdout=file, stderr=subprocess.PIPE, capture_output=False)
        self.assertIn("Broken pipe", said)

    def big(self):
        """A file that takes a while, and no room."""
        place = self.place(1) / "000000009-000000001.tsm"
        with place.open("wb") as file:
            file.truncate(8 << 30)

    def test_stopped(self):
        self.backup()
        before = self.path.read_bytes()
        self.big()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process = subprocess.Popen([INFLUXSNAP, "-c", self.store, "backup", self.path],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            wait_until(lambda: os.path.exists(self.folder / ".backup.tar.part") and
                       os.path.getsize(self.folder / ".backup.tar.part") > 1 << 20, 30, "bytes to be written")
            process.send_signal(number)
            said, _ = process.communicate(timeout=HANG)
            self.assertEqual(process.returncode, FAILED, said)
            self.assertEqual(self.names(), ["backup.tar"])
        self.assertEqual(self.path.read_bytes(), before)

    def test_nohup(self):
        """A hangup that was ignored from the start ends nothing."""
        self.big()
        process = subprocess.Popen([INFLUXSNAP, "-c", self.store, "backup", "-"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL,
                                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.stdout.read(1)
        ignored = re.search(r"(?m)^SigIgn:\s+(\w+)", Path(f"/proc/{process.pid}/status").read_text())[1]
        self.assertTrue(int(ignored, 16) & 1 << (signal.SIGHUP - 1), ignored)
        process.terminate()
        self.assertEqual(process.wait(HANG), FAILED)
        process.stdout.close()

    def test_stopped_at_a_pipe(self):
        self.big()
        process = subprocess.Popen([INFLUXSNAP, "-c", self.store, "backup", "-"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        process.stdout.read(1)
        time.sleep(0.3)  # it waits for the pipe now
        process.terminate()
        self.assertEqual(process.wait(HANG), FAILED)
        process.stdout.close()

    def test_killed(self):
        """What a kill leaves is taken over."""
        self.big()
        process = subprocess.Popen([INFLUXSNAP, "-c", self.store, "backup", self.path], stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.folder / ".backup.tar.part"), 30, "a temporary file")
        process.kill()
        process.wait()
        (self.place(1) / "000000009-000000001.tsm").unlink()
        self.backup()
        self.assertEqual(self.names(), ["backup.tar"])
        self.call("verify", self.path)

    def test_full_disk(self):
        if os.geteuid():
            self.skipTest("only root can mount file systems")
        disk = self.folder / "disk"
        disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk)
        self.addCleanup(run, "umount", disk)
        path = disk / "backup.tar"
        self.backup(path=path)
        before = path.read_bytes()
        (self.place(1) / "000000002-000000001.tsm").write_bytes(tsm(self.random.randbytes(2 << 20)))
        _, said = self.call("backup", path, code=FAILED)
        self.assertIn("No space left", said)
        self.assertEqual(os.listdir(disk), ["backup.tar"])
        self.assertEqual(path.read_bytes(), before)
        self.call("backup", "--compress=gzip", path, code=FAILED)
        self.assertEqual(os.listdir(disk), ["backup.tar"])

    def test_two_at_once(self):
        self.backup()
        for number in range(3):
            (self.place(1) / f"00000001{number}-000000001.tsm").write_bytes(tsm(b"x" * 1000))
            processes = [subprocess.Popen([INFLUXSNAP, "-c", self.store, "backup", "--json", self.path],
                                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(3)]
            done = [json.loads(process.communicate(timeout=HANG)[0]) for process in processes]
            self.assertEqual([process.returncode for process in processes], [0, 0, 0])
            self.assertEqual(sorted(one["written"] for one in done), [False, False, True])
            self.assertEqual({one["number"] for one in done}, {number})
        self.call("verify", self.path)

    def test_broken_chain(self):
        """Nothing follows it, and it is left alone."""
        self.backup()
        for step in range(3):
            self.change(step)
            self.backup()
        self.change(3)
        kept = self.folder / "kept"
        whole = {name: (self.folder / name).read_bytes() for name in self.names()}

        def refused(code, words, damage):
            for name, content in whole.items():
                (self.folder / name).write_bytes(content)
            damage()
            before = {name: (self.folder / name).read_bytes() for name in self.names()}
            _, said = self.call("backup", self.path, code=code)
            self.assertRegex(said, words)
            self.assertEqual({name: (self.folder / name).read_bytes() for name in self.names()}, before)

        part = [self.folder / f"backup.tar.{number}" for number in range(3)]
        refused(INCOMPLETE, "number 1 is missing", part[1].unlink)
        refused(INCOMPLETE, "full snapshot.*missing", lambda: self.path.rename(kept))
        refused(CORRUPT, "backup.tar.1", lambda: part[1].write_bytes(whole["backup.tar.1"][:700]))
        # The size follows from the manifest, which is whole.
        sizes = {name: len(content) for name, content in whole.items()}
        for name, path in (("backup.tar", self.path), ("backup.tar.1", part[1]), ("backup.tar.2", part[2])):
            for size in (sizes[name] - 512, sizes[name] - 1024, sizes[name] - 1500, sizes[name] - 3072, sizes[name] // 2):
                refused(CORRUPT, f"{name}: is cut off.*nothing was written", lambda: os.truncate(path, size))
            refused(CORRUPT, f"{name}: .*after its end.*nothing was written",
                    lambda: path.write_bytes(whole[name] + whole[name][:1024] + bytes(1024)))
            # received in part, by a program that sets the size beforehand
            refused(CORRUPT, f"{name}: is cut off",
                    lambda: path.write_bytes(whole[name][:-4096] + bytes(4096)))
        refused(CORRUPT, "backup.tar.2: .*not a snapshot", lambda: part[2].write_bytes(b"words\n" * 1000))
        refused(CORRUPT, "backup.tar: .*not a snapshot", lambda: self.path.write_bytes(b""))
        refused(INCOMPLETE, "builds on", lambda: self.forge(part[1], lambda f: f.manifest.update(parent="0" * 32)))
        refused(INCOMPLETE, "do not belong", lambda: self.forge(part[1], lambda f: f.manifest.update(chain="f" * 32)))
        self.call("backup", self.folder, code=FAILED)
        self.call("backup", self.folder / "nowhere/backup.tar", code=FAILED)

    def test_packed_anew(self):
        """Another tar(1) ends with more zeros, which a restore takes."""
        self.backup()
        with self.path.open("ab") as file:
            file.write(bytes(10240))
        self.change(0)
        self.assertEqual(self.backup()["number"], 0)
        self.call("verify", self.path)

    def test_lost(self):
        """What is gone and was not replaced is said, with a warning where it is much."""
        self.change(0)
        self.assertIsNone(self.backup()["lost"])
        self.change(1)  # a compaction
        done = self.backup()
        self.assertEqual((done["removed"], done["lost"]["bytes"]), (3, 0))
        self.change(2)
        before = self.names()
        words = r"since .*backup.tar.0 2 shards, 6 files, \d+ bytes are gone \(\d\d.* %.*second db/autogen"
        out, said = self.call("backup", self.path)
        self.assertRegex(said, f"warning: {words}")
        self.assertRegex(out, f"backup.tar.1: what has changed.*\n{words}")
        self.assertEqual(self.names(), sorted([*before, "backup.tar.1"]))
        last = json.loads(self.call("status", "--json")[0])["history"]["backups"]["last"][0]
        self.assertEqual(last["result"], "done")
        self.assertIn("2 shards, 6 files", last["text"])
        self.call("backup", self.path)  # said once
        os.unlink(f"{self.path}.1")
        done = self.backup()
        self.assertEqual((done["written"], done["removed"], done["lost"]["shards"], done["lost"]["files"]), (True, 6, 2, 6))
        self.assertIn("second db/autogen", done["lost"]["names"])
        self.assertEqual(len(done["warnings"]), 1)
        os.unlink(f"{self.path}.1")
        out, said = self.call("backup", self.path, "--guard=off")
        self.assertNotIn("warning", said)
        self.assertIn("2 shards, 6 files", out)

    def test_another_store(self):
        self.backup()
        other = HandmadeStore(self.folder / "other")
        other.shard("else", tsm={f"{FIRST}.tsm": tsm(b"x")})
        _, said = self.call("backup", self.path, store=other.write_meta())
        self.assertRegex(said, r"4 shards.*100.0 %.*another store needs another name")

    def test_another_host(self):
        self.backup()
        self.forge(self.path, lambda forged: forged.manifest.update(host="elsewhere"))
        self.change(0)
        self.assertRegex(self.call("backup", self.path)[1], "warning: .*on host elsewhere: another store needs another name")

    def test_without_a_state_folder(self):
        for number in range(2):
            done, said = self.call("--state=/proc/none/here", "backup", self.path)
            self.assertIn("state folder", said)
        self.assertIn("nothing has changed", done)
        for step in range(3):  # its counter begins at 1 each time
            self.change(step)
            self.call("--state=/proc/none/here", "backup", self.path)
        self.backup(path=self.folder / "whole.tar")
        shutil.rmtree(self.store / "influxfs")
        self.same(self.restored(self.folder / "whole.tar"), self.restored(self.path))
        self.assertFalse((self.store / "influxfs").exists())
        self.call("--state=/proc/none/here", "cut", code=FAILED)


class VerifyTest(SnapTest):
    def setUp(self):
        super().setUp()
        self.backup()
        for step in range(3):
            self.change(step)
            self.backup()
        self.part = [self.folder / f"backup.tar.{number}" for number in range(3)]

    def verify(self, *paths, code=DONE):
        """(the report, what was said)"""
        out, said = self.call("verify", "--json", *paths or [self.path], code=code)
        report = json.loads(out)
        self.assertEqual(report["good"], code == DONE)
        return report, said

    def damage_tsm(self, forged):
        entry = forged.find(".tsm")
        entry[1] = entry[1][:50] + bytes([entry[1][50] ^ 1]) + entry[1][51:]

    def test_good(self):
        report, _ = self.verify()
        self.assertEqual([one["number"] for one in report["snapshots"]], [None, 0, 1, 2])
        self.assertEqual({one["state"] for one in report["snapshots"]}, {"good"})
        self.assertEqual(report["snapshots"][0]["tsm_files"], 4)
        self.assertEqual([one["error"] for one in report["chains"]], [None])
        text, _ = self.call("verify", self.path)
        self.assertEqual(len(text.splitlines()), 4)

    def test_damaged_tsm(self):
        """The sums are right: only the blocks tell."""
        self.forge(self.path, self.damage_tsm)
        report, said = self.verify(code=CORRUPT)
        self.assertRegex(said, r"backup\.tar: data/db/autogen/1/\S+\.tsm: damaged at byte 5: the block does not match")
        self.assertEqual([one["state"] for one in report["snapshots"]], ["damaged"] + ["good"] * 3)
        run("zstd", "-q", "--rm", self.path)
        _, said = self.verify(self.folder / "backup.tar.zst", code=CORRUPT)
        self.assertIn("damaged at byte 5: the block does not match its CRC", said)

    def test_damaged_tar(self):
        content = self.path.read_bytes()
        for damaged in (content[:len(content) // 2], content[:-1024], content[:2000] + b"?" + content[2001:],
                        content + b"?"):
            self.path.write_bytes(damaged)
            _, said = self.verify(code=CORRUPT)
            self.assertIn("backup.tar: ", said)
        self.path.write_bytes(b"something else")
        _, said = self.verify(code=CORRUPT)
        self.assertIn("not a snapshot", said)

    def test_incomplete(self):
        self.part[1].rename(self.folder / "kept")
        _, said = self.verify(code=INCOMPLETE)
        self.assertRegex(said, "number 1 is missing, which .*backup.tar.2 builds on")
        self.part[0].rename(self.folder / "kept 0")
        _, said = self.verify(code=INCOMPLETE)
        self.assertRegex(said, "numbers 0 to 1 are missing")
        _, said = self.verify(self.part[2], code=INCOMPLETE)
        self.assertIn("the full snapshot that", said)
        self.call("verify", self.folder / "nothing", code=FAILED)

    def test_folder_of_others(self):
        _, said = self.call("verify", self.folder, code=FAILED)
        self.assertIn("give other snapshots by their own names", said)

    def test_wrong_parent(self):
        self.forge(self.part[1], lambda forged: forged.manifest.update(parent="0" * 32))
        _, said = self.verify(code=INCOMPLETE)
        self.assertRegex(said, "backup.tar.1 builds on snapshot 0+, but .*backup.tar.0 before it")

    def test_doubles(self):
        shutil.copy(self.part[0], self.folder / "backup.tar.7")
        _, said = self.verify(code=INCOMPLETE)
        self.assertIn("are the same snapshot", said)
        self.forge(self.folder / "backup.tar.7", lambda forged: forged.manifest.update(id="a" * 32))
        _, said = self.verify(code=INCOMPLETE)
        self.assertIn("are both number 0", said)

    def test_folder(self):
        """A mirror: its base has taken in the first number."""
        mirror = self.folder / "mirror"
        mirror.mkdir()
        self.path.rename(mirror / "base.tar")
        for number, part in enumerate(self.part):
            part.rename(mirror / f"{number}.tar")
        self.verify(mirror)
        folded = json.loads(run("tar", "-xOf", mirror / "1.tar", "manifest"))
        self.forge(mirror / "base.tar", lambda f: f.manifest.update(id=folded["id"], number=1))
        (mirror / "0.tar").write_bytes((mirror / "0.tar").read_bytes()[:-2000])
        report, _ = self.verify(mirror)
        states = {os.path.basename(one["path"]): one["state"] for one in report["snapshots"]}
        self.assertEqual(states, {"base.tar": "good", "0.tar": "superseded", "1.tar": "superseded", "2.tar": "good"})
        (self.folder / "empty").mkdir()
        self.call("verify", self.folder / "empty", code=FAILED)

    def test_several(self):
        """Each argument is a chain of its own; numbers find theirs."""
        other = self.folder / "other.tar"
        self.backup(path=other)
        self.verify(self.path, other)
        self.part[0].rename(self.folder / "first")
        self.verify(self.path, self.folder / "first", other)


class RestoreTest(SnapTest):
    def setUp(self):
        super().setUp()
        self.backup()
        for step in range(2):
            self.change(step)
            self.backup()
        self.part = [self.folder / f"backup.tar.{number}" for number in range(2)]
        self.target = self.folder / "target"
        self.wanted = self.restored(self.path)
        other = HandmadeStore(self.target)
        other.shard("old", tsm={f"{FIRST}.tsm": tsm(b"old")})
        other.write_meta()

    def restore(self, *words, **how):
        return self.call("restore", *words, store=self.target, **how)

    def check_untouched(self, words, code, *arguments):
        before = whole_tree(self.target)
        _, said = self.restore(*arguments or [self.path], code=code)
        self.assertRegex(said, words)
        self.same(before, whole_tree(self.target))

    def test_held_already(self):
        """A number that the store holds, or a later one: nothing is done, and that is said."""
        self.restore(self.path, *self.part)
        for paths in ((self.part[1],), (self.part[0],), self.part):
            with self.subTest(paths):
                self.check_untouched("nothing was restored: the store holds them, or later ones, already", INCOMPLETE, *paths)

    def test_ways(self):
        parts = [self.path, *self.part]
        self.same(self.wanted, self.restored(*parts))
        self.same(self.wanted, self.restored(*parts[::-1]))
        mirror = self.folder / "mirror"
        mirror.mkdir()
        for part, name in zip(parts, ("base.tar", "0.tar", "1.tar")):
            shutil.copy(part, mirror / name)
        self.same(self.wanted, self.restored(mirror))
        run("xz", mirror / "0.tar")
        self.same(self.wanted, self.restored(mirror))

    def test_over_a_store(self):
        """What was there says whose it is."""
        wanted = owned_by(owner_of(self.target / "data"), self.wanted)
        out, said = self.restore(self.path)
        self.assertEqual(out, f"restored into {self.target}/meta, {self.target}/data and {self.target}/wal\n")
        self.assertRegex(said, r"(?m)^unpacking meta/meta\.db \(\d+ bytes\)$")
        self.same(wanted, store_tree(self.target, times=False))
        self.assertTrue((self.target / "data.before-restore/old").is_dir())

    def test_numbers_alone(self):
        """They follow what was restored before, and nothing else."""
        wanted = owned_by(owner_of(self.target / "data"), self.wanted)
        kept = self.folder / "kept.tar"
        shutil.copy(self.path, kept)
        self.check_untouched("builds on", INCOMPLETE, self.part[1])
        self.restore(kept)
        self.check_untouched("builds on", INCOMPLETE, self.part[1])
        self.restore(self.part[0])
        self.restore(self.part[1])
        self.same(wanted, store_tree(self.target, times=False))

    def test_refused(self):
        whole = self.part[1].read_bytes()
        self.part[1].write_bytes(whole[:-1024])
        self.check_untouched("backup.tar.1: .*ends early", CORRUPT)
        self.part[1].write_bytes(whole[:1024] + b"?" + whole[1025:])
        self.check_untouched("backup.tar.1: ", CORRUPT)
        self.part[1].write_bytes(b"no tar")
        self.check_untouched("not a snapshot", CORRUPT)
        self.part[1].write_bytes(whole)
        self.part[0].rename(self.folder / "kept")
        self.check_untouched("number 0 is missing", INCOMPLETE)
        self.check_untouched("No such file", FAILED, self.folder / "nothing")
        other = self.folder / "other.tar"
        self.change(2)
        self.backup(path=other)
        self.check_untouched("do not belong together", INCOMPLETE, self.path, other)

    def test_dry_run(self):
        before = whole_tree(self.target)
        out, _ = self.restore("--dry-run", self.path)
        self.assertRegex(out, rf"would unpack \d+ files, \d+ bytes, into {self.target}/meta")
        with self.path.open("rb") as file:
            self.restore("--dry-run", "-", stdin=file)
        self.same(before, whole_tree(self.target))
        self.part[1].write_bytes(self.part[1].read_bytes()[:-1024])
        self.check_untouched("ends early", CORRUPT, "--dry-run", self.path)

    def test_owner(self):
        if os.geteuid():
            self.skipTest("only root can give files away")
        self.restore("--owner=1234:5678", self.path)
        owners = {(os.lstat(path).st_uid, os.lstat(path).st_gid)
                  for root in ("meta", "data", "wal") for path in (self.target / root).rglob("*")}
        self.assertEqual(owners, {(1234, 5678)})
        self.restore("--owner=nobody here", self.path, code=USAGE)

    def test_stdin(self):
        with self.path.open("rb") as file:
            self.restore("-", stdin=file)
        _, said = self.restore("-", code=CORRUPT)
        self.assertIn("standard input", said)

    def test_stopped(self):
        before = whole_tree(self.target)
        process = subprocess.Popen([INFLUXSNAP, "-c", self.target, "restore", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.stdin.write(self.path.read_bytes()[:8192])
        process.stdin.flush()
        time.sleep(0.3)
        process.terminate()
        said, _ = process.communicate(timeout=HANG)
        self.assertEqual(process.returncode, FAILED, said)
        self.same(before, whole_tree(self.target))

    def test_two_at_once(self):
        """The second is refused, also while the first has nothing yet."""
        before = whole_tree(self.target)
        process = subprocess.Popen([INFLUXSNAP, "-c", self.target, "restore", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        meta = self.target.resolve()
        wait_until(lambda: any(os.path.realpath(fd) == str(meta) for fd in Path(f"/proc/{process.pid}/fd").iterdir()), 60,
                   "the lock of the first")
        _, said = self.restore(self.path, code=IN_USE)
        self.assertIn("another influxfs is restoring this store", said)
        self.same(before, whole_tree(self.target))
        said, _ = process.communicate(self.path.read_bytes(), timeout=HANG)
        self.assertEqual(process.returncode, DONE, said)

    def killed(self, at):
        """Whether a restore was killed after that many changes to the target."""
        environment = os.environ | {"LD_PRELOAD": str(PRELOAD), "KILL_ROOT": str(self.target), "KILL_AT": str(at),
                                    "KILL_COUNT": str(self.folder / "count"),
                                    "ASAN_OPTIONS": "verify_asan_link_order=0"}
        done = subprocess.run([INFLUXSNAP, "-c", self.target, f"--state={self.folder}/state", "restore", "--force",
                               self.path], capture_output=True, text=True, env=environment)
        self.assertIn(done.returncode, (DONE, -9), done.stderr)
        return done.returncode == -9

    def test_cut_off_is_said(self):
        """status says what was left, and leaves it so; the next backup does what it said."""
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        kept, journal = self.folder / "kept", self.target / "meta.influxfs-journal"
        run("cp", "-a", self.target, kept)
        self.assertFalse(self.killed(0))
        steps, words = int((self.folder / "count").read_text()), set()
        for at in range(max(1, steps - 90), steps, 2):
            if len(words) == 3:
                break
            with self.subTest(at=at):
                shutil.rmtree(self.target)
                run("cp", "-a", kept, self.target)
                self.assertTrue(self.killed(at))
                before = whole_tree(self.target)
                told = json.loads(self.call("status", "--json", store=self.target)[0])["restore"]
                self.assertEqual(f"restore  {told}" in self.call("status", store=self.target)[0].splitlines(),
                                 told is not None)
                self.same(before, whole_tree(self.target))
                self.assertEqual(told is not None, journal.exists(), told)
                if told:
                    does = re.search(r"`influxsnap recover` (undoes|finishes|cleans)", told)[1]
                    words.add(does)
                    holder = os.open(self.target, os.O_RDONLY)
                    fcntl.flock(holder, fcntl.LOCK_EX)  # as who restores has it
                    told = json.loads(self.call("status", "--json", store=self.target)[0])["restore"]
                    self.assertEqual(told, "under way")
                    os.close(holder)
                    log = self.folder / "state/restore.log"
                    already = len(log.read_text())
                    # An influxd of another test, whose store cannot be told, delays it.
                    backup = [INFLUXSNAP, "-c", self.target, f"--state={self.folder}/state", "backup",
                              self.folder / f"after{at}.tar"]
                    self.call("--state", self.folder / "state", "verify", store=self.target)
                    self.same(before, whole_tree(self.target))
                    said = []

                    def back_up():
                        done = subprocess.run(backup, capture_output=True, text=True)
                        said.append(done.stderr)
                        return done.returncode == DONE and not journal.exists()
                    wait_until(back_up, HANG, "the restore to be dealt with", step=0.2)
                    did = {"undoes": "undid the restore", "finishes": "finished the restore", "cleans": "cleaned up after"}
                    self.assertRegex("".join(said), f"warning: {did[does]}")
                    self.assertRegex(log.read_text()[already:], did[does])
                    self.assertIsNone(json.loads(self.call("status", "--json", store=self.target)[0])["restore"])
        self.assertEqual(words, {"undoes", "finishes", "cleans"})

    def test_in_use(self):
        with Influxd(self.target / "live") as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.write(["m v=1 1"], "db")
            for words in ((), ("--dry-run",)):
                _, said = self.call("restore", *words, self.path, code=IN_USE, store=influxd.root)
                self.assertIn("influxd", said)
            self.assertTrue(json.loads(self.call("status", "--json", store=influxd.root)[0])["in_use"])


class CommandTest(SnapTest):
    def test_usage(self):
        for words in ((), ("nothing",), ("backup",), ("backup", "a", "b"), ("backup", "--keep=1", "a"), ("--what",),
                      ("cut", "--keep=-1"), ("cut", "--keep"), ("cut", "--reserve=5%%"), ("cut", "--reserve=x"),
                      ("cut", "--exclude=a::b"), ("backup", "--compress=bz2", "a"), ("clone", "1"), ("list", "x"),
                      ("restore", "--owner=a:b:c", "x"), ("backup", "")):
            with self.subTest(words=words):
                self.call(*words, code=USAGE)
        self.call("list", code=FAILED, store=self.folder / "nothing")

    def test_looking_makes_nothing(self):
        self.assertEqual(json.loads(self.call("list", "--json")[0])["cuts"], [])
        self.assertEqual(json.loads(self.call("status", "--json")[0])["cuts"]["numbers"], 0)
        self.assertEqual(sorted(os.listdir(self.store)), ["data", "meta", "wal"])

    def test_help(self):
        whole, _ = self.call("--help")
        for command in ("backup", "restore", "verify", "cut", "list", "prune", "clone", "status"):
            self.assertIn(f"  {command} ", whole)
            text, _ = self.call(command, "--help")
            self.assertIn(f"usage: influxsnap [options] {command}", text)
        self.assertRegex(self.call("--version")[0], r"^influxsnap \d")

    def test_progress_lines(self):
        _, said = self.call("backup", self.path)
        self.assertEqual(said.splitlines()[0], f"backing up meta/meta.db ({(self.store / 'meta/meta.db').stat().st_size} bytes)")
        self.assertEqual(len(said.splitlines()), len(Archive(self.path).files()))

    def test_quiet(self):
        """Before or after the command: results, and nothing on stderr while all is well."""
        quiet = {"backup": (self.path,), "verify": (self.path,), "cut": (), "dump": ("db",), "prune": ()}
        for command, words in quiet.items():
            with self.subTest(command=command):
                code = FAILED if command == "dump" else DONE  # these TSM files are none
                _, said = self.call("--quiet", command, *words, code=code)
                self.assertEqual(len(said.splitlines()), code != DONE, said)
        said = self.call("verify", self.path, "-q")
        self.assertRegex(said[0], r"\A1 snapshots good, 0 superseded, 0 damaged: \d+ files, \d+ bytes; 0 warnings\n\Z")
        self.assertEqual(said[1], "")
        self.change(0)
        out, said = self.call("backup", self.path, "--quiet")
        self.assertRegex(out, r"\A\S+backup\.tar\.0: what has changed, .*\n\Z")
        self.assertEqual(said, "")
        (self.folder / "target").mkdir()
        out, said = self.call("restore", "--quiet", self.path, store=self.folder / "target")
        self.assertRegex(out, r"\Arestored.*\n\Z")
        self.assertEqual(said, "")
        report = json.loads(self.call("verify", "--json", "--quiet", self.path)[0])
        self.assertEqual(report["warnings"], [])
        _, said = self.call("verify", "--quiet", self.folder / "nothing", code=FAILED)
        self.assertIn("No such file", said)

    def test_no_store(self):
        """Also whoever sees it in the journal of a unit is told where to name another."""
        _, said = self.call("status", store=self.folder / "nothing", code=FAILED)
        self.assertRegex(said, r"nothing: No such file or directory; .* -c, .* STORE= .* /etc/default/influxfs\n\Z")

    def test_bar(self):
        (self.place(1) / "000000002-000000001.tsm").write_bytes(tsm(bytes(30 << 20)))
        reader, terminal = pty.openpty()
        process = subprocess.Popen([INFLUXSNAP, "-c", self.store, "backup", "-"], stdout=subprocess.DEVNULL,
                                   stdin=subprocess.DEVNULL, stderr=terminal)
        os.close(terminal)
        said = b""
        while True:
            try:
                piece = os.read(reader, 65536)
            except OSError:  # the terminal's other side is closed
                break
            if not piece:
                break
            said += piece
        os.close(reader)
        self.assertEqual(process.wait(), DONE)
        self.assertRegex(said.decode(), r"backing up +\d+% \[=* *\] [\d.]+ MiB of 30.0 MiB, [\d.]+ [KMG]iB/s, \d+:\d\d left")
        self.assertTrue(said.endswith(b"\r\x1b[K"), said[-50:])
        self.assertNotIn(b"\n", said)

    def test_cuts(self):
        made = json.loads(self.call("cut", "--json")[0])
        self.assertEqual((made["made"], made["number"]), (True, None))
        self.assertFalse(json.loads(self.call("cut", "--json")[0])["made"])
        for step in range(4):
            self.change(step)
            # One of the steps drops most of the store.
            self.assertEqual(json.loads(self.call("cut", "--json", "--guard=off")[0])["number"], step)
        cuts = json.loads(self.call("list", "--json")[0])["cuts"]
        self.assertEqual([cut["number"] for cut in cuts], [None, 0, 1, 2, 3])
        self.assertEqual([cut["parent"] for cut in cuts[1:]], [cut["id"] for cut in cuts[:-1]])
        self.assertEqual(len(self.call("list")[0].splitlines()), 6)
        self.change(4)
        self.call("cut", "--keep=2")
        cuts = json.loads(self.call("list", "--json")[0])["cuts"]
        self.assertEqual([cut["number"] for cut in cuts], [2, 3, 4])
        pruned = json.loads(self.call("prune", "--keep=1", "--json")[0])
        self.assertEqual((pruned["folded"], pruned["base"]), (1, 3))
        self.assertIn("nothing to fold", self.call("prune")[0])
        status = json.loads(self.call("status", "--json")[0])
        self.assertEqual((status["cuts"]["numbers"], status["cuts"]["newest"]["number"]), (1, 4))
        self.assertIsNone(status["in_use"])
        self.call("cut", "--reserve=100%")
        self.assertIn("base (3)", self.call("list")[0])

    def test_broken_cuts(self):
        for step in range(3):
            self.change(step)
            self.call("cut", "--guard=off")
        (self.store / "influxfs/cuts/0").unlink()
        out, said = self.call("list", "--json", code=INCOMPLETE)
        self.assertIn("gap", said)
        self.assertEqual(len(json.loads(out)["cuts"]), 1)
        self.call("status", code=INCOMPLETE)

    def test_exclude(self):
        self.call("cut", "--exclude=second db:third")
        cuts = (self.store / "influxfs/cuts/base").read_text()
        self.assertIn("data/db/autogen/1", cuts)
        self.assertNotIn("second", cuts)


class CloneTest(SnapTest):
    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("only root can mount an overlay")
        self.clone = self.folder / "clone"

    def make(self, which="latest", **how):
        """The influxdb.conf that was printed."""
        out, _ = self.call("clone", which, self.clone, **how)
        self.addCleanup(lambda folder: mounts_under(folder) and run("umount", folder), self.clone)
        return out

    def remove(self):
        self.call("clone", "--remove", self.clone)
        self.assertEqual(mounts_under(self.clone), [])
        self.assertEqual(os.listdir(self.clone), [])
        self.assertEqual(os.listdir(self.store / "influxfs/clones"), [])

    def test_tree(self):
        """It is what a restore gives, but for the owners, which are those of the store; the live
        store's files are not touched."""
        os.chmod(self.place(1) / f"{FIRST}.tsm", 0o640)
        self.call("cut")
        self.backup()
        wanted = owned_by(owner_of(self.store / "data"), self.restored(self.path))
        self.change(0)
        self.call("cut")
        before = whole_tree(self.store)
        self.make("base")
        self.same(wanted, store_tree(self.clone, times=False))
        for path in list(self.clone.rglob("*.tsm")):
            path.write_bytes(b"overwritten")
        shutil.rmtree(self.clone / "wal")
        self.same(before, whole_tree(self.store))
        self.remove()
        self.same(before, whole_tree(self.store))
        self.make(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60)))
        self.assertTrue((self.clone / "data/db/autogen/1/000000002-000000001.tsm").exists())
        self.remove()
        for cut in json.loads(self.call("list", "--json")[0])["cuts"]:
            self.make(cut["time"])
            self.assertEqual((self.clone / "data/db/autogen/1/000000002-000000001.tsm").exists(), cut["number"] == 0)
            self.remove()
        self.make("0")
        self.remove()

    def test_refused(self):
        self.call("clone", "latest", self.clone, code=FAILED)
        self.call("cut")
        self.clone.mkdir(exist_ok=True)
        (self.clone / "file").touch()
        _, said = self.call("clone", "latest", self.clone, code=FAILED)
        self.assertIn("not empty", said)
        self.call("clone", "7", self.folder / "other", code=FAILED)
        self.call("clone", "soon", self.folder / "other", code=FAILED)
        before = whole_tree(self.store)
        for place in (self.store / "data", self.store / "data/other", self.store / "wal/db/other"):
            _, said = self.call("clone", "latest", place, code=FAILED)
            self.assertIn("part of the store", said)
        self.same(before, whole_tree(self.store))
        self.call("clone", "--remove", self.folder, code=FAILED)
        self.assertEqual(os.listdir(self.store / "influxfs/clones"), [])

    def test_not_mounted_any_more(self):
        self.call("cut")
        self.make()
        run("umount", self.clone)
        _, said = self.call("clone", "latest", self.clone, code=FAILED)
        self.assertIn("--remove", said)
        self.remove()

    def test_second_influxd(self):
        """It answers as the first did at the cut, and neither hears of the other."""
        live = self.influxd(self.folder / "live", index="tsi1", cache_snapshot_memory_size=1000)
        live.run("CREATE DATABASE db")
        for number in range(30):
            live.write([f"m,host=h{number} v={number},s=\"{'x' * 100}\" {number}"], "db")
        self.call("cut", store=live.root)
        asked = live.query("SELECT * FROM m", "db")
        live.write(["m,host=h0 v=1000 1000"], "db")
        self.store = live.root
        self.make()
        with Influxd(self.clone, index="tsi1") as second:
            self.assertEqual(second.query("SELECT * FROM m", "db"), asked)
            second.write(["m,host=h1 v=2000 2000"], "db")
            second.run("DELETE FROM m WHERE host = 'h3'", "db")
            self.assertIn("influxd", self.call("clone", "--remove", self.clone, code=FAILED)[1])
        self.assertRegex(live.query("SELECT count(v) FROM m", "db").decode(), r"31\]")
        for name in ("influxdb.conf", "influxd.log"):
            (self.clone / name).unlink()  # ours, and not influxd's: they would stay
        self.remove()

    def test_what_is_printed_is_a_configuration(self):
        """influxd takes it as it stands, wherever the clone lies, and asks for passwords if the first one does."""
        live = self.influxd(self.folder / "live", index="tsi1")
        live.run("CREATE DATABASE db")
        live.write(["m v=1 1"], "db")
        live.run("CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        self.call("cut", store=live.root)
        conf = self.folder / "influxdb.conf"
        for number, (setting, store, variables, asks) in enumerate((
                ("", conf, {}, False), ("  auth-enabled = false\n", conf, {}, False),
                ("  auth-enabled = true\n", conf, {}, True), ("  auth-enabled = true\n", live.root, {}, False),
                ("", conf, {"INFLUXDB_HTTP_AUTH_ENABLED": "true"}, True))):
            with self.subTest(setting=setting, store=store, variables=variables):
                conf.write_text(live.config.read_text().replace("[http]\n", f"[http]\n{setting}"))
                self.clone = self.folder / f'a "clone"\nnumber {number}'
                printed = self.make(store=store, env=os.environ | variables)
                with Influxd(self.folder / f"second{number}", config=printed) as second:
                    wanted = live.query("SELECT * FROM m", "db")
                    self.assertEqual(second.query("SELECT * FROM m", "db", u="root", p="secret"), wanted)
                    if asks:
                        with self.assertRaisesRegex(InfluxError, "401"):
                            second.query("SELECT * FROM m", "db")
                    else:
                        self.assertEqual(second.query("SELECT * FROM m", "db"), wanted)
                    said = second.log.read_text()
                    for service in ("shard-precreation", "continuous_querier", "retention"):
                        self.assertNotIn(f"service={service}", said)
                self.call("clone", "--remove", self.clone, store=store)
