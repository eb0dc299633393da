// Every check of this repository, one after the other whatever the earlier ones said, and then the true totals of
// all test runs in the last line. Ends with 0 only when each check passed and each test run ran tests.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { listenForInterruption } from "./support/interruption.ts";
import { createScratch } from "./support/scratch.ts";
import { executed, noTests, sum, type Totals, totalsLine } from "./support/totals.ts";

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  readonly runsTests?: true;
}

interface Outcome {
  readonly totals: Totals;
  readonly problems: readonly string[];
}

const reporters = ["--reporter", "default", "--reporter", "./test/support/totals-reporter.ts"];

const testRun = (project: string): Check => ({
  name: `${project} tests`,
  // A forgotten `.only` would leave the other tests out.
  command: ["vitest", "run", "--project", project, "--allowOnly=false", ...reporters],
  runsTests: true,
});

const checks: readonly Check[] = [
  { name: "types", command: ["tsc"] },
  { name: "lint", command: ["oxlint", "--deny-warnings"] },
  { name: "format", command: ["oxfmt", "--check"] },
  testRun("unit"),
  { name: "build", command: ["npm", "run", "--silent", "build"] },
  testRun("integration"),
];

const interruption = listenForInterruption();
process.exitCode = await checkAll();

async function checkAll(): Promise<number> {
  const outcomes: Outcome[] = [];
  {
    await using scratch = await createScratch("homelab-deploy-test-");
    for (const check of checks) {
      if (interruption.signal.aborted) break;
      outcomes.push(await run(check, scratch.directory));
    }
    for (const { pid, command } of await scratch.processes())
      console.log(`left running, ended now: ${pid} ${command}`);
  }
  const interrupted = interruption.exitCode();
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  if (interrupted !== undefined) problems.push("interrupted before the end");
  print(sum(outcomes.map((outcome) => outcome.totals)), problems);
  return interrupted ?? (problems.length === 0 ? 0 : 1);
}

/** Runs one check. Its temporary files, and with them all its processes, are found in the scratch directory. */
async function run({ name, command, runsTests }: Check, scratch: string): Promise<Outcome> {
  console.log(`\n== ${name}: ${command.join(" ")}`);
  const started = performance.now();
  const totalsFile = join(scratch, `${name.replaceAll(" ", "-")}.json`);
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PATH: `${join(process.cwd(), "node_modules/.bin")}:${process.env["PATH"]}`,
      TMPDIR: scratch,
      HOMELAB_DEPLOY_TOTALS_FILE: totalsFile,
    },
  });
  const ended = once(child, "exit");
  try {
    await Promise.race([ended, once(interruption.signal, "abort")]);
  } catch (error) {
    console.log(`== ${name}: cannot start: ${String(error)}`);
    return { totals: noTests, problems: [`${name} cannot start: ${program}`] };
  }
  if (interruption.signal.aborted) return { totals: noTests, problems: [] };

  const result =
    child.exitCode === 0 ? "passed" : `failed (${child.signalCode ?? `exit code ${child.exitCode}`})`;
  console.log(`== ${name}: ${result}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const problems = child.exitCode === 0 ? [] : [`${name} ${result}`];
  if (runsTests === undefined) return { totals: noTests, problems };
  const totals = await readTotals(totalsFile);
  if (totals === undefined) problems.push(`${name} ended without a report`);
  else if (executed(totals) === 0) problems.push(`${name}: not a single test ran`);
  else if (totals.failures.length > 0 && problems.length === 0) problems.push(`${name} had failures`);
  return { totals: totals ?? noTests, problems };
}

async function readTotals(file: string): Promise<Totals | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Totals);
}

function print(totals: Totals, problems: readonly string[]): void {
  console.log("");
  for (const { test, reason } of totals.skipped) console.log(`skipped: ${test}: ${reason}`);
  for (const failure of totals.failures) console.log(`failed: ${failure}`);
  for (const problem of problems) console.log(`problem: ${problem}`);
  console.log(totalsLine(totals));
}
