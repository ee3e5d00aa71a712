"""Each recipe of influxfs-recipes(7) as printed, on a host of its own with a real influxd: what is
backed up is lost, restored as the page says, and asked the same again.

systemctl, docker, kubectl, swift and apt-get are stand-ins, each of which says what it shows and what
it does not (tests/lib/world)."""

import json
import re
import unittest

import yaml

from lib.files import CHECKOUT, run
from lib.nights import PROGRAMS
from lib.recipes import DAY, LEFT, PAGE, RecipeTest, blocks, recipe
from lib.world import World, connect

CRON = "Back up every night from cron"
RSYNC = "Mirror the cuts to another volume with rsync"
RESTIC = "Back up with restic"
BORG = "Back up with borg"
RCLONE = "Copy to cloud storage with rclone"
SWIFT = "Upload to Swift in segments"
NIGHT_REMOTE = "Set up the remote of the nightly jobs"
NIGHT_ARCHIVE = "Archive the store of each day"
NIGHT_FETCH = "Fetch the store of yesterday"
NIGHT_DUMP = "Upload a measurement of yesterday as text"
NIGHT_TIMERS = "Run the nightly jobs by timers"
DOCKER = "Back up a container that cannot mount"
DOCKER_MOUNT = "Mount in a container, for the host and other containers"
KUBERNETES = "Back up every night in Kubernetes"
SSH = "Back up to another host by ssh"
PORT = "Fetch what has changed by the snapshot port"
TLS = "Offer the snapshot port with TLS and a password"
MACHINE = "Move a store to another machine"
FOLDER = "Move a store to another folder"
TIME = "Go back to one point in time"
UNDO = "Undo a bad delete in a second"
CLONE = "Try something on a clone"
UPGRADE = "Upgrade influxd, with a way back"
CSV = "Take one day of a measurement as CSV"
CRAWLERS = "Keep crawlers out"
NFS = "Share backups by NFS"
APPARMOR = "AppArmor"


class PageTest(unittest.TestCase):
    def test_every_recipe_is_tested(self):
        tested = {title for kind in globals().values() if isinstance(kind, type) and issubclass(kind, RecipeTest)
                  for method in vars(kind).values() for title in getattr(method, "titles", ())}
        self.assertEqual(tested, set(blocks()))
        self.assertEqual(PAGE.read_text().count("\n.Bd "), sum(map(len, blocks().values())))

    def test_width(self):
        """A terminal of 80 columns shows each line whole."""
        for title, texts in blocks().items():
            for line in "".join(texts).splitlines():
                self.assertLessEqual(len(line), 80, f"{title}: {line}")


class MountTest(RecipeTest):
    @recipe("DESCRIPTION")
    def test_mount(self):
        """By hand and from fstab; and mountpoint(1) knows a mount whose daemon was killed."""
        self.mount_store()
        self.db.sh("""
            until [ -e /mnt/influx/snapshots/base.tar ]; do sleep 0.1; done
            umount /mnt/influx""")
        self.db.put("etc/fstab", self.block("DESCRIPTION", 1))
        self.db.sh("""
            mount /mnt/influx
            mountpoint -q /mnt/influx
            findmnt -n -o FSTYPE /mnt/influx | grep -qx fuse.influxfs
            kill -9 $(pgrep -x influxfs)
            while pgrep -x influxfs; do sleep 0.1; done >&2""")
        self.assertIn("\n.Ql test -e /mnt/influx/.influxfs\n", PAGE.read_text())
        self.db.sh("test -e /mnt/influx/.influxfs", code=1)
        self.db.sh("umount /mnt/influx")
        self.db.sh("test -e /mnt/influx/.influxfs", code=1)


