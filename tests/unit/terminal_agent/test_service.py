"""The shipped system unit and the settings that docs/counter.md shows for it: they fit together."""

import re
from pathlib import Path

import pytest

from terminal_agent.bridge.service import state_folder
from terminal_agent.settings import TerminalSettings

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "terminal_agent/service/eligibility-terminal.service"
READ_ALONE = {"centre_authority", "visual_passcode"}


def stated(name: str) -> list[str]:
    """Return what the unit says under a name, with the places of a system service."""
    said = re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return [value.replace("%t", "/run").replace("%S", "/var/lib") for value in said]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TerminalSettings:
    """The settings of the documentation, under the unit's environment."""
    for variable in stated("Environment"):
        monkeypatch.setenv(*variable.split("=", 1))
    (shown,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/counter.md").read_text("utf-8"), re.DOTALL)
    file = tmp_path / "terminal.toml"
    file.write_text(shown, "utf-8")
    return TerminalSettings.load(file)


def test_all_that_the_terminal_writes_lies_where_the_unit_lets_it(example: TerminalSettings) -> None:
    (state,), (run,) = stated("StateDirectory"), stated("RuntimeDirectory")
    writable = Path("/var/lib", state), Path("/run", run)
    assert stated("ProtectSystem") == ["strict"]
    assert stated("StateDirectoryMode") == ["0700"]
    written = {name: path for name, path in example if isinstance(path, Path) and name not in READ_ALONE}
    assert written.keys() >= {"key", "outbox_file", "outbox_key_file", "run_folder"}
    for path in (*written.values(), state_folder(example)):
        assert any(path.is_relative_to(folder) for folder in writable), path
