// Hosts whose `post-build-hook` fails: their verdicts, and what the build says.
import { afterEach, expect, test } from "vitest";
import { startRig, verdictsOf, type BuilderRig, type RigOptions } from "../../test/support/builder-rig.ts";
import { fakeDrv, fakeOut } from "../../test/support/fake-nix.ts";
import { createFailedHooks } from "./lanes/failed-hooks.ts";

const rigs: BuilderRig[] = [];
async function rig(options: RigOptions): Promise<BuilderRig> {
  const started = await startRig(options);
  rigs.push(started);
  return started;
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

test("a host whose hook fails is no success, and the others are built at once, without an attempt", async () => {
  const { nix, ask, verdict } = await rig({
    repos: { homelab: { broken: { build: "hook-fails" }, well: {} } },
  });
  const state = await verdict(await ask("homelab/all"));

  expect(verdictsOf(state)).toEqual({ broken: "infra-failed", well: "built" });
  expect(state.status).toBe("infra-failed");
  expect(state.hosts.get("homelab/broken")?.finished?.reason).toBe(
    "built, but its post-build-hook failed: nixos-system-broken: /etc/nix/upload failed with exit code 1",
  );
  expect(state.failures).toMatchObject([
    {
      drvPath: fakeDrv("broken"),
      kind: "infra",
      tail: ["503 Service Unavailable"],
      hosts: [{ host: "broken" }],
    },
  ]);
  expect(nix.realised.flat().filter((drvPath) => drvPath === fakeDrv("broken"))).toHaveLength(1);
  const events = await rigs[0]?.events(state.id);
  expect(events?.filter(({ type }) => type === "retrying")).toEqual([]);
});

test("the next build finds the output there: it stands, with a warning", async () => {
  const { ask, verdict } = await rig({ repos: { homelab: { broken: { build: "hook-fails" } } } });
  await verdict(await ask("homelab/broken"));
  const state = await verdict(await ask("homelab/broken"));

  expect(verdictsOf(state)).toEqual({ broken: "unchanged" });
  expect(state.warnings).toEqual([
    expect.stringMatching(/^the post-build-hook of nixos-system-broken failed in an earlier build/),
  ]);
});

test("a hook of a dependency that failed since the build began keeps every host that needs it from success", async () => {
  const failedHooks = createFailedHooks();
  const { nix, ask, verdict } = await rig({
    repos: { homelab: { one: { build: "present" }, other: { build: "present" } } },
    overrides: { failedHooks },
  });
  const shared = fakeDrv("shared");
  Object.assign(nix, {
    readDerivation: async (drvPath: string) => ({
      outputs: new Map([["out", fakeOut("x")]]),
      inputDrvs: new Map(drvPath === fakeDrv("one") ? [[shared, ["out"]]] : []),
      system: "x86_64-linux",
    }),
  });
  const inAnHour = Date.now() + 3_600_000;
  failedHooks.learn([{ drvPath: shared, reason: "it failed", lines: [], at: inAnHour }], new Set());

  const state = await verdict(await ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ one: "infra-failed", other: "unchanged" });
  expect(state.warnings).toEqual([]);
});

test("a hook that does not end is ended, and its host is no success", async () => {
  const { ask, verdict } = await rig({
    repos: { homelab: { stuck: { build: "hook-hangs" } } },
    limits: { timeoutSeconds: 60, silenceSeconds: 0.05 },
  });
  const state = await verdict(await ask("homelab/stuck"));
  expect(verdictsOf(state)).toEqual({ stuck: "infra-failed" });
  expect(state.hosts.get("homelab/stuck")?.finished?.reason).toMatch(
    /post-build-hook failed: nixos-system-stuck: it ran for 0.05 seconds without output, and was ended$/,
  );
});

test("what a successful hook does is not remembered, and forgets an earlier failure", () => {
  const saved: number[] = [];
  const hooks = createFailedHooks([], (all) => saved.push(all.length));
  const hook = { drvPath: fakeDrv("web"), reason: "it failed", lines: [], at: 1 };
  hooks.learn([hook], new Set());
  hooks.learn([], new Set([fakeDrv("other")]));
  hooks.learn([], new Set([hook.drvPath]));
  expect(hooks.all().size).toBe(0);
  expect(saved).toEqual([1, 0]);
});
