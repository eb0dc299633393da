// Why what a host imports from could not be built. Nix says no more than the exit code; the rest is in the build's log.
import * as v from "valibot";
import { isBug } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import { StorePath } from "../../protocol/names.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import type { EvaluationFailure } from "../evaluator.ts";
import { explainDownload, lastLines } from "../realise/download-failure.ts";
import type { FailureMessage } from "../realise/failure-message.ts";
import type { Store } from "../store.ts";
import { boundedDetails } from "../words/error-text.ts";

const mostLines = 20;

/**
 * The failure of an evaluation with the end of that log. It is the infrastructure's where the build could not download,
 * or could not be run.
 *
 * @param build what Nix said about the build that failed
 */
export async function explainImport(
  failure: EvaluationFailure,
  { drvPath, end, reason, diskFull }: FailureMessage,
  { readDerivation, readLog }: Pick<Store, "readDerivation" | "readLog">,
  signal: AbortSignal,
): Promise<EvaluationFailure> {
  const parsed = v.safeParse(StorePath, drvPath);
  if (!parsed.success) return failure;
  const path = parsed.output;
  const name = derivationName(path);
  const excused = (why: string): EvaluationFailure => ({
    cause: "infra",
    message: `${name}, which it imports from, cannot be built: ${why}`,
    details: failure.details,
  });
  if (diskFull || end.type === "environment" || end.type === "substitution") return excused(reason);
  if (end.type !== "exit-code") return failure;
  try {
    const { exitCode } = end;
    const derivation = await readDerivation(path);
    const cause = { kind: "failed", name, reason, exitCode } as const;
    const explained = await explainDownload(cause, path, derivation, { readLog }, signal);
    if (explained.kind === "infra") return excused(explained.reason);
    const lines = (await lastLines(readLog, path, signal))
      .map(plainText)
      .filter((line) => line.trim() !== "");
    if (lines.length === 0) return failure;
    const log = `the end of the log of ${name}:\n${lines.slice(-mostLines).join("\n")}`;
    return { ...failure, details: boundedDetails(`${failure.details}\n\n${log}`) };
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    return failure;
  }
}
