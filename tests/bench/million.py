"""A busy influxd of a million series whose index is in files (tsi1): its dumps by four readers of a mount, in the
memory that they may have, and right. Before that, what influx_inspect and influxd itself take for the same."""

import shutil

from bench.pairs import compared, in_turn
from bench.series import MOST_MEMORY, export_command, find_inspect, timed_answer
from bench.stores import settle
from bench.table import progress
from lib.cost import cost_of, cost_so_far
from lib.crowd import DB, FORMS, MEASUREMENT, RP, SETTINGS, Crowd, Traffic, read_by_four, wrong_texts
from lib.cuts import INFLUXSNAP
from lib.influxd import Influxd
from lib.mount import Mount

SIZES = (300_000, 1_000_000)
ANSWERED = 300_000      # influxd takes gigabytes for more
BUDGETS = (64, 16)      # MiB of dumps, beside which the daemon may take MOST_MEMORY
RUNS = 3
SHARES = {"lp": 1 / 3, "json": 1 / 10}  # of the time that influx_inspect, and influxd, take for the same


def measure(table, disk, _):
    inspect = find_inspect(table)
    for count in SIZES:
        if not table.beyond(count, f"a busy influxd of {count} series"):
            measure_crowd(table, disk / str(count), Crowd(count), inspect)


def measure_crowd(table, folder, crowd, inspect):
    root = folder / "live"
    with Influxd(root, **SETTINGS) as influxd:
        crowd.fill(influxd, lambda written: progress(f"influxd writes {crowd.count} series: {written} points"))
        settle(influxd)
    table.note(f"{crowd.count} series of 3 fields: {bytes_of(root / 'data')} MB of TSM files, {bytes_of(root / 'wal')} MB of WAL")
    beside_inspect(table, root, crowd.count, inspect)
    with Influxd(root, **SETTINGS) as influxd:
        if crowd.count <= ANSWERED:
            beside_answers(table, influxd, crowd.count)
        for budget in BUDGETS:
            read_while_busy(table, folder / f"{budget}", crowd, influxd, budget)
    shutil.rmtree(folder)


def bytes_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in (".tsm", ".wal")) // 10**6


def dump(root, form):
    return cost_of([INFLUXSNAP, "-c", root, "--quiet", "dump", "--no-ddl", f"--format={form}", DB, RP, MEASUREMENT])


def beside_inspect(table, root, count, inspect):
    """It writes a line for each value."""
    if not inspect:
        return
    memory = {"ours": 0, "theirs": 0}

    def seconds(side, cost):
        memory[side] = max(memory[side], cost.memory)
        return cost.seconds
    name = f"lp of {count} series x 3 fields / influx_inspect export"
    table.pairs(name, in_turn(name, lambda: seconds("ours", dump(root, "lp")),
                              lambda: seconds("theirs", cost_of(export_command(inspect, root, DB))), RUNS), most=SHARES["lp"])
    table.note("at most {ours:.0f} MiB of memory, theirs {theirs:.0f} MiB".format(**memory))


def beside_answers(table, influxd, count):
    """Ours goes nowhere, and theirs through HTTP."""
    for form in ("json", "csv"):
        costs, answers = [], []
        for number in range(RUNS):
            progress(f"{form} of {count} series: run {number + 1} of {RUNS}")
            costs.append(dump(influxd.root, form))
            answers.append(timed_answer(influxd, form, DB, RP, MEASUREMENT))
        table.pairs(f"{form} of {count} series x 3 fields / influxd's answer",
                    compared([cost.seconds for cost in costs], [seconds for seconds, _ in answers]), most=SHARES.get(form))
        table.note(f"at most {max(cost.memory for cost in costs):.0f} MiB of memory, influxd {answers[-1][1]:.0f} MiB")


def read_while_busy(table, folder, crowd, influxd, budget):
    folder.mkdir()
    progress(f"four readers of {crowd.count} series, memory={budget}M")
    with Mount(influxd.root, folder / "mnt", options=f"memory={budget}M,state={folder / 'state'}") as mnt:
        before = cost_so_far(mnt.pid())
        with Traffic(influxd, crowd.count) as traffic:
            copies = read_by_four(mnt, folder)
        cost = cost_so_far(mnt.pid()) - before
    megabytes = sum(copy.stat().st_size for copy in copies.values()) / 10**6
    table.single(f"memory of the mount, {crowd.count} series, memory={budget}M, four readers", [cost.memory], "MiB",
                 most=budget + MOST_MEMORY)
    table.note(f"{', '.join(FORMS)}, and half of the json again, {megabytes:.0f} MB: {cost.seconds:.1f} s, "
               f"{cost.processor:.1f} s of processor, while influxd took {traffic.written} points")
    if wrong := wrong_texts(crowd, influxd, copies):
        raise RuntimeError("; ".join(wrong))
    shutil.rmtree(folder)
