import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { createChoices, type Choices } from "../../../test/support/random-choices.ts";
import {
  createSimulatedEvaluator,
  type SimulatedHost,
  type SimulatedWorld,
} from "../../../test/support/simulated-evaluator.ts";
import { silentLog } from "../../base/log.ts";
import type { CommitMemory } from "../../nix/evaluator.ts";
import type { EventBody } from "../../protocol/events.ts";
import { fullName, parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import type { Priority } from "../../protocol/request.ts";
import type { BuildSource, RunningBuild } from "../work.ts";
import { createWorkBoard } from "../work-board.ts";
import { runEvaluationPool } from "./evaluation-pool.ts";

const limits = { timeoutMs: 60_000, maxMemoryBytes: 1000, fullBytes: 400 };
const memory: CommitMemory = {
  inventory: () => undefined,
  rememberInventory() {},
  get: () => undefined,
  remember() {},
  forget() {},
};
type Flake = SimulatedWorld["flakes"] extends ReadonlyMap<string, infer F> ? F : never;

interface RigOptions {
  readonly slots: number;
  readonly flakes: Readonly<Record<string, Flake>>;
  readonly killed?: () => boolean;
  readonly loses?: () => boolean;
}

/** The pool with a board, over an evaluator in memory. A flake is named by one hexadecimal digit. */
function startPool({ slots, flakes, killed = () => false, loses = () => false }: RigOptions) {
  const clock = createFakeClock();
  const commitOf = (name: string) => parseCommit(name.repeat(40));
  const nix = createSimulatedEvaluator({
    clock,
    killed,
    loses,
    flakes: new Map(Object.entries(flakes).map(([name, flake]) => [commitOf(name), flake])),
  });
  const retryPolicy = { attempts: 3, firstDelayMs: 10, factor: 2, maxDelayMs: 100 };
  const board = createWorkBoard({ clock, retryPolicy, provesServing: false, onFinished: () => undefined });
  const over = new AbortController();
  const evaluator = { ...nix, listHosts: async () => [] };
  const options = { board, nix: evaluator, clock, log: silentLog, slots, mostHosts: 1000, limits };
  const running = runEvaluationPool(options, over.signal);
  running.catch(() => undefined);
  const said: EventBody[] = [];

  return {
    clock,
    nix,
    board,
    said,
    ask(
      name: string,
      priority: Priority,
      hosts: readonly string[] = [...(flakes[name]?.hosts.keys() ?? [])],
    ) {
      const repo = parseRepoName(`repo-${name}`);
      const commit = commitOf(name);
      const source: BuildSource = {
        repo,
        commit,
        isHead: true,
        flake: { mirror: "/mirror", commit },
        allowImportFromDerivation: false,
        memory,
      };
      const build = {
        id: newBuildId(clock.now()),
        priority,
        sources: new Map([[repo, source]]),
        record: { emit: (body: EventBody) => void said.push(body) },
        progress: { evaluations() {} },
        startedAt: clock.monotonic(),
        hosts: hosts.map((host) => ({ repo, host: parseHostName(host) })),
        unresolved: [],
        verdicts: new Map(),
        open: new Map(),
        failures: new Map(),
        hasBug: false,
        warningsSaid: new Set(),
      } as unknown as RunningBuild;
      board.add(build);
    },
    /** Until no host is left to evaluate. @throws Error after an hour of their time */
    async untilJudged() {
      const isOpen = () =>
        (["evaluation", "evaluating", "delayed"] as const).some((stage) => board.inStage(stage).length > 0);
      for (let steps = 0; isOpen(); steps++) {
        if (steps > 72_000) throw new Error("hosts wait forever");
        await clock.advance(50);
        const waiting = board.inStage("evaluation");
        if (waiting.length > 0 && nix.running() === 0) {
          await clock.advance(0);
          if (board.inStage("evaluation").length > 0 && nix.running() === 0)
            throw new Error("hosts wait, and nothing runs");
        }
      }
    },
    async stop() {
      over.abort();
      board.close();
      await running.catch(() => undefined);
    },
  };
}

/** What was said about each host: its derivation, or a verdict with its reason. */
function judgements(said: readonly EventBody[]): ReadonlyMap<string, readonly string[]> {
  const all = said.flatMap((body): [string, string][] => {
    if (body.type === "evaluated") return body.hosts.map((host) => [fullName(host), "evaluated"]);
    if (body.type !== "hosts-finished") return [];
    return body.hosts.map((host) => [fullName(host), `${host.verdict}: ${host.reason ?? ""}`]);
  });
  return new Map(
    [...Map.groupBy(all, ([host]) => host)].map(([host, each]) => [host, each.map(([, text]) => text)]),
  );
}

function randomHost(choices: Choices): SimulatedHost {
  const fates = ["throws", "crashes", "hangs", { needs: choices.count(1, 3) }] as const;
  return {
    ms: choices.count(1, 2000),
    // One in a dozen needs more than there is.
    bytes: choices.chance(0.08) ? choices.count(900, 1100) : choices.count(1, 200),
    ...(choices.chance(0.2) && { fate: choices.pick(fates) }),
  };
}

function randomFlake(choices: Choices): Flake {
  const count = choices.count(1, 12);
  return {
    shared: { ms: choices.count(0, 3000), bytes: choices.count(1, 200) },
    hosts: new Map(Array.from({ length: count }, (_, index) => [`host${index}`, randomHost(choices)])),
  };
}

/** What may be said about a host, whatever else happens around it. */
function expected(host: string, { bytes, fate }: SimulatedHost, shared: { readonly bytes: number }): RegExp {
  const orKilled = (text: string): RegExp =>
    new RegExp(`^(?:${text}|infra-failed: (?:${host}: killed|the evaluator gave no result) .*)$`);
  if (fate === "crashes") return orKilled(`eval-failed: ${host}: crashes`);
  if (shared.bytes + bytes > limits.maxMemoryBytes) return orKilled(`eval-failed: ${host}: too large`);
  if (fate === "throws") return orKilled(`eval-failed: ${host}: throws`);
  if (fate === "hangs") return orKilled(`timed-out: ${host}: hangs`);
  if (fate === undefined) return orKilled("evaluated");
  return orKilled(`evaluated|infra-failed: ${host}: a server is away .*`);
}

test(
  "over 1,000 random schedules every host is judged once, by its own words, whatever dies when",
  { timeout: 600_000 },
  async () => {
    for (let seed = 1; seed <= 1000; seed++) {
      const choices = createChoices(seed);
      const slots = choices.count(1, 4);
      const flakes = Object.fromEntries(
        ["a", "b", "c"].slice(0, choices.count(1, 3)).map((name) => [name, randomFlake(choices)]),
      );
      const killing = choices.chance(0.3) ? 0.1 : 0;
      const losing = choices.chance(0.3) ? 0.1 : 0;
      const chances = { killed: () => choices.chance(killing), loses: () => choices.chance(losing) };
      const pool = startPool({ slots, flakes, ...chances });
      for (const name of Object.keys(flakes)) {
        pool.ask(name, choices.pick(["interactive", "batch"]));
        await pool.clock.advance(choices.count(0, 3000));
      }
      await pool.untilJudged();
      const judged = judgements(pool.said);
      for (const [name, { hosts, shared }] of Object.entries(flakes)) {
        for (const [host, world] of hosts) {
          const said = judged.get(`repo-${name}/${host}`) ?? [];
          const what = `seed ${seed}, ${name}/${host}`;
          expect(said, what).toHaveLength(1);
          expect(said[0], what).toMatch(expected(host, world, shared));
        }
      }
      expect(pool.nix.most.processes, `seed ${seed}`).toBeLessThanOrEqual(slots);
      expect(pool.nix.most.bytes, `seed ${seed}`).toBeLessThanOrEqual(slots * limits.maxMemoryBytes);
      await pool.stop();
    }
  },
);

const fleet = (hosts: number, host: SimulatedHost, shared: { ms: number; bytes: number }): Flake => ({
  shared,
  hosts: new Map(Array.from({ length: hosts }, (_, index) => [`host${index}`, host])),
});

test("hosts that share much are evaluated by one process for each slot, and none twice", async () => {
  const flakes = { a: fleet(16, { ms: 100, bytes: 10 }, { ms: 1000, bytes: 50 }) };
  const pool = startPool({ slots: 2, flakes });
  pool.ask("a", "batch");
  await pool.untilJudged();
  expect(pool.nix.processes).toHaveLength(2);
  // Who comes to a host of the other is ended there.
  expect(pool.nix.processes.flat().length).toBeLessThanOrEqual(18);
  await pool.stop();
});

test("real hosts take turns in the memory: each process has two, and none waits longer than it must", async () => {
  const flakes = { a: fleet(8, { ms: 2100, bytes: 180 }, { ms: 1200, bytes: 40 }) };
  const pool = startPool({ slots: 2, flakes });
  pool.ask("a", "batch");
  await pool.untilJudged();
  expect(pool.nix.most.bytes).toBeLessThanOrEqual(2 * 600);
  expect(pool.clock.monotonic()).toBeLessThan(12_500);
  await pool.stop();
});

test("no process begins again for a last host that another one comes to as soon", async () => {
  const shared = { ms: 1200, bytes: 40 };
  const host = (index: number): SimulatedHost => ({ ms: index < 4 ? 1700 : 2300, bytes: 180 });
  const hosts = new Map(Array.from({ length: 8 }, (_, index) => [`host${index}`, host(index)]));
  const pool = startPool({ slots: 2, flakes: { a: { shared, hosts } } });
  pool.ask("a", "batch");
  await pool.untilJudged();
  expect(pool.nix.processes.map((each) => each.length)).toEqual([2, 2, 2, 2]);
  await pool.stop();
});

test("nothing waits behind a host that hangs while a slot is free", async () => {
  const host = { ms: 100, bytes: 1 };
  const hosts = new Map<string, SimulatedHost>([
    ["first", host],
    ["stuck", { ...host, fate: "hangs" }],
    ["next", host],
  ]);
  const flakes = {
    a: fleet(1, { ms: 1000, bytes: 1 }, { ms: 500, bytes: 1 }),
    b: { shared: { ms: 1000, bytes: 1 }, hosts },
  };
  const pool = startPool({ slots: 2, flakes });
  pool.ask("a", "batch");
  pool.ask("b", "batch");
  await pool.clock.advance(2000);
  expect(judgements(pool.said).get("repo-a/host0")).toEqual(["evaluated"]);
  expect(pool.nix.processes).toEqual([["host0"], ["first", "stuck"]]);
  await pool.clock.advance(3000);
  expect(judgements(pool.said).get("repo-b/next")).toEqual(["evaluated"]);
  await pool.untilJudged();
  expect(judgements(pool.said).get("repo-b/stuck")).toEqual([expect.stringContaining("timed-out")]);
  await pool.stop();
});

test("what somebody waits for takes a slot at the end of the next host", async () => {
  const flakes = {
    a: fleet(20, { ms: 1000, bytes: 1 }, { ms: 500, bytes: 1 }),
    b: fleet(1, { ms: 300, bytes: 1 }, { ms: 500, bytes: 1 }),
  };
  const pool = startPool({ slots: 1, flakes });
  pool.ask("a", "batch");
  await pool.clock.advance(2000);
  pool.ask("b", "interactive");
  await pool.clock.advance(700);
  expect(pool.nix.processes.at(-1)).toEqual(["host0"]);
  expect(pool.nix.processes).toHaveLength(2);
  await pool.untilJudged();
  expect(judgements(pool.said).get("repo-b/host0")).toEqual(["evaluated"]);
  await pool.stop();
});

test("a repo without a slot gets one after a turn of the others", async () => {
  const flakes = {
    a: fleet(100, { ms: 1000, bytes: 1 }, { ms: 500, bytes: 1 }),
    b: fleet(1, { ms: 300, bytes: 1 }, { ms: 500, bytes: 1 }),
  };
  const pool = startPool({ slots: 2, flakes });
  pool.ask("a", "batch");
  await pool.clock.advance(1000);
  pool.ask("b", "batch");
  await pool.clock.advance(32_000);
  expect(judgements(pool.said).get("repo-b/host0")).toEqual(["evaluated"]);
  await pool.stop();
});

test("a build that is cancelled frees its slots", async () => {
  const flakes = { a: fleet(4, { ms: 1000, bytes: 1, fate: "hangs" }, { ms: 500, bytes: 1 }) };
  const pool = startPool({ slots: 2, flakes });
  pool.ask("a", "batch");
  await pool.clock.advance(1000);
  expect(pool.nix.running()).toBe(2);
  for (const { id } of pool.board.builds.values()) pool.board.cancel(id);
  await pool.clock.advance(10);
  expect(pool.nix.running()).toBe(0);
  await pool.stop();
});

test("a host that was too much beside others is not tried beside others again", async () => {
  const small = { ms: 1000, bytes: 100 };
  const hosts = { small, large: { ms: 1000, bytes: 900 }, wanted: small };
  const flakes = { a: { shared: { ms: 500, bytes: 50 }, hosts: new Map(Object.entries(hosts)) } };
  const pool = startPool({ slots: 1, flakes });
  pool.ask("a", "batch", ["small", "large"]);
  await pool.clock.advance(2000);
  pool.ask("a", "interactive", ["wanted"]);
  await pool.untilJudged();
  expect(pool.nix.processes).toEqual([["small", "large"], ["wanted"], ["large"]]);
  expect(judgements(pool.said).get("repo-a/large")).toEqual(["evaluated"]);
  await pool.stop();
});
