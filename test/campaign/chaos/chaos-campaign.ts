// Rollouts over four real hosts while everything around them breaks: see plan-round.ts for what, and judge-round.ts for what must
// hold all the same.
import { createChoices } from "../../support/random-choices.ts";
import { startFleetLab } from "../../support/lab/chain/fleet-lab.ts";
import { daemon } from "../../support/lab/fake-systems.ts";
import type { Commit } from "../../../src/protocol/names.ts";
import type { Fault } from "../judge-build.ts";
import { startGateServer } from "./gate-server.ts";
import { describeDisturbance, planRound } from "./plan-round.ts";
import { createKernels, runRound, versionOf } from "./round.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** The seeds of the rounds follow each other. */
  readonly rounds: number;
  /** Fleets beside each other. */
  readonly labs: number;
  /** No round begins after that. */
  readonly minutes: number;
  readonly say: (line: string) => void;
}

export async function runChaosCampaign({ seed, rounds, labs, minutes, say }: ChaosOptions) {
  const faults: Fault[] = [];
  const outcomes = new Map<string, number>();
  const disturbances = new Map<string, number>();
  const count = (of: Map<string, number>, what: string): void => void of.set(what, (of.get(what) ?? 0) + 1);
  const until = performance.now() + minutes * 60_000;
  let next = seed;
  let done = 0;

  async function runLabs(): Promise<void> {
    while (next < seed + rounds && performance.now() < until) {
      // On a busy machine a lab may not come up in time. That says nothing about the product.
      await runLab().catch((error: unknown) => say(`a lab broke, and is made again: ${String(error)}`));
    }
  }

  /** Until a round breaks: nobody knows what it has left there. */
  async function runLab(): Promise<void> {
    await using lab = await startFleetLab({ version: versionOf(0), web: daemon("0") });
    await using gate = await startGateServer();
    const kernels = createKernels();
    let before: Commit | undefined;
    let isBroken = false;
    for (let round = 1; !isBroken && next < seed + rounds && performance.now() < until; round++) {
      const number = next++;
      const plan = planRound(createChoices(number), gate.url);
      const tell = (line: string): void => say(`seed ${number}: ${line}`);
      const { gates, waves, ...rules } = plan.rules as Record<string, unknown[]>;
      tell(
        `${JSON.stringify({ ...rules, gates: gates?.length, waves: waves?.length })} ${plan.reboots ? "reboots " : ""}${JSON.stringify(plan.manners)}`,
      );
      for (const each of plan.disturbances) {
        count(disturbances, each.type);
        tell(`planned: ${describeDisturbance(each)}`);
      }
      const logged = lab.deployer.log().length;
      try {
        const result = await runRound(
          { lab, gate, kernels, say: tell },
          `seed ${number}`,
          round,
          plan,
          before,
        );
        before = result.commit;
        faults.push(...result.faults);
        for (const outcome of result.outcomes) count(outcomes, outcome);
        for (const { kind, what } of result.faults) tell(`${kind}: ${what}`);
        if (result.faults.length > 0) say(lab.deployer.log().slice(logged));
        tell(`over: ${result.outcomes.join(", ")}`);
        done++;
      } catch (error) {
        faults.push({ kind: "wrong", build: `seed ${number}`, what: `the round broke: ${String(error)}` });
        tell(`broke: ${error instanceof Error ? error.stack : String(error)}`);
        say(lab.deployer.log().slice(logged));
        // A fresh fleet for the rounds that are left.
        isBroken = true;
      }
    }
  }
  await Promise.all(Array.from({ length: labs }, runLabs));
  return {
    faults,
    figures: {
      rounds: done,
      outcomes: Object.fromEntries(outcomes),
      disturbances: Object.fromEntries(disturbances),
    },
  };
}
