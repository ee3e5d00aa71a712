"""Mounting and unmounting: what can be given, what is refused in words, and what a kill leaves."""

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest.mock
from pathlib import Path

from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import HANG, run, sha256, wait_until
from lib.influxd import CONFIG
from lib.mount import INFLUXFS, Mount, has_ended, mounts_under, open_files
from lib.stores import TSM_HEADER, HandmadeStore, some_store

NOBODY = 65534
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


class MountTest(StoreTest):

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        os.chmod(self.folder.parent, 0o755)
        self.store = some_store(self.folder / "store", 1)
        self.point = self.folder / "point"
        self.point.mkdir()

    def files_of(self, mnt):
        run("cp", mnt / "snapshots/now.tar", self.folder / "now.tar")
        return set(Archive(self.folder / "now.tar").files())

    def folders_of(self, mnt):
        store = json.loads((mnt / "status.json").read_text())["store"]
        return [store[name] for name in ("meta", "data", "wal")]

    def config(self, root, path=None):
        path = path or self.folder / "influxdb.conf"
        path.write_text(CONFIG.format(root=root, data=""))
        return path


class FormsTest(MountTest):
    """The ways to name a store."""

    def expected(self, root):
        return [f"{root}/{name}" for name in ("meta", "data", "wal")]

    def test_folder(self):
        mnt = self.mount(self.store)
        self.assertEqual(self.folders_of(mnt), self.expected(self.store))
        self.assertEqual(len(self.files_of(mnt)), 25)

    def test_config(self):
        mnt = self.mount(self.config(self.store))
        self.assertEqual(self.folders_of(mnt), self.expected(self.store))
        self.assertEqual(len(self.files_of(mnt)), 25)

    def mount_by(self, *words):
        run(INFLUXFS, *words)
        daemon, = filter(self.is_daemon, filter(str.isdigit, os.listdir("/proc")))
        self.addCleanup(self.unmount, daemon)

    def is_daemon(self, pid):
        """Of this test: it has files of its folder open."""
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(INFLUXFS):
                return any(link.startswith(f"{self.folder}/") for link in open_files(pid))
        return False

    def unmount(self, daemon):
        """Until it has ended: it writes to the store's folder up to then."""
        run("umount", self.point)
        wait_until(lambda: has_ended(daemon), 30, "the daemon to end")

    def test_relative(self):
        os.chdir(self.folder)
        self.mount_by("store", "point")
        self.assertEqual(len(self.files_of(self.point)), 25)
        self.assertEqual(self.folders_of(self.point), self.expected(self.store))

    def test_relative_options(self):
        os.chdir(self.store)
        self.mount_by("-o", "meta=meta,data=data,wal=wal,state=st", "..", "../point")
        self.assertEqual(len(self.files_of(self.point)), 25)
        self.assertTrue((self.store / "st").is_dir())

    def test_trailing_slashes_and_links(self):
        (self.folder / "link").symlink_to(self.point)
        (self.folder / "stored").symlink_to(self.store)
        self.mount_by(f"{self.folder}/stored/", f"{self.folder}/link/")
        self.assertEqual(len(self.files_of(self.point)), 25)

    def test_overrides(self):
        for name in ("meta", "data", "wal"):
            os.rename(self.store / name, self.folder / f"my {name}")
        options = ",".join(f"{name}={self.folder}/my {name}" for name in ("meta", "data", "wal"))
        state = self.folder / "remembered"
        mnt = self.mount(self.store, options=f"{options},state={state}")
        self.assertEqual(len(self.files_of(mnt)), 25)
        self.assertEqual(state.stat().st_mode & 0o7777, 0o700)
        self.assertTrue(list(state.iterdir()))
        self.assertFalse((self.folder / "influxfs").exists())

    def test_environment(self):
        """It goes before what the file says, and options before both."""
        other = some_store(self.folder / "other", 1)
        environment = {"INFLUXDB_META_DIR": f"{other}/meta", "INFLUXDB_DATA_DIR": f"{other}/data",
                       "INFLUXDB_DATA_WAL_DIR": f"{other}/wal"}
        config = self.config(self.store)
        mnt = self.mount(config, environment=environment)
        self.assertEqual(self.folders_of(mnt), self.expected(other))
        mnt.unmount()
        mnt = self.mount(config, environment=environment, options=f"data={self.store}/data")
        self.assertEqual(self.folders_of(mnt)[1], f"{self.store}/data")

    def test_last_of_ro_and_rw(self):
        for options, ro in (("ro,rw", False), ("rw,ro", True)):
            with self.mounted(self.store, options=options) as mnt:
                self.assertEqual(json.loads((mnt / "status.json").read_text())["restore"] is None, ro)

    def test_dashes(self):
        """After them, names may begin with one; and options of libfuse still count."""
        os.chdir(self.folder)
        os.rename("store", "-store")
        self.mount_by("-o", "allow_root", "--", "-store", "point")
        self.assertEqual(len(self.files_of(self.point)), 25)

    def test_default_state(self):
        self.mount(self.store)
        self.assertEqual((self.store / "influxfs").stat().st_mode & 0o7777, 0o700)

    def test_strange_names(self):
        for number, name in enumerate(("a, b", "back\\slash", "two  words", "umlaut-ä", "new\nline")):
            root = some_store(self.folder / name, 1)
            with self.subTest(name=name), self.mounted(root, f"mnt {number} {name}") as mnt:
                run("cp", mnt / "snapshots/now.tar", self.folder)
                Archive(self.folder / "now.tar")

    def test_shown_in_the_table(self):
        self.mount(self.store)
        with open("/proc/self/mounts", encoding="utf-8") as table:
            line = next(line for line in table if str(self.folder) in line)
        self.assertRegex(line, rf"^{self.store} .* fuse\.influxfs .*default_permissions")
        run("df", self.folder / "mnt")

    def test_version_and_help(self):
        for option in ("-V", "--version"):
            self.assertRegex(run(INFLUXFS, option), r"^influxfs [0-9.]+.*\n$")
        for option in ("-h", "--help"):
            self.assertTrue(run(INFLUXFS, option).startswith("usage: influxfs "))


