"""Nothing of an operator's is destroyed: mounts and links below the store's folders, files that somebody
put where influxfs tidies up, through the mount and from the command line."""

import errno
import hashlib
import json
import os
import shutil
import subprocess

from lib import fixtures
from lib.cuts import INFLUXSNAP, snap, snap_code
from lib.files import run
from lib.mount import mounts_under
from lib.restores import RestoreTest, drop, errno_name
from lib.stores import HandmadeStore, tsm, wal_entry
from lib.trees import difference, store_tree, tree, whole_tree

FAILED = 1
SHARD = "old db/autogen/1"


class OperatorTest(RestoreTest):
    """self.cold is a folder of the operator's, with a copy of a shard and a file of his own."""

    timeout = 600

    def setUp(self):
        super().setUp()
        self.cold = self.folder / "cold"
        shutil.copytree(self.store / "data" / SHARD, self.cold)
        (self.cold / "notes.txt").write_text("mine")
        (self.cold / "deeper/still").mkdir(parents=True)
        (self.cold / "deeper/still/000000001-000000001.tsm").write_bytes(tsm(b"cold"))
        self.cold_before = tree(self.cold)

    def bind(self, source, point):
        """Mounted until the end of the test, if not unmounted before."""
        if os.geteuid():
            self.skipTest("only root can mount file systems")
        if source:
            run("mount", "--bind", source, point)
        else:
            run("mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", point)
            run("cp", "-a", f"{self.cold}/.", point)
        self.addCleanup(lambda: str(point) in mounts_under(point) and run("umount", point))
        return point

    def restore_by_command(self, *words):
        code, said = snap_code(self.store, "restore", *words, self.tar)
        return code, said

    def check_cold(self, place=None):
        got = tree(place or self.cold)
        self.assertTrue(self.cold_before == got, difference(self.cold_before, got))

    def left_behind(self, root=None):
        """name of a file -> where it lies, of all that was set aside."""
        return {os.path.basename(name): name for name in tree(root or self.store) if "left-behind-" in name}


class MountBelowTest(OperatorTest):
    """Refused, before anything is unpacked, as often as it is tried; and done once it is unmounted."""

    def check_refused_everywhere(self, mnt, point):
        before = whole_tree(self.store)
        for _ in range(3):
            with self.assertRaises(OSError) as caught:
                os.open(mnt / "restore/a.tar", os.O_WRONLY | os.O_CREAT)
            self.assertEqual(errno_name(caught.exception.errno), "EBUSY")
            last = self.log(mnt)[-1]
            self.assertIn(f"{point} is a mount point", last)
            self.assertIn("refused", last)
            for words in ((), ("--dry-run",)):
                code, said = self.restore_by_command(*words)
                self.assertEqual(code, FAILED, said)
                self.assertIn(f"{point} is a mount point", said)
                self.assertNotIn("unpacking", said)
        self.check_untouched(before)

    def check(self, folder, *kinds):
        """kinds: of the mounts, one below the other."""
        points = []
        place = self.store / folder
        for number, kind in enumerate(kinds):
            place = place / "deeper" if number else place
            points.append(self.bind(self.cold if kind == "bind" else None, place))
        mnt = self.mount(self.store)
        self.check_refused_everywhere(mnt, points[0])
        for point in reversed(points):
            run("umount", point)
        self.check_cold()
        for number in range(3):
            run("cp", self.tar, mnt / f"restore/{number}.tar")
            self.check_restored()
            self.assertEqual(self.restore_by_command()[0], 0)
            self.check_restored()
        self.check_cold()

    def test_database(self):
        self.check("data/old db", "bind")

    def test_policy(self):
        self.check("data/old db/autogen", "bind")

    def test_shard(self):
        self.check(f"data/{SHARD}", "bind")

    def test_shard_on_tmpfs(self):
        self.check(f"data/{SHARD}", "tmpfs")

    def test_wal_database(self):
        self.check("wal/old db", "tmpfs")

    def test_wal_shard(self):
        self.check(f"wal/{SHARD}", "bind")

    def test_two_levels(self):
        self.check(f"data/{SHARD}", "bind", "tmpfs")

    def test_folder_of_nobody_in_meta(self):
        (self.store / "meta/extra").mkdir()
        point = self.bind(self.cold, self.store / "meta/extra")
        mnt = self.mount(self.store)
        self.check_refused_everywhere(mnt, point)
        self.check_cold()

    def test_below_a_mounted_data_folder(self):
        """Its contents are exchanged, and what is mounted in them cannot be."""
        shutil.copytree(self.store / "data", self.folder / "disk")
        self.bind(self.folder / "disk", self.store / "data")
        point = self.bind(self.cold, self.store / "data" / SHARD)
        mnt = self.mount(self.store)
        self.check_refused_everywhere(mnt, point)
        run("umount", point)
        for number in range(3):
            run("cp", self.tar, mnt / f"restore/{number}.tar")
        run("diff", "-r", "-x", ".influxfs", self.source / "data", self.store / "data")
        self.check_cold()

    def test_mounted_while_it_is_copied(self):
        """Asked again right before the exchange."""
        mnt = self.mount(self.store)
        content = self.tar.read_bytes()
        before = whole_tree(self.store)
        fd = os.open(mnt / "restore/a.tar", os.O_WRONLY | os.O_CREAT)
        os.write(fd, content[:-512])
        point = self.bind(self.cold, self.store / "data" / SHARD)
        with self.assertRaises(OSError) as caught:
            os.write(fd, content[-512:])
            os.close(fd)
        self.assertEqual(errno_name(caught.exception.errno), "EBUSY")
        self.assertIn(f"{point} is a mount point", self.log(mnt)[-1])
        self.check_cold()
        run("umount", point)
        self.check_untouched(before)
        self.check_cold()


