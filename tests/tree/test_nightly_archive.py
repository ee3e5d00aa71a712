"""influxfs-archive: what it leaves on a remote, whatever happens to it."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import snap
from lib.files import HANG, files_in, run, wait_until
from lib.influxbackup import restore_legacy
from lib.influxd import Influxd
from lib.nightly import ARCHIVE, LAGGING, WRITE_ONCE, archive, copy, instead_of_rclone, killer, names_of, receipts
from lib.objectstore import Swift, rclone_environment
from lib.relay import Relay
from lib.stores import HandmadeStore, tsm, wal_entry

DONE, FAILED, USAGE, IN_USE, CORRUPT, INCOMPLETE, OMISSIONS = range(7)
FIRST = "000000001-000000001.tsm"
DAYS = [f"2016-06-{number:02}" for number in range(1, 31)]


class NightlyTest(StoreTest):
    """self.store is a small store, self.remote a folder that a job archives to."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(1)
        self.made = HandmadeStore(self.folder / "store")
        self.change("db", 300_000)
        self.change("other", 20_000)
        self.store = self.made.root
        self.remote = self.folder / "remote"
        self.remote.mkdir()

    def change(self, database="db", size=5000):
        shard = self.made.shard(database, tsm={FIRST: tsm(self.random.randbytes(size))}, wal={"_00001.wal": wal_entry(1)})
        self.made.write_meta()
        return self.made.root / f"data/{database}/autogen/{shard}"

    def archive(self, day, *words, remote=None, code=DONE, **how):
        return archive(self.store, remote or self.remote, f"--day={day}", *words, code=code, **how)

    def result(self, day, *words, **how):
        return json.loads(self.archive(day, "--json", *words, **how)[0])

    def at(self, day):
        return self.remote / day / day / "shards"

    def days(self):
        return sorted(path.name for path in self.remote.iterdir())

    def tar(self, *days):
        """The tar of the one archive of a day."""
        tars = []
        for day in days:
            (receipt,) = [one for one in receipts(self.at(day)).values() if one["objects"]]
            tars.append(self.folder / f"{day}.tar")
            tars[-1].write_bytes(b"".join((self.at(day) / item["name"]).read_bytes() for item in receipt["objects"]))
        return tars

    def check_clean(self, day):
        """Nothing lies there but good archives."""
        wanted = set()
        for name, receipt in receipts(self.at(day)).items():
            wanted |= names_of(receipt, name)
        self.assertEqual({path.name for path in self.at(day).iterdir()}, wanted)


