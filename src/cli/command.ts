// How a command's file tells the program what to run, and how it answers.
import { Command } from "@commander-js/extra-typings";
import { safeJson } from "../base/terminal-text.ts";
import type { Context } from "./context.ts";

/** Gives the exit code. What it throws has one as well: print/error.ts. */
export type Run = (context: Context) => Promise<number>;

/** Gets what the command line wants to run, and whether what is answered, errors too, is for programs. */
export type Choose = (run: Run, json: boolean) => void;

/** The program with all commands declared, or only those among these words. */
export type Whole = (among?: readonly string[]) => Promise<Command>;

/** Adds arguments, options and what is run to a command that has its name. */
export type Declare = (command: Command, choose: Choose, whole: Whole) => void;

/** An `action` for commander. It runs nothing yet, so that commander's errors and those of commands stay apart. */
export const chosen =
  <Args extends readonly unknown[]>(
    choose: Choose,
    handle: (context: Context, ...args: Args) => Promise<number>,
  ) =>
  (...args: Args): void => {
    const { json, output } = optionsOf(args.at(-1));
    choose(async (context) => handle(context, ...args), json === true || output === "jsonl");
  };

const optionsOf = (command: unknown): { readonly json?: unknown; readonly output?: unknown } =>
  command instanceof Command ? command.opts() : {};

export interface Answer {
  /** For programs. Additive only. */
  json(): object;
  /** For people: safe to print, with a newline at the end. */
  text(): string;
  /** JSON on one line, where lines of JSON are what the command prints. */
  readonly line?: boolean;
}

/** The result of a command on standard output, in one of its two forms. */
export function answer({ out, json }: Pick<Context, "out" | "json">, forms: Answer): void {
  out.write(json ? `${safeJson(forms.json(), forms.line === true ? undefined : 2)}\n` : forms.text());
}
