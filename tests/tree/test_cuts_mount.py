"""Cuts in the mount: base.tar and numbers, at/, what keeps a cut, and the timer that makes them."""

import errno
import json
import mmap
import os
import random
import re
import stat
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from lib.archive import Archive
from lib.case import StoreTest
from lib.clock import Clock
from lib.cuts import chain, snap, snap_code
from lib.files import files_in, run, sha256, wait_until
from lib.influxd import Influxd
from lib.mount import INFLUXFS
from lib.stores import big_file, some_store, tsm
from lib.trees import difference, tree

IDLE_SECONDS = 60  # after that a view that nobody uses is let go
TAR_SECONDS = 5    # and after that a tar of a cut
NOBODY = 65534
SLOW = Path(INFLUXFS).parent / "tests/preload_slow.so"


def leased(state):
    """Serials of the cuts that are in use, by the kernel's table of locks."""
    with open("/proc/locks", encoding="ascii") as table:
        locked = {line.split()[-3] for line in table if " FLOCK " in line}

    def key(there):
        return f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
    return {int(entry.name) for entry in os.scandir(state / "cuts/leases") if key(os.stat(entry)) in locked}


class CutTest(StoreTest):
    timeout = 300

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.state = self.store / "influxfs"
        self.grown = 0

    def grow(self):
        """What a flush leaves."""
        self.grown += 1
        new = big_file(self.store).with_name(f"{self.grown + 1:09}-000000001.tsm")
        part = new.with_name(f"{new.name}.tmp")
        part.write_bytes(tsm(os.urandom(5000)))
        part.rename(new)    # at once, as influxd does: a cut may be made at any time

    def cut(self, numbers=0):
        """A cut, and that many more."""
        snap(self.store, "cut")
        for _ in range(numbers):
            self.grow()
            snap(self.store, "cut")

    def listed(self, mnt, folder="snapshots"):
        return set(os.listdir(mnt / folder))

    def status(self, mnt):
        return json.loads((mnt / "status.json").read_text())["cuts"]

    def assert_fails(self, number, what, *words):
        with self.assertRaises(OSError) as caught:
            what(*words)
        self.assertEqual(caught.exception.errno, number, f"{what.__name__} {words}")


