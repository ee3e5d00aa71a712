"""Under a real systemd: Debian 12, booted in namespaces, with its influxdb package."""

from lib.case import StoreTest
from lib.debian import Booted, copied, debian_tree

PACKAGES = ("systemd", "dbus", "fuse3", "influxdb", "libfuse3-3", "libarchive13", "liblmdb0", "libjson-c5",
            "libprotobuf-c1", "libsnappy1v5", "libssl3", "zlib1g", "libcurl4")


class SystemdTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.root = self.enterContext(copied(debian_tree(*PACKAGES), self.folder / "debian"))

    def test_other_system(self):
        """What is booted starts influxd, shares nothing with this machine, and can be booted again."""
        for _ in range(2):
            with Booted(self.root) as host:
                self.assertEqual(host.run("systemctl", "is-active", "influxdb").strip(), "active")
                self.assertEqual(host.run("cat", "/proc/1/comm"), "systemd\n")
                self.assertIn("0::/init.scope\n", host.run("cat", "/proc/1/cgroup"))
                host.poweroff()
