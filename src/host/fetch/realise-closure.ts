// Has Nix load a closure. Flags and messages are those of Nix 2.8 and newer.
import type { HomelabError } from "../../base/errors.ts";
import { plainText } from "../../base/terminal-text.ts";
import { featureFlags } from "../../nix/nix-command.ts";
import { oneLine } from "../../nix/words/error-text.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import type { Environment } from "../../nix/nix-environment.ts";
import type { StorePath } from "../../protocol/names.ts";
import { parseSha256, type Sha256 } from "../../protocol/store-paths/sha256.ts";
import { commandFailed, lastLineOf } from "../host-programs.ts";
import { notCached, unsigned } from "./decide-fetch.ts";

export interface NixFetch {
  readonly exec: Exec;
  readonly environment: Environment;
  /** URLs of the caches, and nothing else is asked. */
  readonly substituters: readonly string[];
  /** As in nix.conf. */
  readonly trustedKeys: readonly string[];
}

/** What Nix is told for a deployment, whatever nix.conf says. */
const settingsOf = ({ substituters, trustedKeys }: NixFetch): readonly string[] =>
  [
    ["substituters", substituters.join(" ")],
    ["trusted-public-keys", trustedKeys.join(" ")],
    ["require-sigs", "true"],
    ["substitute", "true"],
    // Nothing is ever built on the host.
    ["max-jobs", "0"],
    ["builders", ""],
    ["fallback", "false"],
    // An answer that a cache gave an hour ago does not count.
    ["narinfo-cache-negative-ttl", "0"],
    ["narinfo-cache-positive-ttl", "0"],
  ].flatMap(([name, value]) => ["--option", name ?? "", value ?? ""]);

const isForged =
  /not signed by any of the keys|lacks a (?:valid )?signature|(?:NAR )?hash mismatch|doesn't have a valid signature/i;

/**
 * @throws HomelabError `NOT_CACHED` when a path could not be had, which may pass by itself; `UNSIGNED` when what came is
 *   not what was signed
 */
export async function realiseClosure(
  fetch: NixFetch,
  path: StorePath,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const args = ["--realise", ...settingsOf(fetch), "--", path];
  const result = await fetch.exec("nix-store", args, optionsOf(fetch, timeoutMs, signal));
  if (result.timedOut) throw notCached(1, `${path}: it was not loaded in ${Math.round(timeoutMs / 1000)} s`);
  if (result.exitCode === 0) return;
  const said = plainText(result.stderrTail);
  const forged = said.split("\n").find((line) => isForged.test(line));
  throw forged === undefined ? notCached(1, causeOf(said)) : unsigned(oneLine(forged));
}

/** The first error is the cause, and what follows from it comes behind. */
const causeOf = (said: string): string => {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  const cause = lines.find((line) => /^(?:error|warning): (?:unable to|.*HTTP error)/.test(line));
  return oneLine(
    cause ?? lines.find((line) => line.startsWith("error:")) ?? lines.at(-1) ?? "Nix says nothing",
  );
};

/**
 * Whether the path is valid, and will stay so by the root that points to it. A collection does not count a root whose path
 * is not valid yet, and looks at the roots of running processes much later: it takes what was loaded in between. So Nix
 * is asked for the path again, without loading anything: it tells the collection that is running to leave the path before
 * it looks whether it is valid (`addTempRoot` and `collectGarbage` in Nix's gc.cc). Every later one sees a valid root.
 */
export async function isHeld(fetch: NixFetch, path: StorePath, signal: AbortSignal): Promise<boolean> {
  const settings = [...settingsOf(fetch), "--option", "substitute", "false"];
  const args = ["--realise", ...settings, "--", path];
  const result = await fetch.exec("nix-store", args, optionsOf(fetch, verifyTimeoutMs, signal));
  return result.exitCode === 0 && !result.timedOut;
}

/** Bits of the exit code of `nix store verify`. */
const untrusted = 2;

/**
 * Whether every path of the closure is signed by a trusted key, by what the store has kept of it. Paths that were built
 * here count when `trustLocalBuilds` says so.
 */
export async function isClosureSigned(
  fetch: NixFetch,
  path: StorePath,
  { trustLocalBuilds }: { readonly trustLocalBuilds: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const needed = trustLocalBuilds ? [] : ["--sigs-needed", "1"];
  const flags = [...featureFlags, "--recursive", "--no-contents", ...needed, ...settingsOf(fetch)];
  const args = ["store", "verify", ...flags, "--", path];
  const result = await fetch.exec("nix", args, optionsOf(fetch, verifyTimeoutMs, signal));
  if (result.exitCode === 0 && !result.timedOut) return true;
  if (result.exitCode === untrusted && /is untrusted/.test(result.stderrTail)) return false;
  throw failed("nix", args, result);
}

/** Signatures that a cache has for paths which the store has without one. */
export async function copySignatures(fetch: NixFetch, path: StorePath, signal: AbortSignal): Promise<void> {
  const from = fetch.substituters.flatMap((url) => ["--substituter", url]);
  const flags = [...featureFlags, "--recursive", ...from, ...settingsOf(fetch)];
  // Whether it helped is seen by looking again.
  await fetch.exec(
    "nix",
    ["store", "copy-sigs", ...flags, "--", path],
    optionsOf(fetch, verifyTimeoutMs, signal),
  );
}

export async function narHashOf(
  fetch: Pick<NixFetch, "exec" | "environment">,
  path: StorePath,
  signal: AbortSignal,
): Promise<Sha256> {
  const args = ["--query", "--hash", "--", path];
  const result = await fetch.exec("nix-store", args, optionsOf(fetch, verifyTimeoutMs, signal));
  const hash = result.exitCode === 0 ? parseSha256(result.stdout.trim()) : undefined;
  if (hash === undefined) throw failed("nix-store", args, result);
  return hash;
}

const verifyTimeoutMs = 600_000;

const optionsOf = (
  { environment }: Pick<NixFetch, "environment">,
  timeoutMs: number,
  signal: AbortSignal,
) => ({
  env: { ...environment, LC_ALL: "C.UTF-8" },
  cwd: "/",
  timeoutMs,
  signal,
});

const failed = (file: string, args: readonly string[], result: ExecResult): HomelabError =>
  commandFailed(file, args.slice(0, 2), result.timedOut ? "it took too long" : lastLineOf(result));
