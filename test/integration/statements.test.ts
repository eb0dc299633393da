// What a real builder signs: the tip of its branch, once the cache serves it, and nothing else.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { parseCommit, parseBranchName, parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import type { BuildRequest } from "../../src/protocol/request.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { openStatement } from "../../src/signing/open-envelope.ts";
import { createSigningKey } from "../../src/signing/signing-key-file.ts";
import { createDownstream } from "../support/downstream.ts";
import { test as base } from "../support/homelab.ts";
import { someOverride } from "../support/overrides.ts";
import { serveStore } from "../support/store-cache.ts";

const test = base.extend("cache", { scope: "file" }, async ({ homelab }, { onCleanup }) => {
  const cache = await serveStore(homelab.store);
  onCleanup(() => cache[Symbol.asyncDispose]());
  return cache;
});

const fleetRepo = parseRepoName("fleet");
const host01 = parseHostName("host01");

test(
  "the tip is stated; an old commit, an override, a pull request's branch and an unserved host are not",
  { timeout: 600_000 },
  async ({ homelab, cache }) => {
    const { fleet, directory, store } = homelab;
    const old = await fleet.commit({ hosts: 1, salt: "old" });
    const keyFile = join(directory, "statement.seed");
    const key = await createSigningKey(keyFile);
    const downstream = await createDownstream({
      store,
      directory,
      upstream: `git+${fleet.url}?ref=main`,
      outputs: "{ self, servers }: { nixosConfigurations.gunter = servers.nixosConfigurations.host01; }",
    });
    await homelab.startBuilder(
      "builder1",
      { statementKeyFile: keyFile },
      {
        cache: { url: cache.url, publicKeys: [cache.publicKey], verifyBuilds: true, attempts: 1 },
        repos: {
          fleet: { url: fleet.url, branch: "main", pollSeconds: 0 },
          nixos: { url: downstream.url, pollSeconds: 0 },
        },
      },
    );
    await using connection = await homelab.server.connect("operator");
    const reader = createReader(connection);

    async function finished(request: Partial<BuildRequest>, repo = fleetRepo) {
      const id = newBuildId(new Date());
      const signal = AbortSignal.timeout(120_000);
      await reader.submit({ repo, host: "all" }, { ...request, id }, signal);
      for await (const message of reader.follow(id, {}, signal)) void message;
      const { hosts } = foldEvents(id, await reader.readEvents(id, 0, signal));
      const host = [...hosts.values()][0]?.finished;
      return { ...host, statement: host?.statement };
    }

    const tip = await fleet.commit({ hosts: 1, salt: "tip" });
    const built = await finished({});
    expect(built).toMatchObject({ verdict: "built", cached: true });
    const stated = built.statement;
    if (stated === undefined) throw new Error("the tip was not stated");
    expect(openStatement(stated)).toMatchObject({
      key,
      statement: { repo: "fleet", branch: "main", host: "host01", commit: tip, path: built.outPath },
    });
    // Again for the same path, at a later time.
    expect(await finished({})).toMatchObject({ verdict: "unchanged", statement: { sig: { key } } });

    expect(await finished({ rev: parseCommit(old) })).toMatchObject({
      verdict: "built",
      statement: undefined,
    });
    await fleet.commit({ hosts: 1, salt: "proposal" }, { branch: "proposal" });
    const proposed = await finished({ branch: parseBranchName("proposal") });
    expect(proposed).toMatchObject({ verdict: "built", statement: undefined });
    const overrides = [someOverride({ repo: "fleet", commit: old })];
    const overridden = await finished({ overrides }, parseRepoName("nixos"));
    expect(overridden).toMatchObject({
      verdict: expect.stringMatching(/built|unchanged/),
      statement: undefined,
    });

    cache.setFault("*", { status: 404 });
    await fleet.commit({ hosts: 1, salt: "unserved" });
    expect(await finished({})).toMatchObject({ verdict: "infra-failed", statement: undefined });
    cache.setFault("*");

    // The row keeps the newest statement, whatever was built after it.
    const signal = AbortSignal.timeout(60_000);
    await expect
      .poll(async () => {
        const row = (await reader.results.hosts(signal)).find(({ host }) => host === host01);
        return row?.verdict === "infra-failed" && row.stated !== undefined
          ? openStatement(row.stated).statement.commit
          : undefined;
      })
      .toBe(tip);

    const config = join(directory, "without-proof.json");
    const settings: object = JSON.parse(await readFile(join(directory, "builder1.json"), "utf8"));
    await writeFile(config, JSON.stringify({ ...settings, cache: {} }));
    const checked = await homelab.run(["config", "check", config]);
    expect(checked).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("needs cache.verifyBuilds"),
    });
  },
);
