"""What passes through the mount without knowing it: crawlers, tools that read a colon as a host, jobs that
run while nothing is mounted, and NFS."""

import ctypes
import errno
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import snap
from lib.dumptree import compact
from lib.files import run
from lib.mount import INFLUXFS, Mount, MountError
from lib.stores import some_store

SMALL = {".influxfs", "metrics.prom", "restore", "status.html", "status.json"}
ALL = SMALL | {"at", "backup", "databases", "dump", "live", "snapshots"}


def status(mnt):
    return json.loads((mnt / "status.json").read_text())


class ByMount(Mount):
    """Mounted by mount(8), which strips what is its own, and runs the helper for FUSE."""

    def command(self):
        return ["mount", "-t", "fuse", "-o", f"nofail,{self.options}", f"{INFLUXFS}#{self.store}", str(self.point)]

    def pid(self):
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] == os.fsencode(INFLUXFS) and os.fsencode(self.point) in words:
                return int(name)
        return None


class HideTest(StoreTest):
    """hide=: found by name, not listed."""

    def listed(self, options, hidden):
        with self.mounted(self.store, options=options) as mnt:
            self.assertEqual(set(os.listdir(mnt.point)), ALL - hidden, options)
            for name in ALL:
                os.stat(mnt / name)

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)

    def test_forms(self):
        """libfuse and mount(8) split options at commas that no backslash escapes."""
        for options in ("hide=dump:at:live", "hide=dump,at,live", r"hide=dump\,at\,live", "ro,hide=dump,at:live,allow_other",
                        "hide=dump,hide=at:live"):
            self.listed(options, {"dump", "at", "live"})
        self.listed("hide=live:snapshots:at:dump:restore", {"live", "snapshots", "at", "dump", "restore"})
        self.listed("hide=databases:backup", {"databases", "backup"})

    def test_by_mount(self):
        with ByMount(self.store, self.folder / "mnt", "hide=dump,at,live,allow_other", foreground=False) as mnt:
            self.assertEqual(set(os.listdir(mnt.point)), ALL - {"dump", "at", "live"})
            self.assertIsNotNone(mnt.pid())

    def test_refused(self):
        for options, said in (("hide=dump:foo", "foo cannot be hidden, but live, snapshots, at, dump and restore can"),
                              ("hide=", " cannot be hidden"), ("hide=dump:", " cannot be hidden"),
                              ("hide=status.json", "status.json cannot be hidden"),
                              ("hide=dump,foo", "unknown option(s): `-o foo'"), ("hide=dump,ro,at", "`-o at'"),
                              ("dump", "`-o dump'"), ("hide", "`-o hide'")):
            with self.subTest(options=options), self.assertRaises(MountError) as caught:
                self.mount(self.store, options=options)
            self.assertIn(said, str(caught.exception))

    def test_crawlers(self):
        """They read none of it, and no text is made for its size: that would find the damage, and say so."""
        store = fixtures.unpack("1.6.7-inmem", self.folder / "damaged")
        for file in store.glob("data/*/*/*/*.tsm"):
            data = bytearray(file.read_bytes())
            data[20] ^= 0x40
            file.write_bytes(data)
        snap(store, "cut")
        mnt = self.mount(store, options="hide=dump:at:live:snapshots:databases:backup")
        top, copy = mnt.point, self.folder / "copy"
        found = run("find", top, "-xdev", "-nouser", "-o", "-print").split()
        self.assertEqual({path.removeprefix(f"{top}/") for path in found},
                         {str(top), "restore/log", "restore/status.json"} | SMALL)
        self.assertLess(int(run("du", "-s", top).split()[0]), 100)
        run("rsync", "-a", f"{top}/", copy)
        self.assertEqual(set(os.listdir(copy)), SMALL)
        for folder, _, names in os.walk(top):  # as updatedb goes about it
            for name in names:
                os.lstat(os.path.join(folder, name))
        said = status(mnt)
        self.assertIsNone(said["last_error"])
        self.assertIsNone(said["last_capture"])
        # By name all is there: cd, ls and cp, as in .zfs of ZFS.
        run("sh", "-ec", "cd dump && cd json && ls -l && cd ../../at && ls -l 2>&1", cwd=top)
        self.assertEqual(os.listdir(mnt / "snapshots"), ["now.tar", "base.tar"])
        run("cp", mnt / "snapshots/now.tar", self.folder / "now.tar")
        run("cmp", mnt / "at/latest.tar", mnt / "snapshots/base.tar")
        self.assertIsNone(status(mnt)["last_error"])
        # And a crawler in dump/ would have left its trace.
        self.assertNotEqual(subprocess.run(["du", "-s", mnt / "dump"], capture_output=True).returncode, 0)
        self.assertIn("dump/", json.dumps(status(mnt)["last_error"]))


