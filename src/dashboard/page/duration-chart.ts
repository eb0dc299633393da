// How long builds took, as bars of the last 30 days, with the same as a table behind it.
import { startOf, type BuildSummary } from "../../protocol/results.ts";
import { quantile } from "../../fleet/host-times.ts";
import { formatDuration } from "../../words/duration.ts";
import { html, type Html } from "./html.ts";
import { moment, table } from "./parts.ts";
import { buildState } from "./state-words.ts";

const width = 720;
const height = 88;
const mostBars = 120;

/** @param builds over, each with its duration, newest first */
export function durationChart(builds: readonly BuildSummary[]): Html {
  const shown = builds.slice(0, mostBars).toReversed();
  const times = builds.flatMap(({ durationMs }) => durationMs ?? []).toSorted((a, b) => a - b);
  const highest = Math.max(1, ...shown.map(({ durationMs = 0 }) => durationMs));
  const step = width / Math.max(shown.length, 30);
  const bars = shown.map((build, index) => {
    const tall = Math.max(2, ((build.durationMs ?? 0) / highest) * (height - 6));
    const { tone } = buildState(build);
    return html`<rect class="${tone}" x="${(index * step).toFixed(1)}" y="${(height - tall).toFixed(1)}" width="${Math.max(1.5, step - 2).toFixed(1)}" height="${tall.toFixed(1)}" rx="1"><title>${buildState(build).word} in ${formatDuration(build.durationMs ?? 0)}</title></rect>`;
  });
  const median = quantile(times, 0.5);
  const slow = quantile(times, 0.95);
  const repos = [...new Set(builds.flatMap(({ sources }) => sources.map(({ repo }) => repo)))].toSorted();
  return html`<figure class="chart"><figcaption><b>Build time, 30 days</b> <span class="dim">half take up to</span> ${formatDuration(median)}<span class="dim">, 95 % up to</span> ${formatDuration(slow)} <span class="dim">(${times.length} builds, the longest bar is ${formatDuration(highest)})</span></figcaption>
<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="Bars of the build times of the last ${shown.length} builds; the same is in the table below"><line class="axis" x1="0" x2="${width}" y1="${height - 0.5}" y2="${height - 0.5}" />${bars}</svg>
<p class="links"><a href="/builds/times">Times by host</a></p>
<details id="durations-table"><summary>Times by repo</summary>${table(
    "By repo",
    [
      { title: "Repo" },
      { title: "Builds", className: "right" },
      { title: "Half take up to", className: "right" },
      { title: "95 % up to", className: "right" },
      { title: "Newest" },
    ],
    repos.map((repo) => {
      const of = builds.filter(({ sources }) => sources.some((source) => source.repo === repo));
      const own = of.flatMap(({ durationMs }) => durationMs ?? []).toSorted((a, b) => a - b);
      const [newest] = of;
      return [
        repo,
        own.length,
        formatDuration(quantile(own, 0.5)),
        formatDuration(quantile(own, 0.95)),
        newest === undefined ? "" : html`${moment(startOf(newest).toISOString())}`,
      ];
    }),
  )}</details></figure>`;
}
