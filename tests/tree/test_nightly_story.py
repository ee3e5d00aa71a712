"""The nightly jobs, from a running influxd to object storage and back into another one: each point of
the operator's page, on a real Swift, on the same as an S3, and on a folder."""

import re
import shutil
import time
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumps import answer
from lib.files import HANG, run, wait_until
from lib.influxbackup import restore_legacy
from lib.influxd import Influxd
from lib.nights import DAY, MIDNIGHT, Jobs, answers, end, fill
from lib.objectstore import Swift
from lib.relay import Relay

SHARDS, DUMPS = f"{DAY}/shards", f"{DAY}/influxdb"
DUMP = f"{DUMPS}/Aggregated_metrics_2016-06-11-00:00:00_2016-06-12-00:00:00.json"
RUN = r"[0-9a-f]{8}-\d{8}T\d{6}Z"
NANO = 10**9


class NightTest(StoreTest):
    """self.a is the store of a running influxd, which has acknowledged all that self.before answers."""
    noise = 0

    def setUp(self):
        super().setUp()
        self.swift = self.enterContext(Swift(self.folder / "swift"))
        self.a = self.folder / "a"
        self.server = self.influxd(self.a)
        fill(self.server, noise=self.noise)
        self.before = answers(self.server)

    def jobs(self, remote="swift:", **how):
        return Jobs(self.swift.rclone_config(**how), remote)

    def check_answers(self, store):
        """An influxd that starts on it has all that A had."""
        with Influxd(store) as server:
            self.assertEqual(answers(server), self.before)

    def other_host(self, name="b"):
        """A store with another history, whose influxd does not run."""
        with Influxd(self.folder / name) as server:
            server.run("CREATE DATABASE other")
            server.write(["m v=1 1"], "other")
        return self.folder / name

    def lost(self):
        """Host A with its disk."""
        self.server.kill()
        shutil.rmtree(self.a)

    def download(self, prefix):
        """All below it, by the real client, into a fresh folder; returns where it lies there."""
        folder = self.folder / f"downloaded-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        self.swift.client("download", DAY, "-p", f"{prefix}/", cwd=folder)
        return folder / prefix

    def names(self, prefix, container=DAY):
        """As `swift list` shows them."""
        return self.swift.client("list", container, "-p", f"{prefix}/").split("\n")[:-1]


class SwiftTest(NightTest):
    def test_whole_story(self):
        """The night of two hosts, and by hand what they did."""
        jobs = self.jobs()
        jobs.run("archive", self.a)
        full, receipt, sums = self.names(SHARDS)
        self.assertRegex(full, rf"^{SHARDS}/{RUN}-full\.tar$")
        self.assertEqual([receipt, sums], [full.replace("-full.tar", ".json"), full.replace("-full.tar", ".sha256")])
        wanted = answer(self.server, "json", "sensu_db", "default", "Aggregated_metrics", MIDNIGHT * NANO,
                        (MIDNIGHT + 86400) * NANO)
        self.lost()

        b = self.other_host()
        self.assertIn("sensu_db", jobs.run("fetch", b))
        self.check_answers(b)

        jobs.run("dump", b, "sensu_db", "default", "Aggregated_metrics", "earlier")
        self.assertEqual([name for name in self.names(DUMPS) if "_" in name], [DUMP])  # and not the empty one
        self.assertEqual((self.download(DUMPS) / Path(DUMP).name).read_bytes(), wanted)

        there = self.download(SHARDS)
        self.assertIn("OK", run("sha256sum", "-c", *there.glob("*.sha256"), cwd=there))
        c = self.other_host("c")
        run(INFLUXSNAP, "-c", c, "restore", *there.glob("*-full.tar"))
        self.check_answers(c)

    def test_page(self):
        """With --legacy the container shows what the page shows, and the page's own commands restore it."""
        jobs = self.jobs()
        jobs.run("archive", self.a, "--legacy", "--database=sensu_db")
        listed = self.names(SHARDS)
        shards = sorted(name for name in listed if "default" in name)
        ids = [series["values"] for series in self.server.run("SHOW SHARDS") if series["name"] == "sensu_db"][0]
        self.assertEqual(shards, [f"{SHARDS}/sensu_db.default.{row[0]:05}.00" for row in sorted(ids)])
        self.assertGreater(len(shards), 2)
        others = [name for name in listed if name not in shards]
        self.assertIn(f"{SHARDS}/meta.00", others)
        self.assertEqual(len(others), 3, "meta.00, receipt and checksums")
        self.lost()

        there = self.download(SHARDS)
        run("sha256sum", "-c", *there.glob("*.sha256"), cwd=there)
        c = self.folder / "c"
        (c / "wal").mkdir(parents=True)
        restore_legacy(c, there, "sensu_db")
        with Influxd(c) as server:
            self.assertEqual(answers(server)[2:], self.before[2:])
        b = self.other_host()
        jobs.run("fetch", b, "--database=sensu_db")
        with Influxd(b) as server:
            self.assertEqual(answers(server)[2:], self.before[2:])
            self.assertIn(b'"other"', server.query("SHOW DATABASES"))

    def test_week(self):
        """A full run and what changed on the days after it: each day can be had; and the newest good day
        is the one that is taken."""
        jobs = self.jobs()
        seen = {}
        for number, day in enumerate(("2016-06-09", "2016-06-10", DAY)):
            self.server.write([f"Aggregated_metrics,host=new idle={number} {MIDNIGHT + number}000000000"], "sensu_db", "default")
            seen[day] = answers(self.server)
            jobs.run("archive", self.a, "--incremental", day=day)
        kinds = [re.sub(RUN, "", name.rpartition("/")[2]) for day in seen for name in self.names(f"{day}/shards", day)
                 if name.endswith(".tar")]
        self.assertEqual(kinds, ["-full.tar", "-0.tar", "-1.tar"])
        self.lost()
        for day, wanted in reversed(seen.items()):
            b = self.other_host(day)
            jobs.run("fetch", b, day=day)
            with Influxd(b) as server:
                self.assertEqual(answers(server), wanted, day)
        # The day after was never archived.
        said = jobs.run("fetch", b, day="2016-06-12", code=6)
        self.assertIn(DAY, said)
        self.check_answers_of(b, seen[DAY])

    def check_answers_of(self, store, wanted):
        with Influxd(store) as server:
            self.assertEqual(answers(server), wanted)


