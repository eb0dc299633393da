import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { isCutShort, type Answer } from "./answers.ts";
import { createCacheClient, type CacheClient, type CacheClientOptions } from "./cache-client.ts";

const never = new AbortController().signal;
const someBytes = { maxBytes: 10 };

interface Limits {
  readonly connections?: number;
  readonly timeoutMs?: number;
  readonly attempts?: number;
}

/** A client with one connection. What is under `/hang` is never answered. */
async function clientOf(answer: RequestListener, limits: Limits = {}): Promise<CacheClient> {
  const server = createServer((request, response) => {
    if (request.url !== "/hang") answer(request, response);
  });
  const url = await listen(server);
  return clientFor({ url, ...limits });
}

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type ClientOptions = Limits & Pick<CacheClientOptions, "url" | "proxies">;

function clientFor({ attempts = 1, ...options }: ClientOptions): CacheClient {
  const client = createCacheClient({
    connections: 1,
    timeoutMs: 10_000,
    retry: { attempts, firstDelayMs: 1, factor: 1, maxDelayMs: 1 },
    clock: systemClock,
    ...options,
  });
  onTestFinished(() => client[Symbol.dispose]());
  return client;
}

/** A server that answers each request with these bytes, and what it was asked. */
async function serveBytes(answerOf: (request: string) => string, limits: Limits & { end?: boolean } = {}) {
  const requests: string[] = [];
  const server = createTcpServer((socket) => {
    socket.on("data", (data) => {
      const request = data.toString().split("\r\n")[0] ?? "";
      requests.push(request);
      socket.write(answerOf(request), () => limits.end === true && socket.end());
    });
  });
  return { client: clientFor({ url: await listen(server), ...limits }), requests };
}

test("who is told to stop stops at once, with a connection or waiting for one", async () => {
  const client = await clientOf((_, response) => response.end());
  const stop = new AbortController();
  const asking = [client.get("hang", someBytes, stop.signal), client.get("x", someBytes, stop.signal)];
  const ended = Promise.allSettled(asking);
  stop.abort(new Error("told to stop"));
  expect(await ended).toMatchObject(
    asking.map(() => ({ status: "rejected", reason: { message: "told to stop" } })),
  );
  expect(await client.get("x", someBytes, never)).toMatchObject({ status: 200 });
});

test("the time for an answer includes the wait for a connection", async () => {
  const client = await clientOf(() => undefined, { timeoutMs: 1000 });
  const startedAt = performance.now();
  const ends = ["hang", "hang"].map(async (path) => {
    await expect(client.get(path, someBytes, never)).rejects.toMatchObject({
      code: "CACHE_UNREACHABLE",
      message: expect.stringContaining("no whole answer in 1 seconds"),
    });
    return performance.now() - startedAt;
  });
  // After another second if its time began with the connection.
  expect(Math.max(...(await Promise.all(ends)))).toBeLessThan(1900);
});

test("a client that is not used any more ends what it was asked", async () => {
  const client = await clientOf(() => undefined);
  const asked = client.get("hang", someBytes, never);
  setTimeout(() => client[Symbol.dispose](), 50);
  await expect(asked).rejects.toMatchObject({ code: "CACHE_UNREACHABLE" });
});

test("of a long answer no more is read than is wanted, and the next question is answered", async () => {
  const client = await clientOf((request, response) => {
    if (request.url === "/short") response.end("short");
    else response.writeHead(200, { "content-length": 2 ** 40 }).write(Buffer.alloc(1024 * 1024, "x"));
  });
  const long = await client.get("long", someBytes, never);
  expect(long).toMatchObject({ body: Buffer.from("xxxxxxxxxx"), isCutOff: false, totalBytes: 2 ** 40 });
  expect((await client.get("short", someBytes, never)).body).toEqual(Buffer.from("short"));
});

test("an answer that is cut off is asked for again, and never counts as whole", async () => {
  let asked = 0;
  const cutOff: RequestListener = (_, response) => {
    asked++;
    response.writeHead(200, { "content-length": 8 }).write("half", () => response.destroy());
  };
  const client = await clientOf(cutOff, { attempts: 2 });
  expect(await client.get("x", someBytes, never)).toMatchObject({
    body: Buffer.from("half"),
    isCutOff: true,
  });
  expect(asked).toBe(2);
});

test("a stream is read no faster than it is taken, and its connection ends with it", async () => {
  const closed = Promise.withResolvers<void>();
  const most = 256 * 1024 * 1024;
  let written = 0;
  const client = await clientOf((request, response) => {
    request.socket.on("close", () => closed.resolve());
    const write = (): void => {
      if (written >= most) return void response.end();
      written += 64 * 1024;
      response.write(Buffer.alloc(64 * 1024), write);
    };
    write();
  });
  const { result } = await client.stream(
    "nar",
    {
      timeoutMs: 10_000,
      async read({ body }) {
        const chunks = body[Symbol.asyncIterator]();
        await chunks.next();
        let before = 0;
        const isHeldUp = (): boolean => before === (before = written);
        await expect.poll(isHeldUp, { interval: 250, timeout: 30_000 }).toBe(true);
        return "enough";
      },
    },
    never,
  );
  await closed.promise;
  expect(result).toBe("enough");
  expect(written).toBeLessThan(most);
});

test("of a header that comes twice the first counts", async () => {
  const client = await clientOf((_, response) => {
    response.writeHead(200, ["content-type", "text/html", "content-type", "text/plain"]).end();
  });
  expect(await client.get("x", someBytes, never)).toMatchObject({ isWebPage: true });
});

