"""Which of a template's locales serves a recipient's: exact, then shorter, then the default."""


def normal(locale: str) -> str:
    """The form in which locales are compared: `pt_BR` and `pt-br` are the same."""
    return locale.replace("_", "-").lower()


def chain(locale: str | None, default: str) -> list[str]:
    """The locales to try, in normal form: `zh-Hant-TW` → zh-hant-tw, zh-hant, zh, the default."""
    tried: list[str] = []
    wanted = normal(locale) if locale else ""
    while wanted:
        tried.append(wanted)
        wanted = wanted.rpartition("-")[0]
    if normal(default) not in tried:
        tried.append(normal(default))
    return tried
