import { inspect } from "node:util";
import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { type Call, createHttp, type HttpOptions, maxAnswerBytes } from "./http.ts";

const token = "planted+token/0123456789abcdef==";
const never = new AbortController().signal;
const get = { method: "GET", path: ["repos", "o", "r"], answer: v.object({ id: v.number() }) } as const;

type Answering = (request: Request) => Response | Promise<Response>;

/** A client whose answers are given in order, the last one forever; time passes by itself. */
function rig(answers: readonly Answering[], options: Partial<HttpOptions> = {}) {
  const requests: Request[] = [];
  const sleeps: number[] = [];
  const clock = createFakeClock("2026-11-23T12:00:00.000Z");
  const http = createHttp({
    apiUrl: "https://git.example/sub/api/v1",
    scheme: "token",
    readToken: async () => token,
    timeoutMs: 30_000,
    clock: {
      ...clock,
      // The deadline of an attempt never comes here; every other wait is over at once.
      sleep: (ms, signal) =>
        ms === 30_000 ? clock.sleep(ms, signal) : Promise.resolve(void sleeps.push(ms)),
    },
    fetch: async (input, init) => {
      const request = new Request(input, init);
      requests.push(request);
      const answer = answers[Math.min(requests.length, answers.length) - 1];
      if (answer === undefined) throw new Error("no answer is left");
      return answer(request);
    },
    ...options,
  });
  return { http, requests, sleeps };
}

const ok: Answering = () => Response.json({ id: 7, unknown: "ignored" });
const status =
  (code: number, body: object = { message: "words" }, headers: Record<string, string> = {}): Answering =>
  () =>
    Response.json(body, { status: code, headers });
