"""The outage diagnosis: ZOOOP is blamed only if its site is up while the API keeps failing.

Only loopback is contacted: a server of the test stands in for ZOOOP's site.
"""

import os
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import MAIN
from tests.contract.test_client import Witness
from zooop_nb import settings as settings_
from zooop_nb.cli import main
from zooop_nb.client.diagnosis import Finding, Verdict
from zooop_nb.doctor import Diagnosis, examine
from zooop_nb.errors import python_words
from zooop_nb.ledger import Ledger
from zooop_nb.settings import Settings


@pytest.fixture
def site() -> Iterator[Callable[..., Witness]]:
    """`site(200)`: stand in for ZOOOP's site with a server that responds with this status."""
    made: list[Witness] = []

    def start(status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"ZOOOP") -> Witness:
        made.append(Witness(status, headers or {}, body))
        return made[-1]

    yield start
    for each in made:
        each.shutdown()
        each.server_close()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that no server listens on, reserved for the length of the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def look(settings_of: Callable[..., Settings], reset: None) -> Callable[..., Diagnosis]:
    """`look(token, site=..., host=...)`: run the diagnosis with these settings."""

    def run(token: str = MAIN, site: str | None = None, **call: object) -> Diagnosis:
        return examine(lambda: settings_of(token, **call), site=site)

    return run


def by_name(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {each.name: each for each in diagnosis.findings}


def test_on_a_sandbox_all_is_well_and_no_site_is_asked(look: Callable[..., Diagnosis]) -> None:
    diagnosis = look()
    assert (diagnosis.verdict, diagnosis.ok) == (Verdict.ALL_WELL, True)
    found = by_name(diagnosis)
    assert "site" not in found
    assert found["token at the API"].detail == "accepted: personal wallet, 1000 credits."
    assert found["ledger"].detail.endswith("MB; WAL; quick check passed.")
    assert "zooop-nb" in found["versions"].detail
    assert all(each.ok for each in diagnosis.findings)
    lines = diagnosis.lines()
    assert lines[0] == "All well."
    assert len(lines) == len(diagnosis.findings) + 1
    assert not any("127.0.0.1" in line or MAIN in line for line in lines)


def test_the_site_and_the_text_are_asked_without_the_token_and_me_with_it(
    look: Callable[..., Diagnosis], site: Callable[..., Witness]
) -> None:
    zooop, api = site(), site(200, {"content-type": "text/plain"}, b"# ZOOOP")
    look(site=zooop.url, host=api.url)
    [asked] = zooop.seen
    assert not any(MAIN in value for value in asked.values())
    told = [any(MAIN in value for value in headers.values()) for headers in api.seen]
    assert sorted(told) == [False, True]


@pytest.mark.parametrize("do", [{"status": 503}, {"status": 502}, {"status": 521}, "drop_before"], ids=str)
def test_it_is_them_where_the_site_is_up_and_the_api_keeps_failing(
    look: Callable[..., Diagnosis], site: Callable[..., Witness], faults: Callable[..., None], do: object
) -> None:
    faults({"path": "/llms.txt", "do": do, "times": None}, {"path": "/v1/*", "do": do, "times": None})
    diagnosis = look(site=site(200).url)
    assert diagnosis.verdict is Verdict.IT_IS_THEM
    assert not diagnosis.ok
    assert diagnosis.lines()[0].startswith("It is them")


def test_two_failures_and_then_an_answer_are_no_outage(
    look: Callable[..., Diagnosis], site: Callable[..., Witness], faults: Callable[..., None]
) -> None:
    faults(
        {"path": "/llms.txt", "do": {"status": 503}, "times": 2},
        {"path": "/v1/me", "do": "drop_before", "times": 2},
    )
    assert look(site=site(200).url).verdict is Verdict.ALL_WELL


def test_a_rate_limit_of_an_hour_is_a_finding_and_is_not_waited_for(
    look: Callable[..., Diagnosis], site: Callable[..., Witness], faults: Callable[..., None]
) -> None:
    faults({"path": "/v1/me", "do": {"status": 429, "code": "rate_limited", "retryAfter": 3600}})
    finding = by_name(look(site=site(200).url))["token at the API"]
    assert not finding.ok
    assert finding.detail == "The API allows the next request in 3600 s only."


def test_it_is_you_where_neither_answers(look: Callable[..., Diagnosis], nowhere: str) -> None:
    diagnosis = look(site=nowhere, host=nowhere)
    assert diagnosis.verdict is Verdict.IT_IS_YOU
    assert python_words(by_name(diagnosis)["site"].remedies) == "Check your network, proxy and DNS."


def test_a_site_that_is_away_is_only_worth_knowing_while_the_api_answers(
    look: Callable[..., Diagnosis], nowhere: str
) -> None:
    diagnosis = look(site=nowhere)
    assert diagnosis.verdict is Verdict.ALL_WELL
    assert by_name(diagnosis)["site"].ok is None


def test_a_site_that_redirects_or_wants_a_browser_is_up(
    look: Callable[..., Diagnosis], site: Callable[..., Witness], nowhere: str
) -> None:
    elsewhere = site()
    for zooop in (site(301, {"location": elsewhere.url}), site(403)):
        assert look(site=zooop.url, host=nowhere).verdict is Verdict.IT_IS_THEM
    assert elsewhere.seen == []


def test_a_site_with_trouble_of_its_own_is_not_up(
    look: Callable[..., Diagnosis], site: Callable[..., Witness], nowhere: str
) -> None:
    zooop = site(502)
    assert look(site=zooop.url, host=nowhere).verdict is Verdict.IT_IS_YOU
    assert len(zooop.seen) == 3


def test_a_sandbox_that_does_not_run_is_yours(look: Callable[..., Diagnosis], nowhere: str) -> None:
    diagnosis = look(host=nowhere)
    assert diagnosis.verdict is Verdict.IT_IS_YOU
    assert "python -m zooop_nb sandbox" in python_words(by_name(diagnosis)["api"].remedies)


def test_another_server_at_the_hosts_address_is_yours(
    look: Callable[..., Diagnosis], site: Callable[..., Witness]
) -> None:
    diagnosis = look(site=site(200).url, host=site(404, {}, b"no such page").url)
    assert python_words(by_name(diagnosis)["api"].remedies).startswith("Check ZOOOP_API_HOST")
    assert not diagnosis.ok


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("zpk_test_nobody", "https://zooop.ai/user#apiKeys"),
        ("zpk_test_revoked", "https://zooop.ai/user#apiKeys"),
        ("zpk_test_unbound", "its project was deleted"),
    ],
)
def test_a_token_that_cannot_be_used_is_yours(
    look: Callable[..., Diagnosis], site: Callable[..., Witness], token: str, said: str
) -> None:
    diagnosis = look(token, site=site(200).url)
    assert diagnosis.verdict is Verdict.IT_IS_YOU
    finding = by_name(diagnosis)["token at the API"]
    assert finding.ok is False
    assert said in f"{finding.detail} {python_words(finding.remedies)}"
    assert token not in "".join(diagnosis.lines())


