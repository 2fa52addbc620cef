"""secreg-verify on what the daemon writes: a running store, a copy, an export; and on what somebody made of it."""
import json
import os
import shutil
import subprocess

import pytest

from conftest import BUILD, soon
from test_checkpoint import forge, keep, raws, vkey
from test_cli import Sreg
from trail_log import cut, folder_of, frames, remove
from trail_verify import Verifier

A = "/registry/applications"
PROGRAM = os.path.join(BUILD, "bin", "secreg-verify")

INTEGRITY, ORDER, TAIL, AUTHENTICITY, USAGE, UNREADABLE = 1, 2, 4, 8, 64, 66


def verify(*args):
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=soon(60))
    assert "Sanitizer" not in done.stderr and done.returncode >= 0, done
    return done


def verdicts(*args):
    done = verify("--json", *args)
    assert done.stderr == "" and done.stdout.count("\n") == 1
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def store(daemon):
    """A store with some history, its folder, and a checkpoint of some records ago."""
    c = daemon.client()
    for i in range(40):
        c.put(A + "/x%d" % (i % 7), str(i))
        c.get(A + "/none%d" % i)
    daemon.kept = keep(daemon, "kept", Sreg(daemon.root).ok("audit", "checkpoint"))
    for i in range(20):
        c.get(A + "/x1")
    return daemon


def anchored(d):
    return ["--checkpoint", d.kept, "--key", vkey(d)]


def test_a_running_store_and_its_copy(store):
    c = store.client()
    status, said = verdicts(*anchored(store), folder_of(store.db))
    assert status == 0 and said["integrity"] == said["order"] == said["tail"] == said["authenticity"] == "ok"
    head = c.get("/v1/checkpoint").data
    v = Verifier()
    for r in raws(c, said["records"]):
        v.add(r)
    assert (said["records"], said["root"]) == (v.size, v.root().hex()) and said["records"] <= head["size"]
    assert said["anchored"] < said["records"] and said["first_bad"] is None
    copy = store.path("copy")
    shutil.copytree(folder_of(store.db), copy)
    done = verify("--checkpoint", store.kept, "--key", store.path("etc/secreg/trail.vkey"), copy)
    assert done.returncode == 0 and "tail: ok, anchored up to record %d; " % said["anchored"] in done.stdout
    done = verify(copy)
    assert done.returncode == 0 and "tail: not anchored" in done.stdout and "authenticity: not checked" in done.stdout


def test_an_export(store):
    c = store.client()
    size = c.get("/v1/checkpoint").data["size"]
    data = b"".join(len(r).to_bytes(4, "big") + r for r in raws(c, size))
    path = store.path("export")
    with open(path, "wb") as f:
        f.write(data)
    status, said = verdicts(*anchored(store), path)
    assert status == 0 and said["records"] == size and said["tail"] == "ok"
    with open(path, "wb") as f:
        f.write(data[:-5])
    status, said = verdicts(*anchored(store), path)
    assert status == INTEGRITY and said["first_bad"]["seq"] == size - 1 == said["records"] and said["tail"] == "ok"


def test_each_bit(store):
    assert store.stop() == 0
    folder = folder_of(store.db)
    found = frames(store.db)
    mark = json.loads(verify("--json", *anchored(store), folder).stdout)["anchored"]
    shutil.copytree(folder, folder + ".whole")

    def again():
        shutil.rmtree(folder)
        shutil.copytree(folder + ".whole", folder)

    frame = [f for f in found if f.seq > mark and b"/registry" in f.raw][0]
    frame.write(frame.raw.replace(b"/registry", b"/Registry", 1))
    status, said = verdicts(*anchored(store), folder)
    assert (status, said["first_bad"]["seq"], said["tail"]) == (INTEGRITY, frame.seq, "ok")
    again()
    remove(found[10])
    status, said = verdicts(*anchored(store), folder)
    assert (status, said["first_bad"]["seq"], said["records"]) == (ORDER | TAIL, 10, 10)
    again()
    cut(found[mark - 1])
    status, said = verdicts(*anchored(store), folder)
    assert (status, said["records"]) == (TAIL, mark - 1)
    again()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    note, _ = forge(Ed25519PrivateKey.generate(), vkey(store).split("+")[0], mark, bytes(32))
    status, said = verdicts("--checkpoint", keep(store, "forged", note), "--key", vkey(store), folder)
    assert (status, said["tail"], said["authenticity"]) == (AUTHENTICITY, "not-anchored", "bad")
    assert verdicts(*anchored(store), folder)[0] == 0


def test_files_of_many_megabytes(store):
    """More than one file, and more than any buffer."""
    c = store.client()
    with_reason = {"Secreg_Reason": "x" * 250, "Secreg_Comment": "y" * 900}
    leaves = [{"op": "set", "path": A + "/many/%04d" % i, "value": str(i)} for i in range(9000)]
    for _ in range(9):
        assert c.post("/v1/txn", json.dumps({"then": leaves}), **with_reason).status == 200
    folder = folder_of(store.db)
    assert len([n for n in os.listdir(folder) if n.endswith(".log")]) > 1
    status, said = verdicts(*anchored(store), folder)
    assert status == 0 and said["records"] > 81000


def test_usage_and_what_cannot_be_read(store):
    for args in ([], ["a", "b"], ["--nonsense", "a"], ["--checkpoint", store.kept, "a"]):
        assert verify(*args).returncode == USAGE
    folder = folder_of(store.db)
    for args in ([store.path("absent")], [store.root], ["--checkpoint", store.path("absent"), "--key", vkey(store), folder],
                 ["--checkpoint", store.kept, "--key", "none", folder], ["--checkpoint", store.db, "--key", vkey(store), folder]):
        done = verify(*args)
        assert done.returncode == UNREADABLE and done.stderr.startswith("secreg-verify: ") and done.stdout == "", (args, done)
    assert verify("--help").returncode == 0 and "FOLDER" in verify("--help").stdout
    assert verify("--version").stdout.startswith("secreg-verify ")
    done = subprocess.run([PROGRAM, folder], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE)
    assert done.returncode == UNREADABLE


def test_incremental(store):
    """With one file, all of it is read; what needs which option is said."""
    folder = folder_of(store.db)
    status, said = verdicts(*anchored(store), "--incremental", folder)
    assert status == 0 and said["first"] == 0 and said["tail"] == "ok"
    assert verify("--key", vkey(store), "--incremental", folder).returncode == USAGE
    assert verify(*anchored(store), "--incremental", "--proof", folder).returncode == USAGE


@pytest.mark.skipif(os.getuid() != 0, reason="only root has files of others")
def test_root_verifies_what_belongs_to_another_user(store):
    """As it is on a host: the folder is the daemon's alone, and whoever verifies it gives up the rights of root."""
    copy = store.path("copy")
    shutil.copytree(folder_of(store.db), copy)
    for name in os.listdir(copy):
        os.chown(os.path.join(copy, name), 54321, 54321)
        os.chmod(os.path.join(copy, name), 0o600)
    os.chown(copy, 54321, 54321)
    os.chmod(copy, 0o700)
    status, said = verdicts("--key", vkey(store), copy)
    assert status == 0 and said["integrity"] == said["authenticity"] == "ok" and said["records"] > 0
