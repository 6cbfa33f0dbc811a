"""The HTTP doors: pages of the history, behaviour, mistakes."""

from typing import Any

import pytest

from core.sandbox.app import Sandbox
from core.sandbox.limits import SandboxLimits
from tests.support.sandbox_clients import Http, SmppClient

SMSC = "/sandbox/behaviour/sandbox-smsc"
GOOD: dict[str, Any] = {
    "down": False,
    "latency_ms": [0.0, 0.0],
    "refuse": {"ratio": 0.0, "as": "temporary"},
    "reset_after_body": 0.0,
    "hang": 0.0,
    "receipt": {"none": 0.0, "early": 0.0, "twice": 0.0, "delay_ms": 50, "fail": 0.0},
    "bounce": {
        **dict.fromkeys(("dsn", "delayed", "complaint", "auto_reply", "malformed", "forged"), 0.0),
        "delay_ms": 50,
    },
    "id_notation": "same",
}


async def test_the_index_tells_how_to_connect(box: Sandbox, http: Http) -> None:
    for path in ("/", "/sandbox"):
        status, index = await http.ask("GET", path)
        assert status == 200
        ports = {each["name"]: (each["wire"], each["port"]) for each in index["providers"]}
        assert ports == {
            "sandbox-smsc": ("smpp", box.smpp_port),
            "sandbox-smtp": ("smtp", box.smtp_port),
            "sandbox-sms-http": ("sms-http", box.sms_http_port),
            "sandbox-gateway": ("http-gateway", box.gateway_port),
            "sandbox-webhook": ("webhook", box.webhook_port),
        }
    assert (await http.ask("GET", "/livez"))[0] == 200


async def test_history_by_pages(box: Sandbox, http: Http) -> None:
    client = await SmppClient.connect(box.smpp_port)
    pdus = [client.message(f"{n}", registered_delivery=0) for n in range(1, 131)]
    client.send(*(pdu for _, pdu in pdus))
    await client.answer(pdus[-1][0])
    status, page = await http.ask("GET", "/sandbox/history")
    assert status == 200
    assert [entry["seq"] for entry in page["data"]] == list(range(1, 101))
    assert page["next"] == 100
    _, page = await http.ask("GET", "/sandbox/history?after=100")
    assert [entry["text"] for entry in page["data"]] == [f"{n}" for n in range(101, 131)]
    _, page = await http.ask("GET", "/sandbox/history?after=65&limit=2")
    assert [entry["seq"] for entry in page["data"]] == [66, 67]
    _, page = await http.ask("GET", "/sandbox/history?after=0&limit=999999")
    assert len(page["data"]) == 130
    for after in (130, 5000):
        _, page = await http.ask("GET", f"/sandbox/history?after={after}")
        assert page == {"data": [], "next": after}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=1.5", "after=9e9"])
async def test_numbers_that_are_none(http: Http, query: str) -> None:
    status, problem = await http.ask("GET", f"/sandbox/history?{query}")
    assert (status, problem["code"]) == (400, "invalid_request")
    assert problem["errors"][0]["pointer"] == "?" + query.partition("=")[0]
    assert problem["errors"][0]["hint"]


async def test_behaviour_is_shown_changed_key_by_key_and_restored(http: Http) -> None:
    assert await http.ask("GET", SMSC) == (200, GOOD)
    changed = await http.behave("sandbox-smsc", receipt={"none": 0.5}, latency_ms=[1, 2.5])
    assert changed == {**GOOD, "latency_ms": [1, 2.5], "receipt": {**GOOD["receipt"], "none": 0.5}}
    changed = await http.behave("sandbox-smsc", receipt={"delay_ms": 7}, hang=1)
    assert changed["receipt"] == {**GOOD["receipt"], "none": 0.5, "delay_ms": 7}
    assert (changed["hang"], changed["latency_ms"]) == (1, [1, 2.5])
    assert await http.ask("GET", SMSC) == (200, changed)
    # What is shown can be put back as it is.
    assert await http.ask("PUT", SMSC, changed) == (200, changed)
    _, shown = await http.ask("GET", "/sandbox/behaviour")
    assert shown["sandbox-smsc"] == changed
    assert shown["sandbox-smtp"] == GOOD
    assert await http.ask("DELETE", SMSC) == (200, GOOD)
    assert await http.ask("GET", SMSC) == (200, GOOD)