class BackupTest(RecipeTest):
    def cron(self, line):
        """Runs a line of a table of cron's as cron does."""
        *_, user, command = line.split(None, 6)
        self.assertEqual(user, "root")
        self.assertEqual(re.sub(r"(?<!\\)%", "newline", command), command)
        return self.db.sh(command.replace("\\%", "%"), code=None)

    @recipe(CRON)
    def test_cron(self):
        backup, tidy = self.block(CRON).splitlines()
        for number in range(2):
            self.write(f"cpu,host=new idle={number}")
            done = self.cron(backup)
            self.assertEqual((done.code, len((done.out + done.err).splitlines())), (0, 1), done)
        self.before = self.answers()
        # A chain of long ago, one that is not yet as old, and something else; and a file set aside by influxd.
        self.db.sh("""
            cd /srv
            touch -d '40 days ago' influx-2026-01.tar influx-2026-01.tar.0 other.tar
            touch -d '30 days ago' influx-2026-02.tar influx-2026-02.tar.0
            touch /var/lib/influxdb/data/sensu_db/default/1/000000009-000000001.tsm.bad""")
        self.write("other,host=new idle=1")
        warned = self.cron(backup)
        self.assertEqual(warned.code, 6, warned)
        self.assertRegex(warned.out + warned.err, "influxsnap: warning: .*tsm.bad")
        self.ask("DROP MEASUREMENT other")
        self.cron(tidy)
        week = self.db.sh("date +%G-%V").out.strip()
        self.assertEqual(self.db.sh("ls -d /srv/*.tar*").out.split(), [f"/srv/{name}" for name in (
            "influx-2026-02.tar", "influx-2026-02.tar.0", f"influx-{week}.tar", f"influx-{week}.tar.0",
            f"influx-{week}.tar.1", "other.tar")])
        self.db.sh(f"rm /srv/influx-{week}.tar.1")  # it holds one measurement more
        self.lose()
        self.do(CRON, 1)
        self.check_back()

    @recipe(RSYNC)
    def test_rsync(self):
        self.mount_store()
        self.db.sh("mkdir -p /srv/mirror")
        self.assertEqual(self.do(RSYNC, code=None).code, 32, "the volume is not mounted")
        self.db.sh("mount -t tmpfs tmpfs /srv/mirror")
        self.write("cpu,host=new idle=1")
        self.before = self.answers()
        self.db.sh("influxsnap cut")
        self.do(RSYNC)
        listed = "ls /srv/mirror/influx"
        self.assertEqual(self.db.sh(listed).out.split(), ["0.tar", "base.tar"])
        # A cut is in use until the end of the daemon, shortly after the umount.
        self.db.sh("""
            umount /mnt/influx
            until influxsnap prune --keep=0 2>/dev/null | grep folded; do sleep 0.1; done""")
        self.assertNotEqual(self.do(RSYNC, code=None).code, 0)
        self.assertEqual(self.db.sh(listed).out.split(), ["0.tar", "base.tar"])
        self.mount_store()
        self.do(RSYNC)
        self.assertEqual(self.db.sh(listed).out.split(), ["base.tar"])
        self.lose()
        self.do(RSYNC, 1)
        self.check_back()

    def check_repository(self, title):
        """Made, filled twice, not filled while nothing is mounted, and restored from."""
        self.mount_store()
        self.do(title, 0)
        self.do(title, 1)
        self.write("cpu,host=new idle=1")
        self.before = self.answers()
        self.do(title, 1)
        self.db.sh("umount /mnt/influx")
        self.assertNotEqual(self.do(title, 1, code=None).code, 0)
        self.lose()
        self.do(title, 2)
        self.check_back()

    @recipe(RESTIC)
    def test_restic(self):
        self.check_repository(RESTIC)
        torn = self.block(RESTIC, 2).replace("now.tar |", "now.tar | head -c 50000 |")
        self.db.sh(torn, code=4)

    @recipe(BORG)
    def test_borg(self):
        self.check_repository(BORG)

    @recipe(RCLONE)
    def test_rclone(self):
        self.mount_store()
        self.db.put("root/.config/rclone/rclone.conf", "[remote]\ntype = alias\nremote = /srv/cloud\n")
        self.write("cpu,host=new idle=1")
        self.before = self.answers()
        self.db.sh("influxsnap cut")
        self.do(RCLONE)
        self.assertEqual(self.db.sh("ls /srv/cloud/influx").out.split(), ["0.tar", "base.tar"])
        self.db.sh("umount /mnt/influx")
        self.assertNotEqual(self.do(RCLONE, code=None).code, 0)
        self.assertEqual(self.db.sh("ls /srv/cloud/influx").out.split(), ["0.tar", "base.tar"])
        self.lose()
        self.do(RCLONE, 1)
        self.check_back()

    @recipe(SWIFT)
    def test_swift(self):
        """With smaller segments than the page has, so that there are some, and writes between them."""
        self.mount_store()
        printed = self.block(SWIFT)
        self.assertIn("--segment-size 1073741824 ", printed)
        self.db.sh(printed.replace("1073741824", "10000"))
        self.assertGreater(len(self.db.sh("ls /var/lib/swift/backups/influx*").out.split()), 5)
        self.lose()
        self.do(SWIFT, 1)
        self.check_back()


