"""Reports of gateways: how they prove themselves, and what they say."""

import base64
import hmac
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.http_gateway.callback import read
from core.providers.http_gateway.settings import Callbacks
from core.providers.port import Callback, CallbackAnswer
from tests.support.gateways import JSON_GATEWAY, TEXT_GATEWAY

SECRET = "s3cret"
NOW_MS = 1_767_225_600_000
STAMP = str(NOW_MS // 1_000)
REPORT = {"biz_id": "9", "out_id": "m.1.2", "err_code": "DELIVERED"}


def described(base: dict[str, Any], **changes: Any) -> Callbacks:
    return msgspec.convert({**base["callbacks"], **changes}, Callbacks)


def signature(body: bytes, stamp: str = STAMP, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, sha256).hexdigest()


def posted(said: Any, how: Callbacks | None = None, **headers: str) -> CallbackAnswer:
    body = said if isinstance(said, bytes) else msgspec.json.encode(said)
    sent = {"x-gateway-timestamp": STAMP, "x-gateway-signature": signature(body)}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    callback = Callback("POST", "/v1/receipts/gw", sent, body)
    return read(callback, how or described(JSON_GATEWAY), SECRET, NOW_MS)


def asked(**fields: str) -> CallbackAnswer:
    query = urlencode({"ref": "m.1.2", "id": "9", "status": "1", "secret": SECRET, **fields})
    callback = Callback("GET", f"/v1/receipts/gw?{query}", {}, b"")
    return read(callback, described(TEXT_GATEWAY), SECRET, NOW_MS)


def test_a_signed_list_is_taken_and_answered_as_the_gateway_wants() -> None:
    answer = posted([REPORT, {**REPORT, "biz_id": 10, "err_code": "TELEPORTED"}])
    assert (answer.status, answer.body) == (200, b'{"code":0,"msg":"OK"}')
    assert answer.content_type == "application/json"
    told = [(each.provider_id, each.status, each.code, each.ref) for each in answer.receipts]
    assert told == [("9", "delivered", "", "m.1.2"), ("10", "unknown", "TELEPORTED", "m.1.2")]


def test_a_report_may_be_a_single_one_or_lie_deeper() -> None:
    assert len(posted(REPORT).receipts) == 1
    deeper = described(JSON_GATEWAY, reports="/data/reports")
    assert len(posted({"data": {"reports": [REPORT, REPORT]}}, deeper).receipts) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"x_gateway_signature": ""},
        {"x_gateway_signature": "00"},
        {"x_gateway_signature": "not hex"},
        {"x_gateway_signature": signature(msgspec.json.encode([REPORT]), secret="other")},
        {"x_gateway_timestamp": ""},
        {"x_gateway_timestamp": "1e9"},
        {"x_gateway_timestamp": "²"},
        {"x_gateway_timestamp": str(int(STAMP) + 1)},  # not the one that was signed
    ],
)
def test_of_a_wrong_signature_nothing_is_taken(headers: dict[str, str]) -> None:
    answer = posted([REPORT], **headers)
    assert (answer.status, answer.receipts) == (403, ())


@pytest.mark.parametrize(("off_s", "status"), [(-301, 403), (-300, 200), (300, 200), (301, 403)])
def test_an_old_signature_is_refused(off_s: int, status: int) -> None:
    body = msgspec.json.encode([REPORT])
    stamp = str(int(STAMP) + off_s)
    answer = posted(body, x_gateway_timestamp=stamp, x_gateway_signature=signature(body, stamp))
    assert answer.status == status


def test_a_signature_of_the_body_alone_in_base64_behind_a_prefix() -> None:
    how = described(
        JSON_GATEWAY,
        verification={
            "kind": "hmac_sha256",
            "name": "X-Sig",
            "prefix": "sha256=",
            "encoding": "base64",
        },
    )
    body = msgspec.json.encode(REPORT)
    right = base64.b64encode(hmac.new(SECRET.encode(), body, sha256).digest()).decode()
    assert posted(body, how, x_sig=f"sha256={right}").status == 200
    assert posted(body, how, x_sig=right).status == 403
    assert posted(body, how, x_sig="sha256=!").status == 403


def test_a_secret_in_a_header() -> None:
    verification = {"kind": "header", "name": "Authorization", "prefix": "Bearer "}
    how = described(JSON_GATEWAY, verification=verification)
    assert posted(REPORT, how, authorization=f"Bearer {SECRET}").status == 200
    assert posted(REPORT, how, authorization=SECRET).status == 403
    assert posted(REPORT, how).status == 403


def test_reports_by_get() -> None:
    [receipt] = asked().receipts
    assert (receipt.provider_id, receipt.status, receipt.ref) == ("9", "delivered", "m.1.2")
    assert asked(secret="guess").status == 403
    assert asked(status="2").receipts[0].status == "failed"


def test_a_form_is_read_too() -> None:
    how = described(JSON_GATEWAY, form="form", status="/st", verification={"kind": "none"})
    assert posted(urlencode({"biz_id": "9", "st": "DELIVERED"}).encode(), how).receipts
    assert posted(b"\xff", how).status == 400


def test_without_an_id_the_attempts_name_serves() -> None:
    [receipt] = posted({"out_id": "m.1.2", "err_code": "SENT"}).receipts
    assert (receipt.provider_id, receipt.ref, receipt.status) == ("m.1.2", "m.1.2", "accepted")
    assert posted({"err_code": "SENT"}).receipts == ()
    assert posted({"biz_id": "a,b", "err_code": "SENT"}).receipts == ()


@pytest.mark.parametrize("said", [b"", b"{", b"[1]", [REPORT, None], "x", b"[" * 1_000, b"\xff"])
def test_of_what_cannot_be_read_no_half_is_taken(said: Any) -> None:
    answer = posted(said)
    assert (answer.status, answer.receipts) == (400, ())


def test_a_list_has_a_bound() -> None:
    how = described(JSON_GATEWAY, reports_max=2)
    assert posted([REPORT] * 2, how).status == 200
    assert posted([REPORT] * 3, how).status == 413


def test_an_account_without_a_description_takes_none() -> None:
    callback = Callback("POST", "/v1/receipts/gw", {}, b"[]")
    assert read(callback, None, SECRET, NOW_MS).status == 403
    assert read(callback, described(JSON_GATEWAY), "", NOW_MS).status == 403


@given(st.binary(max_size=200), st.text(max_size=60), st.text(max_size=20))
def test_no_report_breaks_the_reader(body: bytes, query: str, text: str) -> None:
    headers = {"x-gateway-timestamp": text, "x-gateway-signature": text}
    for base in (JSON_GATEWAY, TEXT_GATEWAY):
        answer = read(
            Callback("POST", f"/x?{query}", headers, body), described(base), SECRET, NOW_MS
        )
        assert (answer.status, answer.receipts) in [(400, ()), (403, ())]
