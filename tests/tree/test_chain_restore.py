"""Chains in restore/: base.tar and numbers, in any order, by any tool, across mounts."""

import errno
import itertools
import os
import shutil

from lib.case import StoreTest
from lib.chains import Chain, Growing, names_of, pack
from lib.files import run, wait_until
from lib.forge import Forgery
from lib.influxd import Influxd
from lib.restores import RestoreTest, drop, errno_name, tiny_store
from lib.trees import difference, litter, owner_of_new, store_tree, whole_tree


class ChainRestoreTest(RestoreTest):
    """self.store is to be restored into; self.chain is a chain of another one."""
    timeout = 300
    steps = 3
    size = 2000
    in_memory = True    # many are restored: none waits for what else the disk has to do

    def setUp(self):
        StoreTest.setUp(self)
        self.chain = Chain(self.folder / "chain", self.steps, self.grow)
        place = self.folder / "disk"
        place.mkdir()
        if self.in_memory and os.geteuid() == 0:
            self.disk(place)
        self.store = tiny_store(place / "store")
        self.mnt = self.mount(self.store, options=f"state={place}/state")
        self.inside = self.mnt / "restore"

    def disk(self, path, size="64m"):
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path)
        self.addCleanup(run, "umount", path)

    @property
    def grow(self):
        return Growing(self.size)

    def give(self, *names):
        """All are taken."""
        for name in names:
            content = (self.chain.tars / f"{name}.tar").read_bytes()
            self.assertEqual(errno_name(drop(self.inside / f"{name}.tar", content)), "0",
                             "\n".join(self.log(self.mnt)[-3:]))

    def refused(self, name, content, number, words):
        before = store_tree(self.store)
        self.assertEqual(errno_name(drop(self.inside / name, content)), errno_name(number))
        self.assertRegex(self.log(self.mnt)[-1], f"refused.*{words}")
        self.assertEqual(store_tree(self.store), before)

    def waiting(self):
        return {one["number"]: one["waits_for"] for one in self.restore_status(self.mnt)["pending"]}

    def check_state(self, name, kept=None, owner=None):
        """The store is as it was then, and nothing lies about."""
        self.check_restored(source=self.chain.states[str(name)], owner=owner)
        if kept:
            for folder in ("meta", "data", "wal"):
                run("diff", "-r", kept / folder, self.store / f"{folder}.before-restore")

    def forged(self, name, **manifest):
        forged = Forgery((self.chain.tars / f"{name}.tar").read_bytes())
        forged.manifest |= manifest
        return forged.bytes()


class OrderTest(ChainRestoreTest):

    def test_orders(self):
        """Every third; unit.chain has them all."""
        old = self.folder / "old"
        run("cp", "-a", self.store, old)
        other = pack(self.store, self.folder / "other.tar", names_of(self.store), id="other")
        for order in [*itertools.permutations(["base", "0", "1", "2"])][::3]:
            run("cp", other, self.inside / "other.tar")
            run("cp", *(self.chain.tars / f"{name}.tar" for name in order), self.inside)
            self.check_state(2, kept=old)
            self.assertEqual(self.waiting(), {}, order)

    def test_each_step(self):
        for name in ("base", "0", "1", "2"):
            self.give(name)
            self.check_state(name)
        self.assertEqual(self.restore_status(self.mnt)["restores"], 4)
        self.assertIn("restored 2.tar", self.log(self.mnt)[-1])

    def test_unchanged_files_are_linked(self):
        self.give("base")
        tsm = self.store / "data/db/autogen/1/000000001-000000001.tsm"
        before = tsm.stat().st_ino
        self.give("0")
        self.assertEqual((tsm.stat().st_ino, tsm.stat().st_nlink), (before, 1))

    def test_one_exchange_for_all(self):
        self.give("1", "0", "2", "base")
        self.check_state(2)
        self.assertEqual(self.restore_status(self.mnt)["restores"], 1)

    def test_kept_store_is_the_first(self):
        old = self.folder / "old"
        run("cp", "-a", self.store, old)
        self.give("base", "0")
        self.check_state(0, kept=old)
        self.give("2", "1")
        self.check_state(2, kept=old)

    def test_nothing_kept_of_nothing(self):
        self.mnt.unmount()
        shutil.rmtree(self.store)
        self.store.mkdir()
        self.mnt.start()
        self.give("0", "base", "1")
        self.check_state(1, owner=owner_of_new())
        self.assertEqual(sorted(os.listdir(self.store)), ["data", "meta", "wal"])


