"""The nightly jobs under a real systemd: Debian 12, booted in namespaces, with a folder as the remote."""

import re
import shutil

from lib.debian import Booted
from lib.nights import PROGRAMS
from tree.test_systemd import JOBS, SystemdTest as Systemd

REMOTE = "/srv/archive"
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
