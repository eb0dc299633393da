// How a transient unit ended, from what `systemd-run --wait` prints. The exit code of systemd-run is not enough: it is 1 for a
// unit that was killed by a signal, and for a program that exited with 1.

export interface UnitEnd {
  /** `success`, `exit-code`, `signal`, `timeout`, … */
  readonly result: string;
  /** Its program ended by itself. */
  readonly hasExited: boolean;
}

/**
 * Reads what is written to stderr (`run_bus_wait` in systemd's run.c):
 *
 *     Finished with result: exit-code
 *     Main processes terminated with: code=exited/status=4
 *
 * @returns undefined when the text reports no end: the unit was not started, or is still running
 */
export function parseUnitEnd(stderr: string): UnitEnd | undefined {
  const result = /^Finished with result: (?<result>[a-z-]+)$/m.exec(stderr)?.groups?.["result"];
  if (result === undefined) return undefined;
  return { result, hasExited: /^Main processes terminated with: code=exited[,/]/m.test(stderr) };
}
