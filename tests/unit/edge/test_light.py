"""An edge starts fast and stays small: it never loads what only a core needs."""

import subprocess
import sys

HEAVY = ("cassandra", "sklearn", "numpy", "sqlite3")


def test_the_edge_loads_no_store_and_no_model() -> None:
    code = (
        "import pkgutil, importlib, sys, edge\n"
        "for module in pkgutil.iter_modules(edge.__path__):\n"
        "    importlib.import_module(f'edge.{module.name}')\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


def test_a_core_on_sqlite_does_not_load_the_driver() -> None:
    code = "import sys, core.app\nprint('cassandra' in sys.modules)\n"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("False\n", "")
