"""Object storage that breaks, fills up, refuses or spoils, while a store is archived to it: a real Swift, which
is also an S3."""

import hashlib
import json
import signal
import subprocess

from lib.case import StoreTest
from lib.files import HANG, wait_until
from lib.nightly import ARCHIVE, names_of
from lib.objectstore import Swift, rclone_environment
from lib.relay import PIECE, Relay
from lib.stores import HandmadeStore, tsm_of

DONE, FAILED = 0, 1
SIZE = 6_000_000
MIDDLE = SIZE // 2
SWIFT_SEGMENTS = ("--", "--swift-chunk-size", "1M")
S3_PARTS = ("--", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
WAYS = (("swift:", ()), ("swift:", SWIFT_SEGMENTS), ("s3:", ()), ("s3:", S3_PARTS))


class RemoteTest(StoreTest):
    """self.swift is a Swift, self.store a store of SIZE bytes in one shard, self.day is archived."""

    def setUp(self):
        super().setUp()
        self.swift = self.enterContext(Swift(self.folder / "swift"))
        made = HandmadeStore(self.folder / "store")
        made.shard(tsm={"000000001-000000001.tsm": tsm_of(SIZE)})
        self.store = made.write_meta()
        self.day = "2016-06-11"

    def each(self, *checks):
        """A day for each of them, on one Swift: to start it takes longer than many a check."""
        for number, check in enumerate(checks, 1):
            self.day = f"2016-06-{number:02}"
            with self.subTest(check.__name__):
                check()

    def relay(self, rate=None):
        """To break off uploads: a job also reads the beginning of the archive before, and rclone reads ahead."""
        return Relay(self.swift.port, rate, up_only=True)

    def start(self, remote, *words, port=None, **environment):
        """influxfs-archive by way of that port."""
        config = self.swift.rclone_config(port=port)
        command = [ARCHIVE, "-c", self.store, f"--remote={remote}", f"--day={self.day}", *words]
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, env=rclone_environment(config) | environment)

    def end(self, job, code):
        """What it said."""
        said = job.communicate(timeout=HANG)[0]
        self.assertEqual(job.returncode, code, said)
        return said

    def archive(self, *words, code=DONE, **how):
        return self.end(self.start(*words, **how), code)

    def names(self):
        if self.day not in self.swift.containers():
            return set()
        return {name.removeprefix(f"{self.day}/shards/") for name in self.swift.listing(self.day)}

    def read(self, name):
        return self.swift.request("GET", f"{self.day}/{self.day}/shards/{name}")[1]

    def segments(self):
        return self.swift.listing(f"{self.day}_segments") if f"{self.day}_segments" in self.swift.containers() else {}

    def uploads(self):
        """Those of S3 that nobody has finished."""
        done = subprocess.run(["rclone", "backend", "list-multipart-uploads", f"s3:{self.day}"], capture_output=True, text=True,
                              env=rclone_environment(self.swift.rclone_config()), check=True, timeout=HANG)
        return json.loads(done.stdout)[self.day]

    def check_whole(self, runs=1):
        """All that is there belongs to so many runs, and is as it was sent."""
        receipts = {name: json.loads(self.read(name)) for name in self.names() if name.endswith(".json")}
        self.assertEqual(len(receipts), runs)
        self.assertEqual(self.names(), set().union(*(names_of(receipt, name) for name, receipt in receipts.items())))
        items = [item for receipt in receipts.values() for item in receipt["objects"]]
        for item in items:
            self.assertEqual(hashlib.sha256(self.read(item["name"])).hexdigest(), item["sha256"])
        for segment in self.segments():
            self.assertIn(segment.removeprefix(f"{self.day}/shards/").partition("/")[0], {item["name"] for item in items})

    def check_nothing(self):
        """Not a byte that anybody has to pay for."""
        self.assertEqual((self.names(), self.segments()), (set(), {}))


class BrokenTest(RemoteTest):

    def test_broken(self):
        self.each(self.connection_cut, self.proxy_killed, self.proxy_killed_s3, self.no_answer, self.stalled)

    def wait_for_retry(self, job):
        said = ""
        while "tried again" not in said:
            line = job.stdout.readline()
            self.assertTrue(line, f"an end before it tried again: {said}")
            said += line

    def connection_cut(self):
        """In the middle of an upload, by each way of uploading: the job ends right, and nothing is left over."""
        with self.relay() as relay:
            for runs, (remote, words) in enumerate(WAYS, 1):
                with self.subTest(remote=remote, words=words):
                    relay.cut_after(MIDDLE)
                    self.archive(remote, "--retry-for=5m", *words, port=relay.port)
                    self.check_whole(runs)
        self.assertEqual(self.uploads(), [])

    def check_proxy_killed(self, remote, *words):
        with self.relay() as relay:
            relay.stop_after(MIDDLE)
            job = self.start(remote, "--retry-for=5m", *words, port=relay.port)
            relay.wait_until_stopped()
            self.swift.kill_proxy()
            relay.go_on()
            self.wait_for_retry(job)
            self.swift.start_proxy()
            self.assertIn("answers again", self.end(job, DONE))
        self.check_whole()

    def proxy_killed(self):
        """And started again once the job has noticed."""
        self.check_proxy_killed("swift:", *SWIFT_SEGMENTS)

    def proxy_killed_s3(self):
        self.check_proxy_killed("s3:")
        self.assertEqual(self.uploads(), [])

    def no_answer(self):
        """Given up after the time that was asked for, which is not before it has been tried again."""
        self.swift.stop_proxy()
        said = self.archive("swift:", "--retry-for=2s", code=FAILED)
        self.assertIn("connection refused", said)
        self.assertIn("it was tried again for", said)
        self.swift.start_proxy()
        self.check_nothing()
        self.archive("swift:")
        self.check_whole()

    def stalled(self):
        """A connection on which nothing moves is given up, by rclone's own limit, and the next one is used."""
        with self.relay() as relay:
            relay.stop_after(MIDDLE)
            job = self.start("swift:", "--retry-for=5m", port=relay.port, RCLONE_TIMEOUT="2s")
            relay.wait_until_stopped()
            self.wait_for_retry(job)
            relay.cut()
            relay.go_on()
            self.end(job, DONE)
        self.check_whole()


