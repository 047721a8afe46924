import re

import pytest

from pipeline.packs.targets import TARGETS
from tests.conftest import Run


def test_the_help_of_rehearse_names_the_targets_whose_packs_it_takes(run: Run) -> None:
    told = run("rehearse", "--help").out
    for name, target in TARGETS.items():
        assert bool(re.search(rf"^  {name}  ", told, re.MULTILINE)) == (target.socket is not None)


@pytest.mark.parametrize("arguments", [[], ["pack"], ["--url", "ws://127.0.0.1"]])
def test_a_rehearsal_needs_a_pack_and_a_server(run: Run, arguments: list[str]) -> None:
    done = run("rehearse", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err == "personas: name a pack and the server's --url, or give --serve to be the server\n"
