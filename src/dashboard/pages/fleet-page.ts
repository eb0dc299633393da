// `/`: every host, what it runs, and what is done with it now.
import { isPresent, type CacheState } from "../../fleet/fleet-status.ts";
import { shortId } from "../../words/short-id.ts";
import { sourceText } from "../../words/source-text.ts";
import { buildPath, withParameters } from "../page/addresses.ts";
import { html, type Html } from "../page/html.ts";
import { section, type Page, type Row, type Section, type Tone } from "../page/page.ts";
import { bar, icon, nothing, since, state } from "../page/parts.ts";
import { buildState } from "../page/state-words.ts";
import type { FleetPicture } from "../state/fleet-picture.ts";
import {
  arrange,
  buildClasses,
  fleetHosts,
  runningClasses,
  type FleetHost,
  type HostClass,
} from "./fleet-hosts.ts";
import { hostTables } from "./fleet-table.ts";
import { hasHalted, openRollouts } from "./rollouts/rollouts-page.ts";
import type { PageContext } from "./page-context.ts";

export function fleetPage({ url, picture, now }: PageContext): Page {
  const all = fleetHosts(picture);
  const shown = arrange(all, url.searchParams);
  const failed = all.filter((host) => isBad(host)).length;
  const faults = all.filter(({ said }) => said.tone === "warn").length;
  const busy = picture.open.size > 0;
  const tone: Tone = failed > 0 || hasHalted(picture) ? "bad" : faults > 0 ? "warn" : busy ? "busy" : "good";
  const title =
    failed > 0
      ? `✗ ${failed} failed · Fleet`
      : busy
        ? "▶ building · Fleet"
        : all.length === 0
          ? "Fleet"
          : "✓ Fleet";
  return {
    status: 200,
    title,
    tone,
    place: "/",
    sections: [
      section("tiles", html`<h1>Fleet</h1>`, tiles(picture, all, url, now)),
      ...openRollouts(picture, now),
      ...runningSection(picture),
      ...(all.length === 0
        ? [noHosts(picture)]
        : [filterSection(url, all), ...hostTables(url, shown, all.length)]),
    ],
  };
}

/** Its build fails, or its last deployment did. */
const isBad = (host: FleetHost): boolean =>
  [...buildClasses, ...runningClasses].some(({ tone, has }) => tone === "bad" && has(host));

function tiles(picture: FleetPicture, all: readonly FleetHost[], url: URL, now: Date): Html {
  const strip = (classes: readonly HostClass[], always: readonly string[]): readonly Html[] =>
    classes.flatMap((each) => {
      const count = all.filter(each.has).length;
      return count > 0 || always.includes(each.name) ? [tile(each, count, url)] : [];
    });
  const present = picture.builders.filter((builder) => isPresent(builder, now)).length;
  const runs = picture.running.length === 0 ? [] : strip(runningClasses, []);
  return html`<div class="tiles"><span class="tiles-name">Builds</span>${strip(buildClasses, ["bad", "good"])}<span class="gap"></span>
<a class="tile ${picture.queue.waiting > 0 ? "busy" : "idle"}" href="/queue"><b>${picture.queue.waiting}</b> <span>queued</span></a>
<a class="tile ${present === 0 ? "bad" : "idle"}" href="/queue"><b>${present}</b> <span>${present === 1 ? "builder" : "builders"} here</span></a>
${cacheTile(picture.cache)}</div>${runs.length > 0 && html`<div class="tiles"><span class="tiles-name">Hosts</span>${runs}</div>`}`;
}

function tile({ name, tone, word }: HostClass, count: number, url: URL): Html {
  const isChosen = url.searchParams.get("state") === name;
  const href = withParameters(
    { pathname: "/", searchParams: url.searchParams },
    { state: isChosen ? "" : name },
  );
  const look = count === 0 ? "idle" : tone;
  return html`<a class="tile ${look}" href="${href}" aria-current="${isChosen ? "true" : "false"}">${icon(look)}<b>${count}</b> <span>${word}</span></a>`;
}

