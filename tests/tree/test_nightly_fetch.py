"""influxfs-fetch: which archive it takes, what it does with one that is not good, and what becomes of the
store and of influxd meanwhile. The archives are made by hand (lib/archives.py), in a folder or a real Swift."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lib.archives import Archives
from lib.chains import Chain, Growing
from lib.cutoff import PRELOAD, killing
from lib.cuts import snap
from lib.files import HANG, run, wait_until
from lib.fixtures import check_answers, unpack
from lib.influxd import Influxd
from lib.mount import INFLUXFS
from lib.nightly import archive
from lib.nights import Jobs
from lib.objectstore import Swift, rclone_environment
from lib.relay import Relay
from lib.restores import RestoreTest, tiny_store
from lib.stores import some_store, wal_entry
from lib.trees import difference, litter, store_tree, whole_tree

FETCH = str(Path(INFLUXFS).parent / "influxfs-fetch")
DONE, FAILED, USAGE, IN_USE, CORRUPT, INCOMPLETE, OMISSIONS = range(7)
DAYS = ("2016-06-09", "2016-06-10", "2016-06-11")

# Notes what it is asked, and stops the influxd whose process is in the file `pid`.
SYSTEMCTL = """#!/bin/sh
cd {folder} || exit 1
echo "$*" >>asked
case "$1" in
is-active) if [ -e pid ]; then echo active; else echo inactive; exit 3; fi ;;
stop) [ ! -e refuses ] || exit 1; [ ! -e pid ] || kill "$(cat pid)"; rm -f pid ;;
start) [ ! -e breaks ] || exit 1; [ ! -e waits ] || echo $$ >waits; [ ! -e waits ] || exec sleep 100000 ;;
esac
"""

# The object is read once, and then not any more.
BROKEN_RCLONE = """#!/bin/sh
case "$*" in cat*full.tar)
    [ ! -e {folder}/read ] || {{ echo "2016/01/02 03:04:05 ERROR : it is broken" >&2; exit 1; }}
    touch {folder}/read ;;
esac
exec {rclone} "$@"
"""

# Reads of the object whose name is in the file `slow` begin, and never end.
SLOW_RCLONE = """#!/bin/sh
for word in "$@"; do
    case "$word" in *"$(cat {folder}/slow)") [ "$1" = cat ] && touch {folder}/reached && exec sleep 100000 ;; esac
