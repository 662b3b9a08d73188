# SPDX-License-Identifier: BSD-2-Clause
"""test_with_broker.c from Python, by ctypes: the library's functions need no C compiler."""
import ctypes

klamm = ctypes.CDLL("libklamm.so.0", mode=ctypes.RTLD_GLOBAL)
embedded = ctypes.CDLL("libklamm-broker.so.0")
embedded.klamm_broker_address.restype = ctypes.c_char_p
embedded.klamm_broker_fault_hits.restype = ctypes.c_int64
klamm.klamm_err_name.restype = ctypes.c_char_p


class Options(ctypes.Structure):  # what is not there has its default
    _fields_ = [("size", ctypes.c_size_t)]


class Span(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Record(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("key", Span), ("value", Span),
                ("headers", ctypes.c_void_p), ("header_count", ctypes.c_size_t),
                ("timestamp_ms", ctypes.c_int64), ("partition", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("key_value", ctypes.c_void_p),
                ("value_value", ctypes.c_void_p)]


def ok(code):
    assert code == 0, klamm.klamm_err_name(code).decode()


broker, conf, producer = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
fault, end, record = ctypes.c_int32(), ctypes.c_int64(), Record()
options = Options(ctypes.sizeof(Options))
ok(embedded.klamm_broker_new(ctypes.byref(options), ctypes.byref(broker), None))
ok(embedded.klamm_broker_fault(broker, b"produce error=NOT_ENOUGH_REPLICAS",
                               ctypes.byref(fault), None))

ok(klamm.klamm_conf_new(ctypes.byref(conf), None))
ok(klamm.klamm_conf_set(conf, b"bootstrap.servers", embedded.klamm_broker_address(broker),
                        None))
ok(klamm.klamm_producer_new(conf, None, ctypes.byref(producer), None))
klamm.klamm_record_init(ctypes.byref(record))
record.value = Span(b"hello", 5)
ok(klamm.klamm_producer_send_to(producer, b"greetings", ctypes.byref(record), None, None))
ok(klamm.klamm_producer_close(producer, ctypes.c_int64(30000), None))

ok(embedded.klamm_broker_offsets(broker, b"greetings", 0, None, ctypes.byref(end), None))
assert end.value == 1, end.value
assert embedded.klamm_broker_fault_hits(broker, fault) == 1
klamm.klamm_conf_free(conf)
embedded.klamm_broker_free(broker)
print("1..1\nok 1 - a record survives a refusal")