class ArchiveTest(NightlyTest):

    def test_full(self):
        result = self.result(DAYS[0])
        (name, receipt), = receipts(self.at(DAYS[0])).items()
        self.check_clean(DAYS[0])
        self.assertEqual((receipt["form"], receipt["day"], receipt["databases"]), ("full", DAYS[0], ["db", "other"]))
        self.assertEqual((result["receipt"], result["form"], result["container"], result["day"]), (name, "full", *[DAYS[0]] * 2))
        (item,) = result["uploaded"]
        self.assertRegex(item["name"], r"^[0-9a-f]{8}-\d{8}T\d{6}Z-full\.tar$")
        self.assertEqual(item["sha256"], receipt["objects"][0]["sha256"])
        run("sha256sum", "-c", name.replace(".json", ".sha256"), cwd=self.at(DAYS[0]))
        snap(self.store, "verify", *self.tar(DAYS[0]))
        history = json.loads(snap(self.store, "status", "--json"))["history"]["backups"]["last"][0]
        self.assertEqual((history["result"], history["what"]), ("done", str(self.at(DAYS[0]) / item["name"])))

    def test_parts(self):
        out = self.archive(DAYS[0], "--part-size=64K", "--verify=read")[1]
        names = [item["name"] for item in next(iter(receipts(self.at(DAYS[0])).values()))["objects"]]
        self.assertGreater(len(names), 4)
        self.assertEqual(names, sorted(names))
        self.assertTrue(names[1].endswith("-full.tar.001"), names)
        self.assertEqual([line.split()[1] for line in out.splitlines() if "archiving" in line], names)
        snap(self.store, "verify", *self.tar(DAYS[0]))

    def test_what_is_refused(self):
        for words, why in ((["--legacy", "--incremental"], "--incremental"), (["--part-size=1K"], "64K"),
                           (["--keep=0"], "--keep"), (["--full-every=0"], "--full-every"),
                           (["--full-every=3"], "--incremental"), (["--state=/no/such"], "counts as another"),
                           (["--", "copy"], "flags of rclone"), (["--", "--include=x"], "--include")):
            self.assertIn(why, self.archive(DAYS[0], *words, code=USAGE)[1])
        self.assertIn("--remote", subprocess.run([ARCHIVE, "-c", self.store], text=True, capture_output=True,
                                                 check=False).stderr)
        self.assertEqual(self.days(), [])

    def test_store_that_cannot_be_captured(self):
        (self.store / "meta/meta.db").write_bytes(b"no metastore")
        out = self.archive(DAYS[0], code=FAILED)[1]
        self.assertIn("meta.db", out)
        self.assertEqual(self.days(), [])

    def test_dry_run(self):
        self.archive(DAYS[0])
        before = sorted(files_in(self.remote))
        out = self.archive(DAYS[1], "--dry-run", "--keep=1", "--part-size=128K")[0]
        self.assertRegex(out, r"would upload \S+-full\.tar\.000, 131072 bytes")
        self.assertIn(f"would remove what is archived of {DAYS[0]}", out)
        result = self.result(DAYS[1], "--dry-run", "--keep=1", "--part-size=128K")
        self.assertEqual((result["removed"], result["uploaded"][0]["size"]), ([DAYS[0]], 131072))
        self.assertEqual(sorted(files_in(self.remote)), before)
        self.assertEqual(self.days(), [DAYS[0]])

    def test_twice_a_day(self):
        first, second = self.result(DAYS[0]), self.result(DAYS[0])
        self.assertLess(first["run"], second["run"])
        self.assertEqual(len(receipts(self.at(DAYS[0]))), 2)
        self.check_clean(DAYS[0])

    def test_container_format(self):
        self.archive(DAYS[0], "--container-format=influx-%Y%m%d")
        self.assertEqual(self.days(), ["influx-20160601"])
        self.assertEqual(len(receipts(self.remote / "influx-20160601" / DAYS[0] / "shards")), 1)

    def test_lacks(self):
        (self.change() / "000000002-000000001.tsm.bad").write_bytes(b"set aside")
        out = self.archive(DAYS[0], code=OMISSIONS)[1]
        self.assertIn(".tsm.bad", out)
        (receipt,) = receipts(self.at(DAYS[0])).values()
        self.assertIn(".tsm.bad", receipt["left_out"][0])


