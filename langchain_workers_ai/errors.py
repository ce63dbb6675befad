"""Errors that are both the package's own and LangChain's: code that catches either goes on working."""

from __future__ import annotations

from langchain_core import exceptions as langchain

from workers_ai import errors as core


class WorkersAIAuthenticationError(core.AuthenticationError, langchain.ModelAuthenticationError):
    """See the core's AuthenticationError."""


class WorkersAIPermissionDeniedError(core.PermissionDeniedError, langchain.ModelPermissionDeniedError):
    """See the core's PermissionDeniedError."""


class WorkersAIBadRequestError(core.BadRequestError, langchain.ModelInvalidRequestError):
    """See the core's BadRequestError."""


class WorkersAIContextLengthError(core.ContextLengthError, langchain.ContextOverflowError):
    """See the core's ContextLengthError."""


class WorkersAIStructuredOutputError(
    core.StructuredOutputError, langchain.ModelInvalidRequestError, langchain.OutputParserException
):
    """See the core's StructuredOutputError."""


class WorkersAIContentFilteredError(core.ContentFilteredError, langchain.ModelInvalidRequestError):
    """See the core's ContentFilteredError."""


class WorkersAIModelNotFoundError(core.ModelNotFoundError, langchain.ModelNotFoundError):
    """See the core's ModelNotFoundError."""


class WorkersAIQuotaExceededError(core.QuotaExceededError, langchain.ModelRateLimitError):
    """See the core's QuotaExceededError. Not retryable, as `is_retryable` says."""


class WorkersAIBudgetExceededError(core.BudgetExceededError, langchain.ModelError):
    """See the core's BudgetExceededError."""


class WorkersAIRateLimitError(core.RateLimitError, langchain.ModelRateLimitError):
    """See the core's RateLimitError."""


class WorkersAICapacityError(core.CapacityError, langchain.ModelRateLimitError):
    """See the core's CapacityError."""


class WorkersAIServerError(core.ServerError, langchain.ModelAPIError):
    """See the core's ServerError."""


class WorkersAIGatewayError(core.GatewayError, langchain.ModelInvalidRequestError):
    """See the core's GatewayError."""


class WorkersAIInvalidResponseError(core.InvalidResponseError, langchain.ModelAPIError):
    """See the core's InvalidResponseError."""


class WorkersAIEmptyAnswerError(core.EmptyAnswerError, langchain.ModelAPIError):
    """See the core's EmptyAnswerError."""


class WorkersAIStreamInterruptedError(core.StreamInterruptedError, langchain.ModelConnectionError):
    """See the core's StreamInterruptedError."""


class WorkersAIConnectionError(core.APIConnectionError, langchain.ModelConnectionError):
    """See the core's APIConnectionError."""


class WorkersAITimeoutError(core.APITimeoutError, langchain.ModelTimeoutError):
    """See the core's APITimeoutError."""


ERROR_CLASSES: core.ErrorClasses = {
    core.AuthenticationError: WorkersAIAuthenticationError,
    core.PermissionDeniedError: WorkersAIPermissionDeniedError,
    core.BadRequestError: WorkersAIBadRequestError,
    core.ContextLengthError: WorkersAIContextLengthError,
    core.StructuredOutputError: WorkersAIStructuredOutputError,
    core.ContentFilteredError: WorkersAIContentFilteredError,
    core.ModelNotFoundError: WorkersAIModelNotFoundError,
    core.QuotaExceededError: WorkersAIQuotaExceededError,
    core.BudgetExceededError: WorkersAIBudgetExceededError,
    core.RateLimitError: WorkersAIRateLimitError,
    core.CapacityError: WorkersAICapacityError,
    core.ServerError: WorkersAIServerError,
    core.GatewayError: WorkersAIGatewayError,
    core.InvalidResponseError: WorkersAIInvalidResponseError,
    core.EmptyAnswerError: WorkersAIEmptyAnswerError,
    core.StreamInterruptedError: WorkersAIStreamInterruptedError,
    core.APIConnectionError: WorkersAIConnectionError,
    core.APITimeoutError: WorkersAITimeoutError,
}
"""For each class of the core the one that the LangChain classes raise."""
