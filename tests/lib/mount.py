"""influxfs, mounted for a test and always unmounted after it."""

import errno
import os
import re
import signal
import subprocess
from pathlib import Path

from lib.files import CHECKOUT, HANG, wait_until

INFLUXFS = os.environ.get("INFLUXFS") or str(CHECKOUT / "build/influxfs")


def unescape(name):
    """A name of the kernel's tables of mounts, where octal digits stand for blanks and the like."""
    return re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), name)


def mount_table():
    """(number, mount point, type) of each mount, from the kernel's table: a stat of a mount whose
    daemon is dead or hangs does not come back well."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            fields = line.split()
            yield int(fields[0]), unescape(fields[4]), fields[fields.index("-", 6) + 1]


def mounts_under(folder):
    """Mount points in or at the folder, the innermost first."""
    folder = os.fspath(folder)
    return [point for _, point, _ in mount_table() if point == folder or point.startswith(folder.rstrip("/") + "/")][::-1]


def answering_mount(point):
    """The number of the mount that answers there, whichever it is; None if its daemon is dead."""
    try:
        fd = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOTCONN, errno.ECONNABORTED):
            return None
        raise
    try:
        return int(re.search(r"^mnt_id:\s*(\d+)$", Path(f"/proc/self/fdinfo/{fd}").read_text(), re.M)[1])
    finally:
        os.close(fd)


def has_ended(pid):
    """Whether a process is gone, or a zombie. An empty command line tells less: memory is given
    back some time before a process has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


class MountError(Exception):
    """influxfs did not mount; the text is what it said."""


class Mount:
    """with Mount(store, point) as mnt: (mnt / "snapshots/now.tar") …

    The mount point is made if it is not there; what influxfs says goes to point.log. In the
    foreground its process is our child; daemonised (foreground=False) the command has
    returned and the daemon is looked up in /proc. prefix: a command that becomes influxfs, as
    prlimit(1) does; in the foreground only."""

    def __init__(self, store, point, options="", foreground=True, environment=None, prefix=()):
        self.store = Path(store)
        self.options = options
        self.foreground = foreground
        self.point = Path(point)
        self.log = Path(f"{point}.log")
        self.environment = os.environ | (environment or {})
        self.prefix = prefix
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, _):
        if error is not None:
            error.add_note(f"influxfs said:\n{self.said()}")
        self.close()

    def __truediv__(self, name):
        return self.point / name

    def command(self):
        words = [*self.prefix, INFLUXFS] + ["-f"] * self.foreground
        if self.options:
            words += ["-o", self.options]
        return words + [str(self.store), str(self.point)]

    def start(self, timeout=30):
        if not self.is_mounted():  # a dead mount may be there, which fails stat
            self.point.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), env=self.environment, start_new_session=True,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not self.foreground and self.process.wait(HANG):
            raise MountError(self.said())
        try:
            wait_until(self._ready, timeout, "the mount")
        except TimeoutError:
            self.close()
            raise
        return self

    def _ready(self):
        if self.answers():
            return True
        if self.foreground and self.process.poll() is not None:
            raise MountError(f"exit {self.process.returncode}: {self.said()}")
        return False

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def is_mounted(self):
        return str(self.point) in mounts_under(self.point)

    def answers(self):
        """Whether influxfs answers there: neither is it a dead mount, nor the folder below one."""
        number = answering_mount(self.point)
        return (number, str(self.point), "fuse.influxfs") in mount_table()

    def pid(self):
        """The daemon's process: the one that runs with this mount point as an argument."""
        if self.foreground:
            return self.process.pid
        wanted = [word.encode() for word in self.command()]
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")[:-1]
            except OSError:
                continue
            if words == wanted:
                return int(name)
        return None

    def kill(self, number=signal.SIGKILL):
        """Ends the daemon and waits until it is gone; the dead mount stays."""
        pid = self.pid()
        if pid:
            os.kill(pid, number)
            self._wait_for_end(pid)

    def _wait_for_end(self, pid):
        if self.foreground:
            self.process.wait(HANG)
        elif pid:
            wait_until(lambda: has_ended(pid), 30, "the daemon to end")

    def unmount(self, *command):
        """Unmounts as a user does, and waits until the daemon is gone."""
        pid = self.pid()
        command = command or (("umount",) if os.geteuid() == 0 else ("fusermount3", "-u"))
        subprocess.run([*command, self.point], check=True, capture_output=True, text=True)
        self._wait_for_end(pid)

    def close(self):
        """Leaves no mount and no daemon, whatever state they are in."""
        try:
            if self.is_mounted():
                self.unmount()
        except (subprocess.SubprocessError, TimeoutError):
            self.kill()
            for point in mounts_under(self.point):
                subprocess.run(["umount", "-l", point], check=False)
        finally:
            if self.process and self.foreground and self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def open_files(pid):
    """What a process holds open, as the kernel names it."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
    return found


def held_files(mnt, below):
    """The store's files that the daemon holds open."""
    return [name for name in open_files(mnt.pid()) if name.startswith(str(below))]
