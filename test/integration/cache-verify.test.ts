import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createCacheClient } from "../../src/narinfo/cache-client.ts";
import type { Finding } from "../../src/cache/finding.ts";
import { hashPartOf, parseNarInfo } from "../../src/narinfo/narinfo.ts";
import { parseNetrc, type NetrcEntry } from "../../src/narinfo/netrc.ts";
import { noProofs, openProofs, type Proofs } from "../../src/cache/proofs.ts";
import { parsePublicKey } from "../../src/narinfo/public-keys.ts";
import {
  verifyClosure,
  verifyWithoutStore,
  type Verification,
  type VerifyOptions,
} from "../../src/cache/verify.ts";
import type { StorePath } from "../../src/protocol/names.ts";
import { createCacheLab, type CacheLab } from "../support/cache-lab.ts";
import { serveNarCache, type Fault, type NarCache } from "../support/nar-cache.ts";

const never = new AbortController().signal;
let lab: CacheLab;
let directory: string;

beforeAll(async () => {
  lab = await createCacheLab();
  directory = await lab.copy("plain");
});
afterAll(async () => lab[Symbol.asyncDispose]());

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

interface Ask extends Partial<VerifyOptions> {
  readonly netrc?: readonly NetrcEntry[];
  readonly attempts?: number;
}

