"""What a data folder holds before its first core starts: keys, sandbox accounts with their policy,
two templates.

All of it is done again at each start and changes nothing that is there already, but the addresses
of the sandbox's accounts when its ports moved. What somebody edited or deleted stays as it is.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct, convert

from core.accounts import service as accounts
from core.accounts.model import Fault, ProviderAccount
from core.accounts.service import Accounts
from core.clock import SystemClock
from core.contract.keys import MINT_RANDOM_BYTES, Scope, format_key, mint_key
from core.contract.problems import ProblemError
from core.contract.providers import ProviderIn
from core.contract.templates import TemplateBody, TemplateIn
from core.policies.store import PolicyStore
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.parts import CONFIG_STORE, VAULT_KEY
from core.supervisor.seed_policy import keep_policy, priced
from core.templates import store as templates
from core.templates.store import TemplateStore, template_id
from core.tenants.keys import ensure_key
from core.tenants.vault import VARIABLE, create_vault_key, load_vault
from sync.store.entities import EntityStore
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.port import StoreError

KEYS_FILE = "keys.json"
TENANT = "default"
REFERENCE_TLV = 0x1400  # of the sandbox's SMSC
SCOPES: tuple[Scope, ...] = ("send", "read", "templates", "suppressions", "webhooks")
ADDRESS = ("host", "port", "base_url", "callback_url")  # what moves with the sandbox
SMS_HTTP_PRIORITY = 200  # after the SMSC

DEMO_TEMPLATES = (
    TemplateIn(
        name="welcome",
        bodies={
            "sms": {"en": TemplateBody(text="Hello {{ name }}, this is GouTong (沟通).")},
            "email": {
                "en": TemplateBody(
                    subject="Welcome, {{ name }}",
                    text="Hello {{ name }},\n\nthis is a first e-mail through GouTong (沟通).\n",
                    html="<p>Hello {{ name }},</p>\n"
                    "<p>this is a first e-mail through <b>GouTong (沟通)</b>.</p>\n",
                )
            },
        },
    ),
    TemplateIn(
        name="otp",
        bodies={
            "sms": {"en": TemplateBody(text="{{ code }} is your code. Tell it to nobody.")},
            "email": {
                "en": TemplateBody(
                    subject="{{ code }} is your code", text="{{ code }}\n\nTell it to nobody.\n"
                )
            },
        },
    ),
)


class Keys(Struct, frozen=True):
    """The two keys that `goutong up` shows at each start, kept in the data folder."""

    api_key: str
    admin_key: str


def keys_of(folder: DataFolder) -> Keys:
    """The folder's two keys, made at its first start."""
    known = folder.read_json(KEYS_FILE)
    if known is not None:
        return convert(known, Keys)
    made = Keys(_new_key(), _new_key())
    folder.write_json(KEYS_FILE, made, 0o600)
    return made


async def seed(
    folder: DataFolder,
    keys: Keys,
    sandbox: tuple[str, Mapping[str, int]] | None,
    environ: Mapping[str, str],
    warn: Callable[[str], None],
    edge_url: str = "",
) -> None:
    """Seed the store of a region alone. Raises FolderError when it fails."""
    entities = SQLiteEntities(folder.path / CONFIG_STORE)
    try:
        await seed_into(entities, folder, keys, sandbox, environ, warn, edge_url)
    except (StoreError, ValueError) as error:
        raise FolderError(f"{folder.path / CONFIG_STORE}: {error}") from None
    finally:
        await entities.close()


async def seed_into(
    entities: EntityStore,
    folder: DataFolder,
    keys: Keys,
    sandbox: tuple[str, Mapping[str, int]] | None,
    environ: Mapping[str, str],
    warn: Callable[[str], None],
    edge_url: str = "",
) -> None:
    """Register the keys, the templates, and the sandbox (its host and ports) as provider.

    The sandbox's providers that call back are told to do so at `edge_url`. The folder has the
    vault's key. Raises StoreError when the configuration's store fails.
    """
    vault_key = folder.path / VAULT_KEY
    if not environ.get(VARIABLE):
        create_vault_key(vault_key)
    now_ms = SystemClock().wall_ms()
    await ensure_key(entities, keys.api_key, TENANT, SCOPES, now_ms)
    await ensure_key(entities, keys.admin_key, TENANT, ("admin",), now_ms)
    for template in DEMO_TEMPLATES:
        if await entities.get(templates.KIND, template_id(TENANT, template.name)) is None:
            await TemplateStore(entities).put(TENANT, template, 0)
    if sandbox is not None:
        store = Accounts(entities, load_vault(environ.get(VARIABLE), vault_key))
        for account in sandbox_accounts(*sandbox, edge_url):
            await _keep_account(entities, store, priced(account), warn)
        await keep_policy(entities, PolicyStore(entities, store))


