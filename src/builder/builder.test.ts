import { afterEach, expect, test } from "vitest";
import {
  startRig,
  verdictsOf,
  firstCommit,
  type BuilderRig,
  type RigOptions,
} from "../../test/support/builder-rig.ts";
import { someOverride } from "../../test/support/overrides.ts";
import { createFakeNix, fakeOut } from "../../test/support/fake-nix.ts";
import { systemClock } from "../base/clock.ts";
import type { BuilderBus } from "../bus/bus.ts";
import { HomelabError } from "../base/errors.ts";
import { createMemoryBus } from "../bus/memory-bus.ts";
import type { BuildEvent } from "../protocol/events.ts";
import { isOver } from "../protocol/build-state.ts";
import {
  parseBuilderName,
  parseCommit,
  parseRepoName,
  type BuildId,
  type FullHostName,
} from "../protocol/names.ts";
import { requestDigest } from "../protocol/request-digest.ts";
import { newBuildId } from "../protocol/ulid.ts";

const rigs: BuilderRig[] = [];
async function rig(options?: RigOptions): Promise<BuilderRig> {
  const started = await startRig(options);
  rigs.push(started);
  return started;
}
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

const hosts = (count: number, kind = {}): Record<string, object> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`host${i + 1}`, kind]));
const types = (events: readonly BuildEvent[]): string[] => events.map((event) => event.type);

test("builds a host, and says so in order", async () => {
  const { ask, verdict, events, nix } = await rig();
  const id = await ask("homelab/testvm01");
  const state = await verdict(id);
  expect(state.status).toBe("succeeded");
  expect(verdictsOf(state)).toEqual({ testvm01: "built" });
  expect(types(await events(id))).toEqual([
    "accepted",
    "evaluated",
    "building",
    "hosts-finished",
    "finished",
  ]);
  expect(nix.protectedPaths).toHaveLength(1);
});

test("an unchanged commit costs no evaluation, no build and one question", async () => {
  const { ask, verdict, nix } = await rig({ repos: { homelab: hosts(16) } });
  await verdict(await ask("homelab/all"));
  const before = {
    evaluations: nix.evaluations.length,
    realised: nix.realised.length,
    questions: nix.validityQuestions.length,
  };
  const state = await verdict(await ask("homelab/all"));
  expect(state.status).toBe("succeeded");
  expect(new Set(Object.values(verdictsOf(state)))).toEqual(new Set(["unchanged"]));
  expect(nix.evaluations).toHaveLength(before.evaluations);
  expect(nix.realised).toHaveLength(before.realised);
  expect(nix.validityQuestions).toHaveLength(before.questions + 1);
});

test("with overrides it is another evaluation, and the same overrides again are none", async () => {
  const { ask, verdict, nix } = await rig({ repos: { nixos: { gunter: {} }, "nixos-servers": {} } });
  await verdict(await ask("nixos/all"));
  expect(nix.evaluations).toHaveLength(1);
  const overrides = [someOverride()];
  const state = await verdict(await ask("nixos/all", { overrides }));
  expect(state.sources).toMatchObject([{ repo: "nixos", commit: firstCommit, overrides }]);
  expect(nix.evaluations).toHaveLength(2);
  await verdict(await ask("nixos/gunter", { overrides }));
  expect(nix.evaluations).toHaveLength(2);
  await verdict(await ask("nixos/all", { overrides: [someOverride({ commit: "c".repeat(40) })] }));
  expect(nix.evaluations).toHaveLength(3);
});

test("the same host with and without overrides at once is two pieces of work", async () => {
  const { ask, verdict, nix } = await rig({ repos: { nixos: { gunter: {} }, "nixos-servers": {} } });
  const held = nix.hold("evaluate");
  const ids = [await ask("nixos/all"), await ask("nixos/all", { overrides: [someOverride()] })];
  await expect.poll(() => nix.evaluations).toHaveLength(2);
  held.release();
  for (const id of ids) expect((await verdict(id)).status).toBe("succeeded");
});

