"""TAB in a real kernel, over the protocol, with the catalogue of a real sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from zooop_nb.sandbox.process import SandboxProcess

SECONDS = 60.0
WATCHING = """
import sys
connected = []
sys.addaudithook(lambda event, what: connected.append(what) if event in
                 ("socket.connect", "socket.getaddrinfo") else None)
class Hero:
    credits = 3
hero, heroine, _hero, row = Hero(), 2, 3, {"first": 1}
"""


class Reply(NamedTuple):
    """What a `complete_reply` says."""

    start: int
    end: int
    matches: list[str]
    types: list[str]


class Kernel:
    """A kernel with the extension in it."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, code: str) -> str:
        """Run a cell, which must succeed; returns what it printed."""
        printed: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self._client.execute_interactive(code, timeout=SECONDS, output_hook=hear, allow_stdin=False)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed)

    def tab(self, code: str) -> Reply:
        """TAB where `|` stands."""
        cursor = code.index("|")
        reply = self._client.complete(code.replace("|", "", 1), cursor, reply=True, timeout=SECONDS)
        content = reply["content"]
        assert content["status"] == "ok"
        types = content["metadata"].get("_jupyter_types_experimental", [])
        return Reply(
            content["cursor_start"],
            content["cursor_end"],
            content["matches"],
            [each["type"] for each in types],
        )

    def becomes(self, code: str) -> list[str]:
        """The cell with each match put in as a front end puts it."""
        reply, cell = self.tab(code), code.replace("|", "", 1)
        assert reply.end == code.index("|")
        return [cell[: reply.start] + each + cell[reply.end :] for each in reply.matches]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(speed=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def start(
    sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Kernel]]:
    """Starts kernels that share one home, each with the extension loaded."""
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "panda.png").touch()
    (folder / "my pics").mkdir()
    (folder / "my pics" / "panda.png").touch()
    env = {
        **os.environ,
        "ZOOOP_NB_HOME": str(folder / "home"),
        "ZOOOP_API_HOST": sandbox.url,
        "ZOOOP_API_KEY": sandbox.token,
    }
    managers = []

    def begin() -> Kernel:
        manager, client = start_new_kernel(env=env, cwd=str(folder), startup_timeout=SECONDS)
        managers.append((manager, client))
        kernel = Kernel(client)
        kernel.run(f"{WATCHING}\n%load_ext zooop_nb")
        return kernel

    yield begin
    for manager, client in managers:
        client.stop_channels()
        manager.shutdown_kernel(now=False)


@pytest.fixture(scope="module")
def kernel(start: Callable[[], Kernel]) -> Kernel:
    """A kernel that has looked at the models of images and at the tools."""
    kernel = start()
    kernel.run("%zooop models image\n%zooop tools")
    return kernel


@pytest.mark.parametrize(
    ("cell", "becomes"),
    [
        ("%zooop im|", "%zooop image"),
        ("%%zooop im|\na red panda", "%%zooop image\na red panda"),
        ("r = %zooop im|", "r = %zooop image"),
        ("zooop im|", "zooop image"),
        ("%zooop quote im|", "%zooop quote image"),
        ("x = 1\nif x:\n    r = %zooop im|\nprint(r)", "x = 1\nif x:\n    r = %zooop image\nprint(r)"),
        ("%zooop image a red panda --mod|", "%zooop image a red panda --model"),
        ("%zooop image é🐼 --mod|", "%zooop image é🐼 --model"),
        ("%zooop image -m flux2pro|", '%zooop image -m "Flux 2 Pro"'),
        ('%zooop image -m "Nano Banana P|', '%zooop image -m "Nano Banana Pro"'),
        ("%zooop image -V stan|", "%zooop image -V standard"),
        ("%zooop image a red panda qual|", "%zooop image a red panda quality="),
        ("%zooop image quality=hi|", "%zooop image quality=high"),
        ("%zooop image aspect_ratio=16:|", "%zooop image aspect_ratio=16:9"),
        ("%zooop tool background|", "%zooop tool background-removal"),
        ("%zooop tool style-transfer aspect_ratio.|", "%zooop tool style-transfer aspect_ratio.ratio="),
        (
            "%zooop tool background-removal image_url=my|",
            '%zooop tool background-removal image_url="my pics/',
        ),
        (
            '%zooop tool background-removal image_url="my pics/|',
            '%zooop tool background-removal image_url="my pics/panda.png"',
        ),
        ("%zooop config bud|", "%zooop config budget="),
        ("%zooop image {hero.cr|", "%zooop image {hero.credits"),
    ],
)
def test_a_front_end_gets_what_fits_at_the_cursor(kernel: Kernel, cell: str, becomes: str) -> None:
    assert kernel.becomes(cell) == [becomes]


def test_names_with_a_colon_are_replaced_whole(kernel: Kernel) -> None:
    reply = kernel.tab("%zooop image aspect_ratio=9:|")
    assert (reply.start, reply.end, reply.matches) == (26, 28, ["9:16"])


