"""Files that are taken away from under a daemon, or replaced by copies: it ends at the next commit, and answers nothing that
went into a file that nobody will find."""
import os
import shutil
import time

import pytest

from conftest import soon
from trail_log import folder_of

A = "/registry/applications"


def newest(folder):
    return max(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".log"))


PLACES = {
    "database": lambda d: d.db,
    "log of the database": lambda d: d.db + "-wal",
    "log of the trail": lambda d: newest(folder_of(d.db)),
    "folder of the trail": lambda d: folder_of(d.db),
    "state folder": lambda d: d.path("var/lib/secreg"),
}


def take_away(place, aside):
    os.rename(place, aside)


def delete(place, aside):
    """What it was is still known to the test, and to no path below the store's."""
    if os.path.isdir(place):
        shutil.copytree(place, aside)
        shutil.rmtree(place)
    else:
        shutil.copy(place, aside)
        os.unlink(place)


def replace(place, aside):
    os.rename(place, aside)
    if os.path.isdir(aside):
        shutil.copytree(aside, place)
    else:
        shutil.copy(aside, place)


def put_back(place, aside):
    if os.path.isdir(place):
        shutil.rmtree(place)
    elif os.path.exists(place):
        os.unlink(place)
    if os.path.isdir(aside):
        shutil.copytree(aside, place)
    else:
        shutil.copy(aside, place)


@pytest.mark.parametrize("how", [take_away, delete, replace], ids=lambda f: f.__name__)
@pytest.mark.parametrize("what", sorted(PLACES))
def test_a_file_is_gone(new_store, what, how):
    d = new_store(config="audit:\n  checkpoint_interval: 1h\n").start()
    c = d.client()
    assert c.put(A + "/a", "1").status == 201
    d.expects_trouble = True
    place, aside = PLACES[what](d), d.path("aside")
    how(place, aside)
    with pytest.raises(OSError):  # no reply: the connection ends
        c.put(A + "/b", "2")
    assert d.wait_end() != 0
    assert "removed or replaced" in d.log()
    put_back(place, aside)
    c = d.start().client()
    assert c.get(A + "/a").body == b"1"


@pytest.mark.parametrize("durability", ["reserved", "group", "none-lost"])
def test_the_log_is_gone_and_only_reads_come(new_store, durability):
    d = new_store(config="audit:\n  read_durability: %s\n" % durability).start()
    c = d.client()
    assert c.put(A + "/a", "1").status == 201
    d.expects_trouble = True
    take_away(newest(folder_of(d.db)), d.path("aside"))
    with pytest.raises(OSError):
        for _ in range(soon(1000)):
            assert c.get(A + "/a").body == b"1"
            time.sleep(0.01)
    assert d.wait_end() != 0
    assert "removed or replaced" in d.log()


def test_the_key_of_the_next_epoch_is_gone(new_store):
    d = new_store(config="audit:\n  checkpoint_records: 16\n").start()
    c = d.client()
    d.expects_trouble = True
    take_away(os.path.join(folder_of(d.db), "epoch.key"), d.path("aside"))
    with pytest.raises(OSError):
        for i in range(100):
            assert c.put(A + "/a%d" % i, "1").status == 201
    assert d.wait_end() != 0
    assert "removed or replaced" in d.log()
