// `npm run mutants`: would the unit tests notice? Plants bugs one by one and runs the unit tests that can reach them.
// Ends with 0 only when enough of them are caught.
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { builderMutants } from "./mutants/builder.ts";
import { busMutants } from "./mutants/bus.ts";
import { nixMutants } from "./mutants/nix.ts";
import { readTestGraph } from "./mutants/related-tests.ts";
import { createTestRunner, type Outcome } from "./mutants/test-runner.ts";
import { updateMutants } from "./mutants/update.ts";

const fewestCaught = 0.9;

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const root = dirname(import.meta.dirname);
const mutants = [...builderMutants, ...updateMutants, ...busMutants, ...nixMutants].filter(({ file }) =>
  file.includes(values.only),
);
const testsOf = readTestGraph(root);
const started = performance.now();
const waiting = [...mutants.entries()];
const outcomes: Outcome[] = [];

async function work(): Promise<void> {
  await using runner = await createTestRunner(root);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [index, mutant] = next;
    const begun = performance.now();
    const outcome = await runner.run(mutant, testsOf(mutant.file));
    outcomes[index] = outcome;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(5);
    const what = outcome.type === "caught" ? `${outcome.test}` : mutant.why;
    console.log(`${seconds} s  ${outcome.type.padEnd(8)}  ${mutant.file}: ${what}`);
  }
}

await Promise.all(Array.from({ length: Number(process.env["N"] ?? 2) }, work));

const caught = outcomes.filter(({ type }) => type === "caught").length;
for (const type of ["survived", "broken"] as const) {
  for (const [index, { file, from, to, why }] of mutants.entries()) {
    if (outcomes[index]?.type !== type) continue;
    const outcome = outcomes[index];
    const reason = outcome?.type === "broken" ? ` (${outcome.reason})` : "";
    console.log(`\n${type}: ${why}${reason}\n  ${file}\n- ${from}\n+ ${to}`);
  }
}
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`\n${caught} of ${mutants.length} planted bugs caught, in ${seconds} s`);
const isBroken = outcomes.some(({ type }) => type === "broken");
process.exitCode = mutants.length > 0 && !isBroken && caught >= fewestCaught * mutants.length ? 0 : 1;
