"""A host of a test's own: this machine's programs, but own files, processes, network and users.

Its root file system is an overlay over ours, so that a test may use /mnt, /etc and the default ports
as an operator does. It ends, with all that was started, mounted or written in it, with the test."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from lib.cuts import INFLUXSNAP
from lib.files import CHECKOUT, HANG, PATIENCE, run, wait_until
from lib.influxd import find_influxd
from lib.mount import INFLUXFS

TOOLS = CHECKOUT / "tests/lib/world"
BOOT = CHECKOUT / "tests/lib/world.sh"
NAMESPACES = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

USERS = """\
influxdb:x:7801:7801::/var/lib/influxdb:/bin/false
sshd:x:7802:65534::/run/sshd:/usr/sbin/nologin
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str


def why_no_worlds():
    """What this machine lacks for hosts; "" if nothing."""
    tried = subprocess.run(["unshare", *NAMESPACES, "--propagation", "private", BOOT, "try"],
                           capture_output=True, text=True, check=False)
    return (tried.stderr.strip() or f"exit {tried.returncode}") if tried.returncode else ""


class World:
    """with World(folder, "db") as db: db.sh("…")

    influxd, influxfs and influxsnap are on its PATH, and so are the stand-ins in tests/lib/world.
    /var/lib/influxdb is on a disk; all other things that are written are in memory."""

    def __init__(self, folder, name):
        self.name = name
        self.folder = Path(folder) / name
        self.process = None
        self.pid = None

    def __enter__(self):
        for part in ("scratch", "root", "disk"):
            (self.folder / part).mkdir(parents=True)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(["unshare", *NAMESPACES, "--kill-child", "--propagation", "private",
                                             BOOT, self.folder, self.name],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._is_up, 30, f"the host {self.name}")
            self._furnish()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} did not come up: {(self.folder / 'log').read_text()}")
        if (self.folder / "pid").exists():
            self.pid = int((self.folder / "pid").read_text())
        return self.pid

    def _furnish(self):
        for program, name in ((INFLUXFS, "influxfs"), (INFLUXSNAP, "influxsnap"), (find_influxd(), "influxd")):
            self.install(program, f"usr/local/bin/{name}")
        self.install(Path(INFLUXFS).parent / "mount.influxfs", "usr/sbin/mount.influxfs")
        for tool in TOOLS.iterdir():
            self.install(tool, f"usr/local/bin/{tool.name}")
        for name, text in (("passwd", USERS), ("group", "influxdb:x:7801:\n")):
            place = self.path(f"etc/{name}")
            kept = [line for line in place.read_text().splitlines() if not line.startswith(("influxdb:", "sshd:"))]
            self.put(f"etc/{name}", "\n".join(kept) + "\n" + text)

    def close(self):
        """The end of its process 1 is the end of all."""
        if self.process and self.process.poll() is None:
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
            else:
                self.process.kill()
            self.process.wait(HANG)

    def path(self, name):
        """A file of it, as seen from here."""
        return Path(f"/proc/{self.pid}/root") / str(name).lstrip("/")

    def put(self, name, text, mode=0o644):
        place = self.path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def install(self, program, name):
        place = self.path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(program, place)
        place.chmod(0o755)

    def enter(self, *command):
        """The words of a command that runs another one in it, as root."""
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-i", "-u", "-r", "-w", *command]

    def sh(self, script, *, code=0, seconds=60):
        """Runs it there as root does from a fresh login, to its end; what it leaves in the background runs
        on. code: its exit code, None for any."""
        environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
        environment |= {name: value for name, value in os.environ.items() if name.startswith("INFLUXFS_TEST")}
        # Into files: the end of a pipe would come with the end of what runs on.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            done = subprocess.run(self.enter("sh", "-ec", f"cd\n{script}"), env=environment, check=False,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=seconds * PATIENCE)
            for file in (out, err):
                file.seek(0)
            result = Done(done.returncode, *(file.read().decode(errors="replace") for file in (out, err)))
        if code is not None and result.code != code:
            raise AssertionError(f"on {self.name}: exit {result.code}, not {code}\n{script}\n{result.out}{result.err}")
        return result

    def at_another_time(self, seconds, command):
        """Runs it with a clock that is ahead by that much, or behind."""
        self.install(Path(INFLUXFS).parent / "tests/preload_clock.so", "usr/local/lib/preload_clock.so")
        return self.sh(f"LD_PRELOAD=/usr/local/lib/preload_clock.so CLOCK_SHIFT={seconds} {command}")

    def serve_ssh(self):
        """A real sshd, at the usual port, with keys only."""
        self.install(CHECKOUT / "build/sshd/usr/sbin/sshd", "usr/sbin/sshd")
        self.put("etc/ssh/sshd_config", "HostKey /etc/ssh/host_key\nPermitRootLogin prohibit-password\n")
        self.put("etc/shadow", "root:*:::::::\nsshd:*:::::::\n", 0o600)
        self.sh("""
            mkdir -p /run/sshd .ssh
            chmod 700 . .ssh
            ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host_key
            ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
            /usr/sbin/sshd""")

    def trust(self, other, name=None):
        """Logs into the other one from now on without being asked."""
        with other.path("root/.ssh/authorized_keys").open("a") as keys:
            keys.write(self.path("root/.ssh/id_ed25519.pub").read_text())
        with self.path("root/.ssh/known_hosts").open("a") as hosts:
            hosts.write(f"{name or other.name} {other.path('etc/ssh/host_key.pub').read_text()}")


def connect(one, other):
    """A cable between two hosts, which know each other by name from then on."""
    run("ip", "link", "add", "cable", "netns", one.pid, "type", "veth", "peer", "name", "cable", "netns", other.pid)
    for number, (host, peer) in enumerate(((one, other), (other, one)), start=1):
        host.sh(f"""
            ip address add 192.0.2.{number}/24 dev cable
            ip link set cable up
            echo 192.0.2.{3 - number} {peer.name} >> /etc/hosts""")
