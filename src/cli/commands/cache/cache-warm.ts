// `homelab-deploy cache warm`: after a cache was made anew, builds what it should serve and proves that it does.
import { safeJson } from "../../../base/terminal-text.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { chooseCacheUrl, chooseKeys, type CacheChoice } from "../../../wiring/compose-cache.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import {
  renderVerification,
  verificationExitCode,
  verificationJson,
} from "../../print/pages/cache-verification.ts";
import { runBuild } from "../builds/build.ts";
import { verifyCache } from "./cache-verify.ts";

export interface CacheWarmOptions extends CacheChoice {
  readonly all?: boolean | undefined;
  readonly repo?: string | undefined;
  readonly timeout?: number | undefined;
  readonly withoutStore?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Whoever stopped waiting for the build does not want to wait for the proof, and a refused request built nothing. */
const stopped: readonly number[] = [
  exitCodes.interrupted,
  exitCodes.terminated,
  exitCodes.timeout,
  exitCodes.usage,
];

/** The build's exit code, or else the proof's. What failed to build does not keep the rest from being proven. */
export async function runCacheWarm(
  context: Context,
  hosts: readonly string[],
  options: CacheWarmOptions,
): Promise<number> {
  const { all, repo, timeout, json } = options;
  const { cache: settings } = await loadCommandConfig(context);
  // Before hours of building.
  chooseCacheUrl(settings, options);
  chooseKeys(settings, options);
  const built = await runBuild(context, hosts, {
    all,
    repo,
    timeout,
    priority: "batch",
    ...(json === true ? { json } : {}),
  });
  if (stopped.includes(built)) return built;
  const signal = untilInterrupted(context.signals);
  const { out, outStyle: style } = context;
  const result = await verifyCache(context, hosts, options, signal);
  if (json === true) out.write(`${safeJson({ type: "cache-verified", ...verificationJson(result) })}\n`);
  else out.write(`\n${renderVerification(result, { style, width: out.columns })}`);
  return built === exitCodes.success ? verificationExitCode(result) : built;
}
