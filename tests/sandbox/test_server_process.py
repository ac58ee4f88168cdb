"""The sandbox as a process: how it starts, what it prints, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import zooop_nb.sandbox
from tests.support import samples
from zooop_nb.sandbox.process import SandboxProcess, SandboxStartError
from zooop_nb.sandbox.world import WorldError, load_world

COMMAND = [sys.executable, "-m", "zooop_nb.sandbox"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_prints_one_line_when_it_is_ready_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    process = start()
    said = ready(process)
    assert set(said) == {"url", "token"}
    assert said["token"].startswith("zpk_test_")
    answer = httpx.get(
        f"{said['url']}/v1/me", headers={"authorization": f"Bearer {said['token']}"}, timeout=60
    )
    assert answer.json()["user"] == {"creditBalance": 10000}
    process.send_signal(number)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_stops_when_its_stdin_closes() -> None:
    process = start("--until-eof", "--token", "zpk_test_mine")
    assert ready(process)["token"] == "zpk_test_mine"
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0


def test_takes_all_its_files_off_the_disk_even_where_its_end_cuts_a_clip_short(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True, env=environment)
    said = ready(process)
    assert list(tmp_path.glob("zooop-sandbox-*"))
    with httpx.Client(
        base_url=said["url"], headers={"authorization": f"Bearer {said['token']}"}, timeout=60
    ) as client:
        models = client.get("/v1/models", params={"type": "video", "subtype": "text-ref"}).json()["models"]
        body = {"interfaceId": models[0]["id"], "versionId": "standard", "params": {"prompt": "a red panda"}}
        task_id = client.post("/v1/tasks", json=body).json()["taskId"]
        while client.get(f"/v1/tasks/{task_id}").json()["status"] != "running":
            time.sleep(0.01)
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert not list(tmp_path.iterdir())


def test_refuses_the_control_plane_on_an_open_address() -> None:
    ended = run("--control", "--host", "0.0.0.0")
    assert ended.returncode == 2
    assert "0.0.0.0 is not a loopback address" in ended.stderr


def test_the_help_says_how_to_begin_from_other_languages_for_a_class_and_for_tests() -> None:
    said = run("--help").stdout
    assert max(map(len, said.splitlines())) <= 110
    for word in ("zpk_test_", "curl", "ZOOOP_API_HOST", "0.0.0.0", "--world", "/_sandbox/", "made up"):
        assert word in said


def test_a_class_has_a_budget_each_and_is_served_on_every_network(tmp_path: Path) -> None:
    """Use the world file from the README."""
    readme = Path(zooop_nb.sandbox.__file__).with_name("README.md").read_text("utf-8")
    world = readme.partition("## For a class")[2].partition("```json")[2].partition("```")[0]
    file = tmp_path / "class.json"
    file.write_text(world)
    process = start("--host", "0.0.0.0", "--world", str(file), "--until-eof")
    said = ready(process)
    assert said["url"].startswith("http://127.0.0.1:")
    assert said["token"] == "zpk_test_teacher"
    # Connect as another machine would: by a host name that the sandbox did not print.
    by_name = said["url"].replace("127.0.0.1", "localhost")
    for student in ("zpk_test_ada", "zpk_test_grace"):
        headers = {"authorization": f"Bearer {student}"}
        me = httpx.get(f"{by_name}/v1/me", headers=headers, timeout=60).json()
        assert (me["user"]["creditBalance"], me["key"]["dailyCreditCap"]) == (500, 100)
        data = samples.picture()
        sent = httpx.post(
            f"{by_name}/v1/uploads",
            content=data,
            headers={**headers, "content-type": "image/png"},
            timeout=60,
        )
        assert sent.json()["url"].startswith(f"{by_name}/")
        assert httpx.get(sent.json()["url"], timeout=60).content == data
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0


def test_says_which_port_it_could_not_have() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--port", str(port))
    assert ended.returncode == 1
    assert f"port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("speed", ["-1", "inf", "nan"])
def test_refuses_a_speed_that_is_none(speed: str) -> None:
    ended = run(f"--speed={speed}")
    assert ended.returncode == 2
    assert "--speed" in ended.stderr


@pytest.mark.parametrize(
    ("world", "named"),
    [
        (
            '{"tokens": [{"token": "zpk_test_a", "dailyCp": 1}]}',
            "tokens[0]: Object contains unknown field `dailyCp`",
        ),
        ('{"tokens": [{"token": "zpk_test_a", "dailyCap": -1}]}', "tokens[0].dailyCap"),
        ('{"tokens": [{"label": "x"}]}', "tokens[0]: Object missing required field `token`"),
        ('{"tokens": [{"token": "zpk_test_a"}, {"token": "zpk_test_a"}]}', "tokens: the same token"),
        (
            '{"tokens": [{"token": "zpk_test_a", "user": "u9"}]}',
            "tokens[0].user: there is no 'u9' under users",
        ),
        ('{"tokens": [{"token": "zpk_test_a", "kind": "team"}]}', "tokens[0].team: is missing"),
        ('{"tokens": [{"token": "zpk_test_a", "team": "t"}]}', "tokens[0].team: there is no 't' under teams"),
        (
            '{"teams": [{"id": "t"}], "tokens": [{"token": "zpk_test_a", "team": "t", "kind": "personal"}]}',
            "tokens[0].team: a personal token has none",
        ),
        (
            '{"users": [{"id": "u"}], "tokens": [{"token": "zpk_test_a", "user": "u", "balance": 1}]}',
            "tokens[0].balance: stands with the user",
        ),
        ('{"users": [{"id": "u"}, {"id": "u"}]}', "users[1].id"),
        ('{"users": [{"id": "a/b"}]}', "users[0].id"),
        ('{"now": "2026-05-15T10:00:00"}', "now:"),
        ('{"failingModels": ["Pikka"]}', "failingModels[0]: the catalogue has no model 'Pikka'"),
        ('{"limits": {"tasks": 0}}', "limits.tasks"),
        ("{tokens}", "is not JSON"),
        ("[]", "Expected `object`"),
    ],
)
def test_names_the_key_of_a_world_file_that_cannot_be_used(tmp_path: Path, world: str, named: str) -> None:
    file = tmp_path / "world.json"
    file.write_text(world)
    with pytest.raises(WorldError) as refused:
        load_world(file, known_models={"Pika 2.2"})
    assert named in str(refused.value)


def test_a_world_file_that_cannot_be_used_ends_the_start_with_2_and_one_line(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    file.write_text('{"failingModels": ["Pikka"]}')
    ended = run("--world", str(file))
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        2,
        "",
        "zooop-nb sandbox: failingModels[0]: the catalogue has no model 'Pikka'\n",
    )


def test_says_that_a_world_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"none\.json cannot be read"):
        load_world(tmp_path / "none.json", known_models=())


def test_the_token_of_the_command_line_comes_first_and_is_let_in_beside_the_worlds(tmp_path: Path) -> None:
    with SandboxProcess.start(
        token="zpk_test_extra", world={"tokens": [{"token": "zpk_test_one", "balance": 5}]}
    ) as sandbox:
        assert sandbox.token == "zpk_test_extra"
        for token, balance in (("zpk_test_extra", 10000), ("zpk_test_one", 5)):
            me = httpx.get(
                f"{sandbox.url}/v1/me", headers={"authorization": f"Bearer {token}"}, timeout=60
            ).json()
            assert me["user"]["creditBalance"] == balance


def test_without_the_flag_there_is_no_control_plane() -> None:
    with SandboxProcess.start(world={}) as sandbox:
        assert httpx.get(f"{sandbox.url}/_sandbox/books", timeout=60).status_code == 404


def test_a_sandbox_is_not_hit_by_an_interrupt_meant_for_its_parents_group() -> None:
    with SandboxProcess.start() as sandbox:
        assert os.getpgid(sandbox._process.pid) != os.getpgid(0)


def test_a_sandbox_ends_with_the_process_that_started_it() -> None:
    script = (
        "from zooop_nb.sandbox.process import SandboxProcess; import os, signal\n"
        "sandbox = SandboxProcess.start()\n"
        "print(sandbox._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    child = int(parent.stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _running(child):
        time.sleep(0.05)
    assert not _running(child)


def _running(pid: int) -> bool:
    """Return whether the process is running; a zombie is not."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_start_that_fails_raises_what_the_sandbox_said() -> None:
    with pytest.raises(SandboxStartError, match=r"tokens\[0\]\.balance"):
        SandboxProcess.start(world={"tokens": [{"token": "zpk_test_a", "balance": "much"}]})


def test_the_process_module_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); import zooop_nb.sandbox.process\n"
        "print([name for name in set(sys.modules) - before\n"
        "       if name.split('.')[0] not in sys.stdlib_module_names and not name.startswith('zooop_nb')])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_a_sandbox_is_ready_before_anything_is_imported_that_only_making_media_needs() -> None:
    script = (
        "import sys; import zooop_nb.sandbox.serve as serve; serve.load()\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} &\n"
        "             {'av', 'numpy', 'PIL', 'vtracer', 'espeakng_loader', 'jsonschema', 'httpx'}))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_stop_says_how_it_ended_and_may_be_called_twice() -> None:
    sandbox = SandboxProcess.start()
    assert sandbox.alive
    assert sandbox.stop() == 0
    assert sandbox.stop() == 0
    assert not sandbox.alive