function optionsFor(cache: NarCache, { attempts = 2, netrc, ...rest }: Ask): VerifyOptions & Disposable {
  const timeoutMs = rest.timeoutMs ?? 5000;
  const client = createCacheClient({
    url: cache.url,
    connections: 4,
    timeoutMs,
    retry: { attempts, firstDelayMs: 1, factor: 1, maxDelayMs: 1 },
    clock: systemClock,
    netrc,
  });
  return {
    client,
    keys: [parsePublicKey(lab.publicKey)],
    proofs: noProofs,
    content: "start",
    atOnce: 4,
    timeoutMs,
    ...rest,
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

async function verify(cache: NarCache, ask: Ask = {}): Promise<Verification> {
  using options = optionsFor(cache, ask);
  return await verifyClosure(options, [lab.top], lab.closure, never);
}

const narInfoUrl = (path: StorePath): string => `/${hashPartOf(path)}.narinfo`;
const narInfoOf = async (path: StorePath, from = directory): Promise<string> =>
  readFile(join(from, narInfoUrl(path)), "utf8");
const narUrl = async (path: StorePath, from = directory): Promise<string> =>
  `/${parseNarInfo(await narInfoOf(path, from)).url}`;
const said = (findings: readonly Finding[]): Record<string, string> =>
  Object.fromEntries(
    findings.map(({ path, problem, detail }) => [path.replace(/^.*-/, ""), `${problem}: ${detail}`]),
  );

test.each(["none", "zstd", "xz", "gzip", "br", "bzip2"])(
  "a sound cache is proven, with %s",
  async (compression) => {
    const copy = await lab.copy(`copy-${compression}`, { compression });
    for (const ranges of [true, false]) {
      await using cache = await serveNarCache(copy, { ranges });
      const quick = await verify(cache);
      expect(quick).toMatchObject({ findings: [], asked: 3, asSaid: [] });
      expect([...quick.closure.keys()].toSorted()).toEqual([lab.top, lab.middle, lab.leaf].toSorted());
      expect(cache.requests.filter((path) => path.startsWith("/nar/"))).toHaveLength(3);
      expect(cache.mostConnections()).toBeLessThanOrEqual(4);

      const whole = await verify(cache, { content: "whole" });
      expect(whole.findings).toEqual([]);
      // What cannot be decompressed here is not called proven.
      expect(whole.asSaid).toHaveLength(["xz", "bzip2"].includes(compression) ? 3 : 0);
    }
  },
);

const faults: Record<
  string,
  { readonly of: "narinfo" | "nar"; readonly fault: Fault; readonly finding: RegExp }
> = {
  "has no narinfo": { of: "narinfo", fault: { status: 404 }, finding: /^missing: it has no narinfo/ },
  "has no NAR": { of: "nar", fault: { status: 404 }, finding: /^missing: its NAR is not there \(HTTP 404\)/ },
  "asks for a password": { of: "narinfo", fault: { status: 401 }, finding: /^refused: .*HTTP 401/ },
  "forbids the NAR": { of: "nar", fault: { status: 403 }, finding: /^refused: .*HTTP 403/ },
  "says nothing of where the NAR is": { of: "nar", fault: { status: 302 }, finding: /^refused: .*HTTP 302/ },
  "sends to what is not HTTP": {
    of: "nar",
    fault: { status: 302, headers: { location: "file:///etc/passwd" } },
    finding: /^refused: .*HTTP 302/,
  },
  "sends with a password of its own": {
    of: "nar",
    fault: { status: 307, headers: { location: "http://user:password@127.0.0.1:1/" } },
    finding: /^refused: .*HTTP 307/,
  },
  "sends in circles": {
    of: "narinfo",
    fault: { status: 301, headers: { location: "#again" } },
    finding: /^refused: .*HTTP 301/,
  },
  "shows a web page": {
    of: "narinfo",
    fault: { edit: () => "<html><body>Sign in</body></html>" },
    finding: /^corrupt: its narinfo cannot be read: it is not a narinfo/,
  },
  "shows a web page for a NAR": {
    of: "nar",
    fault: { edit: () => "<html><body>Sign in, please, before you go on</body></html>" },
    finding: /^corrupt: what is served as its NAR is not a NAR/,
  },
  "shows a page to sign in at": {
    of: "narinfo",
    fault: { edit: () => "<html>Sign in</html>", headers: { "content-type": "text/html" } },
    finding: /^refused: a web page is served in place of its narinfo/,
  },
  "shows a page to sign in at for a NAR": {
    of: "nar",
    fault: {
      edit: () => "<html><body>Sign in, please</body></html>",
      headers: { "content-type": "text/html; charset=utf-8" },
    },
    finding: /^refused: a web page is served in place of its NAR/,
  },
  "leaves out the signature": {
    of: "narinfo",
    fault: { edit: (body) => body.toString().replace(/^Sig: .*\n/m, "") },
    finding: /^unsigned: /,
  },
  "has a broken signature": {
    of: "narinfo",
    fault: { edit: (body) => body.toString().replace(/^Sig: cache-1:..../m, "Sig: cache-1:AAAA") },
    finding: /^wrongly-signed: its signature is not valid: that of cache-1/,
  },
  "changes the size": {
    of: "narinfo",
    fault: { edit: (body) => body.toString().replace(/^NarSize: /m, "NarSize: 1") },
    finding: /^wrongly-signed: /,
  },
  "names other references": {
    of: "narinfo",
    fault: { edit: (body) => body.toString().replace(/^References:.*$/m, `References: ${"a".repeat(32)}-x`) },
    finding: /^wrongly-signed: /,
  },
  "cuts the narinfo off": {
    of: "narinfo",
    fault: { cutAt: 30 },
    finding: /^corrupt: its narinfo ends after 30 bytes/,
  },
  "cuts the NAR off": { of: "nar", fault: { cutAt: 10 }, finding: /^corrupt: its NAR ends after 10 bytes/ },
  "hangs up when it is asked for the NAR": {
    of: "nar",
    fault: { hangUp: true },
    finding: /^corrupt: the cache hangs up/,
  },
  "hangs up": { of: "narinfo", fault: { hangUp: true }, finding: /^unanswered: .*other side closed/ },
  "has a shorter NAR": {
    of: "nar",
    fault: { edit: (body) => body.subarray(0, 1000) },
    finding: /^corrupt: its NAR has 1000 bytes and should have \d+/,
  },
  "answers only with errors": {
    of: "narinfo",
    fault: { status: 500 },
    finding: /^unanswered: .*HTTP status 500/,
  },
  "does not answer for a NAR": {
    of: "nar",
    fault: { hang: true },
    finding: /^unanswered: .*no whole answer in 0.3 s/,
  },
};

test.each(Object.entries(faults))(
  "a cache that %s is found out, for the path",
  async (_, { of, fault, finding }) => {
    await using cache = await serveNarCache(directory);
    cache.setFault(of === "nar" ? await narUrl(lab.leaf) : narInfoUrl(lab.leaf), fault);
    const { findings } = await verify(cache, { timeoutMs: 300 });
    expect(said(findings)).toEqual({ leaf: expect.stringMatching(finding) });
  },
);

test.each(["none", "zstd", "xz"])(
  "a NAR that is kept elsewhere is proven there, with %s",
  async (compression) => {
    const copy = await lab.copy(`elsewhere-${compression}`, { compression });
    await using bucket = await serveNarCache(copy);
    await using cache = await serveNarCache(copy, { authorization: basic("u:p") });
    for (const path of [lab.top, lab.middle, lab.leaf]) {
      const url = await narUrl(path, copy);
      const location = `${bucket.url.replace("127.0.0.1", "localhost")}${url}?X-Amz-Signature=abc`;
      cache.setFault(url, { status: 307, headers: { location } });
    }
    const netrc = parseNetrc("machine 127.0.0.1 login u password p\ndefault login d password e");
    expect((await verify(cache, { netrc })).findings).toEqual([]);
    expect((await verify(cache, { netrc, content: "whole" })).findings).toEqual([]);
    expect(bucket.requests).toHaveLength(6);
    // Not even those of `default`.
    expect(new Set(bucket.authorizations)).toEqual(new Set([undefined]));
    expect(new Set(cache.authorizations)).toEqual(new Set([basic("u:p")]));
  },
);

const encodings = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync };

test.each(Object.entries(encodings))(
  "a narinfo that is kept encoded is read, with %s",
  async (encoding, encode) => {
    await using cache = await serveNarCache(directory);
    const headers = { "content-encoding": encoding };
    for (const path of [lab.top, lab.middle, lab.leaf]) {
      cache.setFault(narInfoUrl(path), { edit: (body) => encode(body), headers });
    }
    expect((await verify(cache)).findings).toEqual([]);
    // Nothing that is small on the wire may fill the memory.
    cache.setFault(narInfoUrl(lab.leaf), { edit: () => encode(Buffer.alloc(64 * 1024 * 1024)), headers });
    expect(said((await verify(cache)).findings)).toEqual({ leaf: expect.stringMatching(/^corrupt: /) });
  },
);

test("what is not where the cache sends us is missing, and who keeps it may refuse it or hang up", async () => {
  await using bucket = await serveNarCache(directory);
  await using cache = await serveNarCache(directory);
  const url = await narUrl(lab.leaf);
  cache.setFault(url, { status: 302, headers: { location: `${bucket.url}${url}` } });
  const cases: [Fault, RegExp][] = [
    [{ status: 404 }, /^missing: its NAR is not there/],
    [{ status: 403 }, /^refused: its NAR is refused \(HTTP 403\)/],
    [{ hangUp: true }, /^unanswered: .*where the cache sends us, hangs up/],
    [{ edit: (body) => body.subarray(0, 1000) }, /^corrupt: its NAR has 1000 bytes/],
    [
      { edit: () => "<html>Sign in</html>", headers: { "content-type": "text/html; charset=utf-8" } },
      /^refused: its NAR is refused \(HTTP 302\)/,
    ],
  ];
  for (const [fault, finding] of cases) {
    bucket.setFault(url, fault);
    const { findings } = await verify(cache);
    expect(said(findings)).toEqual({ leaf: expect.stringMatching(finding) });
  }
});

test("a cache that wants a password gets that of netrc, and without it refuses, which is said once", async () => {
  await using cache = await serveNarCache(directory, { authorization: basic("u:p") });
  expect(
    (await verify(cache, { netrc: parseNetrc("machine 127.0.0.1 login u password p") })).findings,
  ).toEqual([]);
  const refused = await verify(cache, { netrc: parseNetrc("machine other login u password p") });
  expect(new Set(refused.findings.map(({ problem }) => problem))).toEqual(new Set(["refused"]));
  const paths = Array.from({ length: 200 }, (_, index) => {
    const name = `${String(index).padStart(32, "0")}-x`;
    return `${lab.store.storeDirectory}/${name}` as StorePath;
  });
  using options = optionsFor(cache, {});
  cache.requests.length = 0;
  const { findings } = await verifyWithoutStore(options, paths, never);
  expect(new Set(findings.map(({ problem }) => problem))).toEqual(new Set(["refused"]));
  expect(findings).toHaveLength(200);
  expect(cache.requests.length).toBeLessThan(50);
});

test("a refusal takes nothing back that was proven", async () => {
  await using cache = await serveNarCache(directory);
  const proofs = await openProofs({
    directory: join(lab.store.directory, "kept-proofs"),
    cacheUrl: cache.url,
    keys: [parsePublicKey(lab.publicKey)],
    maxAgeMs: 60_000,
    clock: systemClock,
    log: silentLog,
  });
  await verify(cache, { proofs });
  cache.setFault("*", { status: 403, times: 3 });
  expect((await verify(cache, { proofs })).findings).toHaveLength(3);
  expect((await verify(cache, { proofs })).asked).toBe(1);
});

test("signatures by somebody else do not count, and no signature is said as such", async () => {
  await using foreign = await serveNarCache(await lab.copy("foreign", { keyFile: lab.foreignSecretKeyFile }));
  const reason = "wrongly-signed: it is signed by stranger-1, which is not trusted";
  expect(said((await verify(foreign)).findings)).toEqual({ top: reason, middle: reason, leaf: reason });
  await using unsigned = await serveNarCache(await lab.copy("unsigned", { keyFile: false }));
  expect((await verify(unsigned)).findings.map(({ problem }) => problem)).toEqual(Array(3).fill("unsigned"));
});

test("an older build of the same path is stale, though it is sound and signed", async () => {
  await using cache = await serveNarCache(directory);
  using options = optionsFor(cache, {});
  const rebuilt = new Map(lab.closure);
  const leaf = lab.closure.get(lab.leaf);
  const top = lab.closure.get(lab.top);
  if (leaf === undefined || top === undefined) throw new Error("the closure is not whole");
  rebuilt.set(lab.leaf, { ...leaf, narHash: top.narHash });
  rebuilt.set(lab.top, { ...top, references: [] });
  const { findings } = await verifyClosure(options, [lab.top], rebuilt, never);
  expect(said(findings)).toEqual({
    leaf: expect.stringMatching(
      /^stale: the cache has another content of it: sha256:\w+, and the store sha256:/,
    ),
    top: "stale: the cache has it with other references than the store",
  });
});

test("a NAR of the right size with another content is found out when all of it is read", async () => {
  await using cache = await serveNarCache(directory);
  const url = await narUrl(lab.leaf);
  const flip = (body: Buffer): Buffer => {
    const changed = Buffer.from(body);
    changed.writeUInt8(changed.readUInt8(5000) ^ 1, 5000);
    return changed;
  };
  cache.setFault(url, { edit: flip });
  expect((await verify(cache)).findings).toEqual([]);
  const whole = await verify(cache, { content: "whole" });
  expect(said(whole.findings)).toEqual({
    leaf: expect.stringMatching(/^corrupt: the content of its NAR is sha256:\w+ and should be sha256:\w+$/),
  });
  cache.setFault(url, { cutAt: 70_000 });
  expect(said((await verify(cache, { content: "whole" })).findings)).toEqual({
    leaf: "corrupt: its NAR ends after 70000 bytes",
  });
  cache.setFault(url, { edit: (body) => Buffer.concat([body, body]) });
  expect(said((await verify(cache, { content: "whole" })).findings)).toEqual({
    leaf: expect.stringMatching(/^corrupt: its NAR has more than \d+ bytes/),
  });
});

test("a compressed NAR that is damaged or ends early is corrupt, whatever its first bytes are", async () => {
  const copy = await lab.copy("damaged", { compression: "zstd" });
  await using cache = await serveNarCache(copy);
  const url = await narUrl(lab.leaf, copy);
  const damage: ((body: Buffer) => Buffer)[] = [
    (body) => body.subarray(0, 500),
    () => Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd), Buffer.alloc(400, 255)]),
    (body) => Buffer.concat([body.subarray(0, 100), Buffer.alloc(400, 255), body.subarray(500)]),
  ];
  for (const edit of damage) {
    cache.setFault(url, { edit });
    const { findings } = await verify(cache, { content: "whole" });
    expect(said(findings)).toEqual({
      leaf: expect.stringMatching(/^corrupt: (?:its NAR cannot be decompressed|the content of its NAR is)/),
    });
  }
});

