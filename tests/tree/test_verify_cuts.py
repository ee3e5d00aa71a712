"""influxsnap verify without a path: what the cuts retain, to the last byte."""

import json
import os
import re
import subprocess
import time

from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, CutFile, snap, snap_code
from lib.files import files_in, run
from lib.stores import big_file, some_store, tombstone, tsm, tsm_of


class VerifyCutsTest(StoreTest):
    """A base and three numbers: one adds a TSM file and a tombstone, one takes both away, one is of WAL."""

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.cuts = self.store / "influxfs/cuts"
        snap(self.store, "cut")
        new = big_file(self.store).with_name("000000002-000000001.tsm")
        new.write_bytes(tsm_of(5000))
        new.with_suffix(".tombstone").write_bytes(tombstone("a"))
        snap(self.store, "cut")
        new.unlink()
        new.with_suffix(".tombstone").unlink()
        new.with_name("000000003-000000001.tsm").write_bytes(tsm(b"compacted"))
        snap(self.store, "cut")
        with next(self.store.glob("wal/first/*/*/_00002.wal")).open("ab") as wal:
            wal.write(next(self.store.glob("wal/first/*/*/_00001.wal")).read_bytes())
        snap(self.store, "cut")

    def verify(self, code, *words):
        """The result as JSON, and what was said."""
        done = subprocess.run([INFLUXSNAP, "-c", self.store, "verify", "--json", "-q", *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout), done.stderr

    def states(self, result):
        return [cut["state"] for cut in result["cuts"]]

    def place(self, cut, ending):
        """The path of a file that this cut retains."""
        [place] = [words[7] for name, words in CutFile(self.cuts / cut).files.items() if name.endswith(ending)]
        return self.cuts / "files" / place

    def flip(self, path, where=-1):
        """A byte of a file of its own: the store has the same by a hard link."""
        data = bytearray(path.read_bytes())
        data[where] ^= 1
        path.unlink()
        path.write_bytes(data)

    def test_good(self):
        """Each file is read once, whichever cuts need it."""
        code, said = snap_code(self.store, "verify")
        self.assertEqual(code, 0)
        lines = [line for line in said.splitlines() if not line.startswith("verifying ")]
        self.assertEqual([line.split(",")[0] for line in lines], ["base: good", "0: good", "1: good", "2: good"])
        for line in lines:
            self.assertRegex(line, r"^\w+: good, \d+ files \(\d+ of TSM\), \d+ bytes$")
        files = files_in(self.cuts / "files")
        self.assertEqual(sum(int(re.search(r"(\d+) files", line)[1]) for line in lines), len(files))
        self.assertEqual(sum(int(re.search(r"(\d+) bytes", line)[1]) for line in lines), sum(map(os.path.getsize, files)))
        self.assertEqual(len([line for line in said.splitlines() if line.startswith("verifying ")]), len(files))
        self.assertRegex(run(INFLUXSNAP, "-c", self.store, "-q", "verify"),
                         r"^4 cuts good, 0 damaged: \d+ files, \d+ bytes; 0 warnings\n$")

    def test_json(self):
        result, said = self.verify(0)
        self.assertEqual((result["good"], result["error"], said), (True, None, ""))
        self.assertEqual([(cut["number"], cut["base"]) for cut in result["cuts"]],
                         [(None, True), (0, False), (1, False), (2, False)])
        listed = json.loads(snap(self.store, "list", "--json"))["cuts"]
        self.assertEqual([cut["id"] for cut in result["cuts"]], [cut["id"] for cut in listed])
        self.assertGreater(sum(cut["first_checksums"] for cut in result["cuts"]), 0)
        again = self.verify(0)[0]
        self.assertEqual(sum(cut["first_checksums"] for cut in again["cuts"]), 0)

    def test_a_block(self):
        """By its CRC, without a checksum of the file; and only where the file is part of the store."""
        self.flip(self.place("0", "2-000000001.tsm"), 1000)
        result, said = self.verify(4)
        self.assertEqual(self.states(result), ["good", "damaged", "good", "good"])
        self.assertRegex(said, r"^influxsnap: cut 0: data/first/autogen/1/000000002-000000001.tsm: damaged at byte 5: "
                         "the block does not match its CRC\n$")
        self.assertEqual(len(result["cuts"][1]["errors"]), 1)
        self.assertFalse(result["good"])
        code, said = snap_code(self.store, "verify")
        self.assertEqual(code, 4)
        self.assertRegex(said, r"(?m)^0: damaged, 1 file of the store then; \d+ files \(1 of TSM\), \d+ bytes$")

    def test_the_base(self):
        """A file of the base is in every cut that has not replaced it."""
        self.flip(self.place("base", "second db/autogen/4/000000001-000000001.tsm"), 1000)
        result, said = self.verify(4)
        self.assertEqual(self.states(result), ["damaged"] * 4)
        self.assertEqual([len(cut["errors"]) for cut in result["cuts"]], [1, 0, 0, 0])
        self.assertEqual(said.count("\n"), 1)
        # After a fold it is still said.
        snap(self.store, "prune", "--keep=1")
        code, said = snap_code(self.store, "verify")
        self.assertEqual(code, 4)
        self.assertRegex(said, r"(?m)^base \(1\): damaged, 1 file of the store then; ")

    def test_a_checksum(self):
        """What has no checksum of its own: the first run remembers, the next one compares."""
        self.verify(0)
        self.flip(self.place("0", ".tombstone"))
        result, said = self.verify(4)
        self.assertEqual(self.states(result), ["good", "damaged", "good", "good"])
        self.assertIn("000000002-000000001.tombstone: damaged: its bytes are not those that were retained", said)

    def test_a_missing_file(self):
        place = self.place("0", ".tombstone")
        place.unlink()
        result, said = self.verify(4)
        self.assertEqual(self.states(result), ["good", "damaged", "good", "good"])
        self.assertIn(f"the retained file cuts/files/{place.parent.name}/{place.name}: No such file", said)
        place.write_bytes(b"short")
        self.assertIn("5 bytes instead of", self.verify(4)[1])

    def test_manifests(self):
        manifest, away = self.cuts / "1", self.folder / "away"
        whole = manifest.read_bytes()
        manifest.write_bytes(whole.replace(b"index", b"indey", 1))
        result, said = self.verify(4)
        self.assertEqual(self.states(result), ["good", "good"])
        self.assertRegex(said, r"^influxsnap: .*cuts?.*1.*damaged")
        self.assertEqual(result["error"], said.removeprefix("influxsnap: ").strip())
        self.assertIn("\n2 cuts good, 1 damaged: ", snap_code(self.store, "--quiet", "verify")[1])
        manifest.write_bytes(whole)
        manifest.rename(away)
        result, said = self.verify(5)
        self.assertEqual(self.states(result), ["good", "good"])
        self.assertIn("the manifest cuts/1 is missing", said)
        away.rename(manifest)
        self.verify(0)
        (self.cuts / "base").unlink()
        result, said = self.verify(5)
        self.assertEqual(result["cuts"], [])
        self.assertIn("cuts/base is missing", said)
        self.assertIn("\n0 cuts good, 0 damaged, 1 missing: ", snap_code(self.store, "--quiet", "verify")[1])

    def test_no_cuts(self):
        other = some_store(self.folder / "other", 1)
        code, said = snap_code(other, "verify")
        self.assertEqual((code, said), (0, "no cuts\n"))
        self.assertEqual(json.loads(snap(other, "verify", "--json"))["cuts"], [])
        (self.folder / "file").touch()
        for missing, reason in ((self.folder / "file/state", "Not a directory"),
                                (self.folder / "none", "No such file"), (self.folder / "none/state", "No such file")):
            for command in ("verify", "list"):
                code, said = snap_code(other, f"--state={missing}", command)
                self.assertEqual(code, 1, said)
                self.assertIn(f"state folder {missing}: {reason}", said)
        self.assertFalse((self.folder / "none").exists())

    def check_tar(self, path):
        """It is good by its own checksums."""
        copy = self.folder / "copy.tar"
        run("cp", path, copy)
        Archive(copy)
        run(INFLUXSNAP, "verify", copy)

    def test_a_new_chain(self):
        """After the cuts were moved away, its files have the places of other ones, and not their checksums."""
        with self.mounted(self.store) as mnt:
            self.check_tar(mnt / "snapshots/base.tar")
            self.verify(0)
            self.cuts.rename(self.folder / "away")
            old = big_file(self.store)
            old.with_name("000000004-000000001.tsm").write_bytes(tsm_of(old.stat().st_size, 2))
            old.unlink()
            snap(self.store, "cut")
            time.sleep(1.5)    # the kernel may remember the name for a second
            self.check_tar(mnt / "snapshots/base.tar")
            self.check_tar(mnt / "at/latest.tar")
        self.assertEqual(self.states(self.verify(0)[0]), ["good"])
        for seed in (3, 4):
            old.with_name(f"00000000{seed + 2}-000000001.tsm").write_bytes(tsm_of(6000, seed))
            snap(self.store, "cut")
        snap(self.store, "prune", "--keep=1")
        self.assertEqual(self.states(self.verify(0)[0]), ["good"] * 2)
        with self.mounted(self.store) as mnt:
            self.check_tar(mnt / "snapshots/base.tar")

    def test_read_only_state(self):
        """All of it can be read; that nothing can be written there is said."""
        state = self.store / "influxfs"
        run("mount", "--bind", state, state)
        self.addCleanup(run, "umount", state)
        run("mount", "-o", "remount,bind,ro", state)
        self.assertEqual(self.states(self.verify(0)[0]), ["good"] * 4)
        found = json.loads(snap(self.store, "status", "--json"))
        self.assertEqual((found["cuts"]["count"], found["cuts"]["error"]), (3, None))
        self.assertIn("Read-only file system", found["lacks"])
        self.assertNotIn("no cuts", snap(self.store, "list"))
        self.assertRegex(snap_code(self.store, "status", "--check")[1], "WARNING - nothing can be remembered .*Read-only")
        code, said = snap_code(self.store, "cut")
        self.assertEqual(code, 1)
        self.assertIn("Read-only file system; cuts need one", said)
        snap(self.store, "backup", self.folder / "b.tar")

    def test_beside_a_mount(self):
        """And without a store: after the loss of a disk the cuts may be all there is."""
        with self.mounted(self.store) as mnt:
            self.assertEqual(self.states(self.verify(0)[0]), ["good"] * 4)
            run("cmp", mnt / "at/2.tar", mnt / "at/latest.tar")
        for name in ("meta", "data", "wal"):
            (self.store / name).rename(self.folder / name)
        state = f"--state={self.cuts.parent}"
        self.assertEqual(self.states(self.verify(0, state)[0]), ["good"] * 4)
