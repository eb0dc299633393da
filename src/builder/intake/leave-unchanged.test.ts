import { expect, test } from "vitest";
import { startRig } from "../../../test/support/builder-rig.ts";
import { parseCommit } from "../../protocol/names.ts";

const base = parseCommit("b".repeat(40));

test("what is the same at the other commit is left out, and what cannot be compared is built", async () => {
  const repos = { homelab: { same: {}, throws: { evaluation: "throw" } } } as const;
  const { ask, verdict, nix, stop } = await startRig({ repos });
  const state = await verdict(await ask("homelab/all", { changedSince: base }));
  expect([...state.hosts.values()].map(({ host, finished }) => [host, finished?.verdict])).toEqual([
    ["throws", "eval-failed"],
  ]);
  expect(state).toMatchObject({
    changedSince: base,
    skipped: [{ host: "same", reason: "its system is the same as at bbbbbbb" }],
  });
  expect(state.complete).toBe(undefined);
  expect(nix.realised).toEqual([]);
  await stop();
});

test("nothing is built where nothing differs, and what was evaluated for that is remembered", async () => {
  const { ask, verdict, events, nix, stop } = await startRig({ repos: { homelab: { one: {}, two: {} } } });
  const state = await verdict(await ask("homelab/all", { changedSince: base }));
  expect(state).toMatchObject({ status: "rejected", rejection: { code: "NO_CHANGES" } });
  expect(nix.realised).toEqual([]);
  const evaluators = nix.evaluations.flat().length;
  const id = await ask("homelab/all");
  expect((await verdict(id)).status).toBe("succeeded");
  expect(await events(id)).toContainEqual(
    expect.objectContaining({
      type: "evaluated",
      hosts: [expect.objectContaining({ remembered: true }), expect.objectContaining({ remembered: true })],
    }),
  );
  expect(nix.evaluations.flat().length).toBe(evaluators);
  await stop();
});

test("a host that is being built meanwhile is compared, and built on", async () => {
  const { ask, verdict, nix, stop } = await startRig({ repos: { homelab: { one: {} } } });
  const { release } = nix.hold("realise");
  const building = await ask("homelab/all");
  await expect.poll(() => nix.realised.length, { timeout: 30_000 }).toBe(1);
  const compared = await verdict(await ask("homelab/all", { changedSince: base }));
  expect(compared.rejection?.code).toBe("NO_CHANGES");
  release();
  expect((await verdict(building)).status).toBe("succeeded");
  await stop();
});

test("a commit is compared in one repo only", async () => {
  const { ask, verdict, stop } = await startRig({ repos: { homelab: { one: {} }, nixos: { two: {} } } });
  const { rejection } = await verdict(await ask("any/all", { changedSince: base }));
  expect(rejection?.code).toBe("REV_NEEDS_REPO");
  await stop();
});