class CompactTest(StoreTest):
    """Names without a colon, which many tools take for the end of a host's name."""

    def setUp(self):
        super().setUp()
        self.store = fixtures.unpack("1.6.7-inmem", self.folder / "store")

    def dumps(self, mnt):
        return {os.path.relpath(os.path.join(folder, name), mnt.point): os.stat(os.path.join(folder, name))
                for folder, _, names in os.walk(mnt / "dump") for name in names}

    def same(self, one, other):
        self.assertEqual([getattr(one, key) for key in ("st_ino", "st_size", "st_mtime_ns", "st_mode")],
                         [getattr(other, key) for key in ("st_ino", "st_size", "st_mtime_ns", "st_mode")])

    def test_listed(self):
        with self.mounted(self.store) as mnt:
            plain = self.dumps(mnt)
        with self.mounted(self.store, options="names=colons") as mnt:
            self.assertEqual(set(self.dumps(mnt)), set(plain))
            by_name = {name: os.stat(mnt / os.fsdecode(compact(os.fsencode(name)))) for name in plain}
        with self.mounted(self.store, options="names=compact") as mnt:
            listed = self.dumps(mnt)
            self.assertGreater(len(listed), 20)
            self.assertEqual(set(listed), {os.fsdecode(compact(os.fsencode(name))) for name in plain})
            self.assertFalse([name for name in listed if ":" in name])
            for name, there in plain.items():
                self.same(there, by_name[name])
                self.same(there, listed[os.fsdecode(compact(os.fsencode(name)))])
                self.same(there, os.stat(mnt / name))
        with self.assertRaises(MountError) as caught:
            self.mount(self.store, options="names=short")
        self.assertIn("option names=short: it is colons or compact", str(caught.exception))

    def test_tools(self):
        """In the folder itself, without ./ before the name."""
        snap(self.store, "cut")
        mnt = self.mount(self.store)
        policy, out = mnt / "dump/csv/sensu_db/default", self.folder / "out"
        name = "cpu_20160611T000000Z_20160612T000000Z.csv"
        wanted = (policy / "2016-06-11/cpu_2016-06-11-00:00:00_2016-06-12-00:00:00.csv").read_bytes()
        self.assertGreater(len(wanted), 100)
        for folder in (policy, policy / "2016-06-11"):
            for command in (f"rsync {name} OUT", f"rclone --config /dev/null copyto {name} OUT", f"scp -q {name} OUT",
                            f"tar -cf - {name} | tar -xOf - > OUT", f"tar -cf {out}.tar {name} && tar -xOf {out}.tar > OUT"):
                run("sh", "-ec", command.replace("OUT", str(out)), cwd=folder)
                self.assertEqual(out.read_bytes(), wanted, command)
                out.unlink()
        # Any range, with fractions, as at/ knows them.
        part = (policy / "cpu_20160611T000000.5Z_20160611T233000.000000001Z.csv").read_bytes()
        self.assertEqual(part, (policy / "cpu_2016-06-11-00:00:00.5_2016-06-11-23:30:00.000000001.csv").read_bytes())
        for wrong in ("cpu_20160611T000000_20160612T000000.csv", "cpu_20160611T000000Z_20160612T000000Z.json",
                      "cpu_20160631T000000Z_20160701T000000Z.csv"):
            self.assertFalse((policy / wrong).exists(), wrong)
        self.assertFalse((policy / "2016-06-11" / name.replace("0611T", "0610T")).exists())
        run("tar", "-tf", "22000101T000000Z.tar", cwd=mnt / "at")
        run("rsync", "22000101T000000Z.tar", out, cwd=mnt / "at")


