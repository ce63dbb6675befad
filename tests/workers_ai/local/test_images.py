import base64
import struct
import zlib

import pytest

from workers_ai.local import images

SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
VISION = [SCOUT, GEMMA, "@cf/meta/llama-3.2-11b-vision-instruct", "@cf/mistralai/mistral-small-3.1-24b-instruct"]


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x10\x00\x20\x03"
GIF = b"GIF89a" + struct.pack("<HH", 32, 16)
WEBP_X = b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + (31).to_bytes(3, "little") + (15).to_bytes(3, "little")
WEBP_L = b"RIFF\0\0\0\0WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 31 | 15 << 14)
WEBP = b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 32, 16)


def part(data=None, url=None, media_type="image/png"):
    encoded = f"data:{media_type};base64,{base64.b64encode(data or b'').decode()}"
    return {"type": "image_url", "image_url": {"url": url or encoded}}


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (png(32, 16), "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (WEBP_X, "image/webp"),
        (WEBP_L, "image/webp"),
        (WEBP, "image/webp"),
    ],
)
def test_type_and_size_are_read_from_the_first_bytes(data, media_type):
    assert images.from_bytes(data) == images.Image(media_type, (32, 16))
    assert images.from_bytes(data[:13]).size in {None, (32, 16)}


def test_what_is_no_image_breaks_nothing():
    assert images.from_url("data:image/png;base64,").media_type == "image/png"
    assert images.from_url("data:,hello").size is None
    assert images.from_url("nonsense").host
    assert images.from_url("data:image/png;base64,%%%").size is None


@pytest.mark.parametrize("model", VISION)
def test_a_model_with_eyes_says_what_can_be_said(emulator, model):
    content = [{"type": "text", "text": "Describe this image."}, part(png(32, 16))]
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    answer = emulator.v1("chat/completions", body).json()["choices"][0]["message"]["content"]
    assert "PNG" in answer
    assert "32 x 16" in answer


@pytest.mark.parametrize("model", ["@cf/openai/gpt-oss-20b", "@cf/zai-org/glm-4.7-flash"])
def test_a_model_without_eyes_refuses(emulator, model):
    response = emulator.run(model, {"messages": [{"role": "user", "content": [part(png(1, 1))]}]})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 3030)


def test_an_address_is_taken_by_some_models_and_never_fetched(emulator):
    body = {"messages": [{"role": "user", "content": [part(url="https://example.com/cat.png")]}]}
    answer = emulator.result(GEMMA, body)["choices"][0]["message"]["content"]
    assert "example.com" in answer
    assert emulator.run(SCOUT, body).status_code == 400


def test_the_image_that_a_tool_brought_is_seen(emulator):
    call = {"id": "1", "type": "function", "function": {"name": "random_image", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "get a random diagram using the tool and give it a concise description"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "name": "random_image", "content": [part(png(32, 16))]},
    ]
    tool = {"name": "random_image", "description": "Return a random image.", "parameters": {}}
    body = {"messages": messages, "tools": [{"type": "function", "function": tool}]}
    assert "32 x 16" in emulator.result(GEMMA, body)["choices"][0]["message"]["content"]
    assert "32 x 16" in emulator.result(SCOUT, body)["response"]


def test_an_image_costs_tokens(emulator):
    def tokens(content):
        return emulator.result(GEMMA, {"messages": [{"role": "user", "content": content}]})["usage"]["prompt_tokens"]

    assert tokens([{"type": "text", "text": "Hi"}, part(png(1, 1))]) > tokens("Hi") + 100
