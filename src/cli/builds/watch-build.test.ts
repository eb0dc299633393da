import { expect, test } from "vitest";
import { startRig } from "../../../test/support/builder-rig.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { createCommandContext } from "../../../test/support/command-context.ts";
import { HomelabError } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import type { Evaluator } from "../../nix/evaluator.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import { parseBuilderName, parseCommit, parseRepoName } from "../../protocol/names.ts";
import { describeRequest } from "./decide-other-build.ts";
import { describeSilence, watchBuild } from "./watch-build.ts";

const now = new Date("2026-11-23T15:00:00Z");
const seen = (name: string, at: string): BuilderStatus => ({
  name: parseBuilderName(name),
  version: "0",
  nixVersion: "2",
  systems: [],
  repos: [],
  at,
  startedAt: at,
  evaluationSlots: 1,
  builds: [],
});

test("a request that nobody takes is explained by who is there", () => {
  expect(describeSilence([], now)).toContain("no builder was ever seen");
  expect(
    describeSilence([seen("old", "2026-11-23T12:00:00Z"), seen("cache01", "2026-11-23T13:00:00Z")], now),
  ).toContain("no builder was seen for 2h00m (cache01 was the last)");
  expect(describeSilence([seen("cache01", "2026-11-23T14:59:50Z")], now)).toContain(
    "cache01 has not taken it yet",
  );
});

test("a request that NATS has not stored is not said to be stored", async () => {
  const rig = await startRig();
  const id = await rig.ask("homelab/testvm01");
  await rig.verdict(id);
  const clock = createFakeClock();
  const { context, said } = createCommandContext({ clock });
  const { promise: stored, resolve: store } = Promise.withResolvers<void>();
  const reader: BuildReader = {
    ...rig.bus,
    // Nothing is heard of the build, because NATS has no leader.
    async *follow() {
      await stored;
      yield* [];
    },
  };
  const watching = watchBuild(context, reader, id, {}, { about: "", submit: async () => stored });
  await clock.advance(2500);
  expect(said.stderr + said.stdout).toContain("NATS has not stored the request yet");
  expect(said.stderr + said.stdout).not.toContain("The request is");
  store();
  await expect(watching).rejects.toMatchObject({ code: "NO_VERDICT" });
  await rig.stop();
});

test.each([
  ["a bug", new TypeError("x is not a function"), 70, "got no verdict because of a bug in homelab-deploy"],
  ["a fault", new HomelabError("unavailable", "no room"), 3, "because of an infrastructure fault"],
])("a build that met %s exits with its own code, and says what it was", async (_, thrown, code, words) => {
  const rig = await startRig();
  const evaluate: Evaluator["evaluate"] = async function* () {
    yield await Promise.reject(thrown);
  };
  Object.assign(rig.nix, { evaluate });
  const { context, said } = createCommandContext();
  expect(await watchBuild(context, rig.bus, await rig.ask("homelab/all"), {})).toBe(code);
  expect(said.stdout).toContain(words);
  await rig.stop();
});

test("a build of somebody else under our id is not shown as ours", async () => {
  const rig = await startRig();
  const id = await rig.ask("homelab/testvm01");
  await rig.verdict(id);
  const { context, said } = createCommandContext();
  const asked = { about: "0".repeat(64), submit: async () => undefined };
  await expect(watchBuild(context, rig.bus, id, {}, asked)).rejects.toMatchObject({ code: "BUILD_TAKEN" });
  expect(said.stdout).not.toContain("succeeded");
  await rig.stop();
});

test("what a builder builds that does not know --changed-since is cancelled, and not shown", async () => {
  const rig = await startRig();
  rig.nix.hold("realise");
  // To a builder of an earlier release the request is about every host.
  const id = await rig.ask("homelab/all");
  const target = { repo: parseRepoName("homelab"), host: "all" } as const;
  const asked = {
    ...describeRequest(target, { changedSince: parseCommit("a".repeat(40)) }),
    submit: async () => undefined,
  };
  const { context, said } = createCommandContext();
  await expect(watchBuild(context, rig.bus, id, {}, asked)).rejects.toMatchObject({
    code: "BUILDER_OUTDATED",
  });
  expect(said.stdout).toBe("");
  expect((await rig.verdict(id)).status).toBe("cancelled");
  await rig.stop();
});
