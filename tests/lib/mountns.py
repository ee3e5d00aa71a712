"""A mount namespace of a test's own, where /sbin, fstab and /dev can be replaced."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from lib.files import HANG, wait_until
from lib.mount import has_ended, unescape

USER, OTHER = 65534, 1  # ordinary users that have a name: nobody and daemon


class MountNamespace:
    """with MountNamespace(folder) as ns: ns.run("mount", …). folder: a place for what it puts
    over /sbin and /dev/fuse. Whatever was mounted in it, and its daemons, end with it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.holder = None

    def __enter__(self):
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self._let_go_of_others()
        return self

    def _let_go_of_others(self):
        """The copies of what other tests have mounted: their daemons would live as long as these."""
        for fields in self._fields():
            if "influxfs" in fields[4] or "fuse.influxfs" in fields:
                self.run("umount", "-l", unescape(fields[4]))

    def __exit__(self, *_):
        daemons = self.daemons()
        for point in reversed(self.mounts()):
            self.run("umount", "-l", point)
        for pid in daemons:
            wait_until(lambda pid=pid: has_ended(pid), 30, "a daemon to end")
        with contextlib.closing(self.holder.stdout):
            self.holder.stdin.close()
            self.holder.wait(HANG)

    def run(self, *command, user=None, environment=None, **options):
        """What the command did: its returncode, stdout and stderr. user: not root but this one."""
        # By their paths: the environment is for the command.
        words = [shutil.which("nsenter"), "--mount", f"--target={self.holder.pid}"]
        if user is not None:
            words += [shutil.which("setpriv"), f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": HANG} | options
        return subprocess.run([*words, *map(str, command)], env=environment, check=False, **options)

    def done(self, *command, **how):
        """As run; it has to succeed."""
        done = self.run(*command, **how)
        if done.returncode:
            raise AssertionError(f"{command}: {done}")
        return done

    def _fields(self):
        return [line.split(" ") for line in Path(f"/proc/{self.holder.pid}/mountinfo").read_text().splitlines()]

    def table(self):
        """(mount point, type, source, options of mount and file system) of each influxfs here."""
        found = []
        for fields in self._fields():
            kind, source, options = fields[-3:]
            if kind == "fuse.influxfs":
                found.append((unescape(fields[4]), kind, source, fields[5].split(",") + options.split(",")))
        return found

    def mounts(self):
        return [point for point, *_ in self.table()]

    def daemons(self):
        own = os.readlink(f"/proc/{self.holder.pid}/ns/mnt")
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if (os.readlink(f"/proc/{name}/ns/mnt") == own
                        and Path(f"/proc/{name}/comm").read_text() == "influxfs\n"):
                    found.append(int(name))
        return found

    def bind(self, source, target):
        self.done("mount", "--bind", source, target)

    def add_to_sbin(self, links):
        """Links in /sbin, by name: where they lead."""
        layer = self.folder / "sbin"
        self.done("sh", "-c", f"mkdir '{layer}' && mount -t tmpfs none '{layer}' && mkdir '{layer}'/u '{layer}'/w && "
                  f"mount -t overlay overlay -o 'lowerdir=/usr/sbin,upperdir={layer}/u,workdir={layer}/w' /usr/sbin")
        for name, target in links.items():
            self.done("ln", "-sf", target, f"/usr/sbin/{name}")

    def give_fuse_to_all(self, user_allow_other=True):
        """/dev/fuse as on any host, where its mode is 0666; and what /etc/fuse.conf says."""
        device = self.folder / "dev"
        self.done("sh", "-c", f"mkdir '{device}' && mount -t tmpfs -o dev none '{device}' && "
                  f"mknod -m 666 '{device}/fuse' c 10 229")
        self.bind(device / "fuse", "/dev/fuse")
        config = self.folder / "fuse.conf"
        config.write_text("user_allow_other\n" * user_allow_other)
        self.bind(config, "/etc/fuse.conf")

    def write_fstab(self, *lines):
        path = self.folder / "fstab"
        path.write_text("".join(f"{line} 0 0\n" for line in lines))
        self.bind(path, "/etc/fstab")
