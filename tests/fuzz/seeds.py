#!/usr/bin/env python3
"""Writes the inputs that corpus/ was made from: pieces of the stores in tests/fixtures.

    tests/fuzz/seeds.py FOLDER      FOLDER/TARGET/…, for each target

The corpus is what libFuzzer keeps of them, and of what it found beside them:

    for t in FOLDER/*; do build-fuzz/tests/fuzz_${t##*/} -merge=1 tests/fuzz/corpus/${t##*/} $t; done"""

import gzip
import hashlib
import io
import json
import random
import struct
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.dont_write_bytecode = True

from lib import fixtures  # noqa: E402
from lib.influxbackup import legacy_meta, tar_of  # noqa: E402
from lib.stores import HandmadeStore, message, tombstone, tsm  # noqa: E402

BLOCK_MAX = 700     # changing long ones takes the fuzzer nowhere that small_blocks() does not
PIECE_MAX = 2000

CONF = b"""# the folders
reporting-disabled = true
[meta]
  dir = "/var/lib/influxdb/meta" # a comment
  retention-autocreate = true

[DATA]
  Dir = '/var/lib/influxdb/data'
  wal-dir = \"\"\"
/var/lib/\\
     influxdb/wal\"\"\"
  series-id-set-cache-size = 100
  max-series-per-database = [1_000, -2.5e3, 1979-05-27T07:32:00Z, ]
[[graphite]]
  templates = [ "*.app env.service", 'x' ] # each
  tags = { "a.b" = "\\u00e9\\t\\"\\U0001F600", c.d = '''it''s''' }
[[graphite]]
[http."x y".'z']
auth-enabled = false\r
"""


def manifests():
    plain = {"version": 1, "id": "0123456789abcdef", "kind": "full", "parent": None, "number": None,
             "created": "2016-06-11T12:00:00Z", "host": "a.example", "index": 7, "skew_ns": -5,
             "files": [{"name": name, "size": 10, "index": 1, "mtime_ns": 10**18}
                       for name in ("meta/meta.db", "data/db/rp/1/000000001-000000001.tsm", "wal/db/rp/1/_00001.wal")],
             "removed": [], "left_out": ["data/db/rp/9"]}
    yield plain
    yield plain | {"kind": "incremental", "parent": "00", "number": 3, "chain": "c",
                   "removed": ["data/db/rp/1/000000001-000000001.tombstone"],
                   "removed_folders": ["wal/db/rp/2", "wal"], "folders": ["data", "data/db"]}
    yield plain | {"kind": "database", "id": "\u00e9\\\"", "index": 2**64 - 1, "files": []}
    yield plain | {"version": 2}
    yield plain | {"kind": "database", "selection": {
        "databases": ["b", "a\u00e9"], "exclude": ["c"], "rp": "rp", "shards": [7, 2**63], "from_ns": -2**63, "to_ns": 5,
        "exact": True}}
    yield plain | {"links": ["data/db/rp/1 -> /slow/1"],
                   "left_out": ["db/rp/8", {"name": "db/rp/9", "files": 2, "bytes": 7, "why": "unknown"},
                                {"name": "data/db/rp/1/1-1.tsm.bad", "files": 1, "bytes": 2**62, "why": "later"}]}
    yield plain | {"files": plain["files"] + [{"name": "data/db", "size": 2**50, "index": 0, "mtime_ns": 0}]}


def journals():
    """Without the sum, which the target adds."""
    folders = "meta beside existed /s/meta\ndata inside absent /s/data\nwal beside absent /s/wal\n"
    for head in ("phase prepared\nid x\n", "phase exchange\nid 0123456789abcdef\nreplaced discarded\n"):
        yield f"influxfs-journal 1\n{head}{folders}"
    yield f"influxfs-journal 1\nphase exchange\nid x\n{folders}".replace("/s/wal", "/other/wal")


