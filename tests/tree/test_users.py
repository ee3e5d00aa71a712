"""influxsnap users and queries: what meta.db says, as statements for another server and as JSON."""

import gzip
import json
import re
import stat
import subprocess

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.dumps import quoted
from lib.files import HANG, run
from lib.influxd import InfluxError

DATABASES = ("plain", 'my "db" x', "a.b", "\u00fc")


class UsersTest(StoreTest):

    def show(self, *words, store=None, code=0, stdin=None):
        where = ("-c", store) if store else ()
        done = subprocess.run([INFLUXSNAP, *where, *words], capture_output=True, timeout=HANG, stdin=stdin)
        self.said = done.stderr.decode()
        self.assertEqual(done.returncode, code, self.said)
        return done.stdout.decode()

    def server(self):
        """With users, grants, policies, continuous queries and a subscription."""
        influxd = self.influxd(self.folder / "old")
        for name in DATABASES:
            influxd.run(f"CREATE DATABASE {quoted(name)} WITH DURATION 30d SHARD DURATION 1d NAME \"first\"")
            influxd.run(f'CREATE RETENTION POLICY "rp ""2" ON {quoted(name)} DURATION INF REPLICATION 2 DEFAULT'
                        .replace('""', '\\"'))
            influxd.run(f"CREATE CONTINUOUS QUERY {quoted('q ' + name)} ON {quoted(name)} RESAMPLE EVERY 10m FOR 2h BEGIN "
                        f"SELECT mean(v) INTO {quoted(name)}.\"first\".m2 FROM m WHERE h = 'it\\'s; x' GROUP BY time(5m), * END")
        influxd.run("CREATE SUBSCRIPTION s ON plain.first DESTINATIONS ALL 'udp://127.0.0.1:9', 'udp://127.0.0.2:9'")
        influxd.run("CREATE DATABASE empty")
        influxd.run("DROP RETENTION POLICY autogen ON empty")
        influxd.run("CREATE USER root WITH PASSWORD 'it''s' WITH ALL PRIVILEGES".replace("''", "\\'"))
        for user, grants in (("reader", {"plain": "READ", "a.b": "WRITE"}), ('o "dd" \\ user', {'my "db" x': "ALL"}), ("idle", {})):
            name = '"' + user.replace("\\", "\\\\").replace('"', '\\"') + '"'
            influxd.run(f"CREATE USER {name} WITH PASSWORD 'secret'")
            for database, privilege in grants.items():
                influxd.run(f"GRANT {privilege} ON {quoted(database)} TO {name}")
        return influxd

    def facts(self, influxd):
        """What each server shows of it; users and grants sorted."""
        users = influxd.run("SHOW USERS")[0]["values"]
        shown = {"users": sorted(users), "queries": {}}
        for series in influxd.run("SHOW CONTINUOUS QUERIES"):
            if series["name"] != "_internal":
                shown["queries"][series["name"]] = series.get("values", [])
        for user, _ in users:
            name = '"' + user.replace("\\", "\\\\").replace('"', '\\"') + '"'
            shown[user] = sorted(influxd.run(f"SHOW GRANTS FOR {name}")[0].get("values", []))
        for name in (*DATABASES, "empty"):
            shown["in " + name] = sorted(influxd.run(f"SHOW RETENTION POLICIES ON {quoted(name)}")[0].get("values", []))
        return shown

    def test_statements(self):
        """They make the same on an empty server."""
        old = self.server()
        old.run("CREATE DATABASE _internal")
        queries, users = (self.show(word, "--sql", store=old.root) for word in ("queries", "users"))
        new = self.influxd(self.folder / "new")
        for text in (queries, users):
            for result in json.loads(new.query(text))["results"]:
                self.assertNotIn("error", result, text)
        self.assertEqual(self.facts(new), self.facts(old))
        self.assertNotIn("_internal", queries)
        self.assertIn("-- CREATE SUBSCRIPTION \"s\" ON \"plain\".\"first\" DESTINATIONS ALL 'udp://127.0.0.1:9', ", queries)
        self.assertEqual(new.run("SHOW SUBSCRIPTIONS"), [])
        # Those who are there keep their passwords.
        before = self.show("users", "--json", store=old.root)
        self.assertIn("error", json.loads(old.query(users))["results"][0])
        self.assertEqual(self.show("users", "--json", store=old.root), before)

    def test_json_of_store_and_snapshot(self):
        """The same of the store, of a tar, compressed or not, and of a meta.db, by name and as a stream."""
        old = self.server()
        snapshot, packed = self.folder / "s.tar", self.folder / "s.tar.gz"
        run(INFLUXSNAP, "-c", old.root, "backup", snapshot)
        packed.write_bytes(gzip.compress(snapshot.read_bytes()))
        found = {word: self.show(word, "--json", store=old.root) for word in ("users", "queries")}
        for word, text in found.items():
            for path in (snapshot, packed, old.root / "meta/meta.db"):
                self.assertEqual(self.show(word, "--json", path), text)
            with packed.open("rb") as stream:
                self.assertEqual(self.show(word, "--json", "-", stdin=stream), text)
        users = {user["name"]: user for user in json.loads(found["users"])["users"]}
        self.assertEqual(set(users), {"root", "reader", 'o "dd" \\ user', "idle"})
        self.assertTrue(users["root"]["admin"] and not users["reader"]["admin"])
        self.assertTrue(all(user["hash"].startswith("$2a$") for user in users.values()))
        self.assertEqual(sorted(map(tuple, map(dict.values, users["reader"]["grants"]))), [("a.b", "WRITE"), ("plain", "READ")])
        databases = {database["name"]: database for database in json.loads(found["queries"])["databases"]}
        self.assertEqual(set(databases), {*DATABASES, "empty"})
        first, second = databases["plain"]["policies"]
        self.assertEqual([first[key] for key in ("name", "duration", "shard_duration", "replication", "default")],
                         ["first", "30d", "1d", 1, False])
        self.assertEqual([second["name"], second["duration"], second["default"]], ['rp "2', "INF", True])
        self.assertEqual(first["subscriptions"], [{"name": "s", "mode": "ALL",
                                                   "destinations": ["udp://127.0.0.1:9", "udp://127.0.0.2:9"]}])
        self.assertIn("CREATE CONTINUOUS QUERY", databases["a.b"]["queries"][0]["text"])

    def test_file_is_secret(self):
        old = self.server()
        target = self.folder / "users.sql"
        self.assertEqual(self.show("users", "--sql", "--output", target, store=old.root), "")
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o600)
        self.assertIn('CREATE USER "reader" WITH PASSWORD', target.read_text())
        self.assertIn("$2a$", target.read_text())

    def test_refused(self):
        """Nothing is shown unasked; what is no snapshot, or lacks meta.db, is named."""
        old = self.influxd(self.folder / "old")
        for words in (("users",), ("queries", "--sql", "--json")):
            self.assertEqual(self.show(*words, store=old.root, code=2), "")
            self.assertIn("--sql or --json", self.said)
        other = self.folder / "other"
        other.write_bytes(b"no snapshot" * 100)
        self.assertEqual(self.show("users", "--sql", other, code=4), "")
        self.assertIn(str(other), self.said)
        self.show("users", "--sql", self.folder / "missing", code=1)
        self.assertIn("missing: No such file", self.said)
        old.stop()
        (old.root / "meta/meta.db").write_bytes(b"\xff")
        self.show("queries", "--json", store=old.root, code=1)
        self.assertIn("meta.db: damaged", self.said)

    def test_text_that_is_no_query(self):
        """It is a comment, so that influxd takes the rest."""
        old = self.influxd(self.folder / "old")
        old.run("CREATE DATABASE db")
        old.run("CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(v) INTO m2 FROM m GROUP BY time(5m) END")
        old.stop()
        meta = old.root / "meta/meta.db"
        content = meta.read_bytes()
        self.assertIn(b"GROUP BY time(5m) END", content)
        meta.write_bytes(content.replace(b"GROUP BY time(5m) END", b"GROUP BY time(5m);END"))
        text = self.show("queries", "--sql", store=old.root)
        self.assertIn("warning: the continuous query q", self.said)
        self.assertIn("\n-- CREATE CONTINUOUS QUERY q", text)
        new = self.influxd(self.folder / "new")
        self.assertNotIn(b"error", new.query(text))
        with self.assertRaises(InfluxError):
            new.run("CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(v) INTO m2 FROM m GROUP BY time(5m);END")

    def test_comments_end(self):
        """Neither does a hash end the comment that it is in, nor a comment in a query take in what comes after it."""
        old = self.influxd(self.folder / "old")
        for statement in ("CREATE DATABASE db", "CREATE DATABASE kept", "CREATE USER reader WITH PASSWORD 'secret'",
                          "CREATE CONTINUOUS QUERY q ON db BEGIN SELECT mean(value) INTO m2 FROM m GROUP BY time(5m) END"):
            old.run(statement)
        old.stop()
        meta = old.root / "meta/meta.db"
        content = meta.read_bytes().replace(b"mean(value)", b"mean(v)").replace(b"time(5m) END", b"time(5m) END--xx")
        for end in b"\n", b"\r":
            meta.write_bytes(re.sub(rb"\$2a\$10\$.{53}", (b"$2a$10$" + end + b"DROP DATABASE kept;").ljust(60), content))
            queries, users = (self.show(word, "--sql", store=old.root) for word in ("queries", "users"))
            new = self.influxd(self.folder / f"new{ord(end)}")
            for text in (queries, users):
                self.assertNotIn(b"error", new.query(text))
            self.assertIn(["kept"], new.run("SHOW DATABASES")[0]["values"])
            self.assertIn("mean(v)", str(new.run("SHOW CONTINUOUS QUERIES")))
            self.assertIn(["reader", False], new.run("SHOW USERS")[0]["values"])
