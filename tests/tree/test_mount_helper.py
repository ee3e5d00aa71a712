"""mount.influxfs, by itself and through mount(8), in a mount namespace of the test's own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib.archive import Archive
from lib.case import StoreTest
from lib.files import HANG, PATIENCE, wait_until, within
from lib.mount import INFLUXFS, has_ended
from lib.mountns import OTHER, USER, MountNamespace
from lib.stores import some_store

BUILD = Path(INFLUXFS).parent
PRELOAD = BUILD / "tests/preload_slow.so"

# A direct automount with an idle time, as systemd's: when somebody enters, it runs a command to
# mount, whose process group may use the mount point meanwhile. All others wait.
AUTOMOUNTER = """
import ctypes, fcntl, os, struct, subprocess, sys
READY, FAIL, SET_TIMEOUT = 0x9360, 0x9361, 0xc0089364
kernel, requests = os.pipe()
point = sys.argv[1].encode()
options = f"fd={requests},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"test", point, b"autofs", 0, options) < 0:
    raise OSError(ctypes.get_errno(), "mount")
folder = os.open(point, os.O_RDONLY)
fcntl.ioctl(folder, SET_TIMEOUT, struct.pack("L", 60))
print("ready", flush=True)
version, kind, token = struct.unpack_from("iiI", os.read(kernel, 304))
failed = subprocess.run(sys.argv[2:]).returncode
fcntl.ioctl(folder, FAIL if failed else READY, token)
"""


class HelperTest(StoreTest):
    """Programs as installed in a prefix of their own, links to the helper in /sbin."""

    def setUp(self):
        super().setUp()
        for folder in (self.folder, self.folder.parent):
            folder.chmod(0o755)
        self.bin, self.sbin = self.folder / "usr/bin", self.folder / "usr/sbin"
        for folder in (self.bin, self.sbin):
            folder.mkdir(parents=True)
        shutil.copy(INFLUXFS, self.bin)
        shutil.copy(BUILD / "mount.influxfs", self.sbin)
        self.store = some_store(self.folder / "store", 1)
        self.point = self.folder / "point"
        self.point.mkdir()
        self.ns = self.enterContext(MountNamespace(self.folder))
        self.links({"mount.influxfs": self.sbin / "mount.influxfs", "mount.fuse.influxfs": "mount.influxfs"})

    def links(self, links):
        self.ns.add_to_sbin(links)

    def helper(self, *words, **how):
        return self.ns.run(self.sbin / "mount.influxfs", *words, **how)

    def expect(self, done, code, *said):
        """It said all of this in one line on stderr, or nothing."""
        self.assertEqual(done.returncode, code, done)
        self.assertRegex(done.stderr, r"\A([^\n]+\n)\Z" if said else r"\A\Z")
        for word in said:
            self.assertIn(word, done.stderr)

    def mounted_with(self, point=None):
        """(type, source, options) there, of which there is one."""
        (found,) = [row[1:] for row in self.ns.table() if row[0] == str(point or self.point)]
        return found

    def refused(self, done, code, *said):
        self.expect(done, code, *said)
        self.assertEqual(self.ns.mounts(), [])
        self.assertEqual(self.ns.daemons(), [])

    def unmount(self, *command):
        daemons = self.ns.daemons()
        self.ns.done(*(command or ("umount", self.point)))
        for pid in daemons:
            wait_until(lambda pid=pid: has_ended(pid), 30, "the daemon to end")

    def status(self):
        return json.loads(self.ns.done("cat", self.point / "status.json").stdout)

    def restore_says(self, **how):
        """What cp into restore/ says; the snapshot is that of the store itself."""
        return self.ns.run("cp", self.folder / "now.tar", self.point / "restore/", **how)

    def copy_now(self):
        self.ns.done("cp", self.point / "snapshots/now.tar", self.folder / "now.tar")
        Archive(self.folder / "now.tar")


class FormsTest(HelperTest):
    """mount(8)'s forms."""

    def test_places_of_arguments(self):
        store, point = self.store, self.point
        for words in ([store, point], [store, point, "-o", "noatime"], ["-o", "noatime", store, point],
                      [store, "-onoatime", point], ["-nvo", "noatime", store, point], [store, point, "-snwv"],
                      [store, point, "-t", "fuse.influxfs"], ["-t", "influxfs", "--", store, point],
                      [store, point, "-o", "noatime", "-o", "keep=2", "-o", "nodev"]):
            with self.subTest(words=words):
                done = self.helper(*words, environment={"POSIXLY_CORRECT": "1"} | os.environ)
                self.expect(done, 0)
                kind, source, options = self.mounted_with()
                self.assertEqual((kind, source), ("fuse.influxfs", str(store)))
                self.assertEqual("noatime" in options, any("noatime" in str(word) for word in words))
                self.unmount()

    def test_read_only(self):
        for words, ro in ((["-r"], True), (["-r", "-w"], False), (["-o", "ro,rw"], False), (["-o", "rw", "-r"], True)):
            with self.subTest(words=words):
                self.expect(self.helper(self.store, self.point, *words), 0)
                self.assertEqual("ro" in self.mounted_with()[2], ro)
                self.assertEqual(self.status()["restore"] is None, ro)
                self.unmount()

    def test_strange_names(self):
        """No shell reads them."""
        for name in ("-o", "a, b", "back\\slash", "$(touch evil)", "two  words", "quote'\"s", "new\nline", "umlaut-ä"):
            store, point = some_store(self.folder / name / "store", 1), self.folder / name / "point"
            point.mkdir()
            state = self.folder / name / "state"
            escaped = str(state).replace("\\", "\\\\").replace(",", "\\,")
            with self.subTest(name=name):
                done = self.ns.run("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", self.folder,
                                   self.sbin / "mount.influxfs", "--", f"{name}/store", f"{name}/point")
                self.expect(done, 0)
                self.unmount("umount", point)
                self.expect(self.helper(store, point, "-o", f"state={escaped},noatime"), 0)
                self.assertTrue(state.is_dir())
                self.unmount("umount", point)
        self.assertEqual(list(self.folder.rglob("evil")), [])

    def test_octal_and_empty_options(self):
        state = self.folder / "a b"
        octal = str(state).replace(" ", "\\040")
        self.expect(self.helper(self.store, self.point, "-o", f",rw,,state={octal},"), 0)
        self.assertTrue(state.is_dir())

    def test_namespace(self):
        """As mount --namespace asks for it: mounted there, not here."""
        with MountNamespace(self.folder) as other:
            pid = other.holder.pid
            helper = [self.sbin / "mount.influxfs"]
            for command, name in ((helper, f"/proc/{pid}/ns/mnt"), (helper, pid), (["mount", "-t", "influxfs"], pid)):
                self.expect(self.ns.run(*command, self.store, self.point, "-N", name), 0)
                self.assertEqual((self.ns.mounts(), other.mounts()), ([], [str(self.point)]))
                other.done("umount", self.point)
        self.refused(self.helper(self.store, self.point, "-N", "/none"), 2, "/none", "No such file")

    def test_verbose(self):
        done = self.helper(self.store, self.point, "-v", "-o", "keep=2,nofail")
        self.assertEqual(done.stdout, f"mount.influxfs: {self.bin}/influxfs -o keep=2 -- {self.store} {self.point}\n")

    def test_help_and_version(self):
        self.assertTrue(self.helper("-h").stdout.startswith("usage: mount.influxfs "))
        self.assertRegex(self.helper("--version").stdout, r"^mount\.influxfs [0-9.]+\n$")

    def test_fake(self):
        """Everything is checked, and nothing is mounted or made."""
        self.refused(self.helper(self.store, self.point, "-f", "-o", "keep=2"), 0)
        self.refused(self.ns.run("mount", "-f", "-t", "influxfs", self.store, self.point), 0)
        self.assertFalse((self.store / "influxfs").exists())
        file = self.folder / "file"
        file.write_text("")
        self.refused(self.helper(self.store, self.point, "-f", "-o", "keep=x"), 1, "option keep=x")
        self.refused(self.helper(self.folder / "none", self.point, "-f"), 32, "none", "No such file")
        self.refused(self.helper(self.store, self.folder / "none", "-f"), 32, "none", "No such file")
        self.refused(self.helper(self.store, self.folder / "none", "-f", "-o", "mkdir"), 0)
        self.refused(self.helper(self.store, self.store / "data", "-f"), 32, "is the store's folder")
        self.refused(self.helper(self.store, file, "-f"), 32, "not a folder")


