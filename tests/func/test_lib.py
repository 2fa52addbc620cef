"""libsecreg on the real daemon: its examples, and a program that walks through the calls on transactions."""
import os
import subprocess
import sys

import pytest

BUILD = os.path.abspath(os.environ.get("SECREG_BUILD", "build"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
A = "/registry/applications"


def run(program, d, *args, given=b""):
    env = dict(os.environ, SECREG_ROOT=d.root)
    return subprocess.run([program, *args], input=given, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def example(name):
    return os.path.join(BUILD, "lib", name)


def test_example_get(daemon, c):
    c.put(A + "/a", "value")
    done = run(example("get"), daemon, A + "/a")
    assert (done.returncode, done.stdout) == (0, b"value\n"), done
    done = run(example("get"), daemon, A + "/none")
    assert done.returncode == 1 and b"no such entry" in done.stderr


def test_example_rotate(daemon, c):
    c.put(A + "/db/password", "first", sealed="true")
    done = run(example("rotate"), daemon, A + "/db/password", given=b"second\n")
    assert (done.returncode, done.stderr) == (0, b""), done
    assert c.get(A + "/db/password").body == b"second" and c.get(A + "/db/password.old").body == b"first"
    assert c.get(A + "/db/password.old").headers["secreg-sealed"] == "true"
    h = [c.get(A + "/db/" + n + "?history").data["versions"][0] for n in ("password", "password.old", "password.changed")]
    assert len({v["revision"] for v in h}) == 1 and {v["reason"] for v in h} == {"rotated"}
    done = run(example("rotate"), daemon, A + "/none", given=b"x\n")
    assert done.returncode == 1 and b"no such entry" in done.stderr


WALK = r"""
#include <secreg/secreg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define CHECK(c) do { if (!(c)) { fprintf(stderr, "line %d: %s: %s\n", __LINE__, #c, secreg_error_text(r)); exit(1); } } while (0)
#define A "/registry/applications"
int main(void)
{
    struct secreg *r = NULL;
    struct secreg_txn *t = NULL;
    struct secreg_value v;
    const char *inject = "\"},{\"op\":\"delete-tree\",\"path\":\"/registry/system\"}";
    bool ok = false;
    uint64_t rev = 0, rev2 = 0;
    const struct secreg_set_options json = {.type = SECREG_TYPE_JSON}, bin = {.type = SECREG_TYPE_BINARY, .sealing = SECREG_SEALING_ON},
                                    fresh = {.must_not_exist = true}, whole = {.type = SECREG_TYPE_INTEGER}, seventh = {.expected_version = 7};
    CHECK(secreg_connect(NULL, &r) == SECREG_OK);
    CHECK(secreg_txn_new(r, &t) == SECREG_OK);
    CHECK(secreg_txn_set(t, A "/\xc3\xa4", inject, strlen(inject), NULL) == SECREG_OK);
    CHECK(secreg_txn_set(t, A "/j", "{\"a\": [1]}", 10, &json) == SECREG_OK);
    CHECK(secreg_txn_set(t, A "/b", "\0\xff", 2, &bin) == SECREG_OK);
    CHECK(secreg_txn_set(t, A "/n", "42", 2, &whole) == SECREG_OK);
    CHECK(secreg_txn_set(t, A "/new", "", 0, &fresh) == SECREG_OK);
    CHECK(secreg_txn_commit(t, "a \"reason\"", true, &ok, &rev) == SECREG_OK && ok);
    CHECK(secreg_get(r, A "/n", &v) == SECREG_NOT_FOUND);
    CHECK(secreg_txn_commit(t, "a \"reason\"", false, &ok, &rev) == SECREG_OK && ok);
    CHECK(secreg_get(r, A "/b", &v) == SECREG_OK && v.size == 2 && memcmp(v.bytes, "\0\xff", 2) == 0 && v.is_sealed && v.revision == rev);
    secreg_value_fini(&v);
    CHECK(secreg_get(r, A "/\xc3\xa4", &v) == SECREG_OK && v.size == strlen(inject) && v.type == SECREG_TYPE_STRING);
    secreg_value_fini(&v);
    CHECK(secreg_txn_commit(t, NULL, false, &ok, &rev2) == SECREG_CONFLICT); /* new exists by now */
    CHECK(strstr(secreg_error_text(r), "then[4]") != NULL && strcmp(secreg_error_code(r), "exists") == 0);
    t = secreg_txn_free(t);
    CHECK(secreg_txn_new(r, &t) == SECREG_OK);
    CHECK(secreg_txn_if_value(t, A "/n", SECREG_TYPE_INTEGER, "42", 2) == SECREG_OK);
    CHECK(secreg_txn_if_version(t, A "/none", 0) == SECREG_OK);
    CHECK(secreg_txn_if_version(t, A "/n", 1) == SECREG_OK);
    CHECK(secreg_txn_move(t, A "/j", A "/moved/j") == SECREG_OK);
    CHECK(secreg_txn_copy(t, A "/moved", A "/copied") == SECREG_OK);
    CHECK(secreg_txn_delete(t, A "/n", 1) == SECREG_OK);
    CHECK(secreg_txn_delete_tree(t, A "/moved") == SECREG_OK);
    CHECK(secreg_txn_commit(t, NULL, false, &ok, &rev2) == SECREG_OK && ok && rev2 == rev + 1);
    CHECK(secreg_get(r, A "/copied/j", &v) == SECREG_OK && v.type == SECREG_TYPE_JSON);
    secreg_value_fini(&v);
    CHECK(secreg_txn_commit(t, NULL, false, &ok, &rev2) == SECREG_OK && !ok && rev2 == rev + 1);
    t = secreg_txn_free(t);
    CHECK(secreg_txn_new(r, &t) == SECREG_OK);
    CHECK(secreg_txn_set(t, A "/x", "\xff", 1, NULL) == SECREG_BAD_INPUT);
    CHECK(secreg_txn_set(t, A "/y", "fine", 4, NULL) == SECREG_BAD_INPUT);
    CHECK(secreg_txn_commit(t, NULL, false, &ok, NULL) == SECREG_BAD_INPUT);
    CHECK(secreg_get(r, A "/y", &v) == SECREG_NOT_FOUND);
    t = secreg_txn_free(t);
    CHECK(secreg_txn_new(r, &t) == SECREG_OK);
    CHECK(secreg_txn_set(t, A "/b", "x", 1, &seventh) == SECREG_OK);
    CHECK(secreg_txn_commit(t, NULL, false, &ok, NULL) == SECREG_CONFLICT);
    t = secreg_txn_free(t);
    CHECK(secreg_txn_new(r, &t) == SECREG_OK);
    char *big = calloc(1, 3u << 20);
    memset(big, 'x', (3u << 20) - 1);
    CHECK(secreg_txn_set(t, A "/big", big, (3u << 20) - 1, NULL) == SECREG_TOO_LARGE);
    CHECK(secreg_txn_commit(t, NULL, false, &ok, NULL) == SECREG_TOO_LARGE);
    free(big);
    t = secreg_txn_free(t);
    secreg_close(r);
    puts("walked");
    return 0;
}
"""


@pytest.mark.parametrize("standard", ["c11", "c++"])
def test_a_program_with_transactions(daemon, tmp_path, standard):
    """Compiled as another program would be: against the installed form of the header, with all warnings."""
    if standard == "c++":
        (tmp_path / "walk.cc").write_text("#include <secreg/secreg.h>\nint main() { return secreg_txn_free(nullptr) != nullptr; }\n")
        compiler = ["c++", "-std=c++11"]
        source = "walk.cc"
    else:
        (tmp_path / "walk.c").write_text(WALK)
        compiler = ["cc", "-std=c11"]
        source = "walk.c"
    if os.environ.get("SECREG_SANITIZED") and standard == "c11":
        pytest.skip("the sanitized library wants a sanitized program")
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", "-I" + ROOT + "/include", str(tmp_path / source), "-o",
                    str(tmp_path / "walk"), "-L" + BUILD + "/lib", "-lsecreg", "-Wl,-rpath," + BUILD + "/lib", "-Wl,--allow-shlib-undefined"],
                   check=True, timeout=60)
    if os.environ.get("SECREG_SANITIZED"):
        return
    done = run(str(tmp_path / "walk"), daemon)
    assert done.returncode == 0 and (standard == "c++" or done.stdout == b"walked\n"), done
