import { afterEach, expect, test, vi } from "vitest";
import { startRig, verdictsOf, type BuilderRig, type RigOptions } from "../../test/support/builder-rig.ts";
import { hastyClock } from "../../test/support/hasty-clock.ts";
import { createFakeNix } from "../../test/support/fake-nix.ts";
import { sampleBuild, scriptBuild, type BuildScript } from "../../test/support/build-events.ts";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { systemClock, type Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import type { BuilderBus } from "../bus/bus.ts";
import { createMemoryBus } from "../bus/memory-bus.ts";
import type { Mirror } from "../git/git.ts";
import { foldEvents } from "../protocol/build-state.ts";
import type { EventBody } from "../protocol/events.ts";
import {
  parseBranchName,
  parseBuilderName,
  parseRepoName,
  type BuildId,
  type RepoName,
} from "../protocol/names.ts";
import type { Repo } from "./repo.ts";

vi.setConfig({ testTimeout: 60_000 });

const rigs: BuilderRig[] = [];
async function rig(options: RigOptions): Promise<BuilderRig> {
  const started = await startRig(options);
  rigs.push(started);
  return started;
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

test("a failure that was known before a restart is said of the hosts that need it after it", async () => {
  const hosts = { fast: { build: "fail-shared" }, slow: { build: "fail-shared" } } as const;
  const nix = createFakeNix(new Map(Object.entries(hosts)));
  const bus = createMemoryBus(systemClock);
  const options = { repos: { homelab: hosts }, slots: 1, batchSize: 1, nix, bus };
  const evaluations = nix.hold("evaluate");
  const first = await rig(options);
  const id = await first.ask("homelab/all");
  evaluations.release(1);
  await expect.poll(async () => (await first.events(id)).map(({ type }) => type)).toContain("hosts-finished");
  await first.stop();
  const second = await rig({ ...options, nix: createFakeNix(new Map(Object.entries(hosts))) });
  const state = await second.verdict(id);
  expect(state.status).toBe("failed");
  expect(verdictsOf(state)).toEqual({ fast: "build-failed", slow: "build-failed" });
  const events = await second.events(id);
  expect(events.map(({ index }) => index)).toEqual(events.map((_, index) => index));
  expect(state.failures.map(({ hosts: broken }) => broken.map(({ host }) => host))).toEqual([
    ["fast", "slow"],
  ]);
});

const never = new AbortController().signal;

test("logs of a build that is resumed have other numbers than those of before", async () => {
  const hosts = { web01: {} };
  const bus = createMemoryBus(systemClock);
  const logs = async (id: BuildId) => Array.fromAsync(bus.readLogs(id, never));
  const options = { repos: { homelab: hosts }, bus };
  const nix = createFakeNix(new Map(Object.entries(hosts)));
  nix.hold("realise");
  const first = await rig({ ...options, nix });
  const id = await first.ask("homelab/web01");
  await expect.poll(async () => logs(id)).toHaveLength(1);
  await first.stop();
  const second = await rig(options);
  expect(verdictsOf(await second.verdict(id))).toEqual({ web01: "built" });
  const chunks = await logs(id);
  expect(chunks.map(({ index, text }) => [index, text])).toEqual([
    [0, "building web01\n"],
    [0, "building web01\n"],
  ]);
  expect(new Set(chunks.map(({ log }) => log)).size).toBe(2);
});

/** A bus that has what an earlier builder of that name left: an open build, and as many events as are given. */
async function busWithOpenBuild(
  script: (build: BuildScript) => BuildScript,
  clock: Clock = hastyClock,
): Promise<BuilderBus> {
  const bus = createMemoryBus(clock);
  const { id, events } = script(scriptBuild().accepted(["web01", "nas"]));
  const writer = await bus.openEventLog(id, [], never);
  for (const event of events) await writer.append(event, never);
  return bus;
}

const resumed: EventBody = { type: "resumed", builder: parseBuilderName("cache") };
const hasty = { overrides: { clock: hastyClock }, name: "cache" };

test("a build that was resumed three times and came to nothing ends as an infrastructure fault", async () => {
  const bus = await busWithOpenBuild((build) =>
    build.hostsFinished("built", ["web01"]).event(resumed).event(resumed).event(resumed),
  );
  const { verdict, events } = await rig({
    ...hasty,
    bus,
    repos: { "nixos-servers": { web01: {}, nas: {} } },
  });
  const state = await verdict(sampleBuild);
  expect(state.status).toBe("infra-failed");
  expect(verdictsOf(state)).toEqual({ web01: "built", nas: "infra-failed" });
  expect(state.reason).toContain("resumed 3 times");
  expect((await events(sampleBuild)).at(-1)).toMatchObject({ code: "GIVEN_UP" });
});

test("a host that has its verdict is not built again when its build is resumed", async () => {
  const bus = await busWithOpenBuild((build) => build.hostsFinished("built", ["web01"]));
  const repos = { "nixos-servers": { web01: {}, nas: {} } };
  const { verdict, nix, events } = await rig({ ...hasty, bus, repos });
  expect(verdictsOf(await verdict(sampleBuild))).toEqual({ web01: "built", nas: "built" });
  expect(nix.evaluations.flat()).toEqual(["nas"]);
  const finished = (await events(sampleBuild)).flatMap((event) =>
    event.type === "hosts-finished" ? event.hosts.map(({ host }) => host) : [],
  );
  expect(finished).toEqual(["web01", "nas"]);
});

const someStatus = {
  version: "0",
  nixVersion: "2",
  systems: [],
  repos: [],
  startedAt: "2026-11-23T14:00:00Z",
  evaluationSlots: 1,
  builds: [],
};
const someRepo = {
  name: parseRepoName("nixos-servers"),
  branch: parseBranchName("master"),
  allowImportFromDerivation: false,
  exclusion: () => undefined,
  pollMs: 0,
};
const hangs = (_: unknown, signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
const readHangs: Mirror["readFile"] = (commit, _, signal) => hangs(commit, signal);

test.each([
  [
    "whose repo does not answer",
    { ensureCommit: hangs, resolveBranch: hangs, readFile: readHangs, path: "/mirrors/x" },
    "cache",
  ],
  ["that another builder seems to hold", undefined, "other"],
])("a build %s is over within 10 s when it is cancelled", async (_, mirror, name) => {
  const clock = createFakeClock();
  const bus = await busWithOpenBuild((build) => build.hostsFinished("built", ["web01"]), clock);
  const at = clock.now().toISOString();
  await bus.putStatus({ ...someStatus, name: parseBuilderName("cache"), at }, never);
  const servers = parseRepoName("nixos-servers");
  const repos = new Map<RepoName, Repo>(mirror === undefined ? [] : [[servers, { ...someRepo, mirror }]]);
  const { events, stop } = await startRig({ name, bus, overrides: { clock, repos } });
  await bus.control(sampleBuild, { action: "cancel" }, never);
  await clock.advance(10_000);
  const state = foldEvents(sampleBuild, await events(sampleBuild));
  expect(state.status).toBe("cancelled");
  expect(verdictsOf(state)).toEqual({ web01: "built", nas: "cancelled" });
  const stopping = stop();
  await clock.advance(1000);
  await stopping;
});

test("a build that cannot tell what happened in it ends, and says so", async () => {
  const memory = createMemoryBus(systemClock);
  const bus: BuilderBus = {
    ...memory,
    async openEventLog(id, history, signal) {
      const writer = await memory.openEventLog(id, history, signal);
      return {
        async append(event, until) {
          if (event.type === "building") throw new HomelabError("usage", "the message is too large");
          await writer.append(event, until);
        },
      };
    },
  };
  const { ask, verdict } = await rig({ bus });
  const state = await verdict(await ask("homelab/all"));
  expect(state.status).toBe("infra-failed");
  expect(state.reason).toBe("what happened in this build cannot be stored: the message is too large");
});

/** Two repos, of which one does not answer. */
const oneHangs: RigOptions = {
  repos: { "nixos-servers": { web01: {} }, nixos: { gunter: {} } },
  overrides: { clock: hastyClock },
  mirrors: {
    nixos: { path: "/mirrors/nixos", ensureCommit: hangs, resolveBranch: hangs, readFile: readHangs },
  },
};

test(
  "a repo that does not answer keeps no other from its answer, and is named",
  { timeout: 30_000 },
  async () => {
    const { ask, verdict } = await rig(oneHangs);
    const state = await verdict(await ask("any/all"));
    expect(verdictsOf(state)).toEqual({ web01: "built" });
    expect(state.status).toBe("infra-failed");
    expect(state.reason).toBe("the hosts of nixos have no verdict: nixos cannot be read: no end within 45 s");
    expect(state.unresolved?.map(({ repo }) => repo)).toEqual(["nixos"]);
    expect(state.complete).toBeUndefined();
  },
);

test("who asks for its hosts is told that it does not answer", async () => {
  const { ask, verdict } = await rig(oneHangs);
  for (const what of ["nixos/all", "any/gunter"]) {
    const state = await verdict(await ask(what));
    expect([state.status, state.hosts.size]).toEqual(["infra-failed", 0]);
    expect(state.reason).toContain("nixos cannot be read");
  }
});
