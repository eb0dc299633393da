import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents, type BuildState } from "../../src/protocol/build-state.ts";
import { parseRepoName } from "../../src/protocol/names.ts";
import type { BuildRequest } from "../../src/protocol/request.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { createDownstream } from "../support/downstream.ts";
import { test } from "../support/homelab.ts";
import { someOverride } from "../support/overrides.ts";

const gunter = parseRepoName("nixos");

test("a request with overrides over NATS: another repo's hosts, as if their input were locked elsewhere", async ({
  homelab,
}) => {
  const { fleet, store, directory } = homelab;
  await fleet.commit({ hosts: 1, salt: "before" });
  const downstream = await createDownstream({
    store,
    directory,
    upstream: `git+${fleet.url}?ref=main`,
    outputs: "{ self, servers }: { nixosConfigurations.gunter = servers.nixosConfigurations.host01; }",
  });
  const good = await fleet.commit({ hosts: 1, salt: "after" }, { branch: "good" });
  const bad = await fleet.commit({ hosts: 1, buildFail: { host01: "exit1" } }, { branch: "bad" });
  await homelab.startBuilder(
    "builder1",
    {},
    {
      repos: {
        fleet: { url: fleet.url, branch: "main", pollSeconds: 0 },
        nixos: { url: downstream.url, pollSeconds: 0 },
      },
    },
  );
  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);

  async function build(request: Partial<BuildRequest>): Promise<BuildState> {
    const id = newBuildId(new Date());
    const signal = AbortSignal.timeout(60_000);
    await reader.submit({ repo: gunter, host: "all" }, { ...request, id }, signal);
    for await (const message of reader.follow(id, {}, signal)) void message;
    return foldEvents(id, await reader.readEvents(id, 0, signal));
  }
  const host = (state: BuildState) => state.hosts.get("nixos/gunter");
  const at = (commit: string) => [someOverride({ repo: "fleet", commit })];

  const plain = await build({});
  expect(plain.status).toBe("succeeded");
  const overridden = await build({ overrides: at(good) });
  expect(overridden.status).toBe("succeeded");
  expect(overridden.sources).toEqual([
    { ...plain.sources[0], branch: undefined, tip: false, inputs: undefined, overrides: at(good) },
  ]);
  expect(host(overridden)?.evaluated).toMatchObject({ remembered: false });
  expect(host(overridden)?.evaluated?.drvPath).not.toBe(host(plain)?.evaluated?.drvPath);
  // Twice the same is one evaluation, and so is the commit without them.
  expect(host(await build({ overrides: at(good) }))?.evaluated).toEqual({
    ...host(overridden)?.evaluated,
    remembered: true,
  });
  expect(host(await build({}))?.evaluated).toEqual({ ...host(plain)?.evaluated, remembered: true });
  expect(await readdir(join(directory, "b1/gcroots/nixos"))).toHaveLength(2);

  expect(host(await build({ overrides: at(bad) }))?.finished?.verdict).toBe("build-failed");
  const shown = await homelab.run(["hosts", "--repo", "nixos"]);
  expect(shown.stdout).toMatch(/gunter\s+✓/);
  const listed = await homelab.run(["builds", "list"]);
  expect(listed.stdout).toContain(`with servers@${bad.slice(0, 7)}`);

  const rejected = async (override: object): Promise<string | undefined> =>
    (await build({ overrides: [someOverride({ repo: "fleet", commit: good, ...override })] })).rejection
      ?.code;
  expect(await rejected({ input: "nosuchinput" })).toBe("UNKNOWN_FLAKE_INPUT");
  expect(await rejected({ repo: "elsewhere" })).toBe("UNKNOWN_REPO");
  expect(await rejected({ commit: "1".repeat(40) })).toBe("UNKNOWN_COMMIT");
});
