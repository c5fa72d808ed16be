"""`python -m terminal_agent face …`: install the models, say whether face mode is ready, measure error rates."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from terminal_agent.face.calibration import Calibration
from terminal_agent.face.mode import face_mode, model_specs
from terminal_agent.face.models import KNOWN_MODELS, ModelTrouble, install, read_model
from terminal_agent.face.settings import FaceSettings
from terminal_agent.face.state import FaceState
from terminal_agent.settings import SettingsFileMalformed

_EVERY: Final = 5  # thresholds, one line
DONE, OFF, USAGE = 0, 1, 64


def run(chosen: argparse.Namespace) -> int:
    """Run one action; return the exit code."""
    out, notes = Console(), Console(stderr=True)
    try:
        if chosen.action == "state":
            return _tell_state(face_mode(chosen.settings).state, out)
        settings = FaceSettings.load(chosen.settings)
        if chosen.action == "install-models":
            return _install(chosen.sources, settings, out)
        return _calibrate(chosen, settings, out, notes)
    except ValidationError as error:
        names = ", ".join("_".join(str(part) for part in fault["loc"]) for fault in error.errors())
        notes.print(f"TERMINAL_FACE_…: {names}", markup=False)
    except SettingsFileMalformed as error:
        notes.print(f"{chosen.settings}: {error}", markup=False)
    except ModelTrouble as trouble:
        _tell_state(FaceState(trouble.reason, trouble.detail), notes)
    except OSError as error:
        notes.print(f"{error.filename}: {error.strerror}", markup=False)
    return USAGE


def _install(sources: list[Path], settings: FaceSettings, out: Console) -> int:
    for spec in install(sources, model_specs(settings)):
        known = KNOWN_MODELS.get(spec.sha256)
        what = f"{known.what} ({known.licence})" if known else "a file nobody published, vouched for by the settings"
        out.print(f"{spec.name}: {spec.path} — {what}", markup=False, highlight=False, soft_wrap=True)
    return DONE


def _tell_state(state: FaceState, out: Console) -> int:
    detail = f" [{state.detail}]" if state.detail else ""
    for words in (state.words, state.mend):
        if words is not None:
            out.print(f"{words.ja} / {words.en}{detail}", markup=False, highlight=False, soft_wrap=True)
            detail = ""
    return DONE if state.ready else OFF


def _calibrate(chosen: argparse.Namespace, settings: FaceSettings, out: Console, notes: Console) -> int:
    from terminal_agent.face.calibrating import Models, TooFewPeople, calibrate
    from terminal_agent.face.opencv import VERSION, SfaceEmbedder, YunetDetector

    if not chosen.pairs.is_dir():
        notes.print(f"{chosen.pairs}: no folder", markup=False)
        return USAGE
    detector, recognizer = model_specs(settings)
    models = Models(
        YunetDetector(read_model(detector)),
        SfaceEmbedder(read_model(recognizer)),
        detector.sha256,
        recognizer.sha256,
        VERSION,
    )
    dataset = chosen.dataset or chosen.pairs.resolve().name
    with notes.status("…") as status:
        try:
            calibration = calibrate(
                chosen.pairs, models, dataset, datetime.now(UTC), lambda people: status.update(f"{people} people")
            )
        except TooFewPeople:
            notes.print("Two folders with four usable pictures each are the least that can be compared.")
            return USAGE
    out.print(_table(calibration))
    out.print(calibration.summary(), markup=False, highlight=False)
    if chosen.out is not None:
        chosen.out.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
        out.print(f"{chosen.out}", markup=False)
    return DONE


def _table(calibration: Calibration) -> Table:
    table = Table(title=f"{calibration.dataset} — recogniser {calibration.recognizer_sha256[:8]}")
    for column in ("threshold", "false matches", "FMR", "≤ (95 %)", "false non-matches", "FNMR", "≤ (95 %)"):
        table.add_column(column, justify="right")
    for point in calibration.points[::_EVERY]:
        table.add_row(
            f"{point.threshold:.2f}",
            f"{point.false_matches:,} of {point.impostors:,}",
            f"{point.false_match_rate:.1e}",
            f"{point.false_match_upper:.1e}",
            f"{point.false_non_matches:,} of {point.genuine:,}",
            f"{point.false_non_match_rate:.2%}",
            f"{point.false_non_match_upper:.2%}",
        )
    return table
