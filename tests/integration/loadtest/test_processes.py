"""What a load run has started ends with it, however it ends."""

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

_RUN = """
import sys, time
from pathlib import Path
from loadtest.processes import running
log = Path(sys.argv[1])
with running("http.server", ["0", "--bind", "127.0.0.1"], {"PYTHONUNBUFFERED": "1"}, log) as started:
    while not log.stat().st_size:
        time.sleep(0.01)
    print(started.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="this machine has no setpriv (util-linux)")
def test_a_server_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUN, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        server = psutil.Process(int(run.stdout.readline()))
        run.kill()
    _, alive = psutil.wait_procs([server], timeout=60)
    for process in alive:
        process.kill()
    assert not alive
