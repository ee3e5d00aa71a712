"""restore/as/NEWDB/ and restore/merge/{ours,theirs}/: folders whose place says how a snapshot is restored."""

import errno
import os

from lib.influxd import Influxd
from lib.restores import RestoreTest, drop
from lib.trees import whole_tree


class PlacesTest(RestoreTest):
    """The folders, and what may be in them."""

    def setUp(self):
        super().setUp()
        self.mnt = self.mount(self.store)
        self.inside = self.mnt / "restore"

    def fails(self, number, words, action):
        before = whole_tree(self.store)
        with self.assertRaises(OSError) as caught:
            action()
        self.assertEqual(caught.exception.errno, number, caught.exception)
        if words:
            self.assertRegex(self.log(self.mnt)[-1], f"Z refused .*{words}")
        self.assertEqual(before, whole_tree(self.store))

    def test_listed_once_used(self):
        """Crawlers see no more than before; by name they are always there."""
        self.assertEqual(sorted(os.listdir(self.inside)), ["log", "status.json"])
        self.assertEqual(sorted(os.listdir(self.inside / "merge")), ["ours", "theirs"])
        os.makedirs(self.inside / "as/new")
        self.assertEqual(sorted(os.listdir(self.inside)), ["as", "log", "status.json"])
        self.assertEqual(os.listdir(self.inside / "as"), ["new"])
        os.rmdir(self.inside / "as/new")
        self.assertEqual(sorted(os.listdir(self.inside)), ["log", "status.json"])

    def test_attributes(self):
        os.makedirs(self.inside / "as/new")
        numbers = {os.stat(self.inside / name).st_ino for name in ("as", "as/new", "merge", "merge/ours", "merge/theirs")}
        self.assertEqual(len(numbers), 5)
        for name in ("as", "merge", "merge/ours", "merge/theirs"):
            self.assertEqual(os.stat(self.inside / name).st_mode & 0o777, 0o700)
            self.assertEqual(os.stat(self.inside / name).st_uid, os.stat(self.inside).st_uid)

    def test_they_stay(self):
        for name in ("as", "merge/ours", "merge/theirs", "merge"):
            self.fails(errno.EROFS, None, lambda name=name: os.rmdir(self.inside / name))

    def test_refused_names(self):
        for name in (".influxfs", "_internal", "lost+found", "a\\b", ".dot"):
            with self.subTest(name=name):
                self.fails(errno.EINVAL, "as/", lambda name=name: os.mkdir(self.inside / "as" / name))
        self.fails(errno.EINVAL, "merge/ours/ is for", lambda: os.mkdir(self.inside / "merge/mine"))
        for name in ("new db", "ü", "-rf", "a.b", "_t"):
            os.mkdir(self.inside / "as" / name)

    def test_refused_files(self):
        """A file must lie where its place says what is to be done."""
        content = self.tar.read_bytes()
        for place, words in (("as", "as/NAME/"), ("merge", "merge/ours/ or merge/theirs/")):
            before = whole_tree(self.store)
            self.assertEqual(drop(self.inside / place / "now.tar", content), errno.EINVAL)
            self.assertIn(f"{place}/now.tar: copy it into a folder below that: {words}", self.log(self.mnt)[-1])
            self.assertEqual(os.listdir(self.inside / place), [] if place == "as" else ["ours", "theirs"])
            self.check_untouched(before)

    def test_not_moved_between_places(self):
        """What was received to take the store's place cannot become something else by a new name."""
        os.makedirs(self.inside / "as/new")
        os.makedirs(self.inside / "folder")
        content = self.tar.read_bytes()
        before = whole_tree(self.store)
        self.assertEqual(drop(self.inside / ".now.tar.x", content), 0)
        for name in ("as/new/now.tar", "merge/ours/now.tar"):
            with self.assertRaises(OSError) as caught:
                os.rename(self.inside / ".now.tar.x", self.inside / name)
            self.assertEqual(caught.exception.errno, errno.EXDEV)
            self.assertIn(f"copy the file itself to {name}", self.log(self.mnt)[-1])
        os.unlink(self.inside / ".now.tar.x")
        self.check_untouched(before)
        # Between folders that ask for the same it goes as ever.
        self.assertEqual(drop(self.inside / "folder/.now.tar.x", content), 0)
        os.rename(self.inside / "folder/.now.tar.x", self.inside / "now.tar")
        self.check_restored()

    def test_running_influxd(self):
        """The first command fails, not each file that is copied."""
        with Influxd(self.folder / "running") as influxd, self.mounted(influxd.root, "busy") as mnt:
            for name in ("as/new", "merge/ours/folder", "folder"):
                with self.assertRaises(OSError) as caught:
                    os.mkdir(mnt / "restore" / name)
                self.assertEqual(caught.exception.errno, errno.EBUSY)
                self.assertRegex(self.log(mnt)[-1], "Z refused.*influxd")