class NightlyTest(RecipeTest):
    """The scripts as they were, and the commands that take their place; swift: is where the stand-in for
    Swift's client keeps objects."""
    def setUp(self):
        super().setUp()
        for job in ("archive", "fetch", "dump"):
            self.db.install(PROGRAMS / f"influxfs-{job}", f"usr/local/bin/influxfs-{job}")
        self.db.put("root/.config/rclone/rclone.conf", "[swift]\ntype = alias\nremote = /var/lib/swift\n")
        self.today, self.yesterday = self.db.sh("date +%F; date -d yesterday +%F").out.split()
        self.db.sh("mkdir -p /var/lib/swift")
        self.points = self.ask("SELECT * FROM cpu")

    def objects(self, day, prefix):
        """By their names below it."""
        found = self.db.sh(f"cd /var/lib/swift/{day}/{day}/{prefix} 2>/dev/null && find . -type f -printf '%P\\n'", code=None)
        return sorted(found.out.split())

    @recipe(NIGHT_REMOTE)
    def test_remote(self):
        """Whom the file belongs to; and rclone takes what is in it."""
        self.do(NIGHT_REMOTE)
        self.assertEqual(self.db.sh("stat -c '%a %U' /etc/influxfs/rclone.conf").out, "600 root\n")
        self.db.path("etc/influxfs/rclone.conf").write_text(self.block(NIGHT_REMOTE, 1).replace(" " * LEFT, ""))
        known = self.db.sh("rclone help backend swift").out
        shown = self.db.sh("rclone --config /etc/influxfs/rclone.conf config show swift").out
        options = re.findall(r"(?m)^(\w+) = ", shown)
        self.assertEqual(options, ["type", "auth", "user", "key"])
        for option in options[1:]:
            self.assertIn(f"#### --swift-{option}\n", known)
        self.db.sh(self.block(NIGHT_REMOTE, 2).replace("rclone lsd swift:", "rclone listremotes | grep -x swift:"))

    @recipe(NIGHT_ARCHIVE)
    def test_archive(self):
        """The same objects as the script's, and nothing else that would be in the way of a restore."""
        self.do(NIGHT_ARCHIVE)
        script = self.objects(self.today, "shards")
        self.assertIn("meta.00", script)
        self.db.sh("rm -r /var/lib/swift/*")
        self.do(NIGHT_ARCHIVE, 1)
        ours = self.objects(self.today, "shards")
        self.assertEqual([name for name in ours if re.search(r"\.\d\d$", name)],
                         [name for name in script if re.search(r"\.\d\d$", name)])
        self.do(NIGHT_ARCHIVE, 2)
        self.assertEqual(len([name for name in self.objects(self.today, "shards") if name.endswith("-full.tar")]), 1)

    @recipe(NIGHT_ARCHIVE, NIGHT_FETCH)
    def test_fetch(self):
        """The script restores what the command has archived, and the commands do."""
        for number in range(3):
            archive = self.block(NIGHT_ARCHIVE, number)
        self.db.sh(self.block(NIGHT_ARCHIVE, 1).replace("swift:", "swift: --day=yesterday"))
        self.lose()
        self.do(NIGHT_FETCH)
        self.check_points_back()
        self.lose()
        self.do(NIGHT_FETCH, 1)
        self.check_points_back()
        self.db.sh(archive.replace("swift:", "swift: --day=yesterday"))
        self.lose()
        self.do(NIGHT_FETCH, 2)
        self.assertIn("sensu_db_old", self.ask("SHOW DATABASES"))
        self.assertIn('"other"', self.ask("SHOW MEASUREMENTS"))

    def check_points_back(self):
        self.assertEqual(self.ask("SELECT * FROM cpu"), self.points)

    @recipe(NIGHT_DUMP)
    def test_dump(self):
        """One object of the same name as the script's, with the same points."""
        at = int(self.db.sh("date -d yesterday +%s").out) // 86400 * 86400
        self.write(*(f"Aggregated_metrics,host=h{number % 3} idle={number}.5 {at + number}000000000" for number in range(2500)))
        self.do(NIGHT_DUMP)
        (name,) = self.objects(self.yesterday, "influxdb")
        self.assertEqual(name, f"Aggregated_metrics_{self.yesterday}-00:00:00_{self.today}-00:00:00.json")
        path = f"var/lib/swift/{self.yesterday}/{self.yesterday}/influxdb/{name}"
        script = [row for line in self.db.path(path).read_text().splitlines() for row in self.rows(line)]
        self.assertEqual(len(script), 2500)
        self.do(NIGHT_DUMP, 1)
        self.assertEqual([other for other in self.objects(self.yesterday, "influxdb") if "_" in other], [name])
        self.assertEqual(list(self.rows(self.db.path(path).read_text())), script)
        self.check_month()

    def rows(self, answer):
        yield from json.loads(answer)["results"][0]["series"][0]["values"]

    def check_month(self):
        """The containers of three days of it, and none of a day that has no points."""
        self.write(*(f"Aggregated_metrics,host=h idle=1 {DAY + number * 86400}000000000" for number in range(3)))
        self.do(NIGHT_DUMP, 2)
        days = ["2016-06-11", "2016-06-12", "2016-06-13"]
        self.assertEqual(self.db.sh("ls -d /var/lib/swift/2016-*").out.split(), [f"/var/lib/swift/{day}" for day in days])
        for number, folder in ((3, "."), (4, "dumps")):
            # Days without a dump have no container, which stops nobody who types the loop.
            self.db.sh(f"mkdir /srv/got{number}; cd /srv/got{number}; set +e\n{self.block(NIGHT_DUMP, number)}", code=None)
            got = self.db.sh(f"cd /srv/got{number}/{folder}; find . -name 'Aggregated*' | sort").out.split()
            self.assertEqual([re.search(r"metrics_([\d-]{10})", name)[1] for name in got], days)

    @recipe(NIGHT_TIMERS)
    def test_timers(self):
        """Variables and units that there are; what they do is tests/tree/test_nightly_units.py's."""
        default = (CHECKOUT / "mount-helper/influxfs.default").read_text()
        for line in (self.block(NIGHT_TIMERS) + self.block(NIGHT_TIMERS, 1)).splitlines():
            self.assertIn(f"#{line.strip().partition('=')[0]}=", default)
        for number in (2, 3):
            *_, enable, now = re.match(r" *systemctl (enable) (--now) ", self.block(NIGHT_TIMERS, number)).groups()
            self.assertEqual((enable, now), ("enable", "--now"))
            for unit in self.block(NIGHT_TIMERS, number).split()[3:]:
                self.assertTrue((CHECKOUT / "mount-helper/systemd" / unit).exists(), unit)


