// Proves that a cache serves systems with everything that they need, and repairs it where that is wanted.
import { silentLog } from "../../base/log.ts";
import type { RepairOutcome } from "../../cache/repair.ts";
import {
  verifyClosure,
  verifyWithoutStore,
  type Verification,
  type VerifyOptions,
} from "../../cache/verify.ts";
import type { Config } from "../../config/schema.ts";
import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import { composeVerification, openCache, type CacheChoice } from "../../wiring/compose-cache.ts";
import type { Context } from "../context.ts";
import type { CacheVerification } from "../print/pages/cache-verification.ts";
import { createProgressLine } from "../print/progress-line.ts";
import { userStateDirectory } from "../session/local-builder.ts";
import { openNix } from "../session/open-nix.ts";
import type { CacheTargets } from "./cache-targets.ts";
import { repairCache } from "./repair-cache.ts";

export interface ProofSpecification extends CacheChoice {
  readonly full?: boolean;
  readonly withoutStore?: boolean;
  readonly repair?: boolean;
  readonly keyFile?: string;
}

/**
 * @param findTargets what is to be proven; it gets the store's directory where a store is compared with
 * @throws HomelabError when what is to be proven cannot be found out
 */
export async function verifyCache(
  context: Context,
  { cache: settings }: Config,
  specification: ProofSpecification,
  findTargets: (storeDirectory: string | undefined) => Promise<CacheTargets>,
  signal: AbortSignal,
): Promise<CacheVerification> {
  const { clock, err } = context;
  const stateDirectory = userStateDirectory(context.environment);
  using access = await openCache(settings, specification, context, signal);
  const nix =
    specification.withoutStore === true
      ? undefined
      : await openNix(context, stateDirectory, silentLog, signal);
  const targets = await findTargets(nix?.storeDirectory);

  const content = specification.full === true ? "whole" : "start";
  const progress = createProgressLine("paths proven", err, clock);
  const verifyOptions: VerifyOptions = {
    ...composeVerification(settings, access, content),
    onProgress: (state) => progress.show(state),
  };
  const paths = [...new Set(targets.targets.map(({ path }) => path))];
  let verification: Verification;
  let repairs: RepairOutcome | undefined;
  try {
    verification =
      nix === undefined
        ? await verifyWithoutStore(verifyOptions, paths, signal)
        : await verifyAgainstStore(nix, verifyOptions, paths, signal);
    progress.end();
    if (specification.repair === true && nix !== undefined && verification.findings.length > 0) {
      const parts = { context, settings, keys: access.keys, verify: verifyOptions, stateDirectory };
      repairs = await repairCache(nix, parts, specification.keyFile, verification, signal);
      ({ verification } = repairs);
    }
  } finally {
    progress.end();
  }
  return {
    ...targets,
    url: access.url,
    keys: access.keys.map(({ name }) => name),
    content,
    comparedWithStore: nix !== undefined,
    verification,
    repairs,
  };
}

/** What the store itself does not have cannot be compared, and counts as missing. */
async function verifyAgainstStore(
  nix: Store,
  options: VerifyOptions,
  tops: readonly StorePath[],
  signal: AbortSignal,
): Promise<Verification> {
  const valid = await nix.validPaths(tops, signal);
  const there = tops.filter((path) => valid.has(path));
  const closure = await nix.readClosureFacts(there, signal);
  const verification = await verifyClosure(options, there, closure, signal);
  const gone = tops
    .filter((path) => !valid.has(path))
    .map((path) => ({
      path,
      problem: "missing" as const,
      detail:
        "this machine's store does not have it, so there is nothing to compare with: use --without-store",
    }));
  return { ...verification, findings: [...gone, ...verification.findings] };
}