class IncrementalTest(NightlyTest):

    def test_chain(self):
        self.assertEqual(self.result(DAYS[0], "--incremental")["form"], "full")
        self.change()
        first = self.result(DAYS[1], "--incremental")
        self.assertEqual((first["form"], first["number"]), ("incremental", 0))
        unchanged = self.result(DAYS[2], "--incremental")
        self.assertEqual((unchanged["form"], unchanged["uploaded"], unchanged["changed"]), ("incremental", [], False))
        self.change()
        second = self.result(DAYS[3], "--incremental")
        self.assertEqual((second["number"], second["parent"]), (1, first["id"]))
        for day in DAYS[:4]:
            self.check_clean(day)
        full, *numbers = self.tar(DAYS[0], DAYS[1], DAYS[3])
        snap(self.store, "verify", full, *numbers)
        self.assertLess(numbers[1].stat().st_size, full.stat().st_size / 4)

    def test_full_every(self):
        forms = []
        for day in DAYS[:5]:
            forms.append(self.result(day, "--incremental", "--full-every=2")["form"])
            self.change()
        self.assertEqual(forms, ["full", "incremental", "incremental", "full", "incremental"])

    def test_passes_over_what_is_not_good(self):
        self.archive(DAYS[0], "--incremental")
        self.change()
        self.archive(DAYS[1], "--incremental")
        next(self.at(DAYS[1]).glob("*.tar")).unlink()
        self.change()
        out = self.archive(DAYS[2], "--incremental", code=OMISSIONS)[1]
        self.assertRegex(out, rf"the archive \S+ of {DAYS[1]} is not good")
        (receipt,) = receipts(self.at(DAYS[2])).values()
        self.assertEqual((receipt["number"], receipt["follows"]["day"]), (0, DAYS[0]))
        snap(self.store, "verify", *self.tar(DAYS[0], DAYS[2]))

    def test_damaged_full_one(self):
        self.archive(DAYS[0], "--incremental")
        tar = next(self.at(DAYS[0]).glob("*.tar"))
        tar.write_bytes(bytes(1024) + tar.read_bytes()[1024:])
        self.assertEqual(self.result(DAYS[1], "--incremental", code=OMISSIONS)["form"], "full")

    def test_another_part_begins_anew(self):
        self.archive(DAYS[0], "--incremental")
        self.assertEqual(self.result(DAYS[1], "--incremental", "--exclude=other")["form"], "full")
        self.change()
        self.assertEqual(self.result(DAYS[2], "--incremental", "--exclude=other")["form"], "incremental")

    def test_database_dropped(self):
        self.archive(DAYS[0], "--incremental")
        del self.made.databases["db"]
        shutil.rmtree(self.store / "data/db")
        shutil.rmtree(self.store / "wal/db")
        self.made.write_meta()
        for words in (["--incremental"], []):
            out = self.archive(DAYS[1], *words, "--keep=1", code=OMISSIONS)[1]
            self.assertIn(f"database db of the archive of {DAYS[0]} is gone", out)
            self.assertRegex(out, rf"since the archive of {DAYS[0]} .* are gone")
            self.assertIn("--keep removes nothing", out)
            self.assertEqual(self.days(), DAYS[:2])
            shutil.rmtree(self.remote / DAYS[1])
        self.archive(DAYS[1], "--incremental", "--guard=off")

    def test_loss_does_not_become_usual(self):
        """Night after night, until what was lost is back, or is said to be right."""
        self.archive(DAYS[0])
        for kind in ("data", "wal"):
            (self.store / kind / "db").rename(self.folder / f"db-{kind}")
        for day, words in zip(DAYS[1:], ([], [], ["--incremental"], ["--incremental"])):
            out = self.archive(day, *words, "--keep=1", code=OMISSIONS)[1]
            self.assertRegex(out, rf"since the archive of {DAYS[0]} .* are gone")
            self.assertIn("--keep removes nothing", out)
        self.assertEqual(self.days(), DAYS[:5])
        for kind in ("data", "wal"):
            (self.folder / f"db-{kind}").rename(self.store / kind / "db")
        self.archive(DAYS[5], "--incremental")
        for kind in ("data", "wal"):
            shutil.rmtree(self.store / kind / "db")
        self.archive(DAYS[6], "--guard=off", "--keep=1")
        self.assertEqual(self.days(), [DAYS[6]])