class ContainerRecipeTest(RecipeTest):
    """influxd runs in a container, on a volume."""

    volume = "influxdb"

    def setUp(self):
        super().setUp()
        folder = f"/var/lib/docker/volumes/{self.volume}"
        self.db.sh(f"""
            systemctl stop influxdb
            mkdir -p {folder}/_data
            mount --bind /var/lib/influxdb {folder}/_data
            umount /var/lib/influxdb
            docker run -d --name influxdb -v {self.volume}:/var/lib/influxdb influxdb:1.8 \\
                influxd -config /etc/influxdb/influxdb.conf""")
        self.wait_for_influxd()

    def wait_for_influxd(self):
        self.db.sh("until curl -fsS http://127.0.0.1:8086/ping; do sleep 0.1; done 2>&1")


class DockerTest(ContainerRecipeTest):
    @recipe(DOCKER)
    def test_docker(self):
        for rights, words in (("", "there is no /dev/fuse here"), ("--device /dev/fuse", "in a container")):
            refused = self.db.sh(f"""
                docker run --rm -v influxdb:/vol {rights} influxfs \\
                    sh -c 'mkdir /srv/mnt && influxfs /vol /srv/mnt'""", code=1)
            self.assertIn(words, refused.err.splitlines()[-1])
        # The container's influxdb.conf means folders that are not here.
        refused = self.db.sh("influxsnap backup /tmp/x.tar", code=1)
        self.assertIn("runs with /etc/influxdb/influxdb.conf in a container", refused.err)
        self.assertIn("give the folder that holds meta, data and wal", refused.err)
        self.db.sh("cp /etc/influxdb/influxdb.conf copy.conf")
        refused = self.db.sh("influxsnap -c copy.conf backup /tmp/x.tar", code=1)
        self.assertIn("paths of a container? then give the folder", refused.err)
        self.do(DOCKER)
        self.write("cpu,host=new idle=1")
        self.before = self.answers()
        self.do(DOCKER)
        self.assertEqual(self.db.sh("ls /srv/backups").out.split(), ["influx.tar", "influx.tar.0"])
        self.do(DOCKER, 1)
        self.db.sh("influxsnap verify /var/tmp/influx.tar")
        self.lose()
        self.do(DOCKER, 2)
        self.wait_for_influxd()
        self.check_back()

    @recipe(DOCKER_MOUNT)
    def test_docker_mount(self):
        self.do(DOCKER_MOUNT)
        self.db.sh("""
            until mountpoint -q /mnt/shared/influx; do
                sleep 0.1
                docker logs influxfs
            done""")
        self.do(DOCKER_MOUNT, 1)
        self.lose()
        refused = self.db.sh("cp /srv/backups/influx.tar /mnt/shared/influx/restore/", code=1)
        self.assertIn("Device or resource busy", refused.err)
        self.do(DOCKER_MOUNT, 2)
        self.wait_for_influxd()
        self.check_back()
        self.db.sh("docker stop influxfs")
        self.assertNotEqual(self.db.sh("mountpoint -q /mnt/shared/influx", code=None).code, 0)


