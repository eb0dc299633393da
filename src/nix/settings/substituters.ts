import type { Clock } from "../../base/clock.ts";
import type { Realiser, SubstituterProbe } from "../realiser.ts";
import { shownUrl, type AskSubstituter } from "./ask-substituter.ts";

const rememberedMs = 60_000;
/** While all are down somebody may be waiting for one. */
const rememberedDownMs = 5000;
const pauseMs = 1000;

export interface SubstituterProberOptions {
  /** The substituters of nix.conf, in its order. */
  readonly substituters: readonly string[];
  readonly ask: AskSubstituter;
  readonly clock: Clock;
}

/**
 * Every version of Nix waits for minutes for a cache that does not answer, and Nix 2.8 hangs or crashes on one that
 * answers with errors. So Nix is asked about each substituter before a build, about all at once. A fault is believed
 * at the second try; of what was down when it was last asked, at the first. What they answer holds for a minute, and for 5 seconds when all are down.
 */
export function createSubstituterProber({
  substituters,
  ask,
  clock,
}: SubstituterProberOptions): Realiser["probeSubstituters"] {
  let remembered: { readonly probe: SubstituterProbe; readonly until: number } | undefined;
  const wasDown = new Set<string>();

  async function whyDown(url: string, signal: AbortSignal): Promise<string | undefined> {
    const first = await ask(url, signal);
    if (first === undefined || wasDown.has(url)) return first;
    await clock.sleep(pauseMs, signal);
    return ask(url, signal);
  }

  return async (signal) => {
    signal.throwIfAborted();
    if (remembered !== undefined && clock.monotonic() < remembered.until) return remembered.probe;
    const answers = await Promise.all(
      [...new Set(substituters)].map(async (url) => ({ url, reason: await whyDown(url, signal) })),
    );
    for (const { url, reason } of answers) {
      if (reason === undefined) wasDown.delete(url);
      else wasDown.add(url);
    }
    const dead = answers.flatMap(({ url, reason }) =>
      reason === undefined ? [] : [{ url: shownUrl(url), reason }],
    );
    const alive = answers.filter(({ reason }) => reason === undefined).map(({ url }) => url);
    const probe = { use: dead.length === 0 ? undefined : alive, dead };
    const areAllDown = dead.length > 0 && alive.length === 0;
    remembered = { probe, until: clock.monotonic() + (areAllDown ? rememberedDownMs : rememberedMs) };
    return probe;
  };
}