class KeepTest(NightlyTest):

    def fill(self, *days):
        """Full ones, of which the first is made, and the others are copies of it."""
        self.archive(days[0])
        for number, day in enumerate(days[1:], 1):
            copy(self.at(days[0]), self.at(day), f"20160611T1200{number:02}Z")

    def test_keeps_the_newest(self):
        self.fill(*DAYS[:3])
        result = self.result(DAYS[3], "--keep=2")
        self.assertEqual(self.days(), DAYS[2:4])
        self.assertEqual((result["kept"], result["removed"]), ([DAYS[3], DAYS[2]], [DAYS[1], DAYS[0]]))

    def test_keeps_what_is_built_on(self):
        for day, keep in zip(DAYS, (9, 9, 2)):
            self.archive(day, "--incremental", "--full-every=2", f"--keep={keep}")
            self.change()
        self.assertEqual(self.days(), DAYS[:3])
        self.archive(DAYS[3], "--incremental", "--full-every=2", "--keep=2")
        self.assertEqual(self.days(), DAYS[:4])     # the third builds on the first two
        self.archive(DAYS[4], "--incremental", "--full-every=2", "--keep=2")
        self.assertEqual(self.days(), DAYS[3:5])
        self.check_clean(DAYS[4])

    def test_others_stay(self):
        self.fill(*DAYS[:2])
        (self.at(DAYS[0]) / "note").write_text("somebody's")
        (self.remote / DAYS[1] / DAYS[1] / "influxdb").mkdir()
        (self.remote / DAYS[1] / DAYS[1] / "influxdb" / "m.json").write_text("{}")
        (self.remote / "photos").mkdir()
        other = HandmadeStore(self.folder / "other")
        other.shard("db", tsm={FIRST: tsm(b"x" * 999)})
        other.write_meta()
        archive(other.root, self.remote, f"--day={DAYS[0]}")
        self.archive(DAYS[2], "--keep=1")
        self.assertEqual(self.days(), [*DAYS[:3], "photos"])
        self.assertEqual([path.name for path in self.at(DAYS[0]).iterdir() if path.suffix not in (".json", ".tar", ".sha256")],
                         ["note"])
        self.assertEqual(len(receipts(self.at(DAYS[0]))), 1)
        self.assertEqual(receipts(self.at(DAYS[1])), {})

    def test_days_that_are_not_good_do_not_count(self):
        self.fill(*DAYS[:3])
        next(self.at(DAYS[2]).glob("*.tar")).unlink()
        self.archive(DAYS[3], "--keep=2", code=OMISSIONS)
        self.assertEqual(self.days(), DAYS[1:4])

    def test_too_few_good_days(self):
        """What is damaged may be put back, and stays as long as there are not so many good days."""
        for day in DAYS[:3]:
            self.archive(day, "--incremental")
            self.change()
        tar = next(self.at(DAYS[0]).glob("*.tar"))
        away = tar.rename(self.folder / "away")
        self.archive(DAYS[3], "--incremental", "--keep=30", code=OMISSIONS)
        self.assertEqual(self.days(), DAYS[:4])
        away.rename(tar)
        self.archive(DAYS[4], "--keep=30")
        self.assertEqual(self.days(), DAYS[:5])

    def test_parts_count_by_themselves(self):
        """An archive of one database takes the place of none of the whole store; and numbers follow what is
        of the same part."""
        part = "--database=other"
        for day in DAYS[:2]:
            self.archive(day, "--incremental")
            self.archive(day, "--incremental", part, "--keep=1")
            self.change()
        for words in ((), (part,)):
            self.assertEqual(self.result(DAYS[2], "--incremental", *words)["form"], "incremental")
        self.archive(DAYS[3], part, "--keep=1")
        whole = {name for day in DAYS[:4] for name, receipt in receipts(self.at(day)).items() if "selection" not in receipt}
        self.assertEqual(len(whole), 3)
        self.archive(DAYS[4], "--keep=1")
        self.assertEqual(self.days(), DAYS[3:5])

    def test_listing_that_looks_wrong(self):
        """What a good one builds on is not in it."""
        self.archive(DAYS[0], "--incremental")
        self.change()
        self.archive(DAYS[1], "--incremental")
        copy(self.at(DAYS[0]), self.at("2016-05-01"), "20160501T120000Z")
        shutil.rmtree(self.remote / DAYS[0])
        out = self.archive(DAYS[2], "--keep=2", code=OMISSIONS)[1]
        self.assertRegex(out, r"--keep removes nothing: \S+ builds on \S+, which is not in the listing")
        self.assertEqual(self.days(), ["2016-05-01", *DAYS[1:3]])

    def test_later_day(self):
        future = "2199-01-01"
        self.fill(DAYS[0], DAYS[1], future)
        out = self.archive(DAYS[2], "--keep=1", code=OMISSIONS)[1]
        self.assertRegex(out, rf"{future}, which is later than today: is the clock right\?")
        self.assertIn("--keep removes nothing", out)
        self.assertEqual(self.days(), [*DAYS[:3], future])

    def test_older_day(self):
        """What has just been archived is not removed at once."""
        self.fill(*DAYS[2:5])
        self.archive(DAYS[0], "--keep=2")
        self.assertEqual(self.days(), [DAYS[0], *DAYS[3:5]])


    def test_chain_that_is_broken(self):
        """Its last day cannot be restored, so that it is not one of those that stay."""
        for day in DAYS[:3]:
            self.archive(day, "--incremental")
            self.change()
        next(self.at(DAYS[1]).glob("*.tar")).unlink()
        self.archive(DAYS[3], "--keep=2", code=OMISSIONS)
        self.assertEqual(self.days(), DAYS[:4])

    def test_dry_run_keeps_what_it_builds_on(self):
        self.archive(DAYS[0], "--incremental")
        self.change()
        result = self.result(DAYS[1], "--incremental", "--keep=1", "--dry-run")
        self.assertEqual((result["kept"], result["removed"]), ([DAYS[0]], []))

    def test_other_store_of_the_same_digits(self):
        self.archive(DAYS[0])
        store = next(iter(receipts(self.at(DAYS[0])).values()))["store"]
        copy(self.at(DAYS[0]), self.at(DAYS[1]), "20160611T120001Z", store[:8] + "f" * 24)
        self.archive(DAYS[2], "--keep=1")
        self.assertEqual(self.days(), DAYS[1:3])

    def test_without_the_lock(self):
        """Another job might build on what would be removed, or be making what looks left over."""
        self.archive(DAYS[0])
        (lock,) = self.folder.glob("**/jobs.lock")
        lock.unlink()
        lock.mkdir()
        left = self.at(DAYS[0]) / next(self.at(DAYS[0]).glob("*.tar")).name.replace("Z-full", "Z-0")
        left.write_bytes(b"of another job")
        out = self.archive(DAYS[1], "--keep=1", code=OMISSIONS)[1]
        self.assertRegex(out, "--keep removes nothing: without the store's lock")
        self.assertTrue(left.exists())
        self.assertEqual(self.days(), DAYS[:2])


