"""Fingerprints: what they notice."""

import hashlib
import os

from stages.lib.fingerprint import MISSING, fingerprint, sha256, state


def test_fingerprint_notices_size_and_each_block(tmp_path):
    path, seen = tmp_path / "v.mp4", set()
    data = bytearray(1 << 20)
    for change in (None, 0, 1 << 19, (1 << 20) - 1):
        if change is not None:
            data[change] ^= 1
        path.write_bytes(data)
        seen.add(fingerprint(path))
    path.write_bytes(data + b"x")
    seen.add(fingerprint(path))
    assert len(seen) == 5


def test_sha256_is_that_of_all_bytes(tmp_path):
    data = bytearray(range(256)) * 4096
    data[300_000] ^= 1  # between the blocks that a fingerprint reads
    (tmp_path / "faces.npy").write_bytes(data)
    assert sha256(tmp_path / "faces.npy") == hashlib.sha256(data).hexdigest()


def test_a_folder_of_frames_has_a_fingerprint_that_notices_a_frame(tmp_path):
    seen = set()
    for n in range(5):
        (tmp_path / f"{n:03d}.png").write_bytes(bytes([n]) * 100)
    seen.add(fingerprint(tmp_path))
    (tmp_path / "002.png").write_bytes(b"x" * 100)
    seen.add(fingerprint(tmp_path))
    (tmp_path / "005.png").write_bytes(b"y")
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 3


def test_what_is_not_there_is_missing(tmp_path):
    assert fingerprint(tmp_path / "none") == MISSING
    assert state(tmp_path / "none") == MISSING


def test_the_state_of_a_folder_notices_a_frame_that_is_overwritten_in_place(tmp_path):
    frame, seen = tmp_path / "000.png", set()
    frame.write_bytes(b"a")
    os.utime(frame, ns=(1, 1))
    seen.add(state(tmp_path))
    frame.write_bytes(b"b")
    os.utime(frame, ns=(2, 2))
    seen.add(state(tmp_path))
    frame.write_bytes(b"bb")
    os.utime(frame, ns=(2, 2))
    seen.add(state(tmp_path))
    (tmp_path / "001.png").write_bytes(b"")
    os.utime(tmp_path / "001.png", ns=(2, 2))
    seen.add(state(tmp_path))
    assert len(seen) == 4


def test_the_state_of_a_folder_that_nobody_touched_is_the_same(tmp_path):
    (tmp_path / "000.png").write_bytes(b"a")
    assert state(tmp_path) == state(tmp_path)
