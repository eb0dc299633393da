// `/builds/ID`: one build. What failed comes first, with the end of its log.
import { workThrough } from "../../base/work-through.ts";
import { isOver, type BuildState, type HostState } from "../../protocol/build-state.ts";
import type { HostRef } from "../../protocol/events.ts";
import { fullName, parseBuildId, type BuildId } from "../../protocol/names.ts";
import { outcomeOf } from "../../protocol/verdicts.ts";
import { closingSentence, durationOf } from "../../words/closing-sentence.ts";
import {
  explain,
  groupFailures,
  isInfra,
  shortenFailures,
  type FailureGroup,
} from "../../words/failure-groups.ts";
import { hostLabelOf, hosts as countOfHosts } from "../../words/host-names.ts";
import { onMachine } from "../../words/machine-words.ts";
import {
  cancelCommand,
  failedLogsCommand,
  followCommand,
  retryCommands,
  showCommand,
} from "../../words/next-commands.ts";
import { shortId } from "../../words/short-id.ts";
import { verdictWords } from "../../words/verdict-words.ts";
import { tailHtml } from "../log/line-html.ts";
import { buildPath, hostPath, logPath, withParameters } from "../page/addresses.ts";
import { html, type Html, type HtmlValue } from "../page/html.ts";
import { section, titled, type Page, type Section } from "../page/page.ts";
import {
  bar,
  commands,
  commit,
  duration,
  icon,
  moment,
  since,
  state,
  tableEnd,
  tableRow,
  tableStart,
} from "../page/parts.ts";
import { activityState, buildState } from "../page/state-words.ts";
import { startOfDerivation, type OpenBuild } from "../state/fleet-picture.ts";
import { changeKinds, decideChange, type ChangeKind } from "./build-changes.ts";
import { cachedText, progressCell } from "./fleet-table.ts";
import type { PageContext } from "./page-context.ts";

const tailLength = 20;
/** Failures after these are shown without the end of their log, as on the command line. */
const mostTails = 5;
/** For what each host was before. */
const lookedBack = 5;

export async function buildPage(context: PageContext, name: string, signal: AbortSignal): Promise<Page> {
  const id = parseBuildId(name);
  const { picture, fleet, url, showsLogs } = context;
  const build = await fleet.build(id, signal);
  const open = picture.open.get(id);
  const { tone, word } = buildState(build);
  const before = await buildsBefore(context, build, signal);
  const short = shortId(
    id,
    picture.builds.map((each) => each.id),
  );
  const sign = { good: "✓", bad: "✗", busy: "▶", warn: "!", idle: "·" }[tone];
  return {
    status: 200,
    title: `${sign} ${word} · Build ${short}`,
    tone,
    place: "/builds",
    sections: [
      head(build, short, context.forge),
      ...nowSection(build, open),
      ...failureSections(build, showsLogs),
      ...noteSections(build),
      hostSection(build, before, open, url),
      commandSection(build),
    ],
  };
}

function head(build: BuildState, short: string, forge: string | undefined): Section {
  const { tone, word } = buildState(build);
  const fact = (name: string, value: HtmlValue): Html | undefined =>
    value === undefined || value === "" ? undefined : html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const sources = build.sources.map(
    ({ repo, branch, commit: hash, overrides = [] }) =>
      html`<div>${repo} ${commitLink(hash, forge)}${branch !== undefined && html` <span class="dim">on ${branch}</span>`}${overrides.map(
        (override) => html` <span class="dim">with ${override.input}</span> ${commit(override.commit)}`,
      )}</div>`,
  );
  return section(
    "head",
    html`<p class="crumbs"><a href="/builds">Builds</a></p>
<h1>${state(tone, word)} <span class="id">${short}</span></h1>
<p class="lead">${closingSentence(build)}</p>
<dl class="facts">${fact("Source", sources.length === 0 ? undefined : sources)}
${fact("Started", moment(build.startedAt))}
${isOver(build) ? fact("Took", durationOf(build)) : fact("Running", since(build.startedAt))}
${fact("Asked for by", build.requestedBy)}
${fact("Trigger", build.trigger)}
${fact("Builder", build.builder)}
${fact("Id", html`<code>${build.id}</code>`)}</dl>`,
    build.reason !== undefined && html`<pre class="reason-text" tabindex="0">${build.reason}</pre>`,
    build.rejection?.hint !== undefined && html`<p>${build.rejection.hint}</p>`,
  );
}

