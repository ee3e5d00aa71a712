"""Random conditions upon a store, and one rule: every point that influxd serves from it is in the
backup, or the backup names what is not, and its exit code is not 0. And nothing of the operator's
is changed or removed, neither by backups nor by restores.

    INFLUXFS_SEEDS=17:1 tests/run MutatorTest      # one seed again; what failed says which

INFLUXFS_MUTATOR=FILE adds to the file what was done to each store, and what came of it."""

import http.client
import os
import random
import shutil
import subprocess
import time

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import HANG, run
from lib.influxd import Influxd, InfluxError
from lib.mutator import Mutant
from lib.points import Served
from lib.trees import difference, store_tree

FIRST, COUNT = map(int, os.environ.get("INFLUXFS_SEEDS", "1:8").split(":"))  # make soak sets it
SEEDS = range(FIRST, FIRST + COUNT)
DONE, FAILED, OMISSIONS = 0, 1, 6
HOUR = 3600 * 10**9
START = 1465603200 * 10**9
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


class MutatorTest(StoreTest):
    timeout = 60 + 30 * COUNT

    def setUp(self):
        super().setUp()
        self.templates = {}
        if os.geteuid() == 0:  # many stores are restored: none waits for what else the disk has to do
            run("mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", self.folder)
            self.addCleanup(run, "umount", "-l", self.folder)
        for folder in (self.folder, self.folder.parent):
            if "influxfs-" in folder.name:
                folder.chmod(0o711)  # nobody walks through
        self.program = shutil.copy(INFLUXSNAP, self.folder)  # nobody may not reach ours

    def test_fixtures(self):
        self.check_all(lambda rng: self.fixture(rng.choice(fixtures.NAMES)))

    def test_written(self):
        self.check_all(lambda rng: self.written(rng.choice(("inmem", "tsi1"))))

    # Whole stores, each made once.

    def fixture(self, name):
        if name not in self.templates:
            store = fixtures.unpack(name, self.folder / f"template-{name}")
            self.templates[name] = store, self.backup(store, self.folder / f"{name}.tar")
        return *self.templates[name], fixtures.index_of(name)

    def written(self, index):
        """Shards of an hour, some flushed, some deleted from, some in the WAL alone."""
        if index not in self.templates:
            store = self.folder / f"template-{index}"
            with Influxd(store, index=index, cache_snapshot_memory_size=1) as influxd:
                for db, rp in (("db", "rp"), ("other db", "r.p")):
                    influxd.run(f'CREATE DATABASE "{db}" WITH DURATION INF SHARD DURATION 1h NAME "{rp}"')
                    self.write(influxd, db, 0)
                time.sleep(2.5)  # it looks at its caches every second
                influxd.run(f"DELETE FROM m WHERE time < {START + 5 * 10**9}", "db")
                influxd.stop()
            with Influxd(store, index=index) as influxd:
                for db in ("db", "other db"):
                    self.write(influxd, db, 7)
                influxd.run('CREATE RETENTION POLICY long ON db DURATION INF REPLICATION 1')
                influxd.write([f"m,t=long v={n} {START + n}" for n in range(50)], "db", "long")
                influxd.stop()
            for name in ("influxd.log", "influxdb.conf"):
                (store / name).unlink()
            self.templates[index] = store, self.backup(store, self.folder / f"{index}.tar")
        return *self.templates[index], index

    def write(self, influxd, db, first):
        influxd.write([f'm,t={n % 3} v={n},s="{db} {first}" {START + hour * HOUR + (first + n) * 10**9}'
                       for hour in range(3) for n in range(20)] +
                      [f"n v={hour}i {START + hour * HOUR}" for hour in range(1, 5)], db)

    def backup(self, store, path):
        code, said = self.snap(store, "backup", path)
        self.assertEqual(code, DONE, said)
        shutil.rmtree(store / "influxfs", ignore_errors=True)
        return path

    def snap(self, store, *words, prefix=()):
        done = subprocess.run([*prefix, self.program, "-c", store, *map(str, words)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=HANG)
        return done.returncode, done.stdout

    # One seed.

    def check_all(self, make):
        for seed in SEEDS:
            rng = random.Random(f"{self.id()} {seed}")
            store, good, index = make(rng)
            folder = self.folder / f"seed-{seed}"
            folder.mkdir()
            folder.chmod(0o711)
            mutant = Mutant(folder, rng, index)
            shutil.copytree(store, mutant.store)
            try:
                for _ in range(rng.choice((1, 1, 2, 3))):
                    mutant.mutate()
                self.tell(f"seed {seed}, {store.name}: {'; '.join(mutant.done)}")
                with self.subTest(seed=seed, store=store.name, mutations=mutant.done):
                    self.check(mutant, good, index)
            finally:
                mutant.unmount()
            shutil.rmtree(folder)

    def check(self, mutant, good, index):
        before = mutant.picture()
        code, said = self.backup_of(mutant)
        self.assertEqual(self.snap(mutant.store, "cut", prefix=NOBODY if mutant.as_nobody else ())[0], code, said)
        self.same(before, mutant.picture(), "a backup")
        self.assertIn(code, (DONE, OMISSIONS, FAILED) if mutant.may_refuse else (DONE, OMISSIONS), said)
        served = self.served(mutant.copy(mutant.folder / "copy"), index)
        self.tell(f"exit {code}, influxd serves {len(served.cells) if served else 'nothing'}: {said[-300:]}")
        if code == FAILED:
            self.assertTrue(any(str(place) in said for place in mutant.places), f"names nothing:\n{said}")
        else:
            self.assertEqual([name for name in mutant.must_name if name not in said], [], f"not named:\n{said}")
            if mutant.must_name:
                self.assertEqual(code, OMISSIONS, said)
            self.check_backup(mutant, served, index, code, said)
        if not mutant.as_nobody:
            self.check_restores(mutant, good)

    def tell(self, words):
        if "INFLUXFS_MUTATOR" in os.environ:
            with open(os.environ["INFLUXFS_MUTATOR"], "a") as file:
                file.write(f"{words}\n")

    def backup_of(self, mutant):
        path = mutant.folder / "out/b.tar"
        path.parent.mkdir()
        prefix = ()
        if mutant.as_nobody:
            # The state folder lies beside the data folder, and is his.
            (mutant.store / "influxfs").mkdir(mode=0o700)
            for folder in (path.parent, mutant.store / "influxfs"):
                os.chown(folder, 65534, 65534)
            (mutant.store / "meta/meta.db").chmod(0o644)
            prefix = NOBODY
        return self.snap(mutant.store, "backup", "--json", path, prefix=prefix)

    def served(self, store, index):
        """None: it does not start, or a damaged file has ended it."""
        try:
            with Influxd(store, index=index) as influxd:
                return Served(influxd)
        except (InfluxError, OSError, http.client.HTTPException):
            return None

    def check_backup(self, mutant, served, index, code, said):
        restored = mutant.folder / "restored"
        restored.mkdir()
        self.assertEqual(self.snap(restored, "restore", mutant.folder / "out/b.tar")[0], DONE)
        if served is None:
            return
        got = self.served(restored, index)
        self.assertIsNotNone(got, "influxd does not start on what was restored")
        missing = served.cells - got.cells
        if code == OMISSIONS:
            missing = {cell for cell in missing if not any(shard in said for shard in served.shards_of(cell))}
        if missing:
            self.fail(f"exit {code}, {len(missing)} of {len(served.cells)} values are not in the backup, such as "
                      f"{sorted(missing)[:3]}\n{said}")

    def check_restores(self, mutant, good):
        """Twice: the second one removes what the first one kept."""
        wanted = mutant.folder / "wanted"
        wanted.mkdir()
        self.assertEqual(self.snap(wanted, "restore", good)[0], DONE)
        wanted = store_tree(wanted, times=False, owners=False)
        for _ in range(2):
            before = mutant.picture()
            code, said = self.snap(mutant.store, "restore", good)
            after = mutant.picture()
            self.tell(f"restore: exit {code}: {said.splitlines()[-1:]}")
            if code == DONE:
                got = store_tree(mutant.store, times=False, owners=False)
                self.assertTrue(got == wanted, f"a restore\n{difference(wanted, got)}")
                before, after = self.outside(before), self.outside(after)
            self.same(before, after, f"a restore (exit {code}: {said.splitlines()[-1:]})")

    def outside(self, picture):
        return {name: what for name, what in picture.items() if name.startswith("outside/")}

    def same(self, before, after, what):
        if before != after:
            words = difference(before, after).splitlines()
            self.fail("\n".join([f"{what} changed what is the operator's:", *words[:8], f"{len(words)} in all"]))
