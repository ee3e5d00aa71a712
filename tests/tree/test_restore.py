"""restore/ as an operator sees it: who may, when, where, whose the files are, and what is kept."""

import errno
import grp
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import time

from lib.clock import Clock
from lib.files import run, wait_until
from lib.influxd import Influxd
from lib.mount import Mount, MountError
from lib.restores import RestoreTest, drop, errno_name, tiny_store
from lib.stores import TSM_HEADER, big_file, some_store
from lib.trees import difference, litter, owner_of_new, store_tree, whole_tree

VISIBLE_SECONDS = 30    # after its last use


class StoreRestoreTest(RestoreTest):

    def setUp(self):
        super().setUp()
        self.mnt = self.mount(self.store)
        self.inside = self.mnt / "restore"

    def fails(self, number, action):
        with self.assertRaises(OSError) as caught:
            action()
        self.assertEqual(errno_name(caught.exception.errno), errno_name(number))


class KeepTest(StoreRestoreTest):
    """What is there afterwards."""

    def test_old_store_is_kept(self):
        old = store_tree(self.store, times=False)
        run("cp", self.tar, self.inside)
        kept = self.folder / "kept"
        kept.mkdir()
        for folder in ("meta", "data", "wal"):
            run("cp", "-a", self.store / f"{folder}.before-restore", kept / folder)
        got = store_tree(kept, times=False)
        self.assertEqual(old, got, difference(old, got))
        self.assertEqual(self.restore_status(self.mnt)["kept"],
                         [str(self.store / f"{folder}.before-restore") for folder in ("meta", "data", "wal")])

    def test_is_logged(self):
        """In one line: with whose bytes, and where the old store is."""
        run("cp", self.tar, self.inside)
        status = self.restore_status(self.mnt)
        kept = ", ".join(f"{self.store}/{name}.before-restore" for name in ("meta", "data", "wal"))
        self.assertRegex(self.mnt.log.read_text(), rf"influxfs: restored now.tar: snapshot {re.escape(status['id'])}, "
                         rf"{status['total_bytes']} bytes; the old store is kept as {re.escape(kept)}\n")
        run("cp", self.tar, self.inside)
        self.assertEqual(self.mnt.log.read_text().count("restored now.tar"), 2)

    def test_the_one_before_is_removed(self):
        run("cp", self.tar, self.inside)
        third = some_store(self.folder / "third", 2)
        run("cp", self.snapshot(third, "third.tar"), self.inside)
        self.check_restored(source=third)
        for folder in ("meta", "data", "wal"):
            run("diff", "-r", self.source / folder, self.store / f"{folder}.before-restore")
        self.assertEqual(self.restore_status(self.mnt)["restores"], 2)

    def test_kept_store_can_be_put_back(self):
        """By hand, as the manual says: three renames."""
        old = store_tree(self.store)
        run("cp", self.tar, self.inside)
        self.mnt.unmount()
        for folder in ("meta", "data", "wal"):
            shutil.rmtree(self.store / folder)
            (self.store / f"{folder}.before-restore").rename(self.store / folder)
        self.assertEqual(store_tree(self.store, times=False).keys(), old.keys())
        self.mnt.start()
        run("cp", self.tar, self.inside)
        self.check_restored()

    def test_now_tar_is_the_new_store(self):
        """In the very process that read the old one before."""
        now = self.mnt / "snapshots/now.tar"
        old = now.read_bytes()
        self.assertEqual(drop(self.inside / "a.tar", self.tar.read_bytes()), 0)
        (self.folder / "new.tar").write_bytes(now.read_bytes())
        self.assertTrue((self.folder / "new.tar").read_bytes() != old, "it is still the old store")
        again = self.folder / "again"
        again.mkdir()
        run("tar", "-xpf", self.folder / "new.tar", "-C", again)
        for folder in ("meta", "data", "wal"):
            run("diff", "-r", self.source / folder, again / folder)

    def test_live_is_the_new_store(self):
        live = self.mnt / "live"
        os.listdir(live / "data")
        old = open(next((live / "data").glob("*/*/*/*.tsm")), "rb")
        self.addCleanup(old.close)
        run("cp", self.tar, self.inside)
        for folder in ("meta", "data", "wal"):
            run("diff", "-r", self.source / folder, live / folder)
        self.assertEqual(old.read(5), TSM_HEADER)  # open, it outlives the exchange

    def test_modes_and_times(self):
        tsm = big_file(self.source)
        tsm.chmod(0o640)
        os.utime(tsm, ns=(0, 1234567890_987654321))
        tsm.parent.chmod(0o750)
        (self.source / "wal/first").chmod(0o711)
        tar = self.snapshot(self.source, "modes.tar")
        run("cp", tar, self.inside)
        self.check_restored()
        got = os.stat(self.store / tsm.relative_to(self.source))
        self.assertEqual((stat.S_IMODE(got.st_mode), got.st_mtime_ns), (0o640, 1234567890_987654321))

    def test_status(self):
        before = self.restore_status(self.mnt)
        self.assertEqual((before["state"], before["restores"], before["error"]), ("idle", 0, None))
        with open(self.inside / "a.tar", "wb", buffering=0) as file:
            file.write(self.tar.read_bytes()[:500000])
            wait_until(lambda: self.restore_status(self.mnt)["bytes"] > 100000, 30, "bytes in status.json")
            during = self.restore_status(self.mnt)
            self.assertEqual((during["state"], during["name"]), ("receiving", "a.tar"))
            self.assertLess(during["bytes"], during["total_bytes"])
            self.assertIn("unpacking", self.log(self.mnt)[-1])
            file.write(self.tar.read_bytes()[500000:])
        after = self.restore_status(self.mnt)
        self.assertEqual((after["state"], after["bytes"], after["restores"]), ("restored", after["total_bytes"], 1))

    def test_log_outlives_the_mount(self):
        run("cp", self.tar, self.inside)
        lines = self.log(self.mnt)
        self.assertTrue(all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ .", line) for line in lines))
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual(self.log(self.mnt)[:len(lines)], lines)


class WriterTest(StoreRestoreTest):
    """How writers get along with each other and with themselves."""

    def test_twice_by_one_process(self):
        third = some_store(self.folder / "third", 2)
        self.assertEqual(drop(self.inside / "a.tar", self.tar.read_bytes()), 0)
        self.check_restored()
        self.assertEqual(drop(self.inside / "a.tar", self.snapshot(third, "third.tar").read_bytes()), 0)
        self.check_restored(source=third)

    def test_two_at_once(self):
        content = self.tar.read_bytes()
        first = os.open(self.inside / "first.tar", os.O_WRONLY | os.O_CREAT)
        os.write(first, content[:300000])
        wait_until(lambda: self.restore_status(self.mnt)["total_bytes"], 30, "the first to begin")
        before = store_tree(self.store)
        self.assertEqual(errno_name(drop(self.inside / "second.tar", content)), "EAGAIN")
        self.assertIn("another restore is under way", self.log(self.mnt)[-1])
        self.assertEqual(store_tree(self.store), before)
        os.write(first, content[300000:])
        os.close(first)
        self.check_restored()

    def test_again_after_one_that_broke_off(self):
        content = self.tar.read_bytes()
        for _ in range(3):
            self.assertIn(drop(self.inside / "a.tar", content[:400000]), (errno.EBADMSG, errno.EIO))
        self.assertEqual(drop(self.inside / "b.tar", content), 0)
        self.check_restored()

    def test_broken_off_again_and_again(self):
        """A quick retry under the same name: the last close of the one before is still under way."""
        content = self.tar.read_bytes()
        for _ in range(30):
            self.assertIn(errno_name(drop(self.inside / "a.tar", content[:400000])), ("EBADMSG", "EIO"))
        self.assertIsNone(self.mnt.process.poll(), "the daemon is gone")

    def test_early_flush(self):
        """dd, cat and shells close a copy of the descriptor before they write."""
        fd = os.open(self.inside / "a.tar", os.O_WRONLY | os.O_CREAT)
        content = self.tar.read_bytes()
        for start in range(0, len(content), 100000):
            try:
                os.close(os.dup(fd))
            except OSError:
                pass
            os.write(fd, content[start:start + 100000])
        os.close(fd)
        self.check_restored()

    def test_killed_writer(self):
        before = whole_tree(self.store)
        writer = subprocess.Popen(["sh", "-c", f"(head -c 500000 {self.tar} 2>&3; echo >&2; sleep 100000) "
                                   f"3>/dev/null > {self.inside}/a.tar"], stderr=subprocess.PIPE, start_new_session=True)
        writer.stderr.readline()    # it is half a copy, and somebody still has it open
        os.killpg(writer.pid, signal.SIGKILL)
        writer.communicate()
        wait_until(lambda: "ends early" in self.log(self.mnt)[-1], 60, "the log to tell")
        self.check_untouched(before)
        run("cp", self.tar, self.inside / "b.tar")
        self.check_restored()

    def test_unlinked_while_written(self):
        before = whole_tree(self.store)
        with open(self.inside / "a.tar", "wb", buffering=0) as file:
            file.write(self.tar.read_bytes()[:500000])
            os.unlink(self.inside / "a.tar")
            self.assertNotIn("a.tar", os.listdir(self.inside))
            self.check_untouched(before)
            self.fails(errno.ECANCELED, lambda: file.write(b"more"))
            self.fails(errno.ECANCELED, lambda: file.close())
        run("cp", self.tar, self.inside)
        self.check_restored()

    def test_dot_name_waits_for_its_rename(self):
        """As rsync does: a verified file is restored by the rename."""
        before = store_tree(self.store)
        self.assertEqual(drop(self.inside / ".now.tar.x", self.tar.read_bytes()), 0)
        self.assertEqual(store_tree(self.store), before)
        self.assertIn("verified", self.log(self.mnt)[-1])
        os.rename(self.inside / ".now.tar.x", self.inside / "now.tar")
        self.check_restored()

    def test_dot_name_removed(self):
        before = whole_tree(self.store)
        self.assertEqual(drop(self.inside / ".now.tar.x", self.tar.read_bytes()), 0)
        os.unlink(self.inside / ".now.tar.x")
        self.check_untouched(before)

    def test_rewriting(self):
        """What was unpacked cannot be taken back."""
        with open(self.inside / "a.tar", "wb", buffering=0) as file:
            file.write(self.tar.read_bytes()[:500000])
            file.seek(100000)
            self.fails(errno.EIO, lambda: file.write(b"again"))
            file.seek(500000)
            file.write(self.tar.read_bytes()[500000:])
        self.check_restored()

    def test_out_of_order(self):
        """Four writers, each in its own part, the last one first."""
        content = self.tar.read_bytes()
        fd = os.open(self.inside / "a.tar", os.O_WRONLY | os.O_CREAT)
        pieces = [(part + at, content[part + at:min(part + at + 65536, part + 2**18)])
                  for at in range(0, 2**18, 65536) for part in range(0, len(content), 2**18)]
        for start, piece in reversed(pieces):
            os.pwrite(fd, piece, start)
        os.close(fd)
        self.check_restored()

    def test_xattrs(self):
        with open(self.inside / "a.tar", "wb") as file:
            os.setxattr(file.fileno(), "user.note", b"hello")
            file.write(self.tar.read_bytes())
        self.assertEqual(os.getxattr(self.inside / "a.tar", "user.note"), b"hello")
        self.assertEqual(os.listxattr(self.inside / "a.tar"), ["user.note"])
        os.removexattr(self.inside / "a.tar", "user.note")
        self.fails(errno.ENODATA, lambda: os.getxattr(self.inside / "a.tar", "user.note"))
        self.check_restored()

    def test_late_metadata(self):
        run("cp", self.tar, self.inside / "a.tar")
        os.chmod(self.inside / "a.tar", 0o640)
        os.chown(self.inside / "a.tar", 1, 2)
        os.utime(self.inside / "a.tar", ns=(10**18, 10**18 + 1))
        os.rename(self.inside / "a.tar", self.inside / "b.tar")
        there = os.stat(self.inside / "b.tar")
        self.assertEqual((there.st_mode & 0o777, there.st_uid, there.st_gid, there.st_mtime_ns, there.st_size),
                         (0o640, 1, 2, 10**18 + 1, self.tar.stat().st_size))
        self.assertEqual(self.restore_status(self.mnt)["restores"], 1)

    def test_other_kinds_of_entries(self):
        for number, action in ((errno.EPERM, lambda: os.symlink("x", self.inside / "link")),
                               (errno.EPERM, lambda: os.mkfifo(self.inside / "fifo"))):
            with self.assertRaises(OSError):
                action()
        os.mkdir(self.inside / "folder")
        run("cp", self.tar, self.inside / "folder")
        self.check_restored()

    def test_read_only_mount(self):
        self.mnt.unmount()
        with Mount(self.store, self.folder / "ro", "ro") as mnt:
            self.assertIn(drop(mnt / "restore/a.tar", self.tar.read_bytes()), (errno.EROFS, errno.EACCES))


class VisibleTest(StoreRestoreTest):
    """A dropped file is there for 30 s after its last use, and the same one can then be dropped again."""

    def mounted(self, *words, **how):
        self.clock = Clock(self.folder / "clock")
        return super().mounted(*words, environment=self.clock.environment, **how)

    def test_disappears(self):
        used = self.clock.now()
        run("rsync", "-a", self.tar, self.inside)
        (self.store / "data/first/autogen/1/000000001-000000001.tsm").unlink()
        self.clock.forward(VISIBLE_SECONDS / 2)
        time.sleep(2)  # it looks each second
        names = os.listdir(self.inside)
        if self.clock.now() < used + VISIBLE_SECONDS:   # else this machine was too slow to see it
            self.assertIn("now.tar", names)
        self.clock.forward(VISIBLE_SECONDS)
        wait_until(lambda: "now.tar" not in os.listdir(self.inside), 60, "the file to disappear", step=0.5)
        self.fails(errno.ENOENT, lambda: os.stat(self.inside / "now.tar"))
        run("rsync", "-a", self.tar, self.inside)
        self.assertEqual(self.restore_status(self.mnt)["restores"], 2)
        self.check_restored()

    def test_refused_one_is_not_taken_for_done(self):
        """rsync compares size and mtime only: a refused file may not look like one that arrived."""
        good = self.tar.read_bytes()
        mtime = self.tar.stat().st_mtime_ns
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 1
        self.tar.write_bytes(bad)
        os.utime(self.tar, ns=(mtime, mtime))
        subprocess.run(["rsync", "-a", "--inplace", self.tar, self.inside], check=False, capture_output=True)
        self.tar.write_bytes(good)
        os.utime(self.tar, ns=(mtime, mtime))
        code, said = self.shell("rsync -a --inplace TAR DIR/", TAR=self.tar, DIR=self.inside)
        self.assertEqual(code, 0, said)
        self.assertEqual(self.restore_status(self.mnt)["state"], "restored", "exit 0, but nothing was done")


class RealStoreTest(RestoreTest):
    """The snapshot is one of influxd's own store."""

    def make_source(self, root):
        return self.real_store(root, ["m v=1 1", "m v=2 2"])

    def real_store(self, root, lines=()):
        with Influxd(root) as influxd:
            if lines:
                influxd.run("CREATE DATABASE db WITH DURATION INF")
                influxd.write(lines, "db")
        return root

    def answers(self, root):
        with Influxd(root) as influxd:
            return [row[1] for row in influxd.run("SELECT v FROM m", "db")[0]["values"]]


class BusyTest(RealStoreTest):
    """While influxd uses the store nothing is restored."""

    def check_busy(self, root):
        influxd = self.influxd(root)
        mnt = self.mount(root)
        before = store_tree(root)
        code, said = self.shell("cp TAR DIR/", TAR=self.tar, DIR=mnt / "restore")
        self.assertNotEqual(code, 0)
        self.assertIn("busy", said)
        self.assertRegex(self.log(mnt)[-1], "refused.*influxd")
        self.assertEqual(store_tree(root), before)
        influxd.stop()
        run("cp", self.tar, mnt / "restore/")
        self.assertEqual(litter(root), [])
        self.assertEqual(self.answers(root), [1, 2])

    def test_with_data(self):
        self.check_busy(self.real_store(self.folder / "live", ["m v=7 7"]))

    def test_empty(self):
        self.check_busy(self.folder / "live")

    def test_started_while_copying(self):
        root = self.real_store(self.folder / "live", ["m v=7 7"])
        mnt = self.mount(root)
        content = self.tar.read_bytes()
        fd = os.open(mnt / "restore/a.tar", os.O_WRONLY | os.O_CREAT)
        os.write(fd, content[:2000])
        influxd = self.influxd(root)
        self.assertEqual(influxd.run("SELECT v FROM m", "db")[0]["values"][0][1], 7)
        with self.assertRaises(OSError) as caught:
            os.write(fd, content[2000:])
            os.close(fd)
        self.assertEqual(errno_name(caught.exception.errno), "EBUSY")
        self.assertRegex(self.log(mnt)[-1], "refused.*influxd")
        wait_until(lambda: not litter(root), 30, "the staged store to be removed")
        self.assertEqual(influxd.run("SELECT v FROM m", "db")[0]["values"][0][1], 7)
        influxd.stop()
        self.assertEqual(self.answers(root), [7])

    def test_force(self):
        root = self.real_store(self.folder / "live", ["m v=7 7"])
        influxd = self.influxd(root)
        mnt = self.mount(root, options="force")
        run("cp", self.tar, mnt / "restore/")
        influxd.kill()
        self.assertEqual(self.answers(root), [1, 2])

    def test_fence_of_somebody_else(self):
        """influxd refuses to start while there is a raft.db; one that is not ours is not removed."""
        root = tiny_store(self.folder / "other")
        (root / "meta/raft.db").write_bytes(b"not ours")
        mnt = self.mount(root)
        before = whole_tree(root)
        self.assertIn(errno_name(drop(mnt / "restore/a.tar", self.tar.read_bytes())), ("EEXIST", "EBUSY"))
        self.assertIn("raft.db", self.log(mnt)[-1])
        self.check_untouched(before, store=root)


class OwnerTest(RestoreTest):
    """Whose the restored files are."""

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("only root can give files away")

    def owners(self, root):
        """of all that was restored, and of the three folders: influxd must be able to write there."""
        return {what[1] for name, what in whole_tree(root).items() if ".before-restore" not in name}

    def restored(self, options="", store=None):
        mnt = self.mount(store or self.store, options=options)
        run("cp", self.tar, mnt / "restore/")
        self.check_restored(store, owners=False)

    def test_owner_of_the_folder(self):
        run("chown", "-R", "1234:2345", self.store)
        self.restored()
        self.assertEqual(self.owners(self.store), {(1234, 2345)})

    def test_option(self):
        user = pwd.getpwnam("nobody")
        self.restored("owner=nobody")
        self.assertEqual(self.owners(self.store), {(user.pw_uid, user.pw_gid)})

    def test_option_with_group(self):
        self.restored("owner=daemon:mail")
        self.assertEqual(self.owners(self.store), {(pwd.getpwnam("daemon").pw_uid, grp.getgrnam("mail").gr_gid)})

    def test_unknown_user(self):
        with self.assertRaises(MountError) as caught:
            self.mount(self.store, options="owner=no-such-user")
        self.assertIn("no-such-user", str(caught.exception))

    def test_user_influxdb(self):
        """With a user influxdb, in a mount namespace of its own, and no folder to go by."""
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            self.skipTest("no mount namespaces here: a bare chroot, for example")
        users = self.folder / "passwd"
        users.write_text("root:x:0:0::/root:/bin/sh\ninfluxdb:x:4321:5432::/:/bin/false\n")
        store = self.folder / "empty"
        store.mkdir()
        mnt = Mount(store, self.folder / "mnt")
        mnt.point.mkdir()
        (self.folder / "foreground.log").touch()
        run("unshare", "-m", "sh", "-ec", f"""
            mount --make-rprivate /
            mount --bind {users} /etc/passwd
            {mnt.command()[0]} {store} {mnt.point}
            cp {self.tar} {mnt.point}/restore/
            umount {mnt.point}""")
        self.check_restored(store, owners=False)
        self.assertEqual(self.owners(store), {(4321, 5432)})


class PlaceTest(RestoreTest):
    """Where the store may lie."""

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("only root can mount file systems")

    def tmpfs(self, path, size="32m"):
        path.mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path)
        self.addCleanup(run, "umount", path)
        return path

    def config(self, **folders):
        path = self.folder / "influxdb.conf"
        path.write_text(f'[meta]\ndir = "{folders["meta"]}"\n[data]\n'
                        f'dir = "{folders["data"]}"\nwal-dir = "{folders["wal"]}"\n')
        return path

    def test_store_that_does_not_exist(self):
        """Not even the folder that is to hold it."""
        root = self.folder / "var/lib/influxdb"
        conf = self.config(**{folder: root / folder for folder in ("meta", "data", "wal")})
        mnt = self.mount(conf)
        self.assertEqual(os.listdir(mnt / "live"), [])
        self.assertEqual(os.listdir(mnt / "snapshots"), [])
        run("cp", self.tar, mnt / "restore/")
        self.check_restored(root, owner=owner_of_new())
        self.assertEqual(sorted(set(os.listdir(root)) - {"influxfs"}), ["data", "meta", "wal"])
        run("cp", mnt / "snapshots/now.tar", self.folder / "again.tar")

    def on_disks(self, *folders):
        """The old store, with these of its folders as mount points."""
        root = self.folder / "store-on-disks"
        root.mkdir()
        for folder in ("meta", "data", "wal"):
            place = self.tmpfs(root / folder) if folder in folders else root / folder
            run("cp", "-a", self.store / folder, root)
            self.assertTrue(place.is_dir())
        return root

    def check_mounted(self, *folders):
        root = self.on_disks(*folders)
        mnt = self.mount(root)
        bad = bytearray(self.tar.read_bytes())
        bad[500000] ^= 1
        before = whole_tree(root, times=False)  # those of the mount points change: staging lies in them
        self.assertIn(drop(mnt / "restore/bad.tar", bytes(bad)), (errno.EBADMSG, errno.EIO))
        wait_until(lambda: whole_tree(root, times=False) == before, 30, "the store to be as it was")
        for number in (1, 2):  # the second has a kept store to replace
            run("cp", self.tar, mnt / f"restore/{number}.tar")
            self.check_contents(root)
        for folder in folders:
            self.assertTrue(os.path.ismount(root / folder))
            own = root / folder / ".influxfs"
            self.assertEqual(os.listdir(own), ["before-restore"])
            self.assertNotIn(".influxfs", os.listdir(mnt / "live" / folder))
            run("diff", "-r", self.source / folder, mnt / "live" / folder)
        run("cp", mnt / "snapshots/now.tar", self.folder / "again.tar")
        self.assertNotIn(".influxfs", run("tar", "-tf", self.folder / "again.tar"))

    def check_contents(self, root):
        """As check_restored, but the kept store may lie in its own folder."""
        expected = store_tree(self.source, times=False)
        got = {name: what for name, what in store_tree(root, times=False).items() if ".influxfs" not in name}
        self.assertTrue(expected == got, difference(expected, got))
        self.assertEqual([name for name in litter(root) if not name.endswith("/.influxfs")], [])

    def test_data_is_a_mount_point(self):
        self.check_mounted("data")

    def test_meta_is_a_mount_point(self):
        self.check_mounted("meta")

    def test_wal_is_a_mount_point(self):
        self.check_mounted("wal")

    def test_all_are_mount_points(self):
        self.check_mounted("meta", "data", "wal")

    def test_folders_on_three_file_systems(self):
        places = {folder: self.tmpfs(self.folder / f"disk-{folder}") / "store" for folder in ("meta", "data", "wal")}
        for folder, place in places.items():
            run("cp", "-a", self.store / folder, place)
        mnt = self.mount(self.config(**places))
        run("cp", self.tar, mnt / "restore/")
        for folder, place in places.items():
            run("diff", "-r", self.source / folder, place)
            self.assertEqual(set(os.listdir(place.parent)) - {"influxfs"}, {"store", "store.before-restore"})

    def test_linked_folder(self):
        """A configured path that is a link is followed, and stays a link."""
        place = self.tmpfs(self.folder / "disk") / "influx-data"
        run("cp", "-a", self.store / "data", place)
        shutil.rmtree(self.store / "data")
        (self.store / "data").symlink_to(place)
        mnt = self.mount(self.store)
        run("cp", self.tar, mnt / "restore/")
        self.assertEqual(os.readlink(self.store / "data"), str(place))
        for folder in ("meta", "data", "wal"):
            run("diff", "-r", self.source / folder, f"{self.store / folder}/")

    def test_overlay(self):
        """Folders of an overlay's lower layer cannot be renamed: that is said before anything is copied."""
        base = self.tmpfs(self.folder / "layers")
        for name in ("upper", "work"):
            (base / name).mkdir()
        merged = self.folder / "merged"
        merged.mkdir()
        layers = f"lowerdir={self.store},upperdir={base}/upper,workdir={base}/work"
        done = subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", merged], capture_output=True,
                              text=True, check=False)
        if done.returncode:
            self.skipTest(f"no overlay file system here: {done.stderr.strip()}")
        self.addCleanup(run, "umount", merged)
        mnt = self.mount(merged)
        before = whole_tree(merged)
        self.fails_to_open(mnt, errno.EXDEV)
        self.check_untouched(before, store=merged)
        self.assertRegex(self.log(mnt)[-1], "refused.*(layer|overlay)")

    def fails_to_open(self, mnt, number):
        with self.assertRaises(OSError) as caught:
            os.open(mnt / "restore/a.tar", os.O_WRONLY | os.O_CREAT)
        self.assertEqual(errno_name(caught.exception.errno), errno_name(number))

    def test_free_space(self):
        disk = self.tmpfs(self.folder / "disk", "64m")
        run("cp", "-a", self.store, disk / "store")
        mnt = self.mount(disk / "store", options=f"state={self.folder}/state")
        for path in (mnt.point, mnt / "restore"):
            there, here = os.statvfs(disk), os.statvfs(path)
            self.assertEqual(here.f_bavail * here.f_frsize, there.f_bavail * there.f_frsize)
        (disk / "more").write_bytes(bytes(20 * 2**20))
        there = os.statvfs(disk)
        free = int(run("df", "-B1", "--output=avail", mnt / "restore").split()[-1])
        self.assertEqual(free, there.f_bavail * there.f_frsize)


class ServedTest(RealStoreTest):
    """A restored store, and a real influxd on it."""

    def check_answers(self, tool):
        mnt = self.mount(self.store)
        run(*tool, self.tar, mnt / "restore/")
        self.assertEqual(self.answers(self.store), [1, 2])

    def test_after_cp(self):
        self.check_answers(["cp"])

    def test_after_rsync(self):
        self.check_answers(["rsync", "-a"])
