#!/usr/bin/env -S node --max-semi-space-size=8 --use-system-ca
// The young generation would grow to 55 MB while logs pour in, more than all else that a builder holds.
// What the system trusts is trusted, as by git and Nix: Node alone knows only the authorities that it brings along.
import { growHeapSlowly } from "../base/heap-growth.ts";
import { exitCodes } from "../protocol/exit-codes.ts";
import { runProgram } from "./program.ts";

// Until it is known how it ended: a loop that runs out of events before that must not look like success.
process.exitCode = exitCodes.bug;

async function main(): Promise<void> {
  const code = await runProgram(process.argv.slice(2));
  process.exitCode = code;
  // The NATS client cannot abort a connect: Node would wait for it, for as long as it tries.
  if (code === exitCodes.interrupted || code === exitCodes.terminated) process.exit();
}

growHeapSlowly();
void main();
