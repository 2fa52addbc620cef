"""Local time of src/authz/zone.c against Python's zoneinfo: the rule of every time zone that this host knows.

zoneinfo reads the TZif files, whose footers are the rules under test, with an implementation of its own. The unit tests
compare with the C library; here the zones are those of the world and not a choice.
"""
import ctypes
import datetime
import os
import random
import subprocess
import zoneinfo

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIRST, LAST = 2090, 2150  # behind the last change that any file lists (2087): the footer decides
UTC = datetime.timezone.utc
GLUE = r"""
#include "authz/zone.h"
int glue(const char *text, const long long *at, long long *ret_offset, unsigned *ret_week, unsigned n)
{
    struct zone z;
    if (!zone_parse(bytes_of_text(text), &z))
        return -1;
    for (unsigned i = 0; i < n; i++) {
        ret_offset[i] = zone_offset(&z, at[i]);
        ret_week[i] = zone_local(&z, at[i]).week;
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def glue(tmp_path_factory):
    """The module as a shared object: what is built of it for the daemon has no door for Python."""
    folder = tmp_path_factory.mktemp("zone")
    (folder / "glue.c").write_text(GLUE)
    base = [os.path.join(TOP, "src", "base", f) for f in ("buf.c", "bytes.c", "fault.c")]
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-I" + os.path.join(TOP, "src"),
                    str(folder / "glue.c"), os.path.join(TOP, "src", "authz", "zone.c"), *base,
                    "-o", str(folder / "glue.so")], check=True)
    return ctypes.CDLL(str(folder / "glue.so")).glue


def footers():
    """{rule: name of a zone that has it}, of every zone."""
    found = {}
    for name in sorted(zoneinfo.available_timezones()):
        for folder in zoneinfo.TZPATH:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    rule = f.read().rsplit(b"\n", 2)[1].decode()
                if rule:
                    found.setdefault(rule, name)
                break
    return found


def ask(glue, rule, instants):
    n = len(instants)
    offsets, weeks = (ctypes.c_longlong * n)(), (ctypes.c_uint * n)()
    assert glue(rule.encode(), (ctypes.c_longlong * n)(*instants), offsets, weeks, n) == 0, rule
    return list(zip(offsets, weeks))


def expected(zone, instant):
    local = datetime.datetime.fromtimestamp(instant, UTC).astimezone(zone)
    return int(local.utcoffset().total_seconds()), local.weekday()


def changes(zone):
    """Every second from FIRST on at which the offset is another than the second before, for some years."""
    step = 86400
    at = int(datetime.datetime(FIRST, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime.datetime(FIRST + 5, 1, 1, tzinfo=UTC).timestamp())
    while at < end:
        if expected(zone, at)[0] != expected(zone, at + step)[0]:
            low, high = at, at + step
            while high - low > 1:
                middle = (low + high) // 2
                if expected(zone, middle)[0] == expected(zone, low)[0]:
                    low = middle
                else:
                    high = middle
            yield high
        at += step


def test_every_zone_of_this_host(glue):
    rules = footers()
    if len(rules) < 20:
        pytest.skip("needs the time zone files (tzdata)")
    choose = random.Random(8536)
    first = int(datetime.datetime(FIRST, 1, 1, tzinfo=UTC).timestamp())
    last = int(datetime.datetime(LAST, 1, 1, tzinfo=UTC).timestamp())
    changing = 0
    for rule, name in rules.items():
        zone = zoneinfo.ZoneInfo(name)
        instants = [choose.randrange(first, last) for _ in range(2000)]
        edges = [t + d for t in changes(zone) for d in (-1, 0, 1)]
        changing += bool(edges)
        instants += edges
        for instant, got in zip(instants, ask(glue, rule, instants)):
            assert got == expected(zone, instant), (rule, name, instant)
    assert changing >= 10  # or nothing was compared
