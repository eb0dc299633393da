// A closure comes from a real binary cache into a real store, or nothing of it counts.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createClosureFetcher } from "../../src/host/create-closure-fetcher.ts";
import type { ClosureFetcher, FetchRequest } from "../../src/host/closure-fetcher.ts";
import { createCacheClient } from "../../src/narinfo/cache-client.ts";
import { hashPartOf, parseNarInfo } from "../../src/narinfo/narinfo.ts";
import { createExec } from "../../src/process/create-exec.ts";
import type { StorePath } from "../../src/protocol/names.ts";
import { createCacheLab, type CacheLab } from "../support/cache-lab.ts";
import { hastyClock } from "../support/hasty-clock.ts";
import { serveNarCache, type NarCache } from "../support/nar-cache.ts";

const never = new AbortController().signal;
let lab: CacheLab;
let directory: string;
let unsigned: string;
let foreign: string;

beforeAll(async () => {
  lab = await createCacheLab();
  directory = await lab.copy("signed");
  unsigned = await lab.copy("unsigned", { keyFile: false });
  foreign = await lab.copy("foreign", { keyFile: lab.foreignSecretKeyFile });
});
afterAll(async () => lab[Symbol.asyncDispose]());

/** The store as that of a host which has nothing of the closure yet. */
beforeEach(async () => {
  await fetcherFor().dropRoot("order-1");
  await lab.store.run("nix-store", "--gc");
  expect(await isThere(lab.top)).toBe(false);
});

const rootsDirectory = (): string => join(lab.store.stateDirectory, "gcroots/homelab-deploy");

function fetcherFor(...caches: readonly Pick<NarCache, "url">[]): ClosureFetcher {
  const clients = caches.map(({ url }) =>
    createCacheClient({
      url,
      connections: 4,
      timeoutMs: 5000,
      retry: { attempts: 1, firstDelayMs: 1, factor: 1, maxDelayMs: 1 },
      clock: hastyClock,
    }),
  );
  return createClosureFetcher({
    exec: createExec(),
    environment: lab.store.wholeEnvironment,
    clock: hastyClock,
    caches: clients,
    storeDirectory: lab.store.storeDirectory,
    rootsDirectory: rootsDirectory(),
  });
}

const requestOf = (more: Partial<FetchRequest> = {}): FetchRequest => ({
  path: lab.top,
  narHash: lab.closure.get(lab.top)?.narHash,
  root: "order-1",
  trustedCacheKeys: [lab.publicKey],
  trustLocalBuilds: false,
  minFreeBytes: 0,
  timeoutMs: 60_000,
  ...more,
});

const isThere = async (path: StorePath): Promise<boolean> =>
  (await lab.store.run("nix-store", "--check-validity", "--print-invalid", path)) === "";
const narInfoUrl = (path: StorePath): string => `/${hashPartOf(path)}.narinfo`;
const narUrl = async (path: StorePath): Promise<string> =>
  `/${parseNarInfo(await readFile(join(directory, narInfoUrl(path)), "utf8")).url}`;
const narsAsked = (cache: NarCache): number => cache.requests.filter((url) => url.startsWith("/nar/")).length;

test("looks, loads, and holds it by a root that a collection respects", async () => {
  await using cache = await serveNarCache(directory);
  const fetcher = fetcherFor(cache);
  const bytes = [...lab.closure.values()].reduce((sum, { narSize }) => sum + narSize, 0);
  expect(await fetcher.plan(requestOf(), never)).toEqual({ paths: 3, bytes });
  expect(narsAsked(cache)).toBe(0);
  expect(await fetcher.listRoots()).toEqual([]);

  await fetcher.fetch(requestOf(), never);
  expect(await fetcher.listRoots()).toEqual(["order-1"]);
  await lab.store.run("nix-store", "--gc");
  expect(await isThere(lab.top)).toBe(true);
  expect(await fetcher.plan(requestOf(), never)).toEqual({ paths: 0, bytes: 0 });
  await fetcher.fetch(requestOf(), never);

  await fetcher.dropRoot("order-1");
  await lab.store.run("nix-store", "--gc");
  expect(await isThere(lab.top)).toBe(false);
});

test("without room nothing is loaded", async () => {
  await using cache = await serveNarCache(directory);
  const refused = fetcherFor(cache).plan(requestOf({ minFreeBytes: 2 ** 50 }), never);
  await expect(refused).rejects.toMatchObject({ code: "NO_SPACE", kind: "failed" });
  expect(narsAsked(cache)).toBe(0);
});

test("a path that the cache gets a moment later is waited for", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault(narInfoUrl(lab.leaf), { status: 404, times: 3 });
  expect(await fetcherFor(cache).plan(requestOf(), never)).toMatchObject({ paths: 3 });
  cache.setFault(narInfoUrl(lab.leaf), { status: 404, times: 3 });
  await fetcherFor(cache).fetch(requestOf(), never);
  expect(await isThere(lab.top)).toBe(true);
});

