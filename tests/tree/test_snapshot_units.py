"""influxfs-snapshot.socket under a real systemd: who gets a snapshot, and what its service may do."""

import json
import shutil
import subprocess

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.debian import HOST, Booted, copied, debian_tree
from lib.files import CHECKOUT, run, wait_until

SOCKET, SERVICE = "influxfs-snapshot.socket", "influxfs-snapshot@.service"
PATH = "/run/influxfs/snapshot.sock"


class SnapshotUnitsTest(StoreTest):
    timeout = 300

    def setUp(self):
        super().setUp()
        self.root = self.enterContext(copied(debian_tree(*HOST), self.folder / "debian"))
        shutil.copy(INFLUXSNAP, self.root / "usr/bin")
        for name in (SOCKET, SERVICE):
            shutil.copy(CHECKOUT / "mount-helper/systemd" / name, self.root / "usr/lib/systemd/system")
        self.path = self.folder / "pulled.tar"

    def outside(self, host, *command, code=0):
        """A program of this machine in the network of the other."""
        done = subprocess.run(["nsenter", "-t", str(host.init), "-n", *map(str, command)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def write(self, host, value):
        for words in (["-XPOST", "--data-urlencode", "q=CREATE DATABASE db", "http://127.0.0.1:8086/query"],
                      ["-XPOST", "--data-binary", f"m v={value} {value}", "http://127.0.0.1:8086/write?db=db"]):
            self.outside(host, "curl", "-sSf", "--retry", "100", "--retry-connrefused", "--retry-delay", "1", *words)

    def test_port(self):
        """As the first lines of the manual have it; the service can do no more than it needs."""
        with Booted(self.root) as host:
            self.write(host, 1)
            self.outside(host, "curl", "-sS", "http://127.0.0.1:8087/snapshot", code=7)  # not by default
            self.assertEqual(host.run("systemd-analyze", "verify", "--man=no", SOCKET, SERVICE), "")
            host.run("systemd-analyze", "security", "--offline=true", "--threshold=21", SERVICE)
            host.run("systemctl", "enable", "--now", SOCKET)
            self.outside(host, "curl", "-sS", "-o", self.path, "http://127.0.0.1:8087/snapshot")
            self.write(host, 2)
            said = json.loads(self.outside(host, INFLUXSNAP, "-q", "backup", "--json", "--host=localhost", self.path))
            self.assertEqual((said["number"], said["files"]), (0, 1))
            run(INFLUXSNAP, "verify", self.path)
            state = self.root / "var/lib/influxdb/influxfs"
            self.assertEqual((state.stat().st_mode & 0o7777, state.stat().st_uid), (0o700, 0))
            self.assertTrue((state / "catalog.mdb").exists())
            # A client that goes away leaves no failed unit.
            with (self.root / "var/lib/influxdb/data/db/autogen/1/000000009-000000001.tsm").open("wb") as file:
                file.truncate(1 << 30)
            self.outside(host, "curl", "-sS", "--max-filesize", "1000", "http://127.0.0.1:8087/snapshot", code=63)
            wait_until(lambda: "cut off after" in host.run("journalctl", "-b", "-o", "cat"), 20, "the service to give up")
            self.assertEqual(host.run("systemctl", "--failed", "--no-legend"), "")
            journal = host.run("journalctl", "-b", "-o", "cat", "-t", "influxsnap")
            self.assertRegex(journal, r"(?m)^influxsnap: 127\.0\.0\.1:\d+: GET /snapshot: everything, \d+ bytes")
            self.assertRegex(journal, r"(?m)^influxsnap: 127\.0\.0\.1:\d+: POST /snapshot: what has changed, ")

    def test_socket(self):
        """The drop-in of the manual: root's alone."""
        drop_in = self.root / f"etc/systemd/system/{SOCKET}.d/override.conf"
        drop_in.parent.mkdir(parents=True)
        manual = (CHECKOUT / "man/influxsnap.1").read_text()
        drop_in.write_text("[Socket]\n" + manual.partition("\n[Socket]\n")[2].partition(".Ed")[0])
        with Booted(self.root) as host:
            self.write(host, 1)
            host.run("systemctl", "start", SOCKET)
            host.run("influxsnap", "-q", "backup", f"--host=unix:{PATH}", "/srv/pulled.tar")
            self.outside(host, "curl", "-sS", "http://127.0.0.1:8087/snapshot", code=7)
            self.assertFalse(host.succeeds("setpriv", "--reuid=influxdb", "--clear-groups", "influxsnap", "-q", "backup",
                                           f"--host=unix:{PATH}", "/tmp/pulled.tar"))
            self.assertEqual(host.run("stat", "-c", "%a %U", PATH), "600 root\n")
        run(INFLUXSNAP, "verify", self.root / "srv/pulled.tar")
