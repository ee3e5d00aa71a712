"""influxfs-dump: the points of days in object storage, byte for byte as influxd would answer."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumps import answer, copy_stripped, dump
from lib.files import FIXTURES, HANG, STORE_FOLDERS, files_in, run, sha256
from lib.nights import DAY, MIDNIGHT, Jobs
from lib.objectstore import Swift
from lib.oddnames import OddPoints
from lib.stores import DAY as DAY_NS

RECEIPT = re.compile(r"[0-9a-f]{8}-\d{8}T\d{6}Z\.(json|sha256)")
FROM_TO = "_2016-06-11-00:00:00_2016-06-12-00:00:00"
START = MIDNIGHT * 10**9
FAILED, USAGE, OMISSIONS = 1, 2, 6


class NightlyDumpTest(StoreTest):

    def setUp(self):
        super().setUp()
        config = self.folder / "rclone.conf"
        config.write_text("")
        self.remote = self.folder / "remote"
        self.remote.mkdir()
        self.jobs = Jobs(config, self.remote)

    def dump(self, store, *words, **how):
        return self.jobs.run("dump", store, *words, **how)

    def place(self, day=DAY, container=None):
        return self.remote / (container or day) / day / "influxdb"

    def dumped(self, *where, **how):
        """{name: bytes} of what is no receipt."""
        return {path.name: path.read_bytes() for path in self.place(*where, **how).iterdir() if not RECEIPT.fullmatch(path.name)}

    def names(self, *where):
        """Of measurements, of which all are of that day."""
        return sorted(name.removesuffix(f"{FROM_TO}.json") for name in self.dumped(*where))

    def receipt(self, *where, **how):
        """The one that there is, which names what lies there and nothing else."""
        place = self.place(*where, **how)
        found = [path for path in place.iterdir() if RECEIPT.fullmatch(path.name)]
        self.assertEqual(sorted(path.suffix for path in found), [".json", ".sha256"])
        self.assertEqual(len({path.stem for path in found}), 1)
        one = json.loads(next(path for path in found if path.suffix == ".json").read_text())
        self.assertEqual(self.told(one), {name: (len(text), hashlib.sha256(text).hexdigest())
                                          for name, text in self.dumped(*where, **how).items()})
        run("sha256sum", "--quiet", "-c", next(path for path in found if path.suffix == ".sha256"), cwd=place)
        return one

    def receipts(self):
        return [path for path in self.place().iterdir() if RECEIPT.fullmatch(path.name) and path.suffix == ".json"]

    def told(self, receipt):
        return {one["name"]: (one["size"], one["sha256"]) for one in receipt["objects"]}

    def fixture(self, name="1.6.7-tsi1"):
        return fixtures.unpack(name, self.folder / name)

    def filled(self):
        """An influxd with the measurements m and n, of that day, in db."""
        influxd = self.influxd(self.folder / "store")
        influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 1d NAME "rp"')
        influxd.write([f"{name},host=a v={number} {START + number}" for number in range(9) for name in "mn"], "db")
        return influxd


class AnswersTest(NightlyDumpTest):
    """Against what servers answer."""

    def check_fixture(self, name):
        """The rows of that day in what the store's own server answered."""
        answers = json.loads(gzip.decompress((FIXTURES / name / "answers.json.gz").read_bytes()))
        wanted = {}
        for one in answers:
            if (one["db"], one["rp"]) != ("sensu_db", "default") or '"values":[' not in one["body"]:
                continue
            head, rest = one["body"].split('"values":[', 1)
            rows = [row for row in self.rows(rest) if row.startswith(f'["{DAY}T')]
            if rows:
                wanted[f'{one["measurement"]}{FROM_TO}.json'] = f'{head}"values":[{",".join(rows)}]}}]}}]}}\n'.encode()
        self.assertEqual(len(wanted), 6)
        self.dump(self.fixture(name), "sensu_db")  # whose default policy is "default"
        self.assertEqual(self.dumped(), wanted)
        self.receipt()

    def rows(self, text):
        """Each as it is written."""
        end = -1
        while text[end] != "]":
            start = end + 1
            end = json.JSONDecoder().raw_decode(text, start)[1]
            yield text[start:end]

    def test_answers_of_1_6_7(self):
        self.check_fixture("1.6.7-inmem")

    def test_answers_of_1_8_10(self):
        self.check_fixture("1.8.10-tsi1")

    def test_answers_of_1_12_4(self):
        self.check_fixture("1.12.4-inmem")

    def test_forms(self):
        store = self.fixture()
        influxd = self.influxd(copy_stripped(store, self.folder / "served"), index="tsi1")
        question = ("sensu_db", "default", "cpu")
        times = (START, START + DAY_NS)
        wanted = {form: answer(influxd, form, *question, *times) for form in ("json", "csv")}
        wanted["lp"] = dump(store, "lp", *question, *times)
        for form, way, ending, tool in (("json", None, "", "cat"), ("csv", None, "", "cat"), ("lp", None, "", "cat"),
                                        ("csv", "gzip", ".gz", "zcat"), ("lp", "zstd", ".zst", "zstdcat")):
            self.dump(store, *question, f"--format={form}", *([f"--compress={way}"] if way else []))
            file = self.place() / f"cpu{FROM_TO}.{form}{ending}"
            self.assertEqual(subprocess.check_output([tool, file]), wanted[form])
            self.assertEqual(file.stat().st_size < len(wanted[form]), bool(way))
        self.assertEqual(len(self.dumped()), 5)
        self.receipt()

    def test_odd_names(self):
        """What names a measurement may have: each is a file name of its own, and says its text."""
        store = OddPoints(7, 9).store(self.folder / "odd")
        day = "1970-01-02"
        self.dump(store, "db", day=day)
        self.dump(store, "db", "--format=lp", "--names=compact", day=day, code=OMISSIONS)
        measurements = set(json.loads(text)["results"][0]["series"][0]["name"]
                           for name, text in self.dumped(day).items() if name.endswith(".json"))
        self.assertGreater(len(measurements), 4)
        found = sorted(self.dumped(day).values())
        wanted = []
        for measurement in measurements:
            for form in ("json", "lp"):
                text = subprocess.run([INFLUXSNAP, "-q", "-c", store, "dump", f"--format={form}", "--", "db", "rp", measurement],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=HANG).stdout
                wanted += [text] if text else []
        self.assertEqual(found, sorted(wanted))
        self.assertTrue(self.receipt(day)["left_out"])


