"""Under a real systemd: Debian 12, booted in namespaces, with its influxdb package and our units."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

from lib.case import StoreTest
from lib.cutoff import PRELOAD, cut_off, killing, promise_of
from lib.debian import HOST, Booted, copied, debian_tree
from lib.files import CHECKOUT, HANG, run, wait_until
from lib.metrics import Metrics
from lib.mount import INFLUXFS

BUILD = Path(INFLUXFS).parent
HELPER = CHECKOUT / "mount-helper"
UNIT, POINT = "influxfs@mnt-influx", "/mnt/influx"
STORE = "/etc/influxdb/influxdb.conf"
REFUSED = 7  # curl: nobody listens
UNITS = "usr/lib/systemd/system"
JOBS = ("archive", "fetch", "dump")  # of the night
PROGRAMS = ("influxfs", "influxsnap", *(f"influxfs-{job}" for job in JOBS))
EXPOSURE = {"influxfs@.service": 45, "influxfs-recover.service": 25, "influxfs-cut.service": 25,
            "influxfs-verify.service": 25, "influxfs-snapshot@.service": 25,
            "influxfs-metrics.service": 25, **{f"influxfs-{job}.service": 34 for job in JOBS}}  # tenths, at most

# Nobody outside sees the mount of a service with one of these.
HIDING = ("PrivateMounts=yes", "PrivateTmp=yes", "ProtectSystem=yes", "ProtectHome=read-only", "ProtectKernelTunables=yes",
          "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes",
          "ProtectProc=invisible", "ReadOnlyPaths=/srv", "TemporaryFileSystem=/srv")


class SystemdTest(StoreTest):
    """self.root is a Debian in which influxfs and its units are installed."""
    timeout = 300

    def setUp(self):
        super().setUp()
        self.root = self.enterContext(copied(debian_tree(*HOST), self.folder / "debian"))
        for program in ("influxfs", "influxsnap"):
            shutil.copy(BUILD / program, self.root / "usr/bin")
        for unit in (HELPER / "systemd").iterdir():
            shutil.copy(unit, self.root / UNITS)
        shutil.copy(HELPER / "influxfs.default", self.root / "etc/default/influxfs")

    def booted(self):
        return Booted(self.root)

    def configure(self, unit, *lines):
        """A drop-in, as systemctl edit makes it."""
        folder = self.root / f"etc/systemd/system/{unit}.service.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.conf").write_text("[Service]\n" + "\n".join(lines) + "\n")

    def settings(self, name, *lines):
        """Those of one mount."""
        file = self.root / f"etc/influxfs/{name}.conf"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines))

    def enable(self, *units):
        """As a package does, before the next boot."""
        run("systemctl", f"--root={self.root}", "enable", *units)

    def influx(self, host, path, body="", **parameters):
        """What the influxd in there answers, once it does."""
        url = f"http://127.0.0.1:8086{path}?{urllib.parse.urlencode(parameters)}"
        command = ["nsenter", "-t", str(host.init), "-n", "curl", "-s", "-f", "-XPOST", "--data-binary", body, url]
        done = wait_until(lambda: (done := subprocess.run(command, capture_output=True, text=True)).returncode != REFUSED and
                          done, 60, "influxd to answer")
        self.assertEqual(done.returncode, 0, url)
        return done.stdout

    def write(self, host, value, database="db"):
        self.influx(host, "/query", q=f"CREATE DATABASE {database}")
        self.influx(host, "/write", f"m v={value} {value}", db=database)

    def values(self, host):
        result = json.loads(self.influx(host, "/query", q="SELECT v FROM m", db="db"))["results"][0]
        return [row[1] for row in result["series"][0]["values"]] if "series" in result else []

    def show(self, host, unit, *names):
        said = host.run("systemctl", "show", unit, *[f"--property={name}" for name in names])
        found = dict(line.split("=", 1) for line in said.splitlines() if line)
        return found[names[0]] if len(names) == 1 else found

    def mounts(self, host, point=POINT):
        """As pid 1 of the other system has them."""
        return [line for line in host.run("cat", "/proc/1/mountinfo").splitlines() if line.split()[4] == point]

    def kill(self, host, pid):
        host.run("sh", "-c", f"kill -9 {pid}")

    def is_active(self, host, unit=UNIT):
        return self.show(host, unit, "ActiveState") == "active"

    def wait_for_another(self, host, before):
        """Until the unit is active with another main process."""
        def there():
            now = self.show(host, UNIT, "ActiveState", "MainPID")
            return now["ActiveState"] == "active" and now["MainPID"] != before
        wait_until(there, 30, "another daemon")

    def check_mounted(self, host):
        """Seen by pid 1, and by a service that has mounts of its own."""
        self.assertEqual(len(self.mounts(host)), 1)
        text = host.run("systemd-run", "--quiet", "--wait", "--pipe", "--property=ProtectSystem=strict",
                        "cat", f"{POINT}/status.json")
        self.assertEqual(json.loads(text)["store"]["config"], STORE)


class MountUnitTest(SystemdTest):

    def test_life(self):
        """Started, killed, influxd restarted and upgraded meanwhile, stopped."""
        self.settings("mnt/influx", "OPTIONS=every=1h,keep=7")
        (self.root / "etc/default/influxdb").write_text("INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION=1s\n")
        with self.booted() as host:
            self.write(host, 1)
            wait_until(lambda: self.tsm_files(host), 60, "a TSM file")
            host.run("systemctl", "start", UNIT)
            self.assertTrue(self.is_active(host))
            self.check_mounted(host)
            self.check_status(host)
            self.check_linked(host)
            self.check_killed_daemon(host)
            self.check_restarted(host)
            host.run("systemctl", "stop", UNIT)
            self.assertEqual(self.show(host, UNIT, "ActiveState", "Result"), {"ActiveState": "inactive", "Result": "success"})
            self.assertEqual(self.mounts(host), [])
            host.run("systemctl", "start", UNIT)
            host.run("umount", POINT)  # by hand is as good as a stop
            wait_until(lambda: self.show(host, UNIT, "ActiveState") == "inactive", 30, "the unit to end")
            host.run("systemctl", "start", UNIT)
            host.poweroff()

    def check_status(self, host):
        host.run("cp", f"{POINT}/snapshots/now.tar", "/srv")
        words = wait_until(lambda: (text := self.show(host, UNIT, "StatusText")) and "last read whole" in text and text,
                           30, "the snapshot to be in the status")
        self.assertRegex(words, rf"^{STORE} mounted; .*last cut at \S+Z, the base; last read whole at \S+Z: snapshots/now\.tar$")

    def check_linked(self, host):
        """The hardened daemon keeps files of another user as links."""
        self.assertEqual({words.split()[0] for words in self.tsm_files(host)}, {"2"})

    def tsm_files(self, host):
        """The number of links of each, and its path."""
        return host.run("find", "/var/lib/influxdb/data/db", "-name", "*.tsm", "-printf", "%n %p\n").splitlines()

    def check_killed_daemon(self, host):
        """Also while somebody's working folder is in it: then the dead mount cannot simply be unmounted."""
        for folder in ("/", POINT):
            host.run("systemd-run", "--quiet", "--unit=sitting", f"--property=WorkingDirectory={folder}", "sleep", "infinity")
            before = self.show(host, UNIT, "MainPID")
            self.kill(host, before)
            self.wait_for_another(host, before)
            self.check_mounted(host)
            host.run("systemctl", "stop", "sitting")
        self.assertEqual(self.show(host, UNIT, "NRestarts"), "2")

    def check_restarted(self, host):
        """influxd comes and goes, and so does its package; the mount stays."""
        daemon = self.show(host, UNIT, "MainPID")
        before = self.show(host, "influxdb", "MainPID")
        host.run("systemctl", "restart", "influxdb")
        self.assertNotEqual(self.show(host, "influxdb", "MainPID"), before)
        self.write(host, 2)
        package = self.repack("influxdb", "~influxfs")
        host.run("systemctl", "stop", "influxdb")
        host.run("cat", f"{POINT}/status.json")
        host.run("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "-i", f"/srv/{package}")
        host.run("systemctl", "start", "influxdb")
        self.assertEqual(self.values(host), [1, 2])
        self.assertEqual(self.show(host, UNIT, "MainPID"), daemon)
        self.check_mounted(host)

    def repack(self, name, suffix):
        """A package of the installed files under another version, in /srv, with its own scripts."""
        work = self.folder / "package"
        info = self.root / "var/lib/dpkg/info"
        (work / "DEBIAN").mkdir(parents=True)
        for line in (info / f"{name}.list").read_text().splitlines():
            source, target = self.root / line[1:], work / line[1:]
            if source.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif os.path.lexists(source):
                shutil.copy2(source, target, follow_symlinks=False)
        for script in ("postinst", "postrm", "preinst", "prerm", "conffiles"):
            if (info / f"{name}.{script}").exists():
                shutil.copy2(info / f"{name}.{script}", work / "DEBIAN" / script)
        stanza = next(text for text in (self.root / "var/lib/dpkg/status").read_text().split("\n\n")
                      if text.startswith(f"Package: {name}\n"))
        stanza = re.sub(r"^(Status|Conffiles):.*\n( .*\n)*", "", stanza, flags=re.M)
        (work / "DEBIAN/control").write_text(re.sub(r"^(Version: .*)$", rf"\1{suffix}", stanza, flags=re.M) + "\n")
        run("dpkg-deb", "-Znone", "--root-owner-group", "--build", work, self.root / f"srv/{name}.deb")
        return f"{name}.deb"

    def test_restore(self):
        """By the hardened daemon, into folders of influxd's user, some of them setgid."""
        self.settings("mnt/influx", "OPTIONS=")
        with self.booted() as host:
            self.write(host, 1)
            host.run("chmod", "2775", "/var/lib/influxdb", "/var/lib/influxdb/data", "/var/lib/influxdb/data/db")
            host.run("systemctl", "start", UNIT)
            host.run("cp", f"{POINT}/snapshots/now.tar", "/srv/now.tar")
            self.write(host, 2, "dropped")
            host.run("systemctl", "stop", "influxdb")
            self.check_killed(host)
            host.run("cp", "/srv/now.tar", f"{POINT}/restore/")
            self.assertEqual(host.run("stat", "-c", "%U", "/var/lib/influxdb/data", "/var/lib/influxdb/data/db"),
                             "influxdb\n" * 2)
            host.run("systemctl", "start", "influxdb")
            self.assertEqual(self.values(host), [1])
            self.assertNotIn("dropped", self.influx(host, "/query", q="SHOW DATABASES"))
            self.assertIn("restored now.tar at ", wait_until(
                lambda: (text := self.show(host, UNIT, "StatusText")) and "restored" in text and text, 30, "the status"))

    def check_killed(self, host):
        """In the middle of a copy: what was staged is gone with the next start."""
        host.run("systemd-run", "--quiet", "--unit=writer", "sh", "-c",
                 f"(head -c 5000 /srv/now.tar; sleep infinity) > {POINT}/restore/half.tar")
        wait_until(lambda: "restoring half.tar" in self.show(host, UNIT, "StatusText"), 30, "the copy to be in the status")
        self.assertIn("restoring", host.run("ls", "/var/lib/influxdb"))
        before = self.show(host, UNIT, "MainPID")
        self.kill(host, before)
        self.wait_for_another(host, before)
        host.run("systemctl", "stop", "writer")
        self.assertNotIn("restoring", host.run("ls", "/var/lib/influxdb"))

    def test_cannot_start(self):
        """What influxfs says is in the journal and in the status; nothing is mounted, nothing goes on."""
        self.settings("mnt/influx", "STORE=/etc/influxdb/nothing.conf")
        self.settings("mnt/usage", "OPTIONS=keep=few")
        with self.booted() as host:
            self.assertFalse(host.succeeds("systemctl", "start", UNIT))
            wait_until(lambda: self.show(host, UNIT, "ActiveState") == "failed", 30, "the restarts to end")
            self.assertIn("influxfs: /etc/influxdb/nothing.conf: No such file or directory", host.journal(UNIT))
            self.assertEqual(self.show(host, UNIT, "StatusText"), "/etc/influxdb/nothing.conf: No such file or directory")
            self.assertEqual(self.mounts(host), [])
            self.assertFalse(host.succeeds("systemctl", "start", "influxfs@mnt-usage"))
            self.assertEqual(self.show(host, "influxfs@mnt-usage", "ActiveState", "NRestarts"),
                             {"ActiveState": "failed", "NRestarts": "0"})
            self.assertIn("keep=few", host.journal("influxfs@mnt-usage"))
            self.check_refused_place(host, "influxfs@var-lib-influxdb-data-x", "/var/lib/influxdb/data/x")
            self.check_refused_place(host, "influxfs@var-lib-influxdb", None)

    def check_refused_place(self, host, unit, made):
        self.assertFalse(host.succeeds("systemctl", "start", unit))
        wait_until(lambda: self.show(host, unit, "ActiveState") == "failed", 30, "the restarts to end")
        self.assertIn("the store's folder /var/lib/influxdb/", host.journal(unit))
        self.assertFalse(made and host.succeeds("test", "-e", made))
        self.assertFalse(host.succeeds("test", "-e", "/var/lib/influxdb/influxfs"))
        host.run("systemctl", "restart", "influxdb")

    def test_unknown_option(self):
        """It does not mend by itself; and once it is mended, the next start is not kept from starting."""
        self.settings("mnt/influx", "OPTIONS=evry=1h")
        with self.booted() as host:
            for _ in range(2):
                self.assertFalse(host.succeeds("systemctl", "start", UNIT))
                self.assertEqual(self.show(host, UNIT, "ActiveState", "NRestarts"), {"ActiveState": "failed", "NRestarts": "0"})
            self.assertIn("evry=1h", host.journal(UNIT))
            self.settings("mnt/influx", "OPTIONS=every=1h")
            host.run("systemctl", "start", UNIT)
            self.check_mounted(host)

    def test_names(self):
        """Each mount has a file of settings of its own, whatever is in its path."""
        names = ("influx-two", "in flux", "zürich/ä-b c", "x@y.z~{1}")
        for number, name in enumerate(names):
            for folder in ("meta", "data", "wal"):
                (self.root / f"srv/{number}/{folder}").mkdir(parents=True)
            self.settings(f"srv/mnt/{name}", f"STORE=/srv/{number}", "OPTIONS=keep=7")
        with self.booted() as host:
            for number, name in enumerate(names):
                unit = host.run("systemd-escape", "--path", "--template=influxfs@.service", f"/srv/mnt/{name}").strip()
                host.run("systemctl", "start", unit)
                status = json.loads(host.run("cat", f"/srv/mnt/{name}/status.json"))
                self.assertEqual(status["store"]["data"], f"/srv/{number}/data", name)
                self.assertIn("keep=7", status["options"], name)
                host.run("systemctl", "stop", unit)
                made = ["/srv/mnt", *[f"/srv/mnt/{above}" for above in Path(name).parents], f"/srv/mnt/{name}"]
                self.assertEqual(host.run("stat", "-c", "%a", *made), "755\n" * len(made))  # and they stay
            for name in ("influx*two", "influx[-]two", "influx?two", "influx\\-two"):  # as patterns, all are the first one
                unit = host.run("systemd-escape", "--path", "--template=influxfs@.service", f"/srv/mnt/{name}").strip()
                self.assertFalse(host.succeeds("systemctl", "start", unit), name)
                wait_until(lambda unit=unit: self.show(host, unit, "ActiveState") == "failed", 30, "the restarts to end")
                self.assertIn(f"influxfs: /srv/mnt/{name}: no unit mounts there", host.journal(unit))
                self.assertFalse(host.succeeds("test", "-e", f"/srv/mnt/{name}"))

    def test_mounts_of_others(self):
        """A living mount on the mount point is neither covered nor taken away."""
        with self.booted() as host:
            host.run("mkdir", "-p", POINT)
            host.run("influxfs", "-o", "ro", STORE, POINT)
            before = self.mounts(host)
            self.assertFalse(host.succeeds("systemctl", "start", UNIT))
            wait_until(lambda: self.show(host, UNIT, "ActiveState") == "failed", 30, "the restarts to end")
            self.assertIn("a fuse.influxfs file system is mounted there already", host.journal(UNIT))
            self.assertEqual(self.mounts(host), before)
            host.run("ls", POINT)
            # But a dead one is cleared, whoever has left it.
            daemon = re.search(r"/proc/(\d+)/", host.run("sh", "-c", "grep -lx influxfs /proc/[0-9]*/comm"))[1]
            self.kill(host, daemon)
            host.run("systemctl", "reset-failed", UNIT)
            host.run("systemctl", "start", UNIT)
            self.check_mounted(host)
            for place in (POINT, f"{POINT}/live"):
                self.check_stays(host, place)

    def check_stays(self, host, place):
        """What is mounted upon ours is there when the unit has stopped."""
        for end in ("stop", "kill"):
            with self.subTest(place=place, end=end):
                host.run("systemctl", "reset-failed")
                host.run("systemctl", "restart", UNIT)
                host.run("mount", "-t", "tmpfs", "theirs", place)
                host.run("systemctl", *(["stop"] if end == "stop" else ["kill", "--signal=KILL"]), UNIT)
                wait_until(lambda: self.show(host, UNIT, "ActiveState") in ("inactive", "failed"), 30, "the unit to end")
                self.assertEqual([line.split()[-2] for line in self.mounts(host, place)][-1:], ["theirs"])
                host.run("umount", "-l", POINT)  # the upper one, or both: below a dead mount nothing is found
                host.run("systemctl", "reset-failed")
                host.run("systemctl", "start", UNIT)
                self.check_mounted(host)


class HardeningTest(SystemdTest):

    def directives(self):
        """What hardens influxfs@.service."""
        text = (HELPER / "systemd/influxfs@.service").read_text()
        hardening = text[text.index("NoNewPrivileges="):text.index("[Install]")]
        return [line for line in hardening.splitlines() if line and not line.startswith("#")]

    def start(self, host, number, *properties):
        """Whether influxfs becomes ready as a service with these; its unit and its mount point."""
        unit, point = f"try{number}", f"/mnt/{number}"
        host.run("mkdir", point)
        command = ["systemd-run", "--quiet", "--service-type=notify", f"--unit={unit}",
                   *[f"--property={line}" for line in properties], "influxfs", "-f", "-o", "ro", STORE, point]
        return host.succeeds(*command), unit, point

    def test_each_directive(self):
        """Each of ours lets others see the mount; those that would hide it are found out."""
        ours = self.directives()
        self.assertGreater(len(ours), 12)
        with self.booted() as host:
            for number, line in enumerate(ours):
                with self.subTest(line):
                    started, unit, point = self.start(host, number, line, "DeviceAllow=/dev/fuse rw")
                    self.assertTrue(started, host.journal(unit))
                    self.assertEqual(len(self.mounts(host, point)), 1)
            for number, line in enumerate(HIDING, len(ours)):
                with self.subTest(line):
                    started, unit, point = self.start(host, number, line)
                    self.assertFalse(started)
                    said = host.journal(unit)
                    self.assertIn(f"mountpoint {point}: mounted, but nobody else can see it", said)
                    self.assertIn("PrivateMounts=", said)
                    self.assertEqual(self.mounts(host, point), [])

    def test_private_mounts(self):
        """The unit with a drop-in that hides the mount is not active."""
        self.configure("influxfs@", "PrivateMounts=yes")
        with self.booted() as host:
            self.assertFalse(host.succeeds("systemctl", "start", UNIT))
            wait_until(lambda: self.show(host, UNIT, "ActiveState") == "failed", 30, "the restarts to end")
            self.assertIn("nobody else can see it", self.show(host, UNIT, "StatusText"))
            self.assertIn("nobody else can see it", host.journal(UNIT))


class AnalyzeTest(StoreTest):
    """The units alone, with this machine's own systemd-analyze."""

    def setUp(self):
        super().setUp()
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed: tests/setup test")
        system = self.folder / UNITS
        shutil.copytree("/usr/lib/systemd/system", system, symlinks=True)
        self.names = sorted(path.name for path in (HELPER / "systemd").iterdir())
        for name in self.names:
            shutil.copy(HELPER / "systemd" / name, system)
        (self.folder / "usr/bin").mkdir()
        for folder in ("lib", "bin"):
            (self.folder / folder).symlink_to(f"usr/{folder}")
        for program in (*PROGRAMS, "sh"):
            shutil.copy("/bin/true", self.folder / "usr/bin" / program)

    def analyze(self, command, *words):
        return run("systemd-analyze", f"--root={self.folder}", command, *words)

    def test_verify(self):
        self.assertEqual(self.analyze("verify", "--man=no", *self.names), "")
        broken = self.folder / UNITS / "influxfs@.service"
        broken.write_text(broken.read_text().replace("NoNewPrivileges", "NoNewPrivilegez"))
        self.assertIn("NoNewPrivilegez", self.analyze("verify", "--man=no", broken.name))

    def test_security(self):
        for name, most in EXPOSURE.items():
            with self.subTest(name):
                self.analyze("security", "--offline=true", f"--threshold={most}", name)
        self.assertEqual({name for name in self.names if name.endswith(".service")}, set(EXPOSURE))

    def test_programs(self):
        """Units name what `make install PREFIX=/usr` installs, and pages of the manual that are there."""
        for name in self.names:
            text = (HELPER / "systemd" / name).read_text()
            for program in re.findall(r"^Exec\w+=-?/usr/bin/(\S+)", text, re.M):
                self.assertIn(program, PROGRAMS)
            for variable in re.findall(r"\$\{?([A-Z_]+)", text):
                self.assertIn(f"#{variable}=", (HELPER / "influxfs.default").read_text())
            for page, section in re.findall(r"man:([\w-]+)\((\d)\)", text):
                self.assertTrue((CHECKOUT / f"man/{page}.{section}").exists(), f"{name}: {page}({section})")


class RecoverUnitTest(SystemdTest):

    def cut_off(self, host, wanted):
        """A restore of /srv/now.tar, cut off so that the next recovery does that. influxd is stopped."""
        host.run("cp", "-a", "/var/lib/influxdb", "/srv/before")

        def restore(at):
            host.run("sh", "-c", "rm -rf /var/lib/influxdb && cp -a /srv/before /var/lib/influxdb")
            variables = killing("/var/lib/influxdb", at, "/srv/count") | {"LD_PRELOAD": "/srv/preload_kill.so"}
            host.run("env", *[f"{name}={value}" for name, value in variables.items()],
                     "influxsnap", "restore", "--force", "/srv/now.tar", check=not at)

        restore(0)
        steps = int(host.run("cat", "/srv/count"))
        cut_off(wanted, restore, steps, lambda: promise_of(host.run("influxsnap", "status", "--json")),
                lambda: "restored " in host.run("cat", "/var/lib/influxdb/influxfs/restore.log", check=False))

    def seconds(self, host, unit, name):
        return int(self.show(host, unit, name))

    def test_power_cut(self):
        """A restore cut off by a power cut is finished at the next boot, before influxd starts."""
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        shutil.copy(PRELOAD, self.root / "srv")
        self.enable("influxfs-recover.service")
        with self.booted() as host:
            self.write(host, 1)
            self.assertIn("no restore was cut off", host.journal("influxfs-recover"))
            host.run("influxsnap", "backup", "/srv/now.tar")
            self.write(host, 2)
            host.run("systemctl", "stop", "influxdb")
            self.cut_off(host, "finishes")
            host.run("cp", "-a", "/var/lib/influxdb", "/srv/cut-off")
        with self.booted() as host:
            self.assertEqual(self.values(host), [1])
            self.assertRegex(host.journal("influxfs-recover"), "(?m)^finished the restore of snapshot .*, which was cut off$")
            self.assertLess(self.seconds(host, "influxfs-recover", "ExecMainExitTimestampMonotonic"),
                            self.seconds(host, "influxdb", "ExecMainStartTimestampMonotonic"))
            self.check_each_start(host)
            self.check_failure(host)

    def check_each_start(self, host):
        """It looks again whenever influxd starts, and does not stop influxd."""
        before = self.show(host, "influxfs-recover", "InvocationID")
        host.run("systemctl", "restart", "influxdb")
        after = self.show(host, "influxfs-recover", "InvocationID")
        self.assertNotEqual(before, after)
        daemon = self.show(host, "influxdb", "MainPID")
        host.run("systemctl", "restart", "influxfs-recover")
        self.assertEqual(self.show(host, "influxdb", "MainPID"), daemon)

    def check_failure(self, host):
        """What cannot be recovered keeps nobody from trying: the fence does, and both say why."""
        host.run("systemctl", "stop", "influxdb")
        host.run("sh", "-c", "rm -rf /var/lib/influxdb && cp -a /srv/cut-off /var/lib/influxdb && "
                 "sed -i s/exchange/exchangf/ /var/lib/influxdb/meta.influxfs-journal")
        host.run("systemctl", "start", "influxdb")
        self.assertEqual(self.show(host, "influxfs-recover", "Result"), "exit-code")
        self.assertIn("the journal of a cut-off restore (meta.influxfs-journal) is damaged", host.journal("influxfs-recover"))
        wait_until(lambda: "raft.db" in host.journal("influxdb"), 60, "influxd's words")


class TimerUnitTest(SystemdTest):

    def test_timers(self):
        """Cuts are made, and verified, whether or not anything is mounted."""
        self.enable("influxfs-cut.timer", "influxfs-verify.timer")
        (self.root / "etc/default/influxfs").write_text("KEEP=1\nCUT_OPTIONS='--guard=off --reserve=0%'\n")
        with self.booted() as host:
            timers = host.run("systemctl", "list-timers", "--no-pager")
            self.assertRegex(timers, r"(?m)left .*influxfs-cut\.timer +influxfs-cut\.service$")
            self.assertRegex(timers, r"(?m)influxfs-verify\.timer +influxfs-verify\.service$")
            for value in range(3):
                self.write(host, value)
                host.run("systemctl", "start", "influxfs-cut.service")
            self.assertEqual(self.numbers(host), [1])  # two of them are folded to one
            self.assertIn("cut 1: ", host.journal("influxfs-cut"))
            host.run("systemctl", "start", "influxfs-verify.service")
            self.assertIn("2 cuts good, 0 damaged", host.journal("influxfs-verify"))
            for file in (self.root / "var/lib/influxdb/influxfs/cuts/files").rglob("*"):
                if file.is_file():
                    file.write_bytes(file.read_bytes()[:-1])
            self.assertFalse(host.succeeds("systemctl", "start", "influxfs-verify.service"))
            self.assertRegex(host.journal("influxfs-verify"), "(?m)^influxsnap: cut 1: ")

    def test_metrics(self):
        """By the timer, with few rights: into a folder of another user, for all to read."""
        self.enable("influxfs-metrics.timer")
        (self.root / "etc/default/influxfs").write_text("METRICS=/srv/metrics/influxfs.prom\n")
        (self.root / "srv/metrics").mkdir()
        shutil.chown(self.root / "srv/metrics", 65534, 65534)
        (self.root / "etc/systemd/system/influxfs-metrics.timer.d").mkdir(parents=True)
        (self.root / "etc/systemd/system/influxfs-metrics.timer.d/test.conf").write_text(
            "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nAccuracySec=1us\n")
        with self.booted() as host:
            self.write(host, 1)
            host.run("influxsnap", "cut")
            file = self.root / "srv/metrics/influxfs.prom"
            found = wait_until(lambda: file.exists() and (m := Metrics(file.read_text())).of("cuts") and m, 60,
                               "the timer to write")
            self.assertEqual(file.stat().st_mode & 0o777, 0o644)
            self.assertEqual((found.of("influxd_seen"), found.of("store_known"), found.of("state_lacking")), (1, 1, 0))
            self.assertEqual(found.of("store_shards", database="db", policy="autogen"), 1)
            self.assertEqual(os.listdir(file.parent), [file.name])

    def numbers(self, host):
        return [cut["number"] for cut in json.loads(host.run("influxsnap", "list", "--json"))["cuts"] if not cut["base"]]


class PrintedTest(SystemdTest):
    """What influxfs(1) prints in its section on systemd."""
    MIRROR = Path("srv/mirror")

    def blocks(self):
        text = (CHECKOUT / "man/influxfs.1").read_text()
        text = text[text.index(".Sh SYSTEMD"):text.index(".Sh ENVIRONMENT")]
        return [block.replace("\\e", "\\") for block in re.findall(r"^\.Bd .*\n([^.]*?(?:.*\n)*?)^\.Ed$", text, re.M)]

    def test_as_printed(self):
        commands, mirror = self.blocks()
        (self.root / "etc/systemd/system/mirror.service").write_text(mirror)
        (self.root / self.MIRROR).mkdir()
        with self.booted() as host:
            for line in commands.splitlines():
                host.run("sh", "-c", line.removeprefix("# "))
            host.poweroff()
        with self.booted() as host:
            self.check_mounted(host)
            for timer in ("influxfs-cut.timer", "influxfs-verify.timer"):
                self.assertTrue(self.is_active(host, timer), timer)
            self.assertIn("no restore was cut off", host.journal("influxfs-recover"))
            self.check_mirror(host)

    def check_mirror(self, host):
        """It copies what is mounted, and leaves the mirror alone when nothing is."""
        self.write(host, 1)
        host.run("influxsnap", "cut")
        host.run("systemctl", "start", "mirror")
        self.assertEqual(os.listdir(self.root / self.MIRROR), ["base.tar"])
        host.run("systemctl", "stop", UNIT)
        host.run("mkdir", "-p", f"{POINT}/snapshots")
        host.run("systemctl", "start", "mirror")
        self.assertEqual(self.show(host, "mirror", "ConditionResult"), "no")
        self.assertEqual(os.listdir(self.root / self.MIRROR), ["base.tar"])


class FstabTest(SystemdTest):
    AUTO = "/mnt/auto"

    def setUp(self):
        super().setUp()
        shutil.copy(BUILD / "mount.influxfs", self.root / "usr/sbin")
        (self.root / "etc/fstab").write_text(
            f"{STORE} {POINT} influxfs nofail,x-systemd.after=influxdb.service 0 0\n"
            f"{STORE} {self.AUTO} influxfs noauto,ro,x-systemd.automount,x-systemd.idle-timeout=1s 0 0\n")

    def types(self, host, point):
        return [line.partition(" - ")[2].split()[0] for line in self.mounts(host, point)]

    def test_boot(self):
        with self.booted() as host:
            self.write(host, 1)
            self.check_at_boot(host)
            self.check_killed(host)
            self.check_idle(host)
            host.poweroff()

    def check_at_boot(self, host):
        """Mounted after influxd, which comes and goes as it likes."""
        self.assertEqual(self.types(host, POINT), ["fuse.influxfs"])
        unit = "mnt-influx.mount"
        times = [int(self.show(host, name, "ActiveEnterTimestampMonotonic")) for name in ("influxdb", unit)]
        self.assertLess(*times)
        host.run("systemctl", "stop", "influxdb")
        self.assertTrue(self.is_active(host, unit))
        host.run("systemctl", "start", "influxdb")
        self.check_mounted(host)

    def check_killed(self, host):
        """Nothing mounts it again by itself, and what is dead answers nothing; a restart of the unit does it."""
        self.kill(host, re.search(r"(\d+)/comm", host.run("sh", "-c", "grep -lx influxfs /proc/[0-9]*/comm"))[1])
        self.assertFalse(host.succeeds("ls", POINT))
        host.run("systemctl", "restart", "mnt-influx.mount")
        self.check_mounted(host)

    def check_idle(self, host):
        """Unmounted when idle, and mounted at the next access."""
        if not Path("/dev/autofs").exists():
            return
        self.assertEqual(self.types(host, self.AUTO), ["autofs"])
        for _ in range(2):
            self.assertIn("now.tar", host.run("ls", f"{self.AUTO}/snapshots"))
            self.assertEqual(self.types(host, self.AUTO), ["autofs", "fuse.influxfs"])
            wait_until(lambda: self.types(host, self.AUTO) == ["autofs"], 30, "the idle unmount")
