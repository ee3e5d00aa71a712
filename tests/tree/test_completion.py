"""Completion in bash and zsh: what is offered is what --help has, and the line becomes what it should."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, snap
from lib.files import CHECKOUT, PATIENCE, run
from lib.mount import INFLUXFS
from lib.stores import big_file, some_store, tsm
from tree.test_options import helped

SCRIPTS = CHECKOUT / "mount-helper/completion"
LEVELS = {"error", "warning", "info", "debug"}
JOBS = ("influxfs-archive", "influxfs-fetch", "influxfs-dump")
FOLDERS = {"live", "snapshots", "at", "dump", "restore"}


def commands():
    return re.findall(r"(?m)^  ([\w-]+) ", run(INFLUXSNAP, "--help"))


def bare(words):
    return {word.removesuffix("=") for word in words}


class CompletionTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.environment = os.environ | {"PATH": f"{os.path.dirname(INFLUXFS)}:{os.environ['PATH']}", "TERM": "dumb",
                                         "HOME": str(self.folder), "ZDOTDIR": str(self.folder)}

    def typed(self, shell, line, keys, done):
        """Has an interactive shell on a terminal: once it has read its start-up file, types the line and
        the keys, until done() of what it wrote."""
        (self.folder / "ready").unlink(missing_ok=True)
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe(shell[0], shell, self.environment)
        wrote, end = b"", time.monotonic() + 60 * PATIENCE
        sent = False
        try:
            while not (sent and done(wrote)):
                if time.monotonic() > end:
                    self.fail(f"{shell[0]} did not come to an end: {wrote!r}")
                if not sent and (self.folder / "ready").exists():
                    os.write(terminal, line.encode() + keys)
                    sent = True
                if select.select([terminal], [], [], 0.05)[0]:
                    wrote += os.read(terminal, 4096)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)
        return wrote

    def check_jobs(self, offered):
        """The nightly jobs, whose remotes are those that rclone knows."""
        config = self.folder / "rclone.conf"
        config.write_text("[swift]\ntype = swift\n[second]\ntype = alias\n")
        self.environment["RCLONE_CONFIG"] = str(config)
        for program in JOBS:
            options = {name for name in helped(run(Path(INFLUXFS).with_name(program), "--help")) if name.startswith("--")}
            self.assertEqual(bare(offered(f"{program} --")), options)
            self.assertEqual({word.rstrip(":") for word in offered(f"{program} --remote=s")}, {"swift", "second"})
            self.assertEqual(offered(f"{program} --day="), {"today", "yesterday"})
            self.assertEqual(offered(f"{program} -q -- --re"), set())
        self.assertEqual(offered("influxfs-archive --verify="), {"size", "read"})
        self.assertEqual(offered("influxfs-dump --format=c"), {"csv"})

    def check(self, offered):
        """offered(line): the words that may stand at its end."""
        self.assertEqual(offered("influxsnap "), set(commands()))
        common = {name for name in helped(run(INFLUXSNAP, "--help")) if name.startswith("--")}
        for command in commands():
            own = helped(run(INFLUXSNAP, command, "--help"))
            self.assertEqual(bare(offered(f"influxsnap {command} --")), own | common, command)
        self.assertEqual(offered("influxsnap ba"), {"backup"})
        self.assertEqual(offered("influxsnap backup --compress="), {"zstd", "gzip"})
        self.assertEqual(offered("influxsnap dump --format=c"), {"csv"})
        self.assertEqual(offered("influxsnap --log="), LEVELS)
        self.assertEqual(offered("influxsnap -q --state /tmp list --log w"), {"warning"})
        options = {name for name in helped(run(INFLUXFS, "--help")) if not name.startswith("-")}
        for program in ("influxfs", "mount.influxfs"):
            self.assertEqual(bare(offered(f"{program} -o ")), options)
        for line, words in (("na", {"names"}), ("names=", {"colons", "compact"}), ("pace=", {"off", "auto"}),
                            ("log=", LEVELS), ("hide=", FOLDERS), ("hide=sn", {"snapshots"}), ("guard=o", {"off"})):
            # bash has the words of one option before it, back to the last = or :.
            self.assertEqual({re.split("[=,]", word.removesuffix("="))[-1]
                              for word in offered(f"influxfs -o keep=3,{line}")}, words, line)
        store = some_store(self.folder / "store", 1)
        self.assertEqual(offered(f"influxsnap -c {store} clone "), {"base", "latest"})
        snap(store, "cut")
        for number in range(3):
            big_file(store).with_name(f"{number + 2:09}-000000001.tsm").write_bytes(tsm(b"%d" % number))
            snap(store, "cut")
        for named in (f"-c {store}", f"--config={store}", f"--config={store}/x --state={store}/influxfs"):
            wanted = set() if "/x" in named else {"0", "1", "2"}
            self.assertEqual(offered(f"influxsnap {named} clone "), wanted | {"base", "latest"}, named)
        self.assertEqual(offered(f"influxsnap -c {store} rollback "), {"0", "1", "2", "base", "latest"})
        self.assertEqual({os.path.basename(word.rstrip("/")) for word in offered(f"influxsnap verify {store}/da")}, {"data"})
        self.assertEqual({os.path.basename(word.rstrip("/")) for word in offered(f"influxfs {store}/me")}, {"meta"})


class BashTest(CompletionTest):
    START = 'source /usr/share/bash-completion/bash_completion\nsource "$SCRIPTS/influxsnap.bash"\n' \
            'source "$SCRIPTS/influxfs.bash"\nsource "$SCRIPTS/influxfs-archive.bash"\n'
    # Splits the line as readline does for a function (bash(1), COMP_WORDS), and asks the function.
    ASK = 'compopt() { :; }\nCOMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9; shift\nCOMP_WORDS=("$@")\n' \
          'COMP_CWORD=$(($# - 1))\n"_$NAMED" "$1" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"\n' \
          'printf "%s\\n" "${COMPREPLY[@]}"\n'

    def setUp(self):
        super().setUp()
        self.environment["SCRIPTS"] = str(SCRIPTS)

    def named(self, program):
        """Its function."""
        return "influxfs_job" if program in JOBS else program.removeprefix("mount.")

    def offered(self, line):
        words = re.findall(r"[=:]+|[^\s=:]+", line)
        if not line.endswith(words[-1]):
            words.append("")
        done = subprocess.run(["bash", "--norc", "-c", self.START + self.ASK, "bash", line, *words], capture_output=True,
                              text=True, env=self.environment | {"NAMED": self.named(words[0])})
        self.assertEqual(done.stderr, "", line)
        return set(done.stdout.split())

    def test_offered(self):
        self.check(self.offered)
        self.check_jobs(self.offered)
        self.assertEqual(self.offered("mount.influxfs -"), {f"-{letter}" for letter in "sfnvrwNthVo"})
        self.assertEqual(self.offered("influxfs -o keep=3,hide=dump:a"), {"at"})

    def test_typed(self):
        """By readline itself, which has its own view of where a word begins."""
        (self.folder / "rc").write_text(f"{self.START}PS1=\nset +o history\nbind 'set bell-style none'\n"
                                        f"bind 'set enable-bracketed-paste off'\ntouch {self.folder}/ready\n")
        for line, wanted in (("influxfs -o keep=3,nam", "influxfs -o keep=3,names="),
                             ("influxfs -o keep=3,names=com", "influxfs -o keep=3,names=compact "),
                             ("influxfs -o hide=dump:sn", "influxfs -o hide=dump:snapshots "),
                             ("influxfs -o forc", "influxfs -o force "),
                             ("influxsnap bac", "influxsnap backup "),
                             ("influxsnap backup --compress=z", "influxsnap backup --compress=zstd "),
                             ("influxsnap backup --allow", "influxsnap backup --allow-left-out "),
                             ("influxsnap backup --comp", "influxsnap backup --compress=")):
            # Tab; then the whole line becomes the argument of a command that prints it.
            wrote = self.typed(["bash", "--noprofile", "--rcfile", str(self.folder / "rc"), "-i"], line,
                               b"\t'\x01echo 'LINE:\x05; echo END$((1+1))\r", lambda wrote: b"END2" in wrote)
            self.assertIn(f"LINE:{wanted}\r".encode(), wrote)

    def test_loaded(self):
        """As bash-completion finds them, by the name of the program."""
        folder = self.folder / "bash-completion/completions"
        folder.mkdir(parents=True)
        for script in SCRIPTS.glob("*.bash"):
            (folder / script.stem).write_bytes(script.read_bytes())
        for program in ("influxsnap", "influxfs", "mount.influxfs", *JOBS):
            said = run("bash", "--norc", "-c", "source /usr/share/bash-completion/bash_completion; "
                       f"_completion_loader {program}; complete -p {program}",
                       env=self.environment | {"BASH_COMPLETION_USER_DIR": str(self.folder / "bash-completion")})
            self.assertEqual(said, f"complete -F _{self.named(program)} {program}\n")


class ZshTest(CompletionTest):
    START = """\