const commitLink = (hash: string, forge: string | undefined): Html | undefined =>
  forge === undefined
    ? commit(hash)
    : html`<a href="${`${forge.replace(/\/$/, "")}/commit/${hash}`}" rel="noopener noreferrer">${commit(hash)}</a>`;

/** What is going on: only while something is. */
function nowSection(build: BuildState, open: OpenBuild | undefined): readonly Section[] {
  if (open === undefined || isOver(build)) return [];
  const { progress, progressAt } = open;
  const done = [...build.hosts.values()].filter(({ finished }) => finished !== undefined).length;
  const counts = [
    progress?.evaluations && `${progress.evaluations.done} of ${progress.evaluations.total} evaluated`,
    progress?.builds && `${progress.builds.done} of ${progress.builds.total} derivations built`,
    progress?.fetches && `${progress.fetches.done} of ${progress.fetches.total} paths fetched`,
  ].filter((each) => each !== undefined);
  return [
    titled(
      "now",
      "Now",
      html`<p class="progress wide">${bar(build.hosts.size === 0 ? 0 : done / build.hosts.size)}<span class="number">${done}/${countOfHosts(build.hosts.size)} done</span></p>
<p class="dim">${counts.join(" · ")}${progress?.note !== undefined && ` · ${progress.note}`}</p>
<ul class="derivations">${(progress?.running ?? []).map(
        (derivation) =>
          html`<li>${icon("busy")} <code>${derivation.name}</code><span class="dim">${onMachine(derivation.machine)} ${derivation.phase ?? ""}</span> ${since(startOfDerivation(derivation, progressAt))}${derivation.usualMs !== undefined && html` <span class="dim">usually ${duration(derivation.usualMs)}</span>`}${derivation.host !== undefined && html` <span class="dim">for ${fullName(derivation.host)}</span>`}</li>`,
      )}</ul>
<p><a href="${buildPath(build.id)}/logs">Logs so far</a></p>`,
    ),
  ];
}

function failureSections(build: BuildState, showsLogs: boolean): readonly Section[] {
  const { shown, more } = shortenFailures(groupFailures(build));
  if (shown.length === 0) return [];
  const label = hostLabelOf(build, (text) => text);
  return [
    {
      key: "failures",
      before: html`<h2>Failures <span class="count">${shown.length + more.reduce((sum, each) => sum + each.count, 0)}</span></h2>`,
      rows: shown.map((group, index) => ({
        key: `failure:${index}`,
        html: failureCard(build, group, index, showsLogs, label),
      })),
      after: html`${more.map(({ hosts, count }) => html`<p class="dim">${count} more derivations fail for ${hosts.map(label).join(", ")}</p>`)}`,
    },
  ];
}

