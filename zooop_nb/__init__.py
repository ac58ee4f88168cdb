"""The notebook studio for ZOOOP: images, video, speech and music, with every credit accounted for.

%load_ext zooop_nb          in a notebook
from zooop_nb import Studio in Python
"""

from typing import TYPE_CHECKING, Any

from zooop_nb._version import __version__

if TYPE_CHECKING:
    from zooop_nb.errors import ZooopError as ZooopError
    from zooop_nb.orders.estimate import Estimate as Estimate
    from zooop_nb.results.values import Described as Described
    from zooop_nb.results.values import Gallery as Gallery
    from zooop_nb.results.values import Output as Output
    from zooop_nb.results.values import Quoted as Quoted
    from zooop_nb.results.values import Result as Result
    from zooop_nb.results.values import Upload as Upload
    from zooop_nb.settings import Settings as Settings
    from zooop_nb.studio import Studio as Studio
    from zooop_nb.tasks.task import Task as Task
    from zooop_nb.tasks.task import Tasks as Tasks


# Imported on first use, so that loading the extension imports next to nothing.
_NAMES = {
    "Described": "zooop_nb.results.values",
    "Estimate": "zooop_nb.orders.estimate",
    "Gallery": "zooop_nb.results.values",
    "Output": "zooop_nb.results.values",
    "Quoted": "zooop_nb.results.values",
    "Result": "zooop_nb.results.values",
    "Settings": "zooop_nb.settings",
    "Studio": "zooop_nb.studio",
    "Task": "zooop_nb.tasks.task",
    "Tasks": "zooop_nb.tasks.task",
    "Upload": "zooop_nb.results.values",
    "ZooopError": "zooop_nb.errors",
}
__all__ = ["__version__", *_NAMES, "load_ipython_extension", "unload_ipython_extension"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        from zooop_nb import late

        return getattr(late.module(_NAMES[name]), name)
    raise AttributeError(f"module 'zooop_nb' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext zooop_nb`."""
    from zooop_nb.notebook import extension

    extension.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext zooop_nb`: removes everything again."""
    from zooop_nb.notebook import extension

    extension.unload(shell)