done
exec {rclone} "$@"
"""


class FetchCase(RestoreTest):
    """self.archives in self.remote; self.store is to be fetched into."""

    def setUp(self):
        super(RestoreTest, self).setUp()
        self.store = tiny_store(self.folder / "store")
        self.remote = self.folder / "remote"
        self.archives = Archives(self.remote)
        self.environment = rclone_environment(self.folder / "no.conf")

    def chain(self, steps=2, size=2000):
        """A full one, in three parts, and numbers, a day each. Returns the receipts."""
        self.made = Chain(self.folder / "chain", steps, Growing(size))
        runs = [self.archives.full(DAYS[0], self.tar_of("base"), count=3)]
        return runs + [self.archives.number(DAYS[step + 1], self.tar_of(step), count=step + 1) for step in range(steps)]

    def tar_of(self, name):
        return (self.made.tars / f"{name}.tar").read_bytes()

    def words(self, *options, remote=None, store=None):
        return [FETCH, "-c", str(store or self.store), f"--state={self.folder}/state", f"--remote={remote or self.remote}",
                *map(str, options)]

    def fetch(self, *options, code=DONE, **where):
        """(what it printed, what it said)."""
        done = subprocess.run(self.words(*options, **where), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.environment, timeout=HANG)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def check_store(self, state, store=None):
        expected, got = (store_tree(root, times=False, owners=False) for root in (self.made.states[state], store or self.store))
        self.assertTrue(expected == got, difference(expected, got))
        self.assertEqual(litter(store or self.store), [])

    def check_refused(self, *words, code=CORRUPT, options=("--day=2016-06-11",), trials=((),)):
        """The store stays as it is, and these words are said."""
        before = whole_tree(self.store)
        for trial in trials:
            said = self.fetch("--quiet", *options, *trial, code=code)[1]
            for word in words:
                self.assertRegex(said, word)
        self.assertTrue(whole_tree(self.store) == before, difference(before, whole_tree(self.store)))

    def on_path(self, **programs):
        """Programs (name: text) that are found before others."""
        place = self.folder / "bin"
        place.mkdir(exist_ok=True)
        for name, text in programs.items():
            (place / name).write_text(text)
            (place / name).chmod(0o755)
        self.environment["PATH"] = f"{place}:{os.environ['PATH']}"


class DaysTest(FetchCase):
    """Which archive it is."""

    def test_chain(self):
        """Numbers come with what they build on, as one step; a day on which nothing had changed is its
        day's state."""
        self.chain()
        self.archives.nothing_new("2016-06-12")
        said, progress = self.fetch("--day=2016-06-12")
        self.check_store("1")
        self.assertIn("restored into", said)
        self.assertRegex(said, r"2016-06-12: the full archive of db1 with 2 numbers, as of \S+, 1 database: db; \d+ bytes in 6 objects\n")
        self.assertIn("unpacking data/db/autogen/1/000000001-000000001.tsm", progress)
        history = json.loads(snap(self.store, f"--state={self.folder}/state", "status", "--json"))["history"]
        self.assertEqual(history["restores"]["last"][0]["what"], f"{self.remote} of 2016-06-12")

    def test_earlier_state(self):
        self.chain()
        told = json.loads(self.fetch("--day=2016-06-10", "--json", "--quiet")[0])
        self.check_store("0")
        wanted = {"job": "fetch", "result": "done", "code": 0, "day": "2016-06-10", "wanted": "2016-06-10", "form": "full",
                  "numbers": 1, "host": "db1", "archived_databases": ["db"], "databases": ["db"], "objects": 4, "text": None}
        self.assertEqual(wanted, {key: told[key] for key in wanted})
        self.assertTrue(told["restore"]["restored"])
        self.assertEqual(told["bytes"], len(self.tar_of("base") + self.tar_of("0")))

    def test_older(self):
        """Days without a receipt are passed over, and that is said."""
        self.chain(steps=1)
        (self.remote / "2016-06-12/2016-06-12/shards").mkdir(parents=True)
        (self.remote / "2016-06-12/2016-06-12/shards/0123-leftover.tar").write_bytes(b"x")
        told = self.fetch("--day=2016-06-13", "--json", "--quiet", code=OMISSIONS)
        self.check_store("0")
        self.assertIn("2016-06-13 and the 2 days before it are not archived: taking 2016-06-10", told[1])
        self.assertEqual(json.loads(told[0])["day"], "2016-06-10")

    def test_none(self):
        self.check_refused("holds no archive of 2016-06-11 or of a day before it", code=FAILED)
        self.chain(steps=0)
        self.check_refused("holds no archive of 2016-06-08", code=FAILED, options=("--day=2016-06-08",))

    def test_clock(self):
        """What is archived as tomorrow's was not, by this clock."""
        self.chain(steps=0)
        self.archives.full("2200-01-01", self.tar_of("base"))
        said = self.fetch("--day=2016-06-09", "--dry-run", "--quiet")[1]
        self.assertRegex(said, r"holds a day 2200-01-01, but today is \S+: is the clock right\?")

    def test_stores(self):
        """Of several, one must be named, unless one is this store's own."""
        self.chain(steps=0)
        other = Archives(self.remote, store="f" * 32, host="db2", databases=["x", "y"])
        other.full(DAYS[0], self.tar_of("base"))
        self.check_refused(r"2016-06-09 holds archives of 2 stores", r"01234567 \(db1: db\)", r"ffffffff \(db2: x, y\)",
                           "--store=", code=USAGE)
        self.fetch("--day=2016-06-09", "--store=01234567")
        self.check_store("base")
        (self.folder / "state/id").write_text("f" * 32 + "\n")
        said = self.fetch("--day=2016-06-09", "--dry-run")[0]
        self.assertIn("archive of db2", said)

    def test_stores_of_other_days(self):
        """Which store is taken does not change because one has no archive of a night."""
        self.chain(steps=0)
        other = Archives(self.remote, store="f" * 32, host="db2", databases=["x"])
        other.full(DAYS[1], self.tar_of("base"))
        self.check_refused(r"2016-06-10 and the days before it hold archives of 2 stores: ffffffff \(db2: x\), 01234567 \(db1: db\)",
                           "--store=", code=USAGE, options=("--day=2016-06-10",))
        self.fetch("--day=2016-06-09")  # no other store had an archive by then
        self.check_store("base")
        said = self.fetch("--day=2016-06-10", code=OMISSIONS)
        self.assertIn("archive of db1", said[0])
        self.assertIn("2016-06-10 is not archived: taking the day before, 2016-06-09", said[1])
        self.fetch("--day=2016-06-10", "--store=ffffffff", "--database=db", "--as=again")  # a part, this once
        self.assertIn("archive of db1", self.fetch("--day=2016-06-10", "--dry-run", code=OMISSIONS)[0])
        for run in self.archives.folder(DAYS[0]).iterdir():
            run.unlink()
        self.check_refused("no archive of the store 0123456789abcdef0123456789abcdef, which was fetched last", "--store",
                           code=FAILED, options=("--day=2016-06-10",))
        (self.folder / "state/fetched.json").write_text("{}")
        self.check_refused("fetched.json is damaged", "--store", code=USAGE)

    def test_check_of_databases(self):
        """What the receipt names and the store then lacks is an error."""
        self.chain(steps=0)
        self.archives.last["databases"] = ["db", "lost", "gone"]
        self.archives.write(self.archives.last)
        said = self.fetch("--day=2016-06-09", "--quiet", code=FAILED)[1]
        self.assertIn("what the archive of 2016-06-09 holds is not in it: lost, gone", said)

    def test_part(self):
        """The options of a restore; what was asked for is there then."""
        self.chain(steps=0)
        said = self.fetch("--day=2016-06-09", "--database=db", "--as=again")[0]
        self.assertIn("restored 1 database into", said)
        self.assertIn("1 database: db; of these came again (as it is named here); ", said)
        self.on_path(systemctl="#!/bin/sh\nexit 1\n")  # influxd is not stopped for what cannot be
        for options, words in ((["--database=nosuch"], "the archive of 2016-06-09 holds no database nosuch"),
                               (["--database=db", "--as=again"], "again")):
            said = self.fetch("--day=2016-06-09", "--quiet", "--stop=influxdb", *options, code=FAILED)[1]
            self.assertIn(words, said)
            self.assertNotIn("systemctl", said)
        told = json.loads(self.fetch("--day=2016-06-09", "--database=db", "--merge=ours", "--json", "--dry-run")[0])
        self.assertEqual(told["databases"], ["db"])
        self.assertEqual(sorted(os.listdir(self.store / "data")), ["again", "old db"])

    def test_newer_part(self):
        """It is not the store of its day, where that has been archived as well."""
        source = self.folder / "source"
        unpack("1.6.7-tsi1", source)
        (self.folder / "other").mkdir()
        whole, part = ["a.b", "sensu_db", "with space"], ["with space"]
        for day, options in ((DAYS[0], ()), (DAYS[0], ("--database=with space",)), (DAYS[1], ("--database=with space", "--legacy"))):
            archive(source, self.remote, f"--state={self.folder}/other", f"--day={day}", *options)

        def found(*options):
            out, said = self.fetch("--json", "--dry-run", *options)
            told = json.loads(out)
            return told["part"], told["archived_databases"], said

        is_part, databases, said = found(f"--day={DAYS[0]}")
        self.assertEqual((is_part, sorted(databases)), (False, whole))
        self.assertIn(f"the newest archive of {DAYS[0]} is of a part of the store", said)
        self.assertEqual(found(f"--day={DAYS[0]}", "--database=with space")[:2], (True, part))
        self.assertFalse(found(f"--day={DAYS[0]}", "--database=sensu_db")[0])
        self.assertFalse(found(f"--day={DAYS[0]}", "--database=sensu_db:with space")[0])
        is_part, databases, said = found(f"--day={DAYS[1]}")
        self.assertEqual((is_part, databases), (True, part))
        self.assertIn("only that is restored", said)
        self.assertIn("archive of a part of ", self.fetch("--quiet", f"--day={DAYS[1]}")[0])
        self.assertEqual({path.name for path in (self.store / "data").iterdir()}, {"old db", "with space"})

    def test_usage(self):
        for options, words in ((["--into=/x", "--database=db"], "--into"), (["--stop=-x"], "--stop"),
                               (["--stop=influx*"], "is not the name of one unit"), (["--stop=a b"], "is not the name of one unit"),
                               (["--as=_internal", "--database=db"], "_internal")):
            self.assertIn(words, self.fetch(*options, code=USAGE)[1])


