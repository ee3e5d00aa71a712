"""What the daemon tells a service manager, heard by a socket that stands in for it."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from lib.cutoff import PRELOAD, cut_off, killing, promise_of
from lib.cuts import INFLUXSNAP
from lib.files import HANG, PATIENCE, run, wait_until
from lib.mount import INFLUXFS, MountError
from lib.restores import RestoreTest, drop


class Manager:
    """Listens; heard: all datagrams so far, each a list of lines."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.heard = []

    def listen(self):
        try:
            while True:
                self.heard.append(self.socket.recv(65536).decode().split("\n"))
        except BlockingIOError:
            return self.heard

    def lines(self):
        return [line for lines in self.listen() for line in lines]

    def hears(self, *words):
        """The first line that begins with these."""
        return wait_until(lambda: next((line for line in self.lines() if line.startswith(words)), None), 30, words)

    def hears_status(self, *words):
        """The first status that holds all of these."""
        return wait_until(lambda: next((line for line in self.lines() if line.startswith("STATUS=") and
                                        all(word in line for word in words)), None), 30, words)


class NotifyTest(RestoreTest):

    def setUp(self):
        super().setUp()
        seen = self.folder / "seen"
        seen.mkdir()
        if os.geteuid():
            self.skipTest("only root can find out whether pid 1 sees what is mounted here")
        run("mount", "-t", "tmpfs", "tmpfs", seen)
        table = Path("/proc/1/mountinfo").read_text()
        run("umount", seen)
        if f" {seen} " not in table:
            self.skipTest("pid 1 does not see what is mounted here")

    def manager(self, address=None):
        manager = Manager(address or str(self.folder / "notify"))
        self.addCleanup(manager.socket.close)
        self.environment = {"NOTIFY_SOCKET": manager.address}
        return manager

    def test_life(self):
        manager = self.manager()
        with self.mounted(self.store, environment=self.environment) as mnt:
            manager.hears("READY=1")
            manager.hears_status(f"{self.store} mounted")
            self.assertFalse(any(line.startswith(("MAINPID=", "STOPPING=")) for line in manager.lines()))
            run("cp", mnt / "snapshots/now.tar", self.folder)
            manager.hears_status("last read whole at ", "snapshots/now.tar")
        manager.hears("STOPPING=1")
        self.assertEqual(manager.hears_status("unmounting"), "STATUS=unmounting")

    def test_detached(self):
        """From another process than the one that was started; and at an abstract address."""
        manager = self.manager(f"@influxfs-test-{os.getpid()}")
        with self.mounted(self.store, environment=self.environment, foreground=False) as mnt:
            manager.hears("READY=1")
            self.assertIn(["READY=1", f"MAINPID={mnt.pid()}"], manager.listen())

    def test_restore(self):
        """While it runs, after it has ended, and when one fails."""
        manager = self.manager()
        content = self.tar.read_bytes()
        with self.mounted(self.store, environment=self.environment) as mnt:
            with open(mnt / "restore/slow.tar", "wb", buffering=0) as file:
                file.write(content[:len(content) // 2])
                manager.hears_status("restoring slow.tar, ", " %")
                file.write(content[len(content) // 2:])
            manager.hears_status("restored slow.tar at ")
            drop(mnt / "restore/bad.tar", content[:4096] + bytes(512) + content[4096:])
            manager.hears_status("REFUSED bad.tar at ")

    def test_failure(self):
        manager = self.manager()
        with self.assertRaisesRegex(MountError, "No such file"):
            self.mount(self.folder / "nothing", environment=self.environment)
        self.assertEqual(manager.listen(), [[f"STATUS={self.folder}/nothing: No such file or directory"], ["ERRNO=2"]])

    def test_hidden(self):
        """In mounts of its own: it ends at once, and says why."""
        manager = self.manager()
        point = self.folder / "point"
        point.mkdir()
        done = subprocess.run(["unshare", "--mount", "--propagation", "slave", INFLUXFS, "-f", self.store, point],
                              env=os.environ | self.environment, capture_output=True, text=True, timeout=HANG)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"mountpoint {point}: mounted, but nobody else can see it, .*PrivateMounts=")
        self.assertNotIn("READY=1", manager.lines())
        manager.hears_status("nobody else can see it")

    def test_recovery_takes_time(self):
        """A restore that was cut off is finished before it is ready, and more time is asked for."""
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        manager = self.manager()
        before = self.folder / "before"
        run("cp", "-a", self.store, before)
        snap = [INFLUXSNAP, "-c", self.store]

        def restore(at):
            shutil.rmtree(self.store)
            run("cp", "-a", before, self.store)
            subprocess.run([*snap, "restore", "--force", self.tar], capture_output=True,
                           env=os.environ | killing(self.store, at, self.folder / "count"))

        restore(0)
        cut_off("finishes", restore, int((self.folder / "count").read_text()),
                lambda: promise_of(run(*snap, "status", "--json")), lambda: "restored" in
                (self.store / "influxfs/restore.log").read_text())
        # An influxd of another test, just started, whose folders are not known yet, delays it.
        end = time.monotonic() + 60 * PATIENCE
        while True:
            try:
                mnt = self.mount(self.store, environment=self.environment)
                break
            except MountError as error:
                if "must be completed first" not in str(error) or time.monotonic() > end:
                    raise
                manager.heard.clear()
        lines = manager.lines()
        ready = lines.index("READY=1")
        self.assertIn("EXTEND_TIMEOUT_USEC=60000000", lines[:ready])
        self.assertIn(f"STATUS={self.store}: a restore was cut off, and is finished or undone first", lines[:ready])
        self.assertIn("finished the restore", (mnt / "restore/log").read_text())
