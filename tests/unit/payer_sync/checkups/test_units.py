"""Different spellings of one unit are equal."""

import polars as pl
import pytest

from payer_sync.checkups.units import unit_keys


@pytest.mark.parametrize(
    "spellings",
    [
        ["mm[Hg]", "mmHg", "ｍｍＨｇ", "MMHG"],
        ["kg/m2", "kg/㎡", "kg/m^2"],
        ["mL/min/1.73m2", "mL/min/{1.73_m2}", "ml/min/1.73㎡"],
        ["U/L", "IU/l"],
        ["10*4/mm3", "万/mm3", "10^*4/mm3"],
    ],
)
def test_spellings_of_a_unit_are_equal(spellings: list[str]) -> None:
    assert pl.DataFrame({"unit": spellings}).select(unit_keys(pl.col("unit")))["unit"].n_unique() == 1


def test_different_units_are_not() -> None:
    units = ["mg/dL", "mmol/L", "g/dL", "U/L", "%", "cm", "cm2", ""]
    assert pl.DataFrame({"unit": units}).select(unit_keys(pl.col("unit")))["unit"].n_unique() == len(units)
