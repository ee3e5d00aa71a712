"""The daemon, killed after each step of a restore: influxd never finds half a store, the next mount
finishes what was begun or undoes it, and then a restore works."""

import os
import shutil
import subprocess
from pathlib import Path

from lib.chains import Chain
from lib.cutoff import killing
from lib.cuts import snap, snap_code
from lib.files import run, wait_until
from lib.influxd import InfluxError, Influxd
from lib.mount import INFLUXFS, Mount, MountError, mounts_under
from lib.restores import RestoreTest
from lib.trees import difference, litter, store_tree, tree

PRELOAD = Path(INFLUXFS).parent / "tests/preload_kill.so"
PARTS = 3       # every PARTS-th step is a test of its own: they run side by side
SPARSE = 4      # while it is only staged, each SPARSE-th step will do
EXCHANGE = 70   # so many of the last steps are taken one by one
STARTS = 5      # in each part influxd is started so often on what is there right after the kill


class KillerTest(RestoreTest):
    timeout = 600
    on_disks = ()
    place = "restore"   # where the snapshot is copied, in the mount

    def setUp(self):
        super().setUp()
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        if self.on_disks and os.geteuid():
            self.skipTest("only root can mount file systems")
        self.old = self.real_store(self.folder / "old", 1)
        self.root = self.folder / "root"
        for folder in ("meta", "data", "wal"):
            (self.root / folder).mkdir(parents=True)
        for folder in self.on_disks:  # "." is all of it
            run("mount", "-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs", self.root / folder)
            self.addCleanup(run, "umount", self.root / folder)

    def make_source(self, root):
        return self.real_store(root, 2)

    def real_store(self, root, value):
        """influxd's own, with a flushed file, a WAL and that value in two databases."""
        with Influxd(root, cache_snapshot_memory_size=1, cache_snapshot_write_cold_duration="1s") as influxd:
            for database in ("db", f"only{value}"):
                influxd.run(f"CREATE DATABASE {database} WITH DURATION INF")
                influxd.write([f"m v={value} 1"], database)
            wait_until(lambda: list(root.glob("data/db/autogen/*/*.tsm")), 60, "a flush")
            influxd.write([f"m v={value} 2"], "db")
        return root

    def fresh(self):
        """The old store, as if nothing had happened yet."""
        for folder in ("meta", "data", "wal"):
            for beside in self.root.glob(f"{folder}?*"):
                shutil.rmtree(beside) if beside.is_dir() else beside.unlink()
            place = self.root / folder
            if folder in self.on_disks:
                for name in os.listdir(place):
                    run("rm", "-rf", place / name)
            else:
                shutil.rmtree(place, ignore_errors=True)
            run("cp", "-aT", self.old / folder, place)
        shutil.rmtree(self.folder / "state", ignore_errors=True)

    def states(self):
        """What the store is before and after: (old, new)."""
        self.fresh()
        before = self.look()
        with self.killed(0) as mnt:
            self.assertEqual(self.copied(mnt), 0)
        after = self.look()
        self.assertNotEqual(before, after)
        return before, after

    def look(self, root=None):
        """The store as influxd would see it. A fence that is not yet up is nothing to it."""
        return {name: what for name, what in store_tree(root or self.root, times=False).items()
                if ".influxfs" not in name.split("/") and name != "meta/raft.db.tmp"}

    def killed(self, at):
        """A mount whose daemon ends after that many changes to the disk."""
        environment = {"LD_PRELOAD": str(PRELOAD), "KILL_ROOT": str(self.root), "KILL_AT": str(at),
                       "KILL_COUNT": str(self.folder / "count"), "ASAN_OPTIONS": "verify_asan_link_order=0"}
        return Mount(self.root, self.folder / "mnt", f"state={self.folder}/state", environment=environment)

    def copied(self, mnt, name=None):
        """The exit code of the copy, which the daemon may not outlive."""
        try:
            os.makedirs(mnt / self.place, exist_ok=True)
        except OSError:
            return 1
        return subprocess.run(["cp", self.tar, mnt / self.place / (name or self.tar.name)], check=False, capture_output=True).returncode

    def count(self):
        """How many steps a whole restore has."""
        self.fresh()
        with self.killed(0) as mnt:
            self.assertEqual(self.copied(mnt), 0)
        return int((self.folder / "count").read_text())

    def restore_killed(self, at):
        """False if the daemon outlived it."""
        mnt = self.killed(at)
        try:
            mnt.start()
            self.copied(mnt)
            return mnt.process.poll() is not None or not mnt.answers()
        except MountError:
            return True
        finally:
            mnt.close()
            for point in mounts_under(mnt.point):
                subprocess.run(["umount", "-l", point], check=False)

    def check_right_then(self, at, old, new):
        """Before anything is put in order."""
        now = self.look()
        if (self.root / "meta/raft.db").exists():
            return "fence"
        if now == new:
            return "new"
        self.assertTrue(now == old, f"step {at}: neither old nor new, and no fence\n{difference(old, now)}")
        return "old"

    def start_influxd(self, at, state):
        """On a copy, as an operator's service manager would at this instant."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for folder in ("meta", "data", "wal"):
            run("cp", "-a", self.root / folder, copy)
        try:
            with Influxd(copy) as influxd:
                names = [row[0] for row in influxd.run("SHOW DATABASES")[0]["values"]]
                values = [row[1] for row in influxd.run("SELECT v FROM m", "db")[0]["values"]]
                self.assertEqual((sorted(names), values), self.answers(state), f"step {at}: {state}")
        except InfluxError as error:
            self.assertEqual(state, "fence", f"step {at}: {error}")
            self.assertIn("raft.db", str(error))

    def answers(self, state):
        """The databases, and the values that the one in both stores has."""
        value = {"old": 1, "new": 2}.get(state)
        return ["db", f"only{value}"], [value] * 2

    def check_recovered(self, at, state, old, new):
        """The next mount makes it whole, and then a restore works."""
        with Mount(self.root, self.folder / "mnt", f"state={self.folder}/state") as mnt:
            now = self.look()
            self.assertTrue(now in (old, new), f"step {at}, {state}: after recovery\n{difference(old, now)}")
            if state != "fence":
                self.assertTrue(now == {"old": old, "new": new}[state], f"step {at}: it was {state}")
            self.check_litter(at)
            if at % 5 == 0 and self.can_restore_again(now, old):
                self.assertEqual(self.copied(mnt, "again.tar"), 0)
                self.assertTrue(self.look() == new, f"step {at}: restored again\n{difference(new, self.look())}")
        self.check_litter(at)

    def can_restore_again(self, _now, _old):
        return True

    def check_litter(self, at):
        found = [name for name in litter(self.root) if not name.endswith("/.influxfs")]
        for folder in self.on_disks:
            own = self.root / folder / ".influxfs"
            names = set(os.listdir(own)) if own.exists() else set()
            found += [f"{own}/{name}" for name in names - {"before-restore"}]
        self.assertEqual(found, [], f"step {at}")


class KillTest(KillerTest):

    def check_part(self, part):
        last = self.count()
        self.assertGreater(last, 20)
        self.check_steps([*range(1, last - EXCHANGE, SPARSE), *range(last - EXCHANGE, last + 2)][part::PARTS], last)

    def check_steps(self, steps, last):
        old, new = self.states()
        print(f"{last} steps", flush=True)
        states, started = [], 0
        for at in steps:
            self.fresh()
            if not self.restore_killed(at):
                self.assertGreater(at, last - 10, "the daemon was not killed")
                continue
            states.append(self.check_right_then(at, old, new))
            # At each change of state, and now and then.
            if states[-1:] != states[-2:-1] or len(states) * STARTS * PARTS // last > started:
                self.start_influxd(at, states[-1])
                started += 1
            self.check_recovered(at, states[-1], old, new)
        self.assertEqual({"old", "new", "fence"}, set(states), "kills in every phase")
        self.assertEqual(states, sorted(states, key=["old", "fence", "new"].index))
        self.assertGreaterEqual(started, 3)


class SideBySideKillTest(KillTest):
    """The three folders lie side by side: they are renamed."""

    def test_first_third(self):
        self.check_part(0)

    def test_second_third(self):
        self.check_part(1)

    def test_last_third(self):
        self.check_part(2)


class MountedKillTest(SideBySideKillTest):
    """data is a mount point: its contents are exchanged, entry by entry."""
    on_disks = ("data",)


class NumberKillTest(KillTest):
    """A number is restored onto its base; what is kept stays the store before both."""
    on_disks = (".",)

    def setUp(self):
        super().setUp()
        chain = Chain(self.folder / "chain", 1, self.next_store)
        self.first, self.based = self.old, self.folder / "based"
        self.tar = chain.tars / "base.tar"
        super().fresh()
        with self.killed(0) as mnt:
            run("cp", self.tar, mnt / "restore/")
        run("cp", "-a", self.root, self.based)
        run("cp", "-a", self.folder / "state", self.based / "state")
        self.tar = chain.tars / "0.tar"

    def next_store(self, root, step):
        shutil.rmtree(root, ignore_errors=True)
        self.real_store(root, step + 1)

    def fresh(self):
        super().fresh()
        run("cp", "-a", self.based / "state", self.folder)
        for folder in ("meta", "data", "wal"):
            shutil.rmtree(self.root / folder)
            run("cp", "-a", self.based / folder, self.root)
            run("cp", "-a", self.based / f"{folder}.before-restore", self.root)

    def check_litter(self, at):
        super().check_litter(at)
        for folder in ("meta", "data", "wal"):
            run("diff", "-r", self.first / folder, self.root / f"{folder}.before-restore")

    def test_number(self):
        last = self.count()
        exchange = EXCHANGE + 40  # what is not kept is then removed
        self.check_steps([*range(1, last - exchange, 23), *range(last - exchange, last + 2, 5)], last)


class MergeKillTest(KillTest):
    """A snapshot is merged into the store: nothing is added by half."""
    place = "restore/merge/theirs"
    on_disks = (".",)

    def look(self, root=None):
        """What a merge makes of meta.db bears the time of its making."""
        found = super().look(root)
        return found | {name: (what[0], what[1], what[-1]) for name, what in found.items() if name == "meta/meta.db"}

    def answers(self, state):
        return (["db", "only1"], [1, 1]) if state == "old" else (["db", "only1", "only2"], [2, 2])

    def can_restore_again(self, now, old):
        """Merged twice, a shard has the files twice."""
        return now == old

    def test_merge(self):
        last = self.count()
        self.check_steps([*range(1, last - EXCHANGE, 37), *range(last - EXCHANGE, last + 2, 6)], last)


class PartKillTest(MergeKillTest):
    """A database takes the place of the one of its name: another one stays, and somebody's file."""
    place = "restore"
    sparse = 29, 7  # of the steps that stage, and of the others
    test_merge = None

    def setUp(self):
        super().setUp()
        with self.mounted(self.source, "mnt-part") as mnt:
            run("cp", mnt / "databases/db.tar", self.tar)
        shutil.rmtree(self.source / "influxfs", ignore_errors=True)
        (self.old / "data/only1/notes.txt").write_text("mine")

    def answers(self, state):
        return ["db", "only1"], [1, 1] if state == "old" else [2, 2]

    def test_part(self):
        last = self.count()
        self.check_steps([*range(1, last - EXCHANGE, self.sparse[0]), *range(last - EXCHANGE, last + 2, self.sparse[1])], last)


