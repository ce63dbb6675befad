"""A file of texts in, a Parquet file with their vectors out, in checkpoints: what `workers-ai embed` runs.

`job.EmbedJob` says what to do, `survey.survey` reads the input once before anything is sent, `run.run` does the work.
Needs pyarrow (extra `bulk`), imported at the first use.
"""
