// `/builds/ID/logs`: which logs a build has.
import { workThrough } from "../../../base/work-through.ts";
import { parseBuildId } from "../../../protocol/names.ts";
import { derivationName } from "../../../protocol/store-paths/derivation-name.ts";
import { hostList } from "../../../words/host-names.ts";
import type { LogHead } from "../../log/log-library.ts";
import { buildPath, logPath } from "../../page/addresses.ts";
import { html } from "../../page/html.ts";
import { section, type Page } from "../../page/page.ts";
import { nothing, state, table } from "../../page/parts.ts";
import { noPermission } from "../error-pages.ts";
import type { PageContext } from "../page-context.ts";

/** Each needs a look at its beginning. */
const mostLogs = 200;
const looksAtOnce = 20;

export async function logsPage(context: PageContext, name: string, signal: AbortSignal): Promise<Page> {
  if (!context.showsLogs)
    return noPermission("Logs can contain secrets, so only signed-in users can see them.");
  const build = parseBuildId(name);
  const { logs, watcher, fleet } = context;
  const [all, known] = await Promise.all([
    watcher.listLogs(build, signal),
    fleet.build(build, signal).catch(() => undefined),
  ]);
  const failed = new Set<string>(known?.failures.map(({ drvPath }) => drvPath));
  const heads = new Map<number, LogHead>();
  const shown = all.slice(0, mostLogs);
  await workThrough([...shown], looksAtOnce, async ({ log }) => {
    const head = await logs.head({ type: "build", build, log }, signal);
    if (head !== undefined) heads.set(log, head);
  });
  // A failed derivation is stored twice: its full log stands for the live one.
  const whole = new Set(
    [...heads.values()].filter(({ kind }) => kind === "full").map(({ drvPath }) => drvPath),
  );
  const rows = shown.flatMap(({ log, chunks }) => {
    const head = heads.get(log);
    if (head === undefined || (head.kind === "live" && whole.has(head.drvPath))) return [];
    return [{ log, chunks, head, hasFailed: failed.has(head.drvPath) }];
  });
  const sorted = rows.toSorted((a, b) => Number(b.hasFailed) - Number(a.hasFailed));
  return {
    status: 200,
    title: `Logs of ${build.slice(0, 10)}`,
    tone: "idle",
    place: "/builds",
    sections: [
      section(
        "head",
        html`<p class="crumbs"><a href="/builds">Builds</a> / <a href="${buildPath(build)}">${build.slice(0, 10)}</a></p><h1>Logs</h1>`,
      ),
      section(
        "logs",
        rows.length === 0
          ? nothing(
              "No log is stored of this build",
              html`<p>Nothing had to be built, nothing was printed yet, or it is older than 14 days.</p>`,
            )
          : table(
              `${rows.length}${all.length > mostLogs ? ` of ${all.length}` : ""} logs`,
              [{ title: "Derivation" }, { title: "State" }, { title: "For" }, { title: "Log" }],
              sorted.map(({ log, head, hasFailed }) => [
                html`<a class="name mono" href="${logPath(build, log)}">${derivationName(head.drvPath)}</a>`,
                hasFailed ? state("bad", "failed") : state("idle", "printed"),
                head.hosts === undefined
                  ? html`<span class="dim">several hosts</span>`
                  : hostList(head.hosts),
                head.kind === "full" ? "whole, from the store" : "as it came",
              ]),
            ),
      ),
    ],
  };
}
