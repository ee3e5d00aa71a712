"""The nightly jobs under a real systemd: Debian 12, booted in namespaces, with a folder as the remote."""

import re
import shutil
import time

from lib.debian import Booted
from lib.files import PATIENCE, wait_until
from lib.nights import PROGRAMS
from tree.test_systemd import JOBS, SystemdTest as Systemd

REMOTE = "/srv/archive"
CONFIG = "/etc/influxfs/rclone.conf"
# Once influxd is stopped, reads never end while there is a file /slow.
SLOW_RCLONE = """#!/bin/sh
if [ "$1" = cat ] && [ -e /slow ] && ! systemctl -q is-active influxdb; then
    touch /reached
    exec sleep 100000
fi
exec /usr/bin/rclone "$@"
"""
NANO = 10**9


class NightlyUnitsTest(Systemd):
    def setUp(self):
        super().setUp()
        for job in JOBS:
            shutil.copy(PROGRAMS / f"influxfs-{job}", self.root / "usr/bin")
        shutil.copy(shutil.which("rclone"), self.root / "usr/bin")
        (self.root / REMOTE[1:]).mkdir()
        config = self.root / "etc/influxfs/rclone.conf"
        config.parent.mkdir(exist_ok=True)
        config.write_text(f"[disk]\ntype = alias\nremote = {REMOTE}\n")
        config.chmod(0o600)

    def default(self, *lines):
        (self.root / "etc/default/influxfs").write_text("".join(f"{line}\n" for line in lines))

    def objects(self):
        place = self.root / REMOTE[1:]
        return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())

    def test_night(self):
        """All three on one host, started at once: each waits for the one before it, and does its work with
        the rights that its unit has."""
        self.default("REMOTE=disk:", "ARCHIVE_OPTIONS=\"--incremental --before='sleep 2'\"",
                     "FETCH_OPTIONS='--stop=influxdb.service --day=today'", "DUMP_OPTIONS=--day=today", "DUMP=db")
        with Booted(self.root) as host:
            now = int(host.run("date", "+%s"))
            self.influx(host, "/query", q="CREATE DATABASE db")
            self.influx(host, "/write", f"m v=1 {now * NANO}", db="db")
            before = self.show(host, "influxdb", "MainPID")
            for job in JOBS:
                host.run("systemctl", "start", "--no-block", f"influxfs-{job}")
            host.run("systemctl", "start", *(f"influxfs-{job}" for job in JOBS))
            self.check_order(host)
            self.assertNotEqual(self.show(host, "influxdb", "MainPID"), before)
            self.assertTrue(self.is_active(host, "influxdb"))
            self.assertIn("v", self.influx(host, "/query", q="SELECT v FROM m", db="db"))
            day = host.run("date", "+%F").strip()
            self.assertRegex("\n".join(self.objects()), rf"(?m)^{day}/{day}/influxdb/m_{day}-00:00:00_[\d-]+-00:00:00\.json$")
            self.assertRegex("\n".join(self.objects()), rf"(?m)^{day}/{day}/shards/[\w-]+-full\.tar$")
            self.assertEqual(host.run("stat", "-c", "%U", "/var/lib/influxdb/data", "/var/lib/influxdb/meta"), "influxdb\n" * 2)
            self.check_failures(host)

    def check_order(self, host):
        times = [self.show(host, f"influxfs-{job}", "ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic",
                           "Result", "ExecMainStatus") for job in JOBS]
        for job, known in zip(JOBS, times):
            self.assertEqual((known["Result"], known["ExecMainStatus"]), ("success", "0"), host.journal(f"influxfs-{job}"))
        for one, next_one in zip(times, times[1:]):
            self.assertLessEqual(int(one["ExecMainExitTimestampMonotonic"]), int(next_one["ExecMainStartTimestampMonotonic"]))

    def check_failures(self, host):
        """Without a remote, and with one that is not there; the unit has failed, and the journal says why."""
        for line, words in (("", "--remote"), ("REMOTE=tape:", "tape")):
            self.default(line)
            self.assertFalse(host.succeeds("systemctl", "start", "influxfs-archive"))
            self.assertEqual(self.show(host, "influxfs-archive", "Result"), "exit-code")
            self.assertRegex(host.journal("influxfs-archive").splitlines()[-4:].__str__(), re.escape(words))

    def test_timers(self):
        """At the times of the page, once they are enabled."""
        with Booted(self.root) as host:
            self.assertNotIn("influxfs-", host.run("systemctl", "list-timers", "--no-pager"))
            host.run("systemctl", "enable", "--now", *(f"influxfs-{job}.timer" for job in JOBS))
            for job, clock in zip(JOBS, ("23:55", "00:15", "00:30")):
                next_one = self.show(host, f"influxfs-{job}.timer", "NextElapseUSecRealtime")
                self.assertIn(f" {clock}:00 ", next_one)


