"""influxsnap backup --host: a chain from another machine, whatever happens on the way."""

import http.client
import http.server
import json
import os
import pty
import shutil
import signal
import ssl
import subprocess
import time

from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import HANG, run, wait_until
from lib.influxd import Influxd
from lib.load import FLUSH_BYTES, Load
from lib.serving import Acceptor, Between, Server, answer, flip, read_head, saying
from lib.stores import tombstone, tsm, wal_entry
from tree.test_influxsnap import FAILED, FIRST, INCOMPLETE, USAGE, SnapTest

OMISSIONS = 6


class HostTest(SnapTest):
    """self.server serves self.store; backups know nothing of it but the address."""

    def setUp(self):
        super().setUp()
        self.server = self.enterContext(Server(self.store, self.folder / "log"))

    def pull(self, *words, server=None, path=None, code=0, **how):
        """(stdout, stderr) of a backup from a server."""
        return self.call("backup", "--host", (server or self.server).host, *words, path or self.path, code=code,
                         store=self.folder / "no-store", **how)

    def pulled(self, *words, **how):
        return json.loads(self.pull("--json", *words, **how)[0])

    def whole(self, name="whole.tar"):
        """What the store would restore to."""
        self.call("backup", self.folder / name)
        tree = self.restored(self.folder / name)
        (self.folder / name).unlink()
        return tree

    def lying_there(self):
        """The bytes and times of all that is there, also what is hidden."""
        return {name: ((self.folder / name).read_bytes(), (self.folder / name).stat().st_mtime_ns)
                for name in self.names()}