class LegacyTest(FetchCase):

    def test_set_of_some_databases(self):
        """It takes the place of these, as a snapshot of them would, although it looks like a whole store."""
        unpack("1.6.7-tsi1", self.folder / "source")
        (self.folder / "other").mkdir()
        archive(self.folder / "source", self.remote, f"--state={self.folder}/other", "--day=2016-06-09", "--legacy",
                "--database=with space")
        before = {path.name for path in (self.store / "data").iterdir()}
        self.fetch("--day=2016-06-09")
        self.assertEqual({path.name for path in (self.store / "data").iterdir()}, before | {"with space"})
        mnt = self.mount(self.store).point
        said = self.fetch(f"--into={mnt}/restore", "--day=2016-06-09", code=USAGE)[1]
        self.assertIn("legacy set of some databases", said)

    def test_set(self):
        """The files that influxd backup writes give what influxsnap makes of their folder."""
        right = self.folder / "right"
        unpack("1.6.7-tsi1", self.folder / "source")
        snap(self.folder / "source", "backup", "--format=legacy", "--database=with space", self.folder / "set")
        self.archives.databases = ["with space"]
        self.archives.legacy(DAYS[0], {path.name: path.read_bytes() for path in (self.folder / "set").iterdir()})
        tiny_store(right)
        snap(right, f"--state={self.folder}/right-state", "restore", self.folder / "set")
        said = self.fetch("--day=2016-06-09")[0]
        self.assertIn("the legacy archive of db1", said)
        expected, got = (store_tree(root, times=False) for root in (right, self.store))
        for found in (expected, got):
            found["meta/meta.db"] = found["meta/meta.db"][3:]  # without its time, which is the archive's
        self.assertTrue(expected == got, difference(expected, got))

    def test_damaged(self):
        self.archives.legacy(DAYS[0], {"meta.00": b"x" * 100, "db.autogen.00001.00": b"y" * 1000})
        self.archives.objects(self.archives.last)[0].write_bytes(b"z" * 1000)
        self.check_refused("db.autogen.00001.00: damaged: its SHA-256", options=("--day=2016-06-09",))