class OptionsTest(HelperTest):
    def test_of_influxfs(self):
        """They are checked before influxfs runs, and get there with their values."""
        state = self.folder / "state"
        given = ["every=1h", "keep=24", "reserve=1%", "guard=off", "exclude=a:b", "owner=root:root", "force",
                 "allow_left_out", "keep_expired", "skip_damaged", "log=debug", "pace=off", "uid=1", "gid=2", "umask=077",
                 "hide=dump,at",
                 f"state={state}", f"data={self.store}/data", f"meta={self.store}/meta", f"wal={self.store}/wal"]
        self.expect(self.helper(self.store, self.point, "-o", ",".join(given)), 0)
        self.assertEqual(self.status()["options"], given)
        self.assertEqual(self.ns.done("stat", "-c", "%u %g %a", self.point / "restore").stdout, "1 2 700\n")
        self.unmount()
        for bad in ("keep=x", "every=never", "uid=-1", "pace=1", "guard=200%", "owner=nobody-of-that-name", "log=all",
                    "data="):
            self.refused(self.helper(self.store, self.point, "-o", bad), 1, "mount.influxfs: option " + bad)

    def test_of_libfuse(self):
        given = "allow_other,default_permissions,fsname=of mine,nosuid,nodev,noexec,sync,dirsync,noatime"
        self.expect(self.helper(self.store, self.point, "-o", given), 0)
        kind, source, options = self.mounted_with()
        self.assertEqual((kind, source), ("fuse.influxfs", "of\\040mine"))
        for option in ("allow_other", "nosuid", "nodev", "noexec", "sync", "noatime"):
            self.assertIn(option, options)
        self.unmount()
        self.expect(self.helper(self.store, self.point, "-o", "suid,dev,exec,async,atime,allow_root"), 0)
        self.assertFalse({"nosuid", "nodev", "noexec", "sync", "noatime"} & set(self.mounted_with()[2]))
        self.unmount()

    def test_auto_unmount(self):
        """libfuse's helper looks once whether the mount is dead: as soon as the daemon's end of their socket is
        closed, which on a busy machine may be before the daemon's end of the mount is. So not always."""
        for _ in range(10):
            self.expect(self.helper(self.store, self.point, "-o", "auto_unmount"), 0)
            (pid,) = self.ns.daemons()
            os.kill(pid, signal.SIGKILL)
            if within(lambda: not self.ns.mounts(), 2 * PATIENCE):
                return
            self.ns.done("umount", "-l", self.point)
        self.fail("it was never unmounted")

    def test_of_mount_and_systemd(self):
        given = ("defaults,auto,noauto,user,user=somebody,nouser,users,owner,group,nofail,_netdev,silent,comment=a b,"
                 "helper=fuse,uhelper=fuse,x-systemd.automount,x-anything,X-mount.mkdir=0700,relatime,norelatime,"
                 "strictatime,nostrictatime,diratime,nodiratime,lazytime,nolazytime")
        self.expect(self.helper(self.store, self.point, "-o", given), 0)
        self.assertEqual(self.status()["options"], [])

    def test_unknown(self):
        for option in ("nonsense", "keep", "force=1", "json", "-f", "--help", "help", "kernel_cache", "setuid=root"):
            self.refused(self.helper(self.store, self.point, "-o", f"rw,{option},nodev"), 1, f"unknown option {option};")
        for option in ("loop", "loop=/dev/loop0", "offset=1"):
            self.refused(self.helper(self.store, self.point, "-o", option), 1, f"option {option}")
        self.refused(self.helper(self.store, self.point, "-o", "user_id=0"), 1, "user_id=0")
        self.refused(self.helper(self.store, self.point, "-o", "max_read=4096"), 1, "max_read")

    def test_sloppy(self):
        done = self.helper(self.store, self.point, "-sv", "-o", "nonsense=1,-f,noatime")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("unknown option nonsense=1 is ignored\n", done.stdout)
        self.assertIn("noatime", self.mounted_with()[2])
        self.unmount()
        self.expect(self.ns.run("mount", "-s", "-t", "influxfs", "-o", "nonsense", self.store, self.point), 0)
        self.unmount()
        self.refused(self.helper(self.store, self.point, "-s", "-o", "keep=x"), 1, "keep=x")


