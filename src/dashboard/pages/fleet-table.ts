// The table of the fleet. Where hosts say what they run it is about that, and about their builds otherwise.
import { isUnwell } from "../../fleet/fleet-status.ts";
import type { RunningHost } from "../../fleet/running-hosts.ts";
import { runsText } from "../../fleet/running-words.ts";
import type { HostProgress } from "../../protocol/progress.ts";
import { startOf, type HostResult } from "../../protocol/results.ts";
import { isSuccess } from "../../protocol/verdicts.ts";
import { hosts as countOfHosts } from "../../words/host-names.ts";
import { buildPath, hostPath, withParameters } from "../page/addresses.ts";
import { html, type Html } from "../page/html.ts";
import type { Section } from "../page/page.ts";
import {
  bar,
  commit,
  moment,
  nothing,
  since,
  state,
  tableEnd,
  tableRow,
  tableStart,
  type Column,
} from "../page/parts.ts";
import { activityState, conditionState } from "../page/state-words.ts";
import type { HostActivity } from "../state/fleet-picture.ts";
import type { FleetHost } from "./fleet-hosts.ts";

/** By wave or role, each a table of its own; all in one where the address asks for no groups. */
export function hostTables(url: URL, shown: readonly FleetHost[], total: number): readonly Section[] {
  const hostsSpeak = shown.some(({ running }) => running?.state !== undefined);
  const nameOf = groupNames.get(url.searchParams.get("group") ?? "");
  if (nameOf === undefined || shown.length === 0) return [hostTable(url, shown, total, hostsSpeak)];
  const groups = Map.groupBy(shown, nameOf);
  return [...groups]
    .toSorted(([a], [b]) => Number(isNameless(a)) - Number(isNameless(b)) || inOrder(a, b))
    .map(([name, hosts]) => {
      const { before, ...rest } = hostTable(url, hosts, hosts.length, hostsSpeak);
      return {
        ...rest,
        key: `hosts:${name}`,
        before: html`<h2>${name} <span class="count">${hosts.length}</span></h2>${before}`,
      };
    });
}

const inOrder = new Intl.Collator("en", { numeric: true }).compare;

/** By their names in the address. */
const groupNames: ReadonlyMap<string, (host: FleetHost) => string> = new Map([
  ["wave", ({ running }) => named("Wave", running?.state?.wave)],
  ["role", ({ running }) => named("Role", running?.state?.role)],
  ["tier", ({ running }) => named("Tier", running?.state?.tier)],
]);
const named = (what: string, name: string | number | undefined): string =>
  name === undefined ? `No ${what.toLowerCase()}` : `${what} ${name}`;
const isNameless = (name: string): boolean => name.startsWith("No ");

function hostTable(url: URL, shown: readonly FleetHost[], total: number, hostsSpeak: boolean): Section {
  const sort = url.searchParams.get("sort") ?? "";
  const sortable = (title: string, by: string, className = ""): Column => ({
    title,
    className,
    sort: {
      href: withParameters(url, { sort: sort === by ? `-${by}` : by }),
      by: sort === by ? "ascending" : sort === `-${by}` ? "descending" : "none",
    },
  });
  const columns: readonly Column[] = [
    sortable("Host", "host", "middle"),
    ...(hostsSpeak
      ? [
          sortable("State", "state", "broad"),
          sortable("Runs", "behind", "middle"),
          sortable("Deployed", "deployed", "narrow"),
          { title: "Build", className: "middle" },
          { title: "Now" },
          sortable("Last build", "when", "narrow"),
        ]
      : [
          sortable("State", "state", "broad"),
          { title: "Now" },
          sortable("Commit", "commit", "narrow"),
          { title: "Cached", className: "narrow" },
          sortable("Last build", "when", "narrow"),
          { title: "Fails since", className: "narrow" },
        ]),
  ];
  const severalRepos = new Set(shown.map(({ repo }) => repo)).size > 1;
  const caption = shown.length === total ? countOfHosts(total) : `${shown.length} of ${countOfHosts(total)}`;
  return {
    key: "hosts",
    before:
      shown.length === 0
        ? nothing("No host is like that", html`<p><a href="/">Show all ${total}</a></p>`)
        : tableStart(caption, columns, "fixed"),
    rows: shown.map((host) => ({
      key: `host:${host.repo}/${host.host}`,
      html: rememberedRow(host, severalRepos, columns),
    })),
    after: shown.length === 0 ? html`` : tableEnd,
  };
}

/** Rows by the state of their hosts: they are not rendered again when others change. */
const rows = new WeakMap<object, { readonly shown: FleetHost; readonly look: string; readonly html: Html }>();