fpath=({scripts} $fpath)
autoload -Uz compinit
compinit -u -d {folder}/dump
PS1= RPS1=
zstyle ':completion:*' verbose no
compadd() {{
    local -a hits
    if (( ! ${{@[(I)-O|-A|-D]}} )); then
        builtin compadd -O hits "$@"
        (( $#hits )) && print -rl -- $hits >>{folder}/hits
    fi
    builtin compadd "$@"
}}
finish() {{ print -r -- END >>{folder}/hits }}
zle -N finish
bindkey '^X' complete-word '^Y' finish
print >{folder}/ready
"""

    def offered(self, line):
        hits = self.folder / "hits"
        hits.write_text("")
        (self.folder / ".zshrc").write_text(self.START.format(scripts=SCRIPTS, folder=self.folder))
        wrote = self.typed(["zsh", "-d", "-i"], line, b"\x18\x19", lambda _: hits.read_text().endswith("END\n"))
        self.assertNotRegex(wrote, rb"_influx\w+:\d+: ")  # an error in a function of ours
        return set(hits.read_text().split()[:-1])

    def test_offered(self):
        self.check(self.offered)
        self.check_jobs(self.offered)
        self.assertEqual(self.offered("mount.influxfs -"), {f"-{letter}" for letter in "sfnvrwNthVo"})

    def test_syntax(self):
        for script in ("_influxsnap", "_influxfs", "_influxfs-archive"):
            run("zsh", "-n", SCRIPTS / script)
            self.assertRegex((SCRIPTS / script).read_text(), r"^#compdef ")
