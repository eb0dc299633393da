// What a person's command must have printed and exited with, beside what the event log and the stored logs say of the same
// build. Pure.
import { isTerminal, type BuildEvent } from "../../../src/protocol/events.ts";
import type { LogChunk } from "../../../src/protocol/log-chunk.ts";
import type { Fault } from "../judge-build.ts";

/** A command that asked for a build of one host, and waited. */
export interface CommandRun {
  readonly host: string;
  readonly exitCode: number | string;
  /** The events that it printed (`--json`). */
  readonly printed: readonly BuildEvent[];
  readonly stderr: string;
  readonly seconds: number;
}

/**
 * Exit codes: exactly the right one, because two of three servers were there all the time. What it printed: the event log,
 * without a gap.
 *
 * @param right what the command has to exit with
 */
export function judgeCommand(
  run: CommandRun,
  right: number,
  stored: readonly BuildEvent[],
): readonly Fault[] {
  const build = run.printed[0]?.build ?? run.host;
  const faults: Fault[] = [];
  if (run.exitCode !== right) {
    const what = `the command exits with ${run.exitCode}, and should with ${right}: ${run.stderr.trim().slice(0, 400)}`;
    faults.push({ kind: "wrong", build, what });
  }
  if (JSON.stringify(run.printed) !== JSON.stringify(stored)) {
    const [said, is] = [run.printed, stored].map((events) => events.map(({ type }) => type).join(" "));
    faults.push({ kind: "wrong", build, what: `the command printed: ${said}; and the log has: ${is}` });
  }
  const ends = run.printed.filter(isTerminal);
  if (ends.length > 1)
    faults.push({ kind: "duplicated", build, what: `the command printed ${ends.length} verdicts` });
  return faults;
}

/** A derivation of the sample fleet prints its lines in order, each once. */
export interface ExpectedLog {
  /** As in the lines: `web01-pkg-1`. */
  readonly derivation: string;
  readonly lines: number;
}

/** Every line of every derivation that was built is stored, once and in order, and none was dropped. */
export function judgeLogs(
  build: string,
  expected: readonly ExpectedLog[],
  chunks: readonly LogChunk[],
): readonly Fault[] {
  const faults: Fault[] = [];
  const dropped = chunks.reduce((sum, chunk) => sum + chunk.dropped, 0);
  if (dropped > 0) faults.push({ kind: "lost", build, what: `${dropped} lines of logs were dropped` });
  const live = chunks.filter(({ kind }) => kind === "live");
  for (const { derivation, lines } of expected) {
    const text = live
      .filter(({ drvPath }) => drvPath.endsWith(`-${derivation}.drv`))
      .toSorted((a, b) => a.log - b.log || a.index - b.index)
      .map((chunk) => chunk.text)
      .join("");
    const found = [...text.matchAll(/^log line (?<number>\d+) of /gm)].map(({ groups }) =>
      Number(groups?.["number"]),
    );
    const isWhole = found.length === lines && found.every((number, place) => number === place);
    if (isWhole) continue;
    const what = `of ${lines} lines of ${derivation}, ${found.length} are stored: ${describe(found)}`;
    faults.push({ kind: found.length < lines ? "lost" : "duplicated", build, what });
  }
  return faults;
}

/** `0 to 99, 200 to 299` */
function describe(numbers: readonly number[]): string {
  const runs: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && number === run.last + 1) run.last = number;
    else runs.push({ first: number, last: number });
  }
  return runs.map(({ first, last }) => `${first} to ${last}`).join(", ");
}
