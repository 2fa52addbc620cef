"""What `meson install` puts where: into a folder of the test's own (DESTDIR). That it works there is tested in tests/vm."""
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

from conftest import BUILD, SECREGD, SLOWER, SREG, TOP, soon

# Every file that is installed: a new one is entered here. LIB is the folder of libraries.
FILES = {
    "etc/secreg/secregd.yaml": 0o644,
    "usr/bin/secreg-verify": 0o755,
    "usr/sbin/secreg-follow": 0o755,
    "usr/bin/sreg": 0o755,
    "usr/include/secreg/secreg.h": 0o644,
    "LIB/libsecreg.a": 0o644,
    "LIB/libsecreg.so": None,
    "LIB/libsecreg.so.0": None,
    "LIB/libsecreg.so.0.1.0": 0o755,
    "LIB/pkgconfig/secreg.pc": 0o644,
    "usr/lib/systemd/system/secregd.service": 0o644,
    "usr/lib/systemd/system/secregd.socket": 0o644,
    "usr/lib/sysusers.d/secreg.conf": 0o644,
    "usr/lib/tmpfiles.d/secreg.conf": 0o644,
    "usr/sbin/secregd": 0o755,
    "usr/share/bash-completion/completions/sreg": 0o644,
    "usr/share/fish/vendor_completions.d/sreg.fish": 0o644,
    "usr/share/man/man1/secreg-verify.1": 0o644,
    "usr/share/man/man8/secreg-follow.8": 0o644,
    "usr/lib/systemd/system/secreg-follow@.service": 0o644,
    "usr/lib/systemd/system/secreg-follow@syslog.service.d/network.conf": 0o644,
    "usr/lib/systemd/system/secreg-follow@witness.service.d/witness.conf": 0o644,
    "usr/lib/systemd/system/secreg-follow@remote.service.d/network.conf": 0o644,
    "usr/lib/systemd/system/secreg-follow@kernel.service.d/kernel.conf": 0o644,
    "usr/share/man/man1/sreg.1": 0o644,
    "usr/share/man/man3/secreg.3": 0o644,
    "usr/share/man/man5/secregd.yaml.5": 0o644,
    "usr/share/man/man8/secregd.8": 0o644,
    "usr/share/secreg/openrc/secregd": 0o755,
    "usr/share/zsh/vendor-completions/_sreg": 0o644,
}
# 2.0 of 10, as systemd counts in tenths
EXPOSURE_MAX = 20

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=soon(60), **more)
    assert done.returncode == 0, "%s: %s%s" % (args, done.stdout, done.stderr)
    return done.stdout


class Tree:
    def __init__(self, top):
        self.top = top
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", top)
        options = {o["name"]: o["value"] for o in json.loads(run("meson", "introspect", BUILD, "--buildoptions"))}
        self.lib = os.path.join(options["prefix"], options["libdir"]).lstrip("/")

    def path(self, name):
        return os.path.join(self.top, name.replace("LIB", self.lib, 1) if name.startswith("LIB/") else name)

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()


@pytest.fixture(scope="module")
def tree():
    top = tempfile.mkdtemp(prefix="sri-", dir="/tmp")
    yield Tree(top)
    shutil.rmtree(top)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


# ---- files ----------------------------------------------------------------------------------------------------------

def test_the_list_of_files(tree):
    wanted = {os.path.relpath(tree.path(name), tree.top): mode for name, mode in FILES.items()}
    if os.path.exists(os.path.join(TOP, "etc/pam.d/secreg")):
        wanted["etc/pam.d/secreg"] = 0o644
    found = {}
    for at, _, names in os.walk(tree.top):
        for name in names:
            path = os.path.join(at, name)
            mode = os.lstat(path).st_mode
            found[os.path.relpath(path, tree.top)] = None if stat.S_ISLNK(mode) else stat.S_IMODE(mode)
    assert found == wanted


def test_folders_can_be_entered_and_are_only_the_owners_to_change(tree):
    for at, folders, _ in os.walk(tree.top):
        for name in folders:
            assert stat.S_IMODE(os.lstat(os.path.join(at, name)).st_mode) == 0o755, os.path.join(at, name)


def test_no_file_names_the_build_folder(tree):
    for name, mode in FILES.items():
        if mode is not None and not name.endswith((".a", ".so.0.1.0", "secregd", "secreg-follow", "bin/sreg", "bin/secreg-verify")):
            assert BUILD not in tree.read(name), name
    for name in ("usr/sbin/secregd", "usr/sbin/secreg-follow", "usr/bin/sreg", "usr/bin/secreg-verify", "LIB/libsecreg.so.0.1.0"):
        assert "RUNPATH" not in run("readelf", "-d", tree.path(name)), name


def test_no_variable_was_left_in_a_file(tree):
    for name in ("usr/lib/systemd/system/secregd.service", "usr/share/secreg/openrc/secregd"):
        assert not re.search(r"@\w+@", tree.read(name)), name


# ---- the configuration ----------------------------------------------------------------------------------------------

def uncommented(text):
    """Takes the marks off options and groups, as the file says how to; explanations keep theirs."""
    head, rest = text.split("\n\n", 1)
    assert all(line.startswith("# ") for line in head.splitlines())
    return re.sub(r"^#(\w+:$|  \w+: )", r"\1", rest, flags=re.M)