class StoppedTest(RemoteTest):

    def test_ended(self):
        self.each(self.stopped, self.killed)

    def stopped(self):
        """By a signal, in the middle of an upload: nothing of it counts, and what it has not taken back in the
        time that it has, the next run does."""
        for remote, words in WAYS:
            with self.subTest(remote=remote, words=words), self.relay(rate=2_000_000) as relay:
                job = self.start(remote, *words, port=relay.port)
                wait_until(lambda relay=relay: relay.passed > MIDDLE, 60, "the middle of the upload")
                relay.rate = None
                job.send_signal(signal.SIGINT)
                self.end(job, FAILED)
                self.assertFalse({name for name in self.names() if name.endswith(".json")})
        self.archive("swift:")
        self.check_whole()
        self.archive("s3:")
        self.assertEqual(self.uploads(), [])

    def killed(self):
        """What a killed job has left of the two ways in pieces is cleared away by the next one."""
        for runs, (remote, words) in enumerate((WAYS[1], WAYS[3]), 1):
            with self.subTest(remote=remote):
                with self.relay() as relay:
                    relay.stop_after(SIZE * 5 // 6)
                    job = self.start(remote, *words, port=relay.port)
                    relay.wait_until_stopped()
                    job.kill()
                    self.end(job, -signal.SIGKILL)
                self.assertTrue(self.segments() if runs == 1 else self.uploads())
                self.archive(remote, *words)
                self.check_whole(runs)
                self.assertEqual(self.uploads(), [])


class RefusedTest(RemoteTest):

    def test_refused(self):
        self.each(self.full, self.full_segments, self.read_only, self.wrong_key)

    def full(self):
        """A quota ends it at once, with words."""
        self.swift.request("PUT", self.day)
        self.swift.limit(MIDDLE, self.day)
        for remote, words in (("swift:", "Too Large Object"), ("s3:", "quota")):
            said = self.archive(remote, code=FAILED)
            self.assertIn(words, said)
            self.assertIn("make space", said)
            self.check_nothing()

    def full_segments(self):
        """The quota is reached in the middle."""
        self.swift.request("PUT", self.day + "_segments")
        self.swift.limit(MIDDLE, self.day + "_segments")
        self.assertIn("Too Large Object", self.archive("swift:", *SWIFT_SEGMENTS, code=FAILED))
        self.check_nothing()

    def read_only(self):
        for remote, words in (("swift-reader:", "forbidden"), ("s3-reader:", "Access Denied")):
            self.assertIn(words, self.archive(remote, code=FAILED))
        self.check_nothing()

    def wrong_key(self):
        said = self.archive("swift:", code=FAILED, RCLONE_CONFIG_SWIFT_KEY="hunter2", RCLONE_SWIFT_KEY="hunter2")
        self.assertIn("Authorization Failed", said)
        self.assertNotIn("hunter2", said)
        self.check_nothing()


class Spoiler(Relay):
    """Changes one byte of what goes to the server in full pieces, once."""

    def __init__(self, port):
        super().__init__(port, up_only=True)
        self.after = MIDDLE

    def pump(self, source, target):
        super().pump(source, SpoiledSocket(target, self))


class SpoiledSocket:

    def __init__(self, target, spoiler):
        self.target, self.spoiler = target, spoiler

    def shutdown(self, how):
        self.target.shutdown(how)

    def sendall(self, data):
        if self.spoiler.passed > self.spoiler.after and len(data) == PIECE:
            self.spoiler.after = float("inf")
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.target.sendall(data)


class SpoiledTest(RemoteTest):

    def test_on_the_way(self):
        """Noticed, also where rclone says that all is well, taken back, and uploaded once more."""
        for runs, (remote, words) in enumerate(WAYS, 1):
            with self.subTest(remote=remote, words=words), Spoiler(self.swift.port) as spoiler:
                self.archive(remote, "--retry-for=5m", *words, port=spoiler.port)
                self.assertEqual(spoiler.after, float("inf"))
                self.check_whole(runs)