class ManyTest(ChainRestoreTest):
    steps = 11

    def test_shell_order(self):
        """0 1 10 2 … base, and the same once more."""
        for _ in range(2):
            run("sh", "-c", f"cp {self.chain.tars}/*.tar {self.inside}/")
            self.check_state(10)
            self.assertEqual(self.waiting(), {})

    def test_rsync(self):
        run("rsync", "-a", f"{self.chain.tars}/", f"{self.inside}/")
        self.check_state(10)

    def test_side_by_side(self):
        for writers in (2, 4):
            run("sh", "-c", f"cd {self.chain.tars}; ls *.tar | sort -R | xargs -P {writers} -I X cp X {self.inside}/")
            self.check_state(10)
            self.assertEqual(self.waiting(), {})
            other = pack(self.store, self.folder / "other.tar", names_of(self.store), id="other")
            run("cp", other, self.inside / "other.tar")

    def test_any_time_then_on(self):
        """A whole store of some number, and the numbers that follow it."""
        self.chain.full(4, self.folder / "at4.tar")
        self.give("2", "5", "6")
        self.assertEqual(set(self.waiting()), {2, 5, 6})
        run("cp", self.folder / "at4.tar", self.inside)
        self.check_state(6)
        self.assertEqual(self.waiting(), {})
        self.give("7")
        self.check_state(7)
        run("cp", self.folder / "at4.tar", self.inside / "4.tar")
        self.check_state(4)