function failureCard(
  build: BuildState,
  group: FailureGroup,
  index: number,
  showsLogs: boolean,
  label: (host: HostRef) => string,
): Html {
  const isFault = isInfra(group);
  const affected = group.hosts.map((host) => html`<a href="${hostPath(host)}">${label(host)}</a>`);
  const which = html`<p class="affects">${isFault ? "hits" : "breaks"} ${group.hosts.length === 1 ? "" : html`<b>${countOfHosts(group.hosts.length)}</b>: `}${separated(affected)}${isFault && html` <span class="dim">but is not ${group.hosts.length === 1 ? "its" : "their"} fault</span>`}</p>`;
  const tone = isFault ? "warn" : "bad";
  const key = `failure:${index}`;
  if (group.type === "hosts") {
    return html`<article class="card ${tone}" data-key="${key}" tabindex="-1" data-failure="1">
<h3>${icon(tone)} ${verdictWords[group.verdict]}</h3>${which}<pre class="tail" tabindex="0">${group.reason}</pre>
${group.details !== undefined && group.details !== group.reason && html`<details id="trace-${index}"><summary>Whole trace</summary><pre class="tail" tabindex="0">${group.details}</pre></details>`}</article>`;
  }
  const { failure } = group;
  const tail = failure.tail.slice(-tailLength);
  const [host] = group.hosts;
  return html`<article class="card ${tone}" data-key="${key}" tabindex="-1" data-failure="1">
<h3>${icon(tone)} ${failure.name} <span class="because">${explain(failure)}</span></h3>${which}
${
  !showsLogs
    ? html`<p class="dim">Sign in to see its log.</p>`
    : html`${index < mostTails && tail.length > 0 && html`<p class="dim small">${tail.length === 1 ? "Last line of its log" : `Last ${tail.length} lines of its log`}</p>${tailHtml(tail)}`}
${failure.log !== undefined && html`<p class="links"><a class="button" href="${logPath(build.id, failure.log)}">Open the log</a> <a href="${logPath(build.id, failure.log)}/raw">Raw</a></p>`}`
}
<details id="more-${index}"><summary>Reproduce</summary><p class="dim small"><code>${failure.drvPath}</code></p>
${commands([
  ["on the builder", `nix-store --realise ${failure.drvPath}`],
  ...(host === undefined ? [] : [["its log here", failedLogsCommand(build.id, host)] as const]),
  ...retryCommands(build, group.hosts, "same-commit").map((text) => ["build the same commit", text] as const),
])}</details></article>`;
}

const separated = (parts: readonly Html[]): readonly HtmlValue[] =>
  parts.map((part, index) => html`${index > 0 && ", "}${part}`);

function noteSections(build: BuildState): readonly Section[] {
  const { warnings, skipped, unresolved = [] } = build;
  if (warnings.length + skipped.length + unresolved.length === 0) return [];
  return [
    titled(
      "notes",
      "Notes",
      html`<ul class="notes">${unresolved.map(({ repo, reason }) => html`<li>${icon("warn")} <b>${repo}</b> could not be read: ${reason}</li>`)}
${warnings.map((warning) => html`<li>${icon("warn")} ${warning}</li>`)}
${skipped.map(({ host, reason }) => html`<li>${icon("idle")} <b>${host}</b> left out: ${reason}</li>`)}</ul>`,
    ),
  ];
}

