"""What an order made: plain values that display themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

from zooop_nb.contract.credits import Number
from zooop_nb.contract.media import KnownMedia
from zooop_nb.errors import InputError
from zooop_nb.ledger import OrderRecord
from zooop_nb.results.mimebundle import Displayable, mimebundle

if TYPE_CHECKING:
    import pandas as pd

ASPECTS: Final = ("subject", "composition", "style", "lighting", "palette", "mood", "camera")
"""The aspects of a description, beside the whole."""


def media_file(held: str, media_folder: Path) -> Path:
    """Return where an output's file is, from its path in the ledger: `<order id>/<n>.<ext>` in the folder.

    An absolute path, of a ledger's older rows, counts as long as the file is there; if it is gone, the file
    of the same order and name in the folder, if there is one.
    """
    path = Path(held)
    if not path.is_absolute():
        return media_folder / path
    if not path.is_file():
        moved = media_folder.joinpath(*path.parts[-2:])
        return moved if moved.is_file() else path
    return path


@dataclass(frozen=True, slots=True)
class Output(Displayable):
    """One file that a task made. Sizes in pixels, `duration` in seconds; None is "not known"."""

    url: str
    thumbnail_url: str | None = None
    path: Path | None = None
    """The complete file, or where it was before the folder was cleared; None before it is downloaded."""
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    sha256: str | None = None
    """The content's hash: it identifies the output in the params of later orders."""
    size: int | None = None
    """Bytes."""

    @classmethod
    def of(cls, held: Mapping[str, Any], media_folder: Path) -> "Output":
        """Build an output from what the ledger holds of it, with its file in `media_folder`."""
        names = {each.name for each in fields(cls)}
        known = {name: value for name, value in held.items() if name in names}
        path = held.get("path")
        return cls(**{**known, "path": media_file(path, media_folder) if path else None})

    def _zooop_media_(self) -> Sequence[KnownMedia]:
        return (KnownMedia(self.url, self.content_type, self.sha256, self.path),)


@dataclass(frozen=True, slots=True)
class Result(Displayable):
    """An order and its result. Credits are the server's figures; None is what it did not say."""

    order_id: str
    task_id: str | None
    status: str
    """The API's (queued, running, succeeded, failed, cancelled), or `refused`, `withdrawn` or `unknown`."""
    credits: Number | None
    """What the task cost: the API's `creditsCharged`."""
    quote: Number | None
    """What the quote said, in credits."""
    category: str | None
    """`image/default`; None for a tool or a template."""
    model: str | None
    """The model's name; for a tool or template, its own name."""
    version: str | None
    params: Mapping[str, Any]
    """As sent, but media by content hash and file name."""
    seconds: float | None
    """How long the task took, from its creation to its completion, by the server's clock."""
    error: str | None
    created_at: str | None
    completed_at: str | None
    outputs: tuple[Output, ...] = ()
    mode: str = "live"
    """live, sandbox or replay."""
    prompt: str | None = None
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: OrderRecord, media_folder: Path) -> "Result":
        """Build the result of an order as the ledger holds it, with its outputs in `media_folder`."""
        created, completed = record.task_created_at, record.task_completed_at
        seconds = None
        if created and completed:
            elapsed = datetime.fromisoformat(completed) - datetime.fromisoformat(created)
            seconds = elapsed.total_seconds()
        status = (
            record.state
            if record.state in {"refused", "unknown", "withdrawn"}
            else record.status or record.state
        )
        is_model = record.target == "model"
        return cls(
            order_id=record.order_id,
            task_id=record.task_id,
            status=status,
            credits=record.credits,
            quote=record.quoted,
            category=f"{record.type}/{record.subtype}" if is_model and record.type else None,
            model=record.model if is_model else record.tool or record.template or record.target,
            version=record.version,
            params=record.params,
            seconds=seconds,
            error=record.error,
            created_at=created or record.sent_at,
            completed_at=completed,
            outputs=()
            if record.target == "describe"
            else tuple(Output.of(each, media_folder) for each in record.outputs),
            mode=record.mode,
            prompt=record.prompt,
            tags=record.tags,
        )

    def _zooop_media_(self) -> Sequence[KnownMedia]:
        return tuple(media for output in self.outputs for media in output._zooop_media_())

    @property
    def unpaid(self) -> bool:
        """Whether it costs nothing: it was refused, or not sent."""
        return self.status in {"refused", "withdrawn"}

    @property
    def output(self) -> Output:
        """The first output. Raises `LookupError` if there is none."""
        if not self.outputs:
            raise LookupError(f"Order {self.order_id} has no output ({self.status}).")
        return self.outputs[0]

    @property
    def path(self) -> Path | None:
        """The first output's file."""
        return self.output.path

    @property
    def url(self) -> str:
        """The first output's URL."""
        return self.output.url