class OddRemoteTest(NightlyTest):

    def test_listing_that_lags(self):
        """What was just archived is not taken for a leftover; and each later night sees that it is an archive."""
        env = os.environ | instead_of_rclone(self.folder / "bin", LAGGING, hidden='.json"')
        self.archive(DAYS[0], "--keep=5", env=env)
        self.check_clean(DAYS[0])
        self.change()
        self.assertEqual(self.result(DAYS[1], "--incremental", env=env)["form"], "incremental")
        self.check_clean(DAYS[0])

    def test_user_who_may_not_remove(self):
        """The mark of each night stays; the nights are archived."""
        env = os.environ | instead_of_rclone(self.folder / "bin", WRITE_ONCE)
        for day in DAYS[:2]:
            out = self.archive(day, code=OMISSIONS, env=env)[1]
            self.assertIn("Access Denied", out)
            self.assertEqual(len(receipts(self.at(day))), 1)
        self.assertRegex(out, "what a run before this one has left cannot be removed")
        self.archive(DAYS[2], "--keep=3")
        for day in DAYS[:3]:
            self.check_clean(day)


    def test_names_of_a_set(self):
        """A mark that could not be removed is in no set's way; names that another store's receipt has stay."""
        self.store = self.folder / "real"
        fixtures.unpack("1.6.7-inmem", self.store)
        words = ["--legacy", "--database=with space"]
        env = os.environ | instead_of_rclone(self.folder / "bin", WRITE_ONCE)
        self.archive(DAYS[0], *words, env=env, code=OMISSIONS)
        first = {item["name"] for item in next(iter(receipts(self.at(DAYS[0])).values()))["objects"]}
        aside = self.folder / "aside" / DAYS[0] / "shards"
        copy(self.at(DAYS[0]), aside, "20160611T120001Z", "f" * 32)
        self.archive(DAYS[0], *words, env=env, code=OMISSIONS)
        self.assertEqual(len(receipts(self.at(DAYS[0]))), 2)
        (other,) = aside.glob("*.json")
        shutil.copy(other, self.at(DAYS[0]))
        self.archive(DAYS[1], *words, "--keep=1")
        self.assertEqual({path.name for path in self.at(DAYS[0]).iterdir()}, first | {other.name})


class KilledTest(NightlyTest):

    def killed(self, day, at, how, *words):
        """Whether a run was killed at that call."""
        (self.folder / "bin/count").write_text("")
        code, *said = self.archive(day, *words, code=None, env=self.env | {"KILL_AT": str(at), "KILL_HOW": how})
        self.assertIn(code, (DONE, -signal.SIGKILL), said)
        return code != DONE

    def test_at_each_step(self):
        """Killed after any call that changes something, a run leaves nothing that is half a day, and the next
        one nothing else."""
        self.env = killer(self.folder / "bin", shutil.which("rclone"))
        self.archive(DAYS[0])
        at, ends = 1, set()
        while self.killed(DAYS[1], at, "after", "--keep=1", "--part-size=256K"):
            receipts(self.at(DAYS[1]))
            receipts(self.at(DAYS[0]))
            last = (self.folder / "bin/count").read_text().split()
            ends.add(Path(last[-1]).suffix)
            at += 2     # as the next one begins with one call more, for the mark of this one
        self.assertLessEqual({".begun", ".000", ".001", ".sha256", ".json"}, ends)
        self.assertGreater(at, 11, "an end while the day before was removed")
        self.check_clean(DAYS[1])
        self.assertEqual(self.days(), [DAYS[1]])

    def test_legacy(self):
        self.env = killer(self.folder / "bin", shutil.which("rclone"))
        self.store = fixtures.unpack("1.6.7-inmem", self.folder / "real")
        words = ["--legacy", "--database=with space"]
        for at in (1, 2, 4):
            self.assertTrue(self.killed(DAYS[1], at, "after", *words))
            self.assertEqual(receipts(self.at(DAYS[1])), {})
        self.archive(DAYS[1], *words)
        self.check_clean(DAYS[1])
        self.assertIn("meta.00", os.listdir(self.at(DAYS[1])))


