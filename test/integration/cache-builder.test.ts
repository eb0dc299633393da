// A builder that proves what it built, and the commands that look at the same cache.
import { join } from "node:path";
import { expect } from "vitest";
import type { BuildEvent } from "../../src/protocol/events.ts";
import { test as base } from "../support/homelab.ts";
import { serveStore } from "../support/store-cache.ts";

const test = base
  .extend("cache", { scope: "file" }, async ({ homelab }, { onCleanup }) => {
    const cache = await serveStore(homelab.store);
    onCleanup(() => cache[Symbol.asyncDispose]());
    return cache;
  })
  .extend("builder", { scope: "file" }, async ({ homelab, cache }) =>
    homelab.startBuilder(
      "builder1",
      {},
      { cache: { url: cache.url, publicKeys: [cache.publicKey], verifyBuilds: true, attempts: 1 } },
    ),
  );

/** Of `build --json`. */
function hostsOf(stdout: string): Record<string, unknown> {
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as BuildEvent);
  const finished = events.flatMap((event) => (event.type === "hosts-finished" ? event.hosts : []));
  return Object.fromEntries(finished.map(({ host, verdict, cached }) => [host, [verdict, cached]]));
}

test(
  "what is built is proven to be served, and what is not served is no success",
  { timeout: 600_000 },
  async ({ homelab, cache, builder }) => {
    const flags = ["--cache", cache.url, "--public-key", cache.publicKey];
    expect(await builder.log()).toContain("the builder is ready");
    const commit = await homelab.fleet.commit({ hosts: 2, shared: 1 });
    const built = await homelab.run(["build", "--all", "--json"]);
    expect(built).toMatchObject({ exitCode: 0 });
    expect(hostsOf(built.stdout)).toEqual({ host01: ["built", true], host02: ["built", true] });

    const waited = await homelab.run(["cache", "wait", "--rev", commit, "--timeout", "30s", ...flags]);
    expect(waited).toMatchObject({ exitCode: 0, stderr: "" });
    expect(waited.stdout).toMatch(/serves all 2 systems of \w{7}: \d+ paths/);

    const verified = await homelab.run(["cache", "verify", "--all", "--json", ...flags]);
    expect(verified.exitCode).toBe(0);
    expect(JSON.parse(verified.stdout)).toMatchObject({
      served: true,
      comparedWithStore: true,
      targets: [
        { name: "fleet/host01", cached: true },
        { name: "fleet/host02", cached: true },
      ],
    });
    const unknown = await homelab.run(["cache", "verify", "host1", ...flags]);
    expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("did you mean host01?") });

    const config = join(homelab.directory, "builder1.json");
    const status = await homelab.run(["cache", "status", "--config", config]);
    expect(status.exitCode).toBe(0);
    expect(status.stdout).toMatch(/answers in [\d.]+ ms: store .*, priority 30\n/);
    expect(status.stdout).toMatch(/is signed by store-1\n/);
    expect(status.stdout).toMatch(/rooted: [\d.]+ KiB/);

    const warmed = await homelab.run(["cache", "warm", "--all", "--repo", "fleet", ...flags]);
    expect(warmed.exitCode).toBe(0);
    expect(warmed.stdout).toMatch(/2 hosts succeeded[\s\S]*fleet\/host01 .* served[\s\S]*serves \d+ paths/);

    cache.setFault("*", { status: 404 });
    const next = await homelab.fleet.commit({ hosts: 2, shared: 1, salt: "next" });
    const unserved = await homelab.run(["build", "--all", "--json"]);
    expect(unserved.exitCode).toBe(3);
    expect(hostsOf(unserved.stdout)).toEqual({
      host01: ["infra-failed", false],
      host02: ["infra-failed", false],
    });
    expect(unserved.stdout).toContain("does not serve it");
    const late = await homelab.run(["cache", "wait", "--rev", next, "--timeout", "2s", ...flags]);
    expect(late).toMatchObject({ exitCode: 124, stdout: expect.stringContaining("ended as infra-failed") });
    expect((await homelab.run(["cache", "status", "--json", ...flags])).exitCode).toBe(3);

    cache.setFault("*");
    const again = await homelab.run(["build", "--all", "--json"]);
    expect(again.exitCode).toBe(0);
    expect(hostsOf(again.stdout)).toEqual({ host01: ["unchanged", true], host02: ["unchanged", true] });
  },
);
