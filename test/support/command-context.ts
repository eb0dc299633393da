// The outside world of a command in this process, and the command line on it.
import { systemClock } from "../../src/base/clock.ts";
import type { Run } from "../../src/cli/command.ts";
import type { Context } from "../../src/cli/context.ts";
import { plainStyle } from "../../src/cli/print/style.ts";
import { createProgram } from "../../src/cli/program.ts";

export interface Said {
  stdout: string;
  stderr: string;
}

/** A context without signals or colours, and what is written to it. */
export function createCommandContext(changes: Partial<Context> = {}): {
  readonly context: Context;
  readonly said: Said;
} {
  const said: Said = { stdout: "", stderr: "" };
  const nothing = (): (() => void) => () => undefined;
  const context: Context = {
    options: {},
    json: false,
    environment: {},
    out: { write: (text: string) => Boolean((said.stdout += text)) },
    err: { write: (text: string) => Boolean((said.stderr += text)) },
    outStyle: plainStyle,
    errStyle: plainStyle,
    clock: systemClock,
    signals: { onInterrupt: nothing, onTerminate: nothing, onSuspend: nothing, received: () => undefined },
    ...changes,
  };
  return { context, said };
}

/** Runs a command line in a context; options of the whole program are the context's. */
export async function runCommand(context: Context, ...args: string[]): Promise<number> {
  let wanted: { readonly run: Run; readonly json: boolean } | undefined;
  await createProgram((run, json) => {
    wanted = { run, json };
  }).program.parseAsync(args, { from: "user" });
  if (wanted === undefined) throw new Error(`${args.join(" ")} runs nothing`);
  return wanted.run({ ...context, json: wanted.json });
}