class KubernetesTest(ContainerRecipeTest):
    volume = "influxdb-data"

    @recipe(KUBERNETES)
    def test_kubernetes(self):
        cron, job = (yaml.safe_load(self.block(KUBERNETES, number)) for number in range(2))
        self.assertEqual((cron["kind"], job["kind"]), ("CronJob", "Job"))
        pods = [cron["spec"]["jobTemplate"]["spec"]["template"]["spec"], job["spec"]["template"]["spec"]]
        for pod in pods:
            self.assertEqual(pod["restartPolicy"], "Never")
            self.assertEqual({mount["name"] for mount in pod["containers"][0]["volumeMounts"]},
                             {volume["name"] for volume in pod["volumes"]})
        self.db.put("root/cron.yaml", self.block(KUBERNETES))
        self.db.sh("""
            kubectl apply -f cron.yaml
            kubectl create job now --from=cronjob/influxdb-backup
            kubectl wait --for=condition=complete job/now || kubectl logs job/now""")
        week = self.db.sh("date +%G-%V").out.strip()
        self.db.put("root/restore.yaml", re.sub(r"influx-\d+-\d+.tar", f"influx-{week}.tar", self.block(KUBERNETES, 1)))
        self.lose()
        self.do(KUBERNETES, 2)
        self.wait_for_influxd()
        self.check_back()


