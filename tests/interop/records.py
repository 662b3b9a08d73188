"""Records as plain tuples, the samples that every client must carry, klamm's JSON lines."""
import base64
import json
import random
from typing import NamedTuple, Optional

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Record(NamedTuple):
    partition: int
    offset: int
    timestamp: int
    key: Optional[bytes]
    value: Optional[bytes]
    headers: tuple = ()  # of (name, bytes or None)

    def brief(self):
        """With the beginning of a long value only, for messages."""
        return self._replace(value=self.value and self.value[:40])


def samples(seed=1, all_nulls=True):
    """Null and empty and binary everywhere, and the sizes where buffers end. all_nulls: with
    what kafka-python refuses to send, a record without key and value and a null header."""
    rng = random.Random(seed)
    odd = bytes(range(256))
    time = 1700000000000
    rows = [
        (None, b"", ()),
        (b"", None, ()),
        (b"", b"", ()),
        (b"k", b"v", ()),
        (odd, odd, ()),
        ("schlüssel €𝄞".encode(), "wert \u0000\n\t\"\\".encode(), ()),
        (b"\xff\xfe", b"\xc3\x28", ()),  # not UTF-8
        (b"h", b"one", (("name", b"value"),)),
        (b"h", b"twice", (("a", b"1"), ("a", b"2"), ("", b"empty name"))),
        (b"h", b"odd", (("empty", b""), ("ünïcode", b"\xff\x00"))),
        (b"h", None, (("tombstone", b"yes"),)),
        (b"h", b"many", tuple((f"h{i}", bytes([i])) for i in range(100))),
        (b"k" * 40000, b"long key", ()),
    ]
    for size in (1, 32767, 32768, 32769, 900000):
        rows.append((b"random", rng.randbytes(size), ()))
        rows.append((b"text", (b"kafka " * (size // 6 + 1))[:size], (("size", b"%d" % size),)))
    if all_nulls:
        rows += [(None, None, ()), (b"h", b"null", (("null", None), ("empty", b"")))]
    return [Record(0, offset, time + offset * 1001 % 7919, key, value, headers)
            for offset, (key, value, headers) in enumerate(rows)]


def _to_json(data):
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _from_json(value):
    if value is None:
        return None
    if isinstance(value, dict):
        return base64.b64decode(value["base64"], validate=True)
    return value.encode()


def to_line(record):
    """As `klamm produce --json` reads it."""
    return json.dumps({
        "partition": record.partition, "timestamp": record.timestamp,
        "key": _to_json(record.key), "value": _to_json(record.value),
        "headers": [[name, _to_json(value)] for name, value in record.headers],
    }, ensure_ascii=False)


def keyed_line(key, value):
    """As `klamm produce --json` reads it, for the partitioner to place."""
    return json.dumps({"key": _to_json(key), "value": value}) + "\n"


def from_line(line):
    """What `klamm consume --json` wrote."""
    row = json.loads(line)
    return Record(
        row["partition"], row["offset"], row["timestamp"], _from_json(row["key"]),
        _from_json(row["value"]),
        tuple((name, _from_json(value)) for name, value in row["headers"]))
