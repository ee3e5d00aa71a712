"""A full disk: the writer is told, the store stays as it is, and with room again it works."""

import errno
import os
import shutil

from lib.files import run, wait_until
from lib.restores import RestoreTest, drop, errno_name
from lib.stores import HandmadeStore, tsm, wal_entry
from lib.trees import litter, whole_tree


class DiskTest(RestoreTest):

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("only root can mount a small file system")

    def disk(self, options, name="disk"):
        """A small file system with the old store on it."""
        disk = self.folder / name
        disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"{options},mode=755", "tmpfs", disk)
        self.addCleanup(run, "umount", disk)
        run("cp", "-a", self.store, disk / "store")
        return disk

    def fill(self, disk, leave):
        """Leaves only so many bytes free."""
        there = os.statvfs(disk)
        size = there.f_bavail * there.f_frsize - leave
        with open(disk / "ballast", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)


class FullTest(DiskTest):

    def check_full(self, mnt, store, write):
        before = whole_tree(store)
        got = write()
        self.assertEqual(errno_name(got), "ENOSPC")
        self.check_untouched(before, store=store)
        wait_until(lambda: not litter(store), 30, "no litter")
        self.assertRegex(self.log(mnt)[-1], "refused.*([Nn]o space|room|free|[Ff]ull)")

    def mount_on(self, disk):
        return self.mount(disk / "store", options=f"state={self.folder}/state")

    def test_known_from_the_manifest(self):
        """What cannot fit is refused before anything is unpacked."""
        disk = self.disk("size=600k")
        mnt = self.mount_on(disk)
        # The verdict comes with a write, if it is known by then, and with the close.
        with self.assertRaises(OSError) as caught, open(mnt / "restore/a.tar", "wb", buffering=0) as file:
            for start in range(0, 1000000, 65536):
                file.write(self.tar.read_bytes()[start:start + 65536])
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        self.check_full(mnt, disk / "store", lambda: drop(mnt / "restore/b.tar", self.tar.read_bytes()))
        run("mount", "-o", "remount,size=10m", disk)
        run("cp", self.tar, mnt / "restore/")
        self.check_restored(disk / "store")

    def test_tools(self):
        disk = self.disk("size=600k")
        mnt = self.mount_on(disk)
        before = whole_tree(disk / "store")
        for tool in ("cp", "rsync -a", "rclone --config /dev/null --retries 1 --low-level-retries 1 copy"):
            code, said = self.shell(f"mkdir DIR; {tool} TAR DIR/", TAR=self.tar, DIR=mnt / f"restore/{tool[:3]}")
            self.assertNotEqual(code, 0, said)
            self.assertIn("no space left", said.lower())
            self.check_untouched(before, store=disk / "store")

    def test_filled_while_copying(self):
        disk = self.disk("size=10m")
        mnt = self.mount_on(disk)
        content = self.tar.read_bytes()
        before = whole_tree(disk / "store")
        fd = os.open(mnt / "restore/a.tar", os.O_WRONLY | os.O_CREAT)
        os.write(fd, content[:300000])
        wait_until(lambda: self.restore_status(mnt)["bytes"] > 100000, 30, "half a copy")
        self.fill(disk, 0)
        with self.assertRaises(OSError) as caught:
            os.write(fd, content[300000:])
            os.close(fd)
        self.assertEqual(errno_name(caught.exception.errno), "ENOSPC")
        self.check_untouched(before, store=disk / "store")
        (disk / "ballast").unlink()
        run("cp", self.tar, mnt / "restore/b.tar")
        self.check_restored(disk / "store")

    def test_files_run_out(self):
        """No bytes are missing, but inodes are."""
        disk = self.disk("size=50m,nr_inodes=60")
        mnt = self.mount_on(disk)
        self.check_full(mnt, disk / "store", lambda: drop(mnt / "restore/a.tar", self.tar.read_bytes()))
        run("mount", "-o", "remount,nr_inodes=1000", disk)
        run("cp", self.tar, mnt / "restore/b.tar")
        self.check_restored(disk / "store")

    def test_out_of_order(self):
        """What comes out of order has to wait on disk, and there is no room for it."""
        disk = self.disk("size=10m")
        mnt = self.mount_on(disk)
        before = whole_tree(disk / "store")
        content = self.tar.read_bytes()
        self.fill(disk, 300000)
        fd = os.open(mnt / "restore/a.tar", os.O_WRONLY | os.O_CREAT)
        with self.assertRaises(OSError) as caught:
            for start in range(200000, len(content), 65536):
                os.pwrite(fd, content[start:start + 65536], start)
        self.assertEqual(errno_name(caught.exception.errno), "ENOSPC")
        with self.assertRaises(OSError) as caught:
            os.close(fd)
        self.assertEqual(errno_name(caught.exception.errno), "ENOSPC")
        self.check_untouched(before, store=disk / "store")
        (disk / "ballast").unlink()
        run("cp", self.tar, mnt / "restore/b.tar")
        self.check_restored(disk / "store")

    def test_state_on_a_full_disk(self):
        """The record of what was done cannot be written: that hinders no restore."""
        disk = self.disk("size=2m")
        self.fill(disk, 0)
        mnt = self.mount(self.store, options=f"state={disk}/state")
        run("cp", self.tar, mnt / "restore/")
        self.check_restored()
        run("cp", mnt / "snapshots/now.tar", self.folder / "again.tar")

    def test_state_fills_up(self):
        disk = self.disk("size=4m")
        mnt = self.mount(self.store, options=f"state={disk}/state")
        run("cp", mnt / "snapshots/now.tar", self.folder / "before.tar")
        self.fill(disk, 0)
        run("cp", self.tar, mnt / "restore/")
        self.check_restored()
        run("cp", mnt / "snapshots/now.tar", self.folder / "again.tar")


class EdgeTest(DiskTest):
    """Room for all but the last steps: wherever it ends, the store is the old one or the new one."""

    def make_source(self, root):
        store = HandmadeStore(root)
        store.shard(tsm={"000000001-000000001.tsm": tsm(os.urandom(60000))}, wal={"_00001.wal": wal_entry(1)})
        return store.write_meta()

    def check_edge(self, sizes, leave):
        """leave(disk, n) leaves so much; from too little to enough."""
        outcomes = []
        for size in sizes:
            disk = self.disk("size=10m,nr_inodes=1000", f"disk-{size}")
            store = disk / "store"
            with self.mounted(store, f"mnt-{size}", options=f"state={self.folder}/state-{size}") as mnt:
                before = whole_tree(store, times=False)  # the fence comes and goes in meta
                leave(disk, size)
                got = drop(mnt / "restore/a.tar", self.tar.read_bytes())
                outcomes.append(errno_name(got))
                if got:
                    self.assertEqual(errno_name(got), "ENOSPC", f"{size} left: {self.log(mnt)[-1]}")
                    wait_until(lambda: whole_tree(store, times=False) == before, 30, "the store to be as it was")
                else:
                    self.check_restored(store)
                (disk / "ballast").unlink(missing_ok=True)
                shutil.rmtree(disk / "files", ignore_errors=True)
                run("cp", self.tar, mnt / "restore/b.tar")
                self.check_restored(store)
        self.assertEqual((outcomes[0], outcomes[-1]), ("ENOSPC", "0"), outcomes)

    def test_bytes(self):
        self.check_edge(range(48 * 1024, 160 * 1024, 4096), self.fill)

    def test_inodes(self):
        def leave(disk, number):
            (disk / "files").mkdir()
            for name in range(os.statvfs(disk).f_favail - number):
                (disk / "files" / str(name)).touch()
        self.check_edge(range(4, 32), leave)
