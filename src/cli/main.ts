#!/usr/bin/env -S node --max-semi-space-size=8
// The young generation would grow to 55 MB while logs pour in, more than all else that a builder holds.
import { runProgram } from "./program.ts";

process.exitCode = await runProgram(process.argv.slice(2));
