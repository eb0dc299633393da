// Deployments to hosts with a real systemd, under fire: each is broken off at every point there is, in every way; and hosts that
// serve their own fleet, whose clock is wrong, whose store is emptied, and that hear old orders again.
import { startDeployLab } from "../../support/lab/deploy-lab.ts";
import type { Fault } from "../judge-build.ts";
import { createRandom } from "../random.ts";
import { runClocks, whyNoClocks } from "./clocks.ts";
import { crashKinds, crashPoints, type CrashKind, type CrashPoint } from "./crash-points.ts";
import { crashVariants, prepareForCrashes, runCrashTrial } from "./crash-trial.ts";
import { runReplays } from "./replays.ts";
import { runServingScenarios } from "./serving-scenarios.ts";
import { runSteadyScenarios, type SteadyCounts } from "./steady-scenarios.ts";

export interface DeployCampaignOptions extends SteadyCounts {
  readonly seed: number;
  /** How often each point is crashed in each way. */
  readonly rounds: number;
  /** Labs beside each other in which crashes are tried. */
  readonly labs: number;
  /** Orders that were obeyed before, stored once more. */
  readonly replays: number;
  /** Only what has such a name: `crash switch: behind "ready", power`, `replays`, `clocks`, `serving`, `steady`. */
  readonly only: RegExp;
  readonly say: (line: string) => void;
}

interface Trial {
  readonly point: CrashPoint;
  readonly kind: CrashKind;
}

/** A host comes to a crash from different ones before it. */
const shuffled = <Item>(items: readonly Item[], random: () => number): readonly Item[] =>
  items
    .map((item) => ({ item, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);

/** Straight to the activator, where each costs a process or two. */
const handedReplays = 50;

export async function runDeployCampaign(options: DeployCampaignOptions) {
  const { seed, rounds, labs, replays, only, say } = options;
  const faults: Fault[] = [];
  const figures: Record<string, unknown> = {};
  const isWanted = (name: string): boolean => only.test(name);
  const report = (found: readonly Fault[]): void => {
    faults.push(...found);
    for (const { kind, build, what } of found) say(`${kind}: ${build}: ${what}`);
  };
  const random = createRandom(seed);
  const each = (): readonly Trial[] =>
    shuffled(
      crashPoints.flatMap((point) => crashKinds.map((kind): Trial => ({ point, kind }))),
      random,
    );
  const trials = Array.from({ length: rounds }, each)
    .flat()
    .filter(({ point, kind }) => isWanted(`crash ${point.name}, ${kind}`));
  const all = trials.length;

  /** Takes trials until there are none. The last lab also replays what it has obeyed, and has its clock changed. */
  async function crashHosts(isLast: boolean): Promise<void> {
    await using lab = await startDeployLab(crashVariants);
    await lab.spoken();
    await prepareForCrashes(lab);
    for (let trial = trials.shift(); trial !== undefined; trial = trials.shift()) {
      report(await runCrashTrial(lab, trial.point, trial.kind, random));
      const done = all - trials.length;
      if (done % 10 === 0) say(`${done} of ${all} crashes`);
    }
    if (!isLast) return;
    const systems = ["one", "two"] as const;
    if (isWanted("replays")) {
      const specification = { count: replays, handed: handedReplays, systems, random };
      const { faults: found, ...counts } = await runReplays(lab, specification);
      report(found);
      Object.assign(figures, { replays: counts });
      say(`replayed: ${JSON.stringify(counts)}`);
    }
    const why = whyNoClocks();
    if (isWanted("clocks") && why !== undefined) say(`wrong clocks are not tried: ${why}`);
    if (isWanted("clocks") && why === undefined) {
      report(await runClocks(lab, systems, say));
    }
  }

  async function runScenarios(): Promise<void> {
    if (isWanted("serving")) report(await runServingScenarios(say));
    if (!isWanted("steady")) return;
    const { faults: found, ...counts } = await runSteadyScenarios(options, say);
    report(found);
    Object.assign(figures, counts);
  }

  const isAnyWanted = all > 0 || isWanted("replays") || isWanted("clocks");
  const crashing = Array.from({ length: isAnyWanted ? labs : 0 }, async (_, index) =>
    crashHosts(index === labs - 1),
  );
  await Promise.all([...crashing, runScenarios()]);
  return { faults, figures: { crashes: all, ...figures } };
}
