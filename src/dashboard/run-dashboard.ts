// The dashboard: a picture of the fleet, pages made from it, and a server. It reads and does nothing else.
import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { BuildReader, FleetWatcher } from "../bus/bus.ts";
import type { DeployReader } from "../bus/deploy-bus.ts";
import type { RolloutReader } from "../bus/rollout-bus.ts";
import type { AlertState } from "../fleet/alert-state.ts";
import { findProblems, type CacheState } from "../fleet/fleet-status.ts";
import { createLogLibrary, droppedText } from "./log/log-library.ts";
import { createSearchTurns } from "./log/search-turns.ts";
import { createNewsHub } from "./news/news-hub.ts";
import { freshness, headline, layout } from "./page/layout.ts";
import type { Page } from "./page/page.ts";
import { createView, type View } from "./page/view.ts";
import { errorPage, internalError } from "./pages/error-pages.ts";
import { readAssets } from "./server/assets.ts";
import {
  startDashboardServer,
  type DashboardServer,
  type DashboardServerOptions,
} from "./server/dashboard-server.ts";
import { requireClosed, type GateSettings } from "./server/gate.ts";
import { metricsText } from "./server/own-metrics.ts";
import { makePage } from "./server/routes.ts";
import { statusOfPicture } from "./state/fleet-picture.ts";
import { followFleet } from "./state/follow-fleet.ts";

