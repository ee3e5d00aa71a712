"""restore/ and the tools that people copy with: exit 0 means restored, damage means another exit code."""

import os
import sys
from pathlib import Path

from lib.restores import RestoreTest
from lib.stores import TSM_HEADER, HandmadeStore, wal_entry
from lib.trees import whole_tree

# scp's transport: what the other host would be asked to run is run here. The last word is the
# command, or with -s the name of a subsystem.
SSH = """\
#!/bin/sh
for word; do last=$word; done
case $last in
sftp) exec /usr/lib/openssh/sftp-server ;;
*) exec sh -c "$last" ;;
esac
"""
RCLONE = "rclone --config /dev/null --retries 1 --low-level-retries 1"
RESTIC = """
export RESTIC_PASSWORD=x RESTIC_REPOSITORY=FOLDER/repo
restic --no-cache -q init && (cd IN && restic --no-cache -q backup now.tar) &&
restic --no-cache -q restore latest --target DIR
"""

# Each start of another program closes its copy of the file, while who looks at it in /proc waits.
STARTS_OTHERS = """\
import subprocess, sys
with open(sys.argv[1], "rb") as given, open(sys.argv[2], "wb") as file:
    while piece := given.read(100000):
        file.write(piece)
        file.flush()
        subprocess.run(["true"], close_fds=False, check=True)
"""

# Each copies IN/now.tar to DIR/now.tar. The shell stands between them so that each test reads as
# a user types.
COPIES = {
    "cp": "cp IN/now.tar DIR/",
    "cp_a": "cp -a IN/now.tar DIR/",
    "cp_all": "setfattr -n user.note -v 1 IN/now.tar && cp --preserve=all IN/now.tar DIR/",
    "cp_sparse": "cp --sparse=always IN/now.tar DIR/",
    "cp_remove": "cp --remove-destination IN/now.tar DIR/",
    "mv": "mv -f IN/now.tar DIR/",
    "rsync": "rsync -a IN/now.tar DIR/",
    "rsync_folder": "rsync -rt IN/ DIR/",
    "rsync_xattrs": "setfattr -n user.note -v 1 IN/now.tar && rsync -aX IN/now.tar DIR/",
    "rsync_inplace": "rsync -a --inplace IN/now.tar DIR/",
    "rsync_preallocate": "rsync -a --preallocate IN/now.tar DIR/",
    "rsync_fsync": "rsync -a --fsync IN/now.tar DIR/",
    "rsync_delay_updates": "rsync -a --delay-updates IN/now.tar DIR/",
    "rsync_sparse": "rsync -aS IN/now.tar DIR/",
    "rsync_checksum": "rsync -ac IN/now.tar DIR/",
    "dd": "dd if=IN/now.tar of=DIR/now.tar",
    "dd_odd": "dd if=IN/now.tar of=DIR/now.tar bs=997",
    "dd_large": "dd if=IN/now.tar of=DIR/now.tar bs=5M",
    "dd_direct": "dd if=IN/now.tar of=DIR/now.tar bs=64K oflag=direct",
    "dd_sparse": "dd if=IN/now.tar of=DIR/now.tar bs=4096 conv=sparse",
    "dd_notrunc": "dd if=IN/now.tar of=DIR/now.tar bs=1M conv=notrunc,fsync",
    "cat": "cat IN/now.tar > DIR/now.tar",
    "cat_append": "rm -f DIR/now.tar; cat IN/now.tar >> DIR/now.tar",
    "two_writers": "(head -c 300001 IN/now.tar; tail -c +300002 IN/now.tar) > DIR/now.tar",
    "scp_sftp": "scp -S FOLDER/ssh IN/now.tar host:DIR/now.tar",
    "scp_old": "scp -O -p -S FOLDER/ssh IN/now.tar host:DIR/now.tar",
    "rclone": f"{RCLONE} copy IN DIR",
    # With streams it would read the file again for its checksum, and that cannot be read back.
    "rclone_streams": f"{RCLONE} copy --multi-thread-streams 4 --multi-thread-cutoff 100k --ignore-checksum IN DIR",
    "rclone_again": f"{RCLONE} copy --no-update-modtime --size-only IN DIR",
    "tar": "tar -cf - -C IN now.tar | tar -xf - -C DIR",
    "tar_sparse": "tar -Scf - -C IN now.tar | tar -xf - -C DIR",
    "install": "install -m 600 IN/now.tar DIR/now.tar",
    "tee": "tee DIR/now.tar < IN/now.tar > /dev/null",
    "copy2": f"{sys.executable} -c \"import shutil; shutil.copy2('IN/now.tar', 'DIR/now.tar')\"",
    "starts_others": f"{sys.executable} -c '{STARTS_OTHERS}' IN/now.tar DIR/now.tar",
    "curl": "curl -sS -o DIR/now.tar file://IN/now.tar",
    "gzip": "gzip -kf1 IN/now.tar && cp IN/now.tar.gz DIR/",
    "zstd": "zstd -qf IN/now.tar && cp IN/now.tar.zst DIR/",
    "xz": "xz -kf0 IN/now.tar && cp IN/now.tar.xz DIR/",
    "lz4": "lz4 -qf IN/now.tar IN/now.tar.lz4 && cp IN/now.tar.lz4 DIR/",
    "gzip_stdout": "gzip -c1 IN/now.tar > DIR/now.tar.gz",
    "zstd_stdout": "zstd -qc IN/now.tar > DIR/now.tar.zst",
}


