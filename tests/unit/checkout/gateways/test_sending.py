from __future__ import annotations

import pytest

from checkout.gateways.sandbox.faults import Faults
from checkout.gateways.sandbox.sender import retry_delay, sign


def test_signature_is_stripes_scheme() -> None:
    # HMAC-SHA256 of b'1700000000.{"a":1}' under each secret, computed with openssl dgst.
    assert sign(b'{"a":1}', ["whsec_a", "whsec_b"], at=1_700_000_000) == (
        "t=1700000000,"
        "v1=a4b39d8bb2e6dfa1ea9f2ea037550b767cb1f592e0a81565c3a565232799943d,"
        "v1=e875e8398471960a6dca4815ee984f2af3c20c4bde8009a508484589173e5116"
    )


def test_delays_double_up_to_the_cap() -> None:
    delays = [retry_delay(tries, base=1.0, cap=300.0) for tries in range(1, 12)]
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert retry_delay(10_000, base=1.0, cap=300.0) == 300


def test_faults_count_down() -> None:
    faults = Faults(allowed=True)
    faults.plan_text("payment_intents.create:fail:2")
    faults.plan_text("refunds.create:late:1:0.25")
    assert faults.take("payment_intents.cancel") is None
    kinds = [
        fault.kind if fault else None
        for fault in (faults.take("payment_intents.create") for _ in range(3))
    ]
    assert kinds == ["fail", "fail", None]
    late = faults.take("refunds.create")
    assert late is not None
    assert (late.kind, late.seconds) == ("late", 0.25)
    faults.plan("refunds.create", "fail")
    faults.clear()
    assert faults.take("refunds.create") is None


@pytest.mark.parametrize(
    "text",
    [
        "payment_intents.create",
        "nothing.create:fail",
        "refunds.create:explode",
        "refunds.create:late:1:2:3",
        "refunds.create:fail:x",
    ],
)
def test_bad_fault_orders(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Faults(allowed=True).plan_text(text)


def test_no_faults_in_production() -> None:
    with pytest.raises(ValueError, match="production"):
        Faults(allowed=False).plan("refunds.create", "fail")
