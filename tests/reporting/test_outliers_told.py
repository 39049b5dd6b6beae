"""What captions say of outliers: how many are kept, what filters did instead, and shortcuts."""

import pyarrow as pa
import pytest

from penumbra.reporting.tables.outliers import told_of_outliers
from penumbra.store.artifacts import write_parquet
from penumbra.store.notes import noted


def selection(file, kept, note=None):
    table = pa.table({"kept": pa.array(kept)}).replace_schema_metadata(noted(note))
    write_parquet(file, table, {})
    return str(file)


def measured(file, channels):
    aurocs = {"channels": channels, "frequency": 0.5, "both": 0.61}
    rows = [{"measure": name, "auroc": auroc} for name, auroc in aurocs.items()]
    write_parquet(file, pa.Table.from_pylist(rows), {})
    return str(file)


def test_rows_tell_how_many_they_keep_and_what_their_filter_did(tmp_path):
    files = [
        selection(tmp_path / "0.parquet", [True, False, False], "seed 0: the band was empty"),
        selection(tmp_path / "1.parquet", [True, True, False]),
    ]
    config = {"selections": {"Mid": files, "High": files[1:]}, "shortcuts": {}}
    assert told_of_outliers(config) == [
        "Mid: 1, 2 of 3 outliers kept, by seed.",
        "High: 2 of 3 outliers kept, by seed.",
        "Mid: seed 0: the band was empty",
    ]


@pytest.mark.parametrize(("channels", "warns"), [(0.72, False), (0.97, True)])
def test_shortcuts_are_told_and_warned_of(tmp_path, channels, warns):
    file = measured(tmp_path / "mixed.parquet", channels)
    (line,) = told_of_outliers({"selections": {}, "shortcuts": {"mixed (Digits)": file}})
    assert "against outliers mixed (Digits), AUROC of colour and detail alone" in line
    assert f"channel statistics {channels:.2f}, high frequencies 0.50, both 0.61." in line
    assert ("Warning" in line) == warns