const drop: Answering = () => {
  throw new TypeError("fetch failed", { cause: new Error("read ECONNRESET") });
};

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.fail(`it worked: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
}

test("asks below the root of the API, with the token in a header and every name encoded", async () => {
  const { http, requests } = rig([ok]);
  const call = {
    ...get,
    path: ["repos", "o o", "branches", "flake-update/ä"],
    query: { page: 2, base: undefined },
  };
  expect((await http.call(call, never)).value).toEqual({ id: 7 });
  expect(requests[0]?.url).toBe(
    "https://git.example/sub/api/v1/repos/o%20o/branches/flake-update/%C3%A4?page=2",
  );
  expect(requests[0]?.headers.get("authorization")).toBe(`token ${token}`);
  expect(requests[0]?.redirect).toBe("manual");
});

test.for([[".."], ["o", "../../user"], [""], ["a//b"], ["."]])("no path climbs: %j", async (path) => {
  const { http, requests } = rig([ok]);
  expect(await failure(http.call({ ...get, path }, never))).toMatchObject({
    kind: "usage",
    code: "BAD_NAME",
  });
  expect(requests).toEqual([]);
});

test("the token is read again for each attempt", async () => {
  const tokens = ["old", "new"];
  const { http, requests } = rig([drop, ok], { readToken: async () => tokens.shift() ?? "" });
  await http.call(get, never);
  expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual(["token old", "token new"]);
});

test.for([
  [401, "words", "refused", "FORGE_AUTH"],
  [403, "words", "refused", "FORGE_FORBIDDEN"],
  [403, "Resource not accessible by personal access token", "refused", "FORGE_SCOPE"],
  [404, "words", "refused", "FORGE_NOT_FOUND"],
  [405, "words", "refused", "FORGE_REFUSED"],
  [409, "words", "refused", "FORGE_CONFLICT"],
  [412, "words", "refused", "FORGE_PRECONDITION"],
  [413, "words", "refused", "FORGE_TOO_LARGE"],
  [422, "words", "refused", "FORGE_INVALID"],
  [423, "words", "refused", "FORGE_ARCHIVED"],
  [500, "", "unavailable", "FORGE_UNREACHABLE"],
] as const)("%i %j is %s %s, at the first attempt", async ([code, message, kind, name]) => {
  const { http, requests } = rig([status(code, { message })]);
  expect(await failure(http.call(get, never))).toMatchObject({ kind, code: name, status: code });
  expect(requests).toHaveLength(1);
});

test("a missing scope is named in the hint", async () => {
  const words =
    "token does not have at least one of required scope(s), required=[write:issue], token scope=read:issue";
  const error = await failure(rig([status(403, { message: words })]).http.call(get, never));
  expect(error).toMatchObject({
    code: "FORGE_SCOPE",
    hint: "make a token that also has the scope write:issue",
  });
});

test.for(["GET", "PUT", "PATCH", "DELETE"] as const)(
  "%s is repeated when the forge cannot be reached",
  async (method) => {
    const { http, requests, sleeps } = rig([drop, status(502), status(503), ok]);
    await http.call({ ...get, method }, never);
    expect(requests).toHaveLength(4);
    expect(sleeps).toHaveLength(3);
    expect(sleeps.every((ms, index) => ms >= 800 * 3 ** index && ms <= 1200 * 3 ** index)).toBe(true);
  },
);

test.for([drop, status(502), status(429, {}, { "retry-after": "1" })])(
  "POST is never repeated",
  async (answer) => {
    const { http, requests } = rig([answer, ok]);
    expect(await failure(http.call({ ...get, method: "POST", json: {} }, never))).toMatchObject({
      code: "FORGE_UNREACHABLE",
    });
    expect(requests).toHaveLength(1);
  },
);

test("attempts are bounded, and the last error says why", async () => {
  const { http, requests } = rig([drop]);
  expect(await failure(http.call(get, never))).toMatchObject({
    message: "GET https://git.example/sub/api/v1/repos/o/r got no answer: read ECONNRESET",
  });
  expect(requests).toHaveLength(4);
});

test.for([
  ["7", 7000],
  ["Mon, 23 Nov 2026 12:00:09 GMT", 9000],
  ["0", 0],
] as const)("waits as long as Retry-After says: %s", async ([header, expected]) => {
  const { http, sleeps } = rig([status(429, {}, { "retry-after": header }), ok]);
  await http.call(get, never);
  expect(sleeps).toEqual([expected]);
});

test("a Retry-After of hours is an error at once", async () => {
  const { http, requests } = rig([status(429, {}, { "retry-after": "7200" }), ok]);
  expect(await failure(http.call(get, never))).toMatchObject({
    kind: "unavailable",
    retryAfterMs: 7_200_000,
  });
  expect(requests).toHaveLength(1);
});

test.for<Record<string, string>>([{ "x-ratelimit-remaining": "0" }, { "retry-after": "1" }])(
  "a rate limit that GitHub tells by 403 is waited out: %j",
  async (headers) => {
    const { http, requests } = rig([status(403, {}, { ...headers }), ok]);
    await http.call(get, never);
    expect(requests).toHaveLength(2);
  },
);

test("the details of a refusal are told", async () => {
  const errors = ["text", { message: "head is invalid" }, { code: "custom" }];
  const { http } = rig([status(422, { message: "Validation Failed", errors })]);
  expect(await failure(http.call(get, never))).toMatchObject({
    message: expect.stringContaining("422: Validation Failed; text; head is invalid"),
  });
});

test("redirects are not followed", async () => {
  const { http, requests } = rig([
    () => new Response(null, { status: 307, headers: { location: "https://elsewhere.example/x?token=1" } }),
  ]);
  const error = await failure(http.call(get, never));
  expect(error).toMatchObject({ kind: "config", code: "FORGE_REDIRECT" });
  expect(inspect(error)).toContain("it moved to https://elsewhere.example/x");
  expect(requests).toHaveLength(1);
});

test.for([
  ["a web page", "<!DOCTYPE html><html><head><title>Sign in</title></head></html>", 'a web page, "Sign in"'],
  ["text", "hello", "it is not Object"],
  ["another object", '{"id":"7"}', "id is not number"],
  ["nothing", "", "it is not Object"],
])("%s is no answer", async ([, body, words]) => {
  const { http, requests } = rig([() => new Response(body)]);
  const error = await failure(http.call(get, never));
  expect(error).toMatchObject({ kind: "unavailable", code: "FORGE_BAD_ANSWER" });
  expect(inspect(error)).toContain(words);
  expect(requests).toHaveLength(1);
});

test("an endless answer is read only as far as the limit", async () => {
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 1024 * 1024;
      controller.enqueue(new Uint8Array(1024 * 1024));
    },
  });
  const { http } = rig([() => new Response(endless)]);
  expect(await failure(http.call(get, never))).toMatchObject({ code: "FORGE_BAD_ANSWER" });
  expect(sent).toBeLessThan(maxAnswerBytes + 4 * 1024 * 1024);
});

test("a silent forge is given up after the deadline", async () => {
  const clock = createFakeClock();
  const http = createHttp({
    apiUrl: "https://git.example/api/v1",
    scheme: "token",
    readToken: async () => token,
    clock,
    timeoutMs: 30_000,
    retryPolicy: { attempts: 1, firstDelayMs: 1, factor: 1, maxDelayMs: 1 },
    fetch: (_input, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      }),
  });
  const call = failure(http.call(get, never));
  await clock.advance(30_001);
  expect(await call).toMatchObject({ code: "FORGE_UNREACHABLE" });
});

test("who aborts gets his own reason, at once", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const { http } = rig([
    () => {
      controller.abort(reason);
      throw new Error("aborted");
    },
  ]);
  expect(await failure(http.call(get, controller.signal))).toBe(reason);
});

test("text that is no Unicode is mended on its way out", async () => {
  const { http, requests } = rig([ok]);
  await http.call({ ...get, method: "PATCH", json: { body: "half a pair: \ud800." } }, never);
  expect(await requests[0]?.text()).toBe('{"body":"half a pair: \ufffd."}');
});

test.for(["", "two words", "line\nbreak", "ünicode"])(
  "a token file that holds %j is refused without showing it",
  async (bad) => {
    const { http, requests } = rig([ok], { readToken: async () => bad });
    const error = await failure(http.call(get, never));
    expect(error).toMatchObject({ kind: "config", code: "BAD_SECRET" });
    expect(inspect(error)).not.toContain(`${bad}"`);
    expect(requests).toEqual([]);
  },
);

