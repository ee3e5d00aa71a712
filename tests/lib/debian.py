"""A bare Debian 12 in a folder, and the same booted: its own systemd as pid 1, in namespaces.

    with copied(debian_tree(*HOST), folder) as root, Booted(root) as host:
        host.run("systemctl", "start", "influxfs@mnt-influx")

Where that cannot be had (no packages, no root, no namespaces) the test is skipped and says why."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from lib.files import CHECKOUT, HANG, run, wait_until
from lib.mount import has_ended, mounts_under

BOOT = CHECKOUT / "tests/lib/boot"
SUITE = "bookworm"
# One tree for all tests, and without influxfs: what it depends on, what it works with, and what tests
# run there.
HOST = ("fuse3", "libarchive13", "libcurl4", "libfuse3-3", "libjson-c5", "liblmdb0", "libprotobuf-c1", "libsnappy1v5",
        "libssl3", "zlib1g", "systemd", "dbus", "influxdb", "plocate", "man-db", "bash-completion", "rsync", "python3")
MINUTE = 60  # a boot takes two seconds, a tree twenty or so


def mirrors():
    """The lines of apt's sources that name this Debian; the machine may have others."""
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                              "Created-By: Packages"], capture_output=True, text=True, check=False).stdout
    return [f"deb {line}" for line in targets.splitlines() if re.fullmatch(rf"{SUITE}(-\w+)?", line.split()[1])]


def proxies():
    """The proxy in apt's configuration; one in the environment counts without that."""
    said = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return [f"--aptopt={line}" for line in re.findall(r"^Acquire::https?::Proxy .*;$", said, re.M)]


def debian_tree(*packages):
    """The folder of a minimal Debian with these packages, made by whoever needs it first and kept in
    build/. Nobody may change it or run in it: see copied()."""
    if os.geteuid():
        raise unittest.SkipTest("only root can make a Debian tree")
    names = sorted(set(packages))
    key = hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]
    tree = CHECKOUT / "build" / f"debian-{key}"
    tree.parent.mkdir(exist_ok=True)
    with open(f"{tree}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            _make_tree(tree, names)
    return tree


def _make_tree(tree, names):
    """Under another name until it is whole."""
    if not shutil.which("mmdebstrap"):
        raise unittest.SkipTest("mmdebstrap is not installed: tests/setup test")
    new = Path(f"{tree}.new")
    subprocess.run(["rm", "-rf", "--one-file-system", new], check=True)
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(names)}", *proxies(), SUITE, new, *mirrors()]
    try:
        made = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=HANG, check=False)
    except subprocess.TimeoutExpired:
        raise unittest.SkipTest(f"no Debian tree: mmdebstrap took more than {HANG} s") from None
    if made.returncode:
        errors = [line for line in made.stdout.splitlines() if line.startswith(("E:", "W:"))] or [made.stdout[-300:]]
        raise unittest.SkipTest("no Debian tree: " + " ".join(errors[:3]))
    new.rename(tree)


@contextlib.contextmanager
def copied(tree, folder):
    """For a with statement: the tree, to be changed at will, as an overlay whose upper layer is in
    memory. /var/lib/influxdb is empty and in the upper layer whole, as folders on a disk are."""
    folder = Path(folder)
    upper, root = folder / "upper", folder / "root"
    upper.mkdir(parents=True)
    root.mkdir()
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", upper)
    try:
        (upper / "changes").mkdir()
        (upper / "work").mkdir()
        layers = f"lowerdir={tree},upperdir={upper}/changes,workdir={upper}/work"
        made = subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", root],
                              capture_output=True, text=True, check=False)
        if made.returncode:
            raise unittest.SkipTest(f"no overlay can be mounted: {made.stderr.strip()}")
        _renew(root / "var/lib/influxdb")
        yield root
    finally:
        for point in mounts_under(root) + [upper]:
            run("umount", point)


def _renew(folder):
    if not folder.exists():
        return
    was = folder.stat()
    shutil.rmtree(folder)
    folder.mkdir()
    os.chown(folder, was.st_uid, was.st_gid)
    folder.chmod(was.st_mode & 0o7777)


