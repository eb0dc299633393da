// `npm run bench`: what homelab-deploy costs, against what people have without it, run in turns. It says what it
// finds and ends with 0; only a bench that cannot run ends it with 1. `--only NAME`, may be repeated; `--peer` runs
// nix-fast-build beside `cold`, from NIX_FAST_BUILD and NIX_EVAL_JOBS; NIXPKGS names a git checkout of nixpkgs for it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { listenForInterruption } from "../support/interruption.ts";
import { createScratch } from "../support/scratch.ts";
import { runActivityLogSpeed } from "./activity-log-speed.ts";
import type { Bench, BenchContext, BenchResult, Peer } from "./bench.ts";
import { runBacklog } from "./backlog.ts";
import { renderTable } from "./bench-table.ts";
import { runCacheVerification } from "./cache-verify.ts";
import { runColdBuild } from "./cold-build.ts";
import { runCommandStart } from "./command-start.ts";
import { compileProgram } from "./compiled-program.ts";
import { runDashboardBench } from "./dashboard.ts";
import { runDeployedHost } from "./deployed-host.ts";
import { runIdle } from "./idle.ts";
import { runInteractiveBuild } from "./interactive-build.ts";
import { runLiveView } from "./live-view.ts";
import { runLogVolume } from "./log-volume.ts";
import { describeMachine, describeNoise } from "./machine.ts";
import { runRecordedBuilds } from "./recorded-builds.ts";
import { runRedUpdate } from "./red-update.ts";
import { runRemoteBuilders } from "./remote-builders.ts";
import { runRequestLatency } from "./request-latency.ts";
import { runRollouts } from "./rollouts.ts";
import { runThousandHosts } from "./thousand-hosts.ts";
import { runThousandListeners } from "./thousand-listeners.ts";
import { runUnchangedBuild } from "./unchanged-build.ts";
import { runVerdictDelay } from "./verdict-delay.ts";

const benches: Readonly<Record<string, Bench>> = {
  cold: runColdBuild,
  unchanged: runUnchangedBuild,
  "thousand-hosts": runThousandHosts,
  "thousand-listeners": runThousandListeners,
  "deployed-host": runDeployedHost,
  rollouts: runRollouts,
  update: runRedUpdate,
  latency: runRequestLatency,
  verdicts: runVerdictDelay,
  "remote-builders": runRemoteBuilders,
  interactive: runInteractiveBuild,
  backlog: runBacklog,
  recorded: runRecordedBuilds,
  idle: runIdle,
  live: runLiveView,
  logs: runLogVolume,
  "cache-verify": runCacheVerification,
  "activity-log": runActivityLogSpeed,
  start: runCommandStart,
  dashboard: runDashboardBench,
};

const interruption = listenForInterruption();
// What was interrupted may still wait for programs that are gone.
process.exit(await main());

async function main(): Promise<number> {
  const chosen = chooseBenches();
  if (chosen === undefined) return 2;
  await using scratch = await createScratch("homelab-deploy-bench-");
  // All that the benches make is below it, so nothing of it can stay.
  process.env["TMPDIR"] = scratch.directory;
  const directory = join(scratch.directory, "benches");
  await mkdir(directory);
  console.log(describeMachine());
  const { names, peer } = chosen;
  const running = runAll(names, { directory, program: await compileProgram(scratch.directory), peer });
  return await Promise.race([running, whenInterrupted()]);
}

function chooseBenches(): { readonly names: readonly string[]; readonly peer?: Peer } | undefined {
  const { values } = parseArgs({
    options: { only: { type: "string", multiple: true }, peer: { type: "boolean" } },
  });
  const names = values.only ?? Object.keys(benches);
  const unknown = names.filter((name) => benches[name] === undefined);
  if (unknown.length > 0) {
    console.error(`no bench ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
    return undefined;
  }
  if (values.peer !== true) return { names };
  const { NIX_FAST_BUILD: fastBuild, NIX_EVAL_JOBS: evalJobs } = process.env;
  if (fastBuild !== undefined && evalJobs !== undefined) return { names, peer: { fastBuild, evalJobs } };
  console.error("--peer needs NIX_FAST_BUILD and NIX_EVAL_JOBS, which name the two programs");
  return undefined;
}

async function runAll(names: readonly string[], context: BenchContext): Promise<number> {
  const results: BenchResult[] = [];
  const broken: string[] = [];
  for (const name of names) {
    if (interruption.signal.aborted) break;
    console.log(`${name}: ${await describeNoise()}`);
    try {
      results.push(...((await benches[name]?.(context)) ?? []));
    } catch (error) {
      if (interruption.signal.aborted) break;
      broken.push(name);
      console.error(`${name} COULD NOT RUN:`, error);
    }
  }
  if (interruption.signal.aborted) return interruption.exitCode() ?? 1;
  console.log(`\n${renderTable(results)}`);
  if (broken.length > 0) console.error(`\nCould not run: ${broken.join(", ")}`);
  return broken.length === 0 ? 0 : 1;
}

/** The scratch directory then ends whatever still runs. */
async function whenInterrupted(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const end = (): void => resolve(interruption.exitCode() ?? 1);
  if (interruption.signal.aborted) end();
  interruption.signal.addEventListener("abort", end, { once: true });
  return promise;
}