def test_without_a_token_the_api_is_asked_and_the_token_is_what_is_missing(
    sandbox: Any, clean_settings: Path
) -> None:
    diagnosis = examine(
        lambda: settings_.load(call={"host": sandbox.url, "home": clean_settings}, environ={})
    )
    assert diagnosis.verdict is Verdict.IT_IS_YOU
    found = by_name(diagnosis)
    assert found["api"].ok
    assert "token at the API" not in found
    assert "ZOOOP_API_KEY" in python_words(found["token"].remedies)


def test_a_token_of_an_unusual_form_is_worth_knowing_and_the_api_decides(
    look: Callable[..., Diagnosis],
) -> None:
    found = by_name(look("abc"))
    assert found["token"].ok is None
    assert found["token at the API"].ok is False
    whole = by_name(look("zpk_" + "live_" + "a" * 32))
    assert whole["token"].ok is True


def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOOP_NB_BUDGET", "plenty")
    diagnosis = examine(settings_.load)
    assert diagnosis.verdict is Verdict.IT_IS_YOU
    assert "plenty" in by_name(diagnosis)["settings"].detail


def test_a_ledger_that_cannot_be_opened_is_yours(look: Callable[..., Diagnosis], tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"this is no database, and it is long enough to be looked at" * 40)
    finding = by_name(look(ledger=broken))["ledger"]
    assert finding.ok is False
    assert str(broken) in finding.detail


def test_a_damaged_ledger_is_yours_and_what_was_set_aside_is_named_from_then_on(
    look: Callable[..., Diagnosis], tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    # A page of an index, which no statement of an opening reads.
    with closing(sqlite3.connect(path)) as db:
        page = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND name = 'orders_by_task'"
        ).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    finding = by_name(look(ledger=path))["ledger"]
    assert finding.ok is False
    assert "damaged" in finding.detail
    finding = by_name(look(ledger=path))["ledger"]
    assert finding.ok is None
    assert "quick check passed; set aside beside it: ledger.damaged-" in finding.detail


def test_a_folder_that_cannot_be_written_is_named_with_its_variable(
    look: Callable[..., Diagnosis], tmp_path: Path
) -> None:
    # A file where a directory is needed fails even for the superuser.
    (tmp_path / "file").write_text("")
    finding = by_name(look(media=tmp_path / "file" / "media"))["media"]
    assert finding.ok is False
    assert "ZOOOP_NB_MEDIA" in python_words(finding.remedies)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser writes anywhere")
def test_a_folder_without_leave_to_write_is_named(look: Callable[..., Diagnosis], tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    media.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert by_name(look(media=media))["media"].ok is False


def test_the_command_ends_with_1_where_something_is_wrong_and_with_0_where_not(
    sandbox: Any,
    reset: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    nowhere: str,
) -> None:
    monkeypatch.setenv("ZOOOP_API_HOST", sandbox.url)
    monkeypatch.setenv("ZOOOP_API_KEY", MAIN)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.startswith("All well.\n")
    monkeypatch.setenv("ZOOOP_API_HOST", nowhere)
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("It is you")
    assert said.err == ""
    assert MAIN not in said.out
