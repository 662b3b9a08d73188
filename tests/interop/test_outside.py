"""Plugins made outside of the tree, from an installed klamm, on a real broker."""
import os
import shutil
import subprocess
import tempfile

import klamm
import records
from frame import equal, same, test
from peers import Confluent, KafkaPython

HERE = os.path.dirname(os.path.abspath(__file__))
OUTSIDE = os.path.join(HERE, "..", "outside")


def call(*args, env=None, stdin=b""):
    done = subprocess.run(args, env=env, input=stdin, capture_output=True, timeout=300,
                          check=False)
    if done.returncode != 0:
        text = (done.stdout + done.stderr)[-1000:].decode(errors="replace")
        raise AssertionError(f"{' '.join(args)}: exit {done.returncode}: {text}")
    return done.stdout


def find(root, path):
    """The folder of an installed file, which may be named with the folder before it."""
    for folder, _, files in os.walk(root):
        if any(os.path.join(folder, name).endswith("/" + path) for name in files):
            return folder
    raise AssertionError(f"{path} was not installed")


def install(root):
    """The environment in which the installed program runs, with the outside plugins alone. Not by
    `make install`: libtool links libklamm-broker anew for that, in its place in the build folder,
    where other sections run programs with it meanwhile."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    call("make", "-s", "-C", klamm.BUILD, "lib_LTLIBRARIES=libklamm.la", f"DESTDIR={root}",
         "install-pkgincludeHEADERS", "install-pkgconfigDATA", "install-binPROGRAMS", env=env)
    env["PKG_CONFIG_PATH"] = find(root, "klamm.pc")
    env["PKG_CONFIG_SYSROOT_DIR"] = root
    env["PKG_CONFIG_ALLOW_SYSTEM_CFLAGS"] = "1"
    env["LD_LIBRARY_PATH"] = find(root, "libklamm.so.0")
    shutil.copy(os.path.join(klamm.BUILD, ".libs", "libklamm-broker.so.0"),
                env["LD_LIBRARY_PATH"])
    plugins = os.path.join(root, "outside")
    os.mkdir(plugins, 0o755)
    call("bash", "-c", f". {OUTSIDE}/compile.sh && compile_outside {plugins}", env=env)
    env["KLAMM_PLUGIN_PATH"] = plugins
    return env


@test("a codec and a partitioner made outside of the tree move records")
def outside(ctx):
    klamm.create_topic(ctx.at, "outside", 4)
    want = [records.Record(None, None, 1700000000000 + i, b"%c-%d" % (48 + i % 10, i),
                           b"value %d of two thousand that look alike" % i, ())
            for i in range(2000)]
    with tempfile.TemporaryDirectory() as root:
        env = install(root)
        # The shells' completions have its name, too.
        program = os.path.join(find(root, "bin/klamm"), "klamm")
        for kind, name in (("codec", "ultra"), ("partitioner", "firstbyte"),
                           ("assignor", "weighted")):
            call(program, "plugin", "check", kind,
                 f"{root}/outside/{kind}_{name}.so", env=env)
        lines = "".join(records.keyed_line(row.key, row.value.decode()) for row in want)
        call(program, "-b", ctx.at, "-X", "plugin.path=/nowhere",
             "-F", os.path.join(OUTSIDE, "outside.conf"), "produce", "outside", "--json",
             env=env, stdin=lines.encode())
        rows = KafkaPython.consume(ctx.at, "outside")
        same(Confluent.consume(ctx.at, "outside"), rows, "librdkafka's records")
        equal(sorted((r.key, r.value) for r in rows),
              sorted((r.key, r.value) for r in want), "kafka-python's records")
        for row in rows:
            equal(row.partition, row.key[0] % 4, f"the partition of {row.key}")
        text = call(program, "-b", ctx.at, "-X", "plugin.path=/nowhere", "-X",
                    "codec.zstd=ultra", "consume", "outside", "--json", "-o", "start", "-e",
                    env=env)
        got = sorted(map(records.from_line, text.splitlines()), key=lambda r: r[:2])
        same(got, rows, "what the outside codec reads")