class RefusalTest(MountTest):
    """One clear line, a bad exit code, before it detaches; and nothing is left mounted."""

    def refused(self, *words, said=(), code=None):
        done = subprocess.run([INFLUXFS, *map(str, words)], capture_output=True, text=True, timeout=HANG)
        message = f"{words}: {done}"
        self.assertNotEqual(done.returncode, 0, message)
        self.assertGreater(done.returncode, 0, message)
        self.assertIn(done.returncode, {code} if code else {1, 2}, message)
        self.assertEqual(done.stdout, "", message)
        self.assertRegex(done.stderr, r"^influxfs: .+\n$", message)
        for word in [said] if isinstance(said, str) else said:
            self.assertIn(word, done.stderr, message)
        self.assertEqual(mounts_under(self.point), [], message)

    def test_arguments(self):
        self.refused(said="STORE", code=2)
        self.refused(self.store, said="MOUNTPOINT", code=2)
        self.refused(self.store, self.point, "third", code=2)

    def test_options(self):
        for option in ("uid=abc", "uid=", "uid=-1", "uid=4294967296", "gid=1x", "umask=9", "umask=1777", "umask=x",
                       "owner=nobody-of-that-name", "owner=root:no-such-group",
                       "owner=:", "nonsense=1", "data=", "meta="):
            self.refused("-o", option, self.store, self.point, said=option.split("=")[0], code=2)
        self.refused("-o", "hide=", self.store, self.point, said="option hide=: an empty name", code=2)

    def test_unknown_options(self):
        for words in (["-o", "nonsense"], ["-o", "uid=1,"], ["--nonsense"]):
            self.refused(*words, self.store, self.point, code=2,
                         said=("unknown option", words[-1].lstrip("uid=1,")))
            self.refused("-f", *words, self.store, self.point, said="unknown option", code=2)

    def test_store(self):
        self.refused(self.folder / "none", self.point, said=("none", "No such file"))
        some = self.folder / "some.file"
        some.write_bytes(os.urandom(1000))
        self.refused(some, self.point, said="some.file")
        empty = self.folder / "empty.conf"
        empty.write_text("[http]\n")
        self.refused(empty, self.point, said=("empty.conf", "dir"))

    def test_mountpoint(self):
        self.refused(self.store, self.folder / "none", said=("none", "No such file"))
        some = self.folder / "file"
        some.write_text("")
        self.refused(self.store, some, said=("file", "not a folder"))

    def test_busy_mountpoint(self):
        with self.mounted(self.store, "busy") as mnt:
            done = subprocess.run([INFLUXFS, self.store, mnt.point], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"^influxfs: .*mounted there already\n$")
            self.assertEqual(mounts_under(mnt.point), [str(mnt.point)])
            self.assertTrue((mnt / "status.json").read_text())

    def test_influxd_with_other_folders(self):
        """influxd was given its folders by its environment, and influxfs only the file."""
        moved = {"INFLUXDB_DATA_DIR": f"{self.folder}/elsewhere"}
        with unittest.mock.patch.dict(os.environ, moved):
            influxd = self.influxd(self.folder / "live")
        self.refused(influxd.config, self.point, said=("influxd", str(influxd.pid), "elsewhere"))
        for how in ({"environment": moved}, {"options": f"data={self.folder}/elsewhere"}):
            with self.mounted(influxd.config, **how) as mnt:
                self.assertEqual(self.folders_of(mnt)[1], f"{self.folder}/elsewhere")
        influxd.kill()
        with self.mounted(influxd.config) as mnt:
            self.assertEqual(self.folders_of(mnt)[1], f"{influxd.root}/data")

    def test_mountpoint_of_the_store(self):
        """Over a folder of the store it would hide it from influxd, also if a link of the way is hidden."""
        real = self.folder / "real"
        shutil.move(self.store, real / "store")
        via = self.folder / "via"
        via.mkdir()
        (via / "store").symlink_to(real / "store")
        conf = self.config(via / "store", via / "conf/influxdb.conf") if (via / "conf").mkdir() is None else None
        for store, options, point, said in (
                (real / "store", "rw", real, "store's folder"),
                (real / "store", "rw", real / "store", "store's folder"),
                (real / "store", "rw", real / "store/data", "is the store's folder"),
                (via / "store", "rw", via, "store's folder"),
                (conf, "rw", via / "store/data", "is the store's folder"),
                (conf, "rw", via / "conf", "configuration"),
                (conf, f"state={self.point}/state", self.point, "state folder"),
                (conf, f"state={self.point}", self.point, "is the state folder"),
                (conf, f"state={via}", via / "mnt", "state folder"),
                (conf, "mkdir", real / "store/data/x/y", "store's folder")):
            with self.subTest(options=options, point=point):
                self.refused("-o", options, store, point, said=(f"mountpoint {point.resolve()}: ", said), code=1)
                self.assertEqual(mounts_under(self.folder), [])
        self.assertFalse((real / "store/influxfs").exists())
        self.assertFalse((real / "store/data/x").exists())

    def test_mkdir(self):
        """All that is missing, whatever the umask; and nothing, if it is not to be mounted."""
        above = self.folder / "a"
        point = above / "b/c"
        self.refused(self.store, point, said=("No such file", "mkdir"), code=1)
        self.refused("-o", "mkdir,nonsense", self.store, point, said="nonsense", code=2)
        self.refused("-o", "mkdir", self.folder / "none", point, said="none", code=1)
        self.refused("-o", "mkdir", self.store, above / "../b", said="No such file", code=1)
        self.refused("-o", "mkdir", self.store, self.store / "meta/meta.db/x", said="Not a directory", code=1)
        self.assertFalse(above.exists())
        for _ in range(2):
            process = subprocess.Popen([INFLUXFS, "-f", "-o", "mkdir", self.store, point], umask=0o077)
            try:
                wait_until(lambda: mounts_under(point) or process.poll() is not None, 30, "the mount")
                self.assertEqual(mounts_under(point), [str(point)])
                run("umount", point)
            finally:
                if process.poll() is None and mounts_under(point):
                    process.kill()
                    run("umount", "-l", point)
                self.assertEqual(process.wait(HANG), 0)
            self.assertEqual([path.stat().st_mode & 0o7777 for path in (above, above / "b", point)], [0o755] * 3)

    def test_mountpoint_within_the_store(self):
        """The daemon would wait for itself."""
        for name in ("data/mnt", "wal/first/mnt", "meta"):
            inside = self.store / name
            inside.mkdir(exist_ok=True)
            with self.subTest(name=name):
                self.refused(self.store, inside, said="mountpoint")
                self.assertEqual(mounts_under(inside), [])