class RenamedKillTest(PartKillTest):
    """Under another name, where data is a mount point."""
    place = "restore/as/new"
    on_disks = ("data",)
    sparse = 61, 11

    def answers(self, state):
        return (["db", "only1"] if state == "old" else ["db", "new", "only1"]), [1, 1]


class RollbackKillTest(KillTest):
    """influxsnap puts a cut in the place of the store, which no mount does; the cut stays as it is."""

    def setUp(self):
        super().setUp()
        self.cuts = self.folder / "cuts"
        self.state = self.folder / "state"
        snap(self.source, f"--state={self.cuts}", "cut")
        self.retained = tree(self.cuts / "cuts/files")

    def fresh(self):
        super().fresh()
        run("cp", "-a", self.cuts, self.state)

    def rolled_back(self, at):
        """The exit code of influxsnap, which ends after so many changes to the store; 0: only at its end."""
        environment = os.environ | killing(self.root, at, self.folder / "count")
        return snap_code(self.root, f"--state={self.state}", "--quiet", "rollback", "base", env=environment)[0]

    def states(self):
        self.fresh()
        before = self.look()
        self.assertEqual(self.rolled_back(0), 0)
        return before, self.look()

    def count(self):
        self.states()
        return int((self.folder / "count").read_text())

    def restore_killed(self, at):
        return self.rolled_back(at) == -9

    def check_litter(self, at):
        super().check_litter(at)
        self.assertEqual(tree(self.state / "cuts/files"), self.retained, f"step {at}")

    def test_rollback(self):
        last = self.count()
        self.check_steps([*range(1, last - EXCHANGE, 17), *range(last - EXCHANGE, last + 2, 6)], last)


class RecoveryKillTest(KillerTest):
    """Killed while it puts in order what the first kill has left."""

    def test_twice(self):
        old, new = self.states()
        last = self.count()
        done = 0
        for at in range(last - 30, last + 1, 3):
            for again in range(1, 30, 4):
                self.fresh()
                self.restore_killed(at)
                self.check_right_then(at, old, new)
                mnt = self.killed(again)
                try:
                    mnt.start()
                    outlived = True
                except MountError:
                    outlived = False
                finally:
                    mnt.close()
                state = self.check_right_then(f"{at}, {again}", old, new)
                self.check_recovered(1, state, old, new)
                if outlived:
                    break
                done += 1
        self.assertGreater(done, 5)
