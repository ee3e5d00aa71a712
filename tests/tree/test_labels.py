"""A restore keeps what operators have put on the folders of a store: SELinux labels, ACLs, user attributes."""

import os
import unittest

from lib.cuts import INFLUXSNAP
from lib.files import run
from lib.restores import RestoreTest

LABEL = b"system_u:object_r:mysqld_db_t:s0\0"
NOTE = b"belongs to the plant"


def attributes(path):
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@unittest.skipIf(os.geteuid(), "only root may set a security label")
class LabelsTest(RestoreTest):
    def setUp(self):
        super().setUp()
        # influxd's folder, a database of the snapshot, and one of its shards.
        self.folders = [self.store / name for name in ("meta", "data", "wal", "data/first", "data/first/autogen/1")]
        for folder in self.folders:
            folder.mkdir(parents=True, exist_ok=True)
            os.setxattr(folder, "user.note", NOTE + bytes(str(folder), "utf-8"))
            os.setxattr(folder, "security.selinux", LABEL)
            run("setfacl", "-m", "u:1234:rx,d:u:1234:r-x,d:g:4321:r-x", folder)
        self.before = {folder: attributes(folder) for folder in self.folders}
        self.assertEqual(len(self.before[self.folders[0]]), 4)

    def check_labels(self):
        for folder in self.folders:
            with self.subTest(folder=folder):
                self.assertEqual(attributes(folder), self.before[folder])

    def check_inherited(self):
        """What is new has what any new file in these folders has."""
        files = list((self.store / "data/first").glob("*/*/*.tsm"))
        self.assertTrue(files)
        for file in files:
            self.assertIn("system.posix_acl_access", os.listxattr(file), file)
        folder = self.store / "data/second db"
        self.assertIn("user:1234:r-x", run("getfacl", "-cpn", folder))
        self.assertIn("default:group:4321:r-x", run("getfacl", "-cpn", folder))

    def test_full_snapshot(self):
        with self.mounted(self.store) as mnt:
            run("cp", self.tar, mnt / "restore/")
            self.assertNotIn("warning", (mnt / "restore/log").read_text())
        self.check_labels()
        self.check_inherited()

    def test_mode_of_an_acl(self):
        """A snapshot of folders with mode 0700 does not take the rights of an ACL away."""
        for folder, _, _ in os.walk(self.source):
            os.chmod(folder, 0o700)
        run("cp", self.snapshot(self.source), self.folder / "closed.tar")
        run(INFLUXSNAP, "-c", self.store, "restore", self.folder / "closed.tar")
        self.check_labels()
        self.assertIn("user:1234:r-x\n", run("getfacl", "-cpn", self.store / "data/first"))

    def test_removed_acl(self):
        """An ACL that the folder above hands on, but the folder replaced had not."""
        bare = self.store / "data/first"
        run("setfacl", "-b", bare)
        self.before[bare] = attributes(bare)
        run(INFLUXSNAP, "-c", self.store, "restore", self.tar)
        self.check_labels()

    def test_numbers(self):
        """They are staged by links from the store and from the numbers that wait."""
        chain = self.folder / "chain.tar"
        run(INFLUXSNAP, "-c", self.source, "backup", chain)
        wal = self.source / "wal/first/autogen/1"
        (wal / "_00003.wal").write_bytes((wal / "_00002.wal").read_bytes())
        run(INFLUXSNAP, "-c", self.source, "backup", chain)
        with self.mounted(self.store) as mnt:
            run("cp", f"{chain}.0", mnt / "restore/")
            run("cp", chain, mnt / "restore/")
            self.assertTrue((self.store / "wal/first/autogen/1/_00003.wal").exists())
        self.check_labels()
        self.check_inherited()

    def test_mounted_data_folder(self):
        """It stays, and what is put into it inherits."""
        data = self.store / "data"
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", data)
        self.addCleanup(run, "umount", data)
        run("setfacl", "-m", "u:1234:rx,d:u:1234:r-x,d:g:4321:r-x", data)
        self.folders = [folder for folder in self.folders if not str(folder).startswith(f"{data}/")]
        self.before[data] = attributes(data)
        run(INFLUXSNAP, "-c", self.store, "restore", self.tar)
        self.check_labels()
        self.check_inherited()
