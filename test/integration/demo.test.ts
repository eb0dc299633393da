import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { codeBlocks, readPage } from "../support/documents.ts";

const run = promisify(execFile);
const demo = join(import.meta.dirname, "../demo/main.ts");

/** What is explained, typed and changed, and how it ended. */
const stepsOf = (text: string): readonly string[] =>
  text.split("\n").filter((line) => /^(?:# |\$ |\(exit code |  hosts\.nix: )/.test(line));

const outcomesOf = (text: string): readonly string[] =>
  text.split("\n").flatMap((line) => /^web01 +[✓✗].*(?= {2}\d+s$)/.exec(line) ?? []);

test(
  "the demo builds, deploys and goes back as docs/start/tour.md shows it",
  { timeout: 900_000 },
  async () => {
    const { stdout } = await run(process.execPath, [demo]);
    const isRecorded = ({ text }: { readonly text: string }): boolean =>
      text.includes("$ homelab-deploy deploy");
    const recorded = codeBlocks(readPage("docs/start/tour.md")).find(isRecorded)?.text ?? "";
    expect(outcomesOf(recorded)).toEqual(outcomesOf(stdout));
    expect(outcomesOf(recorded)).toHaveLength(2);
    const shown = stepsOf(recorded);
    // The page may leave steps out, and changes none.
    const played = stepsOf(stdout);
    let from = 0;
    const missing = shown.filter((step) => {
      const found = played.indexOf(step, from);
      if (found >= 0) from = found + 1;
      return found < 0;
    });
    expect(missing).toEqual([]);
  },
);
