// `/builds/times`: how long builds take for each host.
import { hostTimes } from "../../fleet/host-times.ts";
import { isOver } from "../../protocol/build-state.ts";
import { fullName } from "../../protocol/names.ts";
import { formatDuration } from "../../words/duration.ts";
import { hostPath } from "../page/addresses.ts";
import { html } from "../page/html.ts";
import { section, type Page } from "../page/page.ts";
import { bar, nothing, table } from "../page/parts.ts";
import { isOfLastDays } from "./builds-page.ts";
import type { PageContext } from "./page-context.ts";
import { readBuildsOf } from "./read-builds-of.ts";

/** Their events are read: as many as are kept. */
const mostBuilds = 50;

export async function buildTimesPage(context: PageContext, signal: AbortSignal): Promise<Page> {
  const { picture, now } = context;
  const ids = picture.builds
    .filter((build) => isOfLastDays(build, now))
    .slice(0, mostBuilds)
    .map(({ id }) => id);
  const builds = (await readBuildsOf(context, ids, signal)).filter(isOver);
  const times = hostTimes(builds);
  const slowest = Math.max(1, ...times.map(({ slowMs }) => slowMs));
  const severalRepos = new Set(times.map(({ repo }) => repo)).size > 1;
  return {
    status: 200,
    title: "Build times",
    tone: "idle",
    place: "/builds",
    sections: [
      section(
        "head",
        html`<p class="crumbs"><a href="/builds">Builds</a></p><h1>Build times</h1>`,
        times.length > 0 &&
          html`<p class="lead">From the start of a build to the verdict on the host, of the ${builds.length === 1 ? "last build" : `last ${builds.length} builds`} in 30 days. A host that was built already does not count.</p>`,
      ),
      section(
        "times",
        times.length === 0
          ? nothing("No host was built in the last 30 days")
          : table(
              `${times.length} hosts, the slowest first`,
              [
                { title: "Host" },
                { title: "Builds", className: "right" },
                { title: "Half take up to" },
                { title: "95 % take up to" },
              ],
              times.map(({ repo, host, count, medianMs, slowMs }) => [
                html`<a class="name" href="${hostPath({ repo, host })}">${severalRepos ? fullName({ repo, host }) : host}</a>`,
                html`<span class="number">${count}</span>`,
                html`<span class="progress">${bar(medianMs / slowest)}<span class="number">${formatDuration(medianMs)}</span></span>`,
                html`<span class="progress">${bar(slowMs / slowest, "idle")}<span class="number">${formatDuration(slowMs)}</span></span>`,
              ]),
            ),
      ),
    ],
  };
}
