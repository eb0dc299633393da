// An evaluator process, and what it says between its hosts.
import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { startWatchdog } from "../../base/watchdog.ts";
import { readResidentBytes } from "../../process/resident-memory.ts";
import type { HostName } from "../../protocol/names.ts";
import { hostsArguments, type EvaluationTarget } from "./evaluation-arguments.ts";
import { createEvaluationLogReader } from "./evaluation-log.ts";
import type { Evaluated, RunEvaluator } from "./run-evaluator.ts";

export type Heard =
  | { readonly type: "begun"; readonly index: number; readonly ignoredSettings: readonly string[] }
  | { readonly type: "result"; readonly json: string; readonly warnings: readonly string[] }
  | { readonly type: "ended"; readonly how: Evaluated };

export interface HeardEvaluator extends AsyncDisposable {
  /** In order; who stops reading ends the process. Fails when the signal aborts, or when Nix cannot be run. */
  readonly heard: ReadableStream<Heard>;
  /** Memory that the process holds now, if that is known. */
  heldBytes(): Promise<number | undefined>;
}

export interface HearOptions {
  readonly run: RunEvaluator;
  readonly clock: Clock;
}

/** Starts an evaluator of these hosts, of which some are `quiet`: see `hostsArguments`. Disposing waits until nothing of it is left. */
export function hearEvaluator(
  { run, clock }: HearOptions,
  target: EvaluationTarget,
  hosts: readonly HostName[],
  quiet: ReadonlySet<HostName>,
  signal: AbortSignal,
): HeardEvaluator {
  const { source, options } = target;
  const token = randomUUID();
  const stopped = new AbortController();
  const watchdog = startWatchdog(clock, options.timeoutMs);
  let pid: number | undefined;
  let running: Promise<void> | undefined;

  async function hear(stream: ReadableStreamDefaultController<Heard>): Promise<void> {
    const tell = (heard: Heard): void => {
      if (!stopped.signal.aborted) stream.enqueue(heard);
    };
    const log = createEvaluationLogReader({
      token,
      onBegun(index, ignoredSettings) {
        watchdog.restart();
        tell({ type: "begun", index, ignoredSettings });
      },
      onResult: (json, warnings) => tell({ type: "result", json, warnings }),
    });
    try {
      const how = await run(
        {
          source,
          args: hostsArguments(target, hosts, token, quiet),
          options,
          log,
          overdue: watchdog.overdue,
          isNotNeeded: () => stopped.signal.aborted,
          onStarted: (started) => (pid = started),
        },
        AbortSignal.any([signal, stopped.signal]),
      );
      tell({ type: "ended", how });
      if (!stopped.signal.aborted) stream.close();
    } catch (error) {
      if (!stopped.signal.aborted) stream.error(error);
    } finally {
      watchdog[Symbol.dispose]();
    }
  }

  const heard = new ReadableStream<Heard>({
    start(stream) {
      running = hear(stream);
    },
    cancel: () => stopped.abort(new Error("the evaluator is not needed any more")),
  });
  return {
    heard,
    heldBytes: async () => (pid === undefined ? undefined : readResidentBytes(pid)),
    [Symbol.asyncDispose]: async () => running,
  };
}
