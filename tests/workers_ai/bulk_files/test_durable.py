"""Files that are there whole or not at all."""

from __future__ import annotations

import pytest

from workers_ai.bulk_files.durable import written


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path):
    path = tmp_path / "part"
    with written(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "part"
    path.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), written(path) as file:
        file.write(b"half" * (1 // 0))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
