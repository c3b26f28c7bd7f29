"""pytest finds this through its entry point. It costs nothing until it is used: nothing else is imported here.

@pytest.mark.refloss("ciou_loss", dtype="float64", box_format="xyxy")
def test_ciou(refloss_case):
    refloss_case.check(my_ciou(**refloss_case.inputs))
"""

from typing import Any

MARK = "refloss(loss, dtype='float32', **parameters): run the test once for each golden case, as its argument refloss_case"


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", MARK)


def pytest_generate_tests(metafunc: Any) -> None:
    if "refloss_case" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("refloss")
    if mark is None:
        return  # parametrised by hand, or a fixture of the user's own
    from .single import refloss_cases

    metafunc.parametrize("refloss_case", refloss_cases(*mark.args, **mark.kwargs))
