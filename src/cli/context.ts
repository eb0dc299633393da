// What a command gets of the outside world, decided once from the command line, the environment and the streams.
import { systemClock, type Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { decideAscii, decideColour, isWorkflowRunner, type ColourChoice } from "./print/output-mode.ts";
import type { TextOutput } from "./print/renderer.ts";
import { createStyle, type Style } from "./print/style.ts";
import { processSignals, type Signals } from "./session/signals.ts";

/** Options of every command. */
export interface GlobalOptions {
  readonly config?: string;
  readonly server?: readonly string[];
  readonly nkey?: string;
  readonly creds?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly context?: string;
  readonly inboxPrefix?: string;
  readonly jetstreamDomain?: string;
  readonly color?: ColourChoice;
  readonly ascii?: boolean;
  readonly debug?: boolean;
}

/** What keys need of `process.stdin`, where it is a terminal. */
export interface KeyInput {
  setRawMode(raw: boolean): unknown;
  on(event: "data", listener: (data: Buffer) => void): unknown;
  off(event: "data", listener: (data: Buffer) => void): unknown;
  once?(event: "end", listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface Context {
  readonly options: GlobalOptions;
  /** The output, including errors, is for programs. */
  readonly json: boolean;
  readonly environment: Environment;
  /** Undefined where nobody types. */
  readonly input?: KeyInput;
  readonly out: TextOutput;
  readonly err: TextOutput;
  readonly outStyle: Style;
  readonly errStyle: Style;
  readonly clock: Clock;
  readonly signals: Signals;
}

export function createContext(options: GlobalOptions, json: boolean): Context {
  const environment = process.env;
  const ascii = decideAscii({ ascii: options.ascii, environment });
  const styleOf = (stream: TextOutput): Style =>
    createStyle({
      ascii,
      colour: decideColour({ colour: options.color, environment, isTerminal: stream.isTTY === true }),
      inRunner: isWorkflowRunner(environment),
    });
  return {
    options,
    json,
    environment,
    input: process.stdin.isTTY ? process.stdin : undefined,
    out: process.stdout,
    err: process.stderr,
    outStyle: styleOf(process.stdout),
    errStyle: styleOf(process.stderr),
    clock: systemClock,
    signals: processSignals(),
  };
}
