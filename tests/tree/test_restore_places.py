"""restore/as/NEWDB/ and restore/merge/{ours,theirs}/: folders whose place says how a snapshot is restored."""

import errno
import os
import time

from lib.case import StoreTest
from lib.files import run
from lib.influxbackup import backup
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
        for name in (".influxfs", "_internal", "lost+found", "a\\b", "a\x01b", ".dot"):
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


class RealPlacesTest(RestoreTest):
    """What influxd answers when a snapshot or a set was copied into one of the folders."""

    def setUp(self):
        StoreTest.setUp(self)
        self.portable = self.folder / "portable"
        self.legacy = self.folder / "legacy"
        with Influxd(self.folder / "source") as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.run("CREATE DATABASE mine")
            influxd.write(["m v=1 1000000000", "m v=2 2000000000", "n v=1 1"], "db")
            influxd.write(["x v=7 1"], "mine")
            backup(influxd, self.portable, "-portable", "-database", "db")
            backup(influxd, self.legacy, "-database", "db")
        self.store = self.folder / "store"
        with Influxd(self.store) as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.run("CREATE DATABASE mine")
            influxd.write(["m v=-1 1000000000", "m v=-3 3000000000"], "db")
            influxd.write(["x v=1 1"], "mine")
        with self.mounted(self.folder / "source", "mnt-source") as mnt:
            run("cp", mnt / "databases/db.tar", self.folder / "db.tar")
        self.mnt = self.mount(self.store)
        self.inside = self.mnt / "restore"

    def copies(self, command, place):
        code, said = self.shell(command, FOLDER=self.folder, DIR=self.inside / place)
        self.assertEqual(code, 0, f"{said}{self.log(self.mnt)[-1]}")
        self.assertRegex(self.log(self.mnt)[-1], "Z restored ")

    def unmounted(self):
        if os.path.ismount(self.mnt.point):
            self.mnt.unmount()
        return self.store

    def answers(self, *dbs):
        with Influxd(self.unmounted()) as influxd:
            return [[row[1] for row in series["values"]] for db in dbs for series in influxd.run("SELECT v FROM m", db)] + \
                   [sorted(row[0] for series in influxd.run("SHOW DATABASES") for row in series["values"])]

    def test_as(self):
        os.makedirs(self.inside / "as/c")
        self.copies("cp -r FOLDER/portable DIR/a", "as")
        self.copies("rsync -r FOLDER/portable DIR/b/", "as")
        self.copies("cp FOLDER/db.tar DIR/", "as/c")
        self.copies("mkdir DIR/d && rsync -a FOLDER/db.tar DIR/d/", "as")
        self.copies("cp -r FOLDER/legacy DIR/e && touch DIR/e/.done", "as")
        self.copies("mkdir DIR/f && tar -cf - -C FOLDER legacy > DIR/f/set.tar", "as")
        self.copies("tar -cf - -C FOLDER/portable . | (mkdir DIR/g && tar -xf - -C DIR/g)", "as")
        self.assertEqual(self.answers("db", *"abcdefg"), [[-1, -3]] + [[1, 2]] * 7 + [sorted(["db", "mine", *"abcdefg"])])

    def test_as_one_that_is_there(self):
        before = whole_tree(self.store)
        code, said = self.shell("cp -r FOLDER/portable DIR/mine", FOLDER=self.folder, DIR=self.inside / "as")
        self.assertNotEqual(code, 0, said)
        self.assertIn("mine", self.log(self.mnt)[-1])
        self.check_untouched(before)

    def test_as_in_several_runs(self):
        """Each adds to what the one before has made."""
        with Influxd(self.folder / "source") as influxd:
            influxd.write(["m v=3 2000000000", "m v=4 1900000000000000000"], "db")
            time.sleep(1.1)  # runs are named by the second
            backup(influxd, self.portable, "-portable", "-database", "db", "-since", "2020-01-01T00:00:00Z")
        self.assertEqual(len(list(self.portable.glob("*.manifest"))), 2)
        self.copies("rsync -r FOLDER/portable DIR/a/", "as")
        self.assertEqual(self.restore_status(self.mnt)["restores"], 2)
        self.assertEqual(self.answers("db", "a"), [[-1, -3], [1, 3, 4], ["a", "db", "mine"]])

    def test_in_its_place(self):
        self.copies("cp -r FOLDER/portable DIR/", "")
        with Influxd(self.unmounted()) as influxd:
            self.assertEqual(influxd.run("SELECT v FROM x", "mine")[0]["values"], [["1970-01-01T00:00:00.000000001Z", 1]])
        self.assertEqual(self.answers("db"), [[1, 2], ["db", "mine"]])

    def test_merge_ours(self):
        self.copies("cp -r FOLDER/portable DIR/", "merge/ours")
        self.copies("cp FOLDER/db.tar DIR/", "merge/ours")
        self.assertEqual(self.answers("db"), [[-1, 2, -3], ["db", "mine"]])

    def test_merge_theirs(self):
        self.copies("rclone --config /dev/null copy FOLDER/portable DIR/set", "merge/theirs")
        self.copies("cp -r FOLDER/legacy DIR/ && : > DIR/legacy/.done", "merge/theirs")
        self.assertEqual(self.answers("db"), [[1, 2, -3], ["db", "mine"]])
