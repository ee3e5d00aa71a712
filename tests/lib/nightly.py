"""influxfs-archive and what it leaves in a plain folder, which is object storage to rclone."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from lib.files import HANG
from lib.mount import INFLUXFS
from lib.objectstore import rclone_environment

ARCHIVE = Path(INFLUXFS).parent / "influxfs-archive"

# In front of rclone on PATH: ends its caller, as a power cut does, at the call KILL_AT of those that change
# something; before it (KILL_HOW=before) or after it. The calls so far are lines of KILL_COUNT.
KILLER = """\
#!/bin/sh
case " $* " in *' lsjson '*|*' lsf '*|*' cat '*|*' hashsum '*|*' md5sum '*|*' listremotes '*|*' version '*|*' config '*|*' backend '*)
    exec {rclone} "$@" ;;
esac
echo "$*" >>"$KILL_COUNT"
if [ "$(wc -l <"$KILL_COUNT")" -ne "$KILL_AT" ]; then exec {rclone} "$@"; fi
if [ "$KILL_HOW" = after ]; then {rclone} "$@"; fi
kill -KILL $PPID
"""

# Listings are older than the objects: they do not show what this matches, which is there all the same.
LAGGING = """\
case " $* " in *' --stat '*|*_segments*) ;; *' lsjson '*) {rclone} "$@" | grep -v '{hidden}'; exit ;; esac
"""

# This user may not remove anything.
WRITE_ONCE = """\
case " $* " in *' deletefile '*|*' delete '*|*' purge '*|*' rmdirs '*)
    echo '2026/01/02 03:04:05 ERROR : AccessDenied: Access Denied' >&2; exit 1 ;;
esac
"""


def plain():
    """The environment for remotes that are folders."""
    return rclone_environment("/notfound")


def archive(store, remote, *words, code=0, env=None, **options):
    """(stdout, stderr) of a run that must end with that exit code; None: with any, which is then the first."""
    words = [ARCHIVE, "-c", store, f"--remote={remote}", *words]
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=env or plain(), timeout=HANG, check=False, **options)
    if code is None:
        return done.returncode, done.stdout, done.stderr
    if done.returncode != code:
        raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def receipts(folder):
    """{name: receipt} of a folder DAY/shards, where none may tell of what is not there as it was sent."""
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        found[path.name] = json.loads(path.read_text())
        for item in found[path.name]["objects"]:
            content = (Path(folder) / item["name"]).read_bytes()
            if (len(content), hashlib.sha256(content).hexdigest()) != (item["size"], item["sha256"]):
                raise AssertionError(f"{path}: {item['name']} is another")
    return found


def copy(source, target, run, store=None):
    """Another archive with the bytes of the only one of a day: a full or legacy one, of target's day and that RUN,
    and of that store."""
    (path,) = Path(source).glob("*.json")
    receipt = json.loads(path.read_text())
    receipt["run"], receipt["day"] = run, Path(target).parent.name
    receipt["store"] = store or receipt["store"]
    stem, copied = path.stem, f"{receipt['store'][:8]}-{run}"
    Path(target).mkdir(parents=True, exist_ok=True)
    for item in receipt["objects"]:
        content = (Path(source) / item["name"]).read_bytes()
        item["name"] = item["name"].replace(stem, copied)
        (Path(target) / item["name"]).write_bytes(content)
    del receipt["sha256"]
    text = json.dumps(receipt, separators=(",", ":"))[:-1]
    text += f',"sha256":"{hashlib.sha256(text.encode()).hexdigest()}"}}\n'
    (Path(target) / f"{copied}.json").write_text(text)


def names_of(receipt, name):
    """All that a run leaves."""
    names = {item["name"] for item in receipt["objects"]}
    return names | {name} | ({name.replace(".json", ".sha256")} if names else set())


def instead_of_rclone(folder, script, **words):
    """The environment with an rclone on PATH that does this first."""
    folder.mkdir(exist_ok=True)
    program, rclone = folder / "rclone", shutil.which("rclone")
    program.write_text("#!/bin/sh\n" + script.format(rclone=rclone, **words) + f'exec {rclone} "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def killer(folder, rclone):
    """The environment with that rclone on PATH; KILL_AT and KILL_HOW are still to be set."""
    folder.mkdir()
    program = folder / "rclone"
    program.write_text(KILLER.format(rclone=rclone))
    program.chmod(0o755)
    return plain() | {"PATH": f"{folder}:{os.environ['PATH']}", "KILL_COUNT": str(folder / "count")}