class ExitTest(HelperTest):
    """Each bit that can be reached; 16 cannot."""

    def replace_influxfs(self, script):
        (self.bin / "influxfs").write_text(f"#!/bin/sh\n{script}\n")

    def test_usage(self):
        self.refused(self.helper(), 1, "SOURCE and DIR")
        self.refused(self.helper(self.store), 1, "SOURCE and DIR")
        self.refused(self.helper(self.store, self.point, "more"), 1, "more", "third")
        self.refused(self.helper(self.store, self.point, "-z"), 1, "-z")
        self.refused(self.helper(self.store, self.point, "-o"), 1, "-o", "needs a value")
        self.refused(self.helper(self.store, self.point, "-t", "ext4"), 1, "type ext4")

    def test_system(self):
        """influxfs is not there."""
        (self.bin / "influxfs").unlink()
        for name in filter(os.path.exists, ("/usr/bin/influxfs", "/usr/local/bin/influxfs")):
            self.ns.bind("/dev/null", name)
        self.refused(self.helper(self.store, self.point, environment={"PATH": str(BUILD)}), 2, "/usr/local/bin")
        (self.bin / "influxfs").write_text("no program")
        (self.bin / "influxfs").chmod(0o755)
        self.refused(self.helper(self.store, self.point), 2, f"{self.bin}/influxfs", "Exec format error")

    def test_bug(self):
        self.replace_influxfs("exit 7")
        self.refused(self.helper(self.store, self.point), 4, "exited with 7")

    def test_failed(self):
        """What influxfs says arrives at mount(8)."""
        none = self.folder / "none"
        for command in ([self.sbin / "mount.influxfs"], ["mount", "-t", "influxfs"], ["mount", "-t", "fuse.influxfs"]):
            self.refused(self.ns.run(*command, self.store, none), 32, "none")
        for command in ([self.sbin / "mount.influxfs"], ["mount", "-t", "influxfs"]):
            self.refused(self.ns.run(*command, none, self.point), 32, "influxfs: ", "none", "No such file")
        self.replace_influxfs("kill -9 $$")
        self.refused(self.helper(self.store, self.point), 32, "killed by signal 9")

    def start_slowly(self, *prefix):
        """A mount.influxfs that waits for the disk of the store."""
        slow = self.folder / "slow"
        slow.write_text("600000")
        how = {"LD_PRELOAD": str(PRELOAD), "SLOW_ROOT": str(self.store), "SLOW_SWITCH": str(slow)}
        process = subprocess.Popen(["nsenter", "--mount", f"--target={self.ns.holder.pid}", *prefix,
                                    self.sbin / "mount.influxfs", self.store, self.point],
                                   env=os.environ | how, stderr=subprocess.PIPE, text=True, start_new_session=True)
        wait_until(lambda: len(self.ns.daemons()) == 2, 30, "influxfs and its daemon")
        return process

    def test_interrupted(self):
        """Then nothing is mounted either."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.start_slowly()
            process.send_signal(number)
            said = process.communicate(timeout=HANG)[1]
            self.assertEqual((process.returncode, said), (8, "mount.influxfs: interrupted\n"))
            wait_until(lambda: not self.ns.daemons(), 30, "the daemon to end")
            self.assertEqual(self.ns.mounts(), [])

    def test_hangup_ignored(self):
        process = self.start_slowly("sh", "-c", "trap '' HUP && exec \"$0\" \"$@\"")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.assertEqual((process.poll(), len(self.ns.daemons())), (None, 2))
        process.terminate()
        process.communicate(timeout=HANG)
        wait_until(lambda: not self.ns.daemons(), 30, "the daemon to end")

    def test_some_of_several(self):
        other = self.folder / "other"
        other.mkdir()
        self.ns.write_fstab(f"{self.store} {self.point} influxfs defaults", f"{self.folder}/none {other} influxfs nofail")
        done = self.ns.run("mount", "-a")
        self.expect(done, 64, "influxfs: ", "none", "No such file")
        self.assertEqual(self.ns.mounts(), [str(self.point)])
        self.unmount()
        self.ns.write_fstab(f"{self.folder}/none {other} influxfs defaults")
        self.refused(self.ns.run("mount", "-a"), 32, "No such file")


class EnvironmentTest(HelperTest):
    """As mount(8) of an ordinary user, systemd or a boot script call it."""

    def test_bare(self):
        """No variable at all, and no standard streams."""
        for redirection in ("", "<&-", "<&- >&- 2>&-"):
            for command in (f"'{self.sbin}/mount.influxfs'", "/usr/bin/mount -t influxfs"):
                with self.subTest(redirection=redirection, command=command):
                    self.ns.done("env", "-i", "/bin/sh", "-c", f"unset PWD; exec {command} '{self.store}' '{self.point}' {redirection}")
                    self.copy_now()
                    (pid,) = self.ns.daemons()
                    self.assertEqual({os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)}, {"/dev/null"})
                    self.unmount()

    def test_ignored_children(self):
        """SIGCHLD is inherited as ignored."""
        self.ns.done("python3", "-c", "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
                     "os.execv(sys.argv[1], sys.argv[1:])", self.sbin / "mount.influxfs", self.store, self.point)
        self.assertEqual(self.ns.mounts(), [str(self.point)])

    def test_path_is_not_asked(self):
        evil = self.folder / "evil"
        evil.mkdir()
        for name in ("influxfs", "fusermount3", "sh"):
            (evil / name).write_text(f"#!/bin/sh\ntouch '{self.folder}/done'\n")
            (evil / name).chmod(0o755)
        self.expect(self.helper(self.store, self.point, environment=os.environ | {"PATH": str(evil)}), 0)
        self.assertFalse((self.folder / "done").exists())

    def test_from_the_build(self):
        """Where both programs lie side by side."""
        self.expect(self.ns.run(BUILD / "mount.influxfs", self.store, self.point), 0)


class MountTest(HelperTest):
    """Through mount(8), umount(8) and findmnt(8)."""

    def test_by_type(self):
        for kind in ("influxfs", "fuse.influxfs"):
            self.expect(self.ns.run("mount", "-t", kind, "-o", "nosuid,nodev,noatime,keep=2,_netdev", self.store, self.point), 0)
            self.assertEqual(self.status()["options"][-1], "keep=2")
            self.assertEqual(self.ns.done("findmnt", "-n", "-o", "SOURCE,FSTYPE,TARGET", self.point).stdout.split(),
                             [str(self.store), "fuse.influxfs", str(self.point)])
            self.copy_now()
            self.unmount()

    def test_debians_helper(self):
        """mount.fuse3 alone, which runs influxfs by a shell: the options that it gives are taken."""
        self.ns.done("rm", "/usr/sbin/mount.influxfs", "/usr/sbin/mount.fuse.influxfs")
        self.ns.done("ln", "-s", self.bin / "influxfs", "/usr/sbin/influxfs")
        given = "rw,nofail,_netdev,noauto,nouser,keep=2,x-systemd.after=influxdb.service"
        self.expect(self.ns.run("mount", "-t", "fuse.influxfs", "-o", given, self.store, self.point), 0)
        options = self.status()["options"]
        self.assertEqual(set(options), {"rw", "keep=2", "dev", "suid"})
        self.copy_now()
        done = self.ns.run("mount", "-o", "remount,ro", self.point)
        self.expect(done, 2, "option remount", "mount.influxfs")

    def test_fstab(self):
        config = self.folder / "influxdb.conf"
        config.write_text(f'[meta]\n  dir = "{self.store}/meta"\n[data]\n  dir = "{self.store}/data"\n'
                          f'  wal-dir = "{self.store}/wal"\n')
        for kind in ("influxfs", "fuse.influxfs"):
            self.ns.write_fstab(f"{config} {self.point} {kind} nofail,_netdev,x-systemd.after=influxdb.service,comment=b,keep=9")
            for command in (["mount", self.point], ["mount", config], ["mount", "-a"]):
                self.expect(self.ns.run(*command), 0)
                self.assertEqual(self.mounted_with()[1], str(config))
                self.expect(self.ns.run("mount", "-a"), 0)  # is mounted, and left alone
                self.assertEqual(len(self.ns.mounts()), 1)
                self.unmount()
        self.assertNotIn("[E]", self.ns.done("findmnt", "--verify").stdout)

    def test_busy(self):
        self.expect(self.helper(self.store, self.point), 0)
        self.expect(self.helper(self.store, self.point), 32, "mounted there already")
        self.assertEqual(self.ns.mounts(), [str(self.point)])
        with self.ns_reader():
            self.expect(self.ns.run("umount", self.point), 32, "busy")
        self.unmount()

    def ns_reader(self):
        """A process whose working folder is the mount."""
        process = subprocess.Popen(["nsenter", "--mount", f"--target={self.ns.holder.pid}", "sh", "-c",
                                    f"cd '{self.point}' && echo && exec cat"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    def test_dead(self):
        """mount(8) mounts over what a killed daemon left, which is taken away first."""
        self.expect(self.helper(self.store, self.point), 0)
        (pid,) = self.ns.daemons()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: has_ended(pid), 30, "the daemon to end")
        self.expect(self.ns.run("mount", "-o", "remount,ro", self.point), 32, "killed", "mount it again")
        self.expect(self.ns.run("mount", "-t", "influxfs", self.store, self.point), 0)
        self.assertEqual(self.ns.mounts(), [str(self.point)])
        self.copy_now()


class RemountTest(HelperTest):
    def setUp(self):
        super().setUp()
        self.ns.write_fstab(f"{self.store} {self.point} influxfs noauto,nofail,keep=24,hide=dump,at,allow_other,x-anything")
        self.ns.done("mount", self.point)
        self.copy_now()

    def remount(self, options):
        return self.ns.run("mount", "-o", f"remount,{options}".rstrip(","), self.point)

    def options(self):
        return set(self.mounted_with()[2])

    def test_read_only_and_back(self):
        self.expect(self.restore_says(), 0)
        for _ in range(2):
            self.expect(self.remount("ro"), 0)
            self.assertIn("ro", self.options())
            self.assertIn("Read-only file system", self.restore_says().stderr)
            self.copy_now()
            self.expect(self.remount("rw"), 0)
            self.assertNotIn("ro", self.options())
            self.expect(self.restore_says(), 0)

    def test_while_a_restore_is_written(self):
        writer = subprocess.Popen(["nsenter", "--mount", f"--target={self.ns.holder.pid}", "sh", "-c",
                                   f"exec > '{self.point}/restore/x.tar'; head -c 700 '{self.folder}/now.tar'; cat; :"],
                                  stdin=subprocess.PIPE)
        wait_until(lambda: self.ns.run("test", "-e", self.point / "restore/x.tar").returncode == 0, 30, "the file")
        self.expect(self.remount("ro"), 32, "restore/ is being written")
        writer.communicate(timeout=HANG)
        self.expect(self.remount("ro"), 0)

    def test_mounted_read_only(self):
        """Its daemon holds nothing to restore with, so rw is no matter of flags."""
        self.unmount()
        self.ns.done("mount", "-o", "ro", self.point)
        self.expect(self.remount("ro"), 0)
        self.expect(self.remount("rw"), 32, "option rw", "was mounted with ro", "umount")
        self.assertIn("ro", self.options())

    def test_flags(self):
        """As mount(8) does, it replaces all by those of fstab and the command line; but nosuid and nodev stay."""
        stays = {"nosuid", "nodev"}
        self.assertLessEqual(stays | {"relatime"}, self.options())
        for given, there, gone in (("noexec", {"noexec", "relatime"}, set()),
                                   ("noatime,sync", {"noatime", "sync"}, {"relatime", "noexec"}),
                                   ("nodiratime", {"nodiratime"}, {"sync"}),
                                   ("relatime,dirsync", {"relatime"}, {"noatime", "nodiratime"}),
                                   ("strictatime", set(), {"relatime", "noatime"}),
                                   ("", {"rw"}, set())):
            with self.subTest(given=given):
                self.expect(self.remount(given), 0)
                self.assertLessEqual(there | stays, self.options())
                self.assertFalse(gone & self.options())
        self.copy_now()

    def test_flags_by_the_helper_alone(self):
        for given, there, gone in (("ro", {"ro", "nosuid", "nodev"}, set()), ("noexec", {"ro", "noexec"}, set()),
                                   ("suid", {"ro", "nodev"}, {"nosuid", "noexec"}), ("dev,rw", {"rw"}, {"nodev"})):
            with self.subTest(given=given):
                self.expect(self.helper(self.store, self.point, "-o", f"remount,{given}"), 0)
                self.assertLessEqual(there, self.options())
                self.assertFalse(gone & self.options())

    def test_what_cannot_change(self):
        before = self.mounted_with()
        for option, now in (("keep=12", "now keep=24"), ("every=1h", "not given"), ("auto_unmount", "not given"),
                            ("fsname=x", "not given"), ("force", "not given")):
            self.expect(self.remount(f"ro,{option}"), 32, f"option {option} cannot be changed", now, "umount")
        self.expect(self.remount("keep=x"), 1, "option keep=x")
        self.expect(self.remount("nonsense"), 1, "unknown option nonsense")
        self.assertEqual(self.mounted_with(), before)

    def test_what_it_has_already(self):
        self.expect(self.remount("keep=24,allow_other,default_permissions,user_id=0,group_id=0,nofail"), 0)
        self.expect(self.helper(self.store, self.point, "-f", "-o", "remount,ro"), 0)
        self.assertIn("rw", self.options())

    def test_without_fstab(self):
        """Then mount(8) repeats the kernel's table, so that what is missing is to be cleared."""
        self.ns.write_fstab()
        for given, there, gone in (("ro", {"ro", "nosuid", "nodev"}, set()), ("noexec", {"ro", "noexec"}, set()),
                                   ("rw,exec,suid", {"rw", "nodev", "allow_other"}, {"nosuid", "noexec"})):
            with self.subTest(given=given):
                self.expect(self.remount(given), 0)
                self.assertLessEqual(there, self.options())
                self.assertFalse(gone & self.options())
        self.unmount()
        self.expect(self.helper(self.store, self.point, "-o", "allow_root"), 0)
        self.expect(self.remount("ro"), 0)

    def test_others(self):
        self.unmount()
        self.expect(self.helper(self.store, self.point, "-o", "remount,ro"), 32, "no influxfs is mounted")
        self.ns.done("mount", "-t", "tmpfs", "none", self.point)
        self.expect(self.helper(self.store, self.point, "-o", "remount,ro"), 32, "no influxfs is mounted")
        self.ns.done("umount", self.point)