class VerdictTest(ChainRestoreTest):

    def test_gap(self):
        self.give("base", "2")
        self.check_gap("number 1 is missing")
        self.assertIn("pending", self.restore_status(self.mnt)["state"])
        self.assertRegex(self.mnt.log.read_text(), r"influxfs: \d\.tar is verified and waits: number \d, snapshot \S+: ")
        self.assertRegex(self.log(self.mnt)[-1], "2.tar is number 2, verified, and waits: number 1 is missing")
        self.give("0", "1")
        self.check_state(2)

    def check_gap(self, words):
        self.assertEqual(self.waiting(), {2: words})
        one = self.restore_status(self.mnt)["pending"][0]
        self.assertEqual((one["name"], one["id"], one["parent"]), ("2.tar", self.chain.ids[3], self.chain.ids[2]))

    def test_remount(self):
        self.give("base", "2")
        self.mnt.unmount()
        self.mnt.start()
        self.check_gap("number 1 is missing")
        self.give("0", "1")
        self.check_state(2)
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual(self.restore_status(self.mnt)["pending"], [])
        self.give("2")
        self.assertIn("already restored", self.log(self.mnt)[-1])

    def test_double(self):
        self.give("2", "2")
        self.assertEqual(len(self.waiting()), 1)
        self.assertIn("waits already", self.log(self.mnt)[-1])

    def test_superseded(self):
        self.give("base", "0", "1", "0")
        self.assertIn("0.tar: number 0 is superseded", self.log(self.mnt)[-1])
        self.give("1")
        self.assertIn("1.tar: number 1 is already restored", self.log(self.mnt)[-1])
        self.assertEqual(self.restore_status(self.mnt)["restores"], 3)
        self.mnt.unmount()
        self.assertEqual(litter(self.store), [])

    def test_superseded_by_the_base(self):
        """A mirror whose base.tar has taken in what still lies beside it."""
        self.give("0", "2")
        self.chain.full(1, self.folder / "base.tar")
        run("cp", self.folder / "base.tar", self.inside)
        self.assertTrue(any("0.tar: number 0 is superseded" in line for line in self.log(self.mnt)))
        self.check_state(2)

    def test_wrong_parent(self):
        self.give("base", "0")
        self.refused("1.tar", self.forged("1", parent="other", id="fork"), errno.ESTALE, "two histories")
        self.check_state(0)

    def test_another_chain(self):
        self.give("base")
        self.assertEqual(drop(self.inside / "1.tar", self.forged("1", chain="other", id="x", parent="y")), 0)
        self.assertEqual(self.waiting(), {1: "the base.tar of its chain, and number 0 unless base.tar holds that"})
        self.give("0")
        self.assertEqual(set(self.waiting()), {1})

    def test_touched(self):
        self.give("base")
        os.utime(self.store / "meta/meta.db")
        self.refused("0.tar", (self.chain.tars / "0.tar").read_bytes(), errno.ESTALE, "the store has moved on since")
        self.assertEqual(litter(self.store), [])
        self.give("base", "0")
        self.check_state(0)

    def test_hostile_names(self):
        self.give("base")
        for names in (["../x"], ["/etc/passwd"], ["data/../meta/meta.db"], ["meta/raft.db"], ["data/.influxfs/x"], [""]):
            for key in ("removed", "removed_folders"):
                self.refused("0.tar", self.forged("0", **{key: names}), errno.EBADMSG, "manifest")
        tsm = "data/db/autogen/1/000000001-000000001.tsm"
        self.refused("0.tar", self.forged("0", removed=[tsm, tsm]), errno.EBADMSG, "does not fit")
        self.refused("0.tar", self.forged("0", removed=[f"{tsm}9"]), errno.EBADMSG, "does not fit")
        self.refused("0.tar", self.forged("0", removed=["meta/meta.db"]), errno.EBADMSG, "both holds and removes")
        self.refused("0.tar", self.forged("0", removed_folders=["data/db"]), errno.EBADMSG, "no folder")
        self.assertEqual(litter(self.store), [])
        self.give("0")
        self.check_state(0)

    def test_damaged(self):
        self.give("base", "2")
        content = (self.chain.tars / "0.tar").read_bytes()
        for at in range(700, len(content), len(content) // 12):
            bad = bytearray(content)
            bad[at] ^= 4
            self.refused("0.tar", bytes(bad), errno.EBADMSG, "")
        # The kernel tells of the last close a little later.
        self.assertIn(errno_name(drop(self.inside / "0.tar", content[:3000])), ("EBADMSG", "EIO"))
        wait_until(lambda: "ends early" in self.log(self.mnt)[-1], 5, "the verdict")
        self.check_gap("number 1 is missing")
        self.give("0", "1")
        self.check_state(2)

    def test_given_up(self):
        before = whole_tree(self.store)
        content = (self.chain.tars / "0.tar").read_bytes()
        fd = os.open(self.inside / "0.tar", os.O_WRONLY | os.O_CREAT)
        os.write(fd, content[:-2000])
        wait_until(lambda: litter(self.store) == ["data.pending"], 5, "it to be received")
        os.unlink(self.inside / "0.tar")
        with self.assertRaises(OSError):
            os.close(fd)
        self.assertEqual(drop(self.inside / ".0.tar.x", content), 0)
        os.unlink(self.inside / ".0.tar.x")
        self.check_untouched(before)

    def test_two_writers(self):
        """Taking turns, while a full snapshot is on its way as well."""
        self.give("base")
        contents = {name: (self.chain.tars / f"{name}.tar").read_bytes() for name in ("1", "0", "base")}
        fds = {name: os.open(self.inside / f"{name}.tar", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in contents}
        for start in range(0, max(map(len, contents.values())), 1000):
            for name, content in contents.items():
                os.write(fds[name], content[start:start + 1000])
        os.close(fds["1"])
        self.assertEqual(set(self.waiting()), {1})
        os.close(fds["base"])
        os.close(fds["0"])
        self.check_state(1)
        self.assertEqual(self.waiting(), {})

    def test_rsync_temporary(self):
        self.give("base")
        content = (self.chain.tars / "0.tar").read_bytes()
        self.assertEqual(drop(self.inside / ".0.tar.x", content), 0)
        self.check_restored_but_receiving("base")
        os.rename(self.inside / ".0.tar.x", self.inside / "0.tar")
        self.check_state(0)

    def check_restored_but_receiving(self, name):
        expected = store_tree(self.chain.states[name], times=False)
        got = store_tree(self.store, times=False)
        self.assertTrue(expected == got, difference(expected, got))


class PlaceTest(ChainRestoreTest):
    """Disks, owners, room."""
    in_memory = False

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("needs root")
        self.mnt.unmount()

    def contents(self, name):
        for folder in ("meta", "data", "wal"):
            run("diff", "-r", "--exclude=.influxfs", self.chain.states[name] / folder, self.store / folder)

    def test_data_is_a_mount_point(self):
        shutil.move(self.store / "data", self.folder / "old-data")
        (self.store / "data").mkdir()
        self.disk(self.store / "data")
        run("cp", "-aT", self.folder / "old-data", self.store / "data")
        self.mnt.start()
        own = self.store / "data/.influxfs"
        self.give("1")
        self.assertEqual(os.listdir(own / "pending"), ["data"])
        self.assertNotIn(".influxfs", os.listdir(self.mnt / "live/data"))
        self.give("base")
        self.contents("base")
        self.give("0", "2")
        self.contents("2")
        run("diff", "-r", self.folder / "old-data", own / "before-restore/data")
        self.assertEqual(os.listdir(own), ["before-restore"])

    def test_no_links(self):
        """The WAL on another disk than the numbers: what cannot be linked is copied."""
        shutil.rmtree(self.store / "wal")
        (self.store / "wal").mkdir()
        self.disk(self.store / "wal")
        self.mnt.start()
        self.give("1", "base", "0", "2")
        self.contents("2")

    def test_owner(self):
        self.mnt.options += ",owner=1234:2345"
        self.mnt.start()
        self.give("base", "0", "2")
        self.mnt.unmount()
        self.assertEqual({what[1] for what in store_tree(self.store).values()}, {(1234, 2345)})
        self.mnt.options = self.mnt.options.replace("1234:2345", "77:88")
        self.mnt.start()
        self.give("1")
        self.check_restored(source=self.chain.states["2"], owners=False)
        self.assertEqual({what[1] for what in store_tree(self.store).values()}, {(77, 88)})

    def test_full_disk(self):
        """A number that does not fit is refused; those that wait and the store are as they were."""
        root = self.folder / "small"
        root.mkdir()
        self.disk(root, "2m")
        run("cp", "-a", self.store, root / "store")
        self.store = root / "store"
        mnt = self.mount(self.store, "mnt2", options=f"state={self.folder}/state2")
        self.mnt, self.inside = mnt, mnt / "restore"
        self.give("base", "2")
        room = os.statvfs(root).f_bavail * os.statvfs(root).f_bsize
        (root / "ballast").write_bytes(bytes(max(room - 8192, 0)))
        before = store_tree(self.store)
        got = drop(self.inside / "0.tar", (self.chain.tars / "0.tar").read_bytes())
        self.assertEqual(errno_name(got), "ENOSPC", self.log(mnt)[-3:])
        self.assertEqual(store_tree(self.store), before)
        self.assertEqual(self.waiting(), {2: "number 1 is missing"})
        (root / "ballast").unlink()
        self.give("1", "0")
        self.check_restored_at("2")

    def check_restored_at(self, name):
        expected = store_tree(self.chain.states[name], times=False)
        got = store_tree(self.store, times=False)
        self.assertTrue(expected == got, difference(expected, got))


class RealChainTest(ChainRestoreTest):
    """Stores of influxd itself."""
    steps = 2

    @property
    def grow(self):
        def grow(root, step):
            with Influxd(root) as influxd:
                if step == 0:
                    influxd.run("CREATE DATABASE db WITH DURATION INF")
                influxd.write([f"m v={step} {step + 1}"], "db")
        return grow

    def values(self):
        with Influxd(self.store) as influxd:
            return [row[1] for row in influxd.run("SELECT v FROM m", "db")[0]["values"]]

    def test_answers(self):
        self.give("1", "base", "0")
        self.assertEqual(self.values(), [0, 1, 2])

    def test_moved_on(self):
        """influxd wrote to what was restored."""
        self.give("base")
        with Influxd(self.store) as influxd:
            self.assertEqual(errno_name(drop(self.inside / "0.tar", b"")), "EBUSY")
            influxd.write(["m v=77 77"], "db")
        self.refused("0.tar", (self.chain.tars / "0.tar").read_bytes(), errno.ESTALE, "the store has moved on since")
        self.assertEqual(self.values(), [0, 77])

    def test_only_started(self):
        """Without a write it is the same store, whatever influxd derived."""
        self.give("base")
        self.assertEqual(self.values(), [0])
        self.give("0")
        self.assertEqual(self.values(), [0, 1])

    def test_started_while_copying(self):
        self.give("base")
        content = (self.chain.tars / "0.tar").read_bytes()
        fd = os.open(self.inside / "0.tar", os.O_WRONLY | os.O_CREAT)
        os.write(fd, content[:2000])
        with Influxd(self.store), self.assertRaises(OSError) as caught:
            os.write(fd, content[2000:])
            os.close(fd)
        self.assertEqual(errno_name(caught.exception.errno), "EBUSY")
        self.assertEqual(self.values(), [0])