class OtherHostTest(RecipeTest):
    """Two hosts that reach each other by ssh with keys."""

    def setUp(self):
        super().setUp()
        self.other = self.enterContext(World(self.folder, "backup"))
        connect(self.db, self.other)
        for host in (self.db, self.other):
            host.serve_ssh()
        for one, other in ((self.db, self.other), (self.other, self.db)):
            one.trust(other)

    @recipe(SSH)
    def test_ssh(self):
        self.do(SSH, host=self.other)
        self.write("cpu,host=new idle=1")
        self.before = self.answers()
        self.do(SSH, host=self.other)
        # A transfer that fails leaves what was there.
        self.db.sh("mv /var/lib/influxdb/meta /var/lib/influxdb/meta.away")
        self.assertEqual(self.do(SSH, host=self.other, code=None).code, 1)
        self.db.sh("mv /var/lib/influxdb/meta.away /var/lib/influxdb/meta")
        self.lose()
        self.do(SSH, 2, host=self.other)
        self.check_back()
        # A key for that one command.
        key = self.other.path("root/.ssh/id_ed25519.pub").read_text()
        self.db.put("root/.ssh/authorized_keys", self.block(SSH, 1).replace("ssh-ed25519 AAAA...\n", key), 0o600)
        self.other.sh("""
            ssh db rm -r /var/lib/influxdb > /srv/other.tar
            influxsnap verify /srv/other.tar""")

    def check_chain(self, fetch):
        """Two numbers, and what they restore to."""
        fetch()
        for number in range(2):
            self.write(f"cpu,host=new idle={number}")
            fetch()
        self.before = self.answers()
        self.assertEqual(self.other.sh("ls /srv").out.split(), ["db.tar", "db.tar.0", "db.tar.1"])
        self.lose()
        self.do(PORT, 2, host=self.other)
        self.check_back()

    @recipe(PORT)
    def test_port(self):
        self.do(PORT)

        def fetch():
            self.other.sh("pkill -x ssh || true")  # as a day later
            self.do(PORT, 1, host=self.other)
        self.check_chain(fetch)

    @recipe(TLS, PORT)
    def test_tls(self):
        self.block(PORT, 1)
        self.do(PORT)
        self.start_nginx()
        # Without a password, and with a wrong one.
        for netrc in ("", "machine db login backup password guess\n"):
            self.other.put("root/.netrc", netrc, 0o600)
            self.do(TLS, 2, host=self.other, code=1)
        self.other.put("root/.netrc", self.netrc, 0o600)
        self.check_chain(lambda: self.do(TLS, 2, host=self.other))

    def start_nginx(self):
        """With a certificate that the other host believes."""
        self.db.install(CHECKOUT / "build/nginx/usr/sbin/nginx", "usr/sbin/nginx")
        self.db.sh("""
            mkdir -p /etc/nginx/conf.d /var/lib/nginx /var/log/nginx
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=db -addext subjectAltName=DNS:db \
                -keyout /etc/nginx/db.key -out /etc/nginx/db.crt""")
        self.other.put("etc/ssl/certs/ca-certificates.crt", self.db.path("etc/nginx/db.crt").read_text())
        self.netrc = self.do(TLS).out
        self.db.put("etc/nginx/nginx.conf", "user www-data;\nevents {}\nhttp { include conf.d/*.conf; }\n")
        self.db.put("etc/nginx/conf.d/influxfs.conf", self.block(TLS, 1))
        self.db.sh("nginx")

    @recipe(MACHINE)
    def test_another_machine(self):
        self.db.sh("sed -n 's/backup/newdb/p' /etc/hosts > /tmp/hosts; cat /tmp/hosts >> /etc/hosts")
        self.db.trust(self.other, "newdb")
        self.other.put("etc/influxdb/influxdb.conf", self.db.path("etc/influxdb/influxdb.conf").read_text())
        self.other.sh("chown influxdb: /var/lib/influxdb; systemctl start influxdb")
        out = self.do(MACHINE)
        self.assertIn("restored into /var/lib/influxdb/meta", out.out)
        self.assertEqual(self.answers(self.other), self.before)
        self.db.sh("systemctl start influxdb")
        self.check_back()


