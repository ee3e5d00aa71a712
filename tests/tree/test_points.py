"""Cuts of a busy influxd: every point is what the store was then, by whichever way it comes back."""

import os
import shutil
import time

from lib.case import StoreTest
from lib.cuts import accounts, chain, snap
from lib.files import run, wait_until
from lib.influxd import Influxd, tsm_files
from lib.load import FLUSH_BYTES, Load
from lib.mount import Mount
from lib.trees import difference, owned_by, owner_of, owner_of_new, owners_in, store_tree

CUTS = 9
PAUSE = 2.5


class PointsTest(StoreTest):
    """A mirror is kept by rsync; in between the oldest numbers are folded."""

    timeout = 400

    def test_inmem(self):
        self.every_point("inmem")

    def test_tsi1(self):
        self.every_point("tsi1")

    def every_point(self, index):
        live = self.influxd(self.folder / "live", index=index, cache_snapshot_memory_size=FLUSH_BYTES)
        mnt = self.mount(live.root)
        windows, compacted = {}, 0
        mirrors = [self.folder / "mirror-0", self.folder / "mirror-1"]
        with Load(live) as load:
            for number in range(-1, CUTS):
                before = tsm_files(live.root)
                began = time.monotonic()
                snap(live.root, "cut", "--guard=off")  # databases are dropped meanwhile
                windows[number] = (began, time.monotonic())
                time.sleep(PAUSE)
                compacted += len(before - tsm_files(live.root))
                if number == CUTS // 2:
                    # A mirror as of now, then the first three numbers go into the base.
                    self.mirror(mnt, mirrors[0])
                    wait_until(lambda: self.fold(live.root), 60, "rsync to let go of what it has read", step=1)
            self.mirror(mnt, mirrors[1])
            load.check()
        self.assertGreater(compacted, CUTS, "too few compactions to prove anything")
        folded = CUTS // 2 - 2
        self.assertEqual([cut.number for cut in chain(live.root / "influxfs")], list(range(folded, CUTS)))
        self.assertEqual(accounts(live.root / "influxfs"), (set(), set()))
        for number in range(folded, CUTS):
            with self.subTest(index=index, number=number):
                self.point(mnt, mirrors[1], number, folded, windows[number], load)
        for number in range(0, folded):  # gone from the server, but not from the mirror
            with self.subTest(index=index, number=number):
                self.from_mirror(mirrors[0], number, -1, windows[number], load, live.index)

    def fold(self, store):
        """Whether all were folded: what was read just now is held for a little longer."""
        snap(store, "prune", "--keep=2")
        return len(chain(store / "influxfs")) == 3

    def mirror(self, mnt, folder):
        run("rsync", "-a", "--exclude=now.tar", f"{mnt.point}/snapshots/", folder)

    def point(self, mnt, mirror, number, base, window, load):
        by_mirror = self.from_mirror(mirror, number, base, window, load, None)
        by_file = self.restore(mnt / f"at/{number}.tar", self.folder / "by-file")
        by_command = self.folder / "by-command"
        by_command.mkdir()
        snap(by_command, "restore", *self.members(mirror, number, base))
        seen = store_tree(by_mirror, times=False)
        self.assertEqual(owners_in(seen), {owner_of_new()})
        for other in (by_file, by_command):
            got = store_tree(other, times=False)
            self.assertTrue(got == seen, f"{other.name}, {number}\n{difference(seen, got)}")
        browsed = store_tree(mnt / f"at/{number}", times=False)
        cut = owned_by(owner_of(mnt.store / "data"), seen)
        self.assertTrue(browsed == cut, f"at/{number}\n{difference(cut, browsed)}")
        with Influxd(by_file, load.writers[0].influxd.index) as restored:
            self.assert_right(load.wrong_points(restored, *window))
        for store in (by_mirror, by_file, by_command):
            shutil.rmtree(store)

    def members(self, mirror, number, base):
        return [mirror / "base.tar"] + [mirror / f"{n}.tar" for n in range(base + 1, number + 1)]

    def from_mirror(self, mirror, number, base, window, load, index):
        """Base and numbers, dropped in the order of a shell's *.tar. With an index: asked, too."""
        store = self.folder / "by-mirror"
        store.mkdir()
        with Mount(store, self.folder / "mnt-mirror") as target:
            run("cp", *sorted(self.members(mirror, number, base), key=os.path.basename), target / "restore/")
        if index:
            with Influxd(store, index) as restored:
                self.assert_right(load.wrong_points(restored, *window))
            shutil.rmtree(store)
        return store

    def assert_right(self, wrong):
        if wrong:
            self.fail(f"{len(wrong)} points are wrong:\n" + "\n".join(wrong[:20]))
