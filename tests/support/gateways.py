"""Two real kinds of gateway, described by settings alone: those of core/providers/README.md."""

from typing import Any

# HTTP 200 whatever happened, the error's code in the body; reports are a signed list by POST.
JSON_GATEWAY: dict[str, Any] = {
    "url": "https://sms.example/gateway/json",
    "auth": {"kind": "header", "header": "X-Api-Key"},
    "fields": {
        "to": "{to}",
        "text": "{text}",
        "ref": "{ref}",
        "report_url": "https://in.example/v1/receipts/gw",
    },
    "success": {"pointer": "/Code", "values": ["OK"]},
    "id": {"pointer": "/BizId"},
    "code": "/Code",
    "detail": "/Message",
    "errors": [
        {"pointer": "/Code", "matches": "isv.*S_LIMIT_CONTROL", "class": "throttled"},
        {"pointer": "/Code", "in": ["isp.SYSTEM_ERROR"], "class": "retryable"},
        {"pointer": "/Code", "equals": "isv.MOBILE_NUMBER_ILLEGAL", "class": "invalid_target"},
        {
            "pointer": "/Code",
            "in": ["isv.ACCOUNT_ABNORMAL", "isv.AMOUNT_NOT_ENOUGH"],
            "class": "account_fault",
        },
    ],
    "callbacks": {
        "form": "json",
        "verification": {
            "kind": "hmac_sha256",
            "name": "X-Gateway-Signature",
            "timestamp_header": "X-Gateway-Timestamp",
        },
        "id": "/biz_id",
        "ref": "/out_id",
        "status": "/err_code",
        "statuses": {
            "QUEUED": "accepted",
            "SENT": "accepted",
            "DELIVERED": "delivered",
            "UNDELIV": "failed",
            "READ": "seen",
        },
        "reply": {"body": '{"code":0,"msg":"OK"}', "content_type": "application/json"},
    },
}

# Plain text, everything in the address; reports are calls of an address that we handed out.
TEXT_GATEWAY: dict[str, Any] = {
    "url": "https://sms.example/gateway/text",
    "method": "GET",
    "body": "query",
    "auth": {"username": "sandbox"},
    "fields": {
        "username": "{username}",
        "password": "{password}",
        "to": "{to_digits}",
        "text": "{text}",
        "coding": "{coding}",
        "dlr-url": "https://in.example/v1/receipts/gw"
        "?ref={ref}&id=%I&status=%d&secret={callback_secret}",
    },
    "success": {"statuses": [200], "matches": 'Success "*"'},
    "id": {"matches": 'Success "{id}"'},
    "errors": [
        {"matches": 'Error "throughput*', "class": "throttled"},
        {"matches": 'Error "destination*', "class": "invalid_target"},
        {"matches": 'Error "authentication*', "class": "account_fault"},
        {"matches": 'Error "content*', "class": "permanent"},
        {"matches": 'Error "try again*', "class": "retryable"},
    ],
    "callbacks": {
        "form": "query",
        "verification": {"kind": "query", "name": "secret"},
        "id": "/id",
        "ref_query": "ref",
        "status": "/status",
        "statuses": {
            "1": "delivered",
            "2": "failed",
            "4": "accepted",
            "8": "accepted",
            "32": "seen",
        },
    },
}