def check_conf(folder, text):
    os.makedirs(folder / "etc/secreg", exist_ok=True)
    (folder / "etc/secreg/secregd.yaml").write_text(text)
    run(SECREGD, "--root", folder, "--check-config")
    return run(SECREGD, "--root", folder, "--dump-config")


def test_the_configuration_changes_nothing(tree, folder):
    defaults = run(SECREGD, "--root", folder, "--dump-config")
    text = tree.read("etc/secreg/secregd.yaml")
    assert all(line.lstrip().startswith("#") for line in text.splitlines() if line)
    assert check_conf(folder, text) == defaults


def test_the_configuration_holds_every_option(tree, folder):
    defaults = run(SECREGD, "--root", folder, "--dump-config")
    text = uncommented(tree.read("etc/secreg/secregd.yaml"))
    assert check_conf(folder, text) == defaults
    assert text.strip() == defaults.strip()


# ---- units, users, scripts ------------------------------------------------------------------------------------------

@pytest.fixture
def units(tree, folder):
    """Copies that name the programs where they lie now."""
    for name in ("secregd.service", "secregd.socket"):
        text = tree.read("usr/lib/systemd/system/" + name)
        (folder / name).write_text(text.replace("=/usr/sbin/", "=%s/usr/sbin/" % tree.top))
    return folder


@needs_analyze
def test_units_are_understood(units):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", units / "secregd.service", units / "secregd.socket"],
                          capture_output=True, text=True, timeout=soon(60))
    said = [line for line in done.stderr.splitlines() if str(units) in line or "secregd" in line]
    assert (done.returncode, said) == (0, [])


@needs_analyze
def test_verify_would_find_a_mistake(units):
    (units / "secregd.service").write_text((units / "secregd.service").read_text().replace("ExecStart=", "ExecStrat="))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", units / "secregd.service"], capture_output=True,
                          text=True, timeout=soon(60))
    assert done.returncode != 0 and "ExecStrat" in done.stderr


@needs_analyze
def test_the_unit_is_not_exposed(units):
    run("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=%d" % EXPOSURE_MAX,
        units / "secregd.service")


def test_the_unit_and_the_program_mean_the_same_places(tree):
    service, socket = (tree.read("usr/lib/systemd/system/secregd." + tail) for tail in ("service", "socket"))
    assert "\nExecStart=/usr/sbin/secregd\n" in service
    assert "\nListenStream=/run/secreg/socket\n" in socket and "\nFileDescriptorName=socket\n" in socket
    with open(os.path.join(TOP, "src/model/roles.h")) as f:
        code = f.read()
    for place in ("/run/secreg/socket", "/var/lib/secreg", "/run/secreg"):
        assert '"%s"' % place in code


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="there is no systemd-sysusers")
def test_the_users_of_the_roles_are_made(tree, folder):
    (folder / "etc").mkdir()
    run("systemd-sysusers", "--root=%s" % folder, tree.path("usr/lib/sysusers.d/secreg.conf"))
    users = {line.split(":")[0]: line.strip().split(":") for line in (folder / "etc/passwd").read_text().splitlines()}
    assert set(users) == {"secreg", "secreg-net", "secreg-log", "secreg-witness"}
    assert users["secreg"][2] != users["secreg-net"][2] and users["secreg"][3] != users["secreg-net"][3]
    for user in users.values():
        assert user[6].endswith("nologin") and int(user[2]) < 1000


def test_the_openrc_script_is_a_script(tree):
    run("sh", "-n", tree.path("usr/share/secreg/openrc/secregd"))


def test_completion_is_what_the_program_prints(tree):
    for shell, name in (("bash", "usr/share/bash-completion/completions/sreg"),
                        ("zsh", "usr/share/zsh/vendor-completions/_sreg"),
                        ("fish", "usr/share/fish/vendor_completions.d/sreg.fish")):
        assert tree.read(name) == run(SREG, "completion", shell), shell


# ---- the library ----------------------------------------------------------------------------------------------------

@pytest.mark.skipif(SLOWER > 1, reason="a sanitized library needs a sanitized program")
@pytest.mark.parametrize("is_static", [False, True], ids=["shared", "static"])
def test_a_program_is_built_against_the_installed_tree(tree, folder, daemon, is_static):
    daemon.client().put("/registry/applications/x", "42")
    env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": tree.top, "PKG_CONFIG_LIBDIR": tree.path("LIB/pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "secreg", env=env).split()
    if is_static:
        flags = [tree.path("LIB/libsecreg.a") if f == "-lsecreg" else f for f in flags]
    program = folder / "get"
    run("cc", "-std=c17", "-Wall", "-Werror", os.path.join(TOP, "examples/get.c"), "-o", program, *flags)
    libraries = run("ldd", program, env={**os.environ, "LD_LIBRARY_PATH": tree.path("LIB/")})
    assert ("libsecreg.so.0 => " + tree.path("LIB/") in libraries) != is_static
    env = {**os.environ, "LD_LIBRARY_PATH": tree.path("LIB/"), "SECREG_ROOT": daemon.root}
    assert run(program, "/registry/applications/x", env=env).strip() == "42"


@pytest.mark.skipif(SLOWER > 1, reason="sanitizers add names of their own")
def test_the_library_exports_its_own_names_only(tree):
    names = [line.split()[-1].split("@")[0] for line in
             run("nm", "-D", "--defined-only", tree.path("LIB/libsecreg.so.0.1.0")).splitlines()]
    assert names and all(n.lower().startswith(("secreg", "libsecreg")) for n in names), names
