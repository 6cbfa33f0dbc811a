"""The drawing is one well-formed file that loads nothing and takes no text for markup."""

import re
from xml.etree import ElementTree

from core.sim.html import page
from core.sim.html_lanes import LANE
from core.sim.result import Result, Violation
from core.sim.trace import Trace
from tests.unit.sim.runs import failed, result

EVIL = """</title><script>alert(1)</script>"'&{{drawing}}"""


def drawing(found: Result) -> ElementTree.Element:
    (svg,) = re.findall(r"<svg.*</svg>", page(found), re.DOTALL)
    return ElementTree.fromstring(svg)


def of_class(svg: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in svg.iter() if name in each.get("class", "").split()]


def words(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def test_nothing_is_loaded() -> None:
    text = page(failed()).replace("http://www.w3.org/2000/svg", "")
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|src=|href=|@import|url\((?!#)", text)


def test_every_text_is_escaped() -> None:
    trace = Trace()
    trace.add(1.0, EVIL, EVIL, "accept", EVIL, EVIL, EVIL, 2.0)
    trace.add(1.5, EVIL, "", "fault", EVIL)
    trace.add(2.0, EVIL, EVIL, EVIL, EVIL)
    found = result(Violation(EVIL, EVIL, 2.0), trace=trace)
    found.profile = EVIL
    text = page(found)
    assert text.count("<script>") == 1
    assert text.count("<svg ") == 1
    assert EVIL in words(drawing(found))


def test_lanes_by_region_and_process() -> None:
    svg = drawing(failed())
    assert [each.text for each in of_class(svg, "name")] == ["eu", "us", "outside"]
    assert [each.text for each in of_class(svg, "process")] == ["euc1", "usc2", "mail", "usc3"]


def test_lane_is_used_again_after_an_end() -> None:
    trace = Trace()
    for number in range(3):
        trace.add(number * 10.0, "eu", f"p{number}", "start", "")
        trace.add(number * 10.0 + 5, "eu", f"p{number}", "end", "")
    one = Trace()
    one.add(0.0, "eu", "p", "start", "")
    assert drawing(result(trace=trace)).get("width") == drawing(result(trace=one)).get("width")


def test_process_that_did_not_end_keeps_its_lane() -> None:
    trace, one = Trace(), Trace()
    for number in range(3):
        trace.add(number * 10.0, "eu", f"p{number}", "start", "")
    one.add(0.0, "eu", "p", "start", "")
    wide, narrow = drawing(result(trace=trace)), drawing(result(trace=one))
    assert float(wide.get("width", "")) == float(narrow.get("width", "")) + 2 * LANE


def test_time_goes_downwards() -> None:
    marks = [each for each in drawing(failed()).iter() if each.tag.endswith("circle")]
    heights = [float(each.get("cy", "")) for each in marks]
    assert heights == sorted(heights)
    assert len(set(heights)) == 9


def test_fault_is_a_band_as_long_as_it_lasts() -> None:
    svg = drawing(failed())
    (fault,) = of_class(svg, "fault")
    (takeover,) = of_class(svg, "shard")
    band = next(each for each in fault.iter() if each.tag.endswith("rect"))
    until = float(band.get("y", "")) + float(band.get("height", ""))
    circle = next(each for each in takeover.iter() if each.tag.endswith("circle"))
    assert until == float(circle.get("cy", ""))
    assert "crash" in words(fault)


def test_what_travels_is_an_arrow_to_its_region() -> None:
    svg = drawing(failed())
    (arrow,) = of_class(svg, "travels")
    us = of_class(svg, "region")[1]
    assert float(arrow.get("x2", "")) == float(us.get("x", ""))
    assert float(arrow.get("y2", "")) > float(arrow.get("y1", ""))


def test_filter_names_each_message_and_marks_carry_it() -> None:
    found = failed()
    assert '<option value="m1">m1 eu-u1 (named)</option>' in page(found)
    assert '<option value="m2">m2 us-u2</option>' in page(found)
    marked = [each.get("data-m") for each in of_class(drawing(found), "note")]
    assert [marked.count(name) for name in ("m1", "m2", "")] == [3, 1, 5]


def test_violations_are_marked() -> None:
    (violation,) = of_class(drawing(failed()), "violation")
    assert "lost: m1 is in no log" in words(violation)


def test_run_in_which_nothing_happened() -> None:
    assert of_class(drawing(result()), "note") == []