class PartTest(FetchCase):
    """An archive of some databases takes the place of these."""

    def server(self, name, **values):
        """A store, and its influxd, with databases that hold these values."""
        influxd = self.influxd(self.folder / name)
        for database, value in values.items():
            influxd.query(f"CREATE DATABASE {database}")
            influxd.write([f"m v={value} 1465600000000000000"], database, "autogen")
        influxd.query("CREATE USER adm WITH PASSWORD 'x' WITH ALL PRIVILEGES")
        return influxd

    def test_part(self):
        """Of both forms, by both options: the other databases stay, and so do users."""
        self.server("source", b=2, other=2).stop()
        jobs = Jobs("", str(self.remote))
        days = {}
        for form in ("--legacy", ""):
            for part in ("--database=b", "--exclude=other"):
                days[form + part] = f"2016-06-{11 + len(days)}"
                jobs.run("archive", self.folder / "source", *filter(None, (form, part)), day=days[form + part])
        here = self.server("live", own=1, b=1)
        self.store = self.folder / "live"
        for words, day in days.items():
            with self.subTest(words):
                here.stop()
                told = json.loads(self.fetch(f"--day={day}", "--json", "--quiet", "--dry-run")[0])
                self.assertEqual(told["databases"], ["b"])
                self.fetch(f"--day={day}", "--quiet")
                here.start()
                self.assertEqual(self.names(here, "SHOW DATABASES") & {"own", "b", "other"}, {"own", "b"})
                self.assertEqual(self.names(here, "SHOW USERS"), {"adm"})
                self.assertEqual([self.value(here, database) for database in ("own", "b")], [1, 2])
                here.write(["m v=1 1465600000000000000"], "b", "autogen")
        here.stop()
        mnt = self.mount(self.store).point
        said = self.fetch(f"--into={mnt}/restore", "--day=2016-06-11", code=USAGE)[1]
        self.assertIn("legacy set of some databases", said)

    def names(self, influxd, query):
        return {row[0] for row in influxd.run(query)[0]["values"]}

    def value(self, influxd, database):
        return influxd.run("SELECT v FROM m", database)[0]["values"][0][1]