class SwiftTest(NightlyTest):
    """A real Swift, where objects above a chunk lie in segments of a container of their own."""

    def setUp(self):
        super().setUp()
        self.swift = self.enterContext(Swift(self.folder / "swift"))
        self.env = rclone_environment(self.swift.rclone_config())
        self.chunks = {"RCLONE_SWIFT_CHUNK_SIZE": "1Mi"}

    def put(self, day, *words, env=(), remote="swift:", **how):
        return self.archive(day, *words, remote=remote, env=self.env | dict(env), **how)

    def listing(self, day):
        """What lies in DAY/shards, by its names there."""
        return {name.rpartition("/")[2]: size for name, size in self.swift.listing(day, f"{day}/shards/").items()}

    def receipt(self, day):
        (name,) = [name for name in self.listing(day) if name.endswith(".json")]
        return name, json.loads(self.swift.request("GET", f"{day}/{day}/shards/{name}")[1])

    def check_whole(self, day):
        """One good archive lies there, with its segments, and nothing else."""
        name, receipt = self.receipt(day)
        self.assertEqual(set(self.listing(day)), names_of(receipt, name))
        objects = [f"{day}/shards/{item['name']}" for item in receipt["objects"]]
        if f"{day}_segments" in self.swift.containers():
            for segment in self.swift.listing(f"{day}_segments"):
                self.assertIn("/".join(segment.split("/")[:3]), objects)
        path = self.folder / "down.tar"
        path.write_bytes(b"".join(self.swift.request("GET", f"{day}/{name}")[1] for name in objects))
        snap(self.store, "verify", path)

    def cut_off(self, relay, day, after, *words):
        """The process of an archive of which so many bytes have gone, and no more do."""
        env = rclone_environment(self.swift.rclone_config(self.folder / "relayed.conf", port=relay.port)) | self.chunks
        words = [ARCHIVE, "-c", self.store, "--remote=swift:", f"--day={day}", *words]
        relay.stop_after(after)
        process = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.kill)
        relay.wait_until_stopped()
        return process

    def test_segments(self):
        """Killed, made again, and removed when it is too old: no segment is left over."""
        self.change("large", 4 << 20)
        with Relay(self.swift.port) as relay:
            process = self.cut_off(relay, DAYS[0], 2_500_000)
            process.kill()
            process.communicate(timeout=HANG)
        self.assertFalse([name for name in self.listing(DAYS[0]) if name.endswith(".json")])
        self.assertTrue(self.swift.listing(f"{DAYS[0]}_segments"))
        self.put(DAYS[0], env=self.chunks)
        self.assertGreater(len(self.swift.listing(f"{DAYS[0]}_segments")), 3)
        self.check_whole(DAYS[0])
        name = self.receipt(DAYS[0])[0].replace(".json", "")
        self.swift.request("PUT", f"{DAYS[0]}/{DAYS[0]}/shards/{name}.begun")
        self.put(DAYS[1], env=self.chunks | instead_of_rclone(self.folder / "bin", LAGGING, hidden=f"{name}-full.tar"))
        self.check_whole(DAYS[0])   # though that listing did not show the object of its segments
        self.put(DAYS[2], "--keep=1", "--verify=read", env=self.chunks)
        self.assertEqual(self.swift.containers(), [DAYS[2], f"{DAYS[2]}_segments"])
        self.check_whole(DAYS[2])

    def test_trouble(self):
        for check in (self.full_and_forbidden, self.proxy_killed):
            with self.subTest(check.__name__):
                check()

    def full_and_forbidden(self):
        self.put(DAYS[0])
        before = self.listing(DAYS[0])
        self.swift.limit(400_000, DAYS[0])
        said = self.put(DAYS[0], code=FAILED)[1]
        self.assertRegex(said, r"full|quota")
        self.assertEqual(self.listing(DAYS[0]), before)
        said = self.put(DAYS[1], remote="swift-reader:", code=FAILED)[1]
        self.assertRegex(said, r"refuse|forbid|Forbidden|denied")
        self.assertEqual(self.swift.containers(), [DAYS[0]])

    def proxy_killed(self):
        """In the middle of an upload, and started again."""
        self.change("large", 4 << 20)
        with Relay(self.swift.port) as relay:
            process = self.cut_off(relay, DAYS[2], 2_500_000)
            self.swift.kill_proxy()
            relay.cut()
            relay.go_on()
            self.swift.start_proxy()
            said = process.communicate(timeout=HANG)[0]
            self.assertEqual(process.returncode, DONE, said)
        self.check_whole(DAYS[2])

    def test_legacy(self):
        """What plain tools bring is what the real `influxd restore` takes."""
        with Influxd(self.folder / "real") as influxd:
            influxd.run("CREATE DATABASE sensu_db")
            influxd.write([f"cpu,host=h{n % 7} load={n},name=\"n{n}\" {1465603200 + n * 60}000000000" for n in range(2000)], "sensu_db")
            query = "SELECT * FROM /.*/"
            expected = influxd.query(query, "sensu_db")
            self.store = influxd.config
            said = self.put(DAYS[10], "--legacy")[0]
        self.assertIn("a legacy set", said)
        listed = self.swift.client("list", DAYS[10], "-p", f"{DAYS[10]}/shards/")
        self.assertRegex(listed, rf"(?m)^{DAYS[10]}/shards/meta\.00$")
        self.assertRegex(listed, rf"(?m)^{DAYS[10]}/shards/sensu_db\.autogen\.0000\d\.00$")
        down, other = self.folder / "down", self.folder / "restored"
        self.swift.client("download", DAYS[10], "-p", f"{DAYS[10]}/shards/", "-D", down)
        other.mkdir()
        restore_legacy(other, down / DAYS[10] / "shards", "sensu_db")
        (other / "wal").mkdir()
        self.assertEqual(self.influxd(other).query(query, "sensu_db"), expected)


