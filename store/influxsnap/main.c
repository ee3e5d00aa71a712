/* SPDX-License-Identifier: MIT */
/* influxsnap: the commands, and what they share. */
#include "store/base/io.h"
#include "store/influxsnap/checking.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"backup", "PATH",
     "compress json allow-left-out host timeout guard database exclude rp shard from to exact "
     "format",
     1, 1, snap_backup, "write a snapshot, or what changed since the last",
     "Writes a full snapshot at PATH if there is none; else PATH.0, PATH.1, … with what has "
     "changed\n"
     "since the snapshots that lie there. Nothing is written if nothing has changed. A snapshot\n"
     "appears whole or not at all. What is gone since the snapshot before it is said, with a "
     "warning\n"
     "if that is more than --guard allows. PATH - is standard output: always a full one. With "
     "--host,\n"
     "the snapshot comes from `influxsnap serve` on another machine, and is verified.\n"
     "--database, --exclude, --rp, --shard, --from and --to select a part, of which the snapshot\n"
     "is then; it is restored without touching anything else.\n"
     "With --format=portable or legacy, PATH is a folder, in which a set is written as `influxd\n"
     "backup` does: for the real `influxd restore`.\n"},
    {"restore", "PATH…",
     "database exclude rp shard from to exact as merge union dry-run force owner keep-expired json",
     1, -1, snap_restore, "put a snapshot in the place of the store",
     "PATH is a full snapshot, which is restored with its numbers PATH.0, PATH.1, …; or the parts\n"
     "of a chain one by one; or a folder with base.tar, 0.tar, 1.tar, …; or - for standard input;\n"
     "or a set that `influxd backup` wrote, legacy or portable: its folder, or a tar of that.\n"
     "Everything is checked before the store is touched. influxd must not run.\n"
     "A snapshot of a part, or of another one what --database, --exclude, --rp, --shard, --from "
     "and\n"
     "--to select, replaces that part of the store alone. With --as, one database is put beside "
     "what\n"
     "is there under another name. With --merge, points are added to what is there.\n"},
    {"rollback", "N|base|latest|TIME", "dry-run force owner keep-expired json", 1, 1, snap_rollback,
     "put a retained cut in the place of the store",
     "The store becomes what it was at the cut, by links to the retained files, so that this "
     "takes\n"
     "seconds whatever its size. TIME is as 2016-06-11T12:00:00Z: the last cut at or before it. "
     "The\n"
     "store that is there is kept as *.before-restore, and the cuts stay as they are. influxd "
     "must\n"
     "not run.\n"},
    {"recover", "", "json", 0, 0, snap_recover, "finish or undo a restore that was cut off",
     "After a kill or a power cut in the middle of a restore, influxd does not start on the store\n"
     "before this was done. Mounting the store does it too. It does nothing else, and if there is\n"
     "nothing to do, influxd may run.\n"},
    {"verify", "[PATH…]", "json", 0, -1, snap_verify,
     "check snapshots, or the cuts, to the last byte",
     "Checks every header and checksum, every block of every TSM file, and that the chain is "
     "whole.\n"
     "PATH is a snapshot, which is checked with its numbers PATH.0, PATH.1, …; or a folder with\n"
     "base.tar, 0.tar, 1.tar, …; or a set that `influxd backup` wrote, as a folder or a tar of "
     "it.\n"
     "Without PATH, checks the cuts of the store: their manifests, and each file that they "
     "retain.\n"},
    {"cut", "", "keep json reserve guard exclude allow-left-out", 0, 0, snap_cut,
     "retain the store as it is now",
     "The first cut makes the base, each later one the next number. Nothing is made if nothing "
     "has\n"
     "changed. With --keep=N, when there are 2N numbers, all but N are folded into the base.\n"
     "One that lost too much (--guard) since the cut before it is made with a warning, and not "
     "folded\n"
     "until `influxsnap prune --accept-loss=N` says that it may be.\n"},
    {"list", "", "json", 0, 0, snap_list, "show the cuts", "Shows the base and the numbers.\n"},
    {"prune", "", "keep json accept-loss", 0, 0, snap_prune, "fold the oldest cuts into the base",
     "Folds all but the newest N numbers into the base. Without --keep, removes only what a "
     "killed\n"
     "influxsnap has left. A cut that lost more than its --guard allowed is not folded, nor what\n"
     "follows it, before --accept-loss names it; exit code 6 if that kept more from being "
     "folded.\n"},
    {"clone", "N|base|latest|TIME FOLDER", "remove", 1, 2, snap_clone,
     "a store as it was at a cut, for another influxd",
     "Mounts the store as it was at a cut on FOLDER, which is empty, so that a second influxd can\n"
     "run on FOLDER/meta, FOLDER/data and FOLDER/wal. Nothing it does touches the store or the\n"
     "cut. TIME is as 2016-06-11T12:00:00Z: the last cut at or before it.\n"
     "`influxsnap clone --remove FOLDER` takes it away again.\n"},
    {"dump", "DB [RP [MEASUREMENT]...] | --path=PATH",
     "format from to output path allow-left-out no-ddl skip-damaged memory", 0, -1, snap_dump,
     "points as text, of a database, a policy or some measurements",
     "Reads the points from the files: influxd need not run, and may. --format=lp gives line\n"
     "protocol, sorted by series and time, ready for /write; json and csv give, byte for byte, "
     "what\n"
     "influxd answers to SELECT * FROM \"RP\".\"MEASUREMENT\" with this range of times, one\n"
     "answer after the other. Line protocol of a whole database begins with the statements that\n"
     "create it, as influx -import takes them. What line protocol cannot express is left out, and\n"
     "so is what is damaged with --skip-damaged; both are named, and then the exit code is 6.\n"},
    {"users", "[PATH]", "sql json output", 0, 1, snap_users,
     "users with their hashes and grants, as statements or JSON",
     "Of the store, or of the snapshot PATH (- for standard input). InfluxQL cannot set a hash: "
     "the\n"
     "statements make users with passwords of random characters, and name each hash beside them.\n"
     "A file (--output) is readable for its owner alone.\n"},
    {"queries", "[PATH]", "sql json output", 0, 1, snap_queries,
     "databases, policies and continuous queries, as statements or JSON",
     "Of the store, or of the snapshot PATH (- for standard input). The statements make the same\n"
     "databases, retention policies and continuous queries on an empty server; subscriptions are\n"
     "comments. _internal is left out: each server has its own.\n"},
    {"rebuild-meta", "", "duration shard-duration replace dry-run json", 0, 0, snap_rebuild_meta,
     "make or complete meta.db from what lies in the data folder",
     "Databases, policies and shards are named by their folders, and the times of shards by the "
     "points\n"
     "in them. What a readable meta.db knows stays as it is, and only what it lacks is added. The "
     "old\n"
     "one is kept beside it. What was guessed is said. influxd must not run.\n"},
    {"serve", "", "allow-host allow-left-out timeout", 0, 0, snap_serve,
     "answer one HTTP request with a snapshot",
     "Answers GET /snapshot, which comes on standard input, on standard output: systemd, inetd or\n"
     "ssh give it a connection. With the manifests of a chain as its body, the answer is what has\n"
     "changed since; 204 if nothing has.\n"},
    {"status", "", "json prometheus html output check max-age reserve", 0, 0, snap_status,
     "show where the store lies and what is retained",
     "Shows the folders, whether influxd uses them, and what the cuts take up. --prometheus "
     "prints\n"
     "metrics, and --html a page for a browser, or puts them in the place of the file --output.\n"
     "--check answers as a plugin of Nagios does: one line, and exit code 0 if all is well, 1 for\n"
     "a warning, 2 if it is critical, 3 if that is unknown.\n"},
    {0}};

