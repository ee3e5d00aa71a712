"""Reading now.tar: whatever the tool and however it reads, the same bytes; and no way to write."""

import errno
import json
import mmap
import multiprocessing
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

from lib.archive import Archive
from lib.case import StoreTest
from lib.files import files_in, run, sha256, wait_until
from lib.influxd import Influxd
from lib.stores import big_file, some_store

RESTIC = {"RESTIC_PASSWORD": "secret", "HOME": "/nonexistent"}
RCLONE = ("rclone", "--config", "/dev/null", "--retries", "1", "-v")

# Each makes OUT of NOW. The shell stands between them so that each test reads as a user types.
COPIES = {
    "cp": "cp NOW OUT",
    "cp_a": "cp -a NOW OUT",
    "cp_again": "cp NOW OUT && cp NOW OUT",
    "cat": "cat NOW > OUT",
    "dd": "dd if=NOW of=OUT bs=4093",
    "dd_large": "dd if=NOW of=OUT bs=5M",
    "dd_direct": "dd if=NOW of=OUT bs=64K iflag=direct",
    "dd_part": "dd if=NOW bs=4093 count=700 > OUT && dd if=NOW bs=4093 skip=700 >> OUT",
    "dd_sparse": "dd if=NOW of=OUT conv=sparse bs=4096",
    "tar": "tar -cf - -C $(dirname NOW) now.tar | tar -xOf - > OUT",
    "tar_sparse": "tar -Scf - -C $(dirname NOW) now.tar | tar -xOf - > OUT",
    "bsdtar": "bsdtar -cf - -C $(dirname NOW) now.tar | bsdtar -xOf - > OUT",
    "rsync": "rsync -a NOW OUT",
    "rsync_inplace": "rsync -a --inplace NOW OUT",
    "rsync_checksum": "rsync -a NOW OUT && rsync -ac NOW OUT",
    "rclone": "rclone --config /dev/null copyto NOW OUT",
    "curl": "curl -sS -o OUT file://NOW",
    "gzip": "gzip -c1 NOW | gzip -dc > OUT",
    "zstd": "zstd -qc NOW | zstd -dqc > OUT",
    "install": "install NOW OUT",
    "copy2": f"{sys.executable} -c \"import shutil; shutil.copy2('NOW', 'OUT')\"",
    "split": "split -b 1000003 NOW OUT. && cat OUT.* > OUT",
}


def take_part(job):
    """A worker's: opens the file for itself and reads one part of it, in odd pieces."""
    path, start, end = job
    got = b""
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        while start + len(got) < end:
            got += file.read(min(70001, end - start - len(got)))
    return got


def status(mnt):
    return json.loads((mnt / "status.json").read_text())


class ReadTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store")
        self.mnt = self.mount(self.store)
        self.now = self.mnt / "snapshots/now.tar"

    def elsewhere(self, code, *words):
        """What another process prints: it has a capture of its own."""
        return run(sys.executable, "-c", code, *words).strip()

    def stat_elsewhere(self):
        """(size, mtime, ino, blocks) as another process sees them."""
        code = "import os, sys; s = os.stat(sys.argv[1]); print(s.st_size, s.st_mtime_ns, s.st_ino, s.st_blocks)"
        return tuple(map(int, self.elsewhere(code, self.now).split()))

    def grow(self):
        """Something changes in the store. Times of folders are coarse: a bit later."""
        time.sleep(0.02)
        with (self.store / "wal/first/autogen/1/_00009.wal").open("ab"):
            pass
        some = big_file(self.store)
        some.with_name(f"{len(list(some.parent.iterdir())):09}-000000001.tsm").write_bytes(os.urandom(7000))

    def copied_by(self, command):
        wanted = sha256(self.now)
        out = self.folder / "out"
        text = command.replace("NOW", str(self.now)).replace("OUT", str(out))
        run("bash", "-ec", f"set -o pipefail; {text}")
        self.assertEqual(sha256(out), wanted)
        Archive(out)

    def test_dd_single_bytes(self):
        content = self.now.read_bytes()
        part = self.folder / "part"
        for skip in (0, 511, 1700000, len(content) - 2000):
            run("dd", f"if={self.now}", f"of={part}", "bs=1", f"skip={skip}", "count=2000")
            self.assertEqual(part.read_bytes(), content[skip:skip + 2000])

    def test_reads_at_random_places(self):
        content = self.now.read_bytes()
        size = len(content)
        chosen = random.Random(1)
        fd = os.open(self.now, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        for _ in range(2000):
            start = chosen.randrange(size)
            length = chosen.choice((1, 2, 511, 512, 513, 4096, 65537, 1 << 20))
            self.assertEqual(os.pread(fd, length, start), content[start:start + length], f"{length} at {start}")
        self.assertEqual(os.pread(fd, 10, size), b"")
        self.assertEqual(os.pread(fd, 10, size + 10**12), b"")

    def test_random_before_sequential(self):
        """The end first, when no checksum is known yet."""
        with open(self.now, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            end = b""
            file.seek(size - 3000)
            while piece := file.read(1000):
                end += piece
        content = self.now.read_bytes()
        self.assertEqual((len(content), content[-3000:]), (size, end))
        (self.folder / "now.tar").write_bytes(content)
        Archive(self.folder / "now.tar")

    def test_parts_by_several_processes(self):
        """As swift and others upload large files: each process opens, seeks and reads its part."""
        content = self.now.read_bytes()
        step = len(content) // 9
        jobs = [(self.now, start, min(start + step, len(content))) for start in range(0, len(content), step)]
        with multiprocessing.Pool(5) as pool:
            parts = pool.map(take_part, jobs, chunksize=1)
        self.assertEqual(b"".join(parts), content)

    def test_several_readers_at_once(self):
        command = ["sha256sum", self.now]
        readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(12)]
        sums = {reader.communicate()[0].split()[0] for reader in readers}
        self.assertEqual(sums, {sha256(self.now)})

    def test_rsync_and_rclone_skip_it(self):
        target = self.folder / "target"
        run("rsync", "-a", self.now, f"{target}/")
        run(*RCLONE, "copy", self.now, self.folder / "cloned")

        def again(when):
            self.assertEqual(run("rsync", "-ai", self.now, f"{target}/"), "", when)
            said = run(*RCLONE, "copy", self.now, self.folder / "cloned")
            self.assertRegex(said, r"Checks: +1 / 1, 100%", when)
            self.assertNotIn("Copied", said, when)
        again("at once")
        self.mnt.unmount()
        self.mnt.start()
        again("after a remount")
        self.grow()
        self.assertIn("now.tar", run("rsync", "-ai", self.now, f"{target}/"))
        self.assertIn("Copied", run(*RCLONE, "copy", self.now, self.folder / "cloned"))
        self.assertEqual(sha256(target / "now.tar"), sha256(self.folder / "cloned/now.tar"))

    def restic(self, *words):
        return run("restic", "--no-cache", "-r", self.folder / "repository", *words, env=os.environ | RESTIC)

    def backup(self):
        """(new, changed, unmodified) of a backup."""
        last = self.restic("backup", "--json", self.now).splitlines()[-1]
        return tuple(json.loads(last)[f"files_{kind}"] for kind in ("new", "changed", "unmodified"))

    def test_restic(self):
        self.restic("init")
        self.assertEqual(self.backup(), (1, 0, 0))
        self.assertEqual(self.backup(), (0, 0, 1))
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual(self.backup(), (0, 0, 1), "after a remount")
        self.restic("restore", "latest", "--target", self.folder / "restored")
        self.assertEqual(sha256(f"{self.folder}/restored{self.now}"), sha256(self.now))
        self.grow()
        self.assertEqual(self.backup(), (0, 1, 0))

    def test_size_before_open(self):
        before = os.stat(self.now)
        self.assertEqual(before.st_blocks, -(-before.st_size // 512))
        self.assertEqual(stat.S_IMODE(before.st_mode), 0o400)
        self.assertEqual(len(self.now.read_bytes()), before.st_size)
        self.assertIn(f" {before.st_size} ", run("ls", "-l", self.mnt / "snapshots"))

    def test_unchanged_store_is_the_same_file(self):
        before, content = self.stat_elsewhere(), sha256(self.now)
        self.assertEqual(self.stat_elsewhere(), before)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.mnt.kill(number)
            self.mnt.start()
            self.assertEqual((self.stat_elsewhere(), sha256(self.now)), (before, content))

    def test_changed_store(self):
        size, mtime, ino, _ = self.stat_elsewhere()
        for _ in range(3):
            self.grow()
            now = self.stat_elsewhere()
            self.assertGreater(now[0], size)
            self.assertGreater(now[1], mtime)
            self.assertEqual(now[2], ino)
            size, mtime = now[:2]
        self.mnt.unmount()
        self.grow()
        self.mnt.start()
        now = self.stat_elsewhere()
        self.assertGreater(now[1], mtime)
        self.assertEqual(now[2], ino)

    def test_mtime_does_not_fall_with_the_clock(self):
        """A file that is older than what the store held before is a change all the same."""
        _, mtime, _, _ = self.stat_elsewhere()
        old = big_file(self.store)
        old.unlink()
        old.write_bytes(b"smaller")
        os.utime(old, (10**9, 10**9))
        self.assertGreater(self.stat_elsewhere()[1], mtime)

    def test_process_keeps_its_capture(self):
        first = os.stat(self.now)
        for _ in range(3):
            self.grow()
            again = os.stat(self.now)
            self.assertEqual((again.st_size, again.st_mtime_ns), (first.st_size, first.st_mtime_ns))
            newer = self.stat_elsewhere()
            self.assertGreater(newer[0], first.st_size)
        self.assertEqual(len(self.now.read_bytes()), first.st_size)
        threads = []

        def look():
            threads.append(os.stat(self.now).st_size)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        self.assertEqual(threads, [first.st_size], "another thread of the same process")

    def test_reader_outlives_the_files(self):
        """What was captured is read whole after the store has lost it, slowly, and by name again."""
        wanted = sha256(self.now)
        fd = os.open(self.now, os.O_RDONLY)
        head = os.read(fd, 100000)
        for path in files_in(self.store / "data", self.store / "wal"):
            os.unlink(path)
        with os.fdopen(fd, "rb") as file:
            (self.folder / "copy").write_bytes(head + file.read())
        self.assertEqual(sha256(self.folder / "copy"), wanted)
        self.assertEqual(sha256(self.now), wanted)
        self.assertLess(self.stat_elsewhere()[0], 100000)

    def read_all(self, fd):
        """Bytes read until the end or an error, and its number."""
        got = 0
        try:
            while piece := os.read(fd, 131072):
                got += len(piece)
        except OSError as error:
            return got, error.errno
        return got, None

    def test_file_cut_below_is_an_error(self):
        fd = os.open(self.now, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        size = os.fstat(fd).st_size
        cut = big_file(self.store, 2)
        os.truncate(cut, 5000)
        got, error = self.read_all(fd)
        self.assertEqual(error, errno.EIO)
        self.assertLess(got, size)
        self.assertEqual(os.fstat(fd).st_size, size)
        last = status(self.mnt)["last_error"]
        self.assertIn(str(cut.relative_to(self.store)), last["text"])
        self.assertEqual(len(os.pread(fd, 1000, 0)), 1000, "the files before it can still be read")

    def test_capture_after_a_file_was_cut(self):
        """Who comes later gets what is there now, and not the broken capture again."""
        self.now.read_bytes()
        os.truncate(big_file(self.store, 2), 5000)
        self.assertEqual(run("sh", "-c", f"cat {self.now} >/dev/null 2>&1; echo tried"), "tried\n")
        run("cp", self.now, self.folder / "copy")
        Archive(self.folder / "copy")

    def test_cp_of_a_file_cut_below_fails(self):
        """The exit code of a tool that was already reading."""
        reader = subprocess.Popen([sys.executable, "-c", "import sys, time, shutil\n"
                                   "f = open(sys.argv[1], 'rb'); f.read(10)\nprint(flush=True); sys.stdin.read()\n"
                                   "shutil.copyfileobj(f, open('/dev/null', 'wb'))", self.now],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        reader.stdout.readline()
        os.truncate(big_file(self.store), 0)
        _, said = reader.communicate()
        self.assertNotEqual(reader.returncode, 0)
        self.assertIn("Input/output error", said)

    def test_status(self):
        before = status(self.mnt)
        self.assertEqual(before["store"]["data"], str(self.store / "data"))
        self.assertIsNone(before["last_error"])
        self.assertIsNone(before["last_capture"])
        self.assertEqual(before["captures_held"], 0)
        content = self.now.read_bytes()
        after = status(self.mnt)
        self.assertEqual(after["last_capture"]["bytes"], len(content))
        self.assertEqual(after["captures_held"], 1)
        self.assertIn("now.tar", after["last_success"]["what"])
        self.assertEqual(after["restore"]["state"], "idle")
        (self.store / "meta/meta.db").unlink()
        run("sh", "-c", f"! cat {self.now} 2>/dev/null")
        self.assertIn("meta.db", status(self.mnt)["last_error"]["text"])

    def test_listing(self):
        self.assertEqual(sorted(os.listdir(self.mnt.point)), [".influxfs", "at", "backup", "databases", "dump", "live",
                                                                "metrics.prom", "restore", "snapshots",
                                                                "status.html", "status.json"])
        self.assertEqual(os.listdir(self.mnt / "snapshots"), ["now.tar"])
        with self.assertRaises(FileNotFoundError):
            os.stat(self.mnt / "snapshots/later.tar")
        # The files of this store are TSM files by their names alone.
        run("find", self.mnt.point, "(", "-path", self.mnt / "dump", "-o", "-path", self.mnt / "backup", ")", "-prune",
            "-o", "-ls")
        run("ls", "-li", self.mnt.point, self.mnt / "dump")
        for branch in ("live", "snapshots", "at", "databases", "restore"):
            run("ls", "-lRi", self.mnt / branch)


def add_copy(name, command):
    setattr(ReadTest, f"test_copy_{name}", lambda self: self.copied_by(command))


for copy_name, copy_command in COPIES.items():
    add_copy(copy_name, copy_command)


class LiveTest(StoreTest):
    """The store's own files, as they are."""

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.mnt = self.mount(self.store)
        self.live = self.mnt / "live"

    def test_equal(self):
        run("diff", "-r", "--no-dereference", "--exclude=influxfs", self.store, self.live)
        run("cp", "-a", self.live, self.folder / "copy")
        run("diff", "-r", "--no-dereference", "--exclude=influxfs", self.store, self.folder / "copy")
        self.assertEqual(sorted(os.listdir(self.live)), ["data", "meta", "wal"])
        for path in files_in(self.store / "data"):
            there = os.stat(path)
            here = os.stat(self.live / os.path.relpath(path, self.store))
            for name in ("st_size", "st_mtime_ns", "st_mode", "st_uid", "st_gid", "st_blocks"):
                self.assertEqual(getattr(here, name), getattr(there, name), f"{name} of {path}")

    def test_links_are_not_followed(self):
        secret = self.folder / "secret"
        (secret / "autogen/1").mkdir(parents=True)
        (secret / "file.tsm").write_text("secret")
        (secret / "autogen/1/000000001-000000001.tsm").write_text("secret")
        (self.store / "data/linked").symlink_to(secret)
        shard = self.store / "data/first/autogen/1"
        (shard / "000000009-000000001.tsm").symlink_to(secret / "file.tsm")
        (shard / "up").symlink_to("../../../../../secret")
        os.chdir(self.live)  # a link's target is then as far away as in the store
        self.assertEqual(os.readlink("data/linked"), str(secret))
        self.assertTrue(stat.S_ISLNK(os.lstat("data/linked").st_mode))
        for path in ("data/linked", "data/first/autogen/1/000000009-000000001.tsm"):
            with self.assertRaises(OSError) as caught:
                os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            self.assertEqual(caught.exception.errno, errno.ELOOP)
        os.chdir("/")
        # The links are copied as links. A database that is a link is none, as for influxd; a TSM
        # file that is one cannot be captured, and is not passed over in silence.
        run("cp", "-a", self.live, self.folder / "copy")
        self.assertNotIn(b"secret", (self.folder / "copy/data/first/autogen/1/000000001-000000001.tsm").read_bytes())
        with self.assertRaises(OSError) as caught:
            os.stat(self.mnt / "snapshots/now.tar")
        self.assertEqual(caught.exception.errno, errno.EIO)
        self.assertIn("symbolic link", status(self.mnt)["last_error"]["text"])
        (shard / "000000009-000000001.tsm").unlink()
        run("cp", self.mnt / "snapshots/now.tar", self.folder)
        self.assertFalse([name for name in Archive(self.folder / "now.tar").members if "linked" in name])

    def test_folder_exchanged_for_a_link(self):
        """Between a look-up and the next one a folder becomes a link to somewhere else."""
        secret = self.folder / "secret"
        shutil.copytree(self.store / "data/first", secret)
        (secret / "autogen/1/000000001-000000001.tsm").write_text("secret")
        path = "autogen/1/000000001-000000001.tsm"
        folder = os.open(self.live / "data/first", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        os.stat(path, dir_fd=folder)
        os.rename(self.store / "data/first", self.store / "data/second")
        (self.store / "data/first").symlink_to(secret)
        for _ in range(3):
            with self.assertRaises(OSError):
                os.open(path, os.O_RDONLY, dir_fd=folder)
        self.assertTrue(os.path.islink(self.live / "data/first"))

    def test_growing_file(self):
        path = "wal/first/autogen/1/_00002.wal"
        with open(self.live / path, "rb") as reader, open(self.store / path, "ab", buffering=0) as writer:
            reader.read()
            for number in range(5):
                more = os.urandom(5000)
                writer.write(more)
                self.assertEqual(reader.read(), more, f"piece {number}")
            self.assertEqual(os.fstat(reader.fileno()).st_size, os.fstat(writer.fileno()).st_size)
        self.assertEqual((self.live / path).read_bytes(), (self.store / path).read_bytes())

    def test_open_file_outlives_its_name(self):
        there = big_file(self.store)
        content = there.read_bytes()
        with open(self.live / there.relative_to(self.store), "rb") as file:
            head = file.read(1000)
            there.unlink()
            there.write_bytes(b"another")
            self.assertEqual(head + file.read(), content)
            self.assertEqual(os.fstat(file.fileno()).st_size, len(content))
        self.assertEqual((self.live / there.relative_to(self.store)).read_bytes(), b"another")

    def test_replaced_file(self):
        """As influxd replaces meta.db: by a rename."""
        for number in range(20):
            new = self.store / "meta/meta.dbtmp"
            new.write_bytes(b"x" * (number + 1))
            new.rename(self.store / "meta/meta.db")
            self.assertEqual((self.live / "meta/meta.db").read_bytes(), b"x" * (number + 1))

    def test_mapped(self):
        there = big_file(self.store)
        with open(self.live / there.relative_to(self.store), "rb") as file:
            with mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
                there.rename(there.with_suffix(".tmp"))
                self.assertEqual(mapped[:], there.with_suffix(".tmp").read_bytes())

    def test_own_folder_is_hidden(self):
        for root in ("data", "wal"):
            own = self.store / root / ".influxfs"
            own.mkdir()
            (own / "file").write_text("staged")
            self.assertNotIn(".influxfs", os.listdir(self.live / root))
            for path in (self.live / root / ".influxfs", self.live / root / ".influxfs/file"):
                with self.assertRaises(FileNotFoundError):
                    os.lstat(path)
        run("cp", self.mnt / "snapshots/now.tar", self.folder)
        self.assertFalse([name for name in Archive(self.folder / "now.tar").members if ".influxfs" in name])


class WriteTest(StoreTest):
    """Everything but restore/ refuses every way to write."""

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.mnt = self.mount(self.store)

    def refused(self, what, action, *numbers):
        with self.assertRaises(OSError, msg=what) as caught:
            action()
        self.assertIn(caught.exception.errno, numbers or (errno.EROFS,), f"{what}: {caught.exception}")

    def test_files(self):
        tsm = big_file(self.store).relative_to(self.store)
        for name in ("snapshots/now.tar", "status.json", "live/meta/meta.db", f"live/{tsm}",
                     "live/wal/first/autogen/1/_00001.wal"):
            path = self.mnt / name
            self.refuses_writes(path)

    def refuses_writes(self, path):
        flags = {"O_WRONLY": os.O_WRONLY, "O_RDWR": os.O_RDWR, "O_TRUNC": os.O_RDONLY | os.O_TRUNC,
                 "O_APPEND": os.O_WRONLY | os.O_APPEND, "O_CREAT": os.O_WRONLY | os.O_CREAT}
        for name, flag in flags.items():
            self.refused(f"{path} {name}", lambda: os.close(os.open(path, flag)))
        new = path.with_name("new")
        self.refused(f"unlink {path}", lambda: os.unlink(path))
        self.refused(f"rename {path}", lambda: os.rename(path, new))
        self.refused(f"rename {path} to restore", lambda: os.rename(path, self.mnt / "restore/x"))
        self.refused(f"link {path}", lambda: os.link(path, new))
        self.refused(f"chmod {path}", lambda: os.chmod(path, 0o600))
        self.refused(f"chown {path}", lambda: os.chown(path, 1, 1))
        self.refused(f"utimens {path}", lambda: os.utime(path, (1, 1)))
        self.refused(f"touch {path}", lambda: os.utime(path))
        self.refused(f"truncate {path}", lambda: os.truncate(path, 0))
        self.refused(f"setxattr {path}", lambda: os.setxattr(path, "user.x", b"1"))
        self.refused(f"removexattr {path}", lambda: os.removexattr(path, "user.x"))

    def test_folders(self):
        for name in ("", "snapshots", "live", "live/meta", "live/data", "live/data/first",
                     "live/data/first/autogen/1", "live/wal"):
            folder = self.mnt / name
            self.refuses_children(folder)

    def refuses_children(self, folder):
        new = folder / "new"
        self.refused(f"create in {folder}", lambda: os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        self.refused(f"mkdir in {folder}", lambda: os.mkdir(new))
        self.refused(f"symlink in {folder}", lambda: os.symlink("x", new))
        self.refused(f"link into {folder}", lambda: os.link(self.mnt / "status.json", new))
        self.refused(f"mknod in {folder}", lambda: os.mknod(new, stat.S_IFREG | 0o600))
        self.refused(f"mkfifo in {folder}", lambda: os.mkfifo(new))
        self.refused(f"rename into {folder}", lambda: os.rename(self.mnt / "status.json", new))
        self.refused(f"chmod {folder}", lambda: os.chmod(folder, 0o700))
        self.refused(f"chown {folder}", lambda: os.chown(folder, 1, 1))
        self.refused(f"utimens {folder}", lambda: os.utime(folder, (1, 1)))
        self.refused(f"setxattr {folder}", lambda: os.setxattr(folder, "user.x", b"1"))
        for name in sorted(os.listdir(folder)):
            child = folder / name
            if child.is_dir() and name != "restore":
                self.refused(f"rmdir {child}", lambda: os.rmdir(child))
                self.refused(f"rename {child}", lambda: os.rename(child, new))

    def test_nothing_changed(self):
        before = run("find", self.store / "meta", self.store / "data", self.store / "wal", "-ls")
        self.test_files()
        self.test_folders()
        self.assertEqual(run("find", self.store / "meta", self.store / "data", self.store / "wal", "-ls"), before)


class ServerTest(StoreTest):
    """With a real influxd that changes the store while it is read."""

    def setUp(self):
        super().setUp()
        self.live = self.influxd(self.folder / "live", cache_snapshot_memory_size=2000)
        self.live.run("CREATE DATABASE db WITH DURATION INF")
        self.write(20000)
        self.mnt = self.mount(self.live.root)
        self.now = self.mnt / "snapshots/now.tar"

    def write(self, number):
        chosen = random.Random(number)
        self.live.write([f'm,host=h{i % 7} s="{chosen.randbytes(60).hex()}" {i}' for i in range(number)], "db")

    def copy_and_check(self, file):
        path = self.folder / "copy"
        with path.open("wb") as out:
            shutil.copyfileobj(file, out)
        return Archive(path)

    def test_a_process_sees_one_state(self):
        stopping = threading.Event()
        written = []

        def work():
            while not stopping.is_set():
                self.live.write([f"busy v=1 {len(written)}"], "db")
                written.append(True)
        writer = threading.Thread(target=work)
        writer.start()
        try:
            first = os.stat(self.now)
            for _ in range(4):
                number = len(written)
                wait_until(lambda: len(written) > number + 5, 30, "some writes")
                again = os.stat(self.now)
                self.assertEqual((again.st_size, again.st_mtime_ns, again.st_ino),
                                 (first.st_size, first.st_mtime_ns, first.st_ino))
                newer = run("stat", "-c", "%.9Y", self.now)
                self.assertGreater(int(newer.replace(".", "")), first.st_mtime_ns)
        finally:
            stopping.set()
            writer.join()
        with open(self.now, "rb") as file:
            archive = self.copy_and_check(file)
        self.assertEqual(os.stat(self.folder / "copy").st_size, first.st_size)
        self.assertIn("meta/meta.db", archive.members)

    def test_read_on_after_a_drop(self):
        wait_until(lambda: [p for p in files_in(self.live.root / "data") if p.endswith(".tsm")], 60, "a flush")
        with open(self.now, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.live.run("DROP DATABASE db")
            self.assertFalse((self.live.root / "data/db").exists())
            archive = self.copy_and_check(file)
        self.assertEqual((self.folder / "copy").stat().st_size, size)
        self.assertTrue([name for name in archive.files() if name.endswith(".tsm")])
        run("cp", self.now, self.folder / "later")
        self.assertEqual(Archive(self.folder / "later").files(), ["meta/meta.db"])

    def test_acknowledged_just_now(self):
        """A write is in the snapshot of a process that begins after it was acknowledged."""
        for number in range(8):
            self.live.write([f"last v={number} {number}"], "db")
            out = self.folder / f"now-{number}.tar"
            run("cp", self.now, out)
        store = self.folder / "again"
        for number in (0, 3, 7):
            store = self.folder / f"again-{number}"
            store.mkdir()
            run("tar", "-xf", self.folder / f"now-{number}.tar", "-C", store)
            with Influxd(store) as restored:
                rows = restored.run("SELECT v FROM last", "db")[0]["values"]
                self.assertEqual([row[1] for row in rows], list(range(number + 1)))
