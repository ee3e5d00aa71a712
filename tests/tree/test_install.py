"""make install and make uninstall: what is put where, and that all of it goes again."""

import re
import shutil
import tempfile
import unittest
from pathlib import Path

from lib.files import CHECKOUT, run
from lib.trees import tree

# What a host has already.
OTHERS = ("usr/bin/other", "usr/lib/systemd/system/other.service", "usr/local/share/man/man1/other.1")
OTHER_FOLDERS = ("usr/local/bin", "usr/share/man/man8")

# Paths of ours, as texts name them.
OURS = re.compile(r"(?<![\w/])/(?:usr/(?:local/)?(?:s?bin|lib|share|etc)|etc/default)/[\w./@-]*influx(?:fs|snap)"
                  r"(?:[a-z@-]*[a-z@])?(?:\.\w+)*(?![\w@%-])")


def places(prefix, configuration):
    """Where what is in the checkout is to be."""
    yield from (f"{prefix}/bin/influxfs", f"{prefix}/bin/influxsnap", f"{prefix}/sbin/mount.influxfs",
                f"{prefix}/sbin/mount.fuse.influxfs", f"{prefix}/share/doc/influxfs/README.md")
    yield from (f"{prefix}/bin/influxfs-{job}" for job in ("archive", "fetch", "dump"))
    for manual in (CHECKOUT / "man").glob("*.?"):
        yield f"{prefix}/share/man/man{manual.suffix[1]}/{manual.name}"
    helper = CHECKOUT / "mount-helper"
    for unit in (helper / "systemd").glob("*"):
        yield f"{prefix}/lib/systemd/system/{unit.name}"
    for file in (helper / "completion").glob("*"):
        yield (f"{prefix}/share/bash-completion/completions/{file.stem}" if file.suffix == ".bash" else
               f"{prefix}/share/zsh/site-functions/{file.name}")
    for file in (helper / "monitoring").glob("*"):
        yield f"{prefix}/share/influxfs/monitoring/{file.name}"
    yield f"{configuration}/default/influxfs"


class InstallTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="influxfs-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = self.folder / "root"
        for name in OTHERS:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("other")
        for name in OTHER_FOLDERS:
            (self.root / name).mkdir(parents=True)
        self.before = self.now()

    def make(self, *words):
        """Each test has a stage of its own, since two of them may be at it at once."""
        return run("flock", CHECKOUT / "build/.lock", "make", "-C", CHECKOUT, f"stage={self.folder}/stage",
                   f"DESTDIR={self.root}", *words)

    def now(self):
        return tree(self.root, times=False)

    def installed(self):
        return {f"/{name}" for name in self.now().keys() - self.before.keys() if not (self.root / name).is_dir()}

    def assert_all_goes(self, prefix, configuration):
        self.make("install", f"PREFIX={prefix}")
        installed = self.installed()
        self.assertEqual(set(places(prefix, configuration)) - installed, set())
        self.assert_paths_agree(prefix, installed)
        self.make("uninstall", f"PREFIX={prefix}")
        self.assertEqual(self.now(), self.before)

    def assert_paths_agree(self, prefix, installed):
        """What manuals, units and configuration name as installed is there. They may say what would be
        in /usr/local."""
        named = set()
        for path in installed:
            if re.search("/man/|/systemd/|/default/", path):
                named |= {(path, name) for name in OURS.findall((self.root / path[1:]).read_text())}
        self.assertTrue(named)
        self.assertEqual([(path, name) for path, name in named if not (self.root / name[1:]).exists()
                          and (prefix == "/usr/local" or not name.startswith("/usr/local/"))], [])

    def test_usr(self):
        self.assert_all_goes("/usr", "/etc")

    def test_usr_local(self):
        self.assert_all_goes("/usr/local", "/usr/local/etc")

    def test_advice_where_mount_does_not_look(self):
        self.assertIn("mount(8) looks in /sbin only", self.make("install", "PREFIX=/usr/local"))
        self.assertNotIn("mount(8)", self.make("install", "PREFIX=/usr"))

    def test_install_again(self):
        """What an earlier version had and this one has not goes; edited configuration stays."""
        self.make("install", "PREFIX=/usr")
        first = self.now()
        default, gone = self.root / "etc/default/influxfs", self.root / "usr/share/influxfs/gone"
        default.write_text("edited\n")
        gone.write_text("gone\n")
        with (self.root / "usr/share/influxfs/installed").open("a") as listed:
            listed.write("f /usr/share/influxfs/gone\n")
        self.make("install", "PREFIX=/usr")
        self.assertEqual(default.read_text(), "edited\n")
        self.assertEqual(self.now().keys(), first.keys())
        self.assertIn("it stays", self.make("uninstall", "PREFIX=/usr"))
        self.assertEqual(self.installed(), {"/etc/default/influxfs"})

    def test_configuration_that_was_there(self):
        default = self.root / "etc/default/influxfs"
        default.parent.mkdir(parents=True)
        default.write_text("the operator's\n")
        self.before = self.now()
        self.make("install", "PREFIX=/usr")
        self.make("uninstall", "PREFIX=/usr")
        self.assertEqual(self.now(), self.before)

    def test_uninstall_of_nothing(self):
        with self.assertRaisesRegex(AssertionError, "nothing to take away"):
            self.make("uninstall", "PREFIX=/usr")
        self.assertEqual(self.now(), self.before)
