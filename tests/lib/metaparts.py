"""meta.db taken apart, so that what should not have changed can be compared byte for byte."""


def fields(data):
    """(number, value) of each field of a protobuf message, in order; a value is an int or bytes."""
    at, found = 0, []
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise AssertionError(f"wire type {key & 7}")
        found.append((key >> 3, value))
    return found


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def name_of(message):
    return dict(fields(message))[1].decode()


class MetaParts:
    """databases and users: name -> bytes; rest: all other fields but Index and the greatest ids."""

    def __init__(self, root):
        found = fields((root / "meta/meta.db").read_bytes())
        self.databases = {name_of(value): value for number, value in found if number == 5}
        self.users = {name_of(value): value for number, value in found if number == 6}
        self.rest = [(number, value) for number, value in found if number not in (2, 5, 6, 8, 9)]

    def shards(self, database):
        """Their ids."""
        policies = [value for number, value in fields(self.databases[database]) if number == 3]
        groups = [value for policy in policies for number, value in fields(policy) if number == 5]
        shards = [value for group in groups for number, value in fields(group) if number == 5]
        return sorted(dict(fields(shard))[1] for shard in shards)
