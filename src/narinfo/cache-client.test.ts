import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createCacheClient, type CacheClient } from "./cache-client.ts";

const never = new AbortController().signal;
const someBytes = { maxBytes: 10 };

/** A client with one connection. What is under `/hang` is never answered. */
async function clientOf(
  answer: RequestListener,
  { timeoutMs = 10_000, attempts = 1 } = {},
): Promise<CacheClient> {
  const server = createServer((request, response) => {
    if (request.url !== "/hang") answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = createCacheClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: 1,
    timeoutMs,
    retry: { attempts, firstDelayMs: 1, factor: 1, maxDelayMs: 1 },
    clock: systemClock,
  });
  onTestFinished(() => {
    client[Symbol.dispose]();
    server.closeAllConnections();
    server.close();
  });
  return client;
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
  const client = await clientOf((_, response) => response.end(), { timeoutMs: 200 });
  const asking = ["hang", "x"].map(async (path) => client.get(path, someBytes, never));
  for (const asked of asking) {
    await expect(asked).rejects.toMatchObject({
      code: "CACHE_UNREACHABLE",
      message: expect.stringContaining("no whole answer in 0.2 seconds"),
    });
  }
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
