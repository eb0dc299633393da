// Why an update of flake.lock gave nothing, by the words of Nix 2.8 to 2.34.
import type { EvaluationLog } from "../evaluate/evaluation-log.ts";
import { boundedDetails, oneLine } from "../words/error-text.ts";
import { deniedHint, fetchFault } from "../words/input-access.ts";
import { looksLikeInfrastructure } from "../words/infrastructure-error.ts";
import { missingRefHint, saysMissingRef } from "../words/missing-ref.ts";
import type { LockUpdateFailure } from "../locker.ts";
import type { ExecResult } from "../../process/exec.ts";

export interface UpdaterEnd {
  readonly result: Pick<ExecResult, "exitCode" | "killedBy" | "timedOut">;
  readonly log: EvaluationLog;
  /** That Nix could not fetch something and then took it from its own cache. */
  readonly stale: string | undefined;
  readonly timeoutMs: number;
}

/** Undefined when Nix updated what it was asked to. */
export function lockUpdateFailure({
  result,
  log,
  stale,
  timeoutMs,
}: UpdaterEnd): LockUpdateFailure | undefined {
  const said = log.error?.whole ?? log.plainLines.join("\n");
  const input = failedInput(said);
  const because = (kind: LockUpdateFailure["kind"], reason: string): LockUpdateFailure => {
    const subject = input === undefined ? "the flake's inputs" : `the flake's input ${input}`;
    const hint = hintFor(said);
    return {
      kind,
      message: oneLine(`${subject} cannot be updated: ${reason}`),
      reason: oneLine(reason),
      details: boundedDetails([said, ...(log.error === undefined ? [] : log.plainLines)].join("\n")),
      hint,
      input,
    };
  };

  const fetching = (error: string): LockUpdateFailure => {
    const { message, isDenied } = fetchFault(error, log.plainLines);
    if (saysMissingRef(error, message)) {
      return { ...because("failed", message), hint: missingRefHint };
    }
    return isDenied ? { ...because("refused", message), hint: deniedHint } : because("unavailable", message);
  };

  if (result.timedOut)
    return because("unavailable", `it took longer than ${Math.round(timeoutMs / 1000)} seconds`);
  if (result.killedBy !== undefined) return because("unavailable", `Nix was ended by ${result.killedBy}`);
  if (result.exitCode === 0) {
    if (stale === undefined) return undefined;
    return {
      ...fetching(stale.startsWith("fatal: ") ? "git could not fetch a repository" : stale),
      isStale: true,
    };
  }
  const text = log.error?.text ?? plainError(log.plainLines);
  if (text === undefined)
    return because("unavailable", `Nix ended with ${result.exitCode} and printed nothing`);
  return looksLikeInfrastructure(text) || saysMissingRef(text) ? fetching(text) : because("failed", text);
}

/** Nix may have flushed an error past its own log format. */
const plainError = (lines: readonly string[]): string | undefined =>
  lines.findLast((line) => line.startsWith("error: "))?.slice("error: ".length);

/** `… while updating the flake input 'home-manager/nixpkgs'`: the first name is an input of the flake itself. */
const failedInput = (said: string): string | undefined =>
  /while updating the flake input '(?<input>[A-Za-z][A-Za-z0-9_-]*)[/']/.exec(said)?.groups?.["input"];

function hintFor(said: string): string | undefined {
  if (/rate limit|HTTP error (?:403|429)/i.test(said)) {
    return "the server limits requests without a token: wait, or set inputs.credentials of the configuration for its host, or access-tokens in nix.conf";
  }
  if (
    /HTTP error (?:401|404)|not found|access rights|Permission denied|could not read Username/i.test(said)
  ) {
    return "see whether the repository is still there, and whether this machine may read it: inputs.credentials of the configuration, or access-tokens and netrc-file of nix.conf";
  }
  return undefined;
}

/**
 * What a line of Nix or of its git says: it could not query a git repository, and uses what it fetched before. It then
 * exits with 0, and a remote that is down looks like one that did not move. Undefined for any other line.
 *
 * The words are those of `git.cc` of libfetchers, Nix 2.8 to 2.34. Nix 2.26 does not look at whether git could fetch
 * what it has an older state of, and only git says anything.
 */
export const staleRepository = (line: string): string | undefined =>
  /could not (?:get HEAD ref for repository|update cached head|update local clone of Git repository|update mtime for file) .*/.exec(
    line,
  )?.[0] ??
  /^fatal: (?:couldn't find remote ref |repository '.*' not found|'.*' does not appear to be a git repository|could not read (?:from remote repository|username|password)|unable to (?:access|connect|look up) |authentication failed|remote error: |the remote end hung up).*/i.exec(
    line.trim(),
  )?.[0];
