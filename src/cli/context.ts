// What a command gets of the outside world, decided once from the command line, the environment and the streams.
import { systemClock, type Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { decideAscii, decideColour, isWorkflowRunner, type ColourChoice } from "./print/output-mode.ts";
import type { TextOutput } from "./print/renderer.ts";
import { createStyle, type Style } from "./print/style.ts";
import { processSignals, type Signals } from "./session/signals.ts";

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
  /** What is answered, errors too, is for programs. */
  readonly json: boolean;
  readonly environment: Environment;
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
    out: process.stdout,
    err: process.stderr,
    outStyle: styleOf(process.stdout),
    errStyle: styleOf(process.stderr),
    clock: systemClock,
    signals: processSignals(),
  };
}