test.each([
  ["any/all", {}, "OVERRIDES_NEED_REPO"],
  ["nixos/all", { repo: "unknown" }, "UNKNOWN_REPO"],
] as const)("overrides that cannot be: %s %j", async (what, more, code) => {
  const { ask, verdict } = await rig({ repos: { nixos: { gunter: {} }, "nixos-servers": {} } });
  const state = await verdict(await ask(what, { overrides: [someOverride(more)] }));
  expect(state.rejection?.code).toBe(code);
});

test("every host gets its own verdict, and one bad host harms nobody else", async () => {
  const { ask, verdict } = await rig({
    repos: {
      homelab: {
        good1: {},
        throws: { evaluation: "throw" },
        crashes: { evaluation: "crash" },
        hangs: { evaluation: "time-out" },
        breaks: { build: "fail" },
        there: { build: "present" },
        good2: {},
        flaky: { build: "infra" },
        foreign: { system: "aarch64-linux" },
      },
    },
  });
  const state = await verdict(await ask("any/all"));
  expect(state.status).toBe("failed");
  expect(verdictsOf(state)).toEqual({
    good1: "built",
    throws: "eval-failed",
    crashes: "eval-failed",
    hangs: "timed-out",
    breaks: "build-failed",
    there: "unchanged",
    good2: "built",
    flaky: "built",
    foreign: "skipped",
  });
  expect(state.failures.map((failure) => [failure.name, failure.hosts.map(({ host }) => host)])).toEqual([
    ["nixos-system-breaks", ["breaks"]],
  ]);
  expect(state.failures[0]?.tail).toEqual(["building breaks", "it broke"]);
});

test("a host of another system is skipped, told who has it, and keeps its build from success", async () => {
  const bus = createMemoryBus(systemClock);
  await bus.putStatus(
    {
      name: parseBuilderName("pi01"),
      version: "0.0.0",
      nixVersion: "2.34.8",
      systems: ["aarch64-linux"],
      repos: [],
      at: new Date().toISOString(),
      startedAt: new Date().toISOString(),
      evaluationSlots: 1,
      builds: [],
    },
    new AbortController().signal,
  );
  const foreign = { pi: { system: "aarch64-linux" }, odd: { system: "riscv64-linux" }, pc: {} };
  const { ask, verdict } = await rig({ bus, repos: { homelab: foreign } });
  const state = await verdict(await ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ pi: "skipped", odd: "skipped", pc: "built" });
  expect(state.status).toBe("infra-failed");
  const reasonOf = (host: FullHostName) => state.hosts.get(host)?.finished?.reason;
  expect(reasonOf("homelab/pi")).toMatch(
    /^no builder for its system, aarch64-linux \(pi01 has it and is online, but builders do not share a build\): add a remote builder/,
  );
  expect(reasonOf("homelab/odd")).toMatch(/riscv64-linux \(no other builder that is online has it\): /);
});

test("a shared derivation that fails is built once, and is one failure that breaks all its hosts", async () => {
  const { ask, verdict, nix } = await rig({
    repos: { homelab: { ...hosts(6, { build: "fail-shared" }), fine: {} } },
    slots: 1,
    batchSize: 1,
  });
  const evaluations = nix.hold("evaluate");
  const id = await ask("homelab/all");
  evaluations.release(1);
  await expect.poll(() => nix.realised).toHaveLength(1);
  await expect.poll(async () => types((await rigs[0]?.events(id)) ?? [])).toContain("hosts-finished");
  evaluations.release();
  const state = await verdict(id);
  expect(state.status).toBe("failed");
  expect(verdictsOf(state)["fine"]).toBe("built");
  expect(nix.realised.flat().map((path) => path.replace(/^.*system-/, ""))).toEqual([
    "host1.drv",
    "fine.drv",
  ]);
  expect(state.failures.map(({ name, hosts: broken }) => [name, broken.length])).toEqual([
    ["nixos-system-shared", 6],
  ]);
});