def receipts():
    """Without the sum, which the target adds."""
    def ref(day):
        return {"day": f"2016-06-{day}", "receipt": f"01234567-201606{day}T235500Z.json"}

    def part(name, **more):
        return {"name": name, "size": 7, "sha256": "5e" * 32, "md5": None, **more}

    run = "01234567-20160611T235500Z"
    full = {"version": 1, "program": "influxfs", "form": "full", "store": "0123456789abcdef" * 2, "host": "a.example",
            "day": "2016-06-11", "run": "20160611T235500Z", "id": "i", "parent": None, "number": None, "created": None,
            "follows": None, "base": None, "databases": ["sensu_db", "\u00fc"], "left_out": ["x"], "bytes": 14,
            "objects": [part(f"{run}-full.tar.000"), part(f"{run}-full.tar.001", md5="0" * 32)]}
    step = full | {"form": "incremental", "parent": "p", "number": 3, "follows": ref(10), "base": ref("04")}
    sets = full | {"form": "legacy", "objects": [part("meta.00"), part("sensu_db.default.00002.00", what="any\ntext")]}
    some = full | {"selection": {"databases": ["sensu_db"]}, "shrunk": True}
    for receipt in (full, some, step, step | {"parent": "i", "number": None, "bytes": 0, "objects": []}, sets,
                    sets | {"form": "dumps", "id": None}, full | {"version": 2}):
        yield json.dumps(receipt, ensure_ascii=False, separators=(",", ":")).removesuffix("}")


def cutlists():
    """Lines of cuts' manifests behind a byte that says how they are sealed; and one as it is."""
    head = b"serial 3\nnumber 2\nchain 0123456789abcdef\nid fedcba98\nparent 00ff\ncreated 1465646400000000000\n"
    wall = b"wall -5\nhost a.example%25\nindex 9\nskew -7\n"
    lost = b"lost 1 2 3400 5000 2\nlost-in db/rp\nlost-in %C3%BC/auto gen\nguard tripped\n"
    entries = (b"d 755 0 0 1 meta\nf 600 108 114 1465646400000000001 7 9 77 3/0 " + b"5e" * 32 + b" meta/meta.db\n"
               b"d 755 0 0 1 data\nd 700 1 2 -3 data/d b\nf 644 0 0 0 1125899906842624 18446744073709551615 1 0/4294967295 - "
               b"data/d b/r/1/000000001-000000001.tsm\n")
    gone = b"r data/db/rp/1/000000001-000000001.tombstone\nR wal/db/rp/2\nL data/db/rp/1 -> /slow disk/1\n"
    yield b"\2" + head + wall + lost + entries + gone + b"o 2 77 bad data/a b%0A\no 0 0 unreadable data/x\n"
    yield b"\1" + head + b"host h\nindex 1\nskew 0\n" + entries + b"l db/rp/9\n"
    yield b"\2chain c\nid i\ncreated 1\nhost \nguard accepted\n"
    whole = b"influxfs-cut 2\nchain c\nid i\n"
    yield b"\0" + whole + b"end " + hashlib.sha256(whole).hexdigest().encode() + b"\n"
    yield b"\0influxfs-cut 3\n" + bytes(100)


def requests():
    """Behind a byte that says into what pieces a body is cut."""
    yield b"\0GET /snapshot HTTP/1.1\r\nHost: localhost:8087\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
    yield b"\0HEAD http://[::1]:8087/snapshot HTTP/1.0\n\n"
    yield (b"\2POST /snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
           b"5;a=b\r\nhello\r\n000A\n0123456789\n0\r\nTrailer: x\r\n\r\n")
    yield b"\7\r\nPOST / HTTP/1.1\r\nhost:db.example\r\ncontent-length: 12\r\n\r\nhello, world"
    yield b"\0GET / HTTP/1.1\r\nHost: a\r\nOrigin: null\r\nSec-Fetch-Site: cross-site\r\n\r\n"
    yield b"\1PUT /x HTTP/2.0\r\n\r\n1000\r\n" + bytes(1200)


def snapshot(files, folders=(), form=tarfile.USTAR_FORMAT, **changes):
    """The tar of a snapshot of these files: name and bytes."""
    manifest = next(manifests()) | {"left_out": [], "files": [
        {"name": name, "size": len(data), "index": 1, "mtime_ns": 10**18} for name, data in files.items()]} | changes
    members = {"manifest": json.dumps(manifest).encode(), **files}
    members["SHA256SUMS"] = b"".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode() for name, data in members.items())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, bufsize=512) as tar:
        for name, data in members.items():
            if name == "SHA256SUMS":
                for folder in folders:
                    tar.addfile(member(folder, tarfile.DIRTYPE))
            head = member(name, tarfile.REGTYPE)
            head.size = len(data)
            tar.addfile(head, io.BytesIO(data))
    return out.getvalue().rstrip(b"\0") + bytes(1024 + -len(out.getvalue().rstrip(b"\0")) % 512)


