import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { atMost, milliseconds, type BenchContext, type BenchResult } from "./bench.ts";
import { costOf, medianCost, type Cost } from "./measure.ts";

const run = promisify(execFile);
const rounds = 15;

/** What a user waits for before any command does something. */
export async function runCommandStart({ program }: BenchContext): Promise<readonly BenchResult[]> {
  const ours: Cost[] = [];
  const bare: Cost[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await costOf(async () => run(process.execPath, [program, "--help"])));
    bare.push(await costOf(async () => run(process.execPath, ["-e", "0"])));
  }
  const our = medianCost(ours).wallSeconds * 1000;
  const node = medianCost(bare).wallSeconds * 1000;
  return [
    {
      what: `start of the command (--help), median of ${rounds}`,
      ours: milliseconds(our),
      baseline: `${milliseconds(node)} node -e 0`,
      ratio: our / node,
      goal: atMost(our / node, 1.5),
    },
  ];
}