class ToolTest(RestoreTest):

    def setUp(self):
        super().setUp()
        ssh = self.folder / "ssh"
        ssh.write_text(SSH)
        ssh.chmod(0o700)
        self.mnt = self.mount(self.store)
        self.given = self.folder / "in"
        self.given.mkdir()

    def make_source(self, root):
        """With long runs of zeros, for tools that make holes of them."""
        store = HandmadeStore(root)
        for number in range(3):
            content = os.urandom(150000 + number) + bytes(200000) + os.urandom(1000)
            store.shard(index=number == 1, tsm={"000000001-000000001.tsm": TSM_HEADER + content},
                        wal={"_00001.wal": wal_entry(1), "_00002.wal": wal_entry(2, 3000)})
        return store.write_meta()

    def copied_by(self, command, content):
        """Its exit code and words. Good or damaged, the file has one name and one mtime."""
        given = self.given / "now.tar"
        given.write_bytes(content)
        os.utime(given, ns=(0, os.stat(self.tar).st_mtime_ns))
        return self.shell(command, IN=self.given, DIR=self.mnt / "restore", FOLDER=self.folder)

    def check_tool(self, command, tells=True):
        """tells: its exit code is the verdict."""
        good = Path(self.tar).read_bytes()
        flipped = bytearray(good)
        flipped[good.index(TSM_HEADER) + 100000] ^= 0x10
        for what, content in (("flipped", flipped), ("truncated", good[:600000])):
            before = whole_tree(self.store)
            code, said = self.copied_by(command, content)
            if tells:
                self.assertNotEqual(code, 0, f"{what}: {said}")
            log = self.log(self.mnt)
            self.assertRegex(log[-1], "Z refused .*(damaged|ends early|early)", said)
            self.check_untouched(before, what)
            self.assertEqual(self.restore_status(self.mnt)["state"], "refused", f"{what}: {log[-1]}")
        # And then again with a good one, as the same people do.
        code, said = self.copied_by(command, good)
        self.assertEqual(code, 0, f"{said}{self.log(self.mnt)[-1]}")
        self.assertIn("Z restored ", self.log(self.mnt)[-1])
        self.assertEqual(self.restore_status(self.mnt)["restores"], 1)
        self.check_restored()

    def test_bsdtar(self):
        """It does not look at what close(2) says: only the log tells."""
        self.check_tool("bsdtar -cf - -C IN now.tar | bsdtar -xpf - -C DIR", tells=False)

    def test_restic(self):
        """It opens and closes the file for each piece: that cannot work, and must fail safely."""
        before = whole_tree(self.store)
        code, said = self.copied_by(RESTIC, Path(self.tar).read_bytes())
        self.assertNotEqual(code, 0, said)
        self.assertIn("Z refused ", self.log(self.mnt)[-1])
        self.check_untouched(before)


def add_tool(name, command):
    setattr(ToolTest, f"test_{name}", lambda self: self.check_tool(command))


for tool, tool_command in COPIES.items():
    add_tool(tool, tool_command)
