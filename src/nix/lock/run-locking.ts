import { LineSplitter } from "../../base/lines.ts";
import { plainText } from "../../base/terminal-text.ts";
import type { Exec } from "../../process/exec.ts";
import { createEvaluationLogReader } from "../evaluate/evaluation-log.ts";
import { lockUpdateFailure, staleRepository } from "./lock-update-failure.ts";
import { featureFlags, logFlags } from "../nix-command.ts";
import { openToAll, withInputAccess, type InputAccess } from "../input-access.ts";
import type { Environment } from "../nix-environment.ts";
import type { LockUpdateFailure } from "../locker.ts";

const maxLineLength = 64 * 1024;

/**
 * For what resolves the inputs of a flake.
 *
 * - A flake's own `nixConfig` is never accepted. Nothing is built, so nothing is imported from a derivation.
 * - The registry stays as nix.conf has it: inputs without a URL are looked up there.
 */
export const lockingFlags = [
  ...featureFlags,
  ...logFlags,
  "--show-trace",
  "--no-accept-flake-config",
  "--option",
  "allow-import-from-derivation",
  "false",
] as const;

export interface LockingOptions {
  readonly exec: Exec;
  readonly environment: Environment;
  readonly inputAccess?: InputAccess;
  /** The working directory; the flake that is in it is what Nix takes where none is named. */
  readonly directory: string;
  readonly timeoutMs: number;
}

export type LockingResult =
  | { readonly type: "done"; readonly stdout: string }
  | { readonly type: "failed"; readonly failure: LockUpdateFailure };

/** Runs a Nix that resolves inputs, and judges whether it has. */
export async function runLocking(
  { exec, environment, inputAccess = openToAll, directory, timeoutMs }: LockingOptions,
  args: readonly string[],
  signal: AbortSignal,
): Promise<LockingResult> {
  const inputs = await inputAccess.open([]);
  const reader = createEvaluationLogReader();
  let stale: string | undefined;
  const lines = new LineSplitter(maxLineLength, (line) => (stale ??= staleRepository(plainText(line))));
  const result = await exec("nix", args, {
    env: withInputAccess(environment, inputs),
    cwd: directory,
    signal,
    timeoutMs,
    onStderr: (chunk) => {
      reader.write(chunk);
      lines.write(chunk);
    },
  });
  lines.end();
  const failure = lockUpdateFailure({ result, log: reader.end(), stale, timeoutMs });
  if (failure === undefined) return { type: "done", stdout: result.stdout };
  const { message, reason, details } = failure;
  const cleaned = {
    ...failure,
    message: inputs.clean(message),
    reason: inputs.clean(reason),
    details: inputs.clean(details),
  };
  return { type: "failed", failure: cleaned };
}