test("infrastructure faults are tried three times and then are nobody's fault", async () => {
  const { ask, verdict, events } = await rig({
    repos: { homelab: { unlucky: { build: "infra-always" }, fine: {} } },
  });
  const id = await ask("homelab/all");
  const state = await verdict(id);
  expect(state.status).toBe("infra-failed");
  expect(verdictsOf(state)).toEqual({ unlucky: "infra-failed", fine: "built" });
  expect(types(await events(id)).filter((type) => type === "retrying")).toHaveLength(2);
  expect(state.hosts.get("homelab/unlucky")?.finished?.reason).toContain("tried 3 times");
});

test("what the infrastructure does to one host is charged to no other, and costs none a second evaluation", async () => {
  const { ask, verdict, events, nix } = await rig({
    repos: { homelab: { fetches: { evaluation: "infra-always" }, ...hosts(3) } },
    slots: 1,
  });
  const id = await ask("homelab/all");
  const state = await verdict(id);
  expect(verdictsOf(state)).toEqual({
    fetches: "infra-failed",
    host1: "built",
    host2: "built",
    host3: "built",
  });
  const retried = (await events(id)).flatMap((event) => (event.type === "retrying" ? event.hosts : []));
  expect(new Set(retried.map(({ host }) => host))).toEqual(new Set(["fetches"]));
  // All of them, those behind it, and the two retries.
  expect(nix.evaluations.map((names) => names.length)).toEqual([4, 3, 1, 1]);
});

test.each([
  ["before it builds", 1],
  ["after it built", 2],
])("a host that the store cannot be asked about %s leaves the others alone", async (_, from) => {
  const nix = createFakeNix(new Map(["odd", "host1", "host2"].map((host) => [host, {}])));
  const { validPaths } = nix;
  let questions = 0;
  nix.validPaths = async (paths, signal) => {
    questions++;
    if (questions >= from && paths.includes(fakeOut("odd"))) {
      throw new HomelabError("unavailable", "it is not in the Nix store", { code: "STORE_UNAVAILABLE" });
    }
    return validPaths(paths, signal);
  };
  const { ask, verdict } = await rig({ nix, repos: { homelab: { odd: {}, ...hosts(2) } }, batchSize: 3 });
  const state = await verdict(await ask("homelab/all"));
  expect(verdictsOf(state)).toEqual({ odd: "infra-failed", host1: "built", host2: "built" });
});

test("nothing is built below the floor of the disk, and that is nobody's fault", async () => {
  const low = await rig({ repos: { homelab: { web: {} } }, freeBytes: 2 ** 29 });
  const state = await low.verdict(await low.ask("homelab/all"));
  expect(state.status).toBe("infra-failed");
  expect(state.hosts.get("homelab/web")?.finished?.reason).toContain("0.5 GiB free");
  expect(low.nix.realised).toEqual([]);
});

test("builds that want the same host share the work", async () => {
  const { ask, verdict, nix } = await rig();
  const held = nix.hold("evaluate");
  const ids = await Promise.all([1, 2, 3].map(() => ask("homelab/testvm01")));
  await expect.poll(() => nix.evaluations).toHaveLength(1);
  held.release();
  for (const id of ids) expect((await verdict(id)).status).toBe("succeeded");
  expect(nix.evaluations).toHaveLength(1);
  expect(nix.realised).toHaveLength(1);
});

test("an interactive request waits for the evaluations in flight and for no other", async () => {
  const { ask, verdict, events, nix } = await rig({
    repos: { homelab: hosts(200), nixos: { gunter: {} } },
    slots: 2,
  });
  const held = nix.hold("evaluate");
  const batch = await ask("homelab/all", { priority: "batch" });
  await expect.poll(() => nix.evaluations).toHaveLength(2);
  const interactive = await ask("nixos/gunter", { priority: "interactive" });
  await expect.poll(async () => events(interactive)).toHaveLength(1);
  held.release(1);
  await expect.poll(() => nix.evaluations.length).toBeGreaterThanOrEqual(3);
  expect(nix.evaluations[2]).toEqual(["gunter"]);
  held.release();
  expect((await verdict(interactive)).status).toBe("succeeded");
  expect((await verdict(batch)).status).toBe("succeeded");
});

