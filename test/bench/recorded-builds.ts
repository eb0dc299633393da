import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { workThrough } from "../../src/base/work-through.ts";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import type { BuilderBus } from "../../src/bus/bus.ts";
import type { BuildState } from "../../src/protocol/build-state.ts";
import { buildResultOf, hostResultsOf } from "../../src/protocol/results.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { scriptBuild } from "../support/build-events.ts";
import { atMost, mebibytes, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { startLab, type Lab } from "./lab.ts";
import { readCpuTime } from "./measure.ts";

const large = { builds: 1000, hosts: 1000 };
const small = { builds: 5000, hosts: 10 };
const patienceMs = 600_000;
const settleMs = 10_000;

/** Lists of many builds of many hosts that are stored, and the start of a builder with many. */
export async function runRecordedBuilds(context: BenchContext): Promise<readonly BenchResult[]> {
  return [...(await listMany(context)), await startWithMany(context)];
}

async function listMany(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, { fleet: {} });
  const bus = createBuilderBus(lab.connection);
  const signal = AbortSignal.timeout(patienceMs);
  const states = await record(bus, large, signal);
  const byLog = await measure(lab, "builds", "list", "--limit", "100");
  await storeRows(bus, states, signal);
  const results: BenchResult[] = [];
  for (const [name, args] of [
    ["builds list --limit 100", ["builds", "list", "--limit", "100"]],
    ["builds list --limit 1000", ["builds", "list", "--limit", "1000"]],
    ["hosts", ["hosts"]],
  ] as const) {
    const { wallSeconds, peakBytes } = await measure(lab, ...args);
    const what = `${name}, ${large.builds} builds of ${large.hosts} hosts`;
    results.push(
      {
        what: `${what}: wall`,
        ours: seconds(wallSeconds),
        baseline: `${seconds(byLog.wallSeconds)} 100 builds by their logs`,
        ratio: wallSeconds / byLog.wallSeconds,
        goal: atMost(wallSeconds, 0.5, " s"),
      },
      {
        what: `${what}: memory`,
        ours: mebibytes(peakBytes),
        goal: atMost(peakBytes / 1024 ** 2, 120, " MiB"),
      },
    );
  }
  return results;
}

/** Until it has looked whether any of them is still open. */
async function startWithMany(context: BenchContext): Promise<BenchResult> {
  await using lab = await startLab(context, { fleet: {} });
  process.kill(lab.builderPid, "SIGTERM");
  await sleep(3000);
  const none = await startOnce(lab);
  const bus = createBuilderBus(lab.connection);
  const signal = AbortSignal.timeout(patienceMs);
  await storeRows(bus, await record(bus, small, signal), signal);
  const many = await startOnce(lab);
  return {
    what: `start of a builder with ${small.builds} builds recorded: its CPU`,
    ours: seconds(many),
    baseline: `${seconds(none)} with none`,
    ratio: many / none,
    goal: atMost(many, 0.6, " s"),
  };
}

async function startOnce(lab: Lab): Promise<number> {
  const builder = lab.spawn("builder");
  builder.stdout?.resume();
  builder.stderr?.resume();
  await sleep(settleMs);
  const { own } = await readCpuTime(builder.pid ?? 0);
  const ended = once(builder, "exit");
  builder.kill("SIGTERM");
  await ended;
  return own;
}

async function record(
  bus: BuilderBus,
  { builds, hosts }: { readonly builds: number; readonly hosts: number },
  signal: AbortSignal,
): Promise<readonly BuildState[]> {
  const names = Array.from({ length: hosts }, (_, index) => `host${index}`);
  const states: BuildState[] = [];
  await workThrough(
    Array.from({ length: builds }, (_, index) => index),
    8,
    async (index) => {
      const script = scriptBuild(newBuildId(new Date(Date.now() - index * 1000 - 60_000)))
        .accepted(names)
        .evaluated(...names)
        .hostsFinished("unchanged", names)
        .finished("succeeded");
      const log = await bus.openEventLog(script.id, [], signal);
      for (const event of script.events) await log.append(event, signal);
      // Of the hosts, the newest build is enough.
      states.push(index === 0 ? script.state : { ...script.state, hosts: new Map() });
    },
  );
  return states;
}

async function storeRows(bus: BuilderBus, states: readonly BuildState[], signal: AbortSignal): Promise<void> {
  const hosts = states.flatMap(hostResultsOf);
  const builds = states.flatMap((state) => buildResultOf(state) ?? []);
  await workThrough([...hosts], 16, async (host) => {
    await bus.results.putHost(host, signal);
  });
  await workThrough([...builds], 16, async (build) => bus.results.putBuild(build, signal));
}

/** The command's own clock, and the most memory that it had (VmHWM, proc(5)). */
async function measure(
  lab: Lab,
  ...args: string[]
): Promise<{ readonly wallSeconds: number; readonly peakBytes: number }> {
  const started = performance.now();
  const child = lab.spawn(...args);
  child.stdout?.resume();
  child.stderr?.resume();
  let peakBytes = 0;
  const ended = once(child, "exit");
  while (child.exitCode === null && child.signalCode === null) {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    const kibibytes = /^VmHWM:\s+(?<amount>\d+) kB$/m.exec(status)?.groups?.["amount"];
    peakBytes = Math.max(peakBytes, Number(kibibytes ?? 0) * 1024);
    await Promise.race([ended, sleep(5)]);
  }
  return { wallSeconds: (performance.now() - started) / 1000, peakBytes };
}
