"""Words of a command line that stand for something."""

from core.cli.out import USAGE, CommandError


def pair_of(word: str) -> tuple[str, str]:
    """NAME=VALUE as given to --set."""
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise CommandError(f"--set {word}: is not NAME=VALUE", code=USAGE)
    return name, value
