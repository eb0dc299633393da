import { afterEach, describe, expect, test } from "vitest";
import { startRig, verdictsOf, type BuilderRig } from "../../../test/support/builder-rig.ts";
import { createFakeNix, fakeDrv, type FakeNix } from "../../../test/support/fake-nix.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import type { SubstituterProbe } from "../../nix/realiser.ts";
import {
  areAllDown,
  decideWait,
  needsSubstituter,
  type WithoutSubstituters,
} from "./wait-for-substituters.ts";

const down: SubstituterProbe = { use: [], dead: [{ url: "https://cache", reason: "no route to host" }] };
const up: SubstituterProbe = { use: undefined, dead: [] };

test("all are down only where some are configured and none answers", () => {
  expect(areAllDown(down)).toBe(true);
  expect(areAllDown(up)).toBe(false);
  expect(areAllDown({ use: ["file:///cache"], dead: down.dead })).toBe(false);
  expect(areAllDown({ use: [], dead: [] })).toBe(false);
});

test.each([
  [0, 10_000],
  [15_000, 15_000],
  [600_000, 60_000],
])("after %i ms it waits %i ms more", (waitedMs, delayMs) => {
  expect(decideWait(down, waitedMs)).toEqual({
    type: "wait",
    delayMs,
    reason:
      "no substituter can be used; waiting up to 30 minutes for one instead of building from source (builder.build.withoutSubstituters): https://cache: no route to host",
  });
});

test("after half an hour it is an infrastructure fault, and says which setting builds instead", () => {
  const dead = [...down.dead, { url: "https://other", reason: "x" }];
  expect(decideWait({ dead }, 30 * 60_000)).toEqual({
    type: "verdict",
    verdict: "infra-failed",
    reason:
      "no substituter could be used for 30 minutes, and nothing is built from source without one (builder.build.withoutSubstituters): https://cache: no route to host (and 1 more)",
  });
});

test("a host of which only small things are left to build needs no substituter", async () => {
  const [top, unit] = [fakeDrv("web"), fakeDrv("unit")];
  const nix = (isOnlyBuilt: (path: string) => boolean) => ({
    unbuilt: async () => new Set([top, unit]),
    readDerivation: async (path: string) => ({
      outputs: new Map(),
      inputDrvs: new Map(),
      system: "x86_64-linux",
      isOnlyBuilt: isOnlyBuilt(path),
    }),
  });
  expect(
    await needsSubstituter(
      nix(() => true),
      top,
    ),
  ).toBe(false);
  expect(
    await needsSubstituter(
      nix((path) => path === top),
      top,
    ),
  ).toBe(true);
  const unreadable = { ...nix(() => true), readDerivation: async () => Promise.reject(new Error("gone")) };
  expect(await needsSubstituter(unreadable, top)).toBe(true);
});

describe("a builder whose substituters are all down", () => {
  const rigs: BuilderRig[] = [];
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((started) => started.stop()));
  });

  /** A second is a millisecond. */
  const fast: Clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() * 1000,
    sleep: async (milliseconds, signal) => systemClock.sleep(milliseconds / 1000, signal),
  };

  async function start(nix: FakeNix, withoutSubstituters: WithoutSubstituters = "wait"): Promise<BuilderRig> {
    const rig = await startRig({
      repos: { homelab: { web: {}, done: { build: "present" } } },
      nix,
      overrides: { clock: fast },
      withoutSubstituters,
    });
    rigs.push(rig);
    return rig;
  }

  const createNix = (probe: () => SubstituterProbe): FakeNix => {
    const nix = createFakeNix(
      new Map([
        ["web", {}],
        ["done", { build: "present" }],
      ]),
    );
    nix.probeSubstituters = async () => probe();
    return nix;
  };

  test("waits, says why, and builds when one is back, without having spent an attempt", async () => {
    let asked = 0;
    const nix = createNix(() => (++asked < 5 ? down : up));
    const { ask, verdict, events } = await start(nix);
    const id = await ask("homelab/all");
    const state = await verdict(id);
    expect(verdictsOf(state)).toEqual({ web: "built", done: "unchanged" });
    expect(nix.realised.flat()).toEqual([fakeDrv("web")]);
    const waits = (await events(id)).flatMap((event) => (event.type === "retrying" ? [event] : []));
    expect(waits.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
    expect(waits[0]?.reason).toContain("no substituter can be used");
    expect(state.warnings).toEqual([expect.stringMatching(/^no substituter can be used.*; trying again$/)]);
  });

  test("ends as an infrastructure fault when none comes back", async () => {
    const nix = createNix(() => down);
    const { ask, verdict } = await start(nix);
    const state = await verdict(await ask("homelab/all"));
    expect(verdictsOf(state)).toEqual({ web: "infra-failed", done: "unchanged" });
    expect(state.hosts.get("homelab/web")?.finished?.reason).toContain("for 30 minutes");
    expect(nix.realised).toEqual([]);
  });

  test("builds from source at once where that is configured", async () => {
    const nix = createNix(() => down);
    const { ask, verdict } = await start(nix, "build");
    const state = await verdict(await ask("homelab/all"));
    expect(verdictsOf(state)).toEqual({ web: "built", done: "unchanged" });
    expect(state.warnings).toEqual(["the substituter https://cache is left out: no route to host"]);
  });

  test("builds at once what needs no substituter", async () => {
    const nix = createNix(() => down);
    const { readDerivation } = nix;
    nix.readDerivation = async (path) => ({ ...(await readDerivation(path)), isOnlyBuilt: true });
    const { ask, verdict } = await start(nix);
    expect(verdictsOf(await verdict(await ask("homelab/all")))).toEqual({ web: "built", done: "unchanged" });
  });
});