function hostSection(
  build: BuildState,
  before: readonly BuildState[],
  open: OpenBuild | undefined,
  url: URL,
): Section {
  const evaluating = new Set(open?.progress?.evaluations?.running.map(fullName));
  const all = [...build.hosts.values()].map((host) => ({ host, kind: decideChange(host, before) }));
  const tab = url.searchParams.get("tab") ?? "";
  const shown = all
    .filter(({ kind }) => tab === "" || kind === tab)
    .toSorted((a, b) => rankOf(a) - rankOf(b));
  const count = (kind: ChangeKind): number => all.filter((each) => each.kind === kind).length;
  const tabs: readonly (readonly [string, string, number])[] = [
    ["", "all", all.length],
    ...changeKinds.filter((kind) => count(kind) > 0).map((kind) => [kind, kind, count(kind)] as const),
  ];
  const columns = [
    { title: "Host" },
    { title: "State" },
    { title: "Details", className: "wide" },
    { title: "Cached" },
    { title: "Time", className: "right" },
  ];
  const label = hostLabelOf(build, (text) => text);
  const row = (host: HostState, kind: ChangeKind): Html => {
    const { finished } = host;
    const { tone, word } = activityState({
      host,
      isEvaluating: finished === undefined && evaluating.has(fullName(host)),
    });
    const mark = kind === "newly failing" || kind === "still failing" || kind === "fixed";
    const line = finished?.reason?.split("\n", 1)[0];
    return tableRow(`host:${fullName(host)}`, columns, [
      html`<a class="name" href="${hostPath(host)}">${label(host)}</a>`,
      html`${state(tone, word)}${mark && html` <span class="mark-word">${kind}</span>`}`,
      line === undefined
        ? (progressCell(finished === undefined ? open?.hostProgress.get(fullName(host)) : undefined) ?? "")
        : html`<span class="reason">${line}</span>`,
      finished === undefined ? "" : cachedText(finished),
      finished === undefined ? "" : html`${duration(finished.durationMs)}`,
    ]);
  };
  return {
    key: "hosts",
    before: html`<h2>Hosts</h2>${
      all.length === 0
        ? html`<p class="dim">${isOver(build) ? "No host was listed." : "The hosts are being listed."}</p>`
        : html`<nav class="tabs" aria-label="Hosts by what changed">${tabs.map(
            ([value, text, many]) =>
              html`<a href="${withParameters(url, { tab: value })}" aria-current="${value === tab ? "true" : "false"}">${text} <span class="count">${many}</span></a>`,
          )}</nav>${tableStart(tab === "" ? countOfHosts(all.length) : `${tab}: ${shown.length} of ${countOfHosts(all.length)}`, columns)}`
    }`,
    rows: shown.map(({ host, kind }) => ({ key: `host:${fullName(host)}`, html: row(host, kind) })),
    after: all.length === 0 ? html`` : tableEnd,
  };
}

/** What fails first, then what is worked on: whoever looks at a build that runs wants to see these. */
function rankOf({ kind, host }: { readonly kind: ChangeKind; readonly host: HostState }): number {
  if (kind !== "unfinished") return changeKinds.indexOf(kind);
  return changeKinds.indexOf("built") - (host.phase === "building" || host.phase === "retrying" ? 0.8 : 0.5);
}

function commandSection(build: BuildState): Section {
  const failed = [...build.hosts.values()].filter(
    ({ finished }) => finished !== undefined && buildsAgain(outcomeOf(finished)),
  );
  return titled(
    "commands",
    "On the command line",
    commands(
      isOver(build)
        ? [
            ["the same here", showCommand(build.id)],
            ...retryCommands(build, failed, "branch").map(
              (text) => ["build the failed hosts again", text] as const,
            ),
          ]
        : [
            ["follow it", followCommand(build.id)],
            ["cancel it", cancelCommand(build.id)],
          ],
    ),
    html`<p class="links"><a href="${buildPath(build.id)}/logs">All logs of this build</a></p>`,
  );
}

const buildsAgain = (outcome: string): boolean => outcome !== "built" && outcome !== "unchanged";

/** Over, of the same branches, without overrides, newest first. */
async function buildsBefore(
  { picture, fleet }: PageContext,
  build: BuildState,
  signal: AbortSignal,
): Promise<readonly BuildState[]> {
  const branches = branchesOf(build);
  const ids = picture.builds
    .filter(
      (each) =>
        each.id < build.id &&
        each.status !== "running" &&
        each.status !== "queued" &&
        each.hosts.total > 0 &&
        branchesOf(each).some((branch) => branches.includes(branch)),
    )
    .slice(0, lookedBack)
    .map(({ id }) => id);
  const found = new Map<BuildId, BuildState>();
  await workThrough([...ids], lookedBack, async (id) => {
    const earlier = await fleet.build(id, signal).catch(() => undefined);
    signal.throwIfAborted();
    if (earlier !== undefined) found.set(id, earlier);
  });
  return ids.flatMap((id) => found.get(id) ?? []);
}

const branchesOf = ({ sources }: Pick<BuildState, "sources">): readonly string[] =>
  sources.flatMap(({ repo, branch, overrides }) =>
    branch === undefined || overrides !== undefined ? [] : [`${repo}#${branch}`],
  );
