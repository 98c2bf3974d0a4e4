from __future__ import annotations

from tests.nodes.beam.generator import KINDS, program
from tests.nodes.beam.machines import TYPES

DIRECTOR = {"cut", "connect", "stop", "start"}


def commands(count: int) -> list[list[object]]:
    return [command for seed in range(count) for _, burst, _ in program(seed)["steps"] for command in burst]


def test_each_command_comes_up() -> None:
    assert {str(command[0]) for command in commands(100)} == {*TYPES, *DIRECTOR}


def test_each_kind_comes_up_and_a_seed_means_one_program() -> None:
    assert [program(seed)["kind"] for seed in range(len(KINDS))] == list(KINDS)
    assert program(7) == program(7)


def test_commands_have_the_arguments_that_their_nodes_read() -> None:
    for name, *arguments in commands(100):
        if name not in DIRECTOR and not (name == "spawn" and len(arguments) == 3):
            assert len(arguments) == len(TYPES[str(name)])
