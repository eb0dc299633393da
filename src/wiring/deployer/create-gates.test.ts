import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test as base } from "vitest";
import { hastyClock } from "../../../test/support/hasty-clock.ts";
import { systemClock } from "../../base/clock.ts";
import type { GateAnswer } from "../../rollout/gates.ts";
import { createGates } from "./create-gates.ts";

type Answer = (response: ServerResponse) => void;

const passing = JSON.stringify({ status: "success", data: { resultType: "scalar", result: [1, "1"] } });

/** A server that answers as it is told, and remembers what it was asked. */
const test = base.extend("server", async ({}, { onCleanup }) => {
  let answer: Answer = (response) => response.end(passing);
  const asked: { readonly path: string; readonly body: string; readonly connection: string }[] = [];
  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    asked.push({ path: request.url ?? "", body, connection: request.headers.connection ?? "" });
    answer(response);
  }
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onCleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}`,
    asked,
    answers: (next: Answer) => {
      answer = next;
    },
  };
});

const signal = AbortSignal.timeout(120_000);
const gates = createGates({ fetch, clock: systemClock });

const askPrometheus = async (url: string, using = gates): Promise<GateAnswer> =>
  using.ask({ kind: "prometheus", name: "errors", url, query: 'up{job="a"} == bool 1' }, signal);
const askPage = async (url: string, using = gates): Promise<GateAnswer> =>
  using.ask({ kind: "http", name: "site", url }, signal);

test("Prometheus is asked for the query below its address", async ({ server }) => {
  expect(await askPrometheus(`${server.url}/prometheus/`)).toEqual({ ok: true });
  const [request] = server.asked;
  expect(request?.path).toBe("/prometheus/api/v1/query");
  expect(new URLSearchParams(request?.body).get("query")).toBe('up{job="a"} == bool 1');
  expect(request?.connection).toBe("close");
});

test("a value that is wrong names the series", async ({ server }) => {
  const result = [{ metric: { job: "a" }, value: [1, "0"] }];
  server.answers((response) =>
    response.end(JSON.stringify({ status: "success", data: { resultType: "vector", result } })),
  );
  expect(await askPrometheus(server.url)).toEqual({
    ok: false,
    code: "GATE_FAILED",
    detail: '{job="a"} is 0',
  });
});

test.for<[string, Answer, string]>([
  [
    "no series",
    (response) => response.end('{"status":"success","data":{"resultType":"vector","result":[]}}'),
    "the query gives no data",
  ],
  [
    "an error",
    (response) => {
      response.writeHead(422).end('{"status":"error","errorType":"execution","error":"too many samples"}');
    },
    "execution: too many samples",
  ],
  [
    "garbage",
    (response) => response.end("\u0000\u0001garbage"),
    "the answer is not one of Prometheus: garbage",
  ],
  [
    "half of an answer",
    (response) => {
      response.writeHead(200, { "content-length": 500 }).write(passing);
      setImmediate(() => response.destroy());
    },
    "HOST gives no answer: ",
  ],
  [
    "a redirect",
    (response) => {
      response.writeHead(302, { location: "https://login.lan/start?state=abc" }).end(passing);
    },
    "HOST answers with a redirect (302) to https://login.lan/start, which is not followed",
  ],
  [
    "more than is read",
    (response) => {
      const chunk = " ".repeat(64 * 1024);
      const more = (): void => void (response.destroyed || response.write(chunk, () => setImmediate(more)));
      more();
    },
    "HOST gives no answer: its body has more than 1048576 bytes",
  ],
])("%s from Prometheus is no data", async ([, answer, detail], { server }) => {
  server.answers(answer);
  expect(await askPrometheus(server.url)).toEqual({
    ok: false,
    code: "GATE_NO_DATA",
    detail: expect.stringContaining(detail.replace("HOST", server.host)),
  });
});

test.for<[number, GateAnswer["ok"]]>([
  [200, true],
  [204, true],
  [299, true],
  [404, false],
  [503, false],
])("a page that answers %i passes: %s", async ([status, ok], { server }) => {
  server.answers((response) => void response.writeHead(status).end(ok ? undefined : "not ready\nyet"));
  expect(await askPage(`${server.url}/health?full=1`)).toEqual(
    ok
      ? { ok }
      : {
          ok,
          code: "GATE_FAILED",
          detail: `${server.host} answers ${status}: not ready`,
        },
  );
  expect(server.asked).toEqual([{ path: "/health?full=1", body: "", connection: "close" }]);
});

test("a page that leads elsewhere does not pass, and nobody goes there", async ({ server }) => {
  server.answers((response) => void response.writeHead(307, { location: "/health" }).end());
  expect(await askPage(server.url)).toEqual({
    ok: false,
    code: "GATE_FAILED",
    detail: `${server.host} answers with a redirect (307) to /health, which is not followed`,
  });
  expect(server.asked).toHaveLength(1);
});

test("a page passes by its status, however long it is", async ({ server }) => {
  server.answers((response) => {
    const more = (): void =>
      void (response.destroyed || response.write("x".repeat(65_536), () => setImmediate(more)));
    more();
  });
  expect(await askPage(server.url)).toEqual({ ok: true });
});

test.for<[string, Answer]>([
  ["never begins", () => undefined],
  ["never ends", (response) => void response.writeHead(200).write('{"status":')],
])("an answer that %s is given up", async ([, answer], { server }) => {
  server.answers(answer);
  const hasty = createGates({ fetch, clock: hastyClock });
  expect(await askPrometheus(server.url, hasty)).toEqual({
    ok: false,
    code: "GATE_NO_DATA",
    detail: `${server.host} gives no answer: nothing within 10 s`,
  });
});

test("a server that is not there gives no data", async ({ server }) => {
  const nobody = "http://127.0.0.1:1";
  for (const answer of [await askPrometheus(nobody), await askPage(nobody)]) {
    expect(answer).toMatchObject({ ok: false, code: "GATE_NO_DATA" });
    expect(answer).toMatchObject({ detail: expect.stringContaining("127.0.0.1:1 gives no answer: ") });
  }
  expect(server.asked).toEqual([]);
});

test("whoever asks can stop waiting, and that is all that is ever thrown", async ({ server }) => {
  const stop = new AbortController();
  server.answers(() => stop.abort(new Error("the deployer stops")));
  const gate = { kind: "http", name: "site", url: server.url } as const;
  await expect(gates.ask(gate, stop.signal)).rejects.toThrow("the deployer stops");
  await expect(gates.ask(gate, stop.signal)).rejects.toThrow("the deployer stops");
  expect(server.asked).toHaveLength(1);
});
