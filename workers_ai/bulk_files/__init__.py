"""A file of texts in, a Parquet file with their vectors out, in checkpoints: what `workers-ai embed` runs.

`EmbedJob` says what to do, `survey` reads the input once before anything is sent, `run` does the work. Needs pyarrow
(extra `bulk`), imported at the first use.
"""

from workers_ai.bulk_files.failure import FileError, SettingsChangedError
from workers_ai.bulk_files.job import EmbedJob
from workers_ai.bulk_files.run import Outcome, run
from workers_ai.bulk_files.survey import Survey, survey

__all__ = ["EmbedJob", "FileError", "Outcome", "SettingsChangedError", "Survey", "run", "survey"]
