// `homelab-deploy cache wait`: whether a commit is served, for people and as JSON.
import { attribute } from "../../../cache/attribute.ts";
import type { Verification } from "../../../cache/verify.ts";
import type { Commit } from "../../../protocol/names.ts";
import { formatBytes, formatDuration } from "../../../words/duration.ts";
import type { CacheTarget } from "../../cache/cache-targets.ts";
import type { Style } from "../style.ts";

export type ServedOutcome =
  | { readonly type: "served"; readonly systems: readonly CacheTarget[]; readonly verification: Verification }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "timed-out"; readonly reason: string };

/** One line, safe to print. */
export function renderServed(
  url: string,
  commit: Commit,
  outcome: ServedOutcome,
  { style, timeoutMs }: { readonly style: Style; readonly timeoutMs: number },
): string {
  const short = commit.slice(0, 7);
  switch (outcome.type) {
    case "served": {
      const { closure } = outcome.verification;
      const bytes = closure.values().reduce((sum, { narSize }) => sum + narSize, 0);
      return `${style.green(style.glyphs.success)} ${url} serves all ${outcome.systems.length} systems of ${short}: ${closure.size} paths, ${formatBytes(bytes)}, signed.\n`;
    }
    case "failed":
      return `${style.red(style.glyphs.failure)} ${short} does not build: ${style.clean(outcome.reason)}\n`;
    case "timed-out":
      return `${style.yellow(style.glyphs.unknown)} not served after ${formatDuration(timeoutMs)}: ${style.clean(outcome.reason)}\n`;
  }
}

/** Additive only. */
export function servedJson(url: string, commit: Commit, outcome: ServedOutcome): object {
  const served = outcome.type === "served";
  if (!served) return { cache: url, commit, served, outcome: outcome.type, reason: outcome.reason };
  const { systems, verification } = outcome;
  const proofs = attribute(new Set(systems.map(({ path }) => path)), verification);
  return {
    cache: url,
    commit,
    served,
    outcome: outcome.type,
    paths: verification.closure.size,
    systems: systems.map(({ name, path }) => ({ name, path, bytes: proofs.get(path)?.bytes })),
  };
}
