"""What the nightly jobs came to, in all that watches a store: status as text and JSON, a mount, metrics, the
page, and the answer of a check, which says what to do."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, snap, snap_code
from lib.files import HANG, wait_until
from lib.metrics import Metrics, promtool_check
from lib.mount import INFLUXFS
from lib.nights import DAY, MIDNIGHT, Jobs
from lib.stores import some_store, wal_entry

OK, WARNING, CRITICAL, UNKNOWN = range(4)
PRELOAD = Path(INFLUXFS).parent / "tests/preload_clock.so"


class NightlyStatusTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.remote = self.folder / "remote"
        self.remote.mkdir()
        self.jobs = Jobs("", str(self.remote))

    def status(self):
        return json.loads(snap(self.store, "status", "--json"))["jobs"]

    def metrics(self):
        text = snap(self.store, "status", "--prometheus")
        self.assertEqual(promtool_check(text), "")
        return Metrics(text)

    def page(self):
        return snap(self.store, "status", "--html")

    def check(self, level, hours=0):
        """The answer, so many hours later: what it says, and its performance data."""
        env = os.environ | self.later(hours)
        code, said = snap_code(self.store, "status", "--check", env=env)
        self.assertEqual(code, level, said)
        text, _, data = said.partition(" | ")
        return text, dict(word.split("=") for word in data.split())

    def later(self, hours):
        if hours and not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        return {"LD_PRELOAD": str(PRELOAD), "CLOCK_SHIFT": str(hours * 3600)} if hours else {}

    def test_none(self):
        """A store without such jobs is not told to have some."""
        snap(self.store, "cut")
        self.assertEqual(self.status()["archive"], {"done": 0, "omissions": 0, "failed": 0, "last": None, "good": None})
        self.assertIsNone(self.status()["at_work"])
        self.assertNotRegex(snap(self.store, "status"), "archive|fetch|dump|at work")
        self.assertNotIn("archive_age", self.check(OK)[1])
        self.assertNotIn("ightly", self.page())
        found = self.metrics()
        self.assertEqual((found.of("jobs_known"), found.of("jobs_total", kind="archive", result="done")), (1, 0))
        self.assertIsNone(found.of("last_job_success", kind="archive"))
        self.jobs.run("archive", self.store, "--dry-run", "--before=false")  # which is not remembered
        self.assertIsNone(self.status()["archive"]["last"])

    def test_one_that_ended_well(self):
        began = time.time_ns()
        self.jobs.run("archive", self.store)
        found = self.status()["archive"]
        last = found["last"]
        self.assertEqual((found["done"], last["result"], last["code"], last["day"], last["remote"], last["text"]),
                         (1, "done", 0, DAY, str(self.remote), None))
        self.assertEqual(found["good"]["day"], DAY)
        self.assertTrue(began < last["began_ns"] <= last["ended_ns"] == found["good"]["ended_ns"] < time.time_ns())
        objects = [path for path in self.remote.rglob("*.tar")]
        self.assertEqual((last["objects"], last["bytes"]), (1, objects[0].stat().st_size))
        self.assertRegex(snap(self.store, "status"), rf"(?m)^archive +done for {DAY} at [-\dT:]+Z: ")
        text, data = self.check(OK)
        self.assertRegex(text, r"last backup \d+ s ago")
        self.assertRegex(data["archive_age"], r"^\d+s;93600;180000;0;$")
        self.assertIn(f"influxfs-archive for {DAY} to {self.remote}", self.page())
        metrics = self.metrics()
        self.assertEqual(metrics.of("last_job_success", kind="archive"), 1)
        self.assertEqual(metrics.of("last_job_bytes", kind="archive"), last["bytes"])
        self.assertEqual(metrics.of("last_job_objects", kind="archive"), 1)
        self.assertEqual(metrics.of("last_good_job_day_timestamp_seconds", kind="archive"), MIDNIGHT)
        self.assertAlmostEqual(metrics.of("last_job_timestamp_seconds", kind="archive", result="done") * 1e9,
                               last["ended_ns"], delta=1000)

    def test_one_that_failed(self):
        """Told until one ends well, with the cause and what to do; once, though it was a backup, too."""
        self.jobs.run("archive", self.store)
        self.remote.rename(self.folder / "away")
        self.remote.write_text("no folder")
        self.jobs.run("archive", self.store, code=1)
        last = self.status()["archive"]["last"]
        self.assertEqual((last["result"], last["code"], last["objects"]), ("failed", 1, 0))
        self.assertIn(str(self.remote), last["text"])
        said, _ = self.check(WARNING)
        self.assertIn(f"- the last influxfs-archive, for {DAY}, failed: {last['text'][:100]}", said)
        self.assertIn("systemctl start influxfs-archive", said)
        self.assertEqual(said.count("failed"), 1 + last["text"].count("failed"), said)
        self.assertIn(f"The last influxfs-archive, for {DAY}, failed", self.page())
        self.assertRegex(snap(self.store, "status"), rf"(?m)^archive +failed for {DAY} at .*{self.remote}")
        self.assertEqual(self.metrics().of("last_job_success", kind="archive"), 0)
        self.remote.unlink()
        (self.folder / "away").rename(self.remote)
        self.jobs.run("archive", self.store)
        self.check(OK)
        self.assertEqual((self.status()["archive"]["failed"], self.status()["archive"]["done"]), (1, 2))

    def test_a_command_that_forbids_it(self):
        self.jobs.run("fetch", self.store, "--before=echo no; exit 3", code=1)
        self.assertIn("--before", self.status()["fetch"]["last"]["text"])
        self.assertIn(f"the last influxfs-fetch, for {DAY}, failed: ", snap_code(self.store, "status", "--check")[1])

    def test_omissions(self):
        orphan = self.store / "data/first/autogen/99"
        orphan.mkdir()
        (orphan / "000000001-000000001.tsm").write_bytes(b"x" * 5000)
        self.jobs.run("archive", self.store, code=6)
        said, _ = self.check(WARNING)
        self.assertIn(f"the last influxfs-archive, for {DAY}, was done with omissions: ", said)
        self.assertNotIn("the last backup", said.partition("; last")[0])

    def test_age(self):
        """An archive that does not go on: told once where nothing else is newer, and beside a cut that is."""
        self.jobs.run("archive", self.store)
        for hours, level in ((25, OK), (27, WARNING), (51, CRITICAL)):
            said, data = self.check(level, hours)
            self.assertAlmostEqual(int(data["archive_age"].split("s")[0]), hours * 3600, delta=600)
            self.assertNotIn("influxfs-archive has", said)
            self.assertEqual("no cut or backup since" in said, level != OK)
        for hours, level in ((27, WARNING), (51, CRITICAL)):
            with (self.store / "wal/first/autogen/1/_00002.wal").open("ab") as segment:
                segment.write(wal_entry(hours))
            snap(self.store, "cut", env=os.environ | self.later(hours))
            said, _ = self.check(level, hours)
            self.assertRegex(said, r"- influxfs-archive has not ended well since [-\d]+ [\d:]+ UTC \(See whether")
            self.assertNotIn("no cut or backup since", said)
        (self.store / "influxfs/jobs.json").unlink()  # as it says
        self.check(OK, 51)

    def test_a_mount_shows_the_same(self):
        self.jobs.run("dump", self.store, "--before=exit 1", "first", code=1)
        mnt = self.mount(self.store)
        self.assertEqual(json.loads((mnt / "status.json").read_text())["jobs"], self.status())
        self.assertEqual(Metrics((mnt / "metrics.prom").read_text()).of("last_job_success", kind="dump"), 0)
        self.assertIn(f"The last influxfs-dump, for {DAY}, failed", (mnt / "status.html").read_text())

    def test_at_work(self):
        """While it is, and no longer, however it ended."""
        busy = self.folder / "busy"
        busy.touch()
        process = self.jobs.start("archive", self.store, f"--before=echo at work; while test -e '{busy}'; do sleep 0.1; done")
        with process.stdout:
            while "at work" not in (line := process.stdout.readline()):
                self.assertTrue(line)
            now = self.status()["at_work"]
            self.assertEqual((now["job"], now["pid"]), ("archive", process.pid))
            self.assertRegex(snap(self.store, "status"), rf"(?m)^at work +influxfs-archive since .*, process {process.pid}$")
            self.assertIn("influxfs-archive is at work since ", self.page())
            process.kill()
            busy.unlink()
            process.wait(HANG)
        wait_until(lambda: self.status()["at_work"] is None, 30, "the job to be gone")
        self.assertIsNone(self.status()["archive"]["last"])

    def test_damage(self):
        self.jobs.run("archive", self.store, "--before=exit 1", code=1)
        snap(self.store, "cut")
        record = self.store / "influxfs/jobs.json"
        record.write_text(record.read_text()[:-20])
        said, _ = self.check(UNKNOWN)
        self.assertRegex(said, rf"how the nightly jobs ended is unknown: {record} is damaged")
        self.assertIn("is damaged", self.status()["error"])
        self.assertEqual(self.metrics().of("jobs_known"), 0)
        self.assertRegex(self.jobs.run("archive", self.store, "--before=exit 1", code=1), "warning: .*jobs.json is damaged")
        self.assertIsNone(self.status()["error"])
        self.assertEqual(self.status()["archive"]["failed"], 1)

    def test_nobody_is_shut_out(self):
        """Who may not read the state folder is told that it is unknown, not that all is well."""
        self.jobs.run("archive", self.store, "--before=exit 1", code=1)
        self.open_to_all()
        program = self.folder / "influxsnap"
        program.write_bytes(Path(INFLUXSNAP).read_bytes())
        program.chmod(0o755)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-c", self.store,
                               "status", "--check"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, UNKNOWN, done.stdout)
        self.assertTrue(re.search("unknown", done.stdout), done.stdout)
