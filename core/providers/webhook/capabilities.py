"""What webhooks can do. The receiver recognises a repetition by its `webhook-id`, as Standard
Webhooks ask of it, so a call in doubt is repeated with the same one."""

from core.providers.port import Capabilities, Idempotency

CAPABILITIES = Capabilities(
    wire="webhook",
    channel="webhook",
    formats=("text", "html", "subject"),
    text_chars_max=1_000_000,
    receipts=False,
    reference=True,
    idempotency=Idempotency(window_ms=24 * 3_600_000, key_bytes_max=255),
    answers_for="recipient",
)