export interface DashboardOptions {
  readonly reader: BuildReader;
  readonly deploy: DeployReader;
  readonly rollouts: RolloutReader;
  readonly watcher: FleetWatcher;
  readonly probeCache: (signal: AbortSignal) => Promise<CacheState | undefined>;
  readonly readAlerts: (signal: AbortSignal) => Promise<AlertState | undefined>;
  readonly listen: { readonly host: string; readonly port: number };
  readonly gate: GateSettings;
  /** Whether only people who are signed in see logs. */
  readonly logs: "everybody" | "login";
  readonly links: { readonly grafana?: string; readonly forge?: string };
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds that a page may take. While NATS is away nothing can be read that is not known. */
const patience = { connected: 15_000, away: 500 } as const;

/** Nobody tells about new lines; whoever looks at a log that is being written is told so often of how long it is. */
const logsEveryMs = 500;

/** Serves until it is disposed. @throws HomelabError when it cannot listen, or would be open to everybody */
export async function runDashboard(options: DashboardOptions, signal: AbortSignal): Promise<DashboardServer> {
  const { reader, watcher, clock, log, version, links } = options;
  requireClosed(options.listen.host, options.gate.auth.mode);
  const stopped = new AbortController();
  const until = AbortSignal.any([signal, stopped.signal]);
  const assets = await readAssets();
  const fleet = followFleet(options, until);
  const logs = createLogLibrary(options);
  const searches = createSearchTurns();
  const seesLogs = (user: string | undefined): boolean => options.logs === "everybody" || user !== undefined;

  async function viewOf(
    address: string,
    { showsLogs, isNews }: { readonly showsLogs: boolean; readonly isNews: boolean },
    ends: AbortSignal,
  ): Promise<View> {
    const picture = fleet.current();
    const now = clock.now();
    const context = {
      url: new URL(address, "http://dashboard"),
      picture,
      fleet,
      reader,
      watcher,
      logs,
      searches,
      showsLogs,
      isNews,
      forge: links.forge,
      now,
    };
    const page = await makePage(context, ends);
    return dressed(page);
  }

  function dressed(page: Page): View {
    const picture = fleet.current();
    const problems = picture.isComplete ? findProblems(statusOfPicture(picture), clock.now()) : [];
    return createView(page, [headline(page, picture, problems), freshness(picture)]);
  }

  /** What a page shows when it cannot be made: never an exception. */
  async function viewOrReason(address: string, showsLogs: boolean, ends: AbortSignal): Promise<View> {
    const slow = AbortSignal.timeout(fleet.current().isConnected ? patience.connected : patience.away);
    try {
      return await viewOf(address, { showsLogs, isNews: false }, AbortSignal.any([ends, slow, until]));
    } catch (error) {
      const known = errorPage(slow.aborted ? tooSlow(fleet.current().isConnected) : error);
      if (known === undefined && !ends.aborted)
        log.error({ err: error, address }, "a page could not be made");
      return dressed(known ?? internalError());
    }
  }

  const hub = createNewsHub(
    {
      clock,
      log,
      render: async (subject) => {
        const showsLogs = subject.startsWith("logs ");
        const slow = AbortSignal.timeout(patience.connected);
        const address = subject.slice(subject.indexOf(" ") + 1);
        if (!fleet.current().isConnected) {
          return viewOrLast(
            subject,
            address,
            showsLogs,
            AbortSignal.any([until, AbortSignal.timeout(patience.away)]),
          );
        }
        return remember(
          subject,
          await viewOf(address, { showsLogs, isNews: true }, AbortSignal.any([slow, until])),
        );
      },
    },
    until,
  );
  /** The last page of each subject, without what is around it. */
  const lastPages = new Map<string, Page>();
  function remember(subject: string, view: View): View {
    lastPages.delete(subject);
    lastPages.set(subject, view.page);
    const [oldest] = lastPages.keys();
    if (lastPages.size > 250 && oldest !== undefined) lastPages.delete(oldest);
    return view;
  }
  /** NATS is away: the page stays as it was, and says how old it is. */
  async function viewOrLast(
    subject: string,
    address: string,
    showsLogs: boolean,
    ends: AbortSignal,
  ): Promise<View> {
    const last = lastPages.get(subject);
    return last === undefined ? viewOf(address, { showsLogs, isNews: true }, ends) : dressed(last);
  }
  fleet.onChange(() => hub.changed());
  const logTimer = setInterval(() => {
    const { open, running } = fleet.current();
    const isWritten = open.size > 0 || running.some(({ state }) => state?.order !== undefined);
    if (isWritten) hub.changed((subject) => /\/logs?(?:\/|$|\?)/.test(subject));
  }, logsEveryMs);
  until.addEventListener("abort", () => clearInterval(logTimer), { once: true });

  const logText: DashboardServerOptions["logText"] = async function* (route, user, ends) {
    if (!seesLogs(user)) {
      throw new HomelabError("refused", "only signed-in users can see logs", { code: "LOGIN_NEEDED" });
    }
    const { name, line } = route;
    if (line === undefined) {
      let isEmpty = true;
      for await (const { text, dropped } of logs.pieces(name, ends)) {
        yield `${dropped === undefined ? "" : `[${droppedText(dropped)}]\n`}${text}`;
        isEmpty = false;
      }
      if (isEmpty) throw new HomelabError("usage", "there is no such log", { code: "UNKNOWN_LOG" });
      return;
    }
    if (line < 1 || line > (await logs.total(name, ends))) {
      throw new HomelabError("usage", `this log has no line ${line}`, { code: "UNKNOWN_LOG" });
    }
    yield* logs.line(name, line, ends);
    yield "\n";
  };

  const server = await startDashboardServer({
    ...options.listen,
    gate: options.gate,
    assets,
    hub,
    log,
    async renderPage(address, user, ends) {
      const view = await viewOrReason(address, seesLogs(user), ends);
      const { grafana } = links;
      const html = layout(view, { address, asset: assets.address, version, user, grafana }).toString();
      return { status: view.page.status, html };
    },
    logText,
    subjectOf: (address, user) => `${seesLogs(user) ? "logs" : "none"} ${address}`,
    metrics: () => metricsText(fleet.current(), hub.clients(), clock.now()),
    isHealthy: () => fleet.current().isComplete && fleet.current().isConnected,
  }).catch((error: unknown) => {
    stopped.abort(error);
    throw error;
  });
  return {
    port: server.port,
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error("the dashboard stops"));
      await server[Symbol.asyncDispose]();
    },
  };
}

const tooSlow = (isConnected: boolean): HomelabError =>
  isConnected
    ? new HomelabError("unavailable", "reading this took too long", {
        code: "PAGE_TIMEOUT",
        hint: "try again; `homelab-deploy doctor` looks at NATS",
      })
    : new HomelabError("unavailable", "NATS is away, and this was not read before", {
        code: "NATS_UNREACHABLE",
        hint: "pages that are open already stay as they were",
      });
