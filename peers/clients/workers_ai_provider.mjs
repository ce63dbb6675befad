// workers-ai-provider with the AI SDK, outside Workers: by account and key, as its readme says. It has no option for the
// address, but one for `fetch`, meant for tests: that sends what is for Cloudflare to the emulator.
import { readFileSync } from "node:fs";
import { APICallError, embedMany, generateText, isStepCount, Output, RetryError, rerank, streamText, tool } from "ai";
import { createWorkersAI } from "workers-ai-provider";
import { z } from "zod";

const inThisFolder = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url)));
const told = inThisFolder("questions.json");
const tooMany = Array.from({ length: 101 }, (_, at) => `text number ${at}`);
const { CLOUDFLARE_ACCOUNT_ID: accountId, CLOUDFLARE_API_TOKEN, CLOUDFLARE_BASE_URL, PEERS_SPENT_BASE_URL } = process.env;

function provider({ baseUrl = CLOUDFLARE_BASE_URL, apiKey = CLOUDFLARE_API_TOKEN, ...more } = {}) {
  const hosts = [
    ["https://api.cloudflare.com/client/v4", baseUrl],
    ["https://gateway.ai.cloudflare.com/v1", new URL("/v1", baseUrl).href],
  ];
  const here = (url, init) => {
    const [from, to] = hosts.find(([host]) => url.startsWith(host));
    return fetch(url.replace(from, to), init);
  };
  return createWorkersAI({ accountId, apiKey, fetch: here, ...more });
}

const workersai = provider();
const abortSignal = () => AbortSignal.timeout(30_000);
const say = (fact) => console.log(JSON.stringify(fact));

class Otherwise extends Error {
  name = "Otherwise";
}

function expect(holds, what) {
  if (!holds) throw new Otherwise(JSON.stringify(what)?.slice(0, 400));
}

const weather = tool({
  description: "The weather of a city.",
  inputSchema: z.object({ city: z.string().describe("the city's name") }),
  execute: async ({ city }) => (city === "Lisbon" ? told.result : `no such city: ${city}`),
});
const person = Output.object({ schema: z.object({ name: z.string(), age: z.number().int() }) });

async function chat(id) {
  const { text, usage } = await generateText({ model: workersai(id), prompt: told.question, abortSignal: abortSignal() });
  expect(text.includes(told.answer) && usage.totalTokens > 0, { text, usage });
}

async function streamed(id, prompt) {
  const errors = [];
  const onError = ({ error }) => errors.push(String(error));
  const result = streamText({ model: workersai(id), prompt, abortSignal: abortSignal(), onError });
  const parts = [];
  for await (const part of result.textStream) parts.push(part);
  expect(errors.length === 0, errors);
  return { parts, text: parts.join(""), usage: await result.usage };
}

async function stream(id) {
  const { parts, text } = await streamed(id, told.question);
  expect(text.includes(told.answer) && parts.length > 1, parts);
}

async function numberInAStream(id) {
  const { text } = await streamed(id, told.sum);
  expect(text.includes("42"), text);
}

async function tokensOfAStream(id) {
  const { usage } = await streamed(id, told.question);
  expect(usage.totalTokens > 10 && usage.inputTokens > 10 && usage.outputTokens > 1, usage);
}

async function tools(id) {
  const { text, steps } = await generateText({
    model: workersai(id), prompt: told.weather, tools: { get_weather: weather }, stopWhen: isStepCount(3),
    abortSignal: abortSignal(),
  });
  expect(steps.length === 2 && text.includes("21"), { text, steps: steps.length });
}

async function streamedTools(id) {
  const errors = [];
  const result = streamText({
    model: workersai(id), prompt: told.weather, tools: { get_weather: weather }, stopWhen: isStepCount(3),
    abortSignal: abortSignal(), onError: ({ error }) => errors.push(String(error)),
  });
  const text = await result.text;
  const steps = await result.steps;
  expect(errors.length === 0 && steps.length === 2 && text.includes("21"), { errors, text, steps: steps.length });
}