class Booted:
    """with Booted(root) as host: systemd runs in it, and has started all that it starts by itself.

    It has mounts, processes, a network (loopback alone), a host name and a control group of its own.
    A test can boot the same root again after the end of the statement, which ends all processes at
    once, as a power cut does; poweroff() is the orderly way."""

    def __init__(self, root):
        self.root = Path(root)
        self.group = f"influxfs-test-{os.getpid()}-{id(self)}"
        self.unshare = None  # the parent of the other system's pid 1; it ends when that ends
        self.init = None

    def __enter__(self):
        self._check_possible()
        # What it prints until systemd has a console of its own.
        with open(f"{self.root}.boot", "wb") as log:
            self.unshare = subprocess.Popen([BOOT, "start", self.root, self.group], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        try:
            wait_until(self._is_up, MINUTE, "systemd to boot", step=0.05)
        except Exception as error:
            error.add_note(self.console())
            self.end()
            raise
        return self

    def __exit__(self, kind, error, _):
        if error is not None:
            error.add_note(self.console())
        self.end()

    def _check_possible(self):
        tried = subprocess.run([BOOT, "try"], capture_output=True, text=True, check=False)
        if tried.returncode:
            raise unittest.SkipTest(f"systemd cannot be booted here: {tried.stderr.strip()}")

    def _is_up(self):
        if self.unshare.poll() is not None:
            raise AssertionError(f"systemd ended while it booted: exit {self.unshare.returncode}")
        try:  # its children are mount(8) and others, one after the other, until it is unshare(1)
            child = Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children").read_text().strip()
            if Path(f"/proc/{child}/comm").read_text() != "systemd\n":
                return False
        except OSError:
            return False
        self.init = int(child)
        state = self.run("systemctl", "is-system-running", check=False).strip()
        return state in ("running", "degraded")

    def command(self, *command):
        """The words that run it in there."""
        return ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", *map(str, command)]

    def run(self, *command, check=True, **options):
        """Runs it in there, and returns what it said."""
        done = subprocess.run(self.command(*command), stdin=options.pop("stdin", subprocess.DEVNULL),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=HANG, cwd="/", check=False,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}, **options)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
        return done.stdout

    def succeeds(self, *command):
        """Whether it exits with 0."""
        return subprocess.run(self.command(*command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=HANG, cwd="/", check=False).returncode == 0

    def journal(self, *units):
        """What they have said in this boot, line by line."""
        return self.run("journalctl", "-b", "-o", "cat", "--no-pager", *[f"--unit={unit}" for unit in units])

    def outside(self, pid):
        """The number that a process of the other system has in ours."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                status = Path("/proc", name, "status").read_text()
                if os.readlink(f"/proc/{name}/ns/pid") != os.readlink(f"/proc/{self.init}/ns/pid"):
                    continue
            except OSError:
                continue  # it has ended
            if re.search(r"^NSpid:.*\t(\d+)$", status, re.M)[1] == str(pid):
                return int(name)
        return None

    def console(self):
        """What it said while it booted, and the end of its journal."""
        said = [Path(f"{self.root}.boot"), self.root / "var/log/console"]
        texts = [path.read_text(errors="replace") for path in said if path.exists()]
        if self.init and not has_ended(self.init):
            texts.append(self.run("journalctl", "-b", "-o", "short-monotonic", "--no-pager", "--lines=80", check=False))
        return "\n".join(text[-6000:] for text in texts)

    def poweroff(self):
        """Services are stopped and file systems unmounted first."""
        self.run("systemctl", "poweroff", check=False)
        self.unshare.wait(HANG)
        self.end()

    def end(self):
        """All of it, at once: when the first process of a pid namespace is killed, so are the others."""
        if not self.unshare:
            return
        if self.init and not has_ended(self.init):
            os.kill(self.init, signal.SIGKILL)
        elif self.unshare.poll() is None:
            self.unshare.kill()
        self.unshare.wait(HANG)
        self.unshare = self.init = None
        wait_until(lambda: subprocess.run([BOOT, "forget", self.group], capture_output=True, check=False).returncode == 0,
                   MINUTE, "the control group to be empty")