class EndTest(MountTest):
    """However it ends, nothing hinders the next."""

    def test_sigterm(self):
        for foreground in (True, False):
            with self.mounted(self.store, foreground=foreground) as mnt:
                self.files_of(mnt)
                mnt.kill(signal.SIGTERM)
                wait_until(lambda: not mnt.is_mounted(), 30, "the unmount")
                if foreground:
                    self.assertEqual(mnt.process.returncode, 0)

    def test_other_signals(self):
        for number in (signal.SIGINT, signal.SIGHUP):
            with self.mounted(self.store) as mnt:
                mnt.kill(number)
                self.assertEqual((mnt.process.returncode, mnt.is_mounted()), (0, False), number.name)

    def test_umount_ends_the_daemon(self):
        for foreground in (True, False):
            with self.mounted(self.store, foreground=foreground) as mnt:
                pid = mnt.pid()
                self.files_of(mnt)
                mnt.unmount()
                self.assertTrue(has_ended(pid))

    def test_mounts_of_others(self):
        """What is mounted upon the mount stays where it is, and its files with it."""
        for name in ("", "live"):
            with self.subTest(name=name), self.mounted(self.store) as mnt:
                there = mnt.point / name
                run("mount", "-t", "tmpfs", "tmpfs", there)
                (there / "file").write_text("theirs")
                fd = os.open(there, os.O_RDONLY | os.O_DIRECTORY)
                mnt.kill(signal.SIGTERM)
                self.assertEqual(mnt.process.returncode, 0)
                self.assertIn(f"something else is mounted at {there}, and stays", mnt.said())
                self.assertEqual(mounts_under(mnt.point).count(str(there)), 1 + (not name))
                self.assertEqual(Path(f"/proc/self/fd/{fd}/file").read_text(), "theirs")
                os.close(fd)
                # Nor does the next one take it away.
                done = subprocess.run([INFLUXFS, self.store, mnt.point], capture_output=True, text=True)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn("mounted", done.stderr)
                self.assertEqual(mounts_under(mnt.point).count(str(there)), 1 + (not name))
                run("umount", "-l", mnt.point)  # the upper one, or both: below a dead mount nothing is found
                mnt.start()
                self.assertEqual(mounts_under(mnt.point), [str(mnt.point)])

    def test_covered(self):
        """Another's mount at the same path, but above, is not unmounted in place of ours."""
        above = self.folder / "above"
        above.mkdir()
        with self.mounted(self.store, "above/point") as mnt:
            run("mount", "-t", "tmpfs", "tmpfs", above)
            try:
                mnt.point.mkdir()
                run("mount", "-t", "tmpfs", "tmpfs", mnt.point)
                mnt.process.send_signal(signal.SIGTERM)
                self.assertEqual(mnt.process.wait(HANG), 0)
                self.assertEqual(mounts_under(mnt.point), [str(mnt.point)] * 2)
            finally:
                run("umount", mnt.point)
                run("umount", above)

    def test_fusermount(self):
        with self.mounted(self.store) as mnt:
            mnt.unmount("fusermount3", "-u")
            self.assertEqual(mnt.process.returncode, 0)

    def test_busy_umount_is_refused(self):
        with self.mounted(self.store) as mnt:
            with open(mnt / "snapshots/now.tar", "rb") as file:
                self.assertNotEqual(subprocess.run(["umount", mnt.point], capture_output=True).returncode, 0)
                self.assertTrue(file.read(1000))

    def test_kill_and_mount_again(self):
        with self.mounted(self.store) as mnt:
            before = sha256(mnt / "snapshots/now.tar")
            for _ in range(3):
                os.stat(mnt.point)
                mnt.kill()
                with self.assertRaises(OSError) as caught:
                    os.stat(mnt / "snapshots/now.tar")
                self.assertEqual(caught.exception.errno, errno.ENOTCONN)
                mnt.start()
                self.assertEqual(sha256(mnt / "snapshots/now.tar"), before)
            self.assertEqual(mounts_under(mnt.point), [str(mnt.point)])

    def test_kill_while_read(self):
        """A reader fails, and does not get less without an error."""
        with self.mounted(self.store) as mnt:
            fd = os.open(mnt / "snapshots/now.tar", os.O_RDONLY)
            os.read(fd, 1000)
            mnt.kill()
            with self.assertRaises(OSError) as caught:
                os.read(fd, 1000)
            self.assertEqual(caught.exception.errno, errno.ENOTCONN)
            with self.assertRaises(OSError):
                os.close(fd)
            mnt.start()
            run("cp", mnt / "snapshots/now.tar", self.folder)
            Archive(self.folder / "now.tar")

    def test_again_and_again(self):
        with self.mounted(self.store, foreground=False) as mnt:
            for number in range(15):
                mnt.unmount()
                mnt.start()
                if number % 5 == 0:
                    self.files_of(mnt)

    def test_daemon_lets_go(self):
        """It keeps no folder busy and no terminal open."""
        os.chdir(self.folder)
        with self.mounted(self.store, foreground=False) as mnt:
            pid = mnt.pid()
            self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
            self.assertEqual({os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)}, {"/dev/null"})
            self.assertEqual(os.getsid(pid), pid)


