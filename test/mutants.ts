// `npm run mutants`: would the unit tests notice? Plants bugs one by one, and runs the unit tests that can reach each.
// Ends with 0 only when enough of them are caught.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { builderMutants } from "./mutants/builder.ts";
import { busMutants } from "./mutants/bus.ts";
import { plant } from "./mutants/mutant.ts";
import { nixMutants } from "./mutants/nix.ts";
import { readTestGraph } from "./mutants/related-tests.ts";
import { createTestRunner, type Outcome } from "./mutants/test-runner.ts";
import { updateMutants } from "./mutants/update.ts";

/** Of the planted ones. */
const fewestCaught = 0.9;

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const root = dirname(import.meta.dirname);
const mutants = [...builderMutants, ...updateMutants, ...busMutants, ...nixMutants].filter(({ file }) =>
  file.startsWith(values.only),
);
// All of them, before minutes have passed.
for (const mutant of mutants) plant(readFileSync(join(root, mutant.file), "utf8"), mutant);
const testsOf = readTestGraph(root);
const started = performance.now();
const secondsSince = (time: number): string => ((performance.now() - time) / 1000).toFixed(1).padStart(5);
const outcomes = new Map<number, Outcome>();
const waiting = mutants.entries();

async function work(): Promise<void> {
  await using runner = await createTestRunner(root);
  // Whoever is free takes the next one.
  for (const [index, mutant] of waiting) {
    const begun = performance.now();
    const outcome = await runner.run(mutant, testsOf(mutant.file));
    outcomes.set(index, outcome);
    const by = outcome.type === "caught" ? `by ${outcome.test}` : mutant.why;
    console.log(`${secondsSince(begun)} s  ${outcome.type.padEnd(8)}  ${mutant.file}: ${by}`);
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, work));

const numberOf = (type: Outcome["type"]): number =>
  outcomes.values().reduce((count, outcome) => count + (outcome.type === type ? 1 : 0), 0);
for (const [index, { file, from, to, why }] of mutants.entries()) {
  const outcome = outcomes.get(index);
  if (outcome === undefined || outcome.type === "caught") continue;
  const reason = outcome.type === "broken" ? ` (${outcome.reason})` : "";
  console.log(`\n${outcome.type}: ${why}${reason}\n  ${file}\n- ${from.trim()}\n+ ${to.trim()}`);
}
console.log(
  `\n${numberOf("caught")} of ${mutants.length} planted bugs caught, ${numberOf("survived")} survived, ` +
    `${numberOf("broken")} broken, in ${secondsSince(started).trim()} s`,
);
const isEnough = mutants.length > 0 && numberOf("caught") >= fewestCaught * mutants.length;
process.exitCode = isEnough && numberOf("broken") === 0 ? 0 : 1;