test("the first build starts before the last evaluation ends", async () => {
  const { ask, verdict, events, nix } = await rig({ repos: { homelab: hosts(12) }, slots: 1, batchSize: 4 });
  const held = nix.hold("evaluate");
  const id = await ask("homelab/all");
  held.release(1);
  await expect.poll(() => nix.realised.length).toBeGreaterThan(0);
  held.release();
  await verdict(id);
  const seen = types(await events(id));
  expect(seen.indexOf("building")).toBeLessThan(seen.lastIndexOf("evaluated"));
});

test("repos take turns", async () => {
  const { ask, verdict, events, nix } = await rig({
    repos: { one: hosts(8), two: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`other${i}`, {}])) },
    slots: 1,
    batchSize: 2,
  });
  const held = nix.hold("evaluate");
  const first = await ask("one/all", { priority: "batch" });
  await expect.poll(() => nix.evaluations).toHaveLength(1);
  const second = await ask("two/all", { priority: "batch" });
  await expect.poll(async () => events(second)).toHaveLength(1);
  held.release();
  await verdict(first);
  await verdict(second);
  const order = nix.evaluations.map((batch) => (batch[0]?.startsWith("other") === true ? "two" : "one"));
  expect(order.slice(0, 6)).toEqual(["one", "two", "one", "two", "one", "two"]);
});

test("a cancelled build stops what nobody else wants, and only that", async () => {
  const { ask, verdict, bus, nix } = await rig({
    repos: { homelab: { lonely: {}, shared: {} } },
    batchSize: 1,
  });
  const held = nix.hold("realise");
  const all = await ask("homelab/all");
  const one = await ask("homelab/shared");
  await expect.poll(() => nix.realised.flat()).toHaveLength(2);
  await bus.control(all, { action: "cancel" }, new AbortController().signal);
  const cancelled = await verdict(all);
  expect(cancelled.status).toBe("cancelled");
  expect(new Set(Object.values(verdictsOf(cancelled)))).toEqual(new Set(["cancelled"]));
  held.release();
  const kept = await verdict(one);
  expect(kept.status).toBe("succeeded");
});

test("a build that is cancelled before a builder takes it never begins", async () => {
  const { ask, verdict, bus, nix } = await rig();
  const id = newBuildId(new Date());
  await bus.control(id, { action: "cancel" }, new AbortController().signal);
  expect((await verdict(id)).status).toBe("cancelled");
  await ask("homelab/testvm01", { id });
  await verdict(await ask("homelab/all"));
  expect((await verdict(id)).status).toBe("cancelled");
  expect(nix.evaluations).toHaveLength(1);
});

test("a builder that stops leaves its builds to its next start, which keeps every verdict", async () => {
  const options: RigOptions = { repos: { homelab: { quick: { build: "present" }, slow: {} } } };
  const first = await startRig(options);
  first.nix.hold("realise");
  const id = await first.ask("homelab/all");
  await expect.poll(async () => types(await first.events(id))).toContain("hosts-finished");
  await first.stop();
  const before = await first.events(id);
  expect(types(before)).not.toContain("finished");

  const second = await rig({ ...options, bus: first.bus, memory: first.memory });
  const state = await second.verdict(id);
  const after = await second.events(id);
  expect(state.status).toBe("succeeded");
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.map((event) => event.index)).toEqual(after.map((_, index) => index));
  expect(after.find((event) => event.type === "resumed")?.epoch).toBe(2);
  expect(second.nix.evaluations).toEqual([]);
});

test("the same request again changes nothing", async () => {
  const { ask, verdict, events, bus } = await rig();
  const id = await ask("homelab/testvm01");
  await verdict(id);
  const before = await events(id);
  await ask("homelab/testvm01", { id });
  await bus.control(id, { action: "cancel" }, new AbortController().signal);
  await ask("homelab/testvm01").then((other) => verdict(other));
  expect(await events(id)).toEqual(before);
});