class WantedTest(NightlyDumpTest):
    """Which measurements, policies and days."""

    def test_names_and_patterns(self):
        store = self.fixture()
        for words, names in ((["ints"], ["ints"]), (["*s", "cpu"], ["Aggregated_metrics", "cpu", "ints", "strs"]),
                             (["odd meas,ure"], ["odd meas,ure"]), (["[os]*", "ints"], ["ints", "odd meas,ure", "strs"])):
            self.dump(store, "sensu_db", "default", *words)
            self.assertEqual(self.names(), names)
            self.receipt()
            shutil.rmtree(self.place().parents[1])

    def test_names_that_are_nowhere(self):
        store = self.fixture()
        said = self.dump(store, "sensu_db", "default", "ints", "epok", "stx?", code=OMISSIONS)
        self.assertIn("warning: sensu_db/default has no measurement epok: nothing of it was dumped", said)
        self.assertIn("has no measurement stx?", said)
        self.assertEqual(self.names(), ["ints"])
        self.assertIn("sensu_db/default has no measurement epok: nothing was dumped",
                      self.dump(store, "sensu_db", "default", "epok", "stx?", code=FAILED))
        # It is there, though not on that day.
        self.assertNotIn("warning", self.dump(store, "sensu_db", "default", "epoch", "str[s]"))
        self.assertEqual(self.names(), ["ints", "strs"])
        for words, why in ((["nodb"], "no database nodb"), (["sensu_db", "norp"], "no retention policy norp")):
            self.assertIn(why, self.dump(store, *words, code=FAILED))

    def test_policy(self):
        self.dump(self.fixture(), "sensu_db", "four_weeks")
        self.assertEqual(self.names(), ["hourly"])

    def test_days(self):
        """A week and a day, of which four days have points; a container for each of them."""
        store = self.fixture()
        said = self.dump(store, "sensu_db", "default", "cpu", "--from=2016-06-07", "--to=2016-06-15",
                         "--container-format=dumps-%d.%m.%Y", day=None)
        days = [f"2016-06-{day:02}" for day in (9, 10, 11, 12)]
        self.assertEqual(sorted(path.name for path in self.remote.iterdir()), sorted(f"dumps-{day[8:]}.06.2016" for day in days))
        for day in days:
            text = (self.place(day, f"dumps-{day[8:]}.06.2016") / f"cpu_{day}-00:00:00_2016-06-{int(day[8:]) + 1:02}-00:00:00.json")
            start = START + (int(day[8:]) - 11) * DAY_NS
            self.assertEqual(text.read_bytes(), dump(store, "json", "sensu_db", "default", "cpu", start, start + DAY_NS))
            self.assertIn(f"{day}: 1 uploaded", said)
        self.assertIn("2016-06-14: no points of sensu_db/default, nothing to dump", said)

    def test_usage(self):
        store = self.fixture()
        for words in (["db", "--from=2016-06-01"], ["db", "--to=2016-06-01"], ["db", "--day=2016-06-01", "--from=2016-06-01", "--to=2016-06-02"],
                      ["db", "--from=2016-06-02", "--to=2016-06-02"], [], ["db", "--day=2016-13-01"]):
            self.dump(store, *words, day=None, code=USAGE)
        self.assertEqual(files_in(self.remote), [])

    def test_day_that_is_not_over(self):
        influxd = self.influxd(self.folder / "store")
        influxd.run("CREATE DATABASE db")
        influxd.write(["m v=1"], "db")
        today = json.loads(influxd.query("SELECT v FROM m", "db"))["results"][0]["series"][0]["values"][0][0][:10]
        self.assertIn(f"warning: {today} is not over before ", self.dump(influxd.root, "db", day=today))
        self.assertEqual(len(self.dumped(today)), 1)


