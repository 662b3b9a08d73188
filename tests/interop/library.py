"""The library of this build by ctypes, for what the command line does not do: a consumer that
assigns its partitions itself and commits offsets, a producer whose transactions stay open, are
aborted at will and have offsets."""
import contextlib
import ctypes
import os

import klamm

ERROR_TEXT = 416
PLUGINS = os.path.join(klamm.BUILD, "plugins", ".libs")


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("scope", ctypes.c_int32),
                ("outcome", ctypes.c_int32), ("stage", ctypes.c_int32),
                ("node", ctypes.c_int32), ("api", ctypes.c_int32),
                ("reserved", ctypes.c_int64 * 8), ("text", ctypes.c_char * ERROR_TEXT)]


class Partition(ctypes.Structure):
    _fields_ = [("topic", ctypes.c_char_p), ("partition", ctypes.c_int32)]


class Offset(ctypes.Structure):
    _fields_ = [("topic", ctypes.c_char_p), ("partition", ctypes.c_int32),
                ("leader_epoch", ctypes.c_int32), ("offset", ctypes.c_int64),
                ("metadata", ctypes.c_char_p)]


class Committed(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("topic", ctypes.c_char_p),
                ("partition", ctypes.c_int32), ("error", ctypes.c_int32),
                ("offset", ctypes.c_int64), ("leader_epoch", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("metadata", ctypes.c_char_p)]


class Span(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Record(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("key", Span), ("value", Span),
                ("headers", ctypes.c_void_p), ("header_count", ctypes.c_size_t),
                ("timestamp_ms", ctypes.c_int64), ("partition", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("key_value", ctypes.c_void_p),
                ("value_value", ctypes.c_void_p)]


class Group(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("group_id", ctypes.c_char_p),
                ("member_id", ctypes.c_char_p), ("group_instance_id", ctypes.c_char_p),
                ("generation", ctypes.c_int32), ("reserved", ctypes.c_int32)]


class Failed(Exception):
    """A call's error: its name, and its sentence."""

    def __init__(self, error):
        super().__init__(f"{name(error.code)}: {error.text.decode()}")
        self.name = name(error.code)


lib = ctypes.CDLL(os.path.join(klamm.BUILD, ".libs", "libklamm.so.0"), mode=ctypes.RTLD_GLOBAL)
lib.klamm_err_name.restype = ctypes.c_char_p


def name(code):
    return lib.klamm_err_name(code).decode()


def call(function, *args):
    error = Error()
    if function(*args, ctypes.byref(error)) != 0:
        raise Failed(error)


def client(make, at, options):
    """What make() makes with these keys of the configuration, with a thread of its own."""
    conf, handle = ctypes.c_void_p(), ctypes.c_void_p()
    call(lib.klamm_conf_new, ctypes.byref(conf))
    for key, value in {"bootstrap.servers": at, "plugin.path": PLUGINS, **options}.items():
        call(lib.klamm_conf_set, conf, key.encode(), str(value).encode())
    call(make, conf, None, ctypes.byref(handle))
    lib.klamm_conf_free(conf)
    return handle


def offset_rows(offsets):
    """Of (topic, partition, epoch, offset, note)."""
    return (Offset * len(offsets))(*(
        (t.encode(), p, epoch, offset, note.encode())
        for t, p, epoch, offset, note in offsets)) if offsets else None


class Consumer:
    def __init__(self, at, **options):
        self.handle = client(lib.klamm_consumer_new, at, options)

    def close(self, timeout_ms=30000):
        call(lib.klamm_consumer_close, self.handle, ctypes.c_int64(timeout_ms))

    def assign(self, *partitions):
        all_of_them = (Partition * len(partitions))(*((t.encode(), p) for t, p in partitions))
        call(lib.klamm_consumer_assign, self.handle, all_of_them,
             ctypes.c_size_t(len(partitions)))

    def poll(self, timeout_ms=1000):
        """True: a batch came, and is let go."""
        batch = ctypes.c_void_p()
        call(lib.klamm_consumer_poll, self.handle, ctypes.c_int64(timeout_ms),
             ctypes.byref(batch))
        lib.klamm_batch_unref(batch)
        return batch.value is not None

    def position(self, topic, partition):
        offset = ctypes.c_int64()
        call(lib.klamm_consumer_position, self.handle, topic.encode(), partition,
             ctypes.c_int64(30000), ctypes.byref(offset))
        return offset.value

    def commit(self, *offsets, timeout_ms=30000):
        """Each (topic, partition, epoch, offset, note); none: the positions."""
        call(lib.klamm_consumer_commit, self.handle, offset_rows(offsets),
             ctypes.c_size_t(len(offsets)), ctypes.c_int64(timeout_ms))

    def committed(self, topic, partition, timeout_ms=30000):
        """(offset, epoch, note)"""
        entry = Committed(ctypes.sizeof(Committed), topic.encode(), partition)
        call(lib.klamm_consumer_committed, self.handle, ctypes.byref(entry),
             ctypes.c_size_t(1), ctypes.c_int64(timeout_ms))
        return entry.offset, entry.leader_epoch, entry.metadata.decode()


class Producer:
    """A transactional one; it is initialized."""

    def __init__(self, at, name, **options):
        self.handle = client(lib.klamm_producer_new, at,
                             {"transactional.id": name, **options})
        self.wait(lib.klamm_producer_init_transactions)

    def wait(self, function, timeout_ms=30000):
        call(function, self.handle, ctypes.c_int64(timeout_ms))

    def close(self, timeout_ms=30000):
        call(lib.klamm_producer_close, self.handle, ctypes.c_int64(timeout_ms))

    def begin(self):
        call(lib.klamm_producer_begin_transaction, self.handle)

    def send(self, topic, *values):
        """To partition 0, and waits for what becomes of them."""
        for value in values:
            record = Record(size=ctypes.sizeof(Record), value=Span(value, len(value)),
                            timestamp_ms=-1, partition=0)
            call(lib.klamm_producer_send_to, self.handle, topic.encode(),
                 ctypes.byref(record), None)
        failed = ctypes.c_uint64()
        call(lib.klamm_producer_flush, self.handle, ctypes.c_int64(30000),
             ctypes.byref(failed))
        if failed.value != 0:
            raise AssertionError(f"{failed.value} records failed")

    def send_offsets(self, group, *offsets, timeout_ms=30000):
        """Each (topic, partition, epoch, offset, note)."""
        of = Group(ctypes.sizeof(Group), group.encode(), b"", None, -1)
        call(lib.klamm_producer_send_offsets, self.handle, offset_rows(offsets),
             ctypes.c_size_t(len(offsets)), ctypes.byref(of), ctypes.c_int64(timeout_ms))

    def commit(self):
        self.wait(lib.klamm_producer_commit_transaction)

    def abort(self):
        self.wait(lib.klamm_producer_abort_transaction)


@contextlib.contextmanager
def producer(at, name, **options):
    """options: as of consumer(). What is open at the end is aborted."""
    keys = {key.replace("_", "."): value for key, value in options.items()}
    one = Producer(at, name, **{"linger.ms": 1, **keys})
    try:
        yield one
    finally:
        one.close()


@contextlib.contextmanager
def consumer(at, group, **options):
    """options: keys of the configuration, with _ for each dot."""
    keys = {key.replace("_", "."): value for key, value in options.items()}
    one = Consumer(at, **{"group.id": group, **keys})
    try:
        yield one
    finally:
        one.close()
