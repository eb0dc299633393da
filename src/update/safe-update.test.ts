import { expect, test } from "vitest";
import { requireTip } from "../../test/support/fake-repository.ts";
import { lockText, master, simulateUpdate, type States } from "../../test/support/simulated-update.ts";
import { HomelabError } from "../base/errors.ts";
import { foldEvents, type BuildState } from "../protocol/build-state.ts";
import type { KeptBuilds } from "./kept/kept-builds.ts";
import { leaseRef } from "./lease.ts";
import { safeUpdate } from "./safe-update.ts";

const signal = AbortSignal.timeout(60_000);
const dayMs = 86_400_000;

/** With a proposal of the first day that is open, since `beta` at 2 breaks `db`. */
async function simulateProposed() {
  const sim = await simulateUpdate();
  sim.verdict = ({ beta }, host) => (beta === 2 && host === "db" ? "build-failed" : "built");
  const update = async () => safeUpdate(sim.options, signal);
  const first = await update();
  if (first.type !== "proposed") throw new Error(`it was ${first.type}`);
  return { ...sim, sim, update, branch: first.branch };
}

test("a proposal is closed once there is nothing left to update", async () => {
  const { sim, update, forge, repository, branch } = await simulateProposed();
  sim.newest = { alpha: 1, beta: 1 };
  expect((await update()).type).toBe("no-change");
  expect(forge.pulls).toMatchObject([{ state: "closed" }]);
  expect(repository.tip(branch)).toBeUndefined();
});

test("a proposal that is the same after weeks is kept, and not closed and opened again", async () => {
  const { update, forge, clock } = await simulateProposed();
  for (let week = 1; week <= 4; week++) {
    await clock.advance(7 * dayMs);
    expect(await update()).toMatchObject({ type: "proposed" });
    expect(forge.pulls, `week ${week}`).toMatchObject([{ state: "open" }]);
  }
  expect(forge.said.map(({ body }) => body)).toEqual([expect.stringContaining("for 7 days")]);
});

test("one pull request, too, when the branch has moved and the lock is the same", async () => {
  const { update, forge, repository, clock, branch } = await simulateProposed();
  await clock.advance(3 * dayMs);
  await repository.person(master, { README: "" });
  expect(await update()).toMatchObject({ type: "proposed", branch });
  expect(forge.pulls).toMatchObject([{ state: "open" }]);
  expect(repository.tip(branch)).toBeDefined();
});

test("the branch of a proposal that a person closed is deleted by a run of another day", async () => {
  const { sim, update, forge, repository, clock, branch } = await simulateProposed();
  for (const pull of forge.pulls) pull.state = "closed";
  sim.newest = { alpha: 1, beta: 1 };
  expect((await update()).type).toBe("no-change");
  expect(repository.tip(branch)).toBeDefined();
  await clock.advance(dayMs);
  expect((await update()).type).toBe("no-change");
  expect(repository.tip(branch)).toBeUndefined();
});

test("a run without a verdict tends no proposals", async () => {
  const { sim, update, forge, clock } = await simulateProposed();
  await clock.advance(30 * dayMs);
  sim.newest = { alpha: 3, beta: 3 };
  sim.verdict = () => "infra-failed";
  expect((await update()).type).toBe("infra");
  expect(forge.pulls).toMatchObject([{ state: "open" }]);
});

test("a run without a verdict leaves the remote as it was", async () => {
  const { sim, update, repository, branch } = await simulateProposed();
  const before = new Map(repository.refs);
  sim.newest = { alpha: 3, beta: 3 };
  sim.verdict = () => "infra-failed";
  expect((await update()).type).toBe("infra");
  // Of the same day, so the branch of the proposal had the new candidate meanwhile.
  expect(repository.refs).toEqual(before);
  expect(repository.tip(branch)).toBeDefined();
});

