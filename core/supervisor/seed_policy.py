"""How the sandbox's accounts are used: example prices, and a policy that puts the SMSC first.

The policy is made once, of the accounts that there are; edited or deleted it stays so.
"""

from msgspec.structs import replace

from core.contract.policies import PolicyIn
from core.contract.providers import Price, ProviderIn
from core.policies.store import KIND, PolicyStore
from sync.store.entities import EntityStore

POLICY = "default"
ORDER = ("sandbox-smsc", "sandbox-sms-http", "sandbox-smtp", "sandbox-webhook")
PRICES = {
    "sandbox-smsc": Price(0.04, {"GB": 0.03, "US": 0.01}),
    "sandbox-sms-http": Price(0.05, {"GB": 0.04}),
    "sandbox-smtp": Price(0.0004),
}


def priced(account: ProviderIn) -> ProviderIn:
    """The account with its example price."""
    return replace(account, price=PRICES.get(account.id, account.price))


async def keep_policy(entities: EntityStore, store: PolicyStore) -> None:
    """Make the policy if there never was one."""
    if await entities.get(KIND, POLICY) is not None:
        return
    known = await store.accounts.ids()
    order = [name for name in ORDER if name in known]
    if order:
        await store.put(PolicyIn(name=POLICY, order=order), 0)
