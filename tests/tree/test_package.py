"""The Debian package: how it is made, and its life in a bare Debian 12."""

import re
import shutil
import subprocess
import unittest

from lib.case import StoreTest
from lib.debian import HOST, Booted, copied, debian_tree
from lib.files import CHECKOUT, HANG, run, wait_until
from lib.package import built, field, repacked, version
from lib.trees import difference, tree

UPDATEDB = "etc/updatedb.conf"
DEFAULT = "etc/default/influxfs"
# Cuts; and whether a unit is enabled is remembered until its package is purged, as with each package.
LEFT = re.compile(r"etc/systemd/system/influxd(b)?\.service\.wants(/influxfs-recover\.service)?$|srv|var/lib/influxdb")
# What dpkg and its triggers note down for themselves.
NOTES = re.compile("(var/lib/dpkg|var/cache|var/log|var/lib/systemd|tmp|run|dev|root)(/|$)")


class PackageTest(unittest.TestCase):
    timeout = 300

    def test_lintian(self):
        package = built()
        for file in (package, package.with_name(package.name.replace("influxfs_", "influxfs-dbgsym_"))):
            run("lintian", "--allow-root", "--fail-on", "error,warning", "--info", file)

    def test_version_is_said_alike(self):
        changes = (CHECKOUT / "README.md").read_text().partition("## Changes")[2]
        self.assertEqual(re.search(r"\*\*([\d.]+)\*\*", changes)[1], version())
        self.assertEqual(field(built(), "Version"), version())
        self.assertIn(f"influxfs {version()},", run(CHECKOUT / "build/influxfs", "--version"))

    def test_build_depends(self):
        """What tests/setup installs for building is what the package says that it is built with,
        beside what each package is built with."""
        setup = (CHECKOUT / "tests/setup").read_text()
        installed = set(re.search("^build='(.*?)'", setup, re.M | re.S)[1].split()) - {"gcc", "make", "libc6-dev"}
        control = (CHECKOUT / "mount-helper/debian/control").read_text()
        named = set(re.search(r"^Build-Depends:\n(.*?)^\S", control, re.M | re.S)[1].replace(",", " ").split())
        self.assertEqual(installed - {"fuse3"}, named - {"debhelper-compat", "(=", "13)"})


class HostTest(StoreTest):
    """A Debian with all that influxfs depends on, and without influxfs."""
    timeout = 300

    def setUp(self):
        super().setUp()
        self.package = built()
        self.root = self.enterContext(copied(debian_tree(*HOST), self.folder / "debian"))
        self.put(self.package, "influxfs.deb")
        self.prune = (self.root / UPDATEDB).read_bytes()

    def put(self, package, name):
        shutil.copy(package, self.root / "root" / name)

    def put_older(self):
        self.put(repacked(self.package, "0.1~older", self.folder), "older.deb")

    def pruned(self):
        """The types that updatedb passes over."""
        return re.search(r'^PRUNEFS="(.*)"$', (self.root / UPDATEDB).read_text(), re.M)[1].split()

    def assert_pruned(self):
        self.assertEqual([name for name in self.pruned() if "influxfs" in name], ["fuse.influxfs", "influxfs"])

    def assert_not_pruned(self):
        self.assertEqual((self.root / UPDATEDB).read_bytes(), self.prune)


