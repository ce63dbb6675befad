"""What cannot be done with a file, told in one line."""

from __future__ import annotations


class FileError(ValueError):
    """An input that cannot be read, or an output that may not be written; the message says where and what to do."""


class SettingsChangedError(FileError):
    """The parts on disk are of another run: other settings, or an input that has changed since."""
