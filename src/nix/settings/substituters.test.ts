import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type Clock, systemClock } from "../../base/clock.ts";
import { createSubstituterProber, type Fetch } from "./substituters.ts";

const signal = new AbortController().signal;
const cacheInfo: RequestListener = (_, response) => response.end("StoreDir: /nix/store\nPriority: 30\n");

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const prober = (substituters: readonly string[], clock: Clock = systemClock, askedBy: Fetch = fetch) =>
  createSubstituterProber({ substituters, fetch: askedBy, clock });

/** Time stands, but for waits, which are over at once. */
const impatient: Clock = { ...systemClock, sleep: async () => Promise.resolve() };

test("leaves Nix its own setting when all answer", async () => {
  const url = await serve(cacheInfo);
  expect(await prober([url, "file:///cache", "ssh://other"])(signal)).toEqual({ use: undefined, dead: [] });
  expect(await prober([])(signal)).toEqual({ use: undefined, dead: [] });
});

test("asks below the cache's own path and without what is meant for Nix", async () => {
  const asked: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    asked.push(request.url);
    response.end("StoreDir: /nix/store\n");
  });
  await prober([`${url}/nixos/?priority=10`, url])(signal);
  expect(new Set(asked)).toEqual(new Set(["/nix-cache-info", "/nixos/nix-cache-info"]));
});

test("says which do not answer, and keeps the order of the others", async () => {
  const alive = await serve(cacheInfo);
  const broken = await serve((_, response) => response.writeHead(500).end());
  const portal = await serve((_, response) => response.end("<html>sign in</html>"));
  const closed = "http://127.0.0.1:1";
  expect(await prober(["file:///cache", broken, portal, alive, closed])(signal)).toEqual({
    use: ["file:///cache", alive],
    dead: [
      { url: broken, reason: "it answers with HTTP status 500" },
      { url: portal, reason: "its nix-cache-info is none: something else answers" },
      { url: closed, reason: expect.stringMatching(/ECONNREFUSED|bad port/) as string },
    ],
  });
});

test("gives a cache its password, and one that wants another is alive", async () => {
  const asked: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(401).end();
  });
  const withPassword = url.replace("//", "//user:p%40ss@");
  expect(await prober([withPassword])(signal)).toEqual({ use: undefined, dead: [] });
  expect(asked).toEqual([`Basic ${Buffer.from("user:p@ss").toString("base64")}`]);
});

test("does not wait long for one that hangs", async () => {
  const hanging = await serve(() => {});
  const half = await serve((_, response) => response.write("Store"));
  expect(await prober([hanging, half], impatient)(signal)).toEqual({
    use: [],
    dead: [hanging, half].map((url) => ({ url, reason: "no answer in 3 seconds" })),
  });
});

test("does not read an answer without end", async () => {
  const endless = await serve((_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write("x".repeat(10_000)));
    };
    response.on("drain", more);
    more();
  });
  const { dead } = await prober([endless])(signal);
  expect(dead).toMatchObject([{ reason: expect.stringContaining("something else answers") as string }]);
});

test("remembers the answers for a minute", async () => {
  let now = 0;
  let asked = 0;
  const clock: Clock = { ...systemClock, monotonic: () => now };
  const answering: Fetch = async () => {
    asked++;
    return Promise.resolve(new Response("StoreDir: /nix/store\n"));
  };
  const probe = prober(["http://cache"], clock, answering);
  for (now of [0, 59_999, 60_000, 61_000]) await probe(signal);
  expect(asked).toBe(2);
});

test("an abort comes out and is not remembered as an answer", async () => {
  const hanging = await serve(() => {});
  const controller = new AbortController();
  const probe = prober([hanging]);
  const outcome = probe(controller.signal);
  controller.abort(new Error("enough"));
  await expect(outcome).rejects.toThrow("enough");
  await expect(probe(controller.signal)).rejects.toThrow("enough");
});

test("never shows a password", async () => {
  const urls = ["http://user:secret@127.0.0.1:1/cache?token=secret", "http://user:secret@:/"];
  const { dead } = await prober(urls)(signal);
  expect(JSON.stringify(dead)).not.toContain("secret");
  expect(dead).toHaveLength(2);
});
