"""LangChain over this package."""

from __future__ import annotations

from contestants import ACCOUNT, EMBEDDING_MODEL, MODEL, TOKEN
from contestants.langchain_model import LangChainModel
from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings


class LangChainAdapter(LangChainModel):
    """`ChatWorkersAI` and `WorkersAIEmbeddings`."""

    def __init__(self, base_url: str) -> None:
        super().__init__(ChatWorkersAI(model=MODEL, account_id=ACCOUNT, api_token=TOKEN, base_url=base_url))
        self.embeddings = WorkersAIEmbeddings(
            model=EMBEDDING_MODEL, account_id=ACCOUNT, api_token=TOKEN, base_url=base_url
        )

    def embed(self, texts: list[str]) -> list[list[float]]:
        return self.embeddings.embed_documents(texts)

    async def aembed(self, texts: list[str]) -> list[list[float]]:
        return await self.embeddings.aembed_documents(texts)


def make(base_url: str, *, tokens: int) -> LangChainAdapter:
    """The contestant."""
    return LangChainAdapter(base_url)
