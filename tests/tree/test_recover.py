"""influxsnap recover: what a restore that was killed has left is finished or undone, and nothing else."""

import fcntl
import json
import os
import shutil
import subprocess

from lib.cutoff import PRELOAD, PROMISES, cut_off, killing, promise_of
from lib.cuts import INFLUXSNAP
from lib.files import HANG, run, wait_until
from lib.influxd import Influxd
from lib.restores import RestoreTest, tiny_store
from lib.trees import litter, store_tree, whole_tree

DONE, IN_USE, CORRUPT = 0, 3, 4
NOTHING = "no restore was cut off\n"


class RecoverTest(RestoreTest):

    def setUp(self):
        super().setUp()
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        self.old = tiny_store(self.folder / "old")

    def words(self, *command):
        return [INFLUXSNAP, "-c", str(self.store), f"--state={self.folder}/state", *map(str, command)]

    def call(self, *command):
        done = subprocess.run(self.words(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=HANG)
        return done.returncode, done.stdout, done.stderr

    def recover(self):
        """What it says. Of an influxd of another test, just started, it is not known at once that it
        uses other folders."""
        code, said, why = wait_until(lambda: (done := self.call("recover"))[0] != IN_USE and done, 60, "other influxds")
        self.assertEqual(code, DONE, why)
        return said

    def killed(self, at):
        """A restore into the old store, killed after that many changes; 0: it is not."""
        shutil.rmtree(self.store)
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        run("cp", "-a", self.old, self.store)
        environment = os.environ | killing(self.store, at, self.folder / "count")
        done = subprocess.run(self.words("restore", "--force", self.tar), env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, -9 if at else DONE, done.stderr)

    def promise(self):
        return promise_of(self.call("status", "--json")[1])

    def cut_off(self, wanted):
        """Leaves the store in the state of which status promises that."""
        self.killed(0)
        steps = int((self.folder / "count").read_text())
        cut_off(wanted, self.killed, steps, self.promise, lambda: not litter(self.store))

    def check_store(self, whose):
        expected = {"old": self.old, "new": self.source}[whose]
        self.assertEqual(store_tree(self.store, times=False), store_tree(expected, times=False))
        self.assertEqual(litter(self.store), [])

    def test_each_state(self):
        for promise, (words, whose) in PROMISES.items():
            with self.subTest(promise):
                self.cut_off(promise)
                said = self.recover()
                self.assertIn(words, said)
                self.check_store(whose)
                self.assertIn(said.strip(), (self.folder / "state/restore.log").read_text())
                self.assertIsNone(self.promise())
                before = whole_tree(self.store)
                self.assertEqual(self.recover(), NOTHING)
                self.assertEqual(whole_tree(self.store), before)

    def test_a_mount_says_so(self):
        """In one line of its log: restore/log is not what a unit's journal shows."""
        for promise in ("undoes", "finishes"):
            with self.subTest(promise):
                self.cut_off(promise)
                with self.mounted(self.store, options=f"state={self.folder}/state") as mnt:
                    said = mnt.log.read_text()
                self.assertEqual(said.count(PROMISES[promise][0]), 1, said)
                self.check_store(PROMISES[promise][1])

    def test_staged_only(self):
        """Nothing is owed yet, but what lies there is removed."""
        at = 30
        while "meta.restoring" not in litter(self.store):
            at += 10
            self.killed(at)
        self.assertIsNone(self.promise())
        self.assertIn("removed what a restore that was cut off had staged", self.recover())
        self.check_store("old")

    def test_json(self):
        self.assertEqual(self.call("recover", "--json")[:2], (DONE, '{"done":null,"warnings":[]}\n'))
        self.cut_off("undoes")
        self.assertIn("undid", json.loads(self.call("recover", "--json")[1])["done"])

    def test_waits_for_another(self):
        self.cut_off("finishes")
        holder = os.open(self.store, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)  # as who restores has it
        with subprocess.Popen(self.words("recover"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            self.assertIn("waiting for it", process.stderr.readline())
            os.close(holder)
            said, why = process.communicate(timeout=HANG)
        if process.returncode == IN_USE:  # see recover()
            said = self.recover()
        self.assertIn("finished", said, why)
        self.check_store("new")

    def test_interrupted_while_it_waits(self):
        self.cut_off("finishes")
        before = whole_tree(self.store)
        holder = os.open(self.store, os.O_RDONLY)
        self.addCleanup(os.close, holder)
        fcntl.flock(holder, fcntl.LOCK_EX)
        with subprocess.Popen(self.words("recover"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            process.stderr.readline()
            process.terminate()
            self.assertIn("interrupted", process.communicate(timeout=HANG)[1])
        self.assertEqual(process.returncode, 1)
        self.assertEqual(whole_tree(self.store), before)

    def test_in_use(self):
        """While work is owed, influxd must not use the store. One that uses it cannot be real: the
        fence keeps that from starting."""
        self.cut_off("finishes")
        before = whole_tree(self.store)
        influxd = self.folder / "influxd"
        shutil.copy("/bin/sleep", influxd)
        with next((self.store / "data").rglob("*.tsm")).open("rb") as file, \
                subprocess.Popen([influxd, str(HANG)], stdin=file) as process:
            code, _, why = self.call("recover")
            process.kill()
        self.assertEqual(code, IN_USE)
        self.assertRegex(why, r"unfinished restore must be completed first, but .*influxd")
        self.assertEqual(whole_tree(self.store), before)
        self.assertIn("finished", self.recover())
        self.check_store("new")

    def test_nothing_owed_to_a_running_influxd(self):
        with Influxd(self.folder / "live") as influxd:
            influxd.run("CREATE DATABASE db")
            influxd.write(["m v=1 1"], "db")
            done = subprocess.run([INFLUXSNAP, "-c", influxd.config, "recover"], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (DONE, NOTHING), done.stderr)

    def test_damaged_journal(self):
        self.cut_off("finishes")
        journal = self.store / "meta.influxfs-journal"
        journal.write_bytes(journal.read_bytes().replace(b"exchange", b"exchangf"))
        before = whole_tree(self.store)
        code, _, why = self.call("recover")
        self.assertEqual(code, CORRUPT)
        self.assertIn(f"({journal.name}) is damaged", why)
        self.assertEqual(whole_tree(self.store), before)

        self.assertRegex(why, "by hand.*, then remove the journal")

    def test_while_another_receives(self):
        """The store is untouched, so influxd may start."""
        holder = os.open(self.store, os.O_RDONLY)
        self.addCleanup(os.close, holder)
        fcntl.flock(holder, fcntl.LOCK_EX)  # as who restores has it
        code, said, why = self.call("recover", "--json")
        self.assertEqual((code, json.loads(said)["done"]), (DONE, None), why)
        self.assertRegex(json.loads(said)["warnings"][0], "is restoring this store; nothing was tidied up")
        self.assertRegex(why, "is restoring this store")
        self.assertEqual(self.call("recover")[1], "nothing was done\n")

    def test_no_permission_to_look(self):
        self.open_to_all()
        (self.store / "wal").chmod(0o700)
        (self.store / ".influxfs").mkdir(mode=0o700)
        done = subprocess.run(self.words("recover", "--json"), user=65534, group=65534, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("Permission denied", done.stderr)

    def test_no_store(self):
        shutil.rmtree(self.store)
        code, _, why = self.call("recover")
        self.assertEqual(code, 1)
        self.assertIn(str(self.store), why)
        self.store.mkdir()
        self.assertEqual(self.call("recover")[:2], (DONE, NOTHING))
        self.assertEqual(list(self.store.iterdir()), [])