const echoes: readonly ((said: string) => Answering)[] = [
  (said) => status(422, { message: `no: ${said}` }),
  (said) => status(200, { id: said }),
  (said) => () => new Response(`<html><title>${said}</title>`, { status: 502 }),
  (said) => () => new Response(`<html><title>${said}</title>`),
  (said) => () =>
    new Response(null, {
      status: 302,
      headers: { location: `https://x.example/${encodeURIComponent(said)}` },
    }),
  (said) => () => {
    throw new TypeError("fetch failed", { cause: new Error(said) });
  },
];

const piecesOf = (text: string, length: number): readonly string[] =>
  Array.from({ length: Math.max(0, text.length - length + 1) }, (_, start) =>
    text.slice(start, start + length),
  );

test("no error shows the token, in whatever form and place a server repeats it", async () => {
  const anyToken = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 12,
    maxLength: 60,
  });
  const property = fc.asyncProperty(
    anyToken,
    fc.string({ maxLength: 500 }),
    fc.constantFrom(...echoes),
    fc.constantFrom<(secret: string, user: string) => string>(
      (secret) => secret,
      (secret) => `token ${secret}`,
      (secret) => encodeURIComponent(secret),
      (secret, user) => Buffer.from(`${user}:${secret}`).toString("base64"),
    ),
    async (secret, before, echo, form) => {
      const said = form(secret, before.slice(0, 3));
      const call: Call = { ...get, method: "POST", json: {} };
      const { http } = rig([echo(`${before} ${said}`)], { readToken: async () => secret });
      const shown = inspect(await failure(http.call(call, never)), { depth: 9 });
      // Neither as a whole nor in a piece that would help.
      const pieces = [...piecesOf(secret, 8), ...piecesOf(said.slice(12, -4), 8)];
      expect(pieces.filter((piece) => shown.includes(piece))).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns: 400 });
});