class StoreRecipeTest(RecipeTest):
    @recipe(FOLDER)
    def test_another_folder(self):
        self.mount_store()
        self.do(FOLDER)
        self.check_back()
        self.assertEqual(self.db.sh("stat -c %U /srv/influxdb/meta /srv/influxdb/data /srv/influxdb/wal").out.split(),
                         ["influxdb"] * 3)
        self.write("cpu,host=new idle=1")
        self.assertTrue(self.db.sh("influxsnap status | grep /srv/influxdb/data").out)
        self.db.sh("""
            systemctl stop influxdb
            sed -i 's|/srv/influxdb|/var/lib/influxdb|' /etc/influxdb/influxdb.conf
            systemctl start influxdb""")
        self.check_back()

    @recipe(TIME)
    def test_point_in_time(self):
        """Cuts of three hours ago and of now."""
        self.db.at_another_time(-3 * 3600, "influxsnap cut")
        self.lose()
        self.db.sh("influxsnap cut")
        self.mount_store()
        self.do(TIME)
        self.check_back()

    @recipe(UNDO)
    def test_rollback(self):
        self.db.sh("influxsnap cut")
        self.lose()
        said = self.do(UNDO).out
        self.assertRegex(said, r"(?m)^would roll back to cut base of ")
        self.assertRegex(said, r"(?m)^rolled back to cut base of ")
        self.check_back()
        self.assertEqual(set(self.db.sh("cd /var/lib/influxdb && stat -c %U meta data wal meta/meta.db wal/*/*/*/*.wal").out.split()),
                         {"influxdb"})

    @recipe(CLONE)
    def test_clone(self):
        self.do(CLONE)
        conf = self.db.path("root/try.conf").read_text()
        port = re.search(r'\[http\][^[]*bind-address = "127.0.0.1:(\d+)"', conf)[1]
        url = f"http://127.0.0.1:{port}"
        self.db.sh(f"until curl -fsS {url}/ping; do sleep 0.1; done 2>&1")
        query = f"curl -fsS {url}/query -d db=sensu_db --data-urlencode"
        self.assertIn("72", self.db.sh(f"{query} 'q=SELECT count(idle) FROM cpu'").out)
        self.db.sh(f"{query} 'q=DROP MEASUREMENT cpu'")
        self.check_back()
        self.do(CLONE, 1)
        self.assertNotEqual(self.db.sh("mountpoint -q /mnt/try", code=None).code, 0)
        self.check_back()

    @recipe(UPGRADE)
    def test_upgrade(self):
        """The newer version has made of the files what the older one cannot read."""
        printed = self.block(UPGRADE)
        *upgrade, start = printed.splitlines()
        self.assertEqual(start.strip(), "systemctl start influxdb")
        self.db.sh("\n".join(upgrade))
        self.assertIn("new\n", self.db.sh("cat /var/lib/influxdb/wal/sensu_db/default/*/*.wal").out)
        self.do(UPGRADE, 1)
        self.check_back()

    @recipe(CSV)
    def test_csv(self):
        self.mount_store()
        wanted = self.db.sh(r"""
            curl -fsS -H 'Accept: application/csv' http://127.0.0.1:8086/query -d db=sensu_db --data-urlencode \
                "q=SELECT * FROM \"default\".cpu WHERE time >= '2016-06-11' AND time < '2016-06-12'" """).out
        self.assertEqual(len(wanted.splitlines()), 1 + 24)
        self.do(CSV)
        self.assertEqual(self.db.sh("cat /var/tmp/cpu_*.csv").out, wanted)
        self.do(CSV, 1)
        self.assertEqual(self.db.sh("cat /var/tmp/cpu.csv").out, wanted)
        self.do(CSV, 2)
        self.ask("DELETE FROM cpu WHERE time < '2016-06-11T12:00:00Z'")
        self.write(f"cpu,host=h1 idle=77 {DAY + 13 * 3600}000000000")
        self.assertNotEqual(self.answers(), self.before)
        self.do(CSV, 3)
        self.check_back()


class HostTest(RecipeTest):
    @recipe(CRAWLERS, NFS, APPARMOR)
    def test_host(self):
        self.check_nfs()
        self.check_apparmor()
        self.check_crawlers()

    def check_crawlers(self):
        """Debian's configuration of updatedb, and one that has the type."""
        for given, wanted in (('PRUNEFS="NFS afs proc"', 'PRUNEFS="fuse.influxfs NFS afs proc"'),
                              ('PRUNEFS = "NFS afs"', 'PRUNEFS = "fuse.influxfs NFS afs"'),
                              ('PRUNEFS="NFS fuse.influxfs"', 'PRUNEFS="NFS fuse.influxfs"')):
            self.db.put("etc/updatedb.conf", f'PRUNE_BIND_MOUNTS="yes"\n{given}\n')
            self.do(CRAWLERS)
            self.assertEqual(self.db.path("etc/updatedb.conf").read_text(), f'PRUNE_BIND_MOUNTS="yes"\n{wanted}\n')
        self.mount_store()
        self.assertEqual(self.db.sh("findmnt -n -o FSTYPE /mnt/influx").out, "fuse.influxfs\n")

    def check_nfs(self):
        """The line names the mirror of the recipe for rsync."""
        folder, hosts = self.block(NFS).split()
        self.assertIn(f" {folder}/\n", blocks()[RSYNC][0])
        self.assertRegex(hosts, r"^[\d./]+\((\w+,)*\w+\)$")

    def check_apparmor(self):
        """As the profile of fusermount3 includes them, the lines are understood."""
        profile = self.folder / "profile"
        profile.write_text(f"profile fusermount3 /usr/bin/fusermount3 {{\n{self.block(APPARMOR)}}}\n")
        run(CHECKOUT / "build/apparmor/sbin/apparmor_parser", "--skip-kernel-load", "--skip-cache", profile)
