#!/usr/bin/env -S node --max-semi-space-size=8 --heap-growing-percent=50 --use-system-ca
// The young generation would grow to 55 MB while logs pour in, more than all else that a builder holds; and the old one to
// four times what is alive before it is looked through.
// What the system trusts is trusted, as by git and Nix: Node alone knows only the authorities that it brings along.
import { exitCodes } from "../protocol/exit-codes.ts";
import { runProgram } from "./program.ts";

process.exitCode = await runProgram(process.argv.slice(2));
// The NATS client cannot abort a connect: Node would wait for it, for as long as it tries.
if (process.exitCode === exitCodes.interrupted || process.exitCode === exitCodes.terminated) process.exit();
