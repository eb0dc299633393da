// Which page an address is.
import { parseLogName, type LogName } from "../log/log-name.ts";
import { buildPage } from "../pages/build-page.ts";
import { buildTimesPage } from "../pages/build-times-page.ts";
import { buildsPage } from "../pages/builds-page.ts";
import { cachePage } from "../pages/cache-page.ts";
import { notFound } from "../pages/error-pages.ts";
import { fleetPage } from "../pages/fleet-page.ts";
import { healthPage } from "../pages/health-page.ts";
import { hostPage } from "../pages/host-page.ts";
import { inputsPage } from "../pages/inputs-page.ts";
import { logPage } from "../pages/logs/log-page.ts";
import { logsPage } from "../pages/logs/logs-page.ts";
import type { PageContext } from "../pages/page-context.ts";
import { queuePage } from "../pages/queue-page.ts";
import { rolloutPage } from "../pages/rollouts/rollout-page.ts";
import { rolloutsPage } from "../pages/rollouts/rollouts-page.ts";
import { updatesPage } from "../pages/updates-page.ts";
import type { Page } from "../page/page.ts";

type Make = (context: PageContext, signal: AbortSignal) => Promise<Page> | Page;

const pages: Readonly<Record<string, Make>> = {
  "/": fleetPage,
  "/builds": buildsPage,
  "/builds/times": buildTimesPage,
  "/rollouts": rolloutsPage,
  "/queue": queuePage,
  "/updates": updatesPage,
  "/inputs": inputsPage,
  "/cache": cachePage,
  "/health": healthPage,
};

/** @throws HomelabError for what cannot be shown */
export async function makePage(context: PageContext, signal: AbortSignal): Promise<Page> {
  const path = context.url.pathname;
  const fixed = pages[path];
  if (fixed !== undefined) return fixed(context, signal);
  const [first, second, third, fourth, ...more] = namesIn(path);
  if (more.length === 0 && second !== undefined) {
    if (first === "hosts" && third !== undefined && fourth === undefined) {
      return hostPage(context, second, third, signal);
    }
    if (first === "rollouts" && third === undefined) return rolloutPage(context, second, signal);
    if (first === "builds" && third === undefined) return buildPage(context, second, signal);
    if (first === "builds" && third === "logs") {
      if (fourth === undefined) return logsPage(context, second, signal);
    }
  }
  const log = parseLogName(namesIn(path));
  if (log !== undefined) return logPage(context, log, signal);
  return notFound();
}

/** None where the address cannot be decoded. */
function namesIn(path: string): readonly string[] {
  try {
    return path.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return [];
  }
}

/** Text of a log: all of it, or one line. */
export type LogTextRoute = {
  readonly name: LogName;
  readonly line?: number;
  readonly isDownload: boolean;
};

export function logTextRoute(path: string): LogTextRoute | undefined {
  const { log, what, line } =
    /^(?<log>\/.*)\/(?:(?<what>raw|download)|lines\/(?<line>\d{1,12}))$/.exec(path)?.groups ?? {};
  const name = log === undefined ? undefined : parseLogName(namesIn(log));
  if (name === undefined) return undefined;
  return { name, line: line === undefined ? undefined : Number(line), isDownload: what === "download" };
}