class IdleTest(HelperTest):
    """Field case: the timer of every= ends with a mount that is taken away when idle."""

    def warned(self, done, *said):
        self.expect(done, 0, "warning: ", "is unmounted when it is idle", "influxfs-cut.timer", *said)
        self.unmount()

    def test_fstab(self):
        for kind in ("influxfs", "fuse.influxfs"):
            self.ns.write_fstab(f"{self.store} {self.point}/ {kind} "
                                "noauto,every=1h,x-systemd.automount,x-systemd.idle-timeout=1min")
            self.warned(self.ns.run("mount", self.point), "x-systemd.idle-timeout in /etc/fstab")
        for options in ("every=1h,x-systemd.idle-timeout=0", "every=1h,x-systemd.automount",
                        "every=1h,x-systemd.idle-timeout=infinity", "x-systemd.idle-timeout=60"):
            self.ns.write_fstab(f"{self.store} {self.point} influxfs noauto,{options}")
            self.expect(self.ns.run("mount", self.point), 0)
            self.unmount()

    def test_automount(self):
        """The idle time is found in the kernel's table. Whatever of influxfs were in another process
        group, or made the kernel enter the mount point, would wait for the mount."""
        said = (self.folder / "said").open("w+")
        automounter = subprocess.Popen(["nsenter", "--mount", f"--target={self.ns.holder.pid}", sys.executable, "-c",
                                        AUTOMOUNTER, self.point, "mount", "-t", "influxfs", "-o", "every=1h",
                                        self.store, self.point], stdout=subprocess.PIPE, stderr=said,
                                       start_new_session=True)
        self.addCleanup(automounter.stdout.close)
        self.assertEqual(automounter.stdout.readline(), b"ready\n")
        self.assertEqual(self.ns.done("ls", self.point / "snapshots", timeout=60).stdout, "now.tar\n")
        self.assertEqual(automounter.wait(HANG), 0)
        self.assertRegex((self.folder / "said").read_text(), r"\A.*is unmounted when it is idle \(by an automount .*\n\Z")
        said.close()
        (pid,) = self.ns.daemons()
        self.assertEqual(os.getsid(pid), pid)
        self.unmount()
        self.ns.done("umount", "-l", self.point)

    def test_options(self):
        self.warned(self.helper(self.store, self.point, "-o", "every=1h,x-systemd.idle-timeout=60"), "by option")
        self.expect(self.helper(self.store, self.point, "-o", "every=1h,x-systemd.idle-timeout=0"), 0)
        self.unmount()
        self.expect(self.helper(self.store, self.point, "-o", "x-systemd.idle-timeout=60"), 0)