class ChangedTest(FetchCase):
    """The store here is the one that was archived, and has gone on."""

    def test_changed(self):
        jobs = Jobs("", str(self.remote))
        shutil.rmtree(self.store)
        some_store(self.store, 1)
        (self.folder / "state").mkdir()
        jobs.run("archive", self.store, f"--state={self.folder}/state")
        time.sleep(1.1)
        self.assertNotIn("has changed", self.fetch("--day=2016-06-11")[1])
        segment = self.store / "wal/first/autogen/1/_00002.wal"
        with segment.open("ab") as more:
            more.write(wal_entry(7))
        said = self.fetch("--day=2016-06-11", "--quiet", "--dry-run")[1]
        self.assertRegex(said, r"has changed since 20.* \(wal/first/autogen/1/_00002.wal, .*would be only in \*.before-restore")
        self.assertNotIn("has changed", self.fetch("--day=2016-06-11", "--database=first", "--merge=ours", "--dry-run")[1])
        said = self.fetch("--day=2016-06-11", "--quiet")[1]
        self.assertIn("is now only in *.before-restore", said)
        self.assertNotIn("has changed", self.fetch("--day=2016-06-11", "--quiet")[1])
        # Another store has the same name for its database.
        (self.folder / "state/id").write_text("f" * 32 + "\n")
        (self.folder / "state/fetched.json").unlink()
        with segment.open("ab") as more:
            more.write(wal_entry(8))
        self.assertNotIn("has changed", self.fetch("--day=2016-06-11", "--quiet")[1])


