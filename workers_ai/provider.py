"""Our name among the providers."""

PROVIDER = "cloudflare-workers-ai"
"""As traces have it: models.dev's id, and what langchain-cloudflare reports too, so that dashboards keep working."""