test.each([
  ["garbage", "SSH-2.0-OpenSSH_9.9\r\n"],
  ["a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"],
  ["a header that is none", "HTTP/1.1 200 OK\r\nna me: x\r\n\r\n"],
])("%s instead of an answer is asked for again, and then the fault of the cache", async (_, bytes) => {
  const { client, requests } = await serveBytes(() => bytes, { attempts: 2 });
  await expect(client.get("x", someBytes, never)).rejects.toMatchObject({
    kind: "unavailable",
    code: "CACHE_UNREACHABLE",
    name: "HomelabError",
  });
  expect(requests).toHaveLength(2);
});

test.each([
  ["its length", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"],
  [
    "its length, from a server that closes",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\nhalf",
  ],
  ["its length, in HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nhalf"],
  ["its chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  [
    "its chunks, from a server that closes",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
  ],
])("an answer that is shorter than %s is cut off", async (_, bytes) => {
  const { client, requests } = await serveBytes(() => bytes, { attempts: 2, end: true });
  const start = await client.get("x", someBytes, never);
  expect(start).toMatchObject({ status: 200, body: Buffer.from("half"), isCutOff: true });
  expect(requests).toHaveLength(2);
  const read = async ({ body }: Answer<Readable>): Promise<boolean> =>
    buffer(body).then(() => false, isCutShort);
  expect(await client.stream("x", { timeoutMs: 10_000, read }, never)).toMatchObject({ result: true });
});

test("what comes before an answer is not the answer", async () => {
  const hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  const { client } = await serveBytes(() => `${hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
  const body = Buffer.from("ok");
  expect(await client.get("x", someBytes, never)).toMatchObject({ status: 200, body });
  const read = async (answer: Answer<Readable>): Promise<Buffer> => buffer(answer.body);
  expect(await client.stream("x", { timeoutMs: 10_000, read }, never)).toEqual({
    status: 200,
    result: body,
    isWebPage: false,
  });
});

test("where the head of an answer decides, nobody waits for its body", async () => {
  const { client } = await serveBytes(
    (request) => {
      if (request.startsWith("GET /moved ")) return "HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n";
      if (request.startsWith("GET /broken ")) return "HTTP/1.1 503 Down\r\nContent-Length: 9\r\n\r\n";
      return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere";
    },
    { timeoutMs: 5_000 },
  );
  expect(await client.get("moved", someBytes, never)).toMatchObject({ body: Buffer.from("there") });
  await expect(client.get("broken", someBytes, never)).rejects.toThrow("HTTP status 503");
  expect(await client.get("x", someBytes, never)).toMatchObject({ status: 200 });
});

test("a proxy gets no more connections than the cache would", async () => {
  let most = 0;
  const proxy = createServer((_, response) => setTimeout(() => response.end("ok"), 5));
  let open = 0;
  proxy.on("connection", (socket) => {
    most = Math.max(most, ++open);
    socket.on("close", () => open--);
  });
  const http_proxy = await listen(proxy);
  const client = clientFor({ url: "http://cache.lab", connections: 2, proxies: { http_proxy } });
  const asked = Array.from({ length: 20 }, async () => client.get("x", someBytes, never));
  for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ status: 200 });
  expect(most).toBe(2);
});

test("a proxy that makes no tunnel in time is asked for another one", async () => {
  let tunnels = 0;
  const proxy = createServer().on("connect", (_, socket) => {
    tunnels++;
    socket.on("error", () => undefined);
  });
  const https_proxy = await listen(proxy);
  const client = clientFor({
    url: "https://cache.lab",
    timeoutMs: 1000,
    attempts: 4,
    proxies: { https_proxy },
  });
  await expect(client.get("x", someBytes, never)).rejects.toMatchObject({ code: "CACHE_UNREACHABLE" });
  expect(tunnels).toBeGreaterThan(1);
});

test.each(["http://me:50%@proxy.lab:3128", "http://proxy.lab:99999"])(
  "the proxy %s is a fault of the environment",
  async (http_proxy) => {
    const client = clientFor({ url: "http://cache.lab", attempts: 2, proxies: { http_proxy } });
    await expect(client.get("x", someBytes, never)).rejects.toMatchObject({
      kind: "config",
      code: "BAD_PROXY",
    });
  },
);

test("whoever is told to stop leaves no connection that is only being made", async () => {
  const accepted = Promise.withResolvers<Socket>();
  const server = createTcpServer({ allowHalfOpen: false }, (socket) => accepted.resolve(socket.resume()));
  const url = (await listen(server)).replace("http:", "https:");
  const client = clientFor({ url, timeoutMs: 120_000 });
  const stop = new AbortController();
  const asked = client.get("x", someBytes, stop.signal);
  const closed = accepted.promise.then(async (socket) => once(socket, "close"));
  await accepted.promise;
  stop.abort(new Error("told to stop"));
  await expect(asked).rejects.toThrow("told to stop");
  await closed;
});

test("a body that ends badly before it is read is told to its reader", async () => {
  const { client } = await serveBytes(() => "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
  const stop = new AbortController();
  const read = async ({ body }: Answer<Readable>): Promise<Buffer> => {
    stop.abort(new Error("told to stop"));
    await new Promise((resolve) => body.once("close", resolve));
    return buffer(body);
  };
  await expect(client.stream("x", { timeoutMs: 10_000, read }, stop.signal)).rejects.toThrow("told to stop");
});