class MarkerTest(StoreTest):
    """.influxfs, which mirror jobs can demand."""

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)

    def looked(self, mnt):
        there = os.stat(mnt / ".influxfs")
        text = (mnt / ".influxfs").read_text()
        self.assertEqual((there.st_size, there.st_blocks, stat.S_IMODE(there.st_mode)), (len(text), 1, 0o444))
        return json.loads(text), (there.st_ino, there.st_mtime_ns, text)

    def test_it_stays(self):
        """Over reads, remounts, upgrades of nothing, and a restore."""
        with self.mounted(self.store) as mnt:
            content, first = self.looked(mnt)
            self.assertEqual(set(content), {"version", "store"})
            self.assertEqual(content["version"], 1)
            self.assertRegex(content["store"], r"^[0-9a-f]{32}$")
            self.assertEqual(self.looked(mnt)[1], first)
            shutil.copyfile(mnt / "snapshots/now.tar", self.folder / "now.tar")
            with self.assertRaises(OSError) as caught:
                open(mnt / ".influxfs", "ab")
            self.assertEqual(caught.exception.errno, errno.EROFS)
        (next(self.store.glob("data/*/*/*/*.tsm"))).unlink()
        with self.mounted(self.store) as mnt:
            run("cp", self.folder / "now.tar", mnt / "restore/")
            self.assertEqual(self.looked(mnt)[1], first)
        with self.mounted(self.store, options="ro") as mnt:
            self.assertEqual(self.looked(mnt)[1], first)
            # Another store, of the same contents, is another.
            other = self.restore(self.folder / "now.tar", self.folder / "other")
            with self.mounted(other, name="mnt-other") as second:
                self.assertNotEqual(self.looked(second)[0], content)

    def test_a_mirror_job(self):
        """It deletes nothing while nothing is mounted, and takes the file once."""
        mirror = self.folder / "mirror"
        job = f"test -e {self.folder}/mnt/.influxfs && rsync -ai --delete --exclude=status.json {self.folder}/mnt/ {mirror}/"
        with self.mounted(self.store, options="hide=dump:live:at:restore:backup"):
            self.assertIn(".influxfs", run("sh", "-ec", job))
            self.assertNotIn(".influxfs", run("sh", "-ec", job))
        before = sorted(os.listdir(mirror))
        self.assertEqual(subprocess.run(["sh", "-ec", job]).returncode, 1)
        self.assertEqual(sorted(os.listdir(mirror)), before)

    def test_without_a_state_folder(self):
        """The file is there, and says that it does not know."""
        (self.folder / "file").touch()
        mnt = self.mount(self.store, options=f"state={self.folder}/file/state")
        self.assertIsNone(self.looked(mnt)[0]["store"])

    def test_damaged(self):
        (self.store / "influxfs").mkdir()
        (self.store / "influxfs/id").write_text("not an id\n")
        mnt = self.mount(self.store)
        self.assertIsNone(self.looked(mnt)[0]["store"])
        self.assertIn("influxfs/id is not the id of a store; if it is removed", mnt.said())


class HandleTest(StoreTest):
    """What an NFS server would keep of a file: refused, and never another file's."""

    class Handle(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]

    def of(self, path, flags=0):
        handle = self.Handle(bytes=128)
        if self.libc.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(handle), ctypes.byref(ctypes.c_int()), flags):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return handle

    def opened(self, mnt, handle):
        """The file's bytes; or the errno."""
        top = os.open(mnt.point, os.O_RDONLY)
        file = self.libc.open_by_handle_at(top, ctypes.byref(handle), os.O_RDONLY)
        error = ctypes.get_errno()
        os.close(top)
        if file < 0:
            return error
        with open(file, "rb") as opened:
            return opened.read()

    def setUp(self):
        super().setUp()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.store = some_store(self.folder / "store", 1)
        snap(self.store, "cut")

    def test_no_export(self):
        mnt = self.mount(self.store)
        release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
        if release < (6, 10):
            self.skipTest("Linux before 6.10 cannot be told to refuse it")
        with self.assertRaises(OSError) as caught:
            self.of(mnt / "snapshots/base.tar")
        self.assertEqual(caught.exception.errno, errno.EOPNOTSUPP)

    def test_never_another_file(self):
        """Neither while the kernel knows the node, nor after it has forgotten it, nor after a remount,
        where node numbers begin anew."""
        fid = 0x200  # AT_HANDLE_FID: whether or not it can be opened, from Linux 6.5
        names = ["status.json", "snapshots/base.tar", "at/latest.tar"]
        try:
            with self.mounted(self.store) as mnt:
                old = {name: self.of(mnt / name, fid) for name in names}
        except OSError as error:
            self.skipTest(f"no handles here: {error}")
        mnt = self.mount(self.store)
        for name in names:
            os.stat(mnt / name)
        self.assertNotIn(bytes(old["status.json"].data), [bytes(self.of(mnt / name, fid).data) for name in names])
        for name, handle in old.items():
            self.assertEqual(self.opened(mnt, handle), errno.ESTALE, name)