@dataclass(frozen=True, slots=True)
class Upload(Displayable):
    """A file at ZOOOP. It can be given for any media param."""

    url: str
    """Its ZOOOP URL."""
    content_type: str | None
    """None if it was a ZOOOP URL already."""
    size: int | None
    """Bytes; None as above."""
    mode: str = "live"
    """live, sandbox or replay."""

    def _zooop_media_(self) -> Sequence[KnownMedia]:
        return (KnownMedia(self.url, self.content_type, from_upload=True),)


@dataclass(frozen=True, slots=True)
class Described(Displayable):
    """An image as a structured prompt. As text it is `overall_description`, ready to use in a prompt.

    The other aspects may be empty or None. API documentation: `POST /v1/describe-image`.
    """

    overall_description: str
    subject: str | None
    composition: str | None
    style: str | None
    lighting: str | None
    palette: str | None
    mood: str | None
    camera: str | None
    credits: Number
    """The price that the server named."""
    language: str | None
    """The requested locale; None is English."""
    order_id: str
    mode: str = "live"
    """live, sandbox or replay."""

    @classmethod
    def of(cls, record: OrderRecord) -> "Described":
        """Build the description that the ledger holds. Raises `InputError` for an order that has none."""
        if record.target != "describe" or not record.outputs or record.credits is None:
            raise InputError(
                f"Order {record.order_id} holds no description ({record.target}, {record.state}).",
                value=record.order_id,
            )
        return cls(
            **record.outputs[0]["words"],
            credits=record.credits,
            language=record.params.get("language"),
            order_id=record.order_id,
            mode=record.mode,
        )

    def __str__(self) -> str:
        return self.overall_description


@dataclass(frozen=True, slots=True)
class Quoted(Displayable):
    """The price of an order. Credits are the server's figure for exactly this body."""

    credits: Number
    """For one task."""
    count: int
    eta: float | None
    """Seconds for one task; None if the API does not know."""
    model: str
    version: str | None
    breakdown: Mapping[str, Any]
    """`pricing_key`, `base`, `multiplier`, `surcharges`, `base_price`, `min_price_applied`."""
    params: Mapping[str, Any]

    @property
    def total(self) -> Number:
        """Credits for all `count` tasks."""
        return self.credits * self.count

    def __str__(self) -> str:
        return str(mimebundle(self)["text/plain"])


@dataclass(frozen=True)
class Gallery(Sequence[Result], Displayable):
    """Several results of one call, in the order in which they were asked for."""

    results: tuple[Result, ...] = field(default_factory=tuple)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> "Gallery": ...

    def __getitem__(self, index: int | slice) -> "Result | Gallery":
        if isinstance(index, slice):
            return Gallery(self.results[index])
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def _zooop_media_(self) -> Sequence[KnownMedia]:
        return tuple(media for result in self.results for media in result._zooop_media_())

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @property
    def credits(self) -> Number | None:
        """What all of them cost together; None if the server named no figure at all."""
        known = [each.credits for each in self.results if each.credits is not None]
        return sum(known) if known else None

    @property
    def failed(self) -> tuple[Result, ...]:
        """The results that did not succeed."""
        return tuple(each for each in self.results if each.status != "succeeded")

    def frame(self) -> "pd.DataFrame":
        """Return one row per result: ids, status, credits, the params that vary, and the file's path."""
        import pandas as pd

        names = list(dict.fromkeys(name for each in self.results for name in each.params))
        varied = [name for name in names if len({repr(each.params.get(name)) for each in self.results}) > 1]
        rows = [
            {
                "order_id": each.order_id,
                "task_id": each.task_id,
                "status": each.status,
                "model": each.model,
                "version": each.version,
                **{name: each.params.get(name) for name in varied},
                "credits": each.credits,
                "seconds": each.seconds,
                "path": str(each.outputs[0].path) if each.outputs and each.outputs[0].path else None,
            }
            for each in self.results
        ]
        return pd.DataFrame(rows).convert_dtypes()