test.each([
  ["homelab/nosuchhost", {}, "UNKNOWN_HOST"],
  ["nosuchrepo/all", {}, "UNKNOWN_REPO"],
  ["homelab/excluded", {}, "NO_HOSTS"],
  ["any/all", { rev: parseCommit(firstCommit) }, "REV_NEEDS_REPO"],
] as const)("a request for %s is rejected", async (what, request, code) => {
  const { ask, verdict } = await rig({
    repos: { homelab: { testvm01: {}, excluded: {} }, nixos: { gunter: {} } },
    excluded: ["excluded"],
  });
  const state = await verdict(await ask(what, request));
  expect(state.status).toBe("rejected");
  expect(state.rejection?.code).toBe(code);
});

test.each([
  [
    "the head of the branch",
    "homelab/all",
    firstCommit,
    { trigger: "poll" },
    { branch: "master", tip: true },
  ],
  ["another commit", "homelab/all", "b".repeat(40), { trigger: "manual" }, { tip: false }],
  [
    "one host at the head",
    "homelab/testvm01",
    firstCommit,
    { trigger: "manual" },
    { branch: "master", tip: true },
  ],
] as const)(
  "a request that says it is polled counts as such for %s as the builder finds it",
  async (_, what, rev, trigger, source) => {
    const { ask, verdict, events } = await rig({ repos: { homelab: { testvm01: {}, web01: {} } } });
    const id = await ask(what, { rev: parseCommit(rev), trigger: "poll", priority: "batch" });
    await verdict(id);
    const [accepted] = await events(id);
    expect(accepted).toMatchObject({ type: "accepted", ...trigger });
    const sources = accepted?.type === "accepted" ? accepted.sources : [];
    expect(sources).toEqual([{ repo: "homelab", commit: rev, ...source }]);
  },
);

test.each([
  ["the tip", firstCommit, true],
  ["another commit", "b".repeat(40), false],
])("where nothing polls, a build by hash is known to be of %s", async (_, rev, tip) => {
  const { ask, verdict } = await rig();
  const { sources } = await verdict(await ask("homelab/all", { rev: parseCommit(rev) }));
  expect(sources).toMatchObject([{ tip }]);
});

const big = (repo: Record<string, object>): RigOptions => ({
  repos: { homelab: repo, small: { web01: {} } },
  batchSize: 10_000,
});

test.each([
  ["20,000 hosts", 20_000, (i: number) => `host${i}`, 20_001, 0],
  ["1,200 names that cannot be used", 1200, (i: number) => `${"ö".repeat(996)}${i}`, 1, 1200],
] as const)(
  "%s are not too many for a request",
  { timeout: 300_000 },
  async (_, count, name, built, skipped) => {
    const homelab = Object.fromEntries(
      Array.from({ length: count }, (__, i) => [name(i), { build: "present" }]),
    );
    const { ask, verdict } = await rig(big(homelab));
    const state = await verdict(await ask("any/all"));
    expect(state.status).toBe("succeeded");
    expect([state.hosts.size, state.skipped.length]).toEqual([built, skipped]);
    expect([state.isPartial, state.complete]).toEqual([false, true]);
  },
);

test("a rejection can be read, whatever the names of the hosts are", async () => {
  const names = Array.from({ length: 5 }, (_, i) => `${"y".repeat(20_000)}${i}`);
  const { ask, verdict } = await rig(big(Object.fromEntries(names.map((name) => [name, {}]))));
  const { rejection } = await verdict(await ask("homelab/web01"));
  expect(rejection?.code).toBe("UNKNOWN_HOST");
  expect(rejection?.hint?.length).toBeLessThan(1000);
});