test("nothing is pushed while it is unknown which hosts the base has", async () => {
  const sim = await simulateUpdate();
  const before = new Map(sim.repository.refs);
  sim.onList = () => Promise.reject(new HomelabError("unavailable", "Nix is away"));
  await expect(safeUpdate(sim.options, signal)).rejects.toThrow("Nix is away");
  expect(sim.repository.refs).toEqual(before);
  expect(sim.builds.requests).toEqual([]);
});

test("a base that does not list its hosts is mended by an update that lists them", async () => {
  const sim = await simulateUpdate();
  let asked = 0;
  sim.onList = async () => {
    if (asked++ === 0) throw new HomelabError("failed", "the option foo is gone");
  };
  const result = await safeUpdate(sim.options, signal);
  expect(result).toMatchObject({
    type: "landed",
    validated: {
      classes: new Map([
        ["web", "fixed"],
        ["db", "fixed"],
      ]),
    },
  });
});

test("a search ends with the first verdict that the infrastructure keeps back, and accuses nobody", async () => {
  const sim = await simulateUpdate();
  sim.newest = { alpha: 2, beta: 2, gamma: 2, delta: 2 };
  await sim.repository.person(master, { "flake.lock": lockText({ alpha: 1, beta: 1, gamma: 1, delta: 1 }) });
  const isPart = (states: States): boolean => new Set(Object.values(states)).size > 1;
  sim.verdict = (states, host) =>
    host === "web"
      ? "built"
      : isPart(states)
        ? "infra-failed"
        : states["beta"] === 2
          ? "build-failed"
          : "built";
  const result = await safeUpdate(sim.options, signal);
  expect(result).toMatchObject({
    type: "proposed",
    found: {
      culprits: [],
      unproven: expect.stringMatching(/^the search ended: does it build with .* has no answer/) as string,
    },
  });
  // The candidate, the base of the host that fails, and one part.
  expect(sim.builds.requests).toHaveLength(3);
  const ours = [...sim.repository.refs.keys()].filter((ref) => ref.includes("flake-update/"));
  expect(ours).toEqual(["refs/heads/flake-update/2026-11-23"]);
});

test("what lands without the culprit is offered to builders, also where its verdicts are known", async () => {
  const { sim, repository } = await simulateProposed();
  const { judging, searching } = sim.options;
  const known = new Map<string, BuildState>();
  const kept: KeptBuilds = {
    find: async (about) => known.get(about),
    keep: async (about, id, events) => void known.set(about, foldEvents(id, events)),
    forget: async () => undefined,
  };
  const update = async (partialLanding: boolean) =>
    safeUpdate(
      { ...sim.options, judging: { ...judging, kept }, searching: { ...searching, partialLanding } },
      signal,
    );
  expect(await update(false)).toMatchObject({ type: "proposed", found: { culprits: [["beta"]] } });
  expect(await update(true)).toMatchObject({ type: "proposed", found: { landed: { inputs: ["alpha"] } } });
  expect(await sim.statesAt(requireTip(repository, master))).toEqual({ alpha: 2, beta: 1 });
});

test("a part that landed before the run was ended is told with its own inputs", async () => {
  const sim = await simulateUpdate();
  sim.verdict = ({ beta }, host) => (beta === 2 && host === "db" ? "build-failed" : "built");
  const options = { ...sim.options, searching: { ...sim.options.searching, partialLanding: true } };
  const isLanded = (): boolean => sim.journal.last("landed") !== undefined;
  sim.onList = async () => {
    if (isLanded()) throw new HomelabError("unavailable", "Nix is away");
  };
  await expect(safeUpdate(options, signal)).rejects.toThrow("Nix is away");
  expect(sim.told.map(({ outcome }) => outcome)).toEqual(["failed"]);
  sim.onList = async () => undefined;
  expect((await safeUpdate(options, signal)).type).toBe("proposed");
  expect(sim.told.slice(1)).toMatchObject([
    { outcome: "landed", commit: requireTip(sim.repository, master), inputs: ["alpha"] },
    { outcome: "proposed", inputs: ["beta"] },
  ]);
});

