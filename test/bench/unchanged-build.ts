import { createThrowAwayStore } from "../support/nix-store.ts";
import { buildInTurn, hostNames } from "./bare-nix.ts";
import { atMost, exactly, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { nixSettings, startLab } from "./lab.ts";
import { median, medianCost, type Cost } from "./measure.ts";
import type { NixRun } from "./nix-shim.ts";

const hosts = 16;
/** Evaluating each host takes about a second of CPU and 200 MiB. */
const heavyFleet = { hosts, heavy: { ops: 1_500_000, cells: 300_000 } };
const rounds = 5;

/** As in a container of CI, which has the store but not the user's cache. */
const withoutCache = ["--option", "eval-cache", "false"];

/**
 * `build --all` of a commit that was built before. The loop has its store warm too, and Nix's evaluation cache, so
 * that each of its processes has next to nothing to do; once, it has to go without that cache.
 */
export async function runUnchangedBuild(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, { fleet: heavyFleet });
  await using store = await createThrowAwayStore(nixSettings);
  await buildInTurn(store, lab, hostNames(hosts));
  await lab.run("build", "--all");
  await lab.shim.takeRuns();

  const ours: Cost[] = [];
  const inTurn: Cost[] = [];
  const runs: (readonly NixRun[])[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await lab.run("build", "--all"));
    runs.push(await lab.shim.takeRuns());
    inTurn.push(await buildInTurn(store, lab, hostNames(hosts)));
  }
  const again = await buildInTurn(store, lab, hostNames(hosts), withoutCache);
  const our = medianCost(ours);
  const loop = medianCost(inTurn);
  const processes = Math.max(...runs.map((some) => some.length));
  const evaluations = Math.max(...runs.map((some) => some.filter(isEvaluation).length));
  const nixSeconds = median(runs.map((some) => some.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)));
  const ofLoop = nixSeconds / loop.cpuSeconds;
  const what = `unchanged build --all, ${hosts} hosts`;
  return [
    { what: `${what}: evaluations`, ours: `${evaluations}`, goal: exactly(evaluations, 0) },
    {
      what: `${what}: Nix processes`,
      ours: `${processes}`,
      baseline: `${hosts} nix build, host by host`,
      goal: atMost(processes, 1),
    },
    {
      what: `${what}: CPU of Nix`,
      ours: seconds(nixSeconds),
      baseline: `${seconds(loop.cpuSeconds)} nix build, host by host`,
      ratio: ofLoop,
      goal: { ...atMost(ofLoop, 1 / 20), text: "≤ 1/20" },
    },
    {
      what: `${what}: CPU of Nix`,
      ours: seconds(nixSeconds),
      baseline: `${seconds(again.cpuSeconds)} the same without its cache`,
      ratio: nixSeconds / again.cpuSeconds,
    },
    {
      what: `${what}: CPU with builder and command`,
      ours: seconds(our.cpuSeconds),
      baseline: `${seconds(loop.cpuSeconds)} nix build, host by host`,
      ratio: our.cpuSeconds / loop.cpuSeconds,
      goal: atMost(our.cpuSeconds, 0.15, " s"),
    },
    {
      what: `${what}: wall`,
      ours: seconds(our.wallSeconds),
      baseline: `${seconds(loop.wallSeconds)} nix build, host by host`,
      ratio: our.wallSeconds / loop.wallSeconds,
    },
  ];
}

const isEvaluation = ({ command }: NixRun): boolean =>
  /^(?:nix eval|nix build|nix-instantiate)\b/.test(command);