class NumbersTest(CutTest):

    def setUp(self):
        super().setUp()
        self.mnt = self.mount(self.store)

    def whole(self, path):
        """The file's Archive; it is as its stat says."""
        there = os.stat(path)
        copy = self.folder / "copy.tar"
        run("cp", path, copy)
        self.assertEqual((there.st_size, there.st_blocks), (os.path.getsize(copy), -(-there.st_size // 512)), path)
        self.assertEqual(stat.S_IMODE(there.st_mode), 0o400)
        self.assertEqual((there.st_uid, there.st_gid), (NOBODY, NOBODY))
        found = Archive(copy)
        created = datetime.fromisoformat(found.manifest["created"][:19] + "+00:00").timestamp()
        self.assertEqual(there.st_mtime_ns // 10**9, created)
        return found

    def test_they_appear(self):
        """Within a second, without another mount, with everything known beforehand."""
        os.chown(self.store / "data", NOBODY, NOBODY)
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual((self.listed(self.mnt), self.listed(self.mnt, "at")), ({"now.tar"}, set()))
        self.assert_fails(errno.ENOENT, os.stat, self.mnt / "snapshots/base.tar")
        self.assertEqual(self.status(self.mnt)["base"], None)
        self.cut()
        wait_until(lambda: self.listed(self.mnt) == {"now.tar", "base.tar"}, 1, "base.tar")
        self.assertEqual(self.listed(self.mnt, "at"), {"latest", "latest.tar"})
        self.assertEqual(self.whole(self.mnt / "snapshots/base.tar").manifest["kind"], "full")
        self.assertEqual(sha256(self.mnt / "at/latest.tar"), sha256(self.mnt / "snapshots/base.tar"))
        before = self.whole(self.mnt / "snapshots/base.tar").manifest["id"]
        for number in range(3):
            self.assert_fails(errno.ENOENT, os.stat, self.mnt / f"snapshots/{number}.tar")
            self.grow()
            snap(self.store, "cut")
            wait_until(lambda: f"{number}.tar" in self.listed(self.mnt), 1, "the number")
            found = self.whole(self.mnt / f"snapshots/{number}.tar")
            self.assertEqual((found.manifest["kind"], found.manifest["number"], found.manifest["parent"]),
                             ("incremental", number, before))
            self.assertEqual(len(found.files()), 1)
            before = found.manifest["id"]
            self.assertEqual(self.whole(self.mnt / "at/latest.tar").manifest["id"], before)
            self.assertEqual(len(self.whole(self.mnt / f"at/{number}.tar").files()), 26 + number)
        self.assertEqual(self.listed(self.mnt, "at"),
                         {"latest", "latest.tar"} | {f"{n}{end}" for n in range(3) for end in ("", ".tar")})
        found = self.status(self.mnt)
        self.assertEqual((found["base"]["number"], found["numbers"], found["latest"]["id"]),
                         (None, {"count": 3, "first": 0, "last": 2}, before))
        self.assertEqual(found["retained_files"], 28)

    def test_one_report(self):
        """status.json and `influxsnap status --json` tell the same, in the same shape."""
        self.cut(2)
        mounted = json.loads((self.mnt / "status.json").read_text())
        alone = json.loads(snap(self.store, "status", "--json"))
        for key in ("version", "store", "state", "lacks"):
            self.assertEqual(mounted[key], alone[key], key)
        ours, theirs = mounted["cuts"], alone["cuts"]
        self.assertEqual((ours.pop("numbers"), theirs.pop("numbers")), ({"count": 2, "first": 0, "last": 1}, 2))
        self.assertEqual(set(theirs) - set(ours), set())
        for cuts in (ours, theirs):
            self.assertEqual(cuts["latest"], cuts["newest"])
            for key in ("files", "bytes"):
                self.assertEqual(cuts[key], cuts[f"retained_{key}"])
            for cut in (cuts["base"], cuts["latest"], cuts["newest"]):
                for key in ("time", "created"):  # to the second, and exactly
                    cut[key] = cut[key][:19]
        self.assertEqual({key: ours[key] for key in theirs}, theirs)

    def test_unpacked_and_checked_by_tools(self):
        self.cut(1)
        for name in ("snapshots/base.tar", "snapshots/0.tar", "at/0.tar"):
            out = self.folder / name.replace("/", "-")
            out.mkdir()
            names = run("tar", "-tf", self.mnt / name).splitlines()
            self.assertEqual((names[0], names[-1]), ("manifest", "SHA256SUMS"))
            run("tar", "-xf", self.mnt / name, "-C", out)
            run("sha256sum", "--quiet", "-c", "SHA256SUMS", cwd=out)

    def test_readers(self):
        """Several, before anything is known of the sums, and at random places."""
        self.cut(1)
        for name in ("snapshots/base.tar", "at/0.tar"):
            path = self.mnt / name
            readers = [subprocess.Popen(["sha256sum", path], stdout=subprocess.PIPE, text=True) for _ in range(6)]
            sums = {reader.communicate()[0].split()[0] for reader in readers}
            content = path.read_bytes()
            self.assertEqual(sums, {sha256(path)})
            self.assertEqual(len(content), os.path.getsize(path))
            chosen = random.Random(1)
            fd = os.open(path, os.O_RDONLY)
            self.addCleanup(os.close, fd)
            for _ in range(300):
                start, length = chosen.randrange(len(content)), chosen.choice((1, 511, 512, 4096, 65537, 1 << 20))
                self.assertEqual(os.pread(fd, length, start), content[start:start + length], f"{length} at {start}")
            self.assertEqual(os.pread(fd, 10, len(content)), b"")
        self.assertIsNone(json.loads((self.mnt / "status.json").read_text())["last_error"])

    def test_rsync(self):
        """A mirror gets what is new, and nothing twice."""
        target = self.folder / "mirror"

        def moved():
            said = run("rsync", "-ai", "--exclude=now.tar", f"{self.mnt.point}/snapshots/", target)
            return [line.split()[1] for line in said.splitlines() if line.startswith(">f")]
        self.cut(2)
        self.assertEqual(moved(), ["0.tar", "1.tar", "base.tar"])
        self.assertEqual(moved(), [])
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual(moved(), [])
        self.grow()
        snap(self.store, "cut")
        self.assertEqual(moved(), ["2.tar"])
        # Number 3 shall be one file and one folder; then the rest goes into the base.
        self.grow()
        snap(self.store, "cut")
        snap(self.store, "prune", "--keep=1")
        self.assertEqual(moved(), ["3.tar", "base.tar"])
        self.assertEqual(moved(), [])

    def test_inodes(self):
        self.cut(3)

        def inodes():
            names = [f"{folder}/{name}" for folder in ("snapshots", "at") for name in sorted(self.listed(self.mnt, folder))]
            return {name: os.stat(self.mnt / name).st_ino for name in names}
        before = inodes()
        tars = [ino for name, ino in before.items() if name.endswith(".tar")]
        self.assertEqual(len(tars), len(set(tars)))
        for folder in ("snapshots", "at"):
            for entry in os.scandir(self.mnt / folder):
                self.assertEqual(entry.inode(), before[f"{folder}/{entry.name}"], entry.path)
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual(inodes(), before)
        snap(self.store, "prune", "--keep=1")
        time.sleep(1)
        after = inodes()
        self.assertEqual(after.keys(), before.keys() - {f"{place}{end}" for n in (0, 1) for place, end in (
            (f"snapshots/{n}", ".tar"), (f"at/{n}", ".tar"), (f"at/{n}", ""))} - {"snapshots/1.tar"}
            | {"at/1", "at/1.tar"})
        for name, ino in after.items():
            self.assertEqual(ino, before[name], name)

    def test_damage_is_told(self):
        self.cut(2)
        (self.state / "cuts/1").write_text("influxfs-cut 1\n")
        self.assertEqual(self.listed(self.mnt), {"now.tar", "base.tar", "0.tar"})
        self.assertIn("1", self.status(self.mnt)["damaged"])
        self.assertTrue((self.mnt / "at/0.tar").read_bytes())

    def test_lost_file(self):
        """What is retained has been taken away: an error, never a short file."""
        self.cut()
        lost = max(files_in(self.state / "cuts/files"), key=os.path.getsize)
        os.truncate(lost, os.path.getsize(lost) - 1)
        self.assert_fails(errno.EIO, (self.mnt / "snapshots/base.tar").read_bytes)
        name = next(path for path in files_in(self.mnt / "at/latest") if os.path.getsize(path) == os.path.getsize(lost) + 1)
        self.assert_fails(errno.EIO, open, name, "rb")
        self.assertIsNotNone(json.loads((self.mnt / "status.json").read_text())["last_error"])


class AtTest(CutTest):

    def setUp(self):
        super().setUp()
        some = big_file(self.store)
        os.chmod(some, 0o640)
        os.chown(some, 12, 34)
        os.chown(some.parent, NOBODY, NOBODY)
        self.mnt = self.mount(self.store)
        self.at = self.mnt / "at"

    def test_a_folder_has_another_owner(self):
        """Which is a change, though all files are the same."""
        self.cut()
        for path in [self.store / "meta", *big_file(self.store).parents][:2]:
            path.chmod(0o750)
            snap(self.store, "cut")
            shown = self.at / "latest" / path.relative_to(self.store)
            self.assertEqual(shown.stat().st_mode & 0o7777, 0o750)

    def test_folder_and_tar_are_the_same(self):
        """And the same as the store was then, to the nanosecond."""
        self.cut(1)
        for name in ("meta", "data", "wal"):
            run("cp", "-a", self.store / name, self.folder / name)
        self.grow()
        big_file(self.store).unlink()
        self.cut()
        run("mkdir", self.folder / "tar")
        run("tar", "--numeric-owner", "-xpf", self.at / "0.tar", "-C", self.folder / "tar")
        run("cp", "-a", self.at / "0", self.folder / "cp")
        by_tar, by_cp = tree(self.folder / "tar"), tree(self.folder / "cp")
        del by_tar["manifest"], by_tar["SHA256SUMS"]
        self.assertEqual(by_cp, tree(self.at / "0"))
        self.assertEqual(self.to_seconds(by_tar), self.to_seconds(by_cp))
        before = {name: what for name, what in tree(self.folder).items() if name in by_cp}
        self.assertTrue(before == by_cp, difference(before, by_cp))
        self.assertNotEqual(tree(self.at / "latest"), by_cp)

    def to_seconds(self, found):
        return {name: (what[0], what[1], what[2] // 10**9, *what[3:]) for name, what in found.items()}

    def test_attributes(self):
        self.cut()
        top = self.at / "latest"
        for place, folders, files in os.walk(top):
            self.assertEqual(os.stat(place).st_nlink, 2 + len(folders), place)
            for name in files:
                there = os.stat(os.path.join(place, name))
                self.assertEqual((there.st_nlink, there.st_blocks), (1, -(-there.st_size // 512)), name)
        for entry in os.scandir(top / "data/first/autogen/1"):
            self.assertEqual(entry.inode(), entry.stat().st_ino, entry.path)
        self.mnt.unmount()
        self.mnt.options = "uid=12,gid=34,umask=027"
        self.mnt.start()
        there = os.stat(top / "data/second db")
        self.assertEqual((there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode)), (12, 34, 0o750))

    def test_dots(self):
        """`.` and `..` bear the numbers of the folders that they stand for."""
        self.cut()
        for name in ("at", "snapshots", "live", "live/data", "dump", "dump/json", "restore", "at/latest",
                     "at/latest/data", "at/latest/data/first"):
            folder = self.mnt / name
            listed = (line.split() for line in run("ls", "-1aiU", folder).splitlines())
            inodes = {words[1]: int(words[0]) for words in listed if words[1] in (".", "..")}
            self.assertEqual(inodes, {".": os.stat(folder).st_ino, "..": os.stat(folder.parent).st_ino}, name)

    def test_missing_names_are_found_later(self):
        """The kernel remembers that a name is not in a cut, but not of a name that goes from cut to cut."""
        self.cut()
        missing = self.at / "latest/data/first/autogen/1/000000002-000000001.tsm"
        for _ in range(3):
            self.assertRaises(FileNotFoundError, os.stat, missing)
        self.grow()
        self.cut()
        wait_until(missing.exists, 30, "the next cut")
        self.assertTrue((self.at / "0" / missing.relative_to(self.at / "latest")).exists())

    def test_names(self):
        first = datetime.now(timezone.utc)
        time.sleep(0.01)
        self.cut(1)
        time.sleep(1.1)
        between = datetime.now(timezone.utc)
        time.sleep(0.01)
        self.grow()
        snap(self.store, "cut")
        sums = {name: sha256(self.at / f"{name}.tar") for name in ("0", "1", "latest")}
        self.assertEqual(sums["1"], sums["latest"])
        self.assertNotEqual(sums["0"], sums["1"])
        moved = between.astimezone(timezone(timedelta(hours=5, minutes=30)))
        for name in (between.isoformat(), moved.isoformat(), between.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                     between.astimezone(timezone(-timedelta(hours=3))).isoformat(timespec="seconds"),
                     between.strftime("%Y%m%dT%H%M%SZ")):
            self.assertEqual(sha256(self.at / f"{name}.tar"), sums["0"], name)
            self.assertEqual(tree(self.at / name), tree(self.at / "0"), name)
        for name in ("2099-01-01T00:00:00Z", "20991231T235959Z"):
            self.assertEqual(sha256(self.at / f"{name}.tar"), sums["1"], name)
        for name in (first.isoformat(), "1970-01-01T00:00:00Z", "00", "01", "2", "-1", "+1", "0x1", "", "latest.tar",
                     "base", "2016", "2016-06-11", "2016-02-30T00:00:00Z", "x" * 250, "0 ", "LATEST"):
            for end in ("", ".tar") if name not in ("", "latest.tar") else (".tar",):
                self.assert_fails(errno.ENOENT, os.stat, self.at / (name + end))
        self.assertEqual(self.listed(self.mnt, "at"),
                         {"0", "1", "latest"} | {"0.tar", "1.tar", "latest.tar"})

    def test_read_only(self):
        self.cut(1)
        for folder in (self.at, self.at / "0", self.at / "0/data/first", self.mnt / "snapshots"):
            self.assert_fails(errno.EROFS, os.mkdir, folder / "new")
            self.assert_fails(errno.EROFS, os.open, folder / "new", os.O_CREAT | os.O_WRONLY)
        for path in (self.at / "0/meta/meta.db", self.at / "0.tar", self.mnt / "snapshots/base.tar"):
            self.assert_fails(errno.EROFS, os.open, path, os.O_RDWR)
            self.assert_fails(errno.EROFS, os.unlink, path)
            self.assert_fails(errno.EROFS, os.chmod, path, 0o777)
            self.assert_fails(errno.EROFS, os.utime, path)
            self.assert_fails(errno.EROFS, os.truncate, path, 0)
            self.assert_fails(errno.EROFS, os.rename, path, path.with_name("new"))
        self.assert_fails(errno.EROFS, os.rmdir, self.at / "0")

    def test_mapped(self):
        self.cut(1)
        whole = self.folder / "whole"
        run("cp", "-a", self.at / "0", whole)
        for path in files_in(self.at / "0"):
            with open(path, "rb") as file:
                if not os.path.getsize(path):
                    continue
                with mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
                    self.assertEqual(mapped[:], (whole / os.path.relpath(path, self.at / "0")).read_bytes(), path)

    def test_random_reads(self):
        self.cut()
        path = next(path for path in files_in(self.at / "latest") if path.endswith(".tsm"))
        with open(path, "rb", buffering=0) as file:
            content = file.read()
            self.assertEqual(len(content), os.path.getsize(path))
            for _ in range(200):
                start = random.randrange(len(content) + 10)
                self.assertEqual(os.pread(file.fileno(), 5000, start), content[start:start + 5000])


class InUseTest(CutTest):
    """What is in use is not folded away, and nothing else is kept."""

    def setUp(self):
        super().setUp()
        self.clock = Clock(self.folder / "clock")
        self.mnt = self.mount(self.store, environment=self.clock.environment)
        self.at = self.mnt / "at"

    def numbers(self):
        return [cut.number for cut in chain(self.state)]

    def test_open_tar(self):
        self.cut(4)
        with open(self.at / "1.tar", "rb") as tar, open(self.mnt / "snapshots/base.tar", "rb") as base:
            wanted = sha256(self.at / "1.tar"), sha256(self.mnt / "snapshots/base.tar")
            snap(self.store, "prune", "--keep=1")
            self.assertEqual(self.numbers(), [-1, 0, 1, 2, 3])
            base.close()
            self.clock.forward(TAR_SECONDS)
            wait_until(lambda: leased(self.state) == {2}, 10, "the base to be let go")
            snap(self.store, "prune", "--keep=1")
            self.assertEqual(self.numbers(), [1, 2, 3])
            (self.folder / "copy").write_bytes(tar.read())
            self.assertEqual(sha256(self.folder / "copy"), wanted[0])
        self.clock.forward(TAR_SECONDS)
        wait_until(lambda: not leased(self.state), 10, "the tar to be let go")
        snap(self.store, "prune", "--keep=1")
        self.assertEqual(self.numbers(), [2, 3])
        # By the names that are left: another base, which is the tar of the number that it stands for.
        time.sleep(1)
        self.assert_fails(errno.ENOENT, open, self.at / "1.tar")
        self.assert_fails(errno.ENOENT, open, self.mnt / "snapshots/2.tar")
        self.assertEqual(sha256(self.mnt / "snapshots/base.tar"), sha256(self.at / "2.tar"))
        self.assertEqual(self.listed(self.mnt), {"now.tar", "base.tar", "3.tar"})
        self.assertEqual(self.status(self.mnt)["base"]["number"], 2)

    def test_stale_name(self):
        """Looked up, then folded: the open looks again, whatever the kernel remembers."""
        self.cut(3)
        for _ in range(2):
            size = os.stat(self.mnt / "snapshots/base.tar").st_size
            gone = min(int(name[:-4]) for name in self.listed(self.mnt) if name[0].isdigit())
            os.stat(self.mnt / f"snapshots/{gone}.tar")
            os.stat(self.at / f"{gone - 1}" if gone else self.at / "latest")
            self.cut(1)
            snap(self.store, "prune", "--keep=3")
            self.assert_fails(errno.ENOENT, open, self.mnt / f"snapshots/{gone}.tar")
            with open(self.mnt / "snapshots/base.tar", "rb") as base:
                self.assertGreater(os.fstat(base.fileno()).st_size, size)
                self.assertEqual(len(base.read()), os.fstat(base.fileno()).st_size)
            if gone:
                self.assert_fails(errno.ENOENT, os.listdir, self.at / f"{gone - 1}")
            self.clock.forward(IDLE_SECONDS)
            wait_until(lambda: not leased(self.state), 10, "the tars and views to be let go")

    def test_open_file(self):
        self.cut(2)
        path = next(path for path in files_in(self.at / "0") if path.endswith(".tsm"))
        with open(path, "rb") as file:
            snap(self.store, "prune", "--keep=1")
            self.assertEqual(self.numbers(), [0, 1])
            big_file(self.store).unlink()
            self.cut(1)
            snap(self.store, "prune", "--keep=1")
            self.assertEqual(self.numbers(), [0, 1, 2, 3])
            self.assertEqual(file.read(), open(path, "rb").read())

    def test_idle_view(self):
        """One that was only looked at is let go. One that a shell stands in stays, and so does its name."""
        self.cut(4)
        code = "import os, sys; os.chdir(sys.argv[1]); print(flush=True); sys.stdin.readline(); print(os.getcwd()); " \
               "print(*os.listdir('data/first'), flush=True); sys.stdin.readline()"
        shells = []
        for folder in ("1", "3/data"):
            shells.append(subprocess.Popen([sys.executable, "-c", code if folder == "1" else code.replace("data/", ""),
                                            self.at / folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            shells[-1].stdout.readline()
        looked = self.clock.now()
        for name in ("0", "1", "2", "3/data"):
            run("ls", "-lR", self.at / name)
        run("ls", "-l", self.at)  # looks into none of them
        self.check_leased_before(looked + IDLE_SECONDS, {1, 2, 3, 4})
        self.clock.forward(IDLE_SECONDS / 2)
        time.sleep(2)  # it looks each second
        self.check_leased_before(looked + IDLE_SECONDS, {1, 2, 3, 4})
        used = self.clock.now()
        run("cat", self.at / "2/meta/meta.db")
        self.clock.forward(IDLE_SECONDS / 2)
        wait_until(lambda: 1 not in leased(self.state), 60, "the idle view to be let go")
        self.check_leased_before(used + IDLE_SECONDS, {2, 3, 4})
        for _ in range(3):
            self.clock.forward(IDLE_SECONDS)
            wait_until(lambda: leased(self.state) == {2, 4}, 60, "the other one to be let go")
            time.sleep(2)
        snap(self.store, "prune", "--keep=1")
        self.assertEqual(self.numbers(), [1, 2, 3])
        for shell, where in zip(shells, ("1", "3/data")):
            shell.stdin.write("\n")
            shell.stdin.flush()
            self.assertEqual((shell.stdout.readline().strip(), shell.stdout.readline().strip()),
                             (str(self.at / where), "autogen"))
            shell.communicate("\n")
        self.clock.forward(IDLE_SECONDS)
        wait_until(lambda: not leased(self.state), 60, "all views to be let go")

    def check_leased_before(self, when, serials):
        """A machine that was too slow to look in time has seen nothing."""
        found = leased(self.state)
        if self.clock.now() < when:
            self.assertEqual(found, serials)

    def test_unmount(self):
        """However much the kernel remembers, and whoever reads."""
        self.cut(2)
        for number in range(8):
            tree(self.at / "0")
            tree(self.at / "latest")
            sha256(self.mnt / "snapshots/0.tar")
            if number % 2:
                self.mnt.unmount()
            else:
                left = [os.open(self.at / name, os.O_RDONLY) for name in ("1/meta/meta.db", "1.tar")]
                self.mnt.kill(15)
                wait_until(lambda: not self.mnt.is_mounted(), 5, "the unmount")
                for fd in left:
                    self.assert_fails(errno.ENOTCONN, os.close, fd)
            self.assertEqual(leased(self.state), set())
            self.mnt.start()


class CloneTest(StoreTest):
    """A second influxd on at/N, under an overlay."""
    timeout = 300

    def setUp(self):
        super().setUp()
        self.live = self.influxd(self.folder / "live", cache_snapshot_memory_size=20_000)
        self.live.run("CREATE DATABASE db")
        self.mnt = self.mount(self.live.root)

    def write(self, first, count):
        for batch in range(first, first + count, 100):
            self.live.write([f"m,host=h{i % 7} v={i}i {1465600000 + i}000000000" for i in range(batch, batch + 100)], "db")

    def unmount(self, point):
        """Whoever looks at processes just then may keep it busy for a moment."""
        wait_until(lambda: subprocess.run(["umount", point], capture_output=True).returncode == 0, 10,
                   f"the unmount of {point}", 0.1)

    def overlay(self, lower):
        """Merged, upper layer in memory: folders of a test may themselves lie on an overlay."""
        memory = self.folder / "memory"
        memory.mkdir()
        run("mount", "-t", "tmpfs", "none", memory)
        self.addCleanup(self.unmount, memory)
        for name in ("upper", "work", "merged"):
            (memory / name).mkdir()
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={lower},upperdir={memory}/upper,workdir={memory}/work", memory / "merged")
        self.addCleanup(self.unmount, memory / "merged")
        return memory / "merged"

    def test_it_answers(self):
        self.write(0, 3000)
        snap(self.live.root, "cut")
        self.write(3000, 500)
        snap(self.live.root, "cut")
        before = tree(self.mnt / "at/0")
        merged = self.overlay(self.mnt / "at/0")
        clone = self.influxd(merged)
        self.assertEqual(clone.run("SELECT count(v), sum(v) FROM m", "db")[0]["values"][0][1:], [3500, sum(range(3500))])
        self.write(3500, 3000)
        clone.write(["m,host=clone v=7i 1465700000000000000"], "db")
        wait_until(lambda: len(files_in(self.live.root / "data")) > 1, 10, "a flush")
        for _ in range(3):
            snap(self.live.root, "cut")
            self.write(0, 300)
        snap(self.live.root, "prune", "--keep=1")
        self.assertEqual(clone.run("SELECT count(v) FROM m", "db")[0]["values"][0][1], 3501)
        clone.restart()
        self.assertEqual(clone.run("SELECT count(v) FROM m", "db")[0]["values"][0][1], 3501)
        self.assertEqual(self.live.run("SELECT count(v) FROM m", "db")[0]["values"][0][1], 6500)
        after = tree(self.mnt / "at/0")
        self.assertTrue(after == before, difference(before, after))
        self.assertIsNone(json.loads((self.mnt / "status.json").read_text())["last_error"])
        clone.kill()


class GoneTest(CutTest):
    """The disk of a store goes away: nothing may look as if all were well."""

    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "tmpfs", self.disk)
        self.addCleanup(lambda: os.path.ismount(self.disk) and run("umount", "-l", self.disk))
        run("cp", "-a", *self.store.iterdir(), self.disk)

    def status(self, mnt):
        return json.loads((mnt / "status.json").read_text())

    def test_under_a_mount_with_a_timer(self):
        state = self.folder / "state"
        for options in ("every=1s,reserve=0", f"every=1s,reserve=0,state={state}"):
            with self.subTest(options=options), self.mounted(self.disk, options=options) as mnt:
                wait_until(lambda: (mnt / "snapshots/base.tar").exists(), 10, "the first cut")
                self.assertIsNone(self.status(mnt)["last_error"])
                run("umount", "-l", self.disk)
                wait_until(lambda: self.status(mnt)["cuts"]["last_error"], 10, "the timer's error")
                wait_until(lambda: not self.status(mnt)["contents"]["known"], 10, "another look at the store")
                status = self.status(mnt)
                for error in (status["cuts"]["last_error"]["text"], status["last_error"]["text"],
                              status["contents"]["error"]):
                    self.assertIn("the store is gone", error)
                self.assertIn("the store is gone", mnt.log.read_text())
                self.assertNotIn("All is well", (mnt / "status.html").read_text())
                self.assertIn("influxfs_store_known 0", (mnt / "metrics.prom").read_text())
                for path in ("snapshots/now.tar", "snapshots/now/a.tar"):
                    with self.assertRaises(OSError) as gone:
                        (mnt / path).read_bytes()
                    self.assertEqual(gone.exception.errno, errno.EIO)
                self.assertIn("now.tar", os.listdir(mnt / "snapshots"))
                with self.assertRaises(OSError) as gone:
                    os.listdir(mnt / "live")
                self.assertEqual(gone.exception.errno, errno.EIO)
                self.assertEqual(os.listdir(self.disk), [])
            run("mount", "-t", "tmpfs", "tmpfs", self.disk)
            run("cp", "-a", *(self.store / name for name in ("meta", "data", "wal")), self.disk)

    def test_comes_back(self):
        with self.mounted(self.disk) as mnt:
            run("umount", "-l", self.disk)
            self.assertRaises(OSError, os.stat, mnt / "snapshots/now.tar")
            run("mount", "-t", "tmpfs", "tmpfs", self.disk)
            run("cp", "-a", *(self.store / name for name in ("meta", "data", "wal")), self.disk)
            run("cp", mnt / "snapshots/now.tar", self.folder)
            wait_until(lambda: self.status(mnt)["contents"]["known"], 10, "another look at the store")

    def test_influxsnap_leaves_nothing(self):
        """In the folder that the disk has covered."""
        snap(self.disk, "cut")
        run("umount", "-l", self.disk)
        code, said = snap_code(self.disk, "cut")
        self.assertEqual(code, 1)
        self.assertIn("there is no store: ", said)
        self.assertEqual(snap_code(self.disk, "backup", self.folder / "one.tar")[0], 1)
        self.assertEqual(os.listdir(self.disk), [])

    def test_under_influxsnap(self):
        """Cuts are left, of a store that is not there."""
        state = self.folder / "state"
        snap(self.disk, "cut", f"--state={state}")
        run("umount", "-l", self.disk)
        code, said = snap_code(self.disk, "cut", f"--state={state}")
        self.assertEqual(code, 1)
        self.assertRegex(said, "there is no store yet: .* but it has cuts")
        status = json.loads(snap(self.disk, "status", "--json", f"--state={state}"))
        self.assertFalse(status["contents"]["known"])
        self.assertIn("the store is gone", status["contents"]["error"])
        with self.mounted(self.disk, options=f"every=1s,reserve=0,state={state}") as mnt:
            wait_until(lambda: self.status(mnt)["cuts"]["last_error"], 10, "the timer's error")
            self.assertIn("but it has cuts", self.status(mnt)["last_error"]["text"])
            self.assertNotIn("All is well", (mnt / "status.html").read_text())


class TimerTest(CutTest):
    """every= and keep=."""

    def test_cuts_and_folds(self):
        with self.mounted(self.store, options="every=1s,keep=2,reserve=0") as mnt:
            wait_until(lambda: "base.tar" in self.listed(mnt), 3, "the first cut")
            wait_until(lambda: self.status(mnt)["last_cut"]["made"] is False, 30, "a cut of what has not changed")
            self.assertEqual(self.listed(mnt), {"now.tar", "base.tar"})
            most = 0
            for number in range(5):
                self.grow()
                wait_until(lambda: self.status(mnt)["latest"]["number"] == number, 3, "the next cut")
                most = max(most, self.status(mnt)["numbers"]["count"])
            wait_until(lambda: self.status(mnt)["numbers"]["count"] < 4, 3, "the fold")
            self.assertGreaterEqual(most, 3)
            found = self.status(mnt)
            self.assertEqual((found["base"]["number"], found["numbers"]["last"]), (1, 4))
            self.assertEqual((found["every"], found["keep"], found["last_error"]), (1, 2, None))
            self.assertEqual(found["last_fold"]["folded"], 2)
            self.assertRegex(mnt.said(), "first cut: 25 files(.|\n)*cut 4: 1 files")

    def test_not_too_early(self):
        """Neither after another mount, nor when somebody else has cut."""
        with self.mounted(self.store, options="every=1h") as mnt:
            wait_until(lambda: "base.tar" in self.listed(mnt), 3, "the first cut")
        self.grow()
        for _ in range(2):
            with self.mounted(self.store, options="every=1h") as mnt:
                time.sleep(1)
                self.assertEqual(self.listed(mnt), {"now.tar", "base.tar"})

    def test_folds_what_others_cut(self):
        with self.mounted(self.store, options="keep=1") as mnt:
            self.cut(3)
            wait_until(lambda: self.listed(mnt) == {"now.tar", "base.tar", "2.tar"}, 12, "the fold")
            self.assertIsNone(self.status(mnt)["last_cut"])

    def test_failure_is_said_once(self):
        with self.mounted(self.store, options="every=1s,reserve=100%") as mnt:
            wait_until(lambda: self.status(mnt)["last_error"], 3, "the failure")
            time.sleep(3.5)
            self.assertIn("reserve=", self.status(mnt)["last_error"]["text"])
            self.assertEqual(mnt.said().count("reserve="), 1)
            self.assertEqual(self.listed(mnt), {"now.tar"})

    def test_hidden_state_folder(self):
        """A disk that comes over it hides what would be retained: that is an error, and nothing is."""
        disk = self.folder / "disk"
        disk.mkdir()
        with self.mounted(self.store, options="every=1s") as mnt:
            wait_until(lambda: self.listed(mnt) == {"now.tar", "base.tar"}, 12, "the base")
            run("mount", "--bind", disk, self.state)
            try:
                error = wait_until(lambda: self.status(mnt)["last_error"], 12, "the failure")
                self.assertIn(f"state folder {self.state}: a disk or another folder came there", error["text"])
                self.assertEqual(json.loads((mnt / "status.json").read_text())["last_error"]["text"], error["text"])
                self.assertIn(error["text"], mnt.said())
                self.grow()
                time.sleep(2.5)
                self.assertEqual(self.listed(mnt), {"now.tar", "base.tar"})
                self.assertEqual(os.listdir(disk), [])
            finally:
                run("umount", self.state)
            wait_until(lambda: "0.tar" in self.listed(mnt), 12, "the next cut")
            wait_until(lambda: self.status(mnt)["last_error"] is None, 12, "the end of the error")

    def test_no_store_yet(self):
        """Nothing to cut is nothing wrong; after a restore there is."""
        with self.mounted(self.store) as mnt:
            run("cp", mnt / "snapshots/now.tar", self.folder)
        empty = self.folder / "empty"
        empty.mkdir()
        with self.mounted(empty, options="every=1s") as mnt:
            time.sleep(1.5)
            self.assertEqual((self.status(mnt)["last_error"], mnt.said()), (None, ""))
            run("cp", self.folder / "now.tar", mnt / "restore/")
            wait_until(lambda: "base.tar" in self.listed(mnt), 3, "the first cut")

    def test_excluded(self):
        with self.mounted(self.store, options="every=1h,exclude=first:none of this name") as mnt:
            wait_until(lambda: "base.tar" in self.listed(mnt), 3, "the first cut")
            self.assertEqual(os.listdir(mnt / "at/latest/data"), ["second db"])

    def test_log_levels(self):
        with self.mounted(self.store, options="every=1s,log=warning") as mnt:
            wait_until(lambda: "base.tar" in self.listed(mnt), 3, "the first cut")
            self.assertEqual(mnt.said(), "")
        with self.mounted(self.store, options="every=1s,log=debug") as mnt:
            self.grow()
            wait_until(lambda: "cut 0" in mnt.said(), 5, "the next cut")
            self.assertRegex(mnt.said(), r"(?m)^influxfs: capture [0-9a-f]{32}: (.|\n)*^influxfs: cut 0: 1 file")
        self.assertIn("influxsnap: fold: 1 number", snap(self.store, "prune", "--keep=0", "--log=debug"))
        self.assertNotIn("influxsnap: ", snap(self.store, "prune", "--log=info"))

    def test_ends_at_any_time(self):
        for _ in range(10):
            with self.mounted(self.store, options="every=1s") as mnt:
                self.grow()
                time.sleep(random.random() / 2)
                mnt.unmount()
        self.assertIn(len(chain(self.state)), range(1, 11))

    def test_ends_at_once(self):
        """A cut that is being made is given up, and not waited for: this one would take minutes."""
        switch = self.folder / "slow"
        switch.write_text("3000\n")
        environment = {"LD_PRELOAD": str(SLOW), "SLOW_ROOT": str(self.state / "cuts"), "SLOW_SWITCH": str(switch)}
        with self.mounted(self.store, options="every=1s", environment=environment) as mnt:
            wait_until(lambda: files_in(self.state / "cuts/files"), 60, "the first cut to be under way")
            mnt.unmount()
        self.assertEqual(chain(self.state), [])
        snap(self.store, "cut")
        self.assertEqual(len(chain(self.state)), 1)

    def test_options(self):
        point = self.folder / "point"
        point.mkdir()
        for option in ("every=", "every=0", "every=x", "every=1w", "every=-1s", "every=1.5h", "every=1hh",
                       "every=99999999999d", "keep=", "keep=0", "keep=-1", "keep=x", "reserve=", "reserve=x",
                       "reserve=101%", "reserve=-1%", "reserve=1%%", "reserve=1X", "reserve=99999999T", "reserve=1e3",
                       "exclude=", "exclude=:a", "exclude=a:", "exclude=a::b"):
            done = subprocess.run([INFLUXFS, "-o", option, self.store, point], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, option)
            self.assertRegex(done.stderr, rf"^influxfs: .*{re.escape(option.split('=')[0])}.*\n$", option)
        for option in ("every=90,keep=1,reserve=0", "every=90s,reserve=2.5%", "every=30m,reserve=1G", "every=7d"):
            with self.mounted(self.store, options=option) as mnt:
                self.assertTrue(self.status(mnt)["every"])

    def test_no_state_folder(self):
        with tempfile.NamedTemporaryFile(dir=self.folder) as file:
            point = self.folder / "point"
            point.mkdir()
            done = subprocess.run([INFLUXFS, "-o", f"every=1h,state={file.name}", self.store, point],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^influxfs: option every= .*state folder .*\n$")
            with self.mounted(self.store, options=f"state={file.name}") as mnt:
                self.assertEqual((self.listed(mnt), self.listed(mnt, "at")), ({"now.tar"}, set()))
                self.assertIsNone(self.status(mnt))
