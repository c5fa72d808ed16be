"""What processes have computed does not become less when one of them ends."""

import math
import subprocess
import sys

import pytest

from loadtest.measuring import Observation, Sample, computed_s, largest_mib, tree

_CHILD = "import sys; sum(range(10**7)); print('computed', flush=True); sys.stdin.readline()"
_PARENT = (
    "import subprocess, sys;"
    " subprocess.run([sys.executable, '-c', sys.argv[1]], check=True);"
    " print('ended', flush=True); sys.stdin.readline()"
)


def test_what_a_process_computed_stays_counted_after_its_end() -> None:
    command = [sys.executable, "-c", _PARENT, _CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "computed\n"
        alive = computed_s(tree(parent.pid))
        assert len(tree(parent.pid)) == 2
        parent.stdin.write("go on\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "ended\n"
        assert len(tree(parent.pid)) == 1
        assert computed_s(tree(parent.pid)) >= alive
        parent.stdin.close()


def _looked(*memory_mib: float) -> Observation:
    return Observation([Sample(n, {}, {"api": held}, 0, 0, 0) for n, held in enumerate(memory_mib)])


@pytest.mark.parametrize("seen", [(120.0, 140.0, math.nan), (math.nan, 140.0), (140.0,)])
def test_the_most_memory_is_that_of_when_it_could_be_seen(seen: tuple[float, ...]) -> None:
    assert _looked(*seen).most_memory_mib("api") == 140.0


@pytest.mark.parametrize("seen", [(), (math.nan,)])
def test_memory_that_nobody_could_see_is_no_number(seen: tuple[float, ...]) -> None:
    assert math.isnan(_looked(*seen).most_memory_mib("api"))


def test_a_process_that_is_gone_holds_no_number_of_memory() -> None:
    command = [sys.executable, "-c", "print('begun', flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        processes = tree(process.pid)
        assert largest_mib(processes) > 1
        process.communicate(b"\n")
    assert math.isnan(largest_mib(processes))