test("why the rest does not land without the culprit is said", async () => {
  const sim = await simulateUpdate();
  sim.newest = { alpha: 2, beta: 2, gamma: 2 };
  await sim.repository.person(master, { "flake.lock": lockText({ alpha: 1, beta: 1, gamma: 1 }) });
  // alpha breaks db, and web needs alpha and beta to move together.
  sim.verdict = ({ alpha, beta }, host) =>
    (host === "db" ? alpha === 2 : alpha !== beta) ? "build-failed" : "built";
  const options = { ...sim.options, searching: { ...sim.options.searching, partialLanding: true } };
  const before = sim.repository.tip(master);
  expect(await safeUpdate(options, signal)).toMatchObject({
    type: "proposed",
    found: { culprits: [["alpha"]], held: { inputs: ["beta", "gamma"], why: "web would not build" } },
  });
  expect(sim.repository.tip(master)).toBe(before);
});

test("no verdict because a remote refuses the builder is told apart from an outage", async () => {
  const sim = await simulateUpdate();
  sim.verdict = () => "infra-failed";
  expect(await safeUpdate(sim.options, signal)).toMatchObject({ type: "infra", isRefused: false });
  await sim.repository.person(master, { README: "" });
  sim.builds.infraCode = "INPUT_DENIED";
  expect(await safeUpdate(sim.options, signal)).toMatchObject({ type: "infra", isRefused: true });
});

test("what lands closes the proposal of before, and leaves no branch", async () => {
  const { sim, update, forge, repository, clock } = await simulateProposed();
  await clock.advance(dayMs);
  sim.newest = { alpha: 3, beta: 3 };
  expect((await update()).type).toBe("landed");
  expect(forge.pulls).toMatchObject([{ state: "closed" }]);
  expect([...repository.refs.keys()]).toEqual(["refs/heads/master"]);
});

test("a run that was ended right after its landing is told and tidied up by the next", async () => {
  const { options, repository, told, journal } = await simulateUpdate();
  const away = { ...options.outbox, put: async () => Promise.reject(new Error("the machine went down")) };
  await expect(safeUpdate({ ...options, outbox: away }, signal)).rejects.toThrow("went down");
  const landed = requireTip(repository, master);
  expect(journal.last("landed")).toMatchObject({ commit: landed });
  expect((await safeUpdate(options, signal)).type).toBe("no-change");
  expect(told.map(({ outcome, commit }) => [outcome, commit])).toEqual([
    ["landed", landed],
    ["no-change", undefined],
  ]);
  expect([...repository.refs.keys()]).toEqual(["refs/heads/master"]);
});

const effect = {
  hosts: [
    { host: "web", reboot: ["kernel"], closureSize: 2048, sizeDelta: 1024, packages: [], packageCount: 0 },
  ],
  changed: 1,
  unchanged: 1,
  unknown: [],
};

test("what lands is told with what it changes, which is looked for only once it has landed", async () => {
  const sim = await simulateUpdate();
  const { options, repository, told } = sim;
  const seen: unknown[] = [];
  sim.explain = async ({ base, commit, branch }) => {
    seen.push([base, commit, branch, requireTip(repository, master) === commit]);
    return effect;
  };
  const base = requireTip(repository, master);
  const result = await safeUpdate(options, signal);
  const commit = requireTip(repository, master);
  expect(result).toMatchObject({ type: "landed", effect });
  expect(seen).toEqual([[base, commit, "flake-update/2026-11-23", true]]);
  expect(told).toMatchObject([{ outcome: "landed", commit, effect, hosts: { ok: 2 } }]);
});

test("what a landed update changes is no reason to fail, and it is told without it", async () => {
  const sim = await simulateUpdate();
  const { options, told, journal } = sim;
  sim.explain = () => Promise.reject(new TypeError("x is not a function"));
  expect((await safeUpdate(options, signal)).type).toBe("landed");
  expect(told).toMatchObject([{ outcome: "landed" }]);
  expect(told[0]?.effect).toBeUndefined();
  expect(journal.last("ended")).toMatchObject({ outcome: "landed" });
});

