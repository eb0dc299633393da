import { createThrowAwayStore } from "../support/nix-store.ts";
import { buildAtOnce, buildInTurn, hostNames } from "./bare-nix.ts";
import { atMost, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { nixSettings, startLab } from "./lab.ts";
import { medianCost, type Cost } from "./measure.ts";

const hosts = 16;
const rounds = 3;
/** Evaluating each host takes about a second of CPU and 200 MiB. */
export const heavyFleet = { hosts, heavy: { ops: 1_500_000, cells: 300_000 } };

/** `build --all` of a commit that nobody has seen, over an empty store. */
export async function runColdBuild(context: BenchContext): Promise<readonly BenchResult[]> {
  const ours: Cost[] = [];
  const inTurn: Cost[] = [];
  const atOnce: Cost[] = [];
  for (let round = 0; round < rounds; round++) {
    await using lab = await startLab(context, { fleet: heavyFleet });
    await using storeOfLoop = await createThrowAwayStore(nixSettings);
    await using storeOfOne = await createThrowAwayStore(nixSettings);
    ours.push(await lab.run("build", "--all"));
    inTurn.push(await buildInTurn(storeOfLoop, lab, hostNames(hosts)));
    atOnce.push(await buildAtOnce(storeOfOne, lab, hostNames(hosts)));
  }
  const our = medianCost(ours);
  const loop = medianCost(inTurn);
  const one = medianCost(atOnce);
  const wallOfLoop = our.wallSeconds / loop.wallSeconds;
  const cpuOfOne = our.cpuSeconds / one.cpuSeconds;
  const what = `cold build --all, ${hosts} hosts`;
  return [
    {
      what: `${what}: wall`,
      ours: seconds(our.wallSeconds),
      baseline: `${seconds(loop.wallSeconds)} nix build, host by host`,
      ratio: wallOfLoop,
      goal: atMost(wallOfLoop, 0.5),
    },
    {
      what: `${what}: CPU`,
      ours: seconds(our.cpuSeconds),
      baseline: `${seconds(one.cpuSeconds)} one nix build of all`,
      ratio: cpuOfOne,
      goal: atMost(cpuOfOne, 1.1),
    },
    {
      what: `${what}: wall`,
      ours: seconds(our.wallSeconds),
      baseline: `${seconds(one.wallSeconds)} one nix build of all`,
      ratio: our.wallSeconds / one.wallSeconds,
    },
    {
      what: `${what}: CPU`,
      ours: seconds(our.cpuSeconds),
      baseline: `${seconds(loop.cpuSeconds)} nix build, host by host`,
      ratio: our.cpuSeconds / loop.cpuSeconds,
    },
  ];
}
