// A build that a builder continues with after a restart, with what the run before had found out.
import { expect } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents, isOver, type BuildState } from "../../src/protocol/build-state.ts";
import type { EventBody } from "../../src/protocol/events.ts";
import { parseBuilderName, parseRepoName, type BuildId } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { accepted, anEvent, aStatus } from "../support/builds.ts";
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
    else builtins.foldl' (sum: _: sum + burn (depth - 1)) 0 (builtins.genList (i: i) 60);
in { nixosConfigurations = { fast = top "fast" 0; slow = top "slow" (burn 4 - burn 4); }; }; }`;

test(
  "a failure that was known before a restart keeps no build from its end",
  { timeout: 600_000 },
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
      .poll(async () => (await stateOf(id)).hosts.get("fleet/fast")?.finished?.verdict, { timeout: 180_000 })
      .toBe("build-failed");
    builder.signal("SIGTERM");
    await builder.ended;
    expect(isOver(await stateOf(id))).toBe(false);

    await homelab.startBuilder("builder1", oneByOne);
    await expect.poll(async () => (await stateOf(id)).status, { timeout: 300_000 }).toBe("failed");
    const state = await stateOf(id);
    expect(state.hosts.get("fleet/slow")?.finished?.verdict).toBe("build-failed");
    expect(state.failures.map(({ hosts }) => hosts.map(({ host }) => host))).toEqual([["fast", "slow"]]);
  },
);

test("a build that another builder holds, and does nothing about, is cancelled by any other", async ({
  homelab,
}) => {
  await homelab.startBuilder("builder1");
  await using connection = await homelab.server.connect("builder2", { role: "daemon" });
  const other = createBuilderBus(connection);
  const id = newBuildId(new Date());
  // It hangs: it was seen just now, and does not answer.
  await other.putStatus(aStatus("b2", new Date().toISOString()), never);
  const log = await other.openEventLog(id, [], never);
  const heldByB2 = { ...accepted, builder: parseBuilderName("b2") } as EventBody;
  await log.append(anEvent(id, 0, heldByB2), never);
  expect((await homelab.run(["builds", "cancel", id])).exitCode).toBe(0);
  const outcome = async (): Promise<unknown> => {
    const { status, builder } = foldEvents(id, await other.readEvents(id, 0, never));
    return [status, builder];
  };
  await expect.poll(outcome, { timeout: 120_000 }).toEqual(["cancelled", "b1"]);
});
