"""mount-helper/monitoring/: alert rules for Prometheus, and a dashboard for Grafana."""

import json
import os
import re
import subprocess
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, snap, snap_code
from lib.files import CHECKOUT, run, wait_until
from lib.metrics import PROMTOOL, Metrics
from lib.mount import INFLUXFS
from lib.nights import Jobs
from lib.restores import drop
from lib.stores import some_store, tsm_of

MONITORING = CHECKOUT / "mount-helper/monitoring"
RULES = [MONITORING / "influxfs-alerts.yml", MONITORING / "influxfs-nightly-alerts.yml"]
DASHBOARD = MONITORING / "influxfs-dashboard.json"

STEP = 600                  # seconds between two samples
STEPS = 28 * 3600 // STEP
NOW = f"0+{STEP}x{STEPS}"  # a timestamp that is always that of its sample
SINCE_0 = f"1+0x{STEPS}"    # a timestamp of long ago


def always(value):
    return f"{value}+0x{STEPS}"


# Of a store with which all is well: each series, and what it is at each step.
WELL = {
    'influxfs_build_info{version="1"}': always(1),
    "influxfs_report_timestamp_seconds": NOW,
    "influxfs_store_known": always(1),
    'influxfs_store_bytes{database="db",policy="rp",kind="data"}': always(1000),
    "influxfs_state_lacking": always(0),
    "influxfs_state_free_bytes": always(500),
    "influxfs_state_reserve_bytes": always(50),
    "influxfs_restore_cut_off": always(0),
    "influxfs_cuts_known": always(1),
    "influxfs_history_known": always(1),
    "influxfs_cuts_damaged": always(0),
    "influxfs_cuts_not_accepted": always(0),
    "influxfs_last_cut_timestamp_seconds": NOW,
    "influxfs_last_cut_left_out": always(0),
    'influxfs_last_backup_timestamp_seconds{result="done"}': NOW,
    "influxfs_last_backup_success": always(1),
    'influxfs_last_verification_timestamp_seconds{result="done"}': NOW,
    "influxfs_last_verification_success": always(1),
    "influxfs_last_restore_success": always(1),
    'influxfs_last_restore_timestamp_seconds{result="done"}': NOW,
    "influxfs_last_capture_left_out": always(0),
    "influxfs_last_capture_damaged_files": always(0),
    'influxfs_errors_total{kind="io"}': always(3),
    'influxfs_errors_total{kind="refused"}': f"0+1x{STEPS}",
    "influxfs_timer_failed": always(0),
    "influxfs_restore_pending": always(0),
    "influxfs_jobs_known": always(1),
    "influxfs_left_stopped": always(0),
    'influxfs_last_job_success{kind="archive"}': always(1),
    'influxfs_last_job_timestamp_seconds{kind="archive",result="done"}': NOW,
    'influxfs_last_good_job_timestamp_seconds{kind="archive"}': NOW,
    'influxfs_last_job_success{kind="dump"}': always(1),
    'influxfs_last_good_job_timestamp_seconds{kind="dump"}': NOW,
}

GONE = None
CUT, BACKUP = "influxfs_last_cut_timestamp_seconds", 'influxfs_last_backup_timestamp_seconds{result="done"}'
ARCHIVED, DUMPED = (f'influxfs_last_good_job_timestamp_seconds{{kind="{kind}"}}' for kind in ("archive", "dump"))
VERIFIED = 'influxfs_last_verification_timestamp_seconds{result="done"}'

