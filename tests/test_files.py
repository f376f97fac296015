import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from electrolyte_ml.dynamics.files import RunFiles
from electrolyte_ml.files import atomic_write, naming
from electrolyte_ml.locks import hold_folder


@pytest.mark.parametrize("content, stored", [("ü\r\n", "ü\r\n".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")])
def test_content_arrives_byte_for_byte(tmp_path, content, stored):
    path = tmp_path / "new" / "folder" / "file"
    atomic_write(path, content)
    assert path.read_bytes() == stored
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_full_disk_leaves_old_file_and_names_it(tmp_path, monkeypatch, broken):
    path = tmp_path / "set.xyz"
    path.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="No space left.*set.xyz") as caught:
        atomic_write(path, "new" * 1000)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["set.xyz"]


def test_kill_between_write_and_rename_leaves_old_file(tmp_path, monkeypatch):
    path = tmp_path / "set.xyz"
    path.write_text("old")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(path, "new")
    assert path.read_text() == "old"


def test_readers_never_see_a_mixture(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([i]) * 100_000 for i in range(8)]
    atomic_write(path, contents[0])
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(atomic_write, path, c) for c in contents * 4]
        seen = [path.read_bytes() for _ in range(100)]
        for write in writes:
            write.result()
    assert all(s in contents for s in seen)
    assert os.listdir(tmp_path) == ["file"]


def test_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    atomic_write(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "x"


def test_impossible_folder_names_the_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="inner"):
        atomic_write(tmp_path / "file" / "inner", "x")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_real_full_device_is_an_error_that_names_it(monkeypatch, tmp_path):
    path = tmp_path / "set.xyz"
    path.write_text("old")
    real_open = open
    monkeypatch.setattr("builtins.open", lambda name, mode: real_open("/dev/full", "wb"))
    with pytest.raises(OSError, match="set.xyz") as caught:
        atomic_write(path, b"x" * 10_000)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"


def full_device():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    return "/dev/full"


def test_errors_without_a_name_get_one_and_others_keep_theirs(tmp_path):
    with pytest.raises(OSError, match=r"No space left.*log\.csv"), naming("log.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError) as caught, naming("log.csv"):
        (tmp_path / "none").read_bytes()
    assert caught.value.filename == str(tmp_path / "none")


def test_files_that_grow_name_themselves_on_a_full_disk(tmp_path):
    with pytest.raises(OSError, match=r"No space left.*log\.csv"), RunFiles(tmp_path) as files:
        files.open()
        files.streams["log.csv"].close()
        files.streams["log.csv"] = open(full_device(), "wb", buffering=0)  # noqa: SIM115 - closed with the others
        files.append("log.csv", b"row\n")


def test_a_lock_names_itself_on_a_full_disk(tmp_path):
    (tmp_path / ".lock").symlink_to(full_device())
    with pytest.raises(OSError, match=r"\.lock"), hold_folder(tmp_path):
        pass


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_cannot_be_printed_is_named(unbuffered):
    with open(full_device(), "w") as output:
        process = subprocess.run(
            [sys.executable, "-m", "electrolyte_ml", "active-learn", "--defaults"],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == "error: the standard output: No space left on device"
