"""No acknowledged write is lost and none is half there: snapshots of a busy influxd."""

import shutil
import time

from lib.case import StoreTest
from lib.files import STORE_FOLDERS, run, sizes_in, slow_copy
from lib.influxd import InfluxError, Influxd, tsm_files
from lib.load import FLUSH_BYTES, Load

ROUNDS = 10
COPY_SECONDS = 4


class LoadTest(StoreTest):
    timeout = 600

    def test_inmem(self):
        self.rounds("inmem")

    def test_tsi1(self):
        self.rounds("tsi1")

    def rounds(self, index):
        live = self.busy_influxd(index)
        mnt = self.mount(live.root)
        compacted = 0
        with Load(live) as load:
            for number in range(ROUNDS):
                with self.subTest(index=index, round=number):
                    compacted += self.round(live, mnt, load, number)
            load.check()
            removals = sum(writer.removals for writer in load.writers)
            refusals = sum(writer.refusals for writer in load.writers)
        print(f"{compacted} files compacted away, {removals} removals, {refusals} refused")
        self.assertGreater(compacted, ROUNDS, "too few compactions to prove anything")
        self.assertGreater(removals, 0, "nothing was ever deleted")

    def round(self, live, mnt, load, number):
        """Returns how many TSM files were compacted away while the snapshot was read."""
        before = tsm_files(live.root)
        began = time.monotonic()
        captured = slow_copy(mnt / "snapshots/now.tar", self.folder / "now.tar", COPY_SECONDS)
        after = tsm_files(live.root)
        store = self.restore(self.folder / "now.tar", self.folder / f"restored-{number}")
        with Influxd(store, live.index) as restored:
            self.assert_right(load.wrong_points(restored, began, captured))
        shutil.rmtree(store)
        return len(before - after)

    def test_rsync_of_the_live_folders_is_wrong(self):
        """The same check finds a plain copy wanting: it can fail."""
        live = self.busy_influxd("inmem")
        with Load(live) as load:
            for number in range(5):
                began = time.monotonic()
                store = self.rsync(live.root, self.folder / f"copy-{number}")
                try:
                    with Influxd(store, live.index) as copy:
                        if load.wrong_points(copy, began, time.monotonic()):
                            return
                except InfluxError:
                    return  # damaged: influxd does not even start, or cannot answer
        self.fail("five plain copies of a busy store were all right")

    def rsync(self, store, target):
        """A copy that takes as long as the snapshot's does."""
        folders = [store / name for name in STORE_FOLDERS]
        size = sum(sizes_in(*folders))
        target.mkdir()
        try:
            run("rsync", "-aS", f"--bwlimit={size // COPY_SECONDS // 1024 + 1}k", *folders, target)
        except AssertionError as error:  # files that vanish meanwhile are just what is wrong with it
            self.assertIn("vanished", str(error))
        return target

    def busy_influxd(self, index):
        return self.influxd(self.folder / "live", index=index, cache_snapshot_memory_size=FLUSH_BYTES)

    def assert_right(self, wrong):
        if wrong:
            self.fail(f"{len(wrong)} points are wrong:\n" + "\n".join(wrong[:20]))
