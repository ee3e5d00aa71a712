"""The stores of real servers in fixtures/, and what those servers answered."""

import gzip
import json

from lib.files import FIXTURES, run

NAMES = sorted(folder.name for folder in FIXTURES.iterdir())


def index_of(name):
    return name.rsplit("-", 1)[1]


def unpack(name, folder):
    """meta/ data/ wal/ as a SIGKILL left them."""
    folder.mkdir(parents=True, exist_ok=True)
    run("tar", "-xf", FIXTURES / name / "store.tar.gz", "-C", folder)
    return folder


def check_answers(name, influxd, without=()):
    """Every query gets the bytes that the store's own server gave; without: databases that are not there."""
    answers = json.loads(gzip.decompress((FIXTURES / name / "answers.json.gz").read_bytes()))
    if not answers:
        raise AssertionError(f"{name}: no answers to compare with")
    for answer in answers:
        if answer["db"] in without:
            continue
        got = influxd.query(answer["query"], answer["db"]).decode()
        if got != answer["body"]:
            raise AssertionError(f"{name}: {answer['db']}: {answer['query']}\n"
                                 f"expected {answer['body'][:2000]!r}\ngot      {got[:2000]!r}")
