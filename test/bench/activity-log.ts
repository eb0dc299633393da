import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createActivityLog } from "../../src/nix/activity-log.ts";

const logs = join(import.meta.dirname, "../fixtures/nix-logs");

export interface ActivityLogSpeed {
  /** Lines a second: the activity log, and JSON.parse of the same lines alone. */
  readonly ours: number;
  readonly plain: number;
  readonly ratio: number;
}

/**
 * How fast the activity log reads captured logs, against JSON.parse of each line and nothing more. The two take
 * turns, and each one's best round counts, so that other load on the machine does not favour one of them.
 */
export function measureActivityLog(rounds = 25): ActivityLogSpeed {
  const lines = globSync(join(logs, "*/*.log"))
    .flatMap((file) => readFileSync(file, "utf8").split("\n"))
    .filter((line) => line.startsWith("@nix {"));
  let activities = 0;
  const readWithLog = (): void => {
    const log = createActivityLog(() => activities++);
    for (const line of lines) log.line(line);
  };
  const readPlainly = (): void => {
    for (const line of lines) JSON.parse(line.slice("@nix ".length));
  };
  let ours = Infinity;
  let plain = Infinity;
  for (let round = 0; round < rounds; round++) {
    ours = Math.min(ours, secondsOf(readWithLog));
    plain = Math.min(plain, secondsOf(readPlainly));
  }
  if (activities === 0) throw new Error("the captured logs gave no activity");
  return { ours: lines.length / ours, plain: lines.length / plain, ratio: plain / ours };
}

function secondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}
