"""What an operator may ask of the regions where there is one."""

from tests.support.problems import refused
from tests.support.region import Region


def test_the_only_region_cannot_be_drained(region: Region) -> None:
    found = refused(
        region.admin.post("/v1/regions/local/drain", {"reason": "new disks"}), 409, "rule_says_no"
    )
    assert found["rule"] == "last_serving_region"


def test_where_one_region_is_the_majority_nothing_is_forced(region: Region) -> None:
    body = {"accept_duplicates": True}
    found = refused(
        region.admin.post("/v1/regions/local/force-own", body), 409, "rule_says_no"
    )
    assert found["rule"] == "one_region" and "nothing to force" in found["detail"]
