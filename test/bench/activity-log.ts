import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createActivityLog } from "../../src/nix/realise/activity-log.ts";

const logs = join(import.meta.dirname, "../fixtures/nix-logs");

export interface ActivityLogSpeed {
  /** Lines a second: the activity log, and JSON.parse of the same lines alone. */
  readonly ours: number;
  readonly plain: number;
  readonly ratio: number;
}

/**
 * How fast the activity log reads captured logs, against JSON.parse of each line and nothing more. The two take
 * turns, and the ratio is the median of all turns: other load on the machine, which comes and goes, is in both.
 */
export function measureActivityLog(rounds = 40): ActivityLogSpeed {
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
  const turns = Array.from({ length: rounds }, () => {
    const ours = secondsOf(readWithLog);
    return { ours, plain: secondsOf(readPlainly) };
  });
  if (activities === 0) throw new Error("the captured logs gave no activity");
  return {
    ours: lines.length / median(turns.map(({ ours }) => ours)),
    plain: lines.length / median(turns.map(({ plain }) => plain)),
    ratio: median(turns.map(({ ours, plain }) => plain / ours)),
  };
}

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;

function secondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}