class DamageTest(FetchCase):
    """What is not good is refused, said, and never replaced by another day; the day before is offered."""

    OFFER = "newest good archive before it is that of 2016-06-10: take it by --day=2016-06-10"

    def setUp(self):
        super().setUp()
        self.chain(steps=0)
        self.archives.full(DAYS[1], self.tar_of("base"))
        self.bad = self.archives.full(DAYS[2], self.tar_of("base"), count=2)
        self.object = self.archives.objects(self.bad)[1]

    def test_flipped(self):
        content = bytearray(self.object.read_bytes())
        content[len(content) // 2] ^= 1
        self.object.write_bytes(content)
        self.check_refused(r"full\.tar\.001: damaged: its SHA-256 is \w+, and its receipt says", self.OFFER,
                           trials=((), ("--dry-run",)))

    def test_named_once(self):
        """An object, in the message about it."""
        rclone = shutil.which("rclone")
        self.on_path(rclone=BROKEN_RCLONE.format(folder=self.folder, rclone=rclone))
        said = self.fetch("--quiet", "--day=2016-06-10", code=FAILED)[1]
        self.assertRegex(said, "^influxfs-fetch: .*full.tar cannot be read: it is broken")
        self.assertEqual(said.count("full.tar"), 1, said)

    def test_truncated(self):
        self.object.write_bytes(self.object.read_bytes()[:-1])
        self.check_refused(r"the archive of 2016-06-11 is not good: .*full\.tar\.001 has \d+ bytes, and should have",
                           self.OFFER)

    def test_missing(self):
        self.object.unlink()
        self.check_refused(r"full\.tar\.001 is missing", self.OFFER)

    def test_receipt(self):
        path = self.archives.path(self.bad)
        path.write_text(path.read_text().replace("db1", "db2"))
        self.check_refused("the archive of 2016-06-11 is not good: .*json", self.OFFER)

    def test_receipt_of_another_day(self):
        """It does not count where it was put."""
        receipt = self.archives.path(self.archives.base)
        other = self.archives.folder("2016-06-12") / receipt.name
        other.parent.mkdir(parents=True)
        receipt.rename(other)
        self.check_refused("2016-06-12 is not good: .*does not belong there", self.OFFER,
                           options=("--day=2016-06-12",))

    def test_another_snapshot(self):
        """A good object that is not the one of which the receipt speaks."""
        self.archives.write(self.bad | {"id": "another"})
        self.check_refused("it is the full snapshot chain-0, and its receipt speaks of the full one another", self.OFFER)

    def test_spoilt_base(self):
        """A number of an earlier day is no way out if it builds on what is damaged."""
        self.made = Chain(self.folder / "more", 2, Growing(2000))
        archives = Archives(self.folder / "second")
        full = archives.full(DAYS[0], self.tar_of("base"))
        for step in range(2):
            archives.number(DAYS[step + 1], self.tar_of(step))
        self.remote = self.folder / "second"
        content = bytearray(archives.objects(full)[0].read_bytes())
        content[-2000] ^= 1
        archives.objects(full)[0].write_bytes(content)
        self.check_refused("the archive of 2016-06-11 is not good: .*2016-06-09.*full.tar: damaged", "no archive of an earlier day is good")
        archives.path(full).unlink()
        self.check_refused("the archive of 2016-06-11 is incomplete", "no archive of an earlier day is good", code=INCOMPLETE)


class GoneTest(FetchCase):

    def test_removed_meanwhile(self):
        """By influxfs-archive --keep: nothing is damaged, and there is a newer day."""
        self.chain(steps=0, size=1_000_000)
        self.archives.full(DAYS[1], self.tar_of("base"))
        before = whole_tree(self.store)
        rclone = subprocess.run(["which", "rclone"], capture_output=True, text=True, check=True).stdout.strip()
        waits = f"while [ ! -e {self.folder}/go ]; do sleep 0.05; done && exec {rclone} \"$@\""
        self.on_path(rclone=SLOW_RCLONE.format(folder=self.folder, rclone=rclone).replace("exec sleep 100000", waits))
        (self.folder / "slow").write_text("full.tar.002")
        process = subprocess.Popen(self.words("--day=2016-06-09"), env=self.environment, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        wait_until(lambda: (self.folder / "reached").exists() or process.poll() is not None, 60, "the last object")
        shutil.rmtree(self.remote / DAYS[0])
        (self.folder / "go").touch()
        said = process.stderr.read()
        self.assertEqual(process.wait(HANG), FAILED, said)
        self.assertRegex(said, r"the archive of 2016-06-09 was removed while it was fetched.* newest archive is that of 2016-06-10")
        self.assertIn("was removed", json.loads((self.folder / "state/jobs.json").read_text())["fetch"]["last"]["text"])
        self.check_untouched(before)

    def test_read_only(self):
        """A dry run finds what the fetch would."""
        self.chain(steps=0)
        for folder in ("meta", "data", "wal"):
            place = self.store / folder
            run("mount", "--bind", place, place)
            self.addCleanup(run, "umount", place)
            run("mount", "-o", "remount,bind,ro", place)
            for trial in ((), ("--dry-run",)):
                self.assertRegex(self.fetch("--day=2016-06-09", "--quiet", *trial, code=FAILED)[1], f"{place}.*: Read-only file system")
            run("mount", "-o", "remount,bind,rw", place)


class MountTest(FetchCase):
    """--into: copied as cp would."""

    def test_chain(self):
        self.chain()
        mnt = self.mount(self.store).point
        said = self.fetch(f"--into={mnt}/restore", "--day=2016-06-11", "--quiet")[0]
        self.assertRegex(said, "2016-06-11: the full archive of db1 with 2 numbers")
        self.check_store("1")
        self.assertEqual(json.loads((mnt / "restore/status.json").read_text())["pending"], [])
        # The store goes on, and a later night's numbers do not fit what it holds.
        next((self.store / "wal").rglob("*.wal")).write_bytes(b"")
        self.fetch(f"--into={mnt}/restore", "--day=2016-06-11", "--quiet")
        self.check_store("1")
        (mnt / "restore/as/again").mkdir()
        said = self.fetch(f"--into={mnt}/restore/as/again", "--day=2016-06-11", code=USAGE)[1]
        self.assertIn("without --into", said)
        told = json.loads(self.fetch(f"--into={mnt}/restore/as/again", "--day=2016-06-09", "--json", "--quiet")[0])
        self.assertEqual(told["day"], "2016-06-09")
        self.assertEqual(sorted(path.name for path in (self.store / "data").iterdir()), ["again", "db"])

    def test_damaged_number(self):
        self.chain()
        mnt = self.mount(self.store).point
        number = self.archives.objects(self.archives.last)[0]
        content = bytearray(number.read_bytes())
        content[len(content) // 2] ^= 1
        number.write_bytes(content)
        said = self.fetch(f"--into={mnt}/restore", "--day=2016-06-11", "--quiet", code=CORRUPT)[1]
        self.assertIn("restored as of what comes before number 1, but not further: ", said)
        self.check_store("0")

    def test_refusals(self):
        self.chain(steps=0)
        mnt = self.mount(self.store).point
        before = whole_tree(self.store)
        for folder in (self.folder, mnt / "snapshots", self.folder / "none"):
            self.fetch(f"--into={folder}", "--day=2016-06-09", code=USAGE if folder != self.folder / "none" else FAILED)
        damaged = self.archives.objects(self.archives.last)[2]
        content = bytearray(damaged.read_bytes())
        content[-1] ^= 1
        damaged.write_bytes(content)
        for trial in ((), ("--dry-run",)):
            said = self.fetch(f"--into={mnt}/restore", "--day=2016-06-09", "--quiet", *trial, code=CORRUPT)[1]
            self.assertIn("damaged: its SHA-256", said)
        self.check_untouched(before)
        self.assertEqual(os.listdir(mnt / "restore"), ["log", "status.json"])

    def test_verdict(self):
        """Of the mount: what it refuses, for the reason that its log has."""
        self.chain(steps=0)
        with open(self.store / "data/old db/autogen/1/000000007-000000002.tsm", "ab"), self.mounted(self.store) as mnt:
            said = self.fetch(f"--into={mnt.point}/restore", "--day=2016-06-09", "--quiet", code=IN_USE)[1]
        self.assertRegex(said, r"restore/\S+-full\.tar: .*writ")


class ServiceTest(FetchCase):
    """What becomes of influxd."""

    def setUp(self):
        super().setUp()
        self.service = self.folder / "service"
        self.service.mkdir()
        self.on_path(systemctl=SYSTEMCTL.format(folder=self.service))

    def asked(self):
        return (self.service / "asked").read_text().splitlines()

    def test_real(self):
        """An influxd at work is in the way; or is stopped, and started when the store is there."""
        unpack("1.6.7-inmem", self.folder / "source")
        snap(self.folder / "source", "backup", self.folder / "full.tar")
        self.archives.databases = ["sensu_db"]
        self.archives.full(DAYS[0], (self.folder / "full.tar").read_bytes())
        self.store = self.folder / "live"
        influxd = self.influxd(self.store)
        influxd.query("CREATE DATABASE old")
        said = self.fetch("--day=2016-06-09", code=IN_USE)[1]
        self.assertIn("influxd", said)
        (self.service / "pid").write_text(str(influxd.pid))
        for options in ((), ("--database=sensu_db", "--merge=ours"), ("--database=sensu_db", "--as=again"), ("--stop=influxdb",)):
            self.fetch("--day=2016-06-09", "--dry-run", *options)
        self.assertFalse((self.service / "asked").exists())
        self.fetch("--day=2016-06-09", "--stop=influxdb")
        self.assertEqual(self.asked(), ["is-active influxdb", "stop influxdb", "start influxdb"])
        influxd.stop()
        influxd.start()
        check_answers("1.6.7-inmem", influxd)

    def running(self):
        """A process that the unit is said to run."""
        process = subprocess.Popen(["sleep", "100000"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        (self.service / "pid").write_text(str(process.pid))
        return process

    def test_always_started(self):
        """Also when the restore has failed; not what did not run before."""
        self.chain(steps=0)
        damaged = self.archives.objects(self.archives.last)[1]
        damaged.write_bytes(bytes(damaged.stat().st_size))
        self.running()
        self.fetch("--day=2016-06-09", "--stop=influxdb", code=CORRUPT)
        self.assertEqual(self.asked(), ["is-active influxdb", "stop influxdb", "start influxdb"])
        self.fetch("--day=2016-06-09", "--stop=influxdb", code=CORRUPT)
        self.assertEqual(self.asked()[3:], ["is-active influxdb", "stop influxdb"])

    def test_systemctl_fails(self):
        self.chain(steps=0)
        self.running()
        (self.service / "refuses").touch()
        before = whole_tree(self.store)
        said = self.fetch("--day=2016-06-09", "--stop=influxdb", code=FAILED)[1]
        self.assertIn("systemctl stop influxdb failed, with exit code 1", said)
        self.assertEqual(self.asked()[-1], "start influxdb")
        self.assertTrue(whole_tree(self.store) == before)

    def test_not_one_unit(self):
        """systemctl would stop what a pattern matches, and start nothing."""
        for unit in ("influx*", "influxd?", "[i]nfluxd", "a b", "/etc/x", ""):
            self.fetch(f"--stop={unit}", code=USAGE)
        self.assertFalse((self.service / "asked").exists())

    def test_start_fails(self):
        """Which is said as what it is, and tried again by the next one."""
        self.chain(steps=0)
        self.running()
        (self.service / "breaks").touch()
        said = self.fetch("--day=2016-06-09", "--stop=influxdb", code=FAILED)[1]
        self.assertIn("the store was restored, but systemctl start influxdb failed", said)
        (self.service / "breaks").unlink()
        self.assertIn("influxdb was left stopped", self.fetch("--day=2016-06-09", "--stop=influxdb")[1])
        self.assertEqual(self.asked()[3:], ["is-active influxdb", "stop influxdb", "start influxdb"])
        self.assertIn("not started afterwards", self.fetch("--day=2016-06-09", "--stop=influxdb")[1])

    def test_killed(self):
        """The next fetch starts what that one had stopped."""
        self.reach_last_object().kill()
        self.assertEqual(self.asked(), ["is-active influxdb", "stop influxdb"])
        (self.folder / "slow").write_text("none")
        self.assertIn("influxdb was left stopped", self.fetch("--quiet", "--day=2016-06-09", "--stop=influxdb")[1])
        self.assertEqual(self.asked()[2:], ["is-active influxdb", "stop influxdb", "start influxdb"])

    def test_systemd_waits(self):
        """It starts influxd when the unit that is being stopped, in which the fetch runs, has ended."""
        process = self.reach_last_object()
        (self.service / "waits").touch()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(HANG), FAILED)
        self.assertEqual(self.asked()[2:], ["start influxdb"])
        os.kill(int((self.service / "waits").read_text()), signal.SIGKILL)

    def test_told_to_stop(self):
        """In the middle of the download: the store stays, and influxd is started."""
        before = whole_tree(self.store)
        process = self.reach_last_object()
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        self.assertEqual(process.wait(HANG), FAILED, said)
        self.assertIn("interrupted", said)
        self.assertEqual(self.asked(), ["is-active influxdb", "stop influxdb", "start influxdb"])
        self.check_untouched(before)

    def reach_last_object(self):
        """A fetch that has stopped influxd, and reads the last object without end."""
        self.chain(steps=0, size=1_000_000)
        self.running()
        rclone = subprocess.run(["which", "rclone"], capture_output=True, text=True, check=True).stdout.strip()
        self.on_path(rclone=SLOW_RCLONE.format(folder=self.folder, rclone=rclone))
        (self.folder / "slow").write_text("full.tar.002")
        process = subprocess.Popen(self.words("--day=2016-06-09", "--stop=influxdb"), env=self.environment,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        wait_until(lambda: (self.folder / "reached").exists() or process.poll() is not None, 60, "the last object")
        return process


class KillTest(FetchCase):

    def test_killed(self):
        """At any change that it makes: after recovery the store is the old one or the new one."""
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        self.chain(steps=1)
        old = self.folder / "old"
        run("cp", "-a", self.store, old)
        count = self.folder / "count"
        found = set()
        self.environment |= killing(self.store, 0, count)
        self.fetch("--day=2016-06-10")
        steps = int(count.read_text())
        for at in (steps // 2, steps - 1):
            run("rm", "-rf", self.store, self.folder / "state")
            run("cp", "-a", old, self.store)
            self.environment |= killing(self.store, at, count)
            self.fetch("--day=2016-06-10", code=-9)
            snap(self.store, f"--state={self.folder}/state", "recover")
            now = store_tree(self.store, times=False, owners=False)
            which = [name for name, root in (("old", old), ("new", self.made.states["0"]))
                     if store_tree(root, times=False, owners=False) == now]
            self.assertEqual(len(which), 1, f"half a store after {at} of {steps} changes")
            found.add(which[0])
        self.assertEqual(found, {"old", "new"})


class SwiftTest(FetchCase):
    """From a real Swift, over a line that breaks."""

    def test_swift(self):
        self.chain(steps=0, size=600_000)
        swift = self.enterContext(Swift(self.folder / "swift"))
        relay = self.enterContext(Relay(swift.port))
        run("rclone", "copy", self.remote, "swift:", env=rclone_environment(swift.rclone_config()))
        self.environment = rclone_environment(swift.rclone_config(self.folder / "relay.conf", port=relay.port))
        total = sum(path.stat().st_size for path in self.archives.objects(self.archives.last))
        relay.cut_after(total // 2)
        self.fetch("--day=2016-06-09", remote="swift:")
        self.assertGreater(relay.passed, total)
        self.check_store("base")
        damaged = self.archives.objects(self.archives.last)[1]
        file = swift.file_of("2016-06-09", f"2016-06-09/shards/{damaged.name}")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        with file.open("r+b") as there:  # it keeps its attributes
            there.write(content)
        before = whole_tree(self.store)
        said = self.fetch("--day=2016-06-09", "--quiet", remote="swift:", code=CORRUPT)[1]
        self.assertIn(f"{damaged.name}: damaged: its SHA-256", said)
        swift.kill_proxy()
        self.fetch("--day=2016-06-09", "--retry-for=1s", "--quiet", remote="swift:", code=FAILED)
        self.assertTrue(whole_tree(self.store) == before)


if __name__ == "__main__":
    import unittest
    unittest.main()
