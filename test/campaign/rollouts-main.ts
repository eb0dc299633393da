// Random histories of rollouts, one after the other: see test/support/simulated-rollout.ts. Ends with 0 only when nothing
// happened in them that must never happen.
import { parseArgs } from "node:util";
import { createChoices } from "../support/random-choices.ts";
import { simulateRollout } from "../support/simulated-rollout.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string", default: "1" }, histories: { type: "string", default: "100000" } },
});
const [seed, histories] = [Number(values.seed), Number(values.histories)];
const outcomes = new Map<string, number>();
let faults = 0;
for (let history = seed; history < seed + histories; history++) {
  const { rollout, violations } = simulateRollout(createChoices(history));
  const outcome = rollout.end?.outcome ?? "none";
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  faults += violations.length;
  for (const violation of violations) console.log(`history ${history}: ${violation}`);
}
console.log(JSON.stringify(Object.fromEntries(outcomes)));
console.log(`${histories} histories from ${seed}: ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
