// What a command of the program is: something to run once its arguments are known.
import type { Context } from "./context.ts";

export type Run = (context: Context) => Promise<number>;

/** Gets what the parsed command line wants to run, and whether it wants JSON. */
export type Choose = (run: Run, json: boolean) => void;
