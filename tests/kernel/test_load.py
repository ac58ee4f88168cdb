"""Loading imports next to nothing; unloading takes everything out again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.kernel import Kernel
from tests.support.sandbox_harness import SandboxHarness
from tests.support.waiting import until

HEAVY = {
    "pandas",
    "httpx",
    "ipywidgets",
    "anywidget",
    "pydantic",
    "msgspec",
    "PIL",
    "numpy",
    "sqlite3",
    "stamina",
    "anyio",
}
STATE = """
import sys
def state(shell=get_ipython()):
    return {
        "line": sorted(shell.magics_manager.magics["line"]),
        "cell": sorted(shell.magics_manager.magics["cell"]),
        "registry": sorted(shell.magics_manager.registry),
        "transformers": [repr(each) for each in shell.input_transformers_cleanup],
        "matchers": [repr(each) for each in shell.Completer.custom_matchers],
        "configurables": sorted(type(each).__name__ for each in shell.configurables),
        "events": {name: [repr(each) for each in calls] for name, calls in shell.events.callbacks.items()},
        "names": sorted(name for name in shell.user_ns if not name.startswith("_")),
    }
"""


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel without the extension, without key and host."""
    with Kernel({"ZOOOP_NB_HOME": str(tmp_path_factory.mktemp("home"))}) as kernel:
        yield kernel


def test_loading_imports_nothing_heavy_and_asks_no_network(bare: Kernel) -> None:
    bare.ok(
        "import sys, socket\nbefore = set(sys.modules)\n%load_ext zooop_nb\nnew = set(sys.modules) - before"
    )
    tops = bare.value("{name.partition('.')[0] for name in new}")
    assert tops & HEAVY == set()
    assert bare.value("len(new)") < 60


def test_unloading_takes_everything_out_and_ends_the_sandbox(bare: Kernel) -> None:
    # Whatever comes first makes IPython load its own magics for extensions.
    bare.ok("%load_ext storemagic")
    bare.ok(STATE)
    before = bare.value("state()")
    bare.ok("%load_ext zooop_nb")
    assert bare.value("state()") != before
    bare.ok("%zooop sandbox speed=0")
    bare.ok("hero = %zooop image -m flash a red panda")
    children = bare.value("[each.pid for each in __import__('psutil').Process().children()]")
    assert len(children) == 1
    bare.ok("del hero")
    bare.ok("%unload_ext zooop_nb")
    assert bare.value("state()") == before
    assert not any(running(pid) for pid in children)
    assert "not found" in bare.run("%zooop me").text


def test_it_can_be_loaded_again_and_picks_up_what_was_under_way(
    slow_sandbox: SandboxHarness, start_kernel: Callable[..., Kernel]
) -> None:
    kernel = start_kernel(slow_sandbox.url)
    kernel.ok("task = %zooop image -m flash --background a panda that outlives the extension")
    until(lambda: len(slow_sandbox.tasks) == 1)
    kernel.ok("%unload_ext zooop_nb")
    kernel.ok("%load_ext zooop_nb")
    cell = kernel.send("r = %zooop resume\nr[0].status")
    kernel.wait(lambda: bool(cell.of("display_data")) or cell.done)
    slow_sandbox.advance()
    assert kernel.finish(cell).result["text/plain"] == "'succeeded'", cell.everything
    assert len(slow_sandbox.tasks) == 1


def test_settings_are_listed_and_set_by_ipythons_own_config(bare: Kernel) -> None:
    bare.ok("%load_ext zooop_nb")
    assert "Zooop.budget" in bare.ok("%config Zooop").text
    bare.ok("%config Zooop.budget = '12'")
    frame = bare.value("get_ipython().run_line_magic('zooop', 'config').loc['budget'].to_dict()")
    assert (frame["value"], frame["from"]) == ("12", "traitlets")
    bare.ok("%zooop config budget=5")
    frame = bare.value("get_ipython().run_line_magic('zooop', 'config').loc['budget'].to_dict()")
    assert (frame["value"], frame["from"]) == ("5", "config")


def test_the_sandbox_ends_with_its_kernel(bare: Kernel) -> None:
    bare.ok("%load_ext zooop_nb")
    bare.ok("%zooop sandbox speed=0")
    (child,) = bare.value("[each.pid for each in __import__('psutil').Process().children()]")
    assert running(child)
    bare.kill()
    bare.wait(lambda: not running(child))


def test_a_sandbox_of_ones_own_starts_once_and_ends(bare: Kernel) -> None:
    bare.ok("%load_ext zooop_nb")
    assert "No sandbox was running. There is no API key" in bare.ok("%zooop sandbox off").everything
    for line, said in [
        ("%zooop sandbox on", "takes off, or nothing, not “on”"),
        ("%zooop sandbox speed=fast", "0 or more, not “fast”"),
        ("%zooop sandbox speed=nan", "0 or more, not “nan”"),
    ]:
        assert said in "".join(bare.run(line).error["traceback"])
    assert "without a token and at no cost" in bare.ok("%zooop sandbox speed=0").everything
    host = "get_ipython().run_line_magic('zooop', 'config').loc['host', 'value']"
    first = bare.value(host)
    bare.ok("%zooop sandbox")
    assert bare.value(host) == first, "the one that runs is kept"
    bare.ok("%zooop image -m flash a red panda")
    assert "The sandbox has ended. There is no API key" in bare.ok("%zooop sandbox off").everything
    assert bare.run("%zooop image -m flash a red panda").error["ename"] == "MissingKey"


def running(pid: int) -> bool:
    """Whether a process is there, and not only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
