"""The library of this build by ctypes, for what the command line does not do: a consumer that
assigns its partitions itself and commits offsets."""
import contextlib
import ctypes
import os

import klamm

ERROR_TEXT = 416


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


class Consumer:
    def __init__(self, at, **options):
        conf = ctypes.c_void_p()
        self.handle = ctypes.c_void_p()
        call(lib.klamm_conf_new, ctypes.byref(conf))
        for key, value in {"bootstrap.servers": at, **options}.items():
            call(lib.klamm_conf_set, conf, key.encode(), str(value).encode())
        call(lib.klamm_consumer_new, conf, None, ctypes.byref(self.handle))
        lib.klamm_conf_free(conf)

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
        rows = (Offset * len(offsets))(*(
            (t.encode(), p, epoch, offset, note.encode())
            for t, p, epoch, offset, note in offsets)) if offsets else None
        call(lib.klamm_consumer_commit, self.handle, rows, ctypes.c_size_t(len(offsets)),
             ctypes.c_int64(timeout_ms))

    def committed(self, topic, partition, timeout_ms=30000):
        """(offset, epoch, note)"""
        entry = Committed(ctypes.sizeof(Committed), topic.encode(), partition)
        call(lib.klamm_consumer_committed, self.handle, ctypes.byref(entry),
             ctypes.c_size_t(1), ctypes.c_int64(timeout_ms))
        return entry.offset, entry.leader_epoch, entry.metadata.decode()


@contextlib.contextmanager
def consumer(at, group, **options):
    """options: keys of the configuration, with _ for each dot."""
    keys = {key.replace("_", "."): value for key, value in options.items()}
    one = Consumer(at, **{"group.id": group, **keys})
    try:
        yield one
    finally:
        one.close()
