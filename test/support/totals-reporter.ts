// A vitest reporter that writes the totals of its run to the file that HOMELAB_DEPLOY_TOTALS_FILE names. Vitest's
// own JSON lacks the reasons of skipped tests and the errors that belong to no test.
import { writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { noTests, type SkippedTest, sum, type Totals } from "./totals.ts";

const fullName = (test: TestCase): string => `${test.module.relativeModuleId} > ${test.fullName}`;

function reasonOf(test: TestCase, note: string | undefined): string {
  return note ?? (test.options.mode === "todo" ? "still to be written" : "no reason given");
}

/** What is wrong with a file beyond its failed tests: it did not load, did not finish, or a hook failed. */
function failureOfModule(module: TestModule): string | undefined {
  const state = module.state();
  if (state === "passed" || state === "skipped") return undefined;
  if (state === "failed")
    return `${module.relativeModuleId}: ${module.errors()[0]?.message ?? "a hook failed"}`;
  return `${module.relativeModuleId}: it did not finish`;
}

function totalsOf(module: TestModule): Totals {
  const failures: string[] = [];
  const skipped: SkippedTest[] = [];
  let passed = 0;
  for (const test of module.children.allTests()) {
    const result = test.result();
    if (result.state === "passed") passed++;
    else if (result.state === "skipped")
      skipped.push({ test: fullName(test), reason: reasonOf(test, result.note) });
    else failures.push(result.state === "failed" ? fullName(test) : `${fullName(test)}: it did not finish`);
  }
  const ownFailure = failures.length === 0 ? failureOfModule(module) : undefined;
  return { passed, failures: ownFailure === undefined ? failures : [ownFailure], skipped };
}

// oxlint-disable-next-line import/no-default-export -- vitest loads a reporter by its default export
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { readonly message: string }[]): void {
    const file = process.env["HOMELAB_DEPLOY_TOTALS_FILE"];
    if (file === undefined) throw new Error("HOMELAB_DEPLOY_TOTALS_FILE is not set");
    const outside = unhandled.map((error) => `outside of any test: ${error.message}`);
    const totals = sum([...modules.map(totalsOf), { ...noTests, failures: outside }]);
    writeFileSync(file, JSON.stringify(totals));
  }
}
