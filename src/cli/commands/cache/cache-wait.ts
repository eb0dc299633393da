// `homelab-deploy cache wait`: until a commit is built whole and served, such as after a machine was made anew.
import { HomelabError, messageOf } from "../../../base/errors.ts";
import { silentLog } from "../../../base/log.ts";
import { attribute } from "../../../cache/attribute.ts";
import { countProblems } from "../../../cache/finding.ts";
import { verifyWithoutStore, type Verification, type VerifyOptions } from "../../../cache/verify.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { parseCommit, type Commit } from "../../../protocol/names.ts";
import type { CacheTarget } from "../../builds/cache-targets.ts";
import { composeVerification, openCache, type CacheChoice } from "../../../wiring/compose-cache.ts";
import { connectReader, loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import { decideReadiness, type Readiness } from "../../builds/decide-readiness.ts";
import { readBuilds } from "../../builds/find-build.ts";
import { formatBytes, formatDuration } from "../../../words/duration.ts";

export interface CacheWaitOptions extends CacheChoice {
  readonly rev: string;
  readonly timeout: number;
  readonly json?: boolean | undefined;
}

type Outcome =
  | { readonly type: "served"; readonly systems: readonly CacheTarget[]; readonly verification: Verification }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "timed-out"; readonly reason: string };

const lookEveryMs = 3000;
/** So many builds are looked at, newest first. */
const lookedAt = 100;
/** One question to NATS: it may be away for long, and comes back. */
const askMs = 20_000;

export async function runCacheWait(context: Context, options: CacheWaitOptions): Promise<number> {
  const interrupted = untilInterrupted(context.signals);
  const { clock } = context;
  const commit = parseCommit(options.rev.toLowerCase());
  const { cache: settings } = await loadCommandConfig(context);
  using access = await openCache(settings, options, clock);
  const verify = await composeVerification({ settings, access, content: "start", clock, log: silentLog });
  const outcome = await waitUntilServed(context, commit, verify, options.timeout, interrupted);
  report(context, access.url, commit, outcome, options);
  if (outcome.type === "served") return exitCodes.success;
  return outcome.type === "failed" ? exitCodes.failed : exitCodes.timeout;
}

async function waitUntilServed(
  context: Context,
  commit: Commit,
  verify: VerifyOptions,
  timeoutMs: number,
  interrupted: AbortSignal,
): Promise<Outcome> {
  const { clock, err, errStyle: style } = context;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([interrupted, timeout]);
  let reason = "nothing was asked yet";
  const waitFor = (next: string): void => {
    if (next !== reason) err.write(`${style.dim("waiting:")} ${style.clean(next)}\n`);
    reason = next;
  };
  try {
    for (;;) {
      const readiness = await readReadiness(context, commit, signal);
      if (readiness.type === "failed") return readiness;
      if (readiness.type === "waiting") waitFor(readiness.reason);
      else {
        const { systems } = readiness;
        const verification = await verifyWithoutStore(
          verify,
          [...new Set(systems.map(({ path }) => path))],
          signal,
        );
        if (verification.findings.length === 0) return { type: "served", systems, verification };
        waitFor(`all is built, and not served: ${countProblems(verification.findings)}`);
      }
      await clock.sleep(lookEveryMs, signal);
    }
  } catch (error) {
    interrupted.throwIfAborted();
    if (timeout.aborted) return { type: "timed-out", reason };
    throw error;
  }
}

/** A NATS that is not there yet is waited for: after a machine was made anew it comes up with the rest. */
async function readReadiness(context: Context, commit: Commit, signal: AbortSignal): Promise<Readiness> {
  const asking = AbortSignal.any([signal, AbortSignal.timeout(askMs)]);
  try {
    await using connected = await connectReader(context, asking);
    const ids = await connected.reader.listBuilds(asking);
    return decideReadiness(await readBuilds(connected.reader, ids.slice(0, lookedAt), asking), commit);
  } catch (error) {
    signal.throwIfAborted();
    // Wrong settings or rights do not mend themselves.
    if (!asking.aborted && !(error instanceof HomelabError && error.kind === "unavailable")) throw error;
    return { type: "waiting", reason: messageOf(error) };
  }
}

function report(
  { out, outStyle: style }: Context,
  url: string,
  commit: Commit,
  outcome: Outcome,
  { json, timeout }: CacheWaitOptions,
): void {
  if (json === true) {
    out.write(`${JSON.stringify(outcomeJson(url, commit, outcome), undefined, 2)}\n`);
    return;
  }
  const short = commit.slice(0, 7);
  if (outcome.type === "served") {
    const { closure } = outcome.verification;
    const bytes = closure.values().reduce((sum, { narSize }) => sum + narSize, 0);
    out.write(
      `${style.green(style.glyphs.success)} ${url} serves all ${outcome.systems.length} systems of ${short}: ${closure.size} paths, ${formatBytes(bytes)}, signed.\n`,
    );
  } else if (outcome.type === "failed") {
    out.write(`${style.red(style.glyphs.failure)} ${short} does not build: ${style.clean(outcome.reason)}\n`);
  } else {
    out.write(
      `${style.yellow(style.glyphs.unknown)} not served after ${formatDuration(timeout)}: ${style.clean(outcome.reason)}\n`,
    );
  }
}

function outcomeJson(url: string, commit: Commit, outcome: Outcome): object {
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
