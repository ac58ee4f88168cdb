"""What a round orders, in a cell or in a script, and when it is struck."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.faults.books import Asked

Kind = Literal["single", "n", "batch", "loop", "background", "describe", "upload", "resume"]
Where = Literal["process", "kernel"]
How = Literal["kill", "interrupt"]
Side = Literal["request", "answer"]

KINDS: Final[tuple[Kind, ...]] = (
    "single", "n", "batch", "loop", "background", "describe", "upload", "resume",
)  # fmt: skip
WHERE: Final[tuple[Where, ...]] = ("process", "kernel")
HOW: Final[tuple[How, ...]] = ("kill", "interrupt")
SIDES: Final[tuple[Side, ...]] = ("request", "answer")

LOADING: Final = "%load_ext zooop_nb"
RESUME_CELL: Final = "%zooop resume"
RESUME_SCRIPT: Final = (
    "from zooop_nb import Studio\n"
    "for result in Studio().resume():\n"
    "    print(result.order_id, result.status, result.error)"
)
LEFT_BEHIND: Final = 4
"""The number of orders of the process that `resume` comes after."""

_CELLS: Final[dict[Kind, str]] = {
    "single": "%zooop image -m flash a panda {tag}",
    "n": "three = %zooop image -m flash -n 3 a panda {tag}",
    "batch": (
        "from zooop_nb import Studio\n"
        "four = Studio().batch('image', [f'a panda {tag} {{n}}' for n in range(4)], model='flash', yes=True)"
    ),
    "loop": (
        "for number in range(3):\n"
        "    print(f'[line {{number}}]')\n"
        "    one = %zooop image -m flash a panda {tag} {{number}}"
    ),
    "background": "tasks = %zooop image -m flash -n 2 --background a panda {tag}\nboth = await tasks",
    "describe": "words = %zooop describe {picture}",
    "upload": "%zooop image -m flux2pro a panda {tag} image_urls={picture}",
    "resume": RESUME_CELL,
}
_SCRIPTS: Final[dict[Kind, str]] = {
    "single": "Studio().image('a panda {tag}', model='flash')",
    "n": "Studio().image('a panda {tag}', model='flash', count=3)",
    "batch": "Studio().batch('image', [f'a panda {tag} {{n}}' for n in range(4)], model='flash', yes=True)",
    "loop": (
        "studio = Studio()\n"
        "for number in range(3):\n"
        "    print(f'[line {{number}}]')\n"
        "    studio.image(f'a panda {tag} {{number}}', model='flash')"
    ),
    "background": (
        "tasks = Studio().start_all('image', 'a panda {tag}', model='flash', count=2)\n"
        "results = [task.result() for task in tasks]"
    ),
    "describe": "Studio().describe('{picture}')",
    "upload": "Studio().image('a panda {tag}', model='flux2pro', image_urls='{picture}')",
    "resume": RESUME_SCRIPT,
}
_TASKS: Final[dict[Kind, int]] = {"n": 3, "batch": 4, "loop": 3, "background": 2, "resume": LEFT_BEHIND}
_EACH_ITS_OWN: Final[frozenset[Kind]] = frozenset({"batch", "loop"})


@dataclass(frozen=True)
class Scenario:
    """What one round orders."""

    kind: Kind
    where: Where
    tag: str
    """A word of its own in each prompt of the round."""
    picture: Path
    marker: Path
    """The file that the code writes once it has come to its end."""
    loads: bool = False
    """The cell itself loads the extension."""

    @property
    def code(self) -> str:
        """The cell or script. It says in a file that it ended, for a process that dies says nothing."""
        made = (_CELLS if self.where == "kernel" else _SCRIPTS)[self.kind]
        code = made.format(tag=self.tag, picture=self.picture)
        if self.where == "process":
            code = f"from zooop_nb import Studio\n{code}"
        elif self.loads:
            code = f"{LOADING}\n{code}"
        return f"{code}\nopen({str(self.marker)!r}, 'w').close()"

    @property
    def code_after(self) -> str:
        """What is run after a strike: the same cell, but a script is resumed."""
        if self.where == "kernel":
            return self.code
        return f"{RESUME_SCRIPT}\nopen({str(self.marker)!r}, 'w').close()"

    @property
    def code_before(self) -> str:
        """The script whose process leaves orders behind, for `resume`."""
        return (
            "from zooop_nb import Studio\n"
            f"tasks = Studio().start_all('image', 'a panda {self.tag}', model='flash', count={LEFT_BEHIND})\n"
            "results = [task.result() for task in tasks]"
        )

    @property
    def asked(self) -> Asked:
        """What it asks for."""
        if self.kind == "describe":
            return Asked({}, descriptions=1, all_of_it=self.where == "kernel")
        number = _TASKS.get(self.kind, 1)
        tasks = (
            {f"a panda {self.tag} {each}": 1 for each in range(number)}
            if self.kind in _EACH_ITS_OWN
            else {f"a panda {self.tag}": number}
        )
        return Asked(tasks, all_of_it=self.where == "kernel" and self.kind != "resume")

    def current_prompts(self, text: str) -> frozenset[str | None]:
        """Return the prompts of the line that a run was at when it ended; a description has none."""
        if self.kind == "describe":
            return frozenset({None})
        if self.kind != "loop":
            return frozenset(self.asked.tasks)
        lines = [number for number in range(3) if f"[line {number}]" in text]
        return frozenset({f"a panda {self.tag} {lines[-1]}"} if lines else ())


@dataclass(frozen=True)
class Moment:
    """When a run is struck: `delay` seconds after its start, or after a request or its response has come to a
    byte. `holds` stops the traffic there until the strike is over."""

    request: str | None
    side: Side = "request"
    passes: int = 0
    after: int = 0
    holds: bool = True
    delay: float = 0.0

    def __str__(self) -> str:
        if self.request is None:
            return f"{self.delay * 1000:.0f} ms"
        held = "" if self.holds else f" +{self.delay * 1000:.0f} ms"
        return f"{self.request} #{self.after} {self.side} byte {self.passes}{held}"


@dataclass(frozen=True)
class Strike:
    """A moment, and what happens then. `again` seconds later follows a second interrupt, and what was held
    passes `opens` seconds after."""

    how: How
    moment: Moment
    again: float | None = None
    opens: float = 0.0

    def __str__(self) -> str:
        twice = "" if self.again is None else f" twice in {self.again * 1000:.0f} ms"
        return f"{self.how}{twice} at {self.moment}"


_MEDIA: Final = r"GET /\S+\.(webp|png|jpg)"
_QUOTE, _SUBMIT, _POLL, _ME = "POST /v1/quote", "POST /v1/tasks", "GET /v1/tasks/", "GET /v1/me"
_REQUESTS: Final[dict[Kind, tuple[str, ...]]] = {
    "describe": ("POST /v1/uploads", "POST /v1/describe-image", "POST /v1/describe-image"),
    "upload": ("POST /v1/uploads", _QUOTE, _SUBMIT, _SUBMIT, _POLL, _MEDIA),
    "resume": (_SUBMIT, _POLL, _MEDIA),
}
_ORDERS: Final = (_QUOTE, _ME, _SUBMIT, _SUBMIT, _SUBMIT, _POLL, _POLL, _MEDIA)
_ONCE: Final = (_QUOTE, _ME)
"""Made once for all tasks of a call."""
SPAN: Final = 0.6
"""Seconds within which a run is struck by the clock."""


def draw_moment(kind: Kind, rng: random.Random) -> Moment:
    """Return a random moment of a run."""
    # What was left behind may have come to its end: then `resume` makes few requests.
    if rng.random() < (0.5 if kind == "resume" else 0.25):
        return Moment(None, delay=rng.uniform(0, SPAN) ** 2 / SPAN)
    request = rng.choice(_REQUESTS.get(kind, _ORDERS))
    side = rng.choice(SIDES)
    passes = (
        0 if rng.random() < 0.3 else rng.randrange(4000 if (request, side) == (_MEDIA, "answer") else 200)
    )
    # Of what is resumed, at most one is sent again.
    once = request == _SUBMIT if kind == "resume" else request in _ONCE and kind not in _EACH_ITS_OWN
    after = 0 if once else rng.randrange(_TASKS.get(kind, 1))
    if rng.random() < 0.5:
        return Moment(request, side, passes, after)
    return Moment(request, side, passes, after, holds=False, delay=rng.uniform(0, 0.06))


def draw_strikes(kind: Kind, how: How, rng: random.Random) -> list[Strike]:
    """Return the strikes of a round: one, then with falling odds others in the runs after it."""
    strikes: list[Strike] = []
    while not strikes or (len(strikes) < 3 and rng.random() < 0.3):
        again = rng.uniform(0, 0.06) if how == "interrupt" and rng.random() < 0.3 else None
        opens = rng.choice((0.0, 0.0, 0.05, 0.3))
        strikes.append(Strike(how, draw_moment(kind, rng), again, opens if how == "interrupt" else 0.0))
    return strikes