const cacheTile = (cache: CacheState | undefined): Html | undefined => {
  if (cache === undefined) return undefined;
  return "reason" in cache
    ? html`<a class="tile bad" href="/cache">${icon("bad")}<span>cache does not answer</span></a>`
    : html`<a class="tile idle" href="/cache"><span>cache answers</span></a>`;
};

function runningSection(picture: FleetPicture): readonly Section[] {
  const open = [...picture.open.values()];
  if (open.length === 0) return [];
  const ids = picture.builds.map(({ id }) => id);
  const rows = open.map(({ state: build, progress }): Row => {
    const done = [...build.hosts.values()].filter(({ finished }) => finished !== undefined).length;
    const total = build.hosts.size;
    const { tone, word } = buildState(build);
    const evaluations = progress?.evaluations;
    const what =
      evaluations !== undefined && evaluations.done < evaluations.total
        ? `${evaluations.done} of ${evaluations.total} evaluated`
        : (progress?.note ?? "");
    return {
      key: `running:${build.id}`,
      html: html`<div class="running" data-key="running:${build.id}">
${state(tone, html`<a href="${buildPath(build.id)}">${word} ${shortId(build.id, ids)}</a>`)}
<span class="dim">${build.sources.map(sourceText).join(", ")}</span>
<span class="progress">${bar(total === 0 ? 0 : done / total)}<span class="number">${done}/${total} done</span></span>
<span class="dim">${what}</span>
<span class="end">${since(build.startedAt)}${build.requestedBy !== undefined && html` <span class="dim">by ${build.requestedBy}</span>`}</span></div>`,
    };
  });
  return [{ key: "running", before: html`<h2 class="unseen">Running</h2>`, rows, after: html`` }];
}

const noHosts = (picture: FleetPicture): Section =>
  section(
    "hosts",
    picture.isComplete
      ? nothing(
          "No host was built yet",
          html`<p>Ask for a first build, and its hosts appear here as they are evaluated:</p><p><code>homelab-deploy build --all</code></p>`,
        )
      : nothing(
          "Reading what is recorded …",
          html`<p>Every build and host of the last 30 days. This takes a few seconds.</p>`,
        ),
  );

function filterSection({ searchParams }: URL, all: readonly FleetHost[]): Section {
  const repos = [...new Set(all.map(({ repo }) => repo))];
  const hostsSpeak = all.some(({ running }) => running?.state !== undefined);
  const value = (name: string): string => searchParams.get(name) ?? "";
  const option = (text: string, of: string, chosen: string): Html =>
    of === chosen
      ? html`<option value="${of}" selected>${text}</option>`
      : html`<option value="${of}">${text}</option>`;
  return section(
    "filter",
    html`<form class="filter" method="get" action="/" role="search">
<label><span class="unseen">Filter hosts</span><input type="search" name="q" id="search" value="${value("q")}" placeholder="Filter hosts" autocomplete="off" spellcheck="false"></label>
<label><span>State</span> <select name="state">${option("any", "", value("state"))}${[...buildClasses, ...(hostsSpeak ? runningClasses : [])].map(({ name, word }) => option(word, name, value("state")))}</select></label>
${repos.length > 1 && html`<label><span>Repo</span> <select name="repo">${option("all", "", value("repo"))}${repos.map((repo) => option(repo, repo, value("repo")))}</select></label>`}
<label><span>Order</span> <select name="sort">${[
      ["", "by name"],
      ["state", "failed first"],
      ...(hostsSpeak ? [["behind", "most behind first"]] : []),
      ["-when", "newest first"],
      ["when", "oldest first"],
    ].map(([of = "", text = ""]) => option(text, of, value("sort")))}</select></label>
${
  hostsSpeak &&
  html`<label><span>Group</span> <select name="group">${[
    ["", "none"],
    ["wave", "by wave"],
    ["role", "by role"],
    ["tier", "by tier"],
  ].map(([of = "", text = ""]) => option(text, of, value("group")))}</select></label>`
}
<button>Apply</button></form>`,
  );
}