def sandbox_accounts(host: str, ports: Mapping[str, int], edge_url: str) -> list[ProviderIn]:
    """The sandbox's providers as accounts."""
    smpp: dict[str, Any] = {
        "host": host,
        "port": ports["sandbox-smpp"],
        "system_id": "sandbox",
        "connections": 2,
        "window": 100,
        "reference_tlv": REFERENCE_TLV,
        "source_addr": "GouTong",
    }
    smtp: dict[str, Any] = {
        "host": host,
        "port": ports["sandbox-smtp"],
        "tls": "off",
        "from_address": "goutong@example.com",
        "from_name": "GouTong",
        "bounce_domain": "bounces.example.com",
        "dkim_domain": "example.com",
        "dkim_selector": "goutong",
    }
    sms_http: dict[str, Any] = {
        "base_url": f"http://{host}:{ports['sandbox-sms-http']}",
        "account_sid": "ACsandbox",
        "from": "GouTong",
        "callback_url": f"{edge_url}/v1/receipts/sandbox-sms-http" if edge_url else "",
        "allow_http": True,
    }
    return [
        ProviderIn(
            id="sandbox-smsc",
            wire="smpp",
            channel="sms",
            settings=smpp,
            secrets={"password": "sandbox"},
        ),
        ProviderIn(
            id="sandbox-smtp",
            wire="smtp",
            channel="email",
            settings=smtp,
            secrets={"bounce_key": secrets.token_hex(32), "dkim_key": _new_dkim_key()},
        ),
        ProviderIn(
            id="sandbox-sms-http",
            wire="sms_http",
            channel="sms",
            settings=sms_http,
            secrets={"auth_token": "sandbox"},
            priority=SMS_HTTP_PRIORITY,
        ),
        # The sandbox is on this machine: its own address is open, other private ones are not.
        ProviderIn(
            id="sandbox-webhook",
            wire="webhook",
            channel="webhook",
            settings={"allow_networks": ["127.0.0.0/8", "::1/128"], "ports": []},
        ),
    ]


async def _keep_account(
    entities: EntityStore,
    store: Accounts,
    wanted: ProviderIn,
    warn: Callable[[str], None],
) -> None:
    """Make the account, or tell it the sandbox's address of now. A deleted one stays deleted."""
    if await entities.get(accounts.KIND, wanted.id) is not None:
        found = await store.get(wanted.id)
        if found is None or found.account.wire != wanted.wire:
            return
        address = {name: wanted.settings[name] for name in ADDRESS if name in wanted.settings}
        if address.items() <= found.account.settings.items():
            return
        wanted = ProviderIn(
            id=wanted.id,
            wire=wanted.wire,
            channel=wanted.channel,
            enabled=found.account.enabled,
            settings={**found.account.settings, **address},
            secrets=_kept_secrets(store, wanted, found.account),
            priority=found.account.priority,
            price=found.account.price,
            destinations=found.account.destinations,
            limits=found.account.limits,
            location=found.account.location,
        )
    try:
        await store.put(wanted, None)
    except ProblemError as error:
        warn(f"the account {wanted.id} is not kept: {error.detail}")


def _kept_secrets(
    store: Accounts, wanted: ProviderIn, account: ProviderAccount
) -> dict[str, str] | None:
    """Its secrets once more, since it moves: bounces that are on their way need the old key."""
    if not account.secrets:
        return None
    opened = store.open(account)
    return wanted.secrets if isinstance(opened, Fault) else opened.secrets


def _new_dkim_key() -> str:
    """A key that signs quickly; there is no DNS in which anybody would look up its public half."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _new_key() -> str:
    return format_key(mint_key(secrets.token_bytes(MINT_RANDOM_BYTES)))
