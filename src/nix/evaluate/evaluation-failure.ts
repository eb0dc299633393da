import type { ExecResult } from "../../process/exec.ts";
import { locatedError } from "./located-error.ts";
import type { EvaluationLog } from "./evaluation-log.ts";
import { boundedDetails, oneLine } from "../words/error-text.ts";
import { deniedHint, fetchFault } from "../words/input-access.ts";
import { isOwnError } from "../words/own-error.ts";
import { looksLikeInfrastructure } from "../words/infrastructure-error.ts";
import type { EvaluationFailure, EvaluationOptions } from "../evaluator.ts";

export interface EvaluatorEnd {
  readonly result: Pick<ExecResult, "exitCode" | "killedBy" | "timedOut">;
  readonly log: EvaluationLog;
  /** Processes that the kernel killed for lack of memory while it ran, on the whole machine. */
  readonly outOfMemoryKills: number;
  readonly limits: Pick<EvaluationOptions, "timeoutMs" | "maxMemoryBytes">;
}

/** Why an evaluator that did not exit with 0 gave nothing. */
export function evaluationFailure({
  result,
  log,
  outOfMemoryKills,
  limits,
}: EvaluatorEnd): EvaluationFailure {
  const details = boundedDetails(log.error?.whole ?? log.plainLines.join("\n"));
  const because = (cause: EvaluationFailure["cause"], message: string): EvaluationFailure => ({
    cause,
    message: oneLine(message),
    details,
  });

  if (result.timedOut) {
    return because("timed-out", `evaluation took longer than ${Math.round(limits.timeoutMs / 1000)} seconds`);
  }
  if (log.outOfMemory) {
    const mebibytes = Math.round(limits.maxMemoryBytes / (1024 * 1024));
    return because("out-of-memory", `evaluation needs more than ${mebibytes} MiB of memory`);
  }
  if (result.killedBy === "SIGKILL") {
    // It is unknown which of the running processes was too much for the machine.
    return outOfMemoryKills > 0
      ? because("infra", "the kernel ended the evaluation because the machine ran out of memory")
      : because("infra", "the evaluator was killed (SIGKILL), and not for lack of memory");
  }
  // Nix without a guard page for its stack: endless recursion ends like this, each time.
  if (result.killedBy === "SIGSEGV") {
    return because("error", "the evaluator crashed (SIGSEGV): often an infinite recursion");
  }
  if (result.killedBy !== undefined) {
    return because("infra", `the evaluator was ended by ${result.killedBy}`);
  }
  const text = log.error?.text ?? plainError(log.plainLines);
  if (text === undefined && log.jsonError !== undefined) {
    return because("error", `Nix cannot read flake.lock, or other JSON: ${log.jsonError}`);
  }
  if (text === undefined) {
    return because(
      "infra",
      `the evaluator ended with ${result.exitCode ?? "no exit code"} and printed nothing`,
    );
  }
  if (isStaleLock(text)) {
    const failure = because(
      "error",
      "flake.lock does not fit flake.nix: an input is missing, superfluous or declared otherwise, or another version of Nix wrote it. Run nix flake lock, and commit it",
    );
    return { ...failure, isOwn: true };
  }
  // A host can throw these very words.
  if (log.threw || !looksLikeInfrastructure(text)) {
    const isOwn = log.threw || isOwnError(text);
    return log.error === undefined
      ? { ...because("error", text), isOwn }
      : {
          cause: "error",
          message: locatedError(log.error).replace(importIsOff, `$&; ${importHint}`),
          details,
          isOwn,
        };
  }
  // The place of what machine or network did is of no use.
  const { message, isDenied } = fetchFault(text, log.plainLines);
  return isDenied ? because("denied", `${message}; ${deniedHint}`) : because("infra", message);
}

/** The words of Nix 2.8, and of 2.26 to 2.34. */
const isStaleLock = (error: string): boolean =>
  error.startsWith("cannot write modified lock file of flake '") ||
  /^flake '[^']*' requires lock file changes but they're not allowed/.test(error);

/** Nix names its own option, which nothing in nix.conf can turn on here: see `evaluationFlags`. */
const importIsOff =
  /cannot build '[^'\n]*' during evaluation because the option 'allow-import-from-derivation' is disabled/;
const importHint = "allowImportFromDerivation of the repo in the builder's configuration enables it";

/** Nix writes some errors past its own log format: `error: stack overflow (possible infinite recursion)`. */
const plainError = (lines: readonly string[]): string | undefined =>
  lines.findLast((line) => line.startsWith("error: "))?.slice("error: ".length);