test("a request that can never be stored ends with a verdict, and others go on", async () => {
  const memory = createMemoryBus(systemClock);
  const bus: BuilderBus = {
    ...memory,
    async openEventLog(id, history, signal) {
      const writer = await memory.openEventLog(id, history, signal);
      return {
        async append(event, until) {
          if (event.type === "accepted" && event.hosts.length > 1)
            throw new HomelabError("usage", "not valid");
          await writer.append(event, until);
        },
      };
    },
  };
  const { ask, verdict } = await rig({ bus, repos: { homelab: hosts(2) } });
  const [bad, good] = [await ask("homelab/all"), await ask("homelab/host1")];
  const state = await verdict(bad);
  expect([state.status, state.reason]).toEqual(["infra-failed", "this request cannot be taken: not valid"]);
  expect((await verdict(good)).status).toBe("succeeded");
});

test("a build whose logs are refused for good ends without them, and says so", async () => {
  const bus: BuilderBus = {
    ...createMemoryBus(systemClock),
    appendLog: () => Promise.reject(new Error("cannot store a log: the message is too large")),
  };
  const { ask, verdict } = await rig({ bus, repos: { homelab: { web01: { build: "fail" } } } });
  const state = await verdict(await ask("homelab/all"));
  expect(state.status).toBe("failed");
  expect(state.warnings.join()).toContain("log lines were not stored (cannot store a log: the message");
});

test("the request that was stored first has its id, also while it is being resolved", async () => {
  const answered = Promise.withResolvers<void>();
  const mirror = {
    path: "/mirrors/homelab",
    resolveBranch: async () => {
      await answered.promise;
      return parseCommit(firstCommit);
    },
    ensureCommit: async () => undefined,
    readFile: async () => undefined,
  };
  const { ask, verdict } = await rig({ mirrors: { homelab: mirror }, repos: { homelab: { testvm01: {} } } });
  const id = await ask("homelab/all");
  await ask("homelab/testvm01", { id, rev: parseCommit("b".repeat(40)) });
  await new Promise((resolve) => setTimeout(resolve, 50));
  answered.resolve();
  const state = await verdict(id);
  expect(state.sources).toMatchObject([{ commit: firstCommit }]);
  expect(state.about).toBe(requestDigest({ repo: parseRepoName("homelab"), host: "all" }, {}));
});

test("a request with an id of the future is dropped, and one of the past refused", async () => {
  const { ask, bus, verdict } = await rig();
  const future = await ask("homelab/all", { id: newBuildId(new Date(Date.now() + 86_400_000)) });
  const past = await ask("homelab/all", { id: newBuildId(new Date(Date.now() - 40 * 86_400_000)) });
  expect((await verdict(past)).rejection?.code).toBe("BAD_ID");
  expect((await verdict(await ask("homelab/all"))).status).toBe("succeeded");
  expect(await bus.readEvents(future, 0, new AbortController().signal)).toEqual([]);
});

test("a request that no builder gets through with ends, with a verdict that says so", async () => {
  const memory = createMemoryBus(systemClock);
  const bus: BuilderBus = {
    ...memory,
    async nextRequest(signal) {
      const delivery = await memory.nextRequest(signal);
      return delivery === undefined ? undefined : { ...delivery, deliveryCount: 11 };
    },
  };
  const { ask, verdict } = await rig({ bus });
  const state = await verdict(await ask("homelab/all"));
  expect(state.status).toBe("infra-failed");
  expect(state.reason).toContain("10 times");
});

test("near misses are answered with what was probably meant, and left out hosts with the reason", async () => {
  const { ask, verdict } = await rig({
    repos: { homelab: { testvm01: {}, web01: {}, "we b": {} } },
    excluded: ["web01"],
  });
  expect((await verdict(await ask("homelab/tesvm01"))).rejection?.hint).toBe("did you mean testvm01?");
  const state = await verdict(await ask("homelab/all"));
  expect(state.status).toBe("succeeded");
  expect(state.skipped.map(({ host, reason }) => [host, reason])).toEqual([
    ["web01", "excluded by configuration"],
    ["we b", expect.stringContaining("its name cannot be used")],
  ]);
});

