#!/usr/bin/env -S node --max-semi-space-size=8 --use-system-ca
// The young generation would grow to 55 MB while logs pour in, more than all else that a builder holds.
// What the system trusts is trusted, as by git and Nix: Node alone knows only the authorities that it brings along.
import { HomelabError } from "../base/errors.ts";
import { growHeapSlowly } from "../base/heap-growth.ts";
import { exitCodes } from "../protocol/exit-codes.ts";
import { bugHint, renderError } from "./print/error.ts";
import { plainStyle } from "./print/style.ts";
import { runProgram } from "./program.ts";

// Until it is known how it ended: a loop that runs out of events before that must not look like success.
process.exitCode = exitCodes.bug;

function sayUnfinished(): void {
  const error = new HomelabError("bug", "the command has nothing left to wait for, and no result", {
    hint: bugHint,
  });
  process.stderr.write(renderError(error, { style: plainStyle }));
}

async function main(): Promise<void> {
  process.once("beforeExit", sayUnfinished);
  const code = await runProgram(process.argv.slice(2));
  process.off("beforeExit", sayUnfinished);
  process.exitCode = code;
  // The NATS client cannot abort a connect: Node would wait for it, for as long as it tries.
  if (code === exitCodes.interrupted || code === exitCodes.terminated) process.exit();
}

growHeapSlowly();
void main();