class AgainTest(NightlyDumpTest):
    """A day that was dumped before."""

    def test_unchanged(self):
        store = self.fixture()
        self.assertIn("6 uploaded", self.dump(store, "sensu_db"))
        before = self.stamps()
        self.assertIn("6 unchanged; 0 bytes", self.dump(store, "sensu_db"))
        self.assertIn("1 unchanged; 0 bytes", self.dump(store, "sensu_db", "default", "ints"))
        self.assertEqual(self.stamps(), before)

    def stamps(self):
        return {path: (os.stat(path).st_ino, os.stat(path).st_mtime_ns) for path in files_in(self.remote)}

    def test_changed(self):
        """Written to, deleted, and new: each is dealt with, and the rest stays."""
        influxd = self.filled()
        influxd.write([f"gone v=1 {START}", f"left v=1 {START}"], "db")
        self.dump(influxd.root, "db")
        influxd.write([f"m v=7 {START + 7777}", f"new v=1 {START}"], "db")
        influxd.run("DELETE FROM gone", "db")
        influxd.run("DROP MEASUREMENT left", "db")
        said = self.dump(influxd.root, "db", code=OMISSIONS)
        self.assertIn("1 uploaded, 1 rewritten, 1 unchanged, 2 removed", said)
        for name in ("gone", "left"):
            self.assertIn(f"influxdb/{name}{FROM_TO}.json: removed from the remote: it has no points any more", said)
        self.assertEqual(self.names(), ["m", "n", "new"])
        self.assertEqual(self.dumped()[f"m{FROM_TO}.json"], answer(influxd, "json", "db", "rp", "m", START, START + DAY_NS))
        self.receipt()
        # What this run was not asked for is as it was.
        influxd.run("DROP MEASUREMENT new", "db")
        self.dump(influxd.root, "db", "rp", "m")
        self.assertEqual(self.names(), ["m", "n", "new"])
        self.receipt()

    def test_all_deleted(self):
        influxd = self.filled()
        self.dump(influxd.root, "db")
        influxd.run("DROP SERIES FROM /.*/", "db")
        self.assertIn("2 removed", self.dump(influxd.root, "db", code=OMISSIONS))
        self.assertEqual(files_in(self.remote), [])

    def test_expired(self):
        """Of a day whose shard retention has dropped, the dumps are all that is left: nothing changes there."""
        influxd = self.filled()
        self.dump(influxd.root, "db")
        before = self.stamps()
        self.drop_shards(influxd)
        said = self.dump(influxd.root, "db", "--from=2016-06-01", "--to=2016-06-14", day=None)
        self.assertIn(f"{DAY}: 2 kept; 0 bytes", said)
        self.assertIn(f"m{FROM_TO}.json: is kept as it is there, with points that are not in the store: "
                      "this store has no shard any more of some of the day", said)
        self.assertEqual(self.stamps(), before)
        self.receipt()

    def drop_shards(self, influxd, most=None):
        shards = [row[0] for one in influxd.run("SHOW SHARDS") if one["name"] == "db" for row in one["values"]]
        for shard in sorted(shards)[:most]:
            influxd.run(f"DROP SHARD {shard}")

    def test_expired_in_part(self):
        """A dump does not become shorter by what retention has dropped; it becomes longer by what is new."""
        influxd = self.influxd(self.folder / "store")
        influxd.run('CREATE DATABASE db WITH DURATION INF SHARD DURATION 12h NAME "rp"')
        influxd.write([f"{name} v=1 {START + half * DAY_NS // 2}" for half in (0, 1) for name in "mn"], "db")
        self.dump(influxd.root, "db")
        before = self.dumped()
        self.drop_shards(influxd, 1)
        influxd.write([f"n v={number} {START + DAY_NS // 2 + number}" for number in range(1, 9)], "db")
        self.assertIn("1 rewritten, 1 kept", self.dump(influxd.root, "db"))
        self.assertEqual(self.dumped()[f"m{FROM_TO}.json"], before[f"m{FROM_TO}.json"])
        self.assertEqual(self.dumped()[f"n{FROM_TO}.json"], answer(influxd, "json", "db", "rp", "n", START, START + DAY_NS))
        self.receipt()

    def test_empty(self):
        """Known, but without points on that day: no object, and if there is nothing else no container."""
        influxd = self.filled()
        influxd.write([f"other v=1 {START - 1}"], "db")
        self.dump(influxd.root, "db", "rp", "other")
        self.assertEqual(files_in(self.remote), [])
        self.dump(influxd.root, "db")
        self.assertEqual(self.names(), ["m", "n"])

    def test_spoilt(self):
        """What is not there any more, or is another: uploaded again."""
        store = self.fixture()
        self.dump(store, "sensu_db")
        good = self.dumped()
        (self.place() / f"ints{FROM_TO}.json").unlink()
        (self.place() / f"strs{FROM_TO}.json").write_bytes(b"short")
        said = self.dump(store, "sensu_db", code=0)
        self.assertIn("2 uploaded, 4 unchanged", said)
        self.assertIn("is not there any more as this store uploaded it", said)
        self.assertEqual(self.dumped(), good)
        self.receipt()
        self.receipts()[0].write_text("{}")
        self.assertIn("6 uploaded", self.dump(store, "sensu_db"))
        self.assertEqual(self.dumped(), good)
        self.receipt()

    def test_of_another_database(self):
        store = self.fixture()
        self.dump(store, "a.b")
        before = self.dumped()
        said = self.dump(store, "with space", code=FAILED)
        self.assertIn("it lies there as the dump of a.b/autogen: give with space/autogen containers of its own", said)
        self.assertEqual(self.dumped(), before)
        self.dump(store, "with space", "--container-format=space-%Y-%m-%d")
        self.receipt()
        self.receipt(container=f"space-{DAY}")

    def test_of_another_store(self):
        """The same bytes are shared; others are refused."""
        influxd = self.filled()
        copy = copy_stripped(influxd.root, self.folder / "copy")
        self.dump(influxd.root, "db")
        self.assertIn("2 unchanged", self.dump(copy, "db"))
        before = self.dumped()
        self.assertEqual(len(self.receipts()), 2)
        influxd.write([f"m v=7 {START + 7777}"], "db")
        said = self.dump(influxd.root, "db", code=FAILED)
        self.assertIn("another store has uploaded another dump under this name", said)
        self.assertEqual(self.dumped(), before)
        # What the other store's receipt names stays, though this one has nothing of it any more.
        influxd.run("DROP MEASUREMENT n", "db")
        influxd.write([f"n v=1 {START - 1}"], "db")
        said = self.dump(influxd.root, "db", "rp", "n")
        self.assertIn("1 left to another store", said)
        self.assertEqual(self.dumped(), before)
        names = [sorted(self.told(json.loads(path.read_text()))) for path in self.receipts()]
        self.assertEqual(sorted(names), [[f"m{FROM_TO}.json"], [f"m{FROM_TO}.json", f"n{FROM_TO}.json"]])