class MountInSideFolderTest(OperatorTest):
    """Where an older influxfs, or an operator, has brought a mount: it is named, and left alone."""

    def check(self, folder):
        place = self.store / folder
        place.mkdir(parents=True)
        point = self.bind(self.cold, place)
        mnt = self.mount(self.store)  # which tidies up
        self.check_cold()
        self.assertEqual(drop(mnt / "restore/a.tar", self.tar.read_bytes()), errno.EBUSY)
        self.assertIn(f"{point} is a mount point", self.log(mnt)[-1])
        code, said = self.restore_by_command()
        self.assertEqual(code, FAILED, said)
        self.assertIn(str(point), said)
        self.check_cold()
        run("cp", mnt / "snapshots/now.tar", self.folder / "later.tar")  # backups go on
        run("umount", point)
        run("cp", self.tar, mnt / "restore/")
        run("cp", self.tar, mnt / "restore/again.tar")
        self.check_cold()
        self.assertEqual(store_tree(self.store, times=False), store_tree(self.source, times=False))

    def test_kept(self):
        self.check(f"data.before-restore/{SHARD}")

    def test_older_kept(self):
        self.check(f"data.before-restore.old/{SHARD}")

    def test_staging(self):
        self.check("data.restoring")

    def test_pending(self):
        self.check("data.pending/0123456789abcdef.new/data")

    def test_on_the_kept_store(self):
        """The folder of the kept store is one itself."""
        mnt = self.mount(self.store)
        run("cp", self.tar, mnt / "restore/")
        mnt.unmount()
        point = self.bind(self.cold, self.store / "data.before-restore")
        for _ in range(3):
            self.assertEqual(self.restore_by_command()[0], FAILED)
        self.check_cold(point)
        run("umount", point)
        self.assertEqual(self.restore_by_command()[0], 0)
        self.check_cold()


    def test_after_an_older_version(self):
        """One that destroyed ended its second restore so: complete, with its journal and the older store left."""
        point = self.store / "data.before-restore.old" / SHARD
        point.mkdir(parents=True)
        self.bind(self.cold, point)
        text = "influxfs-journal 1\nphase exchange\nid some-id\n" + "".join(
            f"{folder} beside existed {self.store}/{folder}\n" for folder in ("meta", "data", "wal"))
        journal = self.store / "meta.influxfs-journal"
        journal.write_text(f"{text}sum {hashlib.sha256(text.encode()).hexdigest()}\n")
        mnt = self.mount(self.store)
        self.assertRegex(self.log(mnt)[-1], f"some-id is complete, but {point} is a mount point")
        self.check_cold()
        self.assertEqual(drop(mnt / "restore/a.tar", self.tar.read_bytes()), errno.EBUSY)
        self.check_cold()
        run("umount", point)
        run("cp", self.tar, mnt / "restore/")
        self.check_restored()
        self.check_cold()