class StateTest(MountTest):
    """The folder of what is remembered."""

    def lacks(self, mnt):
        return json.loads((mnt / "status.json").read_text())["store"]["lacks"]

    def test_cannot_be_made(self):
        state = self.folder / "none/state"
        with self.mounted(self.store, options=f"state={state}") as mnt:
            self.assertIn(str(state), self.lacks(mnt))
            self.assertEqual(len(self.files_of(mnt)), 25)
            self.assertIn(str(state), mnt.said())

    def test_is_a_file(self):
        state = self.folder / "state"
        state.write_text("mine")
        with self.mounted(self.store, options=f"state={state}") as mnt:
            self.assertIn(str(state), self.lacks(mnt))
            self.assertEqual(len(self.files_of(mnt)), 25)
        self.assertEqual(state.read_text(), "mine")

    def test_read_only_disk(self):
        state = self.folder / "state"
        state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "ro", "none", state)
        self.addCleanup(run, "umount", state)
        with self.mounted(self.store, options=f"state={state}") as mnt:
            self.assertIn("Read-only", self.lacks(mnt))
            self.assertEqual(len(self.files_of(mnt)), 25)

    def test_whole_store_read_only(self):
        """As from a disk's snapshot: nothing is written beside it either."""
        copy = self.folder / "copy"
        copy.mkdir()
        run("mount", "--bind", self.store, copy)
        self.addCleanup(run, "umount", copy)
        run("mount", "-o", "remount,bind,ro", copy)
        with self.mounted(copy) as mnt:
            self.assertEqual(len(self.files_of(mnt)), 25)
            self.assertTrue(self.lacks(mnt))

    def test_damaged(self):
        with self.mounted(self.store) as mnt:
            self.files_of(mnt)
        for path in (self.store / "influxfs").rglob("*"):
            if path.is_file():
                path.write_bytes(os.urandom(20000))
        with self.mounted(self.store) as mnt:
            self.assertEqual(len(self.files_of(mnt)), 25)

    def test_wrong_sum_is_never_given(self):
        """What is remembered of a file counts only as long as the file is the same."""
        with self.mounted(self.store) as mnt:
            self.files_of(mnt)
        tsm = next((self.store / "data").rglob("*.tsm"))
        times = tsm.stat()
        content = tsm.read_bytes()
        tsm.with_suffix(".new").write_bytes(content[:-1] + b"?")
        tsm.with_suffix(".new").rename(tsm)
        os.utime(tsm, ns=(times.st_atime_ns, times.st_mtime_ns))
        with self.mounted(self.store) as mnt:
            self.files_of(mnt)


