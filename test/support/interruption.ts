// Ctrl-C and its relatives, as an AbortSignal.
import { constants } from "node:os";

export interface Interruption {
  readonly signal: AbortSignal;
  /** What a shell would report: 128 and the signal's number; undefined when nothing interrupted us. */
  readonly exitCode: () => number | undefined;
}

/**
 * From now on SIGINT, SIGTERM and SIGHUP no longer end the process but abort the signal. So does a reader of our
 * output that goes away, as `head` does: to Node that is no signal but an error of the stream.
 */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const interrupt = (name: NodeJS.Signals): void => {
    exitCode ??= 128 + constants.signals[name];
    controller.abort(new Error(`interrupted by ${name}`));
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, interrupt);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => interrupt("SIGPIPE"));
  return { signal: controller.signal, exitCode: () => exitCode };
}
