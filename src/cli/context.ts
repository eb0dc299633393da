// What a command gets of the outside world, decided once from the command line, the environment and the streams.
import { systemClock, type Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { decideAscii, decideColour, type ColourChoice } from "./print/output-mode.ts";
import type { TextOutput } from "./print/renderer.ts";
import { createStyle, type Style } from "./print/style.ts";

/** Options of every command. */
export interface GlobalOptions {
  readonly config?: string | undefined;
  readonly server?: readonly string[] | undefined;
  readonly nkey?: string | undefined;
  readonly creds?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly context?: string | undefined;
  readonly inboxPrefix?: string | undefined;
  readonly color?: ColourChoice | undefined;
  readonly ascii?: boolean | undefined;
  readonly debug?: boolean | undefined;
}

export interface Context {
  readonly options: GlobalOptions;
  readonly environment: Environment;
  readonly out: TextOutput;
  readonly err: TextOutput;
  readonly outStyle: Style;
  readonly errStyle: Style;
  readonly clock: Clock;
  /** Aborted by SIGTERM, and by SIGINT where a command does not handle it in its own way. */
  readonly signals: Signals;
}

export type StopSignal = "SIGINT" | "SIGTERM";

/** The signals that a person or a service manager sends. */
export interface Signals {
  onInterrupt(listener: () => void): () => void;
  onTerminate(listener: () => void): () => void;
  /** What told us to stop, if anything did while there was a listener for it. */
  received(): StopSignal | undefined;
  /** Ctrl-Z: `leave` is called before the process stops, `enter` when it goes on, also after a stop unannounced. */
  onSuspend(leave: () => void, enter: () => void): () => void;
}

function onSuspend(leave: () => void, enter: () => void): () => void {
  const stop = (): void => {
    leave();
    // Only the system's own reaction stops the process in the way that shells expect.
    process.off("SIGTSTP", stop);
    process.kill(process.pid, "SIGTSTP");
  };
  const goOn = (): void => {
    process.off("SIGTSTP", stop).on("SIGTSTP", stop);
    enter();
  };
  process.on("SIGTSTP", stop).on("SIGCONT", goOn);
  return () => process.off("SIGTSTP", stop).off("SIGCONT", goOn);
}

function processSignals(): Signals {
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

export function createContext(options: GlobalOptions): Context {
  const environment = process.env;
  const ascii = decideAscii({ ascii: options.ascii, environment });
  const styleOf = (stream: TextOutput): Style =>
    createStyle({
      ascii,
      colour: decideColour({ colour: options.color, environment, isTerminal: stream.isTTY === true }),
    });
  return {
    options,
    environment,
    out: process.stdout,
    err: process.stderr,
    outStyle: styleOf(process.stdout),
    errStyle: styleOf(process.stderr),
    clock: systemClock,
    signals: processSignals(),
  };
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
  proceed(): void;
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
    proceed() {
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
