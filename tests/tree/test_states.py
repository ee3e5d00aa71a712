"""States of very many files, of which few are on the disk: what stands for a file does not stay in memory.
The manifests are forged, so that the test is short; what reads them cannot tell."""

import hashlib
import os
import tarfile

from lib.case import StoreTest
from lib.cost import cost_of, memory_of
from lib.cuts import INFLUXSNAP, CutFile, snap
from lib.forge import Forgery
from lib.mount import held_files
from lib.stores import HandmadeStore, tsm, wal_entry

FILES = 60_000
MEMORY = 24  # MiB, at most; half a kilobyte for each file would be 28 beside the 8 that a mount takes
SHARD = "data/db/autogen/1"
FIRST = f"{SHARD}/000000001-000000001.tsm"
BLOCK = 512


class StatesTest(StoreTest):

    def setUp(self):
        super().setUp()
        store = HandmadeStore(self.folder / "store")
        store.shard("db", tsm={"000000001-000000001.tsm": tsm(b"x" * 40)}, wal={"_00001.wal": wal_entry(1)})
        self.store = store.write_meta()


class ViewsTest(StatesTest):
    CUTS = 30

    def test_manifests(self):
        """A look into each cut leaves those of one open, not those of all."""
        shard = self.store / SHARD
        for number in range(self.CUTS):
            (shard / f"{number + 2:09}-000000001.tsm").write_bytes(tsm(b"y" * number))
            snap(self.store, "cut")
        with self.mounted(self.store) as mnt:
            for number in range(self.CUTS - 1):
                self.assertEqual(len(list((mnt / f"at/{number}" / SHARD).glob("*.tsm"))), number + 3)
            self.assertLess(len(held_files(mnt, self.store / "influxfs/cuts")), 3 * self.CUTS)


class CutTarTest(StatesTest):

    def setUp(self):
        super().setUp()
        snap(self.store, "cut")
        base = self.store / "influxfs/cuts/base"
        data = (self.store / FIRST).read_bytes()
        words = CutFile(base).files[FIRST][:8] + [hashlib.sha256(data).hexdigest()]
        lines = base.read_text().splitlines()[:-1]
        at = next(i for i, line in enumerate(lines) if line.endswith(FIRST))
        lines[at:at + 1] = [" ".join(["f", *words, self.name(number)]) for number in range(FILES)]
        text = "".join(line + "\n" for line in lines)
        base.write_text(f"{text}end {hashlib.sha256(text.encode()).hexdigest()}\n")
        self.data = data

    @staticmethod
    def name(number):
        return f"{SHARD}/{number + 1:09}-000000001.tsm"

    def test_tar(self):
        """Its size, what is in it at some places, and its end, which has the sums of all."""
        with self.mounted(self.store) as mnt:
            path = mnt / "at/latest.tar"
            size = os.stat(path).st_size
            with open(path, "rb", buffering=0) as file:
                first = self.place_of(file, FIRST)
                each = BLOCK - -len(self.data) // BLOCK * BLOCK
                for number in (0, FILES - 1, 127, 128, FILES // 2, 1):
                    self.assertEqual(self.member(file, first + number * each), (self.name(number), self.data))
                file.seek(size - 3000)
                line = f"{hashlib.sha256(self.data).hexdigest()}  {self.name(FILES - 1)}\n"
                end = file.read(3000)
                self.assertIn(line.encode(), end)
                self.assertEqual(end[-2 * BLOCK:], bytes(2 * BLOCK))
            self.assertLess(memory_of(mnt.pid()), MEMORY)

    def test_browse(self):
        """What is in it, by name; and each file that is asked for."""
        with self.mounted(self.store) as mnt:
            shard = mnt / "at/latest" / SHARD
            names = os.listdir(shard)
            self.assertEqual(sorted(names), [os.path.basename(self.name(number)) for number in range(FILES)])
            for number in (0, FILES - 1, 127, 128, FILES // 2, 1):
                self.assertEqual((mnt / "at/latest" / self.name(number)).read_bytes(), self.data)
            self.assertEqual(shard.parent.stat().st_nlink, 3)
            self.assertFalse((shard / "nobody").exists())
            self.assertLess(memory_of(mnt.pid()), MEMORY)

    @staticmethod
    def place_of(file, name):
        """Where its header is."""
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) and member.name != name:
                pass
        return member.offset

    @staticmethod
    def member(file, at):
        file.seek(at)
        head = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "strict")
        return head.name, file.read(head.size)


class ManifestTest(StatesTest):

    def test_verify(self):
        """A snapshot with a manifest of so many files."""
        snap(self.store, "backup", self.folder / "one.tar")
        forged = Forgery((self.folder / "one.tar").read_bytes())
        for number in range(FILES):
            info = tarfile.TarInfo(f"wal/db/autogen/1/_{number + 2:05}.wal")
            forged.entries.append([info, b""])
        (self.folder / "many.tar").write_bytes(forged.bytes())
        cost = cost_of([INFLUXSNAP, "--quiet", "verify", self.folder / "many.tar"])
        self.assertLess(cost.memory, 64, cost)
