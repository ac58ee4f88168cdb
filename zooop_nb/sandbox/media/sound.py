"""Music and sound effects as files, synthesised reproducibly in the requested length."""

import random

from zooop_nb.sandbox.media.audio import RATE, sound_piece
from zooop_nb.sandbox.media.effects import effects
from zooop_nb.sandbox.media.music import music
from zooop_nb.sandbox.media.reading import digest, flavour
from zooop_nb.sandbox.media.work import Piece, Unreadable, Work

LONGEST = 600.0
"""Seconds. Longer sound is refused, because it would exhaust the machine's memory."""


def render(work: Work, index: int) -> Piece:
    """Render `music` or `sfx`, `work.seconds` long, as MP3, or WAV if the params request it."""
    if not 0 < work.seconds <= LONGEST:
        raise Unreadable(f"{work.seconds} seconds: the sandbox makes sound of up to {LONGEST:.0f} seconds")
    rng = random.Random(digest(work, index))
    if work.action == "sfx":
        return sound_piece(effects(work.prompt, work.seconds, rng), RATE, work)
    return sound_piece(music(f"{work.prompt} {flavour(work)}", work.seconds, rng), RATE, work)
