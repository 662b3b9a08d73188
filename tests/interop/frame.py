"""A small test frame: @test registers a function, run() prints a line for each and the sum."""
import time
import traceback

tests = []
full = False  # all that there is, however long it takes: known before tests are registered
ran = 0  # tests, over all versions: patterns that fit none are a mistake


class Skip(Exception):
    """Raised with the reason why a test cannot run here."""


def parts(version):
    return tuple(map(int, version.split(".")))


def test(name, since="0"):
    """Registers fn(ctx), for brokers of that version (ctx.version) and later ones."""
    def register(fn):
        fn.since = since
        tests.append((name, fn))
        return fn
    return register


def each(name, values):
    """Registers fn(ctx, value) once for every value; `{}` in the name stands for it."""
    def register(fn):
        for value in values:
            tests.append((name.format(value), lambda ctx, value=value: fn(ctx, value)))
        return fn
    return register


def equal(got, want, what):
    """got == want, or an AssertionError that shows the first difference, shortened."""
    if got == want:
        return
    if isinstance(got, list) and isinstance(want, list):
        if len(got) != len(want):
            raise AssertionError(f"{what}: {len(got)} instead of {len(want)}")
        for i, (one, other) in enumerate(zip(got, want)):
            if one != other:
                equal(one, other, f"{what}[{i}]")
    raise AssertionError(f"{what} is {short(got)}, should be {short(want)}")


def same(got, want, what):
    """equal() for records: the message shows only the beginning of long values."""
    if got != want:
        equal([r.brief() for r in got], [r.brief() for r in want], what)
        equal(got, want, what)


def until_equal(get, want, what, seconds=60):
    """equal(), as soon as get() gives that: brokers do some things a while after they said so."""
    end = time.monotonic() + seconds
    while (got := get()) != want and time.monotonic() < end:
        time.sleep(0.1)
    equal(got, want, what)


def short(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:290]}... ({len(text)} characters)"


def run(ctx, patterns):
    """Runs the registered tests whose name has one of the patterns; True when none failed."""
    global ran
    passed = failed = skipped = 0
    version = parts(getattr(ctx, "version", "9999"))
    chosen = [t for t in tests if parts(getattr(t[1], "since", "0")) <= version
              and (not patterns or any(p in t[0] for p in patterns))]
    for number, (name, fn) in enumerate(chosen, 1):
        start = time.monotonic()
        line = f"{number} - {name}"
        try:
            fn(ctx)
        except Skip as reason:
            skipped += 1
            print(f"ok {line} # SKIP {reason}", flush=True)
            continue
        except Exception as error:  # whatever it was, the next test runs
            failed += 1
            print(f"not ok {line}")
            if not isinstance(error, AssertionError):
                print("".join("# " + at for at in traceback.format_exc().splitlines(True)))
            for at in str(error).splitlines():
                print(f"# {at}")
            print(end="", flush=True)
            continue
        passed += 1
        print(f"ok {line} ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"1..{len(chosen)}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    ran += len(chosen)
    return failed == 0
