import { afterEach, expect, test } from "vitest";
import { startRig, verdictsOf, type BuilderRig } from "../../../test/support/builder-rig.ts";
import { fakeDrv } from "../../../test/support/fake-nix.ts";
import type { Realiser } from "../../nix/realiser.ts";
import type { StorePath } from "../../protocol/names.ts";

const never = new AbortController().signal;
const rigs: BuilderRig[] = [];
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

test("Nix is stopped when one of its hosts is cancelled, and the others are built by another process", async () => {
  const rig = await startRig({ repos: { homelab: { web: {}, db: {} } } });
  rigs.push(rig);
  const { nix, bus, ask, verdict } = rig;
  const gate = nix.hold("realise");
  const evaluations = nix.hold("evaluate");
  const realise = nix.realise.bind(nix);
  const running: AbortSignal[] = [];
  const watched: Realiser["realise"] = async (drvPaths, options, onActivity, signal) => {
    running.push(signal);
    return realise(drvPaths, options, onActivity, signal);
  };
  Object.assign(nix, { realise: watched });
  const [web, db] = [await ask("homelab/web"), await ask("homelab/db")];
  await expect.poll(() => nix.evaluations).toHaveLength(2);
  evaluations.release();
  // However they come together: both are being built.
  await expect.poll(() => nix.realised.flat()).toHaveLength(2);

  await bus.control(web, { action: "cancel" }, never);
  expect((await verdict(web)).status).toBe("cancelled");
  await expect.poll(() => running.some(({ aborted }) => aborted)).toBe(true);
  gate.release();
  expect(verdictsOf(await verdict(db))).toEqual({ db: "built" });
});

test("work in a batch process that somebody waits for goes to a process of its own, which alone decides", async () => {
  const rig = await startRig({ repos: { homelab: { web: {}, db: {}, nas: { build: "fail" } } } });
  rigs.push(rig);
  const { nix, ask, verdict, events } = rig;
  const processes: { readonly drvPaths: readonly StorePath[]; readonly signal: AbortSignal; end(): void }[] =
    [];
  const realise = nix.realise.bind(nix);
  const held: Realiser["realise"] = async (drvPaths, options, onActivity, signal) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    processes.push({ drvPaths, signal, end: resolve });
    await promise;
    return realise(drvPaths, options, onActivity, signal);
  };
  Object.assign(nix, { realise: held });
  const batch = await ask("homelab/all", { priority: "batch" });
  await expect.poll(() => processes.flatMap(({ drvPaths }) => drvPaths)).toHaveLength(3);
  const before = processes.length;

  const urgent = await ask("homelab/web", { priority: "interactive" });
  await expect
    .poll(() => processes.slice(before).map(({ drvPaths }) => drvPaths))
    .toEqual([[fakeDrv("web")]]);
  processes.at(-1)?.end();
  expect(verdictsOf(await verdict(urgent))).toEqual({ web: "built" });
  expect(processes.map(({ signal }) => signal.aborted)).not.toContain(true);

  for (const { end } of processes) end();
  expect(verdictsOf(await verdict(batch))).toEqual({ web: "built", db: "built", nas: "build-failed" });
  const verdicts = (await events(batch)).filter((event) => event.type === "hosts-finished");
  expect(verdicts.flatMap(({ hosts }) => hosts.map(({ host }) => host)).toSorted()).toEqual([
    "db",
    "nas",
    "web",
  ]);
});

test("however many hosts end processes by their failure, the others spend no attempt", async () => {
  const odd = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`odd${index}`, { build: "stops" }] as const),
  );
  const rig = await startRig({ repos: { homelab: { web: {}, ...odd } } });
  rigs.push(rig);
  const { nix } = rig;
  const findAll = nix.findFailures.bind(nix);
  const findFirst: Realiser["findFailures"] = async (...asked) => {
    const { causes, brokenBy } = await findAll(...asked);
    const culprit = [...causes].find(([, { kind }]) => kind === "failed")?.[0];
    const others = [...causes].map(
      ([drvPath, cause]) =>
        [drvPath, drvPath === culprit ? cause : { ...cause, kind: "interrupted" as const }] as const,
    );
    return { causes: new Map(others), brokenBy };
  };
  Object.assign(nix, { findFailures: findFirst });
  const state = await rig.verdict(await rig.ask("homelab/all"));
  const failed = Object.keys(odd).map((host) => [host, "build-failed"]);
  expect(verdictsOf(state)).toEqual({ web: "built", ...Object.fromEntries(failed) });
  expect(state.warnings).toEqual([]);
});

test("a host whose failure ends the process costs the others no attempt", async () => {
  const rig = await startRig({ repos: { homelab: { web: {}, db: {}, odd: { build: "stops" } } } });
  rigs.push(rig);
  const state = await rig.verdict(await rig.ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ web: "built", db: "built", odd: "build-failed" });
  expect(state.warnings).toEqual([]);
});

test("a hook that fails while its host is built apart is seen, too", async () => {
  const rig = await startRig({
    repos: { homelab: { web: { build: "hook-fails" }, odd: { build: "stops-unnamed" } } },
  });
  rigs.push(rig);
  const state = await rig.verdict(await rig.ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ web: "infra-failed", odd: "build-failed" });
  expect(state.hosts.get("homelab/web")?.finished?.reason).toContain("its post-build-hook failed");
});

test("where nobody knows whose failure it was, each is built apart, and the healthy get built", async () => {
  const rig = await startRig({ repos: { homelab: { web: {}, db: {}, odd: { build: "stops-unnamed" } } } });
  rigs.push(rig);
  const state = await rig.verdict(await rig.ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ web: "built", db: "built", odd: "build-failed" });
  expect(state.warnings).toEqual([]);
  expect(rig.nix.realised).toContainEqual([fakeDrv("odd")]);
});