class TroubleTest(NightlyDumpTest):

    def test_damage(self):
        """The others are dumped; with --skip-damaged also what is whole of the damaged one."""
        store = self.fixture()
        tsm = max((store / "data/sensu_db/default").glob("*/*.tsm"), key=os.path.getsize)  # of that day
        with open(tsm, "r+b") as file:
            file.seek(40)
            file.write(b"\xff\xfe\xfd")
        said = self.dump(store, "sensu_db", code=FAILED)
        self.assertIn(f"influxfs-dump: Aggregated_metrics{FROM_TO}.json: ", said)
        self.assertEqual(self.names(), ["cpu", "ints", "odd meas,ure", "strs", "walonly"])
        self.receipt()
        said = self.dump(store, "sensu_db", "--skip-damaged", code=OMISSIONS)
        self.assertIn("1 uploaded, 5 unchanged", said)
        self.assertTrue(any("3/000000001-000000001.tsm" in line for line in self.receipt()["left_out"]))

    def test_damaged_since(self):
        """A dump that was made of a file when it was whole stays as it is."""
        store = self.fixture()
        self.dump(store, "sensu_db")
        before = self.dumped()
        tsm = max((store / "data/sensu_db/default").glob("*/*.tsm"), key=os.path.getsize)
        with open(tsm, "r+b") as file:
            file.seek(40)
            file.write(b"\xff\xfe\xfd")
        said = self.dump(store, "sensu_db", "--skip-damaged", code=OMISSIONS)
        self.assertIn("5 unchanged, 1 kept", said)
        self.assertEqual(self.dumped(), before)
        self.receipt()

    def test_receipt_refused(self):
        """The last receipt cannot be put: the one before it stays, for what has not changed."""
        store = self.changed_store()
        refusing = self.rclone(f"""
            case "$*" in *rcat*Z.json*)
                if [ -e {self.folder}/once ]; then cat >/dev/null; echo 'Failed to rcat: AccessDenied' >&2; exit 1; fi
                touch {self.folder}/once;; esac""")
        self.dump(store, "db", environment=refusing, code=FAILED)
        self.check_receipts()
        one, = self.receipts()
        self.assertIn(f"n{FROM_TO}.json", self.told(json.loads(one.read_text())))
        self.assertIn("2 uploaded, 1 unchanged", self.dump(store, "db"))
        self.receipt()

    def test_listing_that_lags(self):
        """What it does not show is asked for itself, and stays in the receipt."""
        store = self.fixture()
        self.dump(store, "sensu_db")
        before = self.receipts()
        lagging = self.rclone(f"""
            case "$*" in *lsjson*--stat*) ;; *lsjson*)
                {shutil.which("rclone")} "$@" | grep -v '"Path":"ints_'; exit;; esac""")
        self.assertIn("1 unchanged", self.dump(store, "sensu_db", "default", "cpu", environment=lagging))
        self.assertEqual(self.receipts(), before)
        self.receipt()

    def test_dry_run(self):
        store = self.fixture()
        self.assertIn("6 to be uploaded", self.dump(store, "sensu_db", "--dry-run"))
        self.assertEqual(files_in(self.remote), [])
        self.dump(store, "sensu_db", "default", "ints")
        before = files_in(self.remote)
        self.assertIn("5 to be uploaded", self.dump(store, "sensu_db", "--dry-run"))
        self.assertEqual(files_in(self.remote), before)

    def test_json(self):
        store = self.fixture()
        self.dump(store, "sensu_db", "default", "ints")
        said = self.dump(store, "sensu_db", "default", "ints", "strs", "epoch", "--json", "--quiet")
        day = json.loads(said)["days"][0]
        self.assertEqual((day["day"], day["folder"]), (DAY, f"{DAY}/{DAY}/influxdb"))
        self.assertEqual({one["name"]: (one["result"], one["size"]) for one in day["dumps"]},
                         {f"ints{FROM_TO}.json": ("unchanged", (self.place() / f"ints{FROM_TO}.json").stat().st_size),
                          f"strs{FROM_TO}.json": ("uploaded", day["bytes"])})

    def test_one_instant(self):
        """What is written after the run has looked at the store is in none of its dumps."""
        influxd = self.filled()
        lines = self.folder / "lines"
        lines.write_text(f"m v=1 {START + 10**6}\nn v=1 {START + 10**6}\nlater v=1 {START}\n")
        wanted = {f"{name}{FROM_TO}.json": answer(influxd, "json", "db", "rp", name, START, START + DAY_NS) for name in "mn"}
        rclone = self.rclone(f"""
            case "$*" in *m_2016*) curl -sf --data-binary @{lines} 'http://{influxd.address}/write?db=db' || exit 1;; esac""")
        self.dump(influxd.root, "db", environment=rclone)
        self.assertEqual(self.dumped(), wanted)
        self.assertNotEqual(answer(influxd, "json", "db", "rp", "n", START, START + DAY_NS), wanted[f"n{FROM_TO}.json"])

    def rclone(self, script):
        """The environment in which each call of rclone runs a piece of sh first."""
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "rclone").write_text(f"#!/bin/sh\n{script}\nexec {shutil.which('rclone')} \"$@\"\n")
        (tools / "rclone").chmod(0o755)
        return {"PATH": f"{tools}:{os.environ['PATH']}"}

    def changed_store(self):
        """One that was dumped, with gone, m and n, and has changed since: the next run rewrites, removes and
        uploads."""
        influxd = self.filled()
        influxd.write([f"gone v=1 {START}"], "db")
        store = copy_stripped(influxd.root, self.folder / "copy")
        self.dump(store, "db")
        influxd.write([f"m v=7 {START + 7777}", f"new v=1 {START}"], "db")
        influxd.run("DROP MEASUREMENT gone", "db")
        after = copy_stripped(influxd.root, self.folder / "after")
        for folder in STORE_FOLDERS:
            shutil.rmtree(store / folder)
            os.rename(after / folder, store / folder)
        return store

    def test_killed_at_each_step(self):
        """Before the last change of each kind, the remote is what a kill would leave there: no receipt names what
        looks as it says, and is not; and the next run makes everything right."""
        store = self.changed_store()
        states = self.folder / "states"
        states.mkdir()
        kinds = {"new": "rcat*/new_", "gone": "deletefile*/gone_", "sums": "deletefile*Z.sha256", "receipt": "rcat*Z.json"}
        keep = "".join(f'*{words}*) kind={kind};; ' for kind, words in kinds.items())
        changes = self.rclone(f"""
            case "$*" in {keep} *) kind=;; esac
            if [ "$kind" ]; then rm -rf {states}/$kind; cp -a {self.remote} {states}/$kind; fi""")
        self.dump(store, "db", environment=changes, code=OMISSIONS)
        wanted = self.dumped()
        self.assertEqual(sorted(path.name for path in states.iterdir()), sorted(kinds))
        for state in states.iterdir():
            shutil.rmtree(self.remote)
            os.rename(state, self.remote)
            self.check_receipts()
            self.dump(store, "db", code=OMISSIONS if (self.place() / f"gone{FROM_TO}.json").exists() else 0)
            self.assertEqual(self.dumped(), wanted)
            self.receipt()

    def test_killed(self):
        store = self.changed_store()
        killing = self.rclone(f'case "$*" in *rcat*/m_2016*) kill -9 $PPID;; esac')
        done = subprocess.run(self.jobs.command("dump", store, "db"), env=self.jobs.environment | killing,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG, check=False)
        self.assertEqual(done.returncode, -9)
        self.check_receipts()
        self.dump(store, "db", code=OMISSIONS)
        self.assertEqual(self.names(), ["m", "n", "new"])
        self.receipt()

    def check_receipts(self):
        for path in self.receipts():
            for name, (_, digest) in self.told(json.loads(path.read_text())).items():
                if name.startswith("gone_") and not (self.place() / name).exists():
                    continue  # as anybody sees
                self.assertEqual(sha256(self.place() / name), digest, name)


