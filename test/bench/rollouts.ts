// What a rollout takes beside what its hosts and the policy take, and what the deployer takes of its machine.
import { nodeFlags } from "../support/node-flags.ts";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { foldRollout, type Rollout } from "../../src/protocol/rollout/rollout.ts";
import { pathOf, repo, startPlayedFleet, type PlayedFleet } from "../support/played-fleet.ts";
import { atMost, mebibytes, milliseconds, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { median, readCpuTime } from "./measure.ts";

const few = 12;
const waves = 4;
const many = 1000;
const soakSeconds = 2;
const plans = 5;
const patienceMs = 600_000;

export async function runRollouts(context: BenchContext): Promise<readonly BenchResult[]> {
  return [...(await measureWaves(context)), ...(await measureMany(context))];
}

/** Twelve hosts in four waves: from a wave's start to that of the next, without the soak and the longest deployment in it. */
async function measureWaves({ program }: BenchContext): Promise<readonly BenchResult[]> {
  const names = Array.from({ length: few }, (_, index) => `host${index}`);
  const hosts = Object.fromEntries(names.map((name, index) => [name, { wave: index % waves }]));
  const rules = { automatic: true, soakSeconds };
  await using fleet = await startPlayedFleet({ hosts, rules, program, nodeFlags });
  for (const host of fleet.hosts.values()) host.delayMs = 50;
  await fleet.startDeployer();
  await fleet.build("a");
  const rollout = await ended(fleet);
  const own = rollout.waves.map(({ startedAt, soakedAt }, index) => {
    const members = [...rollout.hosts.values()].filter(({ wave }) => wave === index);
    const longest = Math.max(...members.map(({ result }) => result?.ms ?? 0));
    return Date.parse(soakedAt ?? "") - Date.parse(startedAt ?? "") - soakSeconds * 1000 - longest;
  });
  const worst = Math.max(...own) / 1000;
  return [
    {
      what: `${few} hosts in ${waves} waves: a wave, without soak and the hosts' own time, the slowest (median ${seconds(median(own) / 1000)})`,
      ours: seconds(worst),
      goal: atMost(worst, 2, " s"),
    },
  ];
}

async function measureMany({ program }: BenchContext): Promise<readonly BenchResult[]> {
  const names = Array.from({ length: many }, (_, index) => `host${index}`);
  const hosts = Object.fromEntries(names.map((name, index) => [name, { wave: index < 10 ? 0 : 1 }]));
  const rules = { maxUnavailable: 50, soakSeconds };
  await using fleet = await startPlayedFleet({ hosts, rules, program, nodeFlags });
  await fleet.build("a");
  const { pid = 0 } = await fleet.startDeployer();
  const signal = AbortSignal.timeout(patienceMs);
  const planMs: number[] = [];
  while (planMs.length <= plans) {
    const startedAt = performance.now();
    const answer = await fleet.operator.askForRollout(repo, { by: "bench", planOnly: true }, signal);
    if (answer?.type === "plan") planMs.push(performance.now() - startedAt);
    else await sleep(200, undefined, { signal });
  }
  // Somebody had to read everything for the first time.
  const [first = Number.NaN, ...next] = planMs;
  const listMs: number[] = [];
  for (let round = 0; round < 3; round++) {
    const startedAt = performance.now();
    const { exitCode, stdout, stderr } = await fleet.run("hosts");
    if (exitCode !== 0 || !stdout.includes("host999")) throw new Error(`hosts: ${stdout}${stderr}`);
    listMs.push(performance.now() - startedAt);
  }
  const before = (await readCpuTime(pid)).own;
  const asked = await fleet.operator.askForRollout(repo, { by: "bench" }, signal);
  if (asked?.type !== "accepted") throw new Error(`the deployer answers ${JSON.stringify(asked)}`);
  const rollout = await ended(fleet);
  const cpu = (await readCpuTime(pid)).own - before;
  if (!names.every((name) => fleet.host(name).state().running.path === pathOf(name, "a"))) {
    throw new Error("some host does not run what was rolled out");
  }
  const events = [...fleet.hosts.values()].reduce((sum, { told }) => sum + told(), 0);
  const perEvent = (cpu * 1000) / events;
  const wall = (Date.parse(rollout.end?.at ?? "") - Date.parse(rollout.startedAt ?? "")) / 1000;
  const peak = Number(
    /^VmHWM:\s+(?<kib>\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.groups?.["kib"],
  );
  return [
    {
      what: `a plan for ${many} hosts, slowest of ${plans} (the first ${seconds(first / 1000)})`,
      ours: seconds(Math.max(...next) / 1000),
      goal: atMost(Math.max(first, ...next) / 1000, 2, " s"),
    },
    {
      what: `hosts, of ${many}, median of ${listMs.length}`,
      ours: seconds(median(listMs) / 1000),
      goal: atMost(median(listMs) / 1000, 1, " s"),
    },
    {
      what: `a rollout to ${many} hosts, 50 at a time (${seconds(wall)}): CPU of the deployer for a host and event`,
      ours: milliseconds(perEvent),
      goal: atMost(perEvent, 5, " ms"),
    },
    {
      what: `the same: the deployer's memory at its largest`,
      ours: mebibytes(peak * 1024),
      goal: atMost(peak / 1024, 200, " MiB"),
    },
  ];
}

async function ended({ operator, deployerLog }: PlayedFleet): Promise<Rollout> {
  const signal = AbortSignal.timeout(patienceMs);
  for (;;) {
    const [id] = await operator.rolloutIds(signal);
    const rollout =
      id === undefined ? undefined : foldRollout((await operator.readRollout(id, signal)).events);
    if (rollout?.end?.outcome === "completed") return rollout;
    if (rollout?.end !== undefined || rollout?.halted !== undefined) {
      throw new Error(
        `it was ${JSON.stringify(rollout.end ?? rollout.halted)}\n${deployerLog().slice(-4000)}`,
      );
    }
    await sleep(500, undefined, { signal });
  }
}