class RightsTest(MountTest):
    """Who may do what."""

    def modes(self, mnt):
        def of(name):
            found = os.stat(mnt / name)
            return found.st_uid, found.st_gid, found.st_mode & 0o7777
        return {name: of(name) for name in ("snapshots/now.tar", "restore", "live/meta/meta.db", "status.json")}

    def test_default(self):
        for name in ("meta", "data", "wal"):
            shutil.chown(self.store / name, NOBODY, NOBODY)
        with self.mounted(self.store) as mnt:
            modes = self.modes(mnt)
            self.assertEqual(modes["snapshots/now.tar"], (NOBODY, NOBODY, 0o400))
            self.assertEqual(modes["restore"], (NOBODY, NOBODY, 0o700))

    def test_masks(self):
        with self.mounted(self.store, options="uid=12,gid=34,umask=027") as mnt:
            for name, (uid, gid, mode) in self.modes(mnt).items():
                self.assertEqual((uid, gid, mode & 0o027), (12, 34, 0), name)
            self.assertEqual(self.modes(mnt)["snapshots/now.tar"][2] & 0o440, 0o440)
            self.assertEqual(len(self.files_of(mnt)), 25)

    def other_user(self, *command):
        return subprocess.run([*AS_NOBODY, *map(str, command)], capture_output=True, text=True)

    def test_other_users_are_kept_out(self):
        with self.mounted(self.store) as mnt:
            self.assertIn("Permission denied", self.other_user("ls", mnt.point).stderr)

    def test_allow_other(self):
        (self.store / "meta/meta.db").chmod(0o600)
        with self.mounted(self.store, options="allow_other") as mnt:
            self.assertEqual(self.other_user("cat", mnt / "status.json").returncode, 0)
            self.assertEqual(self.other_user("ls", mnt / "snapshots").stdout, "now.tar\n")
            for command in (["cat", mnt / "snapshots/now.tar"], ["cat", mnt / "live/meta/meta.db"],
                            ["ls", mnt / "restore"], ["touch", mnt / "restore/x"], ["touch", mnt / "snapshots/now.tar"],
                            ["sh", "-c", f"echo > '{mnt / 'restore/x'}'"], ["chmod", "777", mnt / "snapshots/now.tar"]):
                done = self.other_user(*command)
                self.assertNotEqual(done.returncode, 0, command)
                self.assertRegex(done.stderr, "Permission denied|not permitted|Read-only", command)

    def test_metastore_is_its_owners(self):
        """Its password hashes are for nobody else, whatever its mode is; a snapshot has that mode."""
        meta = self.store / "meta/meta.db"
        for mode in (0o666, 0o660, 0o644):
            meta.chmod(mode)
            shutil.rmtree(self.store / "influxfs", ignore_errors=True)
            run(INFLUXSNAP, "-c", self.store, "cut")
            with self.subTest(mode=mode), self.mounted(self.store, options="allow_other") as mnt:
                for shown in (mnt / "live/meta/meta.db", mnt / "at/latest/meta/meta.db"):
                    self.assertEqual(shown.stat().st_mode & 0o7777, 0o600)
                    self.assertEqual(shown.read_bytes(), meta.read_bytes())
                    self.assertRegex(self.other_user("cat", shown).stderr, "Permission denied")
                for tar in ("snapshots/now.tar", "at/latest.tar"):
                    run("cp", mnt / tar, self.folder / "one.tar")
                    self.assertEqual(Archive(self.folder / "one.tar").members["meta/meta.db"].mode, mode)
        with self.mounted(self.store) as mnt:
            for shown in (mnt / "live/meta/meta.db", mnt / "at/latest/meta/meta.db"):
                self.assertEqual(shown.stat().st_mode & 0o7777, mode)

    def test_umask_does_not_open_the_metastore(self):
        run(INFLUXSNAP, "-c", self.store, "cut")
        with self.mounted(self.store, options="allow_other,umask=022") as mnt:
            for shown in (mnt / "live/meta/meta.db", mnt / "at/latest/meta/meta.db"):
                self.assertEqual(shown.stat().st_mode & 0o7777, 0o700)
                self.assertRegex(self.other_user("cat", shown).stderr, "Permission denied")
            self.assertEqual(self.other_user("ls", mnt / "snapshots/now").returncode, 0)
            self.assertEqual(self.other_user("cmp", mnt / "at/latest.tar", mnt / "at/latest.tar").stderr, "")

    def grow(self, number):
        (self.store / f"data/first/autogen/1/{number + 100:09}-000000001.tsm").write_bytes(TSM_HEADER)

    def test_names_of_instants_are_the_owners(self):
        """Whoever looks first decides what a name holds."""
        with self.mounted(self.store, options="allow_other") as mnt:
            tonight = mnt / "snapshots/now/tonight.tar"
            for command in (["stat", tonight], ["cat", tonight], ["ls", tonight.parent]):
                self.assertIn("Permission denied", self.other_user(*command).stderr)
            self.grow(1)
            run("cp", tonight, self.folder)
            self.assertIn("data/first/autogen/1/000000101-000000001.tsm", Archive(self.folder / "tonight.tar").members)

    def test_other_users_share_captures(self):
        """Their processes look at now.tar without each of them holding another capture."""
        with self.mounted(self.store, options="allow_other") as mnt, contextlib.ExitStack() as lookers:
            began = time.monotonic()
            for number in range(20):
                self.grow(number)
                looker = subprocess.Popen(
                    [*AS_NOBODY, "sh", "-c", f"stat -c %s '{mnt.point}/snapshots/now.tar'; "
                     f"test -f '{mnt.point}/snapshots/now.tar' && echo seen; read end"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                lookers.callback(looker.communicate)
                self.assertGreater(int(looker.stdout.readline()), 0)
                self.assertEqual(looker.stdout.readline(), "seen\n")
            held = json.loads((mnt / "status.json").read_text())["captures_held"]
            self.assertLessEqual(held, 2 + (time.monotonic() - began) / 2)
            size = int(run("stat", "-c", "%s", mnt / "snapshots/now.tar"))
            self.grow(20)
            self.assertGreater(int(run("stat", "-c", "%s", mnt / "snapshots/now.tar")), size)

    def test_allow_other_for_the_owner(self):
        with self.mounted(self.store, options=f"allow_other,uid={NOBODY},gid={NOBODY}") as mnt:
            out = self.folder / "out"
            out.mkdir()
            os.chown(out, NOBODY, NOBODY)
            done = self.other_user("cp", mnt / "snapshots/now.tar", out)
            self.assertEqual(done.stderr, "")
            Archive(out / "now.tar")

    def test_ro(self):
        with self.mounted(self.store) as mnt:
            run("cp", mnt / "snapshots/now.tar", self.folder)
        with self.mounted(self.store, options="ro") as mnt:
            done = subprocess.run(["cp", self.folder / "now.tar", mnt / "restore/"], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Read-only file system", done.stderr)
            self.assertEqual(len(self.files_of(mnt)), 25)


class TogetherTest(MountTest):
    """Several at a time."""

    def test_two_mounts_of_one_store(self):
        first, second = self.mount(self.store, "first"), self.mount(self.store, "second")
        sums = {sha256(mnt / "snapshots/now.tar") for mnt in (first, second)}
        for number in range(3):
            (self.store / f"wal/first/autogen/1/_000{number}9.wal").write_bytes(b"")
            states = []
            for mnt in (first, second):
                run("cp", mnt / "snapshots/now.tar", self.folder)
                states.append(Archive(self.folder / "now.tar"))
            self.assertEqual(states[0].indexes(), states[1].indexes())
            self.assertEqual(states[0].manifest["id"], states[1].manifest["id"])
        self.assertEqual(len(sums), 1)
        for mnt in (first, second):
            self.assertIsNone(json.loads((mnt / "status.json").read_text())["last_error"])

    def test_hundred_look_ups(self):
        """Each of its own process, while the store changes."""
        mnt = self.mount(self.store)
        stopping = threading.Event()

        def change():
            number = 100
            while not stopping.wait(0.01):
                number += 1
                (self.store / f"wal/first/autogen/1/_{number:05}.wal").write_bytes(b"")
        changer = threading.Thread(target=change)
        changer.start()
        try:
            lookers = [subprocess.Popen(["stat", "-c", "%s %i", mnt / "snapshots/now.tar"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True) for _ in range(100)]
            said = [looker.communicate()[0] for looker in lookers]
        finally:
            stopping.set()
            changer.join()
        for line in said:
            self.assertRegex(line, r"^\d+ \d+\n$")
        self.assertEqual(len({line.split()[1] for line in said}), 1)
        self.assertGreater(len({line.split()[0] for line in said}), 1)

    def test_ten_at_one_mountpoint(self):
        """One of them gets it, and the others say so."""
        tries = [subprocess.Popen([INFLUXFS, self.store, self.point], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) for _ in range(10)]
        ended = [(one.communicate()[1], one.returncode) for one in tries]
        for point in mounts_under(self.point):
            self.addCleanup(run, "umount", point)
        self.assertEqual([code for _, code in ended].count(0), len(mounts_under(self.point)))
        self.assertGreaterEqual(len(mounts_under(self.point)), 1)

    def test_large_store_is_mounted_at_once(self):
        """Nothing is read before it is asked for: systemd waits for the mount."""
        store = HandmadeStore(self.folder / "large")
        for number in range(300):
            store.shard(f"db {number}", tsm={f"{i:09}-000000001.tsm": TSM_HEADER for i in range(1, 8)})
        root = store.write_meta()
        with Mount(root, self.folder / "mnt", foreground=False) as mnt:
            self.assertIsNone(json.loads((mnt / "status.json").read_text())["last_capture"])
            self.assertEqual(len(self.files_of(mnt)), 2101)
            fds = len(os.listdir(f"/proc/{mnt.pid()}/fd"))
            self.assertLess(fds, 2300)
            self.assertTrue(re.search(r"Max open files +(1048576|unlimited|\d{5,})",
                                      Path(f"/proc/{mnt.pid()}/limits").read_text()))