class LinkTest(OperatorTest):
    """A link goes with the store; what it leads to stays, however often that is replaced."""

    def check(self, place, target):
        shutil.rmtree(self.store / place, ignore_errors=True)
        (self.store / place).symlink_to(target)
        mnt = self.mount(self.store)
        for number in range(3):
            run("cp", self.tar, mnt / f"restore/{number}.tar")
            self.check_restored()
            if number == 0:
                self.assertTrue((self.store / f"{place.replace('/', '.before-restore/', 1)}").is_symlink())
            self.check_cold()
        self.assertEqual(self.left_behind(), {})

    def test_shard(self):
        self.check(f"data/{SHARD}", self.cold)

    def test_wal_shard(self):
        self.check(f"wal/{SHARD}", self.cold)

    def test_policy(self):
        self.check("data/old db/autogen", self.cold)

    def test_database(self):
        self.check("data/elsewhere", self.cold)

    def test_relative(self):
        self.check(f"data/{SHARD}", "../../../../cold")


class StrangerTest(OperatorTest):
    """A file that somebody else put there is never removed."""

    def test_in_the_store_and_in_the_kept_one(self):
        """Whatever the level."""
        names = ["data/README", f"data/{SHARD}/notes 1", "data/old db/notes 2", "wal/notes 3", "meta/notes 4",
                 "data/scripts/run.sh", f"wal/{SHARD}/notes 5"]
        for name in names:
            path = self.store / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(name)
        mnt = self.mount(self.store)
        run("cp", self.tar, mnt / "restore/1.tar")
        (self.store / "data.before-restore/put there later").write_text("later")
        code, said = self.restore_by_command()
        self.assertEqual(code, 0, said)
        found = self.left_behind()
        for name in names:
            self.assertEqual((self.store / found[os.path.basename(name)]).read_text(), name)
        self.assertEqual((self.store / found["put there later"]).read_text(), "later")
        for folder in ("meta", "data", "wal"):
            self.assertIn(f"{self.store}/{folder}.left-behind-1 holds", said)
            self.assertTrue(any(f"{folder}.left-behind-1 holds" in line for line in self.log(mnt)))
        kept = tree(self.store / "data.left-behind-1")
        self.assertFalse([name for name in kept if name.endswith((".tsm", ".wal"))], "the store's own went")
        for number in range(3):
            run("cp", self.tar, mnt / f"restore/again-{number}.tar")
        self.assertEqual(self.left_behind(), found)
        self.assertEqual(store_tree(self.store, times=False), store_tree(self.source, times=False))

    def test_stores_of_servers(self):
        """Whatever influxd itself makes is no stranger, of any version and kind of index."""
        for name in fixtures.NAMES:
            store = fixtures.unpack(name, self.folder / name)
            for _ in range(2):
                said = snap(store, "restore", self.tar)
                self.assertNotIn("left over", said)
            self.assertEqual(self.left_behind(store), {}, name)

    def test_in_side_folders(self):
        for name in ("data.restoring/mine", "wal.before-restore.old/mine too", "data.pending/also mine",
                     "data.pending/0123456789abcdef.new/and this"):
            (self.store / name).parent.mkdir(exist_ok=True)
            (self.store / name).write_text(name)
        with self.mounted(self.store) as mnt:
            run("cp", self.tar, mnt / "restore/")
            said = self.log(mnt)
        found = self.left_behind()
        self.assertEqual(sorted(found), ["and this", "data.left-behind-1", "left-behind-1", "mine", "mine too",
                                         "wal.left-behind-1"])
        self.assertEqual((self.store / "data.pending/also mine").read_text(), "data.pending/also mine")
        self.assertTrue(any("data.pending/left-behind-1 holds" in line for line in said))

    def test_in_a_mounted_data_folder(self):
        """lost+found stays where it is, a README goes with the store that it lay in."""
        shutil.copytree(self.store / "data", self.folder / "disk")
        self.bind(self.folder / "disk", self.store / "data")
        (self.store / "data/README").write_text("mine")
        (self.store / "data/lost+found").mkdir()
        (self.store / "data/lost+found/#12").write_text("found")
        mnt = self.mount(self.store)
        for number in range(3):
            run("cp", self.tar, mnt / f"restore/{number}.tar")
            self.assertEqual((self.store / "data/lost+found/#12").read_text(), "found")
        self.assertEqual((self.store / self.left_behind()["README"]).read_text(), "mine")
        self.assertTrue(any("data/.influxfs/left-behind-1 holds" in line for line in self.log(mnt)))


