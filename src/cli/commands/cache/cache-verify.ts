// `homelab-deploy cache verify`: proves that the cache serves systems with everything that they need.
import { join } from "node:path";
import { HomelabError } from "../../../base/errors.ts";
import { silentLog } from "../../../base/log.ts";
import type { RepairOutcome } from "../../../cache/repair.ts";
import {
  verifyClosure,
  verifyWithoutStore,
  type Verification,
  type VerifyOptions,
} from "../../../cache/verify.ts";
import { createNix } from "../../../nix/create-nix.ts";
import type { Nix } from "../../../nix/nix.ts";
import { createExec } from "../../../process/create-exec.ts";
import { parseRepoName, type StorePath } from "../../../protocol/names.ts";
import { hostTargets, isPathArgument, pathTarget, type CacheTargets } from "../../builds/cache-targets.ts";
import { composeVerification, openCache, type CacheChoice } from "../../../wiring/compose-cache.ts";
import { connectReader, loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { repairCache } from "../../session/repair-cache.ts";
import { userStateDirectory } from "../../session/local-builder.ts";
import { createPeopleLog } from "../../session/people-log.ts";
import {
  renderVerification,
  verificationExitCode,
  verificationJson,
  type CacheVerification,
} from "../../print/pages/cache-verification.ts";
import { createProgressLine } from "../../print/progress-line.ts";

export interface CacheVerifyOptions extends CacheChoice {
  readonly all?: boolean | undefined;
  readonly repo?: string | undefined;
  readonly full?: boolean | undefined;
  readonly withoutStore?: boolean | undefined;
  readonly repair?: boolean | undefined;
  readonly keyFile?: string | undefined;
  readonly json?: boolean | undefined;
}

export async function runCacheVerify(
  context: Context,
  names: readonly string[],
  options: CacheVerifyOptions,
): Promise<number> {
  const result = await verifyCache(context, names, options, untilInterrupted(context.signals));
  const { out, outStyle: style } = context;
  if (options.json === true) out.write(`${JSON.stringify(verificationJson(result), undefined, 2)}\n`);
  else out.write(renderVerification(result, { style, width: out.columns }));
  return verificationExitCode(result);
}

/** @throws HomelabError when what is to be proven cannot be found out */
export async function verifyCache(
  context: Context,
  names: readonly string[],
  options: CacheVerifyOptions,
  signal: AbortSignal,
): Promise<CacheVerification> {
  checkArguments(names, options);
  const { clock, err } = context;
  const settings = (await loadCommandConfig(context)).cache;
  const stateDirectory = join(userStateDirectory(context.environment));
  using access = await openCache(settings, options, clock);
  const nix = options.withoutStore === true ? undefined : await openNix(context, stateDirectory, signal);
  const targets = await findTargets(context, names, options, nix?.storeDirectory, signal);

  const content = options.full === true ? "whole" : "start";
  const progress = createProgressLine("paths proven", err, clock);
  const verifyOptions: VerifyOptions = {
    ...(await composeVerification({
      settings,
      access,
      stateDirectory,
      content,
      clock,
      log: createPeopleLog(context),
    })),
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
    if (options.repair === true && nix !== undefined && verification.findings.length > 0) {
      const parts = { context, settings, keys: access.keys, verify: verifyOptions, stateDirectory };
      repairs = await repairCache(nix, parts, options.keyFile, verification, signal);
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
    ...(repairs === undefined ? {} : { repairs }),
  };
}

function checkArguments(names: readonly string[], { all, repair, withoutStore }: CacheVerifyOptions): void {
  if (repair === true && withoutStore === true) {
    throw new HomelabError("usage", "without a store there is nothing to repair from", {
      code: "BAD_ARGUMENTS",
      hint: "leave --repair or --without-store out",
    });
  }
  if ((all === true) === names.length > 0) {
    throw new HomelabError(
      "usage",
      all === true ? "--all and names exclude each other" : "it is not said what to verify",
      { code: "BAD_ARGUMENTS", hint: "name hosts or paths, or use --all" },
    );
  }
}

async function openNix(context: Context, stateDirectory: string, signal: AbortSignal): Promise<Nix> {
  const { environment, clock } = context;
  return createNix(
    { exec: createExec(), environment, stateDirectory: join(stateDirectory, "nix"), clock, log: silentLog },
    signal,
  );
}

/** NATS is asked only when hosts are named. */
async function findTargets(
  context: Context,
  names: readonly string[],
  { all, repo }: CacheVerifyOptions,
  storeDirectory: string | undefined,
  signal: AbortSignal,
): Promise<CacheTargets> {
  const paths = await Promise.all(
    names.filter(isPathArgument).map(async (name) => pathTarget(name, storeDirectory)),
  );
  const hosts = names.filter((name) => !isPathArgument(name));
  if (all !== true && hosts.length === 0) return { targets: paths, unbuilt: [] };
  await using connected = await connectReader(context, signal);
  const { targets, unbuilt } = await hostTargets(
    connected.reader,
    all === true ? "all" : hosts,
    repo === undefined ? undefined : parseRepoName(repo),
    signal,
  );
  return { targets: [...paths, ...targets], unbuilt };
}

/** What the store itself has not got cannot be compared, and counts as missing. */
async function verifyAgainstStore(
  nix: Nix,
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
      detail: "this machine's store has not got it, so there is nothing to compare with: use --without-store",
    }));
  return { ...verification, findings: [...gone, ...verification.findings] };
}