test("errors that pass are asked again, after as long as the server says", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault(narInfoUrl(lab.leaf), { status: 503, headers: { "retry-after": "1" }, times: 1 });
  cache.setFault(await narUrl(lab.middle), { cutAt: 5, times: 1 });
  const started = performance.now();
  expect((await verify(cache)).findings).toEqual([]);
  expect(performance.now() - started).toBeGreaterThan(950);
});

test("a cache that is gone is not asked for everything, and nothing is said to be missing", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault("*", { status: 502 });
  const paths = Array.from({ length: 200 }, (_, index) => {
    const name = `${String(index).padStart(32, "0")}-x`;
    return `${lab.store.storeDirectory}/${name}` as StorePath;
  });
  using options = optionsFor(cache, { attempts: 1 });
  const { findings } = await verifyWithoutStore(options, paths, never);
  expect(findings).toHaveLength(200);
  expect(new Set(findings.map(({ problem }) => problem))).toEqual(new Set(["unanswered"]));
  expect(cache.requests.length).toBeLessThan(50);
});

test("without a store the closure is what the cache says, and has to be whole", async () => {
  await using cache = await serveNarCache(directory);
  using options = optionsFor(cache, {});
  const sound = await verifyWithoutStore(options, [lab.top], never);
  expect(sound.findings).toEqual([]);
  expect([...sound.closure.keys()].toSorted()).toEqual([...lab.closure.keys()].toSorted());
  cache.setFault(narInfoUrl(lab.leaf), { status: 404 });
  const { findings } = await verifyWithoutStore(options, [lab.top], never);
  expect(said(findings)).toEqual({ leaf: "missing: it has no narinfo (HTTP 404)" });
});

