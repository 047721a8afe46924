from pipeline.column_list import ListedColumn, listed_columns
from pipeline.matrix import COLUMNS
from tests.golden_content import golden_plan


def test_every_column_is_listed_once_with_what_it_means_and_may_hold() -> None:
    listed = {column.name: column for column in listed_columns(golden_plan())}
    assert list(listed) == list(COLUMNS)
    assert all(column.about for column in listed.values())
    assert listed["tone"].levels == ["steady-low", "clear-even", "half-smile"]
    assert listed["pace"] == ListedColumn("pace", "Step from the pace that the tone implies.", None, -1, 1)
    assert (listed["seed_id"].levels, listed["seed_id"].least, listed["affinity"].most) == (None, None, None)