def member(name, kind):
    head = tarfile.TarInfo(name)
    head.type, head.mtime, head.mode = kind, 10**9, 0o700
    return head


def snapshots():
    meta, tsm, wal = "meta/meta.db", "data/db/rp/1/000000001-000000001.tsm", "wal/db/rp/1/_00001.wal"
    small = snapshot({meta: b"m"})
    yield small
    yield small[:-512]
    yield gzip.compress(small, mtime=0)
    yield b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(small) | 1 << 31) + small + bytes(4)    # lz4, stored
    yield snapshot({meta: b"", tsm: b"t" * 700, wal: b"w"}, ["data", "data/db/rp/1", "data/db/rp/1/index"])
    yield snapshot({meta: b"m", "data/\u00e9/rp/1/1-1.tsm": b"t"}, ["data/" + "long" * 30], tarfile.PAX_FORMAT)
    yield snapshot({meta: b"m"}, ["data/" + "long" * 30], tarfile.GNU_FORMAT)
    yield snapshot({tsm: b"t"}, kind="incremental", parent="00", number=3, chain="c", removed=[wal])
    yield snapshot({meta: b"m"}, kind="database")
    yield snapshot({"../" + meta: b"m", "/etc/x": b"x"}, ["..", "/tmp"])


def unsnappy(packed):
    """One raw block of snappy."""
    at = next(i for i, byte in enumerate(packed) if byte < 128) + 1
    out = bytearray()
    while at < len(packed):
        tag = packed[at]
        at += 1
        if tag & 3 == 0:
            n = tag >> 2
            if n >= 60:
                more = n - 59
                n = int.from_bytes(packed[at:at + more], "little")
                at += more
            out += packed[at:at + n + 1]
            at += n + 1
            continue
        width = (1, 2, 4)[(tag & 3) - 1]
        offset = int.from_bytes(packed[at:at + width], "little")
        n = (tag >> 2) + 1
        if width == 1:
            offset, n = offset | tag >> 5 << 8, (tag >> 2 & 7) + 4
        at += width
        for _ in range(n):
            out.append(out[-offset])
    return bytes(out)


def keys_of(data):
    """(key, type, blocks without their checksums, times) of a TSM file."""
    at, end = int.from_bytes(data[-8:], "big"), len(data) - 8
    while at < end:
        n = int.from_bytes(data[at:at + 2], "big")
        key, (kind, count) = data[at + 2:at + 2 + n], struct.unpack_from(">BH", data, at + 2 + n)
        at += 2 + n + 3
        entries = [struct.unpack_from(">qqQI", data, at + 28 * i) for i in range(count)]
        at += 28 * count
        yield key, kind, [data[off + 4:off + size] for _, _, off, size in entries], [entry[:2] for entry in entries]


def tsm_file(keys):
    out, index = bytearray(b"\x16\xd1\x16\xd1\x01"), b""
    for key, kind, blocks, times in keys:
        index += struct.pack(">H", len(key)) + key + struct.pack(">BH", kind, len(blocks))
        for block, (first, last) in zip(blocks, times):
            index += struct.pack(">qqQI", first, last, len(out), len(block) + 4)
            out += struct.pack(">I", zlib.crc32(block)) + block
    return bytes(out) + index + struct.pack(">Q", len(out))


