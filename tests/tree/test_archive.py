"""now.tar as an archive: every tar reads it, it says truly what it holds, whatever the store is like."""

import contextlib
import errno
import grp
import json
import os
import pwd
import shutil
import subprocess
import tarfile
import time

from lib.archive import Archive
from lib.case import StoreTest
from lib.files import run, sha256
from lib.influxd import Influxd
from lib.stores import TSM_HEADER, HandmadeStore, big_file, some_store, wal_entry

TSM = {"000000001-000000001.tsm": TSM_HEADER + b"x" * 100}
GIB = 2**30


class ArchiveTest(StoreTest):

    def capture(self, store, name="mnt"):
        """now.tar of the store, copied and checked."""
        out = self.folder / f"{name}.tar"
        run("cp", self.mount(store, name) / "snapshots/now.tar", out)
        return Archive(out)


class ReaderTest(ArchiveTest):
    """What is in it, and that other programs agree."""

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.mnt = self.mount(self.store)
        self.now = self.mnt / "snapshots/now.tar"

    def check_unpacked(self, *command):
        target = self.folder / "unpacked"
        target.mkdir()
        run(*command, cwd=target)
        self.assertIn("manifest: OK", run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=target))
        for folder in ("meta", "data", "wal"):
            run("diff", "-r", self.store / folder, target / folder)
        return target

    def test_gnu_tar(self):
        target = self.check_unpacked("tar", "-xf", self.now)
        run("tar", "-df", self.now, "-C", target)
        self.assertNotIn("Removing", run("tar", "-tvf", self.now))

    def test_bsdtar(self):
        self.check_unpacked("bsdtar", "-xpf", self.now)

    def test_from_a_pipe(self):
        self.check_unpacked("sh", "-c", f"cat {self.now} | tar -xf -")

    def test_compressed(self):
        self.check_unpacked("sh", "-c", f"zstd -qc {self.now} | tar -x --zstd -f -")

    def test_order(self):
        archive = self.capture_again()
        names = list(archive.members)
        self.assertEqual(names[:3], ["manifest", "meta", "meta/meta.db"])
        roots = [name.split("/")[0] for name in names[1:-1]]
        self.assertEqual(sorted(roots, key=["meta", "data", "wal"].index), roots)
        seen = set()
        for name in names:
            parent = os.path.dirname(name)
            self.assertIn(parent, seen | {""}, f"the folder of {name} comes first")
            seen.add(name)

    def capture_again(self):
        out = self.folder / "now.tar"
        run("cp", self.now, out)
        return Archive(out)

    def test_manifest(self):
        before = time.time()
        manifest = self.capture_again().manifest
        self.assertEqual(list(manifest), ["version", "id", "kind", "parent", "number", "created", "host", "index",
                                          "skew_ns", "files", "removed", "left_out"])
        self.assertEqual([manifest[key] for key in ("version", "kind", "parent", "number", "removed", "left_out")],
                         [1, "full", None, None, [], []])
        self.assertEqual(manifest["host"], os.uname().nodename)
        created = run("date", "-d", manifest["created"], "+%s.%N")
        self.assertTrue(before - 1 <= float(created) <= time.time() + 1, f"{before}, {created}")
        self.assertGreaterEqual(manifest["skew_ns"], 0)
        for file in manifest["files"]:
            self.assertEqual(file["mtime_ns"], os.stat(self.store / file["name"]).st_mtime_ns)
            self.assertLessEqual(file["index"], manifest["index"])

    def test_owners_modes_and_times(self):
        nobody = pwd.getpwnam("nobody")
        tsm = big_file(self.store)
        os.chown(tsm, nobody.pw_uid, nobody.pw_gid)
        os.chmod(tsm, 0o640)
        os.utime(tsm, ns=(0, 1234567890_987654321))
        os.chown(tsm.parent, 54321, 12345)  # nobody has these
        os.chmod(tsm.parent, 0o750)
        archive = self.capture_again()
        for name, member in archive.members.items():
            if name in ("manifest", "SHA256SUMS"):
                continue
            there = os.stat(self.store / name)
            self.assertEqual((member.uid, member.gid, member.mode, member.mtime),
                             (there.st_uid, there.st_gid, there.st_mode & 0o7777, there.st_mtime_ns // 10**9), name)
        file = archive.members[str(tsm.relative_to(self.store))]
        self.assertEqual((file.uname, file.gname), ("nobody", grp.getgrgid(nobody.pw_gid).gr_name))
        self.assertEqual(archive.members[str(tsm.parent.relative_to(self.store))].uname, "")

    def test_index_rises_with_changes(self):
        first = self.capture_again()
        self.assertEqual(set(first.indexes().values()), {first.manifest["index"]})
        changed = big_file(self.store)
        time.sleep(0.02)
        changed.with_name("new").write_bytes(b"another")
        changed.with_name("new").rename(changed)
        second = self.capture_again()
        self.assertGreater(second.manifest["index"], first.manifest["index"])
        name = str(changed.relative_to(self.store))
        expected = first.indexes() | {name: second.manifest["index"]}
        self.assertEqual(second.indexes(), expected)
        self.assertNotEqual(second.manifest["id"], first.manifest["id"])
        self.mnt.unmount()
        wal = self.store / "wal/first/autogen/1/_00002.wal"
        with wal.open("ab") as file:
            file.write(wal_entry(9))
        self.mnt.start()
        third = self.capture_again()
        expected |= {str(wal.relative_to(self.store)): third.manifest["index"]}
        self.assertEqual(third.indexes(), expected, "after a remount")
        self.assertGreater(third.manifest["index"], second.manifest["index"])

    def test_same_after_a_remount(self):
        first = self.capture_again().manifest
        before = sha256(self.now)
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual((sha256(self.now), self.capture_again().manifest), (before, first))


class OddStoreTest(ArchiveTest):
    """Stores as they seldom are."""
    timeout = 600  # 9 GiB are hashed twice

    def setUp(self):
        super().setUp()
        self.store = HandmadeStore(self.folder / "store")

    def odd_names(self):
        return ("plain", "two words", "dots.in.it", "it's \"quoted\"", "umlaut-äöü", "日本語のデータベース", "-rf",
                "$HOME;`id`", "back*slash?", "~", "#", "a=b,c", "x" * 120, "語" * 60, "...", "new%0Aline", " lead", "trail ")

    def test_three_thousand_files(self):
        names = self.odd_names()
        for number in range(1000):
            self.store.shard(names[number % len(names)], names[(number // 7) % len(names)],
                             tsm=TSM | {"000000002-000000001.tsm": b"y" * (number % 700)},
                             wal={"_00001.wal": wal_entry(number)})
        root = self.store.write_meta()
        archive = self.capture(root)
        self.assertEqual(len(archive.files()), 3001)
        on_disk = {str(path.relative_to(root)) for name in ("meta", "data", "wal")
                   for path in [root / name, *(root / name).rglob("*")]}
        self.assertEqual(set(archive.members) - {"manifest", "SHA256SUMS"}, on_disk)
        now = self.folder / "mnt/snapshots/now.tar"
        for tool in ("tar", "bsdtar"):
            target = self.folder / tool
            target.mkdir()
            run(tool, "-xf", now, "-C", target, env=os.environ | {"LC_ALL": "C.UTF-8"})
            run("sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS", cwd=target)
            run("diff", "-r", root / "data", target / "data")

    def test_names_with_backslash_or_newline(self):
        """influxd makes none of these, but sha256sum has a way to write them."""
        self.store.shard("back\\slash", tsm=TSM)
        root = self.store.write_meta()
        self.capture(root)
        run("tar", "-xf", self.folder / "mnt.tar", "-C", self.folder / "store/..", "--one-top-level=unpacked")
        run("sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS", cwd=self.folder / "unpacked")

    def test_huge_file(self):
        """9 GiB, nearly all of it a hole: its size does not fit ustar's field."""
        shard = self.store.shard(tsm=TSM | {"000000002-000000001.tsm": b""}, wal={"_00001.wal": wal_entry()})
        root = self.store.write_meta()
        huge = root / f"data/db/autogen/{shard}/000000002-000000001.tsm"
        size = 9 * GIB + 12345
        edges = {0: b"first", 8 * GIB - 3: b"across the limit", 9 * GIB: b"late", size - 4: b"last"}
        with huge.open("r+b") as file:
            file.truncate(size)
            for offset, text in edges.items():
                file.seek(offset)
                file.write(text)
        now = self.mount(root) / "snapshots/now.tar"
        for tool in ("tar", "bsdtar"):
            listing = run(tool, "-tvf", now)
            self.assertRegex(listing, rf" {size} .*000000002-000000001.tsm\n")
            self.assertTrue(listing.rstrip().endswith("SHA256SUMS"))
        self.check_edges(now, huge, edges)

    def check_edges(self, now, huge, edges):
        with tarfile.open(now) as tar:
            member = tar.getmember(f"data/db/autogen/1/{huge.name}")
            start = member.offset_data
            with open(now, "rb") as file:
                for offset, text in edges.items():
                    self.assertEqual(os.pread(file.fileno(), len(text), start + offset), text)
                    self.assertEqual(os.pread(file.fileno(), 1, start + offset + len(text)), b"\0", "the hole after it")
            sums = tar.extractfile("SHA256SUMS").read().decode()
        self.assertIn(f"{sha256(huge)}  data/db/autogen/1/{huge.name}\n", sums)

    def test_empty_store(self):
        """A fresh influxd's: no wal folder yet."""
        with Influxd(self.folder / "fresh") as influxd:
            root = influxd.root
        self.assertFalse((root / "wal").exists())
        archive = self.capture(root)
        self.assertEqual(archive.files(), ["meta/meta.db"])
        self.assertEqual(archive.folders(), {"meta", "data"})

    def test_database_without_points(self):
        with Influxd(self.folder / "fresh") as influxd:
            influxd.run("CREATE DATABASE \"no points\"")
            archive = self.capture(influxd.root)
        self.assertEqual(archive.files(), ["meta/meta.db"])
        restored = self.folder / "restored"
        restored.mkdir()
        run("tar", "-xf", self.folder / "mnt.tar", "-C", restored)
        with Influxd(restored) as influxd:
            self.assertEqual(influxd.run("SHOW DATABASES")[0]["values"], [["no points"]])

    def test_empty_shard(self):
        """influxd has made the folders and no file yet."""
        empty = self.store.shard(index=False)
        tsi = self.store.shard(index=True)
        self.store.shard(tsm=TSM)
        archive = self.capture(self.store.write_meta())
        self.assertLessEqual({f"data/db/autogen/{empty}", f"wal/db/autogen/{empty}", f"data/db/autogen/{tsi}/index"},
                             archive.folders())

    def test_only_an_empty_shard(self):
        shard = self.store.shard()
        archive = self.capture(self.store.write_meta())
        self.assertIn(f"data/db/autogen/{shard}", archive.folders())

    def test_shard_without_wal_folder(self):
        shard = self.store.shard(tsm=TSM)
        shutil.rmtree(self.store.root / "wal/db")
        archive = self.capture(self.store.write_meta())
        self.assertIn(f"data/db/autogen/{shard}/000000001-000000001.tsm", archive.members)
        self.assertEqual([name for name in archive.members if name.startswith("wal")], ["wal"])

    def test_wal_without_a_shard(self):
        """A shard that influxd is about to make, or has dropped: it ignores it, and so do we."""
        shard = self.store.shard(tsm=TSM, wal={"_00001.wal": wal_entry()})
        new = self.store.shard()
        gone = self.store.shard(wal={"_00001.wal": wal_entry()}, listed=False)
        for number in (new, gone):
            shutil.rmtree(self.store.root / f"data/db/autogen/{number}")
        archive = self.capture(self.store.write_meta())
        self.assertIn(f"wal/db/autogen/{shard}/_00001.wal", archive.members)
        for number in (new, gone):
            self.assertNotIn(f"wal/db/autogen/{number}", archive.members)

    def wal(self, content):
        """A segment with these bytes as now.tar has it."""
        shard = self.store.shard(wal={"_00001.wal": content})
        root = self.store.write_meta()
        archive = self.capture(root)
        name = f"wal/db/autogen/{shard}/_00001.wal"
        self.assertIn(name, archive.members)
        return subprocess.run(["tar", "-xOf", self.folder / "mnt.tar", name], check=True, capture_output=True).stdout

    def test_torn_wal(self):
        good = b"".join(map(wal_entry, range(50))) + wal_entry(7, 40000)
        torn = wal_entry(8, 5000)
        for number, length in enumerate((1, 4, 5, 6, 100, len(torn) - 1)):
            self.setUp()
            with self.subTest(length=length):
                self.assertEqual(self.wal(good + torn[:length]), good)

    def test_hole_in_wal(self):
        """influxd, started after a crash, leaves a run of zeros and goes on after it."""
        first, second = wal_entry(1) + wal_entry(2), wal_entry(3) + wal_entry(4, 3000)
        self.assertEqual(self.wal(first + bytes(777) + second + bytes(100) + wal_entry(5) + wal_entry(6)[:20]),
                         first + second + wal_entry(5))

    def test_empty_wal_segment(self):
        self.assertEqual(self.wal(b""), b"")

    def test_wal_of_nothing_but_a_tear(self):
        self.assertEqual(self.wal(wal_entry(1, 900)[:300]), b"")

    def test_what_influxd_ignores_is_left_out(self):
        shard = self.store.shard(tsm=TSM | {
            "000000001-000000001.tombstone": b"kept",
            "000000009-000000001.tombstone": b"an orphan",
            "000000002-000000001.tsm.tmp": b"half written",
            "000000003-000000001.tsm.bad": b"damaged",
            "000000001-000000001.tombstone.tmp": b"half written",
            "tombstone12345": b"a rewrite",
            "fields.idx": b"derived",
            "digest.tsd": b"derived",
        }, wal={"_00001.wal": wal_entry(), "_00002.wal.tmp": b"", "notes": b""})
        root = self.store.root
        (root / "data/db/_series/00").mkdir(parents=True)
        (root / "data/db/_series/00/0000").write_bytes(b"SSEG\x01")
        (root / f"data/db/autogen/{shard}.tmp").mkdir()
        (root / f"data/db/autogen/{shard}.tmp/000000001-000000001.tsm").write_bytes(b"a backup's link")
        (root / "data/db/file").write_bytes(b"")
        (root / "meta/meta.dbtmp").write_bytes(b"")
        (root / "meta/node.json").write_bytes(b"{}")
        self.store.write_meta()
        place = f"data/db/autogen/{shard}/000000001-000000001"
        self.assertEqual(self.capture(root).files(), [
            "meta/meta.db", f"{place}.tombstone", f"{place}.tsm", f"wal/db/autogen/{shard}/_00001.wal"])

    def test_shards_that_meta_does_not_list(self):
        kept = self.store.shard(tsm={"000000001-000000001.tsm": TSM_HEADER + b"x" * 1000})
        unknown = self.store.shard("db", tsm=TSM, wal={"_00001.wal": wal_entry()}, listed=False)
        other = self.store.shard("nobody's", "policy", tsm=TSM, listed=False)
        archive = self.capture(self.store.write_meta())
        size = sum(map(len, TSM.values()))
        self.assertEqual(archive.manifest["left_out"], [
            {"name": f"db/autogen/{unknown}", "files": 2, "bytes": size + len(wal_entry()), "why": "unknown"},
            {"name": f"nobody's/policy/{other}", "files": 1, "bytes": size, "why": "unknown"}])
        self.assertEqual(archive.files(), ["meta/meta.db", f"data/db/autogen/{kept}/000000001-000000001.tsm"])
        self.assertFalse([name for name in archive.members if "nobody" in name or name.endswith(f"/{unknown}")])


class RefusalTest(StoreTest):
    """What cannot be a whole store is no snapshot, above all no empty one."""

    def setUp(self):
        super().setUp()
        self.store = HandmadeStore(self.folder / "store")
        for _ in range(2):
            self.store.shard(tsm=TSM, wal={"_00001.wal": wal_entry()})
        self.root = self.store.write_meta()

    @contextlib.contextmanager
    def refused(self, *words):
        """The same whether it happens before the mount or while mounted; and it heals."""
        with self.mounted(self.root) as mnt:
            run("cp", mnt / "snapshots/now.tar", self.folder / "before.tar")
            yield
            self.check_refused(mnt, words)
        with self.mounted(self.root, "again") as mnt:
            self.check_refused(mnt, words)

    def check_refused(self, mnt, words):
        now = mnt / "snapshots/now.tar"
        self.assertIn("now.tar", os.listdir(mnt / "snapshots"))
        for command in (["stat", now], ["cp", now, self.folder / "copy"], ["cat", now]):
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Input/output error", done.stderr)
        self.assertFalse((self.folder / "copy").exists())
        with self.assertRaises(OSError) as caught:
            self.stat_elsewhere(now)
        error = json.loads((mnt / "status.json").read_text())["last_error"]
        self.assertEqual(error["what"], "snapshots/now.tar")
        for word in words:
            self.assertIn(word, error["text"])
        self.assertEqual(caught.exception.errno, errno.EIO)

    def stat_elsewhere(self, path):
        os.stat(path)

    def test_lost_meta(self):
        with self.refused("meta.db", "No such file"):
            (self.root / "meta/meta.db").unlink()

    def test_lost_meta_folder(self):
        with self.refused("meta"):
            shutil.rmtree(self.root / "meta")

    def test_garbage_meta(self):
        with self.refused("meta.db"):
            (self.root / "meta/meta.db").write_bytes(os.urandom(500))

    def test_empty_meta(self):
        with self.refused("meta.db"):
            (self.root / "meta/meta.db").write_bytes(b"")

    def test_cut_meta(self):
        content = (self.root / "meta/meta.db").read_bytes()
        with self.refused("meta.db"):
            (self.root / "meta/meta.db").write_bytes(content[:-3])

    def test_meta_that_knows_no_shard(self):
        """Another store's, or a fresh one."""
        fresh = HandmadeStore(self.folder / "fresh").write_meta()
        with self.refused("knows none"):
            shutil.copy(fresh / "meta/meta.db", self.root / "meta/meta.db")

    def test_missing_wal(self):
        with self.refused("WAL"):
            shutil.rmtree(self.root / "wal")

    def test_missing_data(self):
        with self.refused("data"):
            shutil.rmtree(self.root / "data")

    def test_empty_data(self):
        """Its disk is not mounted."""
        with self.refused("is its disk mounted"):
            shutil.rmtree(self.root / "data")
            (self.root / "data").mkdir()

    def test_empty_data_and_wal(self):
        with self.refused("is its disk mounted"):
            for name in ("data", "wal"):
                shutil.rmtree(self.root / name)
                (self.root / name).mkdir()

    def test_half_a_restore(self):
        with self.mounted(self.root) as mnt:
            (self.root / "meta/raft.db").write_bytes(b"")
            done = subprocess.run(["stat", mnt / "snapshots/now.tar"], capture_output=True, text=True)
            self.assertIn("temporarily unavailable", done.stderr)
            (self.root / "meta/raft.db").unlink()
            run("cp", mnt / "snapshots/now.tar", self.folder)
        Archive(self.folder / "now.tar")

    def test_it_heals(self):
        with self.mounted(self.root) as mnt:
            os.rename(self.root / "data", self.root / "elsewhere")
            self.check_refused(mnt, ["data"])
            os.rename(self.root / "elsewhere", self.root / "data")
            run("cp", mnt / "snapshots/now.tar", self.folder)
        self.assertEqual(len(Archive(self.folder / "now.tar").files()), 5)

    def test_nothing_there(self):
        """A store to be restored into: not there is another thing than empty."""
        nothing = self.folder / "nothing"
        nothing.mkdir()
        with self.mounted(nothing) as mnt:
            self.assertEqual(os.listdir(mnt / "snapshots"), [])
            self.assertEqual(os.listdir(mnt / "live"), [])
            with self.assertRaises(FileNotFoundError):
                os.stat(mnt / "snapshots/now.tar")
            shutil.copytree(self.root, nothing, dirs_exist_ok=True)
            run("cp", mnt / "snapshots/now.tar", self.folder)
            self.assertEqual(sorted(os.listdir(mnt / "live")), ["data", "meta", "wal"])
        self.assertEqual(len(Archive(self.folder / "now.tar").files()), 5)