test("a run that was ended while it looked for that is told by the next, once and with it", async () => {
  const sim = await simulateUpdate();
  const { options, repository, told } = sim;
  const stopped = new AbortController();
  sim.explain = async () => {
    stopped.abort(new Error("the machine goes down"));
    return Promise.reject(new Error("the machine goes down"));
  };
  await expect(safeUpdate(options, stopped.signal)).rejects.toThrow("goes down");
  expect(told).toEqual([]);
  sim.explain = async () => effect;
  expect((await safeUpdate(options, signal)).type).toBe("no-change");
  expect((await safeUpdate(options, signal)).type).toBe("no-change");
  const commit = requireTip(repository, master);
  expect(told.filter(({ outcome }) => outcome === "landed")).toMatchObject([{ commit, effect }]);
});

test("the pull request that it landed by says what it changes, once", async () => {
  const sim = await simulateUpdate();
  const { options, forge } = sim;
  sim.explain = async () => effect;
  expect((await safeUpdate({ ...options, landing: "pull-request" }, signal)).type).toBe("landed");
  expect(forge.pulls).toMatchObject([{ state: "merged" }]);
  expect(forge.said.map(({ body }) => body)).toEqual([
    expect.stringContaining(
      "- `web`: no package changes its version; closure 2 KiB (+1 KiB); reboot for kernel",
    ),
  ]);
});

test("a part that landed without the culprits is told with what that part changes", async () => {
  const sim = await simulateUpdate();
  const { options, repository, told } = sim;
  sim.verdict = ({ beta }) => (beta === 2 ? "build-failed" : "built");
  const landed: unknown[] = [];
  sim.explain = async ({ base, commit }) => {
    landed.push([base, commit]);
    return effect;
  };
  const base = requireTip(repository, master);
  const searching = { ...options.searching, partialLanding: true };
  expect(await safeUpdate({ ...options, searching }, signal)).toMatchObject({ type: "proposed", effect });
  const commit = requireTip(repository, master);
  expect(landed).toEqual([[base, commit]]);
  expect(told).toMatchObject([
    { outcome: "landed", base, commit, inputs: ["alpha"], effect },
    { outcome: "proposed" },
  ]);
  expect(told[1]?.effect).toBeUndefined();
});

test("one at a time: another machine's run is named, and nothing is done or told", async () => {
  const { options, repository, builds, told } = await simulateUpdate();
  const expiresAt = "2026-11-23T15:00:00.000Z";
  const holder = { run: "R", machine: "laptop", pid: 1, trigger: "manual", expiresAt };
  const { author } = options.source;
  const parent = requireTip(repository, master);
  const commit = { parent, files: new Map<string, string>(), author, date: new Date(0) };
  const message = JSON.stringify(holder);
  repository.refs.set(leaseRef, await repository.commit({ ...commit, message }, signal));
  await expect(safeUpdate(options, signal)).rejects.toMatchObject({
    code: "UPDATE_RUNNING",
    message: expect.stringContaining("R on laptop"),
  });
  expect([builds.requests, told]).toEqual([[], []]);
});

test("without a forge a proposal stays on its branch", async () => {
  const { sim, options, repository, told } = await simulateProposed();
  sim.newest = { alpha: 2, beta: 2 };
  const proposing = { ...options.proposing, forge: undefined };
  await repository.person(master, { "flake.lock": lockText({ alpha: 1, beta: 1 }), README: "" });
  const result = await safeUpdate({ ...options, proposing }, signal);
  expect(result).toMatchObject({ type: "proposed" });
  expect(result).not.toHaveProperty("url");
  expect(told.at(-1)).toMatchObject({ outcome: "proposed", reason: "it does not build on every host" });
});