test("a log says which host of the build it is for", async () => {
  const { bus, ask, verdict } = await rig({ repos: { homelab: hosts(3) } });
  const hostsOfLogs = async (what: string): Promise<string[]> => {
    const { id } = await verdict(await ask(what));
    const chunks = await Array.fromAsync(bus.readLogs(id, AbortSignal.timeout(30_000)));
    return chunks.flatMap((chunk) => chunk.hosts ?? []).toSorted();
  };
  expect(await hostsOfLogs("homelab/host2")).toEqual(["homelab/host2"]);
  expect(await hostsOfLogs("homelab/all")).toEqual(["homelab/host1", "homelab/host3"]);
});

test("a request that nobody took in time ends as expired, and its sender hears it", async () => {
  const replies: [string, BuildEvent][] = [];
  const bus = {
    ...createMemoryBus(systemClock),
    reply: (to: string, event: BuildEvent) => void replies.push([to, event]),
  };
  const { ask, verdict } = await rig({ bus, overrides: { requestExpiryMs: -1 } });
  const id = await ask("homelab/testvm01", { replyTo: "build-replies.ci.1" });
  expect((await verdict(id)).status).toBe("expired");
  expect(replies.map(([to, event]) => [to, event.type])).toEqual([["build-replies.ci.1", "finished"]]);
});

test("a thousand remembered hosts are three dozen events at most", async () => {
  const { ask, verdict, events } = await rig({ repos: { homelab: hosts(1000, { build: "present" }) } });
  await verdict(await ask("homelab/all"));
  const id = await ask("homelab/all");
  const state = await verdict(id);
  expect(isOver(state)).toBe(true);
  expect(state.status).toBe("succeeded");
  expect((await events(id)).length).toBeLessThan(36);
});

test("many builds at once all end, each with gapless events", async () => {
  const { ask, verdict, events } = await rig({
    repos: { one: hosts(20), two: { breaks: { build: "fail" }, flaky: { build: "infra" } } },
  });
  const ids: BuildId[] = [];
  for (let i = 0; i < 30; i++) {
    ids.push(
      await ask(["one/all", "two/all", "any/all", "two/breaks", "one/host3"][i % 5] ?? "any/all", {
        priority: i % 2 === 0 ? "batch" : "interactive",
      }),
    );
  }
  for (const id of ids) {
    const state = await verdict(id);
    expect(["succeeded", "failed"]).toContain(state.status);
    expect([...state.hosts.values()].every((host) => host.finished !== undefined)).toBe(true);
    const indexes = (await events(id)).map((event) => event.index);
    expect(indexes).toEqual(indexes.map((_, index) => index));
  }
});

test("a builder that has stopped does nothing any more: also its retention has ended", async () => {
  const seen: string[] = [];
  const dropping = Promise.withResolvers<void>();
  const started = await startRig({
    overrides: {
      dropOldRoots: async (_, signal) => {
        seen.push("begins");
        dropping.resolve();
        await systemClock.sleep(3_600_000, signal).catch(() => undefined);
        // What is under way takes a moment to end.
        await new Promise((resolve) => setImmediate(resolve));
        seen.push("ends");
      },
    },
  });
  await started.verdict(await started.ask("homelab/all"));
  await dropping.promise;
  await started.stop();
  expect(seen).toEqual(["begins", "ends"]);
});

test("a build whose events cannot be stored is resumed by the same builder", async () => {
  const bus = createMemoryBus(systemClock);
  const { ask, verdict, events } = await rig({
    bus: {
      ...bus,
      openEventLog: async (id, before, signal) => {
        const writer = await bus.openEventLog(id, before, signal);
        return {
          ...writer,
          append: async (event, until) => {
            if (event.epoch === 1 && event.type !== "accepted") {
              throw new HomelabError("unavailable", "the server is away");
            }
            return writer.append(event, until);
          },
        };
      },
    },
    // The sweeper looks every 30 s.
    overrides: {
      clock: { ...systemClock, sleep: async (ms, signal) => systemClock.sleep(Math.min(ms, 50), signal) },
    },
  });
  const id = await ask("homelab/all");
  expect((await verdict(id)).status).toBe("succeeded");
  expect(types(await events(id))).toContain("resumed");
});