@pytest.mark.parametrize(
    ("body", "code", "pointer", "hint"),
    [
        ({"dwon": True}, "invalid_request", "/dwon", "Did you mean `down`?"),
        ({"down": 1}, "invalid_request", "/down", "Write true or false."),
        ({"hang": 1.5}, "invalid_request", "/hang", "from 0 to 1"),
        ({"reset_after_body": -1}, "invalid_request", "/reset_after_body", "from 0 to 1"),
        ({"latency_ms": 5}, "invalid_request", "/latency_ms", "two numbers"),
        ({"latency_ms": [1]}, "invalid_request", "/latency_ms", "two numbers"),
        ({"latency_ms": [1, "2"]}, "invalid_request", "/latency_ms/1", "two numbers"),
        ({"latency_ms": [9, 1]}, "invalid_request", "/latency_ms", "the median first"),
        ({"refuse": 0.1}, "invalid_request", "/refuse", "Write an object"),
        ({"refuse": {"as": "bad"}}, "invalid_request", "/refuse/as", "invalid_target"),
        ({"refuse": {"ratio": "1"}}, "invalid_request", "/refuse/ratio", "from 0 to 1"),
        ({"receipt": {"delay": 5}}, "invalid_request", "/receipt/delay", "delay_ms"),
        ({"receipt": {"delay_ms": -5}}, "invalid_request", "/receipt/delay_ms", "whole number"),
        ({"receipt": None}, "invalid_request", "/receipt", "Write an object"),
        ({"id_notation": "roman"}, "invalid_request", "/id_notation", "dec_in_receipt"),
        ([], "invalid_request", "", "Write an object"),
        (b"{down}", "bad_json", "", ""),
        (b"", "bad_json", "", ""),
        (b"[" * 1000, "too_deep", "", ""),
    ],
)
async def test_behaviour_that_makes_no_sense_changes_nothing(
    http: Http, body: Any, code: str, pointer: str, hint: str
) -> None:
    status, problem = await http.ask("PUT", SMSC, body)
    assert (status, problem["code"]) == (400, code)
    [error] = problem["errors"]
    assert error["pointer"] == pointer
    assert hint in error["hint"]
    assert error["hint"]
    assert await http.ask("GET", SMSC) == (200, GOOD)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_provider_that_is_not_there(http: Http, method: str) -> None:
    status, problem = await http.ask(method, "/sandbox/behaviour/kannel", {})
    assert (status, problem["code"]) == (404, "not_found")
    assert {"sandbox-smsc", "sandbox-smtp"} <= set(problem["providers"])


async def test_other_mistakes_are_problems_too(http: Http) -> None:
    assert (await http.ask("GET", "/nowhere"))[0] == 404
    assert (await http.ask("POST", SMSC, {}))[0] == 405
    assert (await http.ask("PUT", SMSC, b" " * 70_000))[0] == 413


class TestLimits:
    """With a history that holds little."""

    @pytest.fixture
    def limits(self) -> SandboxLimits:
        return SandboxLimits(
            history_max=20, segment_entries_max=8, page_entries_max=5, page_bytes_max=700
        )

    async def test_the_oldest_entries_go_and_pages_stay_small(
        self, box: Sandbox, http: Http
    ) -> None:
        client = await SmppClient.connect(box.smpp_port)
        for number in range(1, 101):
            await client.submit(f"{number}", registered_delivery=0)
        after, seen = 0, []
        while page := await http.history(after):
            assert len(page) <= 5
            seen += page
            after = page[-1]["seq"]
        numbers = [entry["seq"] for entry in seen]
        assert numbers == list(range(numbers[0], 101))
        assert 20 <= len(numbers) <= 20 + 2 * 8
        assert [entry["text"] for entry in seen] == [f"{number}" for number in numbers]
        await client.submit("x" * 2000, coded=(0, b"x" * 2000), registered_delivery=0)
        await client.submit("short", registered_delivery=0)
        # An entry longer than a page still has one.
        assert [len(entry["text"]) for entry in await http.history(100)] == [2000]
        assert [entry["text"] for entry in await http.history(101)] == ["short"]