test("what no cache serves is not cached, and never built", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault(narInfoUrl(lab.middle), { status: 404 });
  const fetcher = fetcherFor(cache);
  await expect(fetcher.plan(requestOf(), never)).rejects.toMatchObject({
    code: "NOT_CACHED",
    message: expect.stringContaining(lab.middle) as string,
  });
  await expect(fetcher.fetch(requestOf(), never)).rejects.toMatchObject({ code: "NOT_CACHED" });
  expect(await isThere(lab.top)).toBe(false);
  await expect(fetcherFor().plan(requestOf(), never)).rejects.toMatchObject({ code: "NOT_CACHED" });
});

test("a second cache has what the first has not", async () => {
  await using first = await serveNarCache(directory);
  await using second = await serveNarCache(directory);
  first.setFault(narInfoUrl(lab.middle), { status: 404 });
  const fetcher = fetcherFor(first, second);
  expect(await fetcher.plan(requestOf(), never)).toMatchObject({ paths: 3 });
  await fetcher.fetch(requestOf(), never);
  expect(await isThere(lab.top)).toBe(true);
});

test("a connection that is cut in a NAR is tried again, and finished paths are kept", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault(await narUrl(lab.middle), { cutAt: 20, times: 2 });
  await fetcherFor(cache).fetch(requestOf(), never);
  expect(await isThere(lab.top)).toBe(true);
  const leaf = await narUrl(lab.leaf);
  expect(cache.requests.filter((url) => url === leaf)).toHaveLength(1);
});

test("one flipped byte is refused", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault(await narUrl(lab.leaf), {
    edit: (body) => {
      const other = Buffer.from(body);
      other[other.length - 100] = (other[other.length - 100] ?? 0) ^ 1;
      return other;
    },
  });
  await expect(fetcherFor(cache).fetch(requestOf(), never)).rejects.toMatchObject({ code: "UNSIGNED" });
  expect(await isThere(lab.leaf)).toBe(false);
});

test.each([
  ["without a signature", () => unsigned],
  ["signed by a key that is not trusted", () => foreign],
])("%s: refused before and while it is loaded", async (_, copy) => {
  await using cache = await serveNarCache(copy());
  const fetcher = fetcherFor(cache);
  await expect(fetcher.plan(requestOf(), never)).rejects.toMatchObject({ code: "UNSIGNED" });
  await expect(fetcher.fetch(requestOf(), never)).rejects.toMatchObject({ code: "UNSIGNED" });
  expect(await isThere(lab.top)).toBe(false);
});

test("another content than the builder stated is refused", async () => {
  await using cache = await serveNarCache(directory);
  const other = requestOf({ narHash: lab.closure.get(lab.leaf)?.narHash });
  const fetcher = fetcherFor(cache);
  await expect(fetcher.plan(other, never)).rejects.toMatchObject({ code: "UNSIGNED" });
  await expect(fetcher.fetch(other, never)).rejects.toMatchObject({ code: "UNSIGNED" });
});

test("a path that is in the store without a signature gets the cache's, or is refused", async () => {
  await using cache = await serveNarCache(directory);
  const bare = fetcherFor();
  await lab.store.run("nix", "copy", "--no-check-sigs", "--from", `file://${unsigned}`, lab.top);
  await expect(bare.fetch(requestOf(), never)).rejects.toMatchObject({ code: "UNSIGNED" });
  await fetcherFor(cache).fetch(requestOf(), never);
  await bare.fetch(requestOf(), never);
});

test("what was built here counts only where that is trusted", async () => {
  const built = (await lab.store.run("nix-build", "--no-out-link", "--expr", localExpression)).trim();
  const request = requestOf({ path: built as StorePath, narHash: undefined });
  await expect(fetcherFor().fetch(request, never)).rejects.toMatchObject({ code: "UNSIGNED" });
  await fetcherFor().fetch({ ...request, trustLocalBuilds: true }, never);
});

const localExpression = `derivation {
  name = "here";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" "echo here > $out" ];
}`;

test("garbage collections while it is loaded take nothing of it", async () => {
  await using cache = await serveNarCache(directory);
  const fetcher = fetcherFor(cache);
  const over = new AbortController();
  const collecting = (async () => {
    while (!over.signal.aborted) await lab.store.run("nix-store", "--gc");
  })();
  try {
    for (let round = 0; round < 20; round++) {
      await fetcher.dropRoot(`order-${round}`);
      await fetcher.plan(requestOf(), never);
      await fetcher.fetch(requestOf({ root: `order-${round + 1}` }), never);
      expect(await isThere(lab.top)).toBe(true);
    }
  } finally {
    over.abort();
    await collecting;
    await fetcher.dropRoot("order-20");
  }
});

test("an abort ends Nix, and the root of another order stays", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault(await narUrl(lab.leaf), { hang: true });
  const stopped = new AbortController();
  const fetching = fetcherFor(cache).fetch(requestOf(), stopped.signal);
  const leaf = await narUrl(lab.leaf);
  await expect.poll(() => cache.requests.includes(leaf)).toBe(true);
  stopped.abort(new Error("a newer order"));
  await expect(fetching).rejects.toThrow("a newer order");
  expect(await readdir(rootsDirectory())).toEqual(["order-1"]);
});

test("a name that leads elsewhere is no root", async () => {
  await expect(fetcherFor().dropRoot("../x")).rejects.toThrow(RangeError);
});