class OthersTest(NightlyTest):
    """Objects of runs that may not be this one's to judge."""

    def put_begun(self, store, host, run):
        """What a run on that host has uploaded so far."""
        stem = f"{store[:8]}-{run}"
        mark = {"version": 1, "store": store, "host": host, "run": run, "names": []}
        (self.at(DAYS[0]) / f"{stem}.begun").write_text(json.dumps(mark) + "\n")
        (self.at(DAYS[0]) / f"{stem}-full.tar").write_bytes(b"its beginning")
        return {f"{stem}.begun", f"{stem}-full.tar"}

    def test_copy_of_the_store_on_another_host(self):
        """It has the same id. Its run may be under way: for a day."""
        store = self.result(DAYS[0])["store"]
        now = self.put_begun(store, "elsewhere", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        old = self.put_begun(store, "elsewhere", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 90_000)))
        self.archive(DAYS[0])
        names = {path.name for path in self.at(DAYS[0]).iterdir()}
        self.assertLessEqual(now, names)
        self.assertFalse(old & names)

    def test_legacy_names(self):
        """They do not tell whose they are, so a set lies only beside those of the same store."""
        self.at(DAYS[0]).mkdir(parents=True)
        (self.at(DAYS[0]) / "meta.00").write_bytes(b"by hand")
        said = self.archive(DAYS[0], "--legacy", code=FAILED)[1]
        self.assertIn("meta.00 lies there, and no receipt tells of it", said)
        self.archive(DAYS[0])
        other = fixtures.unpack("1.6.7-inmem", self.folder / "real")
        archive(other, self.remote, f"--day={DAYS[1]}", "--legacy", "--database=with space")
        said = self.archive(DAYS[1], "--legacy", code=FAILED)[1]
        self.assertIn("of the store of host", said)
        archive(other, self.remote, f"--day={DAYS[1]}", "--legacy", "--database=with space")
        self.assertIn("meta.01", os.listdir(self.at(DAYS[1])))
        self.check_clean(DAYS[1])