class FetchStopsTest(NightlyUnitsTest):
    """What becomes of influxd when a fetch has stopped it, by systemd itself."""
    test_night = test_timers = None  # of the base

    def setUp(self):
        super().setUp()
        rclone = self.root / "usr/local/bin/rclone"
        rclone.write_text(SLOW_RCLONE)
        rclone.chmod(0o755)
        self.default("REMOTE=disk:", "FETCH_OPTIONS='--stop=influxdb.service --day=today'")

    def by_hand(self, program, *options):
        return ["env", f"RCLONE_CONFIG={CONFIG}", f"influxfs-{program}", "-c", "/etc/influxdb/influxdb.conf", "--remote=disk:",
                "--day=today", *options]

    def archived(self, host):
        self.write(host, 1)
        host.run(*self.by_hand("archive", "--quiet"))

    def fetch(self, host, *options, code=0):
        """What it says."""
        said = host.run("sh", "-c", '"$@"; echo "exit $?"', "sh", *self.by_hand("fetch", "--quiet", *options))
        self.assertIn(f"exit {code}\n", said)
        return said

    def reach(self, host):
        """Until it waits for its remote, with influxd stopped."""
        wait_until((self.root / "reached").exists, 60, "the read of an object")
        (self.root / "reached").unlink()
        self.assertEqual(self.show(host, "influxdb", "ActiveState"), "inactive")

    def wait_for_influxd(self, host):
        wait_until(lambda: self.is_active(host, "influxdb"), 60, "influxd to be active")
        self.assertEqual(self.values(host), [1])
        self.assertFalse((self.root / "var/lib/influxdb/influxfs/stopped.json").exists())

    def check(self, host):
        return host.run("influxsnap", "-c", "/etc/influxdb/influxdb.conf", "status", "--check", check=False)

    def prom(self, host):
        return host.run("influxsnap", "-c", "/etc/influxdb/influxdb.conf", "status", "--prometheus")

    def test_cut_off(self):
        """Stopped, or killed, while influxd is down for it: influxd is up again, at once or after the next fetch."""
        with Booted(self.root) as host:
            self.archived(host)
            (self.root / "slow").touch()
            for end in (("stop",), ("kill", "-s", "KILL")):
                host.run("systemctl", "start", "--no-block", "influxfs-fetch")
                self.reach(host)
                began = time.monotonic()
                host.run("systemctl", *end, "influxfs-fetch")
                self.wait_for_influxd(host)
                self.assertLess(time.monotonic() - began, 60 * PATIENCE)  # TimeoutStopSec= is five minutes
                wait_until(lambda: self.show(host, "influxfs-fetch", "ActiveState") == "failed", 60, "the end of the fetch")
                host.run("systemctl", "reset-failed", "influxfs-fetch")
            host.run("systemd-run", "--quiet", "--unit=mine", *self.by_hand("fetch", "--stop=influxdb"))
            self.reach(host)
            self.assertNotIn("killed", self.check(host))
            host.run("systemctl", "kill", "-s", "KILL", "mine")
            wait_until(lambda: "influxdb was stopped by a fetch that was killed" in self.check(host), 60, "the check to say so")
            self.assertRegex(self.check(host), r"^INFLUXFS CRITICAL.*`systemctl start influxdb`")
            self.assertIn("\ninfluxfs_left_stopped 1\n", self.prom(host))
            (self.root / "slow").unlink()
            said = self.fetch(host, "--stop=influxdb")
            self.assertIn("influxdb was left stopped by a fetch that was killed", said)
            self.wait_for_influxd(host)
            self.assertNotIn("killed", self.check(host))
            self.assertIn("\ninfluxfs_left_stopped 0\n", self.prom(host))

    def service(self, name, *lines):
        unit = self.root / f"etc/systemd/system/{name}.service"
        unit.write_text("[Unit]\n" + "\n".join(lines) + "\n[Service]\nExecStart=/bin/sleep infinity\n")

    def test_with_others(self):
        """Those that go down with it come up with it; a pattern is refused."""
        kinds = ("Requires", "BindsTo", "PartOf")
        for kind in kinds:
            self.service(f"with-{kind}", f"{kind}=influxdb.service", "After=influxdb.service")
        self.service("on-top", "Requires=with-Requires.service", "After=with-Requires.service")
        self.service("other", "Requires=influxdb.service")
        with Booted(self.root) as host:
            self.archived(host)
            host.run("systemctl", "start", *(f"with-{kind}" for kind in kinds), "on-top")
            for unit in ("influxdb*", "influxdb other", "*", "--now"):
                self.assertIn("is not the name of one unit", self.fetch(host, f"--stop={unit}", code=2))
            self.fetch(host, "--stop=influxdb.service")
            self.wait_for_influxd(host)
            for unit in (*(f"with-{kind}" for kind in kinds), "on-top"):
                self.assertTrue(self.is_active(host, unit), unit)
            self.assertFalse(self.is_active(host, "other"))

    def test_start_fails(self):
        """At once, or soon after that; which is remembered."""
        cases = (("ExecStartPre=/bin/false", "systemctl start influxdb.service failed, with exit code 1"),
                 ("ExecStart=\nExecStart=/bin/sh -c 'sleep 0.3; exit 1'", "influxdb.service was started, and did not stay so"))
        with Booted(self.root) as host:
            self.archived(host)
            for line, words in cases:
                self.configure("influxdb", line)
                host.run("systemctl", "daemon-reload")
                said = self.fetch(host, "--stop=influxdb.service", code=1)
                self.assertIn(f"the store was restored, but {words}", said)
                self.assertIn(words, self.check(host))
                (self.root / "etc/systemd/system/influxdb.service.d/test.conf").unlink()
                host.run("systemctl", "daemon-reload")
                host.run("systemctl", "stop", "influxdb")  # no more restarts
                host.run("systemctl", "reset-failed", "influxdb")
                said = self.fetch(host, "--stop=influxdb.service")
                self.assertIn("or could not start it again", said)
                self.wait_for_influxd(host)
            host.run("systemctl", "kill", "-s", "KILL", "influxdb")
            self.configure("influxdb", "ExecStartPre=/bin/false")
            host.run("systemctl", "daemon-reload")
            wait_until(lambda: self.show(host, "influxdb", "ActiveState") == "failed", 60, "influxd to have failed")
            self.assertIn("influxdb.service had failed before this fetch", self.fetch(host, "--stop=influxdb.service"))