# What is otherwise, and the alerts that are raised then, and no others.
CASES = {
    "all is well": ({}, ()),
    "backups alone": ({CUT: GONE}, ()),
    "cuts alone": ({BACKUP: SINCE_0}, ()),
    "neither goes on": ({CUT: SINCE_0, BACKUP: SINCE_0}, ("InfluxfsBackupLate",)),
    "only failures": ({CUT: SINCE_0, BACKUP: GONE, 'influxfs_last_backup_timestamp_seconds{result="failed"}': NOW},
                      ("InfluxfsBackupLate",)),
    "clock set back": ({CUT: always(10**9)}, ("InfluxfsClockSetBack",)),
    "never": ({CUT: GONE, BACKUP: GONE}, ("InfluxfsNeverBackedUp",)),
    "perhaps never": ({CUT: GONE, BACKUP: GONE, "influxfs_history_known": always(0)}, ("InfluxfsUnknown",)),
    "nothing to back up": ({CUT: GONE, BACKUP: GONE, 'influxfs_store_bytes{database="db",policy="rp",kind="data"}': GONE}, ()),
    "backup failed": ({"influxfs_last_backup_success": always(0)}, ("InfluxfsBackupFailed",)),
    "timer": ({"influxfs_timer_failed": always(1)}, ("InfluxfsTimerFailed",)),
    "verification": ({"influxfs_last_verification_success": always(0)}, ("InfluxfsVerificationFailed",)),
    "damaged cuts": ({"influxfs_cuts_damaged": always(1)}, ("InfluxfsCutsDamaged",)),
    "damaged store": ({"influxfs_last_capture_damaged_files": always(2)}, ("InfluxfsStoreDamaged",)),
    "left out of a cut": ({"influxfs_last_cut_left_out": always(1)}, ("InfluxfsLeftOut",)),
    "left out of a snapshot": ({"influxfs_last_capture_left_out": always(4)}, ("InfluxfsLeftOut",)),
    "left out of a backup": ({BACKUP: SINCE_0, 'influxfs_last_backup_timestamp_seconds{result="omissions"}': NOW},
                             ("InfluxfsLeftOut",)),
    "archive failed": ({'influxfs_last_job_success{kind="archive"}': always(0)}, ("InfluxfsJobFailed",)),
    "archive failed, which is a backup": ({'influxfs_last_job_success{kind="archive"}': always(0),
                                           "influxfs_last_backup_success": always(0)}, ("InfluxfsJobFailed",)),
    "dump and backup failed": ({'influxfs_last_job_success{kind="dump"}': always(0), "influxfs_last_backup_success": always(0)},
                               ("InfluxfsJobFailed", "InfluxfsBackupFailed")),
    "archive with omissions": ({'influxfs_last_job_timestamp_seconds{kind="archive",result="done"}': GONE,
                                'influxfs_last_job_timestamp_seconds{kind="archive",result="omissions"}': NOW},
                               ("InfluxfsJobOmissions",)),
    "a killed fetch": ({"influxfs_left_stopped": always(1)}, ("InfluxfsLeftStopped",)),
    "no dumps any more": ({DUMPED: SINCE_0}, ("InfluxfsJobLate",)),
    "jobs unreadable": ({"influxfs_jobs_known": always(0)}, ("InfluxfsUnknown",)),
    "many files": ({"influxfs_store_files_limit": always(9), 'influxfs_store_files{database="db",policy="rp"}': always(8)},
                   ("InfluxfsManyFiles",)),
    "guard": ({"influxfs_cuts_not_accepted": always(1)}, ("InfluxfsCutLostTooMuch",)),
    "cut off": ({"influxfs_restore_cut_off": always(1)}, ("InfluxfsRestoreCutOff",)),
    "restore failed": ({"influxfs_last_restore_success": always(0)}, ("InfluxfsRestoreFailed",)),
    "restore failed long ago": ({"influxfs_last_restore_success": always(0),
                                 'influxfs_last_restore_timestamp_seconds{result="done"}': f"-1000000+0x{STEPS}"}, ()),
    "pending": ({"influxfs_restore_pending": always(2)}, ("InfluxfsRestoreWaits",)),
    "no room for cuts": ({"influxfs_state_free_bytes": always(49)}, ("InfluxfsLittleSpace", "InfluxfsSpaceRunsOut")),
    "full": ({"influxfs_state_free_bytes": always(24)}, ("InfluxfsLittleSpace", "InfluxfsNoSpace", "InfluxfsSpaceRunsOut")),
    "filling": ({"influxfs_state_free_bytes": f"700-2x{STEPS}"}, ("InfluxfsSpaceRunsOut",)),
    "no state": ({"influxfs_state_lacking": always(1)}, ("InfluxfsStateLacking",)),
    "no rights": ({"influxfs_store_known": always(0)}, ("InfluxfsUnknown",)),
    "no rights to the cuts": ({"influxfs_cuts_known": always(0)}, ("InfluxfsUnknown",)),
    "errors": ({'influxfs_errors_total{kind="io"}': f"0+1x{STEPS}"}, ("InfluxfsErrors",)),
    "stale": ({"influxfs_report_timestamp_seconds": SINCE_0}, ("InfluxfsMetricsStale",)),
    "absent": (dict.fromkeys(WELL, GONE), ("InfluxfsMetricsAbsent",)),
}

