"""What a restored or cloned store would do by itself is said before, and can be kept from happening."""

import errno
import json
import os
import re
import socket
import subprocess
import time
import unittest
import unittest.mock

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import run, wait_until
from lib.influxd import Influxd
from lib.mount import MountError, mounts_under

T = 1499990400000000000  # in 2017: past every retention that is not infinite
HOUR = 3600 * 10**9
SECRET = "udp://127.0.0.1:9"
EXPIRED = "2 shards of db.rp end before its retention of 30d"


class AdviceTest(StoreTest):
    """self.live is the store of an influxd that has been stopped; self.tar is its backup."""

    def setUp(self):
        super().setUp()
        self.live = self.folder / "live"
        self.tar = self.folder / "backup.tar"
        self.target = self.folder / "target"
        self.target.mkdir()
        with Influxd(self.live) as influxd:
            influxd.run("CREATE DATABASE db WITH DURATION INF SHARD DURATION 1h NAME rp")
            influxd.write([f"m v=1 {T}", f"m v=2 {T + HOUR}"], "db")
            influxd.run("CREATE DATABASE lasting")
            influxd.write([f"m v=3 {T}"], "lasting")
            influxd.run("ALTER RETENTION POLICY rp ON db DURATION 30d SHARD DURATION 1h")
            self.prepare(influxd)
            influxd.stop()

    def prepare(self, influxd):
        """What else is to be in the store."""

    def call(self, *words, store=None, code=0):
        done = subprocess.run([INFLUXSNAP, "-c", str(store or self.target), *map(str, words)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        self.assertNotIn("$2a$", done.stdout + done.stderr)
        return done.stdout, done.stderr

    def backup(self):
        self.call("backup", self.tar, store=self.live)
        return self.tar

    def after_retention(self, root):
        """What a query answers after influxd's retention has looked twice."""
        with Influxd(root, retention=True) as influxd:
            wait_until(lambda: influxd.log.read_bytes().count(b"Retention policy deletion check (start)") >= 2, 60,
                       "two checks of retention")
            return [row[1] for series in influxd.run("SELECT v FROM m", "db") for row in series["values"]]


class RetentionTest(AdviceTest):
    def test_deleted_after_a_warning(self):
        out, said = self.call("restore", self.backup())
        self.assertRegex(said, rf"(?m)^influxsnap: warning: {EXPIRED}: influxd deletes them at its first check; .*--keep-expired")
        self.assertEqual(said.count("warning"), 1)
        self.assertEqual(out, f"restored into {self.target}/meta, {self.target}/data and {self.target}/wal\n")
        self.assertEqual(self.after_retention(self.target), [])

    def test_kept(self):
        _, said = self.call("restore", "--keep-expired", self.backup())
        self.assertNotIn("warning", said)
        self.assertIn(f"{EXPIRED}: it keeps points for ever now", said)
        self.assertEqual(self.after_retention(self.target), [1, 2])

    def test_said_before(self):
        self.backup()
        for words in (("restore", "--dry-run"), ("verify",)):
            with self.subTest(words=words):
                out, said = self.call(*words, self.tar)
                self.assertIn(f"{EXPIRED}: influxd deletes them", said)
                out, said = self.call(*words, "--json", self.tar)
                warnings = json.loads(out)["warnings"]
                self.assertEqual(len(warnings), 1)
                self.assertIn(EXPIRED, warnings[0])
        _, said = self.call("restore", "--dry-run", "--quiet", "--keep-expired", self.tar)
        self.assertEqual(said, "")
        self.assertEqual(os.listdir(self.target), [])

    def test_mount(self):
        """The verdict stays the last line of the log."""
        self.backup()
        with self.mounted(self.target) as mnt:
            run("cp", self.tar, mnt / "restore/")
            log = (mnt / "restore/log").read_text().splitlines()
            self.assertIn(f"warning: {EXPIRED}: influxd deletes them", log[-2])
            self.assertRegex(log[-1], rf"Z restored backup\.tar into {self.target}/meta, \S+ and \S+wal$")
            warnings = json.loads((mnt / "restore/status.json").read_text())["warnings"]
            self.assertEqual([EXPIRED in one for one in warnings], [True])
        with self.mounted(self.target, options="keep_expired") as mnt:
            run("cp", self.tar, mnt / "restore/again.tar")
            self.assertIn(f"{EXPIRED}: it keeps points for ever now", (mnt / "restore/log").read_text())
            self.assertEqual(json.loads((mnt / "restore/status.json").read_text())["warnings"], [])
        self.assertEqual(self.after_retention(self.target), [1, 2])

    def test_numbers_follow(self):
        """A chain goes on after its meta.db was changed: with a number that brings one, and with none."""
        self.backup()
        with Influxd(self.live) as influxd:  # only a segment of the WAL grows
            influxd.write([f"m v=4 {T + 1}"], "lasting")
            influxd.stop()
        self.backup()
        with Influxd(self.live) as influxd:
            influxd.run("ALTER RETENTION POLICY rp ON db DURATION INF")
            influxd.write([f"m v=5 {T + 2 * HOUR}"], "db")
            influxd.run("ALTER RETENTION POLICY rp ON db DURATION 30d SHARD DURATION 1h")
            influxd.stop()
        self.backup()
        full = self.folder / "full.tar"
        os.link(self.tar, full)
        meta = self.target / "meta/meta.db"
        self.call("restore", "--keep-expired", full)
        first = meta.read_bytes()
        self.call("restore", "--keep-expired", f"{self.tar}.0")
        self.assertEqual(meta.read_bytes(), first)
        _, said = self.call("restore", "--keep-expired", f"{self.tar}.1")
        self.assertIn("3 shards of db.rp end before its retention of 30d: it keeps", said)
        self.assertEqual(self.after_retention(self.target), [1, 2, 5])

    def test_owner_and_mode(self):
        """meta.db is as it would be without, but for what is in it."""
        os.chmod(self.live / "meta/meta.db", 0o640)
        self.call("restore", self.backup())
        before = (self.target / "meta/meta.db").stat()
        folder = (self.target / "meta").stat()
        self.call("restore", "--keep-expired", self.tar)
        after = (self.target / "meta/meta.db").stat()
        for name in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
            self.assertEqual(getattr(before, name), getattr(after, name), name)
        self.assertEqual(folder.st_mode, (self.target / "meta").stat().st_mode)
        self.assertLess(after.st_size, before.st_size)


class CompanyTest(AdviceTest):
    """Users, subscriptions and continuous queries."""

    def prepare(self, influxd):
        influxd.run("ALTER RETENTION POLICY rp ON db DURATION INF")
        influxd.run("CREATE USER one WITH PASSWORD 'x' WITH ALL PRIVILEGES")
        influxd.run("CREATE USER two WITH PASSWORD 'y'")
        influxd.run(f"CREATE SUBSCRIPTION s ON db.rp DESTINATIONS ALL '{SECRET}'")
        influxd.run("CREATE CONTINUOUS QUERY cq ON db BEGIN SELECT mean(v) INTO down FROM m GROUP BY time(1h) END")

    def test_said(self):
        self.backup()
        created = json.loads(run("tar", "-xOf", self.tar, "manifest"))["created"]
        words = (f"with it come 2 users, 1 subscription and 1 continuous query, as of {created}: "
                 f"their passwords are those of {created}")
        for command in (("restore", "--dry-run"), ("verify",), ("restore",)):
            with self.subTest(command=command):
                _, said = self.call(*command, self.tar)
                self.assertIn(words, said)
                self.assertNotIn("warning", said)
        report = json.loads(self.call("restore", "--json", self.tar)[0])
        self.assertEqual([report[key] for key in ("restored", "users", "subscriptions", "continuous_queries", "created",
                                                  "warnings")], [True, 2, 1, 1, created, []])
        report = json.loads(self.call("verify", "--json", self.tar)[0])["chains"][0]
        self.assertEqual((report["users"], report["created"]), (2, created))
        self.assertIn(words, (self.target / "influxfs/restore.log").read_text())
        self.assertNotIn(SECRET, (self.target / "influxfs/restore.log").read_text())


class OtherFoldersTest(AdviceTest):
    """The service's environment sets a data folder, the configuration another; influxd has been stopped."""

    def setUp(self):
        super().setUp()
        self.backup()
        self.elsewhere = self.folder / "elsewhere"
        self.server = Influxd(self.folder / "server")
        with unittest.mock.patch.dict(os.environ, INFLUXDB_DATA_DIR=str(self.elsewhere)):
            self.server.start()
        self.addCleanup(self.server.kill)

    def config(self):
        return self.server.config

    def check_refused(self):
        self.server.stop()
        for words in ((), ("--dry-run",)):
            _, said = self.call("restore", *words, self.tar, store=self.config(), code=1)
            self.assertRegex(said, rf"its data folder was {self.elsewhere}, not {self.server.root}/data")
        self.assertFalse((self.server.root / "data").exists())

    def test_refused(self):
        """influxsnap has seen it run, with whatever command."""
        _, said = self.call("status", store=self.config(), code=1)
        self.assertIn(f"its data folder is {self.elsewhere}", said)
        self.check_refused()
        with self.mounted(self.config()) as mnt:
            with self.assertRaises(OSError) as failed:
                (mnt / "restore/x.tar").open("wb")
            self.assertEqual(failed.exception.errno, errno.EINVAL)
            self.assertIn(f"its data folder was {self.elsewhere}", (mnt / "restore/log").read_text().splitlines()[-1])
        with self.mounted(self.config(), options="force") as mnt:
            run("cp", self.tar, mnt / "restore/")
        out, _ = self.call("restore", "--force", self.tar, store=self.config())
        self.assertIn(f"restored into {self.server.root}/meta, {self.server.root}/data and", out)

    def test_seen_by_a_mount_that_fails(self):
        with self.assertRaises(MountError):
            self.mount(self.config())
        self.check_refused()

    def test_same_environment(self):
        """With it the folders are the right ones."""
        self.call("status", store=self.config(), code=1)
        self.server.stop()
        with unittest.mock.patch.dict(os.environ, INFLUXDB_DATA_DIR=str(self.elsewhere)):
            out, _ = self.call("restore", self.tar, store=self.config())
        self.assertIn(f"{self.elsewhere} and", out)

    @unittest.skipIf(os.geteuid(), "only root can mount")
    def test_defaults_of_the_package(self):
        """/etc/default/influxdb counts for /etc/influxdb/influxdb.conf, and for no other file."""
        script = ("mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w /mnt/u/influxdb && mkdir -p /mnt/u/default && "
                  'cp "$1" /mnt/u/influxdb/influxdb.conf && echo "INFLUXDB_DATA_DIR=\'$2\'" > /mnt/u/default/influxdb && '
                  "mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc && "
                  '"$3" status --json && "$3" -c "$1" --state=/mnt/none status --json')
        self.server.stop()
        out = run("unshare", "-m", "sh", "-ec", script, "sh", self.config(), self.elsewhere, INFLUXSNAP)
        data = [json.loads(line)["store"]["data"] for line in out.splitlines()]
        self.assertEqual(data, [str(self.elsewhere), f"{self.server.root}/data"])


@unittest.skipIf(os.geteuid(), "only root can mount an overlay")
class QuietCloneTest(AdviceTest):
    """An influxd on a clone, with the configuration that was printed."""

    def prepare(self, influxd):
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.listener.close)
        self.listener.bind(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        influxd.run(f"CREATE SUBSCRIPTION s ON db.rp DESTINATIONS ALL 'udp://127.0.0.1:{port}'")
        influxd.run("CREATE CONTINUOUS QUERY cq ON db RESAMPLE EVERY 1s FOR 1h BEGIN "
                    "SELECT count(v) INTO lasting.autogen.down FROM m GROUP BY time(1s) END")

    def clone(self):
        """Makes one, and gives the configuration that was printed for it."""
        self.call("cut", store=self.live)
        folder = self.folder / "clone"
        out, _ = self.call("clone", "latest", folder, store=self.live)
        self.addCleanup(lambda: mounts_under(folder) and run("umount", folder))
        return out

    def heard(self, seconds):
        self.listener.settimeout(seconds)
        try:
            return self.listener.recv(65536)
        except TimeoutError:
            return b""

    def look(self, influxd):
        """Writes, and gives what would act by itself the time to."""
        influxd.write([f"m v=9 {time.time_ns()}"], "db", "rp")
        return self.heard(5), influxd.run("SELECT * FROM down", "lasting")

    def switched_on(self, config):
        for section in ("subscriber", "continuous_queries"):
            config = config.replace(f"[{section}]\n  enabled = false", f"[{section}]\n  enabled = true")
        return config.replace("[retention]\n  enabled = false", '[retention]\n  enabled = true\n  check-interval = "1s"')

    def test_does_nothing_by_itself(self):
        config = self.clone()
        for line in ("reporting-disabled = true", "[[graphite]]\n  enabled = false", "[[collectd]]\n  enabled = false",
                     "[[opentsdb]]\n  enabled = false", "[[udp]]\n  enabled = false", "store-enabled = false",
                     "[shard-precreation]\n  enabled = false"):
            self.assertIn(line, config)
        with Influxd(self.folder / "second", config=config) as influxd:
            heard, down = self.look(influxd)
            self.assertEqual(heard, b"")
            self.assertEqual(down, [])
            rows = influxd.run("SELECT v FROM m WHERE time < now() - 1h", "db")
            self.assertEqual([row[1] for row in rows[0]["values"]], [1, 2])
            names = [row[0] for row in influxd.run("SHOW DATABASES")[0]["values"]]
            self.assertNotIn("_internal", names)
            influxd.kill()
        # The same with these on: the test would have seen it.
        with Influxd(self.folder / "third", config=self.switched_on(config)) as influxd:
            heard, _ = self.look(influxd)
            self.assertIn(b"m v=9", heard)
            wait_until(lambda: influxd.run("SELECT * FROM down", "lasting"), 60, "the continuous query to run")
            wait_until(lambda: not influxd.run("SELECT v FROM m WHERE time < now() - 1h", "db"), 60, "retention to delete")
            influxd.kill()

    def test_ports_that_are_free(self):
        taken = []
        for port in (18086, 18088):
            one = socket.socket()
            self.addCleanup(one.close)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                pass  # somebody else has it, which is as good
            taken.append(port)
        config = self.clone()
        ports = [int(port) for port in re.findall(r'bind-address = "127\.0\.0\.1:(\d+)"', config)]
        self.assertEqual(len(ports), 6)
        self.assertFalse(set(taken) & set(ports))