test("what was proven is asked for again only when there is a reason to", async () => {
  await using cache = await serveNarCache(directory);
  const open = async (more: { publicKey?: string; url?: string; maxAgeMs?: number } = {}): Promise<Proofs> =>
    openProofs({
      directory: join(lab.store.directory, "proofs"),
      cacheUrl: more.url ?? cache.url,
      keys: [parsePublicKey(more.publicKey ?? lab.publicKey)],
      maxAgeMs: more.maxAgeMs ?? 60_000,
      clock: systemClock,
      log: silentLog,
    });
  const askedWith = async (proofs: Proofs): Promise<number> => (await verify(cache, { proofs })).asked;

  expect(await askedWith(await open())).toBe(3);
  // The top is always asked for: it says whether the cache is still the same one.
  expect(await askedWith(await open())).toBe(1);
  expect(await askedWith(await open({ url: "http://other" }))).toBe(3);
  expect(await askedWith(await open({ maxAgeMs: -1 }))).toBe(3);
  expect(await askedWith(await open({ publicKey: lab.publicKey.replace("cache-1", "cache-2") }))).toBe(3);

  await verify(cache, { proofs: await open() });
  cache.setFault(narInfoUrl(lab.top), { status: 404 });
  cache.setFault(narInfoUrl(lab.leaf), { status: 404 });
  const emptied = await verify(cache, { proofs: await open() });
  expect(Object.keys(said(emptied.findings)).toSorted()).toEqual(["leaf", "top"]);
});

test("stops at once when it is told to", async () => {
  await using cache = await serveNarCache(directory);
  cache.setFault("*", { hang: true });
  using options = optionsFor(cache, {});
  const stop = new AbortController();
  const running = verifyClosure(options, [lab.top], lab.closure, stop.signal);
  await expect.poll(() => cache.requests.length).toBeGreaterThan(0);
  stop.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
});
