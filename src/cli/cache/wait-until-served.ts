// Waits for a commit to be built whole and served, such as after a machine was reinstalled.
import { HomelabError, messageOf } from "../../base/errors.ts";
import { countProblems } from "../../cache/finding.ts";
import { verifyWithoutStore } from "../../cache/verify.ts";
import type { Config } from "../../config/schema.ts";
import type { Commit } from "../../protocol/names.ts";
import { composeVerification, openCache, type CacheChoice } from "../../wiring/compose-cache.ts";
import { readBuilds } from "../../fleet/find-build.ts";
import type { Context } from "../context.ts";
import type { ServedOutcome } from "../print/pages/served-outcome.ts";
import { connectReader } from "../session/connect-reader.ts";
import { decideReadiness, type Readiness } from "./decide-readiness.ts";

export interface ServedSpecification extends CacheChoice {
  readonly commit: Commit;
  readonly timeoutMs: number;
}

const lookEveryMs = 3000;
/** How many builds are read, newest first. */
const lookedAt = 100;
/** One question to NATS: it may be away for long, and comes back. */
const askMs = 20_000;

/** Says on standard error what it waits for. */
export async function waitUntilServed(
  context: Context,
  config: Config,
  { commit, timeoutMs, ...choice }: ServedSpecification,
  interrupted: AbortSignal,
): Promise<ServedOutcome & { readonly url: string }> {
  const { clock, err, errStyle: style } = context;
  const { cache: settings } = config;
  using access = await openCache(settings, choice, context, interrupted);
  const { url } = access;
  const verify = composeVerification(settings, access);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([interrupted, timeout]);
  let reason = "nothing was asked yet";
  const waitFor = (next: string): void => {
    if (next !== reason) err.write(`${style.dim("waiting:")} ${style.clean(next)}\n`);
    reason = next;
  };
  try {
    for (;;) {
      const readiness = await readReadiness(context, config, commit, signal);
      if (readiness.type === "failed") return { url, ...readiness };
      if (readiness.type === "waiting") waitFor(readiness.reason);
      else {
        const { systems } = readiness;
        const verification = await verifyWithoutStore(
          verify,
          [...new Set(systems.map(({ path }) => path))],
          signal,
        );
        if (verification.findings.length === 0) return { url, type: "served", systems, verification };
        waitFor(`all is built, and not served: ${countProblems(verification.findings)}`);
      }
      await clock.sleep(lookEveryMs, signal);
    }
  } catch (error) {
    interrupted.throwIfAborted();
    if (timeout.aborted) return { url, type: "timed-out", reason };
    throw error;
  }
}

/** Waits for a NATS that is not up yet: after a machine was reinstalled it comes up with the rest. */
async function readReadiness(
  context: Context,
  config: Config,
  commit: Commit,
  signal: AbortSignal,
): Promise<Readiness> {
  const asking = AbortSignal.any([signal, AbortSignal.timeout(askMs)]);
  try {
    await using connected = await connectReader(context, config, asking);
    const ids = await connected.reader.acceptedBuilds(lookedAt, asking);
    return decideReadiness(await readBuilds(connected.reader, ids, asking), commit);
  } catch (error) {
    signal.throwIfAborted();
    // Wrong settings or rights do not fix themselves.
    if (!asking.aborted && !(error instanceof HomelabError && error.kind === "unavailable")) throw error;
    return { type: "waiting", reason: messageOf(error) };
  }
}