class StateFolderTest(OperatorTest):
    """Cuts and clones."""

    def setUp(self):
        super().setUp()
        self.made = HandmadeStore(self.folder / "cut")
        self.shard()
        self.root = self.made.write_meta()
        self.state = self.root / "influxfs"
        snap(self.root, "cut")

    def shard(self):
        self.made.shard("db", tsm={"000000001-000000001.tsm": tsm(b"x")}, wal={"_00001.wal": wal_entry(1)})
        self.made.write_meta()

    def more_cuts(self, count):
        for _ in range(count):
            self.shard()
            snap(self.root, "cut")

    def test_cut_folder(self):
        """A file of somebody's stays when cuts are folded, and nobody fails because of it."""
        self.more_cuts(2)
        files = self.state / "cuts/files"
        folders = sorted(os.listdir(files))
        for folder in folders:
            (files / folder / "notes.txt").write_text("mine")
        (self.state / "cuts/notes.tmp").write_text("mine")
        snap(self.root, "prune", "--keep=0")
        for folder in folders:
            self.assertEqual((files / folder / "notes.txt").read_text(), "mine")
        self.assertEqual((self.state / "cuts/notes.tmp").read_text(), "mine")
        self.more_cuts(1)
        cuts = json.loads(snap(self.root, "list", "--json"))["cuts"]
        self.assertEqual([cut["number"] for cut in cuts], [1, 2])

    def test_mount_in_the_cuts(self):
        self.more_cuts(2)
        point = self.state / "cuts/files" / sorted(os.listdir(self.state / "cuts/files"))[0] / "deeper"
        point.mkdir()
        self.bind(self.cold, point)
        code, said = snap_code(self.root, "prune", "--keep=0")
        self.assertEqual(code, FAILED, said)
        self.assertIn(f"{point} is a mount point", said)
        self.check_cold()
        run("umount", point)
        snap(self.root, "prune", "--keep=0")
        self.check_cold()

    def clone(self):
        if os.geteuid():
            self.skipTest("only root can mount an overlay")
        place = self.folder / "clone"
        snap(self.root, "clone", "latest", place)
        self.addCleanup(lambda: mounts_under(place) and run("umount", place))
        return place

    def test_clone(self):
        """What was written in it by hand stays."""
        place = self.clone()
        (place / "notes.txt").write_text("mine")
        (place / "data/db/autogen/1/more.txt").write_text("mine")
        os.unlink(place / "data/db/autogen/1/000000001-000000001.tsm")  # a whiteout now
        done = subprocess.run([INFLUXSNAP, "-c", self.root, "clone", "--remove", place], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=True)
        self.assertIn(f"{self.state}/clones/left-behind-1 holds", done.stderr)
        self.assertEqual(os.listdir(self.state / "clones"), ["left-behind-1"])
        upper = self.state / "clones/left-behind-1/upper"
        self.assertEqual(sorted(name for name in tree(upper) if name.endswith(".txt")),
                         ["data/db/autogen/1/more.txt", "notes.txt"])
        self.assertFalse([name for name in tree(upper.parent) if name.endswith((".tsm", ".wal", ".db"))])
        snap(self.root, "clone", "latest", place)
        snap(self.root, "clone", "--remove", place)
        self.assertEqual(os.listdir(self.state / "clones"), ["left-behind-1"])

    def test_mount_in_a_clone(self):
        place = self.clone()
        name = os.listdir(self.state / "clones")[0]
        point = self.state / "clones" / name / "upper/data"
        point.mkdir(exist_ok=True)
        self.bind(self.cold, point)
        code, said = snap_code(self.root, "clone", "--remove", place)
        self.assertEqual(code, FAILED, said)
        self.assertIn(f"{point} is a mount point", said)
        self.check_cold()
        run("umount", point)
        snap(self.root, "clone", "--remove", place)
        self.assertEqual(os.listdir(self.state / "clones"), [])
        self.check_cold()