/* If the output was not written, the command has failed. */
static int finish(int code)
{
    bool done = code == EXIT_DONE || code == EXIT_OMISSIONS;
    if (!done || (fflush(stdout) == 0 && !ferror(stdout)))
        return code;
    snap_say("standard output: %s", strerror(errno));
    return EXIT_FAILED;
}

/* A monitor takes 2 for critical. */
static int main_usage(int argc, char **argv, const struct err *e)
{
    if (check_asked(argc, argv))
        return check_unknown(e->text);
    snap_say("%s", e->text);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct snap s = {0};
    io_guard_stdio();
    /* libarchive converts member names by the locale. */
    setlocale(LC_CTYPE, "C.UTF-8");
    snap_catch_signals();
    int r = command_parse(argc, argv, commands, &s.o, &s.command, &e);
    int code = EXIT_DONE;
    snap_say_begin(s.o.quiet, s.o.log);
    if (r < 0) {
        code = main_usage(argc, argv, &e);
    } else if (s.o.version) {
        printf("influxsnap %s\n", INFLUXFS_VERSION);
    } else if (s.o.help) {
        command_help(commands, s.command);
    } else {
        code = s.command->run(&s);
    }
    snap_close(&s);
    options_clear(&s.o);
    snap_say_end();
    return finish(code);
}
