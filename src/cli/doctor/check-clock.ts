// Our clock against those of others. Every HTTP server says its time, to the second.
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import { formatDuration } from "../../words/duration.ts";
import { ok, unknown, warning, wrong, type Finding } from "./finding.ts";

/** More between two builders, and they take each other for gone. */
const wrongMs = 30_000;
const suspectMs = 5_000;
const timeoutMs = 5_000;

export interface ClockParts {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
}

/** The servers of the configuration that speak HTTP, each once. */
export function clockSources({ repos, cache }: Config): readonly string[] {
  return httpOrigins([
    ...Object.values(repos).flatMap(({ url, update }) => [update.forge?.url ?? "", url]),
    cache.url ?? "",
  ]);
}

/** The origins of those addresses that are HTTP, each once. */
export function httpOrigins(addresses: readonly string[]): readonly string[] {
  const origins = addresses
    .map((url) => URL.parse(url))
    .filter((url) => url?.protocol.startsWith("http") === true);
  return [...new Set(origins.map((url) => url?.origin ?? ""))];
}

export async function checkClock(
  sources: readonly string[],
  { clock, fetch }: ClockParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (sources.length === 0) {
    return [
      unknown("clock", "there is no server to compare it with", "see that time is synchronized: timedatectl"),
    ];
  }
  const answers = await Promise.all(
    sources.map(async (source) => {
      try {
        const before = clock.now().getTime();
        const response = await fetch(source, {
          method: "HEAD",
          redirect: "manual",
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        });
        const after = clock.now().getTime();
        return judgeClock(source, Date.parse(response.headers.get("date") ?? ""), { before, after });
      } catch {
        signal.throwIfAborted();
        return undefined;
      }
    }),
  );
  // A server that does not answer is reported by the check that needs it.
  return answers.filter((finding) => finding !== undefined);
}

/** @param theirs milliseconds since 1970, rounded down to a second; NaN when not said */
export function judgeClock(
  source: string,
  theirs: number,
  { before, after }: { readonly before: number; readonly after: number },
): Finding {
  const hint = "let NTP set the clocks of both machines: timedatectl set-ntp true";
  if (Number.isNaN(theirs)) return unknown("clock", `${source} does not report its time`, hint);
  // Its answer was made at some time between; within its second.
  const ahead = Math.max(0, before - (theirs + 1000));
  const behind = Math.max(0, theirs - after);
  const off = Math.max(ahead, behind);
  if (off < suspectMs) return ok("clock", `agrees with ${source}`);
  const message = `it is ${formatDuration(off)} ${ahead > 0 ? "ahead of" : "behind"} ${source}`;
  const finding = off < wrongMs ? warning("clock", message, hint) : wrong("clock", message, hint);
  // It is off against all of them.
  return { ...finding, cause: "clock" };
}