class RealStoresTest(NightlyDumpTest):

    def test_swift_and_s3(self):
        store = self.fixture()
        words = ("sensu_db", "default", "cpu", "odd*")
        self.dump(store, *words)
        wanted = self.dumped()
        with Swift(self.folder / "swift") as swift:
            config = swift.rclone_config()
            for remote, container, more in (("swift:", DAY, ()), ("s3:", f"s3-{DAY}", ("--container-format=s3-%Y-%m-%d",))):
                jobs = Jobs(config, remote)
                self.assertIn("2 uploaded", jobs.run("dump", store, *words, *more))
                self.assertIn("2 unchanged; 0 bytes", jobs.run("dump", store, *words, *more))
                self.assertEqual({name: size for name, size in swift.listing(container).items() if not RECEIPT.search(name)},
                                 {f"{DAY}/influxdb/{name}": len(text) for name, text in wanted.items()})
                target = self.folder / f"downloaded-{container}"
                swift.client("download", container, "-D", target, "-p", f"{DAY}/influxdb/")
                got = {path.name: path.read_bytes() for path in (target / DAY / "influxdb").iterdir()}
                self.assertEqual({name: text for name, text in got.items() if not RECEIPT.fullmatch(name)}, wanted)
            self.check_damaged(swift, Jobs(config, "swift:"), store, wanted)

    def check_damaged(self, swift, jobs, store, wanted):
        """Of which the listing shows nothing, but a whole read does."""
        name = f"{DAY}/influxdb/cpu{FROM_TO}.json"
        with open(swift.file_of(DAY, name), "r+b") as file:
            file.seek(1000)
            file.write(b"\0")
        said = jobs.run("dump", store, "sensu_db", "default", "cpu", "--verify=read")
        self.assertIn("is damaged on the remote; it is uploaded again", said)
        self.assertIn("1 rewritten", said)
        self.assertEqual(swift.request("GET", f"{DAY}/{name}")[1], wanted[f"cpu{FROM_TO}.json"])
