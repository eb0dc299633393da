// What a person or a service manager tells the process by a signal.

export type StopSignal = "SIGINT" | "SIGTERM";

export interface Signals {
  onInterrupt(listener: () => void): () => void;
  onTerminate(listener: () => void): () => void;
  /** What told us to stop, if anything did while there was a listener for it. */
  received(): StopSignal | undefined;
  /** Ctrl-Z: `leave` is called before the process stops, `enter` when it continues, also after a stop unannounced. */
  onSuspend(leave: () => void, enter: () => void): () => void;
}

/** The signals of this process. */
export function processSignals(): Signals {
  let received: StopSignal | undefined;
  const on =
    (name: StopSignal) =>
    (listener: () => void): (() => void) => {
      const receive = (): void => {
        received ??= name;
        listener();
      };
      process.on(name, receive);
      return () => process.off(name, receive);
    };
  return {
    onInterrupt: on("SIGINT"),
    onTerminate: on("SIGTERM"),
    onSuspend,
    received: () => received,
  };
}

function onSuspend(leave: () => void, enter: () => void): () => void {
  const stop = (): void => {
    leave();
    // Only the system's own reaction stops the process in the way that shells expect.
    process.off("SIGTSTP", stop);
    process.kill(process.pid, "SIGTSTP");
  };
  const resume = (): void => {
    process.off("SIGTSTP", stop).on("SIGTSTP", stop);
    enter();
  };
  process.on("SIGTSTP", stop).on("SIGCONT", resume);
  return () => process.off("SIGTSTP", stop).off("SIGCONT", resume);
}

/** A signal that SIGINT and SIGTERM abort, for commands that simply end then. */
export const untilInterrupted = (signals: Signals): AbortSignal => interruptible(signals).signal;

export interface Interruptible {
  readonly signal: AbortSignal;
  /**
   * From now on others decide what SIGINT and SIGTERM mean.
   *
   * @throws InterruptedError when one of them came before.
   */
  handOver(): void;
}

/** The same for the first part of a command, such as its connection. */
export function interruptible(signals: Signals): Interruptible {
  const interrupted = new AbortController();
  const stops = [
    signals.onInterrupt(() => interrupted.abort(new InterruptedError("SIGINT"))),
    signals.onTerminate(() => interrupted.abort(new InterruptedError("SIGTERM"))),
  ];
  return {
    signal: interrupted.signal,
    handOver() {
      for (const stop of stops) stop();
      interrupted.signal.throwIfAborted();
    },
  };
}

/** We were told to stop; not an error of anything. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  readonly signal: StopSignal;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}
