"""What `python -m terminal_agent face …` takes; apart from what it does, which loads numpy and OpenCV."""

from pathlib import Path
from typing import Any


def add_arguments(commands: Any) -> None:
    """Add the command `face` to the terminal's."""
    face = commands.add_parser("face", help="Face matching: install models, see its state, calibrate.")
    actions = face.add_subparsers(dest="action", required=True, metavar="ACTION")
    installing = actions.add_parser("install-models", help="Put model files where the settings expect them.")
    installing.add_argument("--from", dest="sources", type=Path, nargs="+", required=True, metavar="FILE")
    state = actions.add_parser("state", help="Say whether face mode is ready, and if not why; ends with 1 if not.")
    calibrating = actions.add_parser("calibrate", help="Measure error rates on a folder of pictures, by person.")
    calibrating.add_argument("--pairs", type=Path, required=True, metavar="DIR", help="one folder per person")
    calibrating.add_argument("--out", type=Path, metavar="FILE", help="where the calibration is written")
    calibrating.add_argument("--dataset", metavar="NAME", help="what the pictures are called in the calibration")
    said = "settings: [face] in TOML (FILE.toml), or TERMINAL_FACE_NAME=value lines (docs/face.md)"
    for parser in (installing, state, calibrating):
        parser.add_argument("--settings", type=Path, metavar="FILE", help=said)
