import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { executed, sum, type Totals, totalsLine } from "../support/totals.ts";

const root = join(import.meta.dirname, "../..");

/** What the reporter says of a vitest run over files of test/fixtures/test-runs. */
async function totalsOf(...files: readonly string[]): Promise<Totals> {
  const directory = await mkdtemp(join(tmpdir(), "totals-test-"));
  try {
    const totalsFile = join(directory, "totals.json");
    const args = [
      "run",
      "--root",
      "test/fixtures/test-runs",
      "--reporter",
      join(root, "test/support/totals-reporter.ts"),
    ];
    const env = { ...process.env, HOMELAB_DEPLOY_TOTALS_FILE: totalsFile };
    const vitest = join(root, "node_modules/.bin/vitest");
    await promisify(execFile)(vitest, [...args, ...files], { cwd: root, env }).catch(() => undefined);
    return JSON.parse(await readFile(totalsFile, "utf8")) as Totals;
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("each test counts as what it was, and a skipped one says why", async () => {
  const totals = await totalsOf("outcomes");
  expect(totals).toEqual({
    passed: 1,
    failures: ["outcomes.test.ts > fails"],
    skipped: [
      { test: "outcomes.test.ts > is skipped", reason: "the moon is not full" },
      { test: "outcomes.test.ts > is skipped without a word", reason: "no reason given" },
      { test: "outcomes.test.ts > is missing", reason: "still to be written" },
    ],
  });
  expect(totalsLine(totals)).toBe("1 passed, 1 failed, 3 skipped");
});

test("a file that does not load is a failure", async () => {
  expect(await totalsOf("does-not-load")).toEqual({
    passed: 0,
    failures: ["does-not-load.test.ts: this file does not load"],
    skipped: [],
  });
});

test("a rejection that nobody handles is a failure, although its test passed", async () => {
  const totals = await totalsOf("rejects");
  expect(totals).toEqual({ passed: 1, failures: ["outside of any test: nobody awaits this"], skipped: [] });
  expect(totalsLine(totals)).toBe("1 passed, 1 failed");
});

test("a run without tests has executed nothing, and several runs add up", async () => {
  const none = await totalsOf("no-such-file");
  expect(executed(none)).toBe(0);
  const one: Totals = { passed: 1, failures: ["a"], skipped: [] };
  expect(totalsLine(sum([none, one, one]))).toBe("2 passed, 2 failed");
});
