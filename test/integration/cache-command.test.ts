// `homelab-deploy cache` as people run it: a process of its own, a real store, and caches made of what Nix copied.
import { execFile } from "node:child_process";
import { chmod, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { hashPartOf, parseNarInfo } from "../../src/narinfo/narinfo.ts";
import { createCacheLab } from "../support/cache-lab.ts";
import { serveNarCache } from "../support/nar-cache.ts";
import { serveStore } from "../support/store-cache.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");

const test = base
  .extend("lab", { scope: "file" }, async ({}, { onCleanup }) => {
    const lab = await createCacheLab();
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("directory", { scope: "file" }, async ({ lab }) => lab.copy("plain"))
  .extend("cache", { scope: "file" }, async ({ lab }) => {
    const environment = {
      ...lab.store.environment,
      HOME: join(lab.store.directory, "home"),
      XDG_STATE_HOME: join(lab.store.directory, "xdg-state"),
      NATS_URL: "nats://127.0.0.1:9",
    };
    return async (settings: object, ...args: string[]) => {
      const config = join(lab.store.directory, "config.json");
      await writeFile(config, JSON.stringify({ cache: settings }));
      return new Promise<{ exitCode: unknown; stdout: string; stderr: string }>((resolve) => {
        execFile(
          process.execPath,
          [program, "cache", ...args, "--config", config],
          { env: environment },
          (error, stdout, stderr) => resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
        );
      });
    };
  });

test("verify proves a path and what it needs, and asks for all of it each time", async ({
  lab,
  directory,
  cache,
}) => {
  await using served = await serveNarCache(directory);
  const settings = { url: served.url, publicKeys: [lab.publicKey] };
  const link = join(lab.store.directory, "result");
  await symlink(lab.top, link);
  const first = await cache(settings, "verify", link, "--json");
  expect(first).toMatchObject({ exitCode: 0, stderr: "" });
  expect(JSON.parse(first.stdout)).toMatchObject({
    cache: served.url,
    keys: ["cache-1"],
    served: true,
    content: "start",
    comparedWithStore: true,
    paths: 3,
    asked: 3,
    targets: [{ name: link, path: lab.top, cached: true, paths: 3, notServed: 0 }],
    findings: [],
  });
  const full = await cache(settings, "verify", lab.top, "--full");
  expect(full.stdout).toMatch(/all asked for now, every NAR of these read and hashed\.\n$/);

  // The narinfos are still there, as with a cache whose database knows what its disk has lost.
  const leaf = await readFile(join(directory, `${hashPartOf(lab.leaf)}.narinfo`), "utf8");
  served.setFault(`/${parseNarInfo(leaf).url}`, { status: 404 });
  const again = await cache(settings, "verify", lab.top);
  expect(again).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(`missing ${lab.leaf}`) });
});

test("verify names what is not served, and for which system, and exits with 1", async ({
  lab,
  directory,
  cache,
}) => {
  await using served = await serveNarCache(directory);
  served.setFault(`/${hashPartOf(lab.leaf)}.narinfo`, { status: 404 });
  const flags = ["--cache", served.url, "--public-key", lab.publicKey];
  const text = await cache({}, "verify", lab.top, lab.middle, ...flags);
  expect(text.exitCode).toBe(1);
  expect(text.stdout).toContain(`missing ${lab.leaf} (${lab.top}, ${lab.middle})`);
  const json = await cache({}, "verify", lab.top, "--json", "--without-store", ...flags);
  expect(json.exitCode).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({
    served: false,
    comparedWithStore: false,
    findings: [{ path: lab.leaf, problem: "missing", neededBy: [lab.top] }],
  });
});

test("a cache that does not answer, or nothing to prove by, is never success", async ({ lab, cache }) => {
  const keys = { publicKeys: [lab.publicKey] };
  const gone = await cache({ ...keys, url: "http://127.0.0.1:9", attempts: 1 }, "verify", lab.top);
  expect(gone.exitCode).toBe(3);
  expect(gone.stdout).toContain("connect ECONNREFUSED");
  expect(await cache(keys, "verify", lab.top)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("no cache is configured"),
  });
  expect(await cache({ url: "http://127.0.0.1:9" }, "verify", lab.top)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("no public key of the cache"),
  });
  expect((await cache({ ...keys, url: "http://127.0.0.1:9" }, "verify", "/etc")).exitCode).toBe(2);
  expect((await cache({ ...keys, url: "http://127.0.0.1:9" }, "verify")).exitCode).toBe(2);
  const collected = lab.top.replace(hashPartOf(lab.top), "0".repeat(32));
  const missing = await cache({ ...keys, url: "http://127.0.0.1:9" }, "verify", collected);
  expect(missing).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("does not have it") });
});

test("repair copies to a cache with a store of its own, in place of what is wrong there", async ({
  lab,
  cache,
}) => {
  const broken = await lab.copy("broken");
  const narInfoFile = (path: typeof lab.top): string => join(broken, `${hashPartOf(path)}.narinfo`);
  await rm(narInfoFile(lab.top));
  await rm(join(broken, parseNarInfo(await readFile(narInfoFile(lab.leaf), "utf8")).url));
  const middle = await readFile(narInfoFile(lab.middle), "utf8");
  await writeFile(narInfoFile(lab.middle), middle.replace(/^NarSize: /m, "NarSize: 1"));
  await using served = await serveNarCache(broken);
  const settings = {
    url: served.url,
    publicKeys: [lab.publicKey],
    storeUrl: `file://${broken}?compression=none`,
  };
  const key = ["--key-file", lab.secretKeyFile];
  expect((await cache(settings, "verify", lab.top, ...key)).exitCode).toBe(1);
  const repaired = await cache(settings, "verify", lab.top, "--repair", ...key);
  expect(repaired).toMatchObject({ exitCode: 0, stderr: "repair: copying 3 paths to the cache\n" });
  expect(repaired.stdout).toMatch(/serves 3 paths .* 3 repaired\.\n$/);
  expect((await cache(settings, "verify", lab.top, "--full")).exitCode).toBe(0);
});

test("repair signs with a key that is trusted, and restores what is damaged in this store", async ({
  lab,
  cache,
}) => {
  await using served = await serveStore(lab.store, { signs: false });
  const settings = { url: served.url, publicKeys: [lab.publicKey] };
  const keyless = await cache(settings, "verify", lab.top, "--repair");
  expect(keyless).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("not repaired: it cannot be signed"),
  });
  const foreign = await cache(
    settings,
    "verify",
    lab.top,
    "--repair",
    "--key-file",
    lab.foreignSecretKeyFile,
  );
  expect(foreign).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("not one of cache.publicKeys"),
  });
  const signed = await cache(settings, "verify", lab.top, "--repair", "--key-file", lab.secretKeyFile);
  expect(signed).toMatchObject({ exitCode: 0, stderr: "repair: signing 3 paths\n" });

  await chmod(lab.leaf, 0o644);
  await writeFile(lab.leaf, "damaged");
  const damaged = await cache(settings, "verify", lab.top, "--full", "--json");
  expect(JSON.parse(damaged.stdout)).toMatchObject({ findings: [{ path: lab.leaf, problem: "corrupt" }] });
  const key = ["--key-file", lab.secretKeyFile];
  const restored = await cache(settings, "verify", lab.top, "--full", "--repair", "--json", ...key);
  expect(restored.exitCode).toBe(0);
  expect(JSON.parse(restored.stdout)).toMatchObject({ served: true, repaired: [lab.leaf], findings: [] });
});
