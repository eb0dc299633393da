// `hosts diff` on a machine without the systems in its store: their closures come from the cache's narinfos.
import { rm } from "node:fs/promises";
import { expect, test as base } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { defaultConfig } from "../../src/config/load.ts";
import { readSystems } from "../../src/cli/deploy/read-closures.ts";
import { hashPartOf } from "../../src/narinfo/narinfo.ts";
import { createCacheLab } from "../support/cache-lab.ts";
import { createCommandContext } from "../support/command-context.ts";
import { serveNarCache } from "../support/nar-cache.ts";

const test = base.extend("lab", { scope: "file" }, async ({}, { onCleanup }) => {
  const lab = await createCacheLab();
  onCleanup(() => lab[Symbol.asyncDispose]());
  return lab;
});

test("the closures of the store and of the cache are the same, and a path that is not served is an error", async ({
  lab,
}) => {
  const directory = await lab.copy("plain");
  await using served = await serveNarCache(directory);
  const config = defaultConfig();
  const cache = { ...config.cache, url: served.url, publicKeys: [lab.publicKey], attempts: 1 };
  const read = (environment: NodeJS.ProcessEnv) => {
    const { context } = createCommandContext({ environment, clock: systemClock });
    return readSystems(context, { ...config, cache }, [lab.top], AbortSignal.timeout(60_000));
  };
  const expected = [...lab.closure.values()].map(({ path, narSize }) => ({ path, size: narSize }));
  const sorted = (paths: readonly { readonly path: string }[]) =>
    paths.toSorted((a, b) => (a.path < b.path ? -1 : 1));

  const fromStore = await read({ ...lab.store.environment, HOME: lab.store.directory });
  expect(fromStore.from).toBe("store");
  expect(sorted(fromStore.closures[0]?.paths ?? [])).toEqual(sorted(expected));

  const withoutNix = { HOME: lab.store.directory, PATH: "/nowhere" };
  const fromCache = await read(withoutNix);
  expect(fromCache.from).toBe("cache");
  expect(sorted(fromCache.closures[0]?.paths ?? [])).toEqual(sorted(expected));

  await rm(`${directory}/${hashPartOf(lab.leaf)}.narinfo`);
  await expect(read(withoutNix)).rejects.toMatchObject({ kind: "unavailable", code: "NOT_CACHED" });
});