class DpkgTest(HostTest):
    """Nothing runs there but dpkg."""

    def dpkg(self, *words):
        return run("unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={self.root}", "--mount-proc",
                   "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "dpkg", *words, timeout=HANG)

    def lies_there(self):
        return {name: what for name, what in tree(self.root, times=False).items() if not NOTES.match(name)}

    def assert_says_where(self, cuts, said):
        for folder in cuts:
            self.assertIn(f"cuts of the store stay in /{folder.relative_to(self.root)}; ", said)

    def test_life(self):
        """Installed, upgraded, removed and purged, it leaves all as it was, and cuts."""
        before = self.lies_there()
        self.put_older()
        self.dpkg("--install", "/root/older.deb")
        self.assert_pruned()
        (self.root / DEFAULT).write_text("STORE=/srv/store\nSNAP_OPTIONS=--state=/srv/cuts\n")
        cuts = [self.root / name for name in ("srv/store/influxfs", "srv/cuts", "var/lib/influxdb/influxfs")]
        for folder in cuts:
            folder.mkdir(parents=True)
        self.dpkg("--install", "/root/influxfs.deb")
        self.assert_pruned()
        self.assertIn("STORE=/srv/store", (self.root / DEFAULT).read_text())
        self.assert_says_where(cuts, self.dpkg("--remove", "influxfs"))
        self.assert_not_pruned()
        self.assertEqual({name for name in self.lies_there().keys() - before.keys() if not LEFT.match(name)}, {DEFAULT})
        self.assert_says_where(cuts[2:], self.dpkg("--purge", "influxfs"))
        for folder in cuts:
            folder.rmdir()
        (self.root / "srv/store").rmdir()
        after = self.lies_there()
        self.assert_not_pruned()
        for found in (before, after):
            del found[UPDATEDB]  # which has another time
        self.assertEqual(difference(before, after), "")

    def test_operators_own_words(self):
        """Types that the operator has put in are not put in again, and stay."""
        conf = self.root / UPDATEDB
        for text in (b'PRUNEFS = "NFS fuse.influxfs" # mine\nPRUNEPATHS="/tmp"\n', b'# PRUNEFS="a"\nPRUNEPATHS="/tmp"'):
            conf.write_bytes(text)
            self.dpkg("--install", "/root/influxfs.deb")
            self.assertEqual(conf.read_bytes(), text)
            self.dpkg("--remove", "influxfs")
            self.assertEqual(conf.read_bytes(), text)

    def test_updatedb_comes_later(self):
        conf = self.root / UPDATEDB
        self.dpkg("--purge", "plocate")
        self.dpkg("--install", "/root/influxfs.deb")
        self.assertFalse(conf.exists())
        other = self.folder / "other"
        (other / "DEBIAN").mkdir(parents=True)
        (other / "etc").mkdir()
        (other / UPDATEDB).write_bytes(b'PRUNEFS=""\n')
        (other / "DEBIAN/conffiles").write_text(f"/{UPDATEDB}\n")
        (other / "DEBIAN/control").write_text("Package: other\nVersion: 1\nArchitecture: all\n"
                                              "Maintainer: other\nDescription: other\n")
        run("dpkg-deb", "--build", other, self.root / "root/other.deb")
        self.dpkg("--install", "/root/other.deb")
        self.assert_pruned()
        self.dpkg("--remove", "influxfs")
        self.assertEqual(conf.read_bytes(), b'PRUNEFS=""\n')


class BootedTest(HostTest):
    """A running Debian, with its influxdb."""

    def setUp(self):
        super().setUp()
        self.host = self.enterContext(Booted(self.root))

    def wait_for_influxd(self):
        connect = "import socket; socket.create_connection(('127.0.0.1', 8086))"
        wait_until(lambda: self.host.succeeds("python3", "-c", connect), 60, "influxd to listen", step=0.1)

    def ask(self, path, body=""):
        """What that system's influxd answers."""
        script = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], sys.argv[2].encode()).read().decode())"
        return self.host.run("python3", "-c", script, f"http://127.0.0.1:8086/{path}", body).strip()

    def count(self):
        return self.ask("query?db=db&q=SELECT+COUNT(v)+FROM+m")

    def assert_left_to_the_operator(self):
        """Of all units only the one that finishes a cut-off restore is enabled, and none is started."""
        units = re.findall(r"/systemd/system/(\S+)", self.host.run("dpkg", "-L", "influxfs"))
        self.assertIn("influxfs-recover.service", units)
        for unit in units:
            self.assertIn("[Unit]", self.host.run("systemctl", "cat", unit))
            enabled = self.host.run("systemctl", "is-enabled", unit, check=False).strip()
            self.assertEqual(enabled == "enabled", unit == "influxfs-recover.service", f"{unit} is {enabled}")
        self.assertEqual(self.host.run("systemctl", "list-units", "--plain", "--no-legend", "influxfs*"), "")

    def test_upgrade_while_mounted(self):
        """What is read and restored goes on; removing the package leaves the mount as well."""
        host = self.host
        self.put_older()
        host.run("dpkg", "--install", "/root/older.deb")
        self.assert_left_to_the_operator()
        self.wait_for_influxd()
        self.ask("query", "q=CREATE DATABASE db")
        self.ask("write?db=db", "\n".join(f"m v={i} {i}" for i in range(1, 101)))
        before = self.count()
        host.run("mkdir", "/mnt/influx")
        host.run("influxfs", "/etc/influxdb/influxdb.conf", "/mnt/influx")
        host.run("cp", "/mnt/influx/snapshots/now.tar", "/root/now.tar")
        host.run("systemctl", "stop", "influxdb")
        daemon = host.run("pidof", "influxfs")
        content = (self.root / "root/now.tar").read_bytes()
        writer = host.command("sh", "-c", "cat >/mnt/influx/restore/now.tar")
        with subprocess.Popen(writer, stdin=subprocess.PIPE) as restore:
            restore.stdin.write(content[:5000])
            restore.stdin.flush()
            said = host.run("dpkg", "--install", "/root/influxfs.deb")
            self.assertIn("until they are unmounted and mounted again:\n/mnt/influx\n", said)
            restore.stdin.write(content[5000:])
            restore.stdin.close()
            self.assertEqual(restore.wait(HANG), 0)
        self.assertEqual(host.run("pidof", "influxfs"), daemon)
        self.assertIn("restored", host.run("cat", "/mnt/influx/restore/log"))
        host.run("systemctl", "start", "influxdb")
        self.wait_for_influxd()
        self.assertEqual(self.count(), before)
        said = host.run("dpkg", "--remove", "influxfs")
        self.assertIn("until they are unmounted:\n/mnt/influx\n", said)
        self.assertIn("now.tar", host.run("ls", "/mnt/influx/snapshots"))
        host.run("umount", "/mnt/influx")

    def test_services(self):
        """An upgrade leaves a service at its work, a removal ends it; influxd knows nothing of either."""
        host = self.host
        host.run("dpkg", "--install", "/root/influxfs.deb")
        host.run("systemctl", "start", "influxfs@mnt-influx", "influxfs-cut.timer")
        self.wait_for_influxd()
        daemon = host.run("systemctl", "show", "--property=MainPID", "influxfs@mnt-influx", "influxdb")
        host.run("dpkg", "--install", "/root/influxfs.deb")
        self.assertTrue(host.succeeds("ls", "/mnt/influx/snapshots/now.tar"))
        self.assertTrue(host.succeeds("systemctl", "is-active", "influxfs-cut.timer"))
        self.assertEqual(host.run("systemctl", "show", "--property=MainPID", "influxfs@mnt-influx", "influxdb"), daemon)
        host.run("dpkg", "--remove", "influxfs")
        self.assertFalse(host.succeeds("findmnt", "/mnt/influx"))
        self.assertEqual(host.run("systemctl", "list-units", "--plain", "--no-legend", "influxfs*"), "")
        self.assertTrue(host.succeeds("systemctl", "is-active", "influxdb"))

    def test_others_find_it(self):
        """Manuals and completion are found, mount(8) finds its helper, and updatedb keeps out."""
        host = self.host
        host.run("dpkg", "--install", "/root/influxfs.deb")
        for manual in run("dpkg-deb", "--contents", self.package).split():
            if found := re.search(r"/man/man(\d)/(.*)\.\d\.gz$", manual):
                self.assertIn(f"/usr/share/man/man{found[1]}/", host.run("man", "-w", found[1], found[2]))
        for file in (CHECKOUT / "mount-helper/completion").glob("*.bash"):
            load = ". /usr/share/bash-completion/bash_completion; _completion_loader $0; complete -p $0"
            self.assertNotIn("_minimal", host.run("bash", "-c", load, file.stem))
        host.run("mkdir", "/mnt/influx")
        host.run("mount", "-t", "influxfs", "/etc/influxdb/influxdb.conf", "/mnt/influx")
        host.run("updatedb")
        self.assertIn("/mnt/influx\n", host.run("locate", "/mnt/influx"))
        self.assertNotIn("/mnt/influx/", host.run("locate", "/mnt/influx"))
        host.run("umount", "/mnt/influx")

    def test_demo(self):
        """What make demo shows, with the programs of the packages."""
        self.host.run("dpkg", "--install", "/root/influxfs.deb")
        shutil.copytree(CHECKOUT / "tests/lib", self.root / "opt/tests/lib")
        shutil.copy(CHECKOUT / "tests/demo.py", self.root / "opt/tests")
        said = self.host.run("env", "INFLUXFS=/usr/bin/influxfs", "python3", "/opt/tests/demo.py")
        self.assertIn("Every answer is the same, byte for byte.", said)