function rememberedRow(host: FleetHost, severalRepos: boolean, columns: readonly Column[]): Html {
  const owner = host.result ?? host.running ?? host.activity?.host;
  if (owner === undefined) return rowOf(host, severalRepos, columns);
  const look = `${columns.length} ${columns[3]?.title} ${severalRepos}`;
  const known = rows.get(owner);
  if (known?.look === look && isSameHost(known.shown, host)) return known.html;
  const made = rowOf(host, severalRepos, columns);
  rows.set(owner, { shown: host, look, html: made });
  return made;
}

/** Nothing of it changed since. */
function isSameHost(a: FleetHost, b: FleetHost): boolean {
  if (a.result !== b.result || a.running !== b.running) return false;
  const [x, y] = [a.activity, b.activity];
  if (x === undefined || y === undefined) return x === y;
  return (
    x.host === y.host &&
    x.build === y.build &&
    x.isEvaluating === y.isEvaluating &&
    x.progress === y.progress &&
    x.derivation === y.derivation &&
    x.since === y.since
  );
}

function rowOf(shown: FleetHost, severalRepos: boolean, columns: readonly Column[]): Html {
  const { repo, host, result, activity, said, running } = shown;
  const hostsSpeak = columns.some(({ title }) => title === "Runs");
  const name = html`<a class="name" href="${hostPath({ repo, host })}">${severalRepos && html`<span class="dim">${repo}/</span>`}${host}</a>`;
  const build = state(said.tone, said.word);
  const now = activity === undefined ? reasonOf(result) : activityCell(activity, result);
  const lastBuild =
    result === undefined
      ? ""
      : html`<a class="plain" href="${buildPath(result.build)}">${moment(result.at ?? startOf({ id: result.build }).toISOString())}</a>`;
  const failsSince =
    result?.failsSince === undefined ? "" : html`<span class="bad">${moment(result.failsSince)}</span>`;
  return tableRow(
    `host:${repo}/${host}`,
    columns,
    hostsSpeak
      ? [name, conditionCell(running), runsCell(running), deployedCell(running), build, now, lastBuild]
      : [name, build, now, html`${commit(result?.commit)}`, cachedText(result), lastBuild, failsSince],
  );
}

const conditionCell = (running: RunningHost | undefined): Html =>
  html`${(running?.conditions ?? [{ type: "never-spoke" }]).map((condition) => conditionState(condition))}`;

function runsCell(running: RunningHost | undefined): Html | string {
  if (running?.state === undefined) return "";
  const { behind } = running;
  return html`<code>${runsText(running)}</code>${behind !== undefined && behind > 0 && html` <span class="dim">${behind} behind</span>`}`;
}

function deployedCell(running: RunningHost | undefined): Html | string {
  const last = running?.state?.last;
  const at = last?.at ?? running?.state?.running.since;
  return at === undefined ? "" : html`${moment(at)}`;
}

export const cachedText = (result: Pick<HostResult, "cached" | "verdict"> | undefined): string =>
  result?.cached === undefined ? "" : result.cached ? "yes" : "no";

function reasonOf(result: HostResult | undefined): Html | string {
  if (result?.reason === undefined || isSuccess(result.verdict)) return "";
  const line = result.reason.split("\n", 1)[0] ?? "";
  return isUnwell(result)
    ? html`<a class="reason" href="${buildPath(result.build)}">${line}</a>`
    : html`<span class="reason dim">${line}</span>`;
}

/** How many of its derivations are built. */
export const progressCell = (progress: HostProgress | undefined): Html | undefined =>
  progress === undefined || progress.toBuild === 0
    ? undefined
    : html`<span class="progress">${bar(progress.built / progress.toBuild)}<span class="number">${progress.built}/${progress.toBuild}</span></span> `;

function activityCell(activity: HostActivity, result: HostResult | undefined): Html {
  const { build, progress, derivation, since: start, host } = activity;
  if (host.phase !== "building") {
    const reason = reasonOf(result);
    return html`<a class="plain dim" href="${buildPath(build)}">${activityState(activity).word}</a>${reason !== "" && html` ${reason}`}`;
  }
  const counts = progressCell(progress);
  if (derivation === undefined)
    return html`${counts}<a class="plain dim" href="${buildPath(build)}">in build ${build.slice(0, 10)}</a>`;
  return html`${counts}<a class="plain mono" href="${buildPath(build)}">${derivation.name}</a>${derivation.phase !== undefined && html` <span class="dim">${derivation.phase}</span>`} <span class="dim">${since(start)}</span>`;
}
