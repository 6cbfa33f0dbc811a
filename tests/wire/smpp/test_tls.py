"""SMPP over TLS."""

from pathlib import Path

from tests.support.certificate import certificate
from tests.support.smsc import Smsc
from tests.support.wait import until
from tests.wire.smpp.conftest import Rig


async def test_tls(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    smsc = Smsc(tls=context)
    await smsc.start()
    rig = Rig(smsc)
    adapter = await rig.connect(
        tls=True, tls_ca_file=str(trusted), tls_server_name="localhost", window=100
    )
    count = 40
    for number in range(count):
        rig.send(f"r{number}", "0123456789" * 40 if number % 2 else "short")
    rig.send("no", guard=lambda: False)
    await until(lambda: all(rig.outcomes.values()))
    kinds = [told[0].kind for told in rig.outcomes.values()]
    assert kinds == ["accepted"] * count + ["withdrawn"]
    assert len(smsc.submits) == 20 + 60
    smsc.on_submit = lambda link, pdu, _: link.reset()
    rig.send("lost")
    assert (await rig.outcome("lost")).kind == "unknown"
    await until(lambda: adapter.state() == "up")
    await adapter.stop(grace_ms=500)
    await until(lambda: smsc.link.closed)
    await smsc.stop()


async def test_tls_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    smsc = Smsc(tls=context)
    await smsc.start()
    rig = Rig(smsc)
    adapter = await rig.connect(tls=True, tls_ca_file=str(trusted), wait_up=False)
    await until(lambda: "certificate" in adapter.state().lower())
    assert smsc.binds == []
    await adapter.stop(grace_ms=0)
    missing = await rig.connect(tls=True, tls_ca_file=str(tmp_path / "none"), wait_up=False)
    await until(lambda: "No such file" in missing.state())
    await missing.stop(grace_ms=0)
    await smsc.stop()