class OtherRemoteTest(NightTest):
    """The same night on what else rclone knows."""

    def test_others(self):
        """S3 with a bucket a day, and with folders in one bucket; and a folder."""
        wanted = answer(self.server, "json", "sensu_db", "default", "Aggregated_metrics", MIDNIGHT * NANO,
                        (MIDNIGHT + 86400) * NANO)
        for number, remote in enumerate(("s3:", "s3:backups/influx", "folder:")):
            with self.subTest(remote):
                self.check_night(remote, self.other_host(f"b{number}"), wanted)

    def check_night(self, remote, b, wanted):
        jobs = self.jobs(remote)
        jobs.run("archive", self.a, "--verify=read")
        jobs.run("fetch", b)
        self.check_answers(b)
        jobs.run("dump", b, "sensu_db", "default", "Aggregated_metrics", "earlier")
        target = self.folder / f"dumps-of-{b.name}"
        run("rclone", "copy", f"{remote}{'' if remote.endswith(':') else '/'}{DAY}/{DUMPS}", target, env=jobs.environment)
        self.assertEqual({path.name for path in target.iterdir() if "_" in path.name}, {Path(DUMP).name})
        self.assertEqual((target / Path(DUMP).name).read_bytes(), wanted)


class AtOnceTest(NightTest):
    noise = 4000

    def test_two_jobs(self):
        """The second is refused with the name of the first, or waits for it; both nights are whole."""
        with Relay(self.swift.port) as relay:
            relay.stop_after(1_000_000)
            first = self.jobs(port=relay.port).start("archive", self.a)
            relay.wait_until_stopped()
            said = self.jobs().run("archive", self.a, code=1)
            self.assertRegex(said, rf"archive.*\b{first.pid}\b")
            waiting = self.jobs().start("dump", self.a, f"--wait={HANG}", "sensu_db")
            time.sleep(0.5)
            self.assertIsNone(waiting.poll())
            relay.go_on()
            for job in (first, waiting):
                self.assertEqual(job.wait(HANG), 0, job.stdout.read())
                job.stdout.close()
        self.lost()
        b = self.other_host()
        self.jobs().run("fetch", b)
        self.check_answers(b)


class SegmentsTest(NightTest):
    noise = 6000
    small = ("--", "--swift-chunk-size", "1M")

    def segments(self):
        return self.swift.listing(f"{DAY}_segments") if f"{DAY}_segments" in self.swift.containers() else {}

    def test_killed(self):
        """Uploaded in segments, killed in the middle, uploaded again, and once more: what no object has
        is gone, and what is fetched is whole."""
        with Relay(self.swift.port) as relay:
            relay.stop_after(4_000_000)
            job = self.jobs(port=relay.port).start("archive", self.a, *self.small)
            relay.wait_until_stopped()
            end(job)
        left = self.segments()
        self.assertTrue(left, "segments of the upload that was killed")
        self.assertRegex(self.jobs().run("fetch", self.other_host("early"), code=1), "holds no archive")
        for _ in range(2):
            self.jobs().run("archive", self.a, *self.small)
        self.check_segments(left)
        self.lost()
        self.jobs().run("fetch", b := self.other_host(), "--dry-run", *self.small)
        self.jobs().run("fetch", b, *self.small)
        self.check_answers(b)

    def check_segments(self, left):
        """Each belongs to an object that is there, all of which can be read."""
        now = self.segments()
        self.assertGreater(len(now), 4)
        self.assertFalse(left.keys() & now.keys())
        objects = [name for name in self.names(SHARDS) if name.endswith(".tar")]
        self.assertEqual(len(objects), 2)
        self.assertEqual(now.keys(), {part for name in objects for part in self.parts(name)})

    def parts(self, name):
        """The segments of an object, by its manifest."""
        prefix = self.swift.request("HEAD", f"{DAY}/{name}")[0]["X-Object-Manifest"]
        return self.swift.listing(f"{DAY}_segments", prefix.removeprefix(f"{DAY}_segments/"))
