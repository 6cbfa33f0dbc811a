"""What an operator may ask of the regions where there is one."""

from tests.support.problems import refused
from tests.support.region import Region


def test_the_only_region_cannot_be_drained(region: Region) -> None:
    told = region.call(
        "POST", "/v1/regions/local/drain", {"reason": "new disks"}, key=region.admin_key
    )
    found = refused(told, 409, "rule_says_no")
    assert found["rule"] == "last_serving_region"


def test_where_one_region_is_the_majority_nothing_is_forced(region: Region) -> None:
    body = {"accept_duplicates": True}
    told = region.call("POST", "/v1/regions/local/force-own", body, key=region.admin_key)
    found = refused(told, 409, "rule_says_no")
    assert found["rule"] == "one_region" and "nothing to force" in found["detail"]
