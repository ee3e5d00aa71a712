"""All points that an influxd serves, to compare with those of another one."""

import http.client
import json

from lib.dumps import quoted
from lib.influxd import InfluxError


class Served:
    """cells: (db, rp, measurement, tags, time, field, value) of all that it answers, without the
    measurements that it cannot answer for; shards: (db, rp) -> [(id, from, to), …]"""

    def __init__(self, influxd):
        self.cells, self.shards = set(), {}
        for series in influxd.run("SHOW SHARDS", epoch="ns"):
            for row in series.get("values", []):
                shard = dict(zip(series["columns"], row))
                self.shards.setdefault((shard["database"], shard["retention_policy"]), []).append(
                    (str(shard["id"]), shard["start_time"], shard["end_time"]))
        for db in names(influxd, "SHOW DATABASES"):
            measurements = names(influxd, "SHOW MEASUREMENTS", db)
            for rp in names(influxd, "SHOW RETENTION POLICIES", db):
                for measurement in measurements:
                    self._ask(influxd, db, rp, measurement)

    def _ask(self, influxd, db, rp, measurement):
        question = (db, rp, measurement)
        try:
            answer = influxd.run(f"SELECT * FROM {quoted(rp)}.{quoted(measurement)} GROUP BY *", db, epoch="ns")
        except (InfluxError, OSError, http.client.HTTPException, json.JSONDecodeError):
            return  # a damaged block: refused, or the end of influxd
        for series in answer:
            tags = tuple(sorted(series.get("tags", {}).items()))
            for time, *values in series["values"]:
                for field, value in zip(series["columns"][1:], values):
                    if value is not None:
                        self.cells.add((*question, tags, time, field, repr(value)))

    def shards_of(self, cell):
        """"DB/RP/ID" of the shards that may hold it."""
        db, rp, time = cell[0], cell[1], cell[4]
        return [f"{db}/{rp}/{number}" for number, *span in self.shards.get((db, rp), ()) if covers(span, time)]


def covers(span, time):
    start, end = (value if isinstance(value, int) else None for value in span)
    return (start is None or start <= time) and (end is None or time < end)


def names(influxd, query, db=""):
    return [row[0] for series in influxd.run(query, db) for row in series.get("values", [])]
