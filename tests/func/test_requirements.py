"""doc/spec/requirements.md: each row has an id of its own and names tests, which exist, or says why there are none."""
import os
import re

from conftest import TOP

DOCUMENT = os.path.join(TOP, "doc/spec/requirements.md")


def rows():
    with open(DOCUMENT) as f:
        found = re.findall(r"^\| ([A-Z]+-\d+) \| (.*?) \| (.*) \|$", f.read(), re.M)
    assert len(found) > 80
    return found


def exists(file, name):
    """A test of pytest is a function of its file; one in C is a function that its table holds; one in the virtual machine is
    what it says to check."""
    if file.startswith("test_"):
        path, pattern = "tests/func/%s.py" % file, r"^def test_%s\(" % name
    elif file.endswith(".sh"):
        path, pattern = file, r"^ *(check|is) ['\"].*" + name.replace("_", " ")
    else:
        path, pattern = file, r"^(static )?void %s\(|\b%s[,)}]" % (name, name)
    with open(os.path.join(TOP, path)) as f:
        return re.search(pattern, f.read(), re.M) is not None


def test_rows_have_ids_of_their_own():
    ids = [r[0] for r in rows()]
    assert len(ids) == len(set(ids))


def test_every_test_that_is_named_exists():
    missing = []
    for number, _, tests in rows():
        named = re.findall(r"`([^`:]+): ([a-z0-9_]+)`", tests)
        if not named:
            assert tests.startswith("not built: "), "%s names no test and no reason" % number
        missing += ["%s: %s: %s" % (number, file, name) for file, name in named if not exists(file, name)]
    assert missing == []


def test_what_does_not_exist_is_found():
    assert not exists("test_acl", "there_is_no_such_test") and not exists("src/model/test-path.c", "there_is_no_such_test")
    assert exists("test_acl", "default_is_no") and exists("src/model/test-path.c", "paths_have_one_form")