def floats(values):
    """Each as all 64 bits of its difference."""
    numbers = [struct.unpack(">Q", struct.pack(">d", value))[0] for value in values] + [0x7ff8000000000001]
    bits = f"{numbers[0]:064b}"
    for before, number in zip(numbers, numbers[1:]):
        bits += f"11{0:05b}{0:06b}{before ^ number:064b}" if number != before else "0"
    bits += "0" * (-len(bits) % 8)
    return b"\x10" + int(bits, 2).to_bytes(len(bits) // 8, "big")


def small_blocks():
    """Three points in every encoding; those of the fixtures are few, or long."""
    def numbers(*of):
        return b"".join(number.to_bytes(8, "big") for number in of)

    texts = b"\x01a\x00\x03b\xffc"
    times = [b"\x00" + numbers(10, 5, 0), b"\x11" + numbers(10, 14 << 60 | 7 << 30 | 5), b"\x23" + numbers(10) + b"\x05\x03"]
    values = [(1, b"\x00" + numbers(9, 4, 3)), (4, b"\x10" + numbers(9, 14 << 60 | 7 << 30 | 5)),
              (1, b"\x20" + numbers(9) + b"\x04\x02"), (0, floats([1.5, 1.5, -3e300])), (2, b"\x10\x03\xa0"),
              (3, b"\x10" + bytes([len(texts), (len(texts) - 1) << 2]) + texts)]
    for when in times:
        for kind, what in values:
            yield bytes([kind, len(when)]) + when + what


def way_of(block):
    """How a block is encoded: its type, and what begins its times and its values."""
    at, n, shift = 1, 0, 0
    while True:
        n |= (block[at] & 127) << shift
        shift += 7
        at += 1
        if block[at - 1] < 128:
            break
    return block[0], block[at], block[at + n]


def entries_of(segment):
    at = 0
    while at + 5 <= len(segment):
        n = int.from_bytes(segment[at + 1:at + 5], "big")
        yield segment[at], segment[at:at + 5 + n]
        at += 5 + n


def of_tsm(data):
    ways, chosen = {}, []
    for key, kind, blocks, times in keys_of(data):
        yield "serieskey", key
        small = [i for i, block in enumerate(blocks) if len(block) < BLOCK_MAX]
        for i in small:
            if way_of(blocks[i]) not in ways:
                ways[way_of(blocks[i])] = blocks[i]
                chosen.append((key, kind, [blocks[i] for i in small[:2]], [times[i] for i in small[:2]]))
    for block in ways.values():
        yield "tsmblock", block
        if block[0] == 1:
            yield "tsmblock", b"\x04" + block[1:]  # unsigned
    names = sorted({one[0]: one for one in chosen}.values())
    for one in names:
        yield "tsmfile", tsm_file([one])
    for i in range(0, len(names), 2):
        yield "tsmfile", tsm_file(names[i:i + 3])


def of_tombstone(data):
    yield "tombstone", data
    plain, rest = b"", data[4:]
    while rest:
        stream = zlib.decompressobj(31)
        plain += stream.decompress(rest)
        rest = stream.unused_data
    yield "tombstone", b"\x00\x00\x15\x02" + plain
    yield "tombstone", b"\x00\x00\x15\x03" + gzip.compress(plain, mtime=0)
    n = int.from_bytes(plain[:4], "big")
    yield "tombstone", plain[4:4 + n] + b"\n\n" + plain[4:4 + n]


def of_wal(data):
    some = b""
    for kind, entry in entries_of(data):
        if len(entry) < PIECE_MAX:
            yield "walread", entry
            if len(some) + len(entry) < PIECE_MAX:
                some += entry
            plain = unsnappy(entry[5:])
            if len(plain) < PIECE_MAX:
                yield "walentry", bytes([kind]) + plain
    yield "walread", some
    yield "walread", some + bytes(20) + some


def seeds(store):
    """(target, input) of a store's files."""
    for path in sorted(store.rglob("*")):
        of = {".tsm": of_tsm, ".tombstone": of_tombstone, ".wal": of_wal}.get(path.suffix)
        if of and path.stat().st_size:
            yield from of(path.read_bytes())
    yield "meta", (store / "meta/meta.db").read_bytes()
    yield "partmeta", (store / "meta/meta.db").read_bytes()


def sets():
    """Sets of influxd: two runs of three shards, of which the second run knows two; as tars."""
    with tempfile.TemporaryDirectory() as folder:
        store = HandmadeStore(Path(folder) / "s")
        metas, shards = [], {}
        for number in (1, 2, 10):
            store.last_id = number - 1
            store.shard("a.b", "rp", listed=number != 2)
            shards[number] = tar_of({f"a.b/rp/{number}/000000001-000000001.tsm": tsm(bytes([number])),
                                     f"a.b/rp/{number}/000000001-000000001.tombstone": tombstone("x")})
        metas.append((store.write_meta() / "meta/meta.db").read_bytes())
        store.databases["a.b"]["rp"].append(2)
        metas.append((store.write_meta() / "meta/meta.db").read_bytes())
    old, new = metas[1], metas[0]
    legacy, portable = {}, {}
    for run, meta in enumerate((old, new)):
        time = f"2016061{run}T000000Z"
        legacy[f"meta.{run:02}"] = legacy_meta(meta)
        portable[f"{time}.meta"] = message((1, meta), (2, 0))
        entries = []
        for number, tar in shards.items():
            legacy[f"a.b.rp.{number:05}.{run:02}"] = tar
            portable[f"{time}.s{number}.tar.gz"] = gzip.compress(tar, 0, mtime=0)
            entries.append({"database": "a.b", "policy": "rp", "shardID": number, "fileName": f"{time}.s{number}.tar.gz",
                            "size": len(tar), "lastModified": 0})
        portable[f"{time}.manifest"] = json.dumps({"meta": {"fileName": f"{time}.meta", "size": len(meta)},
                                                   "limited": False, "files": entries}).encode()
    yield 0, b"a.b.rp.00010.01"
    yield 0, b"meta.00"
    yield 0, b"20160611T000000Z.s10.tar.gz"
    yield 1, portable["20160611T000000Z.manifest"]
    yield 2, legacy["meta.01"]
    yield 3, portable["20160611T000000Z.meta"]
    yield 4, tar_of(legacy)
    yield 4, tar_of(portable)
    yield 0x80 + 1, tar_of(legacy)  # 0x81 % 5 == 4


def all_seeds():
    yield "config", CONF
    for n, name in enumerate((b"2016-06-11", b"m_2016-06-11-00:00:00_2016-06-12-00:00:00.json", b"..", b"odd/%\x01\x7f\0",
                              b"a%2Fb_2016-06-11-00:00:00.5_2016-06-12-00:00:00.123456789.csv", "\u00fc".encode() * 150,
                              b"x" * 180 + b"~0123456789abcdef_1677-09-21-00:12:43_2262-04-11-23:47:17.lp")):
        yield "dumpname", bytes([n % 3]) + name
    yield "serieskey", rb"a\,b\ c\=d,e\,f=g\ h,i=j\,\=k,l,=,#!~#v#!~#w"
    for manifest in manifests():
        yield "manifest", json.dumps(manifest, ensure_ascii=False).encode()
    for request in requests():
        yield "http", request
    for journal in journals():
        yield "journal", journal.encode()
    for receipt in receipts():
        yield "receipt", receipt.encode()
    for names in ([], ["meta.00", "sensu_db.default.00002.00", "left_out"]):
        yield "mark", json.dumps({"version": 1, "store": "0123456789abcdef" * 2, "host": "db1",
                                  "run": "20160611T235500Z", "names": names}).encode()
    for cut in cutlists():
        yield "cutlist", cut
        yield "cutscan", cut
    for tar in snapshots():
        yield "unpack", b"\x00" + tar
        yield "unpack", b"\x07" + tar
    for kind, content in sets():
        yield "set", bytes([kind]) + content
    small = list(small_blocks())
    for block in small:
        yield "tsmblock", block
        yield "tsmencode", block
    chance = random.Random(1)
    for n in (20, 60, 200, 600) * 10:
        yield "tsmencode", chance.randbytes(n)
        yield "tsmwriter", chance.randbytes(n)
    for blocks, last in ((small[:6], 15), (small[6:12], 130), (small[12:], 10010)):
        yield "tsmfile", tsm_file((b"m,t=%d#!~#v" % i, block[0], [block], [(10, last)]) for i, block in enumerate(blocks))
    for tsm, deleted in ((tsm_file((b"m,t=%d#!~#v" % i, block[0], [block], [(10, last)]) for i, block in enumerate(blocks)), until)
                         for blocks, last, until in ((small[:6], 15, 12), (small[6:12], 130, 15), (small[12:], 10010, 99))):
        keys = (b"m,t=%d#!~#v" % i for i in range(4))
        tombstone = b"\0\0\x15\x02" + b"".join(struct.pack(">I", len(key)) + key + struct.pack(">qq", 11, deleted) for key in keys)
        yield "settled", struct.pack(">Hbb", len(tsm), -5, 14) + tsm + tombstone
    # The types of entries that the fixtures lack.
    yield "walentry", b"\x01" + b"\x05\x00\x01k\x00\x00\x00\x01" + bytes(16)
    yield "walentry", b"\x02a#!~#v\n\nb#!~#v\n"
    yield "walentry", b"\x03" + struct.pack(">qqI", -5, 5, 6) + b"a#!~#v"
    for name in fixtures.NAMES:
        with tempfile.TemporaryDirectory() as folder:
            yield from seeds(fixtures.unpack(name, Path(folder)))


def main(folder):
    for target, data in all_seeds():
        path = folder / target / f"{zlib.crc32(data):08x}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
