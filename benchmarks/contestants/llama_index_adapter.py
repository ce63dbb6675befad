"""LlamaIndex over this package."""

from __future__ import annotations

from contestants import ACCOUNT, EMBEDDING_MODEL, MODEL, TOKEN
from contestants.llama_index_model import LlamaIndexModel
from llama_index_workers_ai import WorkersAI, WorkersAIEmbedding


class LlamaIndexAdapter(LlamaIndexModel):
    """`WorkersAI` and `WorkersAIEmbedding`."""

    def __init__(self, base_url: str) -> None:
        super().__init__(WorkersAI(model=MODEL, account_id=ACCOUNT, api_token=TOKEN, base_url=base_url))
        self.embedding = WorkersAIEmbedding(
            model_name=EMBEDDING_MODEL, account_id=ACCOUNT, api_token=TOKEN, base_url=base_url
        )

    def embed(self, texts: list[str]) -> list[list[float]]:
        return self.embedding.get_text_embedding_batch(texts)

    async def aembed(self, texts: list[str]) -> list[list[float]]:
        return await self.embedding.aget_text_embedding_batch(texts)


def make(base_url: str, *, tokens: int) -> LlamaIndexAdapter:
    """The contestant."""
    return LlamaIndexAdapter(base_url)