@pytest.mark.parametrize("cell", ["%zooop image a {he|", "%%zooop image\na {he|"])
def test_a_brace_offers_the_users_own_variables(kernel: Kernel, cell: str) -> None:
    reply = kernel.tab(cell)
    assert reply.matches == ["hero", "heroine"]
    assert reply.types == ["variable", "variable"]
    assert kernel.tab(cell.replace("{he", "{get_ip")).matches == []


@pytest.mark.parametrize(
    "cell",
    [
        "%zooop image a hero.cre|",
        "%zooop image print(he|",
        "%zooop image ./pan|",
        "%zooop nothing hero.cre|",
        "%%zooop image\npri|",
        "%%zooop image\na hero.cre|",
    ],
)
def test_pythons_names_and_files_are_kept_out_of_a_prompt(kernel: Kernel, cell: str) -> None:
    assert kernel.tab(cell.replace("zooop", "other")).matches, "IPython has something of its own here"
    assert kernel.tab(cell).matches == []


@pytest.mark.parametrize("cell", ["hero.cre|", "x = 1\nhero.cre|\n%zooop image", "%zooop image\nhero.cre|"])
def test_lines_that_are_not_ours_complete_as_ever(kernel: Kernel, cell: str) -> None:
    assert [each.lstrip(".") for each in kernel.tab(cell).matches] == ["credits"]


def test_the_magics_own_name_is_ipythons_to_complete(kernel: Kernel) -> None:
    assert "%zooop" in kernel.tab("%zoo|").matches


def test_an_order_is_offered_to_show(kernel: Kernel) -> None:
    order = kernel.run("r = %zooop image a red panda --yes;\nprint(r.order_id)").split()[-1]
    assert kernel.becomes(f"%zooop show {order[:4]}|") == [f"%zooop show {order}"]
    assert kernel.tab("%zooop resume |").matches == []
    assert "quality=" in kernel.tab("%zooop again |").matches


def test_unloading_takes_completion_out_and_loading_puts_it_back_once(kernel: Kernel) -> None:
    kernel.run("%unload_ext zooop_nb")
    assert kernel.run("print(get_ipython().Completer.custom_matchers)").strip() == "[]"
    assert "image" not in kernel.tab("%zooop im|").matches
    kernel.run("%load_ext zooop_nb\n%load_ext zooop_nb")
    assert kernel.run("print(len(get_ipython().Completer.custom_matchers))").strip() == "1"
    assert kernel.tab("%zooop im|").matches == ["image"]


def test_the_network_is_never_asked_not_even_by_a_new_kernel_with_the_server_gone(
    kernel: Kernel, start: Callable[[], Kernel], sandbox: SandboxProcess
) -> None:
    cells = ["%zooop image -m |", "%zooop image -V |", "%zooop image quality=|", "%zooop tool |"]
    assert kernel.run("print(connected != [])").strip() == "True"
    kernel.run("connected.clear()")
    before = [kernel.tab(cell) for cell in cells]
    assert all(reply.matches for reply in before)
    assert kernel.run("print(connected)").strip() == "[]"
    sandbox.stop()
    assert [kernel.tab(cell) for cell in cells] == before
    fresh = start()
    assert [fresh.tab(cell) for cell in cells] == before
    assert fresh.tab("%zooop speech -m |").matches == []
    assert fresh.run("print(connected)").strip() == "[]"


def test_help_lists_the_params_of_the_model_from_the_cache_alone(kernel: Kernel) -> None:
    kernel.run("connected.clear()")
    cached = kernel.run("%zooop image?")
    assert cached.startswith("%zooop image WORDS")
    _, params = cached.split("Params of GPT Image 2.0:\n")
    assert [line for line in params.splitlines() if line.startswith("  prompt ")]
    assert "1:1, " in next(line for line in params.splitlines() if line.startswith("  aspect_ratio "))
    # No list of videos was ever requested, and help does not request it.
    uncached = kernel.run("%zooop video?")
    assert uncached.startswith("%zooop video WORDS")
    assert "Params of" not in uncached
    assert kernel.run("print(connected)") == "[]\n"


def test_loading_imports_nothing_for_tab_and_tab_nothing_heavy(clean_settings: Path) -> None:
    code = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.completer import provisionalcompleter
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "zooop_nb")
loaded = set(sys.modules)
with provisionalcompleter():
    found = [each.text for line in ("%zooop im", "%zooop image -m ", "%zooop image -")
             for each in shell.Completer.completions(line, len(line))]
print(json.dumps([found, sorted(loaded - before), sorted(set(sys.modules) - before)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found, loaded, after = json.loads(done.stdout.splitlines()[-1])
    assert "image" in found
    assert "--model" in found
    assert not {
        "zooop_nb.notebook.completion.rules",
        "zooop_nb.notebook.completion.matcher",
        "msgspec",
    } & set(loaded)
    assert "zooop_nb.notebook.completion.matcher" in after
    assert not {"httpx", "pandas", "anyio", "ipywidgets", "pydantic"} & set(after)
