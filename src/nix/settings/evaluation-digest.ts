// What of nix.conf decides what a commit evaluates to: a result is remembered for these settings, and no longer than them.
import { createHash } from "node:crypto";
import type { NixConfig } from "./unsafe-settings.ts";

/** Nix 2.8 to 2.34 have these. Those that we set, such as `allow-import-from-derivation`, are in the key by themselves. */
export const evaluationSettings = [
  "allow-unsafe-native-code-during-evaluation",
  "allowed-uris",
  // What import from derivation can build, and what a host may find out about that.
  "build-hook",
  "builders",
  "eval-system",
  "experimental-features",
  "extra-experimental-features",
  "extra-platforms",
  "extra-system-features",
  "filter-syscalls",
  "max-call-depth",
  "nix-path",
  "pure-eval",
  "restrict-eval",
  "sandbox",
  "sandbox-fallback",
  "sandbox-paths",
  "system",
  "system-features",
] as const;

/** SHA-256 of these settings, in hex. */
export function evaluationDigest(settings: NixConfig): string {
  const decisive = evaluationSettings.map((name) => [name, stable(settings[name])]);
  return createHash("sha256").update(JSON.stringify(decisive)).digest("hex");
}

/** Lists of Nix are sets where order means nothing, but for paths, where a new order costs an evaluation. */
const stable = (value: unknown): unknown =>
  Array.isArray(value) ? value.map((item) => JSON.stringify(item)).toSorted() : (value ?? null);
