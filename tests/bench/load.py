"""Writes to influxd as fast as it acknowledges: load.py ADDRESS DATABASE COUNTERS CONNECTIONS

Batches are made once, and get nothing but a new time when they are sent, so
that this process needs little of the processors. The points of each connection that have been
acknowledged are counted in the file COUNTERS, as 64-bit numbers."""

import http.client
import os
import random
import struct
import sys
import threading

SERIES = 2000   # a batch has a point of each
VARIANTS = 8
TIME = b"1465646400"


def batch(content):
    return b"\n".join(b"cpu,host=h%04d,region=r%d idle=%.3f,user=%.3f,system=%.3f,count=%di %s" %
                      (number, number % 7, content.random() * 100, content.random() * 100,
                       content.random() * 100, content.randrange(10**6), TIME) for number in range(SERIES))


def send(number, address, database, counters):
    content = random.Random(number)
    batches = [batch(content) for _ in range(VARIANTS)]
    connection = http.client.HTTPConnection(address, timeout=60)
    count, when = 0, int(TIME) + number * 5 * 10**8
    while True:
        body = batches[when % VARIANTS].replace(TIME, b"%d" % when)
        connection.request("POST", f"/write?db={database}&precision=s", body)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 204:
            print(f"load: {response.status} {answer.decode(errors='replace')}", file=sys.stderr)
            os._exit(1)
        when += 1
        count += SERIES
        os.pwrite(counters, struct.pack("<q", count), 8 * number)


def main(address, database, path, connections):
    counters = os.open(path, os.O_WRONLY)
    for number in range(int(connections)):
        threading.Thread(target=send, args=(number, address, database, counters)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
