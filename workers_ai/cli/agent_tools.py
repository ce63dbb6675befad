"""The two tools of the demo's agents, as plain functions: each framework makes its own tools of them."""

from __future__ import annotations

QUESTION = "What is the weather in Velmouth, and what is the ferry price for 3 passengers?"
"""Needs both tools."""

_WEATHER = {"velmouth": "drizzle, 11 °C, wind from the west", "orrin island": "sun, 13 °C"}
_FARE = 4.5  # crowns for one passenger


def weather(city: str) -> str:
    """Current weather in a city."""
    return _WEATHER.get(city.strip().lower(), f"nobody reports the weather in {city}")


def ferry_price(passengers: int) -> str:
    """Ferry price for a number of passengers."""
    return f"{passengers * _FARE:.2f} crowns for {passengers} passengers"


FUNCTIONS = (weather, ferry_price)