class ChainTest(HostTest):
    def test_chain(self):
        self.chain()

    def test_chain_zstd(self):
        self.chain("--compress=zstd")

    def chain(self, *words):
        """As of the local store (test_influxsnap)."""
        self.assertEqual(self.pulled(*words)["kind"], "full")
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        states = [self.restored(self.path)]
        for step in range(5):
            self.change(step)
            done = self.pulled(*words)
            self.assertEqual((done["written"], done["kind"], done["number"], done["path"]),
                             (True, "incremental", step, f"{self.path}.{step}"))
            self.assertEqual(done["size"], os.path.getsize(done["path"]))
            self.assertFalse(self.pulled(*words)["written"])
            states.append(self.whole())
            self.assertNotEqual(states[-1], states[-2])
            self.same(states[-1], self.restored(self.path))
        self.same(states[2], self.restored(self.path, f"{self.path}.0", f"{self.path}.1"))
        self.call("verify", self.path)

    def test_same_as_local(self):
        """A chain can be continued by either way, and each writes the same."""
        local = self.folder / "local.tar"
        self.pull()
        self.backup(path=local)
        self.assertEqual(local.read_bytes(), self.path.read_bytes())
        for step in range(2):
            self.change(step)
            there, here = self.pulled(), self.backup(path=local)
            self.assertEqual((self.folder / f"local.tar.{step}").read_bytes(), (self.folder / f"backup.tar.{step}").read_bytes())
            for key in ("files", "bytes", "size", "kind", "number", "id"):
                self.assertEqual(there[key], here[key], key)
        self.assertFalse(self.backup()["written"])
        self.change(2)
        self.backup()
        self.assertFalse(self.pulled()["written"])
        self.assertIn("nothing has changed since", self.pull()[0])

    def test_after_curl(self):
        """The full snapshot may have come otherwise, also a now.tar, which does not tell its folders."""
        run("curl", "-sSo", self.path, self.server.url)
        self.change(0)
        self.assertEqual(self.pulled()["number"], 0)

        def plain(forged):
            for key in ("chain", "folders", "removed_folders"):
                del forged.manifest[key]
        os.unlink(f"{self.path}.0")
        self.forge(self.path, plain)
        for step in range(1, 3):
            self.change(step)
            self.pull()
        self.same(self.whole(), self.restored(self.path))

    def test_only_internal(self):
        """What influxd notes about itself is no change, meta.db included; a new user is one."""
        self.shard("_internal")
        self.made.write_meta()
        self.pull()
        self.shard("_internal")
        self.made.write_meta()
        self.assertFalse(self.pulled()["written"])
        self.assertEqual(self.names(), ["backup.tar"])
        self.made.database("another")
        self.made.write_meta()
        self.assertTrue(self.pulled()["written"])
        self.assertTrue(any("_internal" in name for name in Archive(f"{self.path}.0").files()))

    def test_another_host(self):
        """It may be the same store, moved; it may be a slip of the pen."""
        self.pull()
        self.forge(self.path, lambda forged: forged.manifest.update(host="elsewhere"))
        self.change(0)
        _, said = self.pull()
        self.assertRegex(said, "warning: .*on host elsewhere: another store needs another name")

    def test_lost(self):
        """As of the local store (test_influxsnap)."""
        for step in range(2):
            self.change(step)
            self.pull()
        self.change(2)
        words = r"since .*backup.tar.0 2 shards, 6 files, \d+ bytes are gone"
        out, said = self.pull()
        self.assertRegex(said, f"warning: {words}")
        self.assertRegex(out, f"backup.tar.1: what has changed.*\n{words}")
        os.unlink(f"{self.path}.1")
        done = self.pulled()
        self.assertEqual((done["removed"], done["lost"]["shards"], done["lost"]["files"]), (6, 2, 6))
        self.assertRegex(done["warnings"][0], words)
        os.unlink(f"{self.path}.1")
        self.assertEqual(self.pulled("--guard=off")["warnings"], [])

    def test_url(self):
        """As it was given to curl; and what was asked for is named."""
        self.call("backup", "--host", f"http://{self.server.host}/snapshot", self.path)
        self.path.unlink()
        self.call("backup", "--host", f"{self.server.host}/snapshot/", self.path)
        _, said = self.call("backup", "--host", f"http://me:secret@{self.server.host}/influx", self.path, code=FAILED)
        self.assertIn(f"http://{self.server.host}/influx/snapshot: answers 404: ", said)
        self.assertNotIn("secret", said)

    def test_tls_without_need(self):
        """It is answered at once."""
        began = time.monotonic()
        _, said = self.call("backup", "--host", f"https://{self.server.host}", "--timeout", f"{HANG}s", self.path, code=FAILED)
        self.assertLess(time.monotonic() - began, HANG)
        self.assertIn("try http://", said)
        self.assertRegex(self.server.said(1), r"127\.0\.0\.1:\d+: no request: 400, .*no TLS is spoken here")

    def test_no_place_for_temporary_files(self):
        """Is no fault of the server."""
        _, said = self.pull("--compress=zstd", env=os.environ | {"TMPDIR": str(self.folder / "nowhere")}, code=FAILED)
        self.assertRegex(said, "(?m)^influxsnap: a temporary file in .*/nowhere .TMPDIR.: No such file")
        self.assertEqual(self.names(), [])

    def test_stdout(self):
        self.pull()
        out = self.folder / "piped.tar"
        with out.open("wb") as file:
            self.pull(path="-", stdout=file, stderr=subprocess.PIPE, capture_output=False)
        self.assertEqual(out.read_bytes(), self.path.read_bytes())
        with Between(self.server, change=flip(3000)) as bad, out.open("wb") as file:
            self.pull(path="-", server=bad, code=FAILED, stdout=file, stderr=subprocess.PIPE, capture_output=False)

    def test_unix_socket(self):
        server = self.enterContext(Server(self.store, self.folder / "log", path=self.folder / "socket"))
        self.pull(server=server)
        self.change(0)
        self.pull(server=server)
        self.call("verify", self.path)

    def test_proxy(self):
        """Asked as curl asks one, with the whole URL."""
        self.call("backup", "--host=http://192.0.2.1", self.path, env=os.environ | {"http_proxy": self.server.host})
        self.call("verify", self.path)

    def test_progress(self):
        _, said = self.pull()
        self.assertIn(f"backing up data/db/autogen/1/{FIRST}.tsm (", said)
        self.assertEqual(self.pull("-q", path=self.folder / "quiet.tar")[1], "")
        mine, its = pty.openpty()
        process = subprocess.Popen([INFLUXSNAP, "backup", "--host", self.server.host, self.folder / "seen.tar"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=its)
        os.close(its)
        process.wait(HANG)
        shown = os.read(mine, 100000).decode()
        os.close(mine)
        self.assertRegex(shown, r"backing up +\d+% \[.*\] .* of .*/s, \d+:\d+ left")

    def test_omissions(self):
        """What the store lacks is said here, as there."""
        self.made.shard("db", listed=False, tsm={f"{FIRST}.tsm": tsm(b"1234")})
        (self.place(1, "wal") / "_00001.wal").write_bytes(wal_entry(1) + b"\1" + b"damage" * 20)
        (self.place(1, "wal") / "_00002.wal").write_bytes(wal_entry(2))
        file = self.place(2) / f"{FIRST}.tsm"
        content = bytearray(file.read_bytes())
        content[100] ^= 1  # in a block: nothing else than its checksum tells
        file.write_bytes(content)
        done = self.pulled(code=OMISSIONS)
        said = self.pull(path=self.folder / "again.tar", code=OMISSIONS)[1]
        self.assertEqual([lost["name"] for lost in done["left_out"]], ["db/autogen/5"])
        for words in ("db/autogen/5", "_00001.wal: damaged at byte", f"data/db/autogen/2/{FIRST}.tsm: "):
            self.assertRegex(said, rf"(?m)^influxsnap: warning: .*{words}")
        self.assertEqual(len(done["damaged"]), 2, done["damaged"])
        self.assertEqual(sorted(done["warnings"]), sorted(line.partition("warning: ")[2] for line in said.splitlines()
                                                          if "warning" in line))
        self.assertFalse(self.pulled(code=OMISSIONS)["written"])

    def test_usage(self):
        for words in (["--host=ftp://db"], ["--host=unix:"], ["--host=http://"], ["--host=db?x"], ["--timeout=5s"],
                      ["--host=db", "--allow-left-out"], ["--host="]):
            self.call("backup", *words, self.path, code=USAGE)
        for host, words in (("::1", r"brackets: \[::1\]"), ("db:99999", "a port is a number up to 65535"),
                            ("db:x", "a port is"), ("http://db:99999/", "--host")):
            self.assertRegex(self.call("backup", "--host", host, self.path, code=USAGE)[1], words)
        self.assertEqual(self.names(), [])


class BrokenTest(HostTest):
    def setUp(self):
        super().setUp()
        self.between = self.enterContext(Between(self.server))

    def refuse(self, *said, server=None, code=FAILED, words=()):
        """Nothing there has changed after a backup that fails."""
        before = self.lying_there()
        _, told = self.pull(*words, server=server or self.between, code=code)
        self.assertEqual(self.lying_there(), before)
        self.assertIn("nothing was written", told)
        for text in said:
            self.assertRegex(told, text)

    def length(self):
        """Of the whole answer to the next backup."""
        self.between.most = None
        self.between.change = None
        other = self.folder / "other"
        other.mkdir()
        for name in self.names():
            shutil.copy2(self.folder / name, other)
        self.pull(server=self.between, path=other / self.path.name)
        shutil.rmtree(other)
        return self.between.passed

    def every_tenth(self, spoil):
        """At every tenth of the way of a full snapshot, and of a number; then it goes well."""
        for step in range(2):
            length = self.length()
            for tenth in range(10):
                spoil(length * tenth // 10)
            self.between.most = self.between.change = None
            self.pull(server=self.between)
            self.same(self.whole(), self.restored(self.path))
            self.change(step)
        self.call("verify", self.path)

    def test_cut_off(self):
        def cut(at):
            self.between.most = at
            self.refuse()
        self.every_tenth(cut)
        self.between.most = self.length() - 1
        self.refuse("the connection broke after [0-9]+ of [0-9]+ bytes")

    def test_flipped(self):
        def change(at):
            self.between.change = flip(max(at, 400) + 300)
            self.refuse()
        self.every_tenth(change)
        self.between.change = flip(self.length() - 1)
        self.refuse()

    def test_flipped_zstd(self):
        self.between.change = flip(5000)
        self.refuse(words=["--compress=zstd"])

    def big(self):
        """A file that takes a while, and no room there."""
        with (self.place(1) / "000000009-000000001.tsm").open("wb") as file:
            file.truncate(8 << 30)

    def start(self):
        """A backup that is under way."""
        process = subprocess.Popen([INFLUXSNAP, "backup", "--host", self.server.host, self.path], stderr=subprocess.PIPE, text=True)
        part = self.folder / ".backup.tar.part"
        wait_until(lambda: part.exists() and part.stat().st_size > 1 << 20, 30, "bytes to come")
        return process

    def test_server_killed(self):
        self.pull()
        self.big()
        before = self.lying_there()
        process = self.start()
        self.server.processes[-1].kill()
        _, said = process.communicate(timeout=HANG)
        self.assertEqual((process.returncode, self.lying_there()), (FAILED, before), said)
        self.assertIn("the connection broke after", said)

    def test_stopped(self):
        self.big()
        process = self.start()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANG)
        self.assertEqual((process.returncode, self.names()), (FAILED, []))

    def test_killed(self):
        """What a killed run leaves, the next one takes away."""
        self.big()
        process = self.start()
        process.kill()
        process.communicate(timeout=HANG)
        self.assertEqual(self.names(), [".backup.tar.part"])
        (self.place(1) / "000000009-000000001.tsm").unlink()
        self.pull()
        self.assertEqual(self.names(), ["backup.tar"])
        self.call("verify", self.path)

    def test_wrong_answers(self):
        self.pull()
        full = self.path.read_bytes()
        self.path.unlink()
        page = b"<html><title>Welcome to nginx!</title></html>"
        for sent, *said in (
                (b"", "Empty reply"), (b"SSH-2.0-OpenSSH_9.2\r\n", "."),
                (answer(200, page, "text/html"), "answers with text/html, not with a snapshot"),
                (answer(200, page), "not a snapshot"), (answer(200), "."), (answer(204), "answers 204"),
                (answer(200, full[:-512], length=len(full)), f"after {len(full) - 512} of {len(full)} bytes"),
                (answer(200, full[:-512]), "ends early"), (answer(200, full[:len(full) // 2]), "ends early"),
                (answer(200, full + bytes(513)), "."), (answer(200, b"x" + full), "."), (answer(200, full[512:]), "."),
                (answer(500, b"the disk is on fire\nsecond line\n", "text/plain"), "answers 500: the disk is on fire;"),
                (answer(503, b"not settled\n", "text/plain"), "answers 503: not settled"),
                (answer(404, page, "text/html"), "answers 404: no influxsnap serve answers there"),
                (answer(401, b"", "text/plain", 0, "WWW-Authenticate: Basic realm=x"), "answers 401: .*netrc"),
                (answer(302, b"", "text/plain", 0, "Location: http://evil.example/snapshot"), "evil.example/snapshot, which is not followed"),
                (answer(200, b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (full[:5000], full[5000:9000])),
                      "application/x-tar", 0, "Transfer-Encoding: chunked"), ".")):
            with self.subTest(sent=sent[:200]), saying(sent) as server:
                self.refuse(*said, server=server)
        with saying(answer(200, full)) as server:
            self.pull(server=server)
        self.assertEqual(self.path.read_bytes(), full)
        with saying(answer(204)) as server:  # of a server that knows nothing of stores
            self.refuse("answers 204: no influxsnap serve answers there", server=server)

    def test_wrong_snapshots(self):
        """Good ones, each of which does not belong there."""
        self.pull()
        self.change(0)
        self.pull()
        other = self.folder / "others.tar"
        self.backup(path=other)
        self.change(1)
        self.backup(path=other)
        for path in (self.path, f"{self.path}.0", other, f"{other}.0"):
            with self.subTest(path=path), saying(answer(200, open(path, "rb").read())) as server:
                self.refuse("does not follow", server=server, code=INCOMPLETE)
        with saying(answer(409, b"no chain\n", "text/plain")) as server:
            self.refuse("no chain", server=server, code=INCOMPLETE)
        with saying(answer(200, open(f"{other}.0", "rb").read())) as server:
            self.call("backup", "--host", server.host, self.folder / "new.tar", code=FAILED)
        self.assertFalse((self.folder / "new.tar").exists())
        os.unlink(self.path)
        self.refuse("full snapshot .* is missing", code=INCOMPLETE)

    def test_stalled(self):
        """Nothing comes any more, or never: there is an end to it. Slowly but surely is all right."""
        def hang(connection):
            read_head(connection)
            connection.sendall(answer(200, b"x" * 10, length=100))
            connection.recv(1)
        with Acceptor(hang) as server:
            self.refuse("no byte came for 1 s", server=server, words=["--timeout=1s"])
        with Acceptor(lambda connection: connection.recv(1 << 20) and connection.recv(1)) as server:
            self.refuse("no byte came for 1 s", server=server, words=["--timeout=1s"])
        self.between.change = lambda start, data: time.sleep(0.5) or data
        self.pull("--timeout=2s", server=self.between)


class TlsTest(HostTest):
    """A proxy with TLS and a password, as the manual has it."""

    def setUp(self):
        super().setUp()
        host = self.server.host

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.headers.get("Authorization") != "Basic bWU6c2VjcmV0":
                    self.send_response(401)
                    self.end_headers()
                    return
                upstream = http.client.HTTPConnection(host)
                upstream.request("GET", self.path.removeprefix("/influx"))
                came = upstream.getresponse()
                body = came.read()
                self.send_response(came.status)
                self.send_header("Content-Type", came.headers["Content-Type"])
                self.send_header("Content-Length", len(body))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.certificate = self.folder / "cert.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", self.folder / "key.pem", "-out", self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.folder / "key.pem")

        def serve(connection):
            with context.wrap_socket(connection, server_side=True) as secure:
                Proxy(secure, "", None)
        self.proxy = self.enterContext(Acceptor(serve))
        self.host = f"https://localhost:{self.proxy.port}/influx/"

    def attempt(self, host, code):
        """With this certificate among the system's, for it alone."""
        done = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/ssl/certs/ca-certificates.crt && shift && exec "$@"',
                               "sh", self.certificate, INFLUXSNAP, "backup", "--host", host, self.path],
                              env=os.environ | {"HOME": str(self.folder)}, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def test_certificate_and_password(self):
        if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
            self.skipTest("the system has no certificates")
        _, said = self.call("backup", "--host", self.host, self.path, code=FAILED)
        self.assertIn("certificate", said)
        self.assertRegex(self.attempt(self.host, FAILED), "answers 401: .*~/.netrc")
        self.assertEqual(self.names(), [])
        said = self.attempt(self.host.replace("://", "://me:secret@"), 0)
        self.assertRegex(said, "warning: --host holds a password")
        self.assertNotIn("secret", said)
        self.path.unlink()
        (self.folder / ".netrc").write_text("machine localhost login me password secret\n")
        self.attempt(self.host, 0)
        self.call("verify", self.path)


class BusyTest(StoreTest):
    timeout = 300

    def test_acknowledged_writes(self):
        """Numbers of a server under load restore to what it had acknowledged."""
        live = self.influxd(self.folder / "live", cache_snapshot_memory_size=FLUSH_BYTES)
        server = self.enterContext(Server(live.root, self.folder / "log"))
        path = self.folder / "busy.tar"
        moments = []
        with Load(live) as load:
            for _ in range(4):
                began = time.monotonic()
                run(INFLUXSNAP, "-q", "backup", "--host", server.host, path)
                moments.append((began, time.monotonic()))
                time.sleep(1)
            load.check()
            for last, (began, ended) in enumerate(moments):
                store = self.folder / f"restored-{last}"
                store.mkdir()
                parts = [path, *(f"{path}.{n}" for n in range(last))]
                with path.open("rb") as full:  # by name it would be restored with all its numbers
                    subprocess.run([INFLUXSNAP, "-q", "-c", store, "restore", *(parts if last else ["-"])], stdin=full, check=True)
                with Influxd(store) as restored:
                    wrong = load.wrong_points(restored, began, ended)
                self.assertEqual(wrong[:20], [], f"{len(wrong)} points of state {last} are wrong")
        run(INFLUXSNAP, "verify", path)
