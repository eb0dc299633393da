// `/builds`: every recorded build, newest first, in pages by id; and how long builds take.
import { isBuildId, type BuildId } from "../../protocol/names.ts";
import { startOf, type BuildSummary } from "../../protocol/results.ts";
import { durationOf } from "../../words/closing-sentence.ts";
import { shortId } from "../../words/short-id.ts";
import { sourceText } from "../../words/source-text.ts";
import { buildPath, withParameters } from "../page/addresses.ts";
import { durationChart } from "../page/duration-chart.ts";
import { html, type Html } from "../page/html.ts";
import { section, type Page, type Section } from "../page/page.ts";
import { moment, nothing, since, state, tableEnd, tableRow, tableStart } from "../page/parts.ts";
import { buildState } from "../page/state-words.ts";
import type { PageContext } from "./page-context.ts";

const pageLength = 50;
const columns = [
  { title: "Build" },
  { title: "Result" },
  { title: "Source" },
  { title: "Hosts", className: "right" },
  { title: "Time", className: "right" },
  { title: "Started" },
  { title: "By" },
];

export function buildsPage({ url, picture, now }: PageContext): Page {
  const { searchParams } = url;
  const status = searchParams.get("status") ?? "";
  const repo = searchParams.get("repo") ?? "";
  const q = (searchParams.get("q") ?? "").toLowerCase();
  const before = searchParams.get("before") ?? "";
  const fitting = picture.builds.filter(
    (build) =>
      (status === "" || buildState(build).word === status) &&
      (repo === "" || build.sources.some((source) => source.repo === repo)) &&
      (q === "" || searchText(build).includes(q)),
  );
  const from = isBuildId(before) ? fitting.filter(({ id }) => id < before) : fitting;
  const shown = from.slice(0, pageLength);
  const ids = picture.builds.map(({ id }) => id);
  const running = picture.builds.filter((build) => build.status === "running").length;
  return {
    status: 200,
    title: running > 0 ? `▶ ${running} running · Builds` : "Builds",
    tone: running > 0 ? "busy" : "idle",
    place: "/builds",
    sections: [
      section("head", html`<h1>Builds</h1>`),
      ...(before === "" ? [chartSection(picture.builds, now)] : []),
      filterSection(url, picture.builds),
      buildTable(shown, ids, fitting.length, picture.isComplete),
      pageLinks(url, shown, from.length),
    ],
  };
}

const searchText = (build: BuildSummary): string =>
  [
    build.id,
    build.requestedBy ?? "",
    build.trigger ?? "",
    ...build.sources.flatMap(({ repo, branch = "", commit }) => [repo, branch, commit]),
  ]
    .join(" ")
    .toLowerCase();

function chartSection(builds: readonly BuildSummary[], now: Date): Section {
  const month = builds.filter((build) => isOfLastDays(build, now));
  return section("durations", month.length < 2 ? undefined : durationChart(month));
}

/** It is over, had hosts, and was started in the last 30 days. */
export const isOfLastDays = (build: BuildSummary, now: Date): boolean =>
  isSummaryOver(build) &&
  build.durationMs !== undefined &&
  build.hosts.total > 0 &&
  now.getTime() - startOf(build).getTime() < 30 * 86_400_000;

const isSummaryOver = ({ status }: BuildSummary): boolean => status !== "running" && status !== "queued";

function filterSection({ searchParams }: URL, builds: readonly BuildSummary[]): Section {
  const value = (name: string): string => searchParams.get(name) ?? "";
  const words = [...new Set(builds.map((build) => buildState(build).word))].toSorted();
  const repos = [
    ...new Set(builds.flatMap(({ sources }) => sources.map(({ repo }) => repo as string))),
  ].toSorted();
  const choice = (name: string, label: string, options: readonly string[]): Html =>
    html`<label><span>${label}</span> <select name="${name}"><option value="">any</option>${options.map(
      (option) =>
        option === value(name)
          ? html`<option value="${option}" selected>${option}</option>`
          : html`<option value="${option}">${option}</option>`,
    )}</select></label>`;
  return section(
    "filter",
    html`<form class="filter" method="get" action="/builds" role="search">
<label><span class="unseen">Filter builds</span><input type="search" name="q" id="search" value="${value("q")}" placeholder="Id, commit, branch or person" autocomplete="off" spellcheck="false"></label>
${choice("status", "Result", words)}${choice("repo", "Repo", repos)}<button>Apply</button></form>`,
  );
}

function buildTable(
  shown: readonly BuildSummary[],
  ids: readonly BuildId[],
  total: number,
  isComplete: boolean,
): Section {
  const caption = `${shown.length} of ${total === 1 ? "1 build" : `${total} builds`}`;
  const isEmpty = shown.length === 0;
  return {
    key: "builds",
    before: !isEmpty
      ? tableStart(caption, columns)
      : !isComplete
        ? nothing("Reading the builds …")
        : ids.length === 0
          ? nothing("No builds yet", html`<p>Ask for one:</p><p><code>homelab-deploy build --all</code></p>`)
          : nothing("No build is like that", html`<p><a href="/builds">Show all</a></p>`),
    rows: shown.map((build) => ({ key: `build:${build.id}`, html: buildRow(build, ids) })),
    after: isEmpty ? html`` : tableEnd,
  };
}

function buildRow(build: BuildSummary, ids: readonly BuildId[]): Html {
  const { id, hosts, sources, requestedBy, trigger } = build;
  const { tone, word } = buildState(build);
  return tableRow(`build:${id}`, columns, [
    html`<a class="name mono" href="${buildPath(id)}">${shortId(id, ids)}</a>`,
    state(tone, word),
    html`${sources.map((source) => html`<div>${sourceText(source)}${source.branch !== undefined && html` <span class="dim">${source.branch}</span>`}</div>`)}`,
    hosts.total === 0 ? "" : html`<span class="number">${hosts.success}/${hosts.total}</span>`,
    build.status === "running"
      ? html`${since(build.startedAt)}`
      : html`<span class="number">${durationOf(build) ?? ""}</span>`,
    html`${moment(startOf(build).toISOString())}`,
    html`<span class="reason">${requestedBy ?? trigger ?? ""}</span>`,
  ]);
}

function pageLinks(url: URL, shown: readonly BuildSummary[], left: number): Section {
  const last = shown.at(-1);
  const isFirst = !url.searchParams.has("before");
  return section(
    "pages",
    html`<nav class="pages" aria-label="Pages of builds">${!isFirst && html`<a href="${withParameters(url, { before: "" })}">Newest</a>`}
${last !== undefined && left > shown.length && html`<a href="${withParameters(url, { before: last.id })}">Older</a>`}</nav>`,
  );
}
