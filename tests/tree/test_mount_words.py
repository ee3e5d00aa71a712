"""What influxfs says where FUSE is missing, forbidden or confined, and of a container's paths."""

import os
import shutil
import signal
import subprocess

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.influxd import CONFIG
from lib.mount import INFLUXFS
from lib.mountns import USER, MountNamespace
from lib.stores import some_store


class WordsTest(StoreTest):
    def setUp(self):
        super().setUp()
        for folder in (self.folder, self.folder.parent):
            folder.chmod(0o755)
        self.store = some_store(self.folder / "store", 1)
        self.point = self.folder / "point"
        self.point.mkdir()
        self.influxfs = self.folder / "influxfs"
        shutil.copy(INFLUXFS, self.influxfs)
        self.ns = self.enterContext(MountNamespace(self.folder))

    def give_to_user(self):
        self.ns.give_fuse_to_all()
        for path in (self.store, *self.store.rglob("*"), self.point):
            os.chown(path, USER, USER)

    def refused(self, *words, user=None, command=()):
        done = self.ns.run(*command, self.influxfs, self.store, self.point, user=user)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done)
        self.assertRegex(done.stderr, rf"\Ainfluxfs: mountpoint {self.point}: [^\n]*\n\Z")
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual((self.ns.mounts(), self.ns.daemons()), ([], []))
        return done.stderr

    def test_no_device(self):
        """As in a container."""
        empty = self.folder / "empty"
        empty.mkdir()
        self.ns.done("sh", "-c", f"mount -t tmpfs none '{empty}' && mknod -m 666 '{empty}/null' c 1 3 && "
                     f"mount --move '{empty}' /dev")
        self.refused("there is no /dev/fuse here", "modprobe fuse", "influxsnap")

    def test_device_is_forbidden(self):
        """As in a container whose rules for devices leave it out, or by its mode."""
        device = self.folder / "fuse"
        device.write_text("")
        device.chmod(0)
        self.ns.bind(device, "/dev/fuse")
        for path in (self.store, *self.store.rglob("*"), self.point):
            os.chown(path, USER, USER)
        self.refused("/dev/fuse: Permission denied", "influxsnap", user=USER)

    def test_mounting_is_forbidden(self):
        """Without CAP_SYS_ADMIN, as in most containers, and as AppArmor forbids it."""
        self.refused("fusermount3: mount failed: Operation not permitted", "journalctl -k", "AppArmor", "/mnt, /media",
                     "/etc/apparmor.d/local/fusermount3", "influxsnap",
                     command=("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"))

    def test_fusermount_is_confined(self):
        """As by AppArmor: a fusermount3 that gets EACCES says so on standard error only."""
        self.give_to_user()
        confined = self.folder / "fusermount3"
        confined.write_text("#!/bin/sh\necho fusermount3: mount failed: Permission denied >&2\nexit 1\n")
        confined.chmod(0o755)
        self.ns.bind(confined, "/usr/bin/fusermount3")
        self.refused("fusermount3: mount failed: Permission denied", "journalctl -k", "AppArmor", user=USER)
        confined.write_text("#!/bin/sh\nexit 1\n")
        self.refused("fusermount3 failed; is the package fuse3 installed?", user=USER)
        confined.write_text("#!/bin/sh\necho 'fusermount3: user has no write access to mountpoint' >&2\nexit 1\n")
        self.assertNotIn("AppArmor", self.refused("no write access", user=USER))

    def test_without_fusermount(self):
        self.give_to_user()
        self.ns.bind("/dev/null", "/usr/bin/fusermount3")
        self.refused("fusermount3", user=USER)

    def test_words_of_success(self):
        """What fusermount3 only warns of is passed on, and stderr is as before."""
        self.give_to_user()
        done = self.ns.run("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "sh", "-c",
                           f"'{self.influxfs}' '{self.store}' '{self.point}' && echo after >&2")
        self.assertEqual((done.returncode, done.stderr), (0, "after\n"))

    def test_paths_of_a_container(self):
        config = self.folder / "influxdb.conf"
        config.write_text(CONFIG.format(root=self.folder / "elsewhere", data=""))
        done = self.ns.run(self.influxfs, config, self.point)
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stderr, rf"influxfs: {config}: .*elsewhere/meta.*container\? then give the folder")
        self.assertIn("container? then give the folder", self.influxsnap_says(config))
        self.assertNotIn("container", self.influxsnap_says(self.folder))

    def influxsnap_says(self, store):
        done = subprocess.run([INFLUXSNAP, "-c", store, "backup", self.folder / "b.tar"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done)
        return done.stderr

    def test_dead_of_another_kind(self):
        """A dead mount is taken away only if it is one of influxfs."""
        self.ns.done(self.influxfs, "-o", "subtype=other", self.store, self.point)
        (pid,) = self.ns.daemons()
        os.kill(pid, signal.SIGKILL)
        self.ns.run("sh", "-c", f"while stat -f '{self.point}' >/dev/null 2>&1; do sleep 0.05; done")
        done = self.ns.run(self.influxfs, self.store, self.point)
        self.assertEqual(done.returncode, 1)
        self.assertIn("a dead fuse.other is mounted there; unmount it", done.stderr)
        self.ns.done("umount", "-l", self.point)
