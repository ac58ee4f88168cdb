"""The properties of outputs, as read from their files."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.media import clip, moving
from zooop_nb.results.probe import MediaProperties, probe
from zooop_nb.sandbox.media import Work, render


def made(folder: Path, action: str, **asked: Any) -> tuple[Path, str]:
    """Write a real file rendered by the sandbox; return its path and content type."""
    work = Work(action=action, prompt="a boat", params={}, inputs={}, model="M", seed=1, **asked)
    piece = render(work)[0]
    path = folder / "1"
    path.write_bytes(piece.data)
    return path, piece.content_type


def test_a_picture_has_pixels_and_no_seconds(tmp_path: Path) -> None:
    assert probe(*made(tmp_path, "picture", width=320, height=200)) == MediaProperties(320, 200, None)


def test_a_clip_has_pixels_seconds_and_frames(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(clip(moving(8)))
    assert probe(path, "video/mp4") == MediaProperties(160, 120, 0.8, 8)


def test_the_frames_of_a_clip_whose_header_does_not_count_them_are_reckoned(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(clip(moving(8), format="webm", codec="libvpx-vp9"))
    assert probe(path, "video/webm") == MediaProperties(160, 120, 0.8, 8)


def test_without_pyav_a_clip_still_has_its_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, content_type = made(tmp_path, "video", width=320, height=180, seconds=1.0)
    monkeypatch.setitem(sys.modules, "av", None)

    assert probe(path, content_type) == MediaProperties(None, None, 1.0)


def test_a_sound_has_seconds(tmp_path: Path) -> None:
    facts = probe(*made(tmp_path, "sfx", seconds=2.0))

    assert facts.width is None
    assert facts.duration == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("content_type", ["image/png", "video/mp4", "audio/mpeg", "model/gltf-binary"])
def test_a_file_that_cannot_be_read_has_no_facts(tmp_path: Path, content_type: str) -> None:
    path = tmp_path / "1.bin"
    path.write_bytes(b"nothing of the kind")

    assert probe(path, content_type) == MediaProperties()
