// A build that a builder goes on with after a restart, with what the run before had found out.
import { expect } from "vitest";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents, isOver, type BuildState } from "../../src/protocol/build-state.ts";
import { parseRepoName, type BuildId } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { test } from "../support/homelab.ts";

const never = new AbortController().signal;
const oneByOne = { evaluation: { workers: 1, batchSize: 1 } };

/** `fast` fails at once by a derivation that `slow` needs too, whose evaluation takes some seconds. */
const flake = `{ outputs = { self }: let
  common = derivation {
    name = "common"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo no; exit 1" ];
  };
  top = name: x: { config.system.build.toplevel = derivation {
    name = "nixos-system-\${name}"; system = "x86_64-linux"; builder = "/bin/sh";
    inherit common x; args = [ "-c" "echo > $out" ];
  }; };
  burn = depth: if depth == 0 then 0
    else builtins.foldl' (sum: _: sum + burn (depth - 1)) 0 (builtins.genList (i: i) 100);
in { nixosConfigurations = { fast = top "fast" 0; slow = top "slow" (burn 4 - burn 4); }; }; }`;

test(
  "a failure that was known before a restart keeps no build from its end",
  { timeout: 240_000 },
  async ({ homelab }) => {
    const builder = await homelab.startBuilder("builder1", oneByOne);
    await using connection = await homelab.server.connect("operator", { role: "daemon" });
    const reader = createReader(connection);
    const stateOf = async (id: BuildId): Promise<BuildState> =>
      foldEvents(id, await reader.readEvents(id, 0, never));
    await homelab.fleet.commit({}, { files: { "flake.nix": flake } });
    const id = newBuildId(new Date());
    await reader.submit({ repo: parseRepoName("fleet"), host: "all" }, { id }, never);
    await expect
      .poll(async () => (await stateOf(id)).hosts.get("fleet/fast")?.finished?.verdict, { timeout: 60_000 })
      .toBe("build-failed");
    builder.signal("SIGTERM");
    await builder.ended;
    expect(isOver(await stateOf(id))).toBe(false);

    await homelab.startBuilder("builder1", oneByOne);
    await expect.poll(async () => (await stateOf(id)).status, { timeout: 120_000 }).toBe("failed");
    const state = await stateOf(id);
    expect(state.hosts.get("fleet/slow")?.finished?.verdict).toBe("build-failed");
    expect(state.failures.map(({ hosts }) => hosts.map(({ host }) => host))).toEqual([["fast", "slow"]]);
  },
);
