"""influxsnap serve: what HTTP clients of all manners get, and what the store must not suffer."""

import json
import os
import shutil
import socket
import subprocess
import time

from lib.archive import Archive
from lib.cuts import INFLUXSNAP, snap
from lib.files import HANG, run, wait_until
from lib.influxd import Influxd
from lib.serving import Server, ask
from lib.stores import big_file
from lib.trees import store_tree
from tree.test_influxsnap import SnapTest

GET = b"GET /snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n"
MIB = 1 << 20


def manifest_of(path):
    return run("tar", "xOf", path, "manifest")


def post(body, *fields, method="POST", length=None):
    fields = ("Host: 127.0.0.1", f"Content-Length: {len(body) if length is None else length}", *fields)
    return f"{method} /snapshot HTTP/1.1\r\n".encode() + "\r\n".join(fields).encode() + b"\r\n\r\n" + body


class ServeTest(SnapTest):
    """self.server serves self.store."""

    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def serve(self, *words, store=None, path=None):
        return self.enterContext(Server(store or self.store, self.folder / "log", *words, path=path))

    def curl(self, *words, code=0):
        done = subprocess.run(["curl", "-sS", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def status(self, request, server=None):
        return ask(server or self.server, request)[0]


class AnswerTest(ServeTest):
    def test_curl(self):
        """A snapshot of a running influxd, restored: it answers as before."""
        live = self.influxd(self.folder / "live")
        live.run("CREATE DATABASE d")
        live.write([f"m,t=a v={n} {n}" for n in range(1000)], "d")
        server = self.serve(store=live.root)
        target = self.folder / "mysnapshot"
        head = self.curl("-o", target, "-D", "-", server.url)
        self.assertIn("HTTP/1.1 200 OK", head)
        self.assertIn("Content-Type: application/x-tar", head)
        self.assertIn(f"Content-Length: {target.stat().st_size}\n", head.replace("\r", ""))
        self.assertEqual(head.splitlines()[2:], self.curl("-I", server.url).splitlines()[2:])  # after the date
        self.call("verify", target)
        with Influxd(self.restore(target, self.folder / "again")) as again:
            self.assertEqual(again.query("SELECT * FROM m", "d"), live.query("SELECT * FROM m", "d"))
        self.assertRegex(server.said(), r"(?m)^influxsnap: 127\.0\.0\.1:\d+: GET /snapshot: everything, \d+ bytes, [\d.]+ s$")
        self.assertEqual(set(server.wait()), {0})

    def test_numbers(self):
        """By the manifests of what is there, as curl sends them, in all the ways that it can."""
        ways = (["--data-binary", "@-"], ["-X", "GET", "--data-binary", "@-"], ["-0", "--data-binary", "@-"],
                ["-H", "Transfer-Encoding: chunked", "--data-binary", "@-"], ["-T", "-", "-X", "POST"])
        self.curl("-o", self.path, self.server.url)
        manifests = manifest_of(self.path)
        for number, way in enumerate(ways):
            self.change(number)
            target = f"{self.path}.{number}"
            subprocess.run(["curl", "-sSf", *way, "-o", target, self.server.url], input=manifests, text=True, check=True)
            manifests += manifest_of(target)
        self.call("verify", self.path)
        self.same(self.restored(self.path), self.whole())

    def whole(self):
        self.call("backup", self.folder / "whole.tar")
        return self.restored(self.folder / "whole.tar")

    def test_unchanged(self):
        self.backup()
        status, head, body = ask(self.server, post(manifest_of(self.path).encode()))
        self.assertEqual((status, body), (204, b""))
        self.assertNotIn("Content-Length", head)
        self.assertIn("nothing has changed", self.server.said())

    def test_expect(self):
        """curl waits for "100 Continue" before it sends more than a megabyte."""
        self.backup()
        self.change(0)
        (self.folder / "body").write_text(manifest_of(self.path) + " " * 2 * MIB)
        said = self.curl("-D", "-", "-o", f"{self.path}.0", "--data-binary", f"@{self.folder}/body", self.server.url)
        self.assertRegex(said, r"^HTTP/1.1 100 Continue\s+HTTP/1.1 200 OK")
        self.call("verify", self.path)

    def test_unix_socket(self):
        path = self.folder / "socket"
        server = self.serve(path=path)
        self.curl("--unix-socket", path, "-o", self.path, "http://localhost/snapshot")
        self.call("verify", self.path)
        self.assertIn("uid 0, process ", server.said())

    def test_pipes(self):
        """As ssh gives them; and a file, and what has no end of its own."""
        done = subprocess.run([INFLUXSNAP, "-c", self.store, "serve"], input=GET, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        self.path.write_bytes(body)
        self.call("verify", self.path)
        self.assertRegex(done.stderr.decode(), "^influxsnap: standard input: GET /snapshot: everything")

    def test_inetd(self):
        """It makes standard error the connection as well."""
        mine, its = socket.socketpair()
        with mine, its:
            process = subprocess.Popen([INFLUXSNAP, "-c", self.store, "serve"], stdin=its, stdout=its, stderr=its)
            its.close()
            mine.sendall(GET)
            answer = b"".join(iter(lambda: mine.recv(1 << 16), b""))
            process.wait(HANG)
        head, _, self_contained = answer.partition(b"\r\n\r\n")
        self.assertIn(f"Content-Length: {len(self_contained)}".encode(), head)

    def test_systemd(self):
        if not shutil.which("systemd-socket-activate"):
            self.skipTest("systemd-socket-activate is not there")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(["systemd-socket-activate", "--accept", "--inetd", "-l", f"127.0.0.1:{port}",
                                        INFLUXSNAP, "-c", self.store, "serve"], stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.curl("--retry", "50", "--retry-connrefused", "--retry-delay", "1", "-o", self.path,
                  f"http://127.0.0.1:{port}/snapshot")
        self.call("verify", self.path)


class RefusalTest(ServeTest):
    def test_statuses(self):
        long = b"X-Long: " + b"x" * 20000 + b"\r\n"
        for status, request in (
                (400, b"\x16\x03\x01\x02\0\n\n"), (400, b"GET /snapshot\r\n\r\n"),
                (400, b"GET /snapshot HTTP/1.1\r\n\r\n"), (400, b"POST /snapshot HTTP/1.0\r\nContent-Length: 0\r\n\r\n"),
                (404, b"GET / HTTP/1.0\r\n\r\n"), (404, b"GET /snapshot/.. HTTP/1.0\r\n\r\n"), (404, b"GET /snapshot?a HTTP/1.0\r\n\r\n"),
                (405, b"PUT /snapshot HTTP/1.0\r\n\r\n"), (405, b"OPTIONS /snapshot HTTP/1.0\r\n\r\n"),
                (411, b"POST /snapshot HTTP/1.0\r\n\r\n"), (413, post(b"", length=100 * MIB)), (413, post(b"", length=10**18 - 1)),
                (417, b"GET /snapshot HTTP/1.0\r\nExpect: tea\r\n\r\n"), (431, b"GET /snapshot HTTP/1.0\r\n" + long + b"\r\n"),
                (501, b"POST /snapshot HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n"), (505, b"GET /snapshot HTTP/3.0\r\n\r\n")):
            with self.subTest(request=request[:60]):
                got, head, body = ask(self.server, request)
                self.assertEqual(got, status)
                self.assertRegex(body, rb"^[^\n]+\n$")
                self.assertIn(f"Content-Length: {len(body)}", head)
                self.assertEqual("Allow: GET, HEAD, POST" in head, status == 405)
        self.assertEqual(set(self.server.wait()) - {0, 1}, set())

    def test_pages(self):
        """No page in a browser of this machine gets a snapshot, however its name leads here."""
        server = self.serve("--allow-host=db.example:DB2.example")
        for status, host, field in (
                (200, "127.0.0.1:8087", "A: b"), (200, "localhost", "Sec-Fetch-Site: none"), (200, "[::1]:8087", "A: b"),
                (200, "10.0.0.1", "A: b"), (200, "db.example:8087", "A: b"), (200, "db2.EXAMPLE", "A: b"),
                (403, "evil.example", "A: b"), (403, "localhost.evil.example:8087", "A: b"), (403, "127.0.0.1.evil.example", "A: b"),
                (403, "localhost", "Origin: http://evil.example"), (403, "127.0.0.1", "Origin: null"),
                (403, "127.0.0.1", "Sec-Fetch-Site: cross-site"), (403, "127.0.0.1", "Sec-Fetch-Site: same-origin")):
            with self.subTest(host=host, field=field):
                self.assertEqual(self.status(f"HEAD /snapshot HTTP/1.1\r\nHost: {host}\r\n{field}\r\n\r\n".encode(), server), status)
        self.assertEqual(self.status(b"GET http://evil.example/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n"), 403)

    def test_no_store(self):
        server = self.serve(store=self.folder / "nothing")
        status, _, body = ask(server, GET)
        self.assertEqual(status, 500)
        self.assertIn(b"No such file or directory", body)
        self.assertEqual(server.wait(), [1])

    def test_not_whole(self):
        """A shard that meta.db lists and nobody can read: never a snapshot without it."""
        shutil.rmtree(self.place(2))
        self.place(2).write_bytes(b"")
        status, _, body = ask(self.server, GET)
        self.assertEqual(status, 500)
        self.assertRegex(body, rb"^.*data/db/autogen/2.*\n$")

    def test_not_settled(self):
        (self.store / "meta/raft.db").write_bytes(b"")  # a restore is at work
        status, head, body = ask(self.server, GET)
        self.assertEqual(status, 503, body)
        self.assertIn("Retry-After: 5", head)

    def test_hostile_bodies(self):
        self.backup()
        good = json.loads(manifest_of(self.path))
        number = good | {"kind": "incremental", "parent": good["id"], "number": 0, "id": "0" * 32}
        for status, *body in (
                (400, ""), (400, "{}"), (400, "[]"), (400, "{" * 100000), (400, '{"a":' * 5000 + "1" + "}" * 5000),
                (400, "[" * MIB), (400, json.dumps(good)[:-9]), (400, "\0"), (400, '"'), (400, "<manifest/>"),
                (400, good | {"version": 2}), (400, good | {"files": [good["files"][0]] * 2}), (400, good | {"id": 7}),
                (400, good | {"files": [{"name": "data/../../etc/passwd", "size": 1, "index": 1, "mtime_ns": 1}]}),
                (400, good | {"number": -7}), (400, good | {"number": 2**70}), (400, good | {"kind": "database"}),
                (400, {key: value for key, value in good.items() if key != "folders"}),
                (409, good | {"number": 2**63 - 1}), (409, good, number, number), (409, number), (409, good, good),
                (409, good, number | {"parent": "another"}), (409, good, number | {"number": 1}),
                (409, good, number | {"chain": "another"}), (204, good), (200, good | {"files": [], "id": "unknown"}),
                (200, good, number | {"files": [], "removed": [file["name"] for file in good["files"]]})):
            text = "\n".join(part if isinstance(part, str) else json.dumps(part) for part in body)
            with self.subTest(body=text[:60]):
                got, _, answer = ask(self.server, post(text.encode()))
                self.assertEqual(got, status, answer[:300])
        self.assertEqual(set(self.server.wait()), {0})

    def test_many_manifests(self):
        """What is done with a body takes as long as the body is, not as its square."""
        common = ('"version":1,"host":"h","created":"2016-01-01T00:00:00Z","index":0,"skew_ns":0,"files":[],"removed":[],'
                  '"removed_folders":[],"folders":[],"left_out":[],"chain":"a"')
        chain = [f'{{{common},"id":"a","kind":"full","number":null,"parent":null}}']
        chain += [f'{{{common},"id":"a{n}","kind":"incremental","number":{n},"parent":"a{n - 1 if n else ""}"}}' for n in range(150000)]
        done = subprocess.run(["prlimit", "--cpu=30", INFLUXSNAP, "-c", self.store, "serve"],
                              input=post("".join(chain).encode()), capture_output=True)
        self.assertRegex(done.stdout[:100], b"^HTTP/1.1 200 OK", done)

    def test_too_large_in_chunks(self):
        chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
        with socket.create_connection(("127.0.0.1", self.server.port), HANG) as connection:
            connection.sendall(b"POST /snapshot HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(65):
                connection.sendall(chunk)
            answer = connection.recv(1 << 16)
        self.assertIn(b" 413 ", answer)


class PatienceTest(ServeTest):
    """Of clients that are slow, or play at it."""

    def setUp(self):
        super().setUp()
        self.server = self.serve("--timeout=1s")

    def connect(self, *options):
        connection = self.enterContext(socket.socket())
        connection.settimeout(HANG)
        for option in options:
            connection.setsockopt(*option)
        connection.connect(("127.0.0.1", self.server.port))
        return connection

    def test_slow_request(self):
        """A byte now and then is no progress; nor is nothing."""
        connection, silent = self.connect(), self.connect()
        answered = b""
        connection.setblocking(False)
        for n in range(HANG * 10):
            try:
                connection.sendall(b"GET /snapshot HTTP/1.1\r\n"[n:n + 1] or b"x")
                answered += connection.recv(1000)
                break
            except BlockingIOError:
                time.sleep(0.1)
        self.assertTrue(answered.startswith(b"HTTP/1.1 408 "), answered)
        self.assertTrue(silent.recv(1000).startswith(b"HTTP/1.1 408 "))
        self.assertEqual(self.server.wait(), [0, 0])

    def test_closed(self):
        """One that says nothing and goes is nobody's concern."""
        self.connect().close()
        self.assertEqual(self.server.said(1), "")
        with self.connect() as connection:
            connection.sendall(GET[:20])
        self.assertRegex(self.server.said(2), r":\d+: no request: cut off after 0 bytes.* closed before its request was whole")

    def big(self):
        with (self.place(1) / "000000009-000000001.tsm").open("wb") as file:
            file.truncate(1 << 30)

    def test_no_reader(self):
        self.big()
        connection = self.connect()
        connection.sendall(GET)
        self.assertTrue(connection.recv(10))
        self.assertIn("took nothing for 1 s", self.server.said())
        self.assertEqual(self.server.wait(), [1])

    def test_slow_reader(self):
        """It takes far longer than the time limit, but it takes."""
        with big_file(self.store).open("ab") as file:
            file.truncate(3 * MIB)
        connection = self.connect((socket.SOL_SOCKET, socket.SO_RCVBUF, 32768))
        connection.sendall(GET)
        answer = b""
        started = time.monotonic()
        while data := connection.recv(32768):
            answer += data
            time.sleep(0.04 * len(data) / 32768)
        self.assertGreater(time.monotonic() - started, 3)
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        self.assertEqual(self.server.wait(), [0])

    def test_cut_off(self):
        """What can no longer be read ends the answer before its length."""
        self.server = self.serve()
        self.big()
        connection = self.connect()
        connection.sendall(GET)
        got = len(connection.recv(1000))
        os.truncate(self.place(1) / "000000009-000000001.tsm", 1 << 20)
        while data := connection.recv(1 << 20):
            got += len(data)
        self.assertLess(got, 1 << 30)
        self.assertRegex(self.server.said(), "cut off after [0-9]+ bytes.*000000009-000000001.tsm")
        self.assertEqual(self.server.wait(), [1])

    def test_stopped(self):
        self.big()
        connection = self.connect()
        connection.sendall(GET)
        connection.recv(10)
        self.server.processes[0].terminate()
        wait_until(lambda: self.server.processes[0].poll() is not None, 20, "serve to end")
        self.assertIn("cut off", self.server.said())

    def test_many(self):
        """At once, from one store, with one catalogue."""
        curls = [subprocess.Popen(["curl", "-sSo", f"{self.path}.{n}", self.server.url]) for n in range(8)]
        self.assertEqual([process.wait(HANG) for process in curls], [0] * 8)
        contents = {open(f"{self.path}.{n}", "rb").read() for n in range(8)}
        self.assertEqual(len(contents), 1)
        self.assertEqual(len(Archive(f"{self.path}.0").files()), len([1 for name in store_tree(self.store) if "." in name]))
        snap(self.store, "verify", f"{self.path}.0")