LATER = [("InfluxfsNoBackup", CUT, 51), ("InfluxfsNotVerified", VERIFIED, 218), ("InfluxfsJobMissing", ARCHIVED, 51)]


def rules_text():
    return "".join(path.read_text() for path in RULES)


def named_in(text):
    return set(re.findall(r"\binfluxfs_[a-z_]+\b", text))


class RulesTest(StoreTest):

    def test_syntax(self):
        self.assertIn("SUCCESS", run(PROMTOOL, "check", "rules", *RULES))

    def test_raised(self):
        """By Prometheus' own tester, after 27 hours of each case."""
        tests = []
        for name, (change, alerts) in CASES.items():
            series = {key: value for key, value in (WELL | change).items() if value is not GONE}
            tests.append({
                "name": name, "interval": f"{STEP}s",
                "input_series": [{"series": key, "values": value} for key, value in series.items()],
                "promql_expr_test": [{
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "27h",
                    "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]}]})
        # These take longer than the others.
        for alert, series, hours in LATER:
            tests.append({
                "name": alert, "interval": f"{STEP}s", "input_series": [{"series": series, "values": "0+0x1500"}],
                "promql_expr_test": [{
                    "expr": f'count by (alertname) (ALERTS{{alertname="{alert}", alertstate="firing"}})',
                    "eval_time": f"{hours}h", "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}]}]})
        path = self.folder / "alerts_test.yml"  # JSON is YAML
        path.write_text(json.dumps({"rule_files": list(map(str, RULES)), "evaluation_interval": f"{STEP}s", "tests": tests}))
        self.assertIn("SUCCESS", run(PROMTOOL, "test", "rules", path))

    def test_all_are_tried(self):
        rules = re.findall(r"(?m)^ +- alert: (\w+)$", rules_text())
        self.assertEqual(len(rules), len(set(rules)))
        tried = {alert for _, alerts in CASES.values() for alert in alerts} | {alert for alert, *_ in LATER}
        self.assertEqual(set(rules), tried)

    def test_words(self):
        """Each says what is the matter and what to do."""
        for rule in rules_text().split("- alert: ")[1:]:
            with self.subTest(rule=rule.split()[0]):
                for word in ("expr:", "severity:", "summary:", "description:"):
                    self.assertIn(word, rule)


class OneTruthTest(StoreTest):
    """Of a real store in each state, the page, the answer of a check, and the alerts that its metrics
    raise are as bad as each other."""

    AT = 4 * 3600  # when Prometheus asks: later than any `for`
    PRELOAD = Path(INFLUXFS).parent / "tests/preload_clock.so"

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.tests = []

    def prometheus(self, text):
        """What the metrics would be if they were of now, and always the same."""
        metrics = Metrics(text)
        shift = self.AT - metrics.of("report_timestamp_seconds")
        return [{"series": f"{name}{{{','.join(f'{key}={json.dumps(label)}' for key, label in labels)}}}",
                 "values": f"{value + shift * name.endswith('timestamp_seconds'):.3f}+0x{self.AT // STEP + 1}"}
                for (name, labels), value in metrics.items()]

    def is_so(self, name, level, *words, prefix=(), program=INFLUXSNAP, store=None, hours=0):
        """Level: the exit code of the check."""
        env = os.environ | ({"LD_PRELOAD": str(self.PRELOAD), "CLOCK_SHIFT": str(hours * 3600)} if hours else {})

        def status(*how):
            command = [*prefix, program, "-c", store or self.store, "status", *how, *words]
            return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)

        check = status("--check")
        self.assertEqual(check.returncode, level, f"{name}: {check.stdout}")
        verdict = re.search('<header class="([a-z]+)">', status("--html").stdout)[1]
        self.assertEqual(verdict, ["good", "warn", "bad", "warn"][level], f"{name}: {check.stdout}")
        raised = [{"labels": "{}", "value": 1}]
        critical, warning = (f'count(ALERTS{{alertstate="firing",severity="{severity}"}}) > bool 0'
                             for severity in ("critical", "warning"))
        expected = [(critical, raised if level == 2 else [])] + [(warning, raised if level else [])] * (level != 2)
        self.tests.append({
            "name": name, "interval": f"{STEP}s", "input_series": self.prometheus(status("--prometheus").stdout),
            "promql_expr_test": [{"expr": expr, "eval_time": f"{self.AT}s", "exp_samples": samples}
                                 for expr, samples in expected]})

    def promtool(self):
        path = self.folder / "states_test.yml"
        path.write_text(json.dumps({"rule_files": list(map(str, RULES)), "evaluation_interval": f"{STEP}s", "tests": self.tests}))
        self.assertIn("SUCCESS", run(PROMTOOL, "test", "rules", path))

    def test_ages_and_space(self):
        if not self.PRELOAD.exists():
            self.skipTest(f"{self.PRELOAD} is not built: make units")
        self.is_so("never", 2)
        snap(self.store, "cut")
        for hours, level in ((0, 0), (25, 0), (27, 1), (49, 1), (51, 2), (-2, 1)):
            self.is_so(f"{hours} hours", level, hours=hours)
        free = os.statvfs(self.store).f_bavail * os.statvfs(self.store).f_frsize
        self.is_so("no room for cuts", 1, f"--reserve={free + (1 << 30) >> 20}M")
        self.is_so("full", 2, f"--reserve={free * 3 >> 20}M")
        self.promtool()

    def test_copies(self):
        tar, manifest = self.folder / "b.tar", self.store / "influxfs/cuts/base"
        orphan = self.store / "data/first/autogen/99"
        snap(self.store, "cut")
        tar.write_bytes(b"x" * 3000)
        self.assertEqual(snap_code(self.store, "verify", tar)[0], 4)
        self.is_so("verification failed", 2)
        self.assertEqual(snap_code(self.store, "backup", tar)[0], 4)
        tar.unlink()
        snap(self.store, "backup", self.folder / "c.tar")
        snap(self.store, "verify", self.folder / "c.tar")
        self.is_so("another one verified", 2)
        snap(self.store, "backup", tar)
        snap(self.store, "verify", tar)
        self.is_so("verified", 0)
        tar.write_bytes(b"x" * 3000)
        self.assertEqual(snap_code(self.store, "backup", tar)[0], 4)
        self.is_so("backup failed", 1)
        orphan.mkdir()
        (orphan / "000000001-000000001.tsm").write_bytes(tsm_of(5000))
        self.assertEqual(snap_code(self.store, "backup", self.folder / "d.tar")[0], 6)
        self.is_so("left out of a backup", 1)
        run("rm", "-r", orphan)
        snap(self.store, "backup", self.folder / "e.tar")
        good = manifest.read_bytes()
        manifest.write_bytes(good[:-5])
        self.is_so("damaged cuts", 2)
        manifest.write_bytes(good)
        for root in ("data", "wal"):
            run("rm", "-r", self.store / root / "first/autogen/1", self.store / root / "first/autogen/2")
        snap(self.store, "cut")
        self.is_so("lost", 1)
        snap(self.store, "prune", "--accept-loss=0")
        self.assertNotEqual(snap_code(self.store, "restore", tar)[0], 0)
        self.is_so("restore failed", 1)
        self.is_so("restore failed eight days ago", 2, hours=8 * 24)
        self.promtool()

    def test_jobs(self):
        if not self.PRELOAD.exists():
            self.skipTest(f"{self.PRELOAD} is not built: make units")
        remote = self.folder / "remote"
        remote.mkdir()
        jobs = Jobs("", str(remote))
        jobs.run("archive", self.store)
        for hours, level in ((0, 0), (25, 0), (27, 1), (51, 2)):
            self.is_so(f"archived {hours} hours ago", level, hours=hours)
        jobs.run("fetch", self.store, "--before=false", code=1)
        self.is_so("fetch failed", 1)
        jobs.run("archive", self.store, "--before=false", code=1)
        self.is_so("archive failed, too", 1)
        (self.store / "influxfs/jobs.json").write_text("{}")
        self.is_so("damaged record of jobs", 3)
        self.promtool()

    def test_unknown(self):
        snap(self.store, "cut")
        self.open_to_all()
        program = self.folder / "influxsnap"
        program.write_bytes(Path(INFLUXSNAP).read_bytes())
        program.chmod(0o755)
        self.is_so("no rights", 3, prefix=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"), program=program)
        (self.store / "influxfs/history.json").write_text("{}")
        self.is_so("damaged history", 3)
        empty = self.folder / "empty"
        empty.mkdir()
        self.is_so("no store", 3, store=empty)
        self.promtool()


class DashboardTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.dashboard = json.loads(DASHBOARD.read_text())
        self.panels = [panel for row in self.dashboard["panels"] for panel in (row, *row.get("panels", ()))]

    def test_can_be_imported(self):
        """Without an id that another dashboard may have, and for whatever the data source is called."""
        self.assertIsNone(self.dashboard["id"])
        self.assertGreaterEqual(self.dashboard["schemaVersion"], 36)
        self.assertTrue(self.dashboard["uid"] and self.dashboard["title"])
        source = self.dashboard["templating"]["list"][0]
        self.assertEqual((source["name"], source["type"], source["query"]), ("datasource", "datasource", "prometheus"))
        for panel in self.panels:
            if panel["type"] != "row":
                self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "${datasource}"}, panel["title"])

    def test_panels(self):
        ids = [panel["id"] for panel in self.panels]
        self.assertEqual(len(ids), len(set(ids)))
        taken = set()
        for panel in self.panels:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24)
            taken |= cells
            self.assertTrue(panel["title"])

    def test_queries(self):
        """Prometheus understands each, once Grafana has put its variables in."""
        queries = [target["expr"] for panel in self.panels for target in panel.get("targets", ())]
        self.assertGreater(len(queries), 10)
        rules = [{"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$instance", ".*")}
                 for number, query in enumerate(queries)]
        path = self.folder / "queries.yml"
        path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
        self.assertIn("SUCCESS", run(PROMTOOL, "check", "rules", path))


class NamesTest(StoreTest):

    def test_all_are_printed(self):
        """What rules and dashboard ask for is among what a mount and influxsnap print of a store to
        which everything has happened."""
        store = some_store(self.folder / "store", 1)
        mnt = self.mount(store, options="every=1s")
        wait_until(lambda: (mnt / "snapshots/base.tar").exists(), 20, "a cut")
        tar = (mnt / "snapshots/now.tar").read_bytes()
        self.assertEqual(drop(mnt / "restore/whole.tar", tar), 0)
        snap(store, "backup", self.folder / "backup.tar")
        snap(store, "verify", self.folder / "backup.tar")
        (self.folder / "remote").mkdir()
        Jobs("", str(self.folder / "remote")).run("archive", store)
        printed = named_in((mnt / "metrics.prom").read_text()) | named_in(snap(store, "status", "--prometheus"))
        asked = named_in(rules_text()) | named_in(DASHBOARD.read_text())
        self.assertEqual(asked - printed, set())