class UserTest(HelperTest):
    """A mount of an ordinary user."""

    def setUp(self):
        super().setUp()
        self.ns.give_fuse_to_all()
        for path in (self.store, *self.store.rglob("*"), self.point):
            os.chown(path, USER, USER)

    def test_fstab(self):
        for option in ("user", "users"):
            for kind in ("influxfs", "fuse.influxfs"):
                self.ns.write_fstab(f"{self.store} {self.point} {kind} noauto,{option},keep=2")
                with self.subTest(option=option, kind=kind):
                    self.expect(self.ns.run("mount", self.point, user=USER), 0)
                    options = self.mounted_with()[2]
                    self.assertLessEqual({f"user_id={USER}", "nosuid", "nodev", "noexec"}, set(options))
                    self.assertEqual(self.ns.done("ls", self.point / "snapshots", user=USER).stdout, "now.tar\n")
                    (pid,) = self.ns.daemons()
                    self.assertEqual(os.stat(f"/proc/{pid}").st_uid, USER)
                    self.assertIn("ermission denied", self.ns.run("ls", self.point).stderr)   # not even root
                    self.ns.done("umount", self.point, user=USER)
                    wait_until(lambda pid=pid: has_ended(pid), 30, "the daemon to end")

    def test_fusermount(self):
        self.expect(self.helper(self.store, self.point, user=USER), 0)
        self.ns.done("fusermount3", "-u", self.point, user=USER)
        self.assertEqual(self.ns.mounts(), [])

    def test_not_in_fstab(self):
        """mount(8) lets helpers decide, and this one asks fusermount3."""
        self.expect(self.ns.run("mount", "-t", "influxfs", self.store, self.point, user=USER), 0)
        self.expect(self.ns.run("umount", self.point, user=OTHER), 32, "must be superuser")
        self.ns.done("umount", self.point, user=USER)

    def test_remount_is_for_root(self):
        self.expect(self.helper(self.store, self.point, user=USER), 0)
        self.expect(self.helper(self.store, self.point, "-o", "remount,ro", user=USER), 1, "not permitted")
        self.expect(self.helper(self.store, self.point, "-o", "remount,ro"), 0)
        self.assertIn("ro", self.mounted_with()[2])

    def test_allow_other(self):
        """Another user gets what modes give."""
        (self.store / "meta/meta.db").chmod(0o644)
        self.expect(self.helper(self.store, self.point, "-o", "allow_other", user=USER), 0)
        tsm = next((self.store / "data").rglob("*.tsm"))
        tsm.chmod(0o640)
        for name, mode in (("status.json", "444"), ("snapshots/now.tar", "400"), ("restore", "700"),
                           ("live/meta/meta.db", "600"), (f"live/{tsm.relative_to(self.store)}", "640")):
            self.assertEqual(self.ns.done("stat", "-c", "%a", self.point / name, user=OTHER).stdout, f"{mode}\n", name)
        for name in ("live/data", "snapshots"):
            self.ns.done("ls", self.point / name, user=OTHER)
        self.ns.done("cat", self.point / "status.json", user=OTHER)
        for command in (["cat", "snapshots/now.tar"], ["cat", "live/meta/meta.db"], ["ls", "restore"], ["touch", "restore/x"]):
            done = self.ns.run(command[0], self.point / command[1], user=OTHER)
            self.assertIn("Permission denied", done.stderr, command)

    def test_allow_other_is_forbidden(self):
        (self.folder / "fuse.conf").write_text("")
        self.refused(self.helper(self.store, self.point, "-o", "allow_other", user=USER), 32, "user_allow_other")

    def test_mountpoint_of_another(self):
        os.chown(self.point, 0, 0)
        self.refused(self.helper(self.store, self.point, user=USER), 32, "no write access")