async function jsonSchema(id) {
  const { output } = await generateText({
    model: workersai(id), prompt: told.person, output: person, abortSignal: abortSignal(),
  });
  expect(output.name === "Ada" && output.age === 36, output);
}

async function embeddings() {
  const model = workersai.textEmbedding(told.embedder);
  const { embeddings } = await embedMany({ model, values: told.texts, abortSignal: abortSignal() });
  expect(embeddings.length === 2 && embeddings[1].length === 768, embeddings.length);
}

async function ranking() {
  const documents = [...told.texts].reverse();
  const model = workersai.reranking(told.reranker);
  const { ranking } = await rerank({ model, query: told.query, documents, abortSignal: abortSignal() });
  expect(ranking[0].originalIndex === 1, ranking);
}

async function throughAGateway() {
  const behind = provider({ gateway: { id: "default" } });
  const { text } = await generateText({ model: behind(told.newer), prompt: told.question, abortSignal: abortSignal() });
  expect(text.includes(told.answer), text);
}

async function errorInAStream() {
  const errors = [];
  const result = streamText({
    model: workersai(told.failing_model), prompt: told.question, abortSignal: abortSignal(),
    onError: ({ error }) => errors.push(String(error)),
  });
  const text = await result.text.catch((error) => errors.push(String(error)));
  const reason = await result.finishReason.catch((error) => errors.push(String(error)));
  expect(errors.length > 0 || reason === "error", { text, reason });
}

// A stream without an end has the finish reason "error", as the AI SDK names it.
async function cutStream() {
  const result = streamText({
    model: workersai(told.cut_model), prompt: told.question, abortSignal: abortSignal(), onError: () => {},
  });
  const text = await result.text;
  expect((await result.finishReason) === "error", { text, reason: await result.finishReason });
}

// An APICallError with the status, and the code in its `responseBody`; what is asked again and again is wrapped.
async function refused(call, status, code) {
  try {
    await call();
  } catch (caught) {
    const error = RetryError.isInstance(caught) ? caught.lastError : caught;
    const whole = APICallError.isInstance(error) && error.statusCode === status;
    expect(whole && error.responseBody.includes(String(code)), String(caught));
    return;
  }
  throw new Otherwise("no error");
}

const ask = (from, id) => () => generateText({ model: from(id), prompt: told.question, abortSignal: abortSignal() });
const embedTooMany = () => embedMany({ model: workersai.textEmbedding(told.embedder), values: tooMany });

const checks = {};
const perModel = {
  chat, stream, "number in a stream": numberInAStream, "tokens of a stream": tokensOfAStream, tools,
  "streamed tools": streamedTools, "JSON schema": jsonSchema,
};
for (const [feature, check] of Object.entries(perModel)) {
  for (const [name, id] of Object.entries(told.models)) checks[`${feature} · ${name}`] = () => check(id);
}
Object.assign(checks, {
  embeddings,
  rerank: ranking,
  "through a gateway": throughAGateway,
  "busy once": () => chat(told.busy_model),
  "error in a stream": errorInAStream,
  "cut stream": cutStream,
  "wrong token": () => refused(ask(provider({ apiKey: "wrong" }), told.newer), 401, 10000),
  "no such model": () => refused(ask(workersai, told.no_model), 400, 5007),
  "too many texts": () => refused(embedTooMany, 400, 5006),
  "daily quota": () => refused(ask(provider({ baseUrl: PEERS_SPENT_BASE_URL }), told.newer), 429, 4006),
});

const { dependencies } = inThisFolder("package.json");
const shown = Object.entries(dependencies).filter(([name]) => ["ai", "workers-ai-provider"].includes(name));
say({ versions: { ...Object.fromEntries(shown), Node: process.versions.node } });
for (const [feature, check] of Object.entries(checks)) {
  try {
    await check();
    say({ feature, ok: true, told: "" });
  } catch (error) {
    say({ feature, ok: false, told: `${error.name}: ${error.message}` });
  }
}
