// `homelab-deploy status`: the fleet on one screen.
import { firstLine } from "../../../base/lines.ts";
import { isPresent, isUnwell, type FleetStatus } from "../../../fleet/fleet-status.ts";
import type { BuilderStatus } from "../../../protocol/builder-status.ts";
import type { UpdateEvent } from "../../../protocol/update-events.ts";
import { outcomeOf } from "../../../protocol/verdicts.ts";
import { formatAgo, formatBytes, formatDuration } from "../../../words/duration.ts";
import { hosts as countOfHosts } from "../../../words/host-names.ts";
import { sourceText } from "../../../words/source-text.ts";
import { verdictText } from "../summary/verdict-text.ts";
import { idText, statusText, whenText, type ListPrint } from "./builds-table.ts";
import { rolloutTable } from "./rollouts-table.ts";
import { renderTable, type Table } from "./table.ts";

/** More do not fit on a screen. */
const mostRows = 12;
const mostTargets = 4;

/** @param problems `findProblems` */
export function renderStatus(status: FleetStatus, problems: readonly string[], print: ListPrint): string {
  const { style } = print;
  const { glyphs } = style;
  const verdict =
    problems.length === 0
      ? `${style.green(glyphs.success)} ${countOfHosts(status.hosts.length)}, all is well`
      : `${style.red(glyphs.failure)} ${style.clean(problems.join("; "))}`;
  const sections = [
    [verdict],
    section("Builders", builderTable(status.builders, print), print),
    queueLines(status, print),
    section("Running", runningTable(status, print), print),
    section("Last builds", lastTable(status, print), print),
    section("Failing hosts", hostTable(status, print), print),
    section("Rollouts", rolloutTable(status.rollouts, print), print),
    section("Updates", updateTable(status.updates, print), print),
    cacheLines(status, print),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function section(title: string, { columns, rows }: Table, { style, width }: ListPrint): readonly string[] {
  if (rows.length === 0) return [];
  const more = rows.length - mostRows;
  return [
    style.bold(title),
    ...renderTable({ columns, rows: rows.slice(0, mostRows) }, { style, width }),
    ...(more > 0 ? [style.dim(`  ${style.glyphs.ellipsis} ${more} more`)] : []),
  ];
}

const builderTable = (builders: readonly BuilderStatus[], { style, now }: ListPrint): Table => ({
  columns: [
    { title: "Name" },
    { title: "Is" },
    { title: "Builds", align: "right" },
    { title: "Disk free" },
    { title: "Version" },
    { title: "Repos", flexible: true },
  ],
  rows: builders.map((builder) => {
    const { name, at, builds, disk, version, repos } = builder;
    const isHere = isPresent(builder, now);
    return [
      style.clean(name),
      isHere
        ? `${style.green(style.glyphs.success)} here`
        : `${style.yellow(style.glyphs.fault)} gone, seen ${formatAgo(new Date(at), now)}`,
      isHere ? String(builds.length) : "",
      disk === undefined || !isHere
        ? ""
        : `${formatBytes(disk.availableBytes)} of ${formatBytes(disk.totalBytes)}`,
      style.clean(version),
      repos.join(", "),
    ];
  }),
});

function queueLines({ queue }: FleetStatus, { style, now }: ListPrint): readonly string[] {
  const { waiting, oldestAt, targets } = queue;
  if (waiting === 0) return [];
  const since =
    oldestAt === undefined ? "" : `, the oldest for ${formatDuration(now.getTime() - oldestAt.getTime())}`;
  const named = targets.slice(0, mostTargets).map(({ target, count }) => {
    const times = count === 1 ? "" : ` (${count})`;
    return `${target.repo}/${target.host}${times}`;
  });
  const more = targets.length > mostTargets ? `, ${style.glyphs.ellipsis}` : "";
  const requests = waiting === 1 ? "1 request waits" : `${waiting} requests wait`;
  const about = named.length === 0 ? "" : `: ${style.clean(named.join(", "))}${more}`;
  return [`${style.bold("Queue")}  ${requests} for a builder${since}${about}`];
}

const runningTable = ({ running }: FleetStatus, print: ListPrint): Table => ({
  columns: [
    { title: "Build" },
    { title: "Hosts" },
    { title: "Time", align: "right" },
    { title: "Builder" },
    { title: "Source", flexible: true },
    { title: "By", flexible: true },
  ],
  rows: running.map(({ build, done }) => [
    idText(build.id, print),
    `${done}/${build.hosts.total} done`,
    build.startedAt === undefined
      ? ""
      : `${formatDuration(print.now.getTime() - Date.parse(build.startedAt))}+`,
    build.builder ?? "",
    build.sources.map(sourceText).join(", "),
    print.style.clean(build.requestedBy ?? build.trigger ?? ""),
  ]),
});

const lastTable = ({ last }: FleetStatus, print: ListPrint): Table => ({
  columns: [
    { title: "Repo" },
    { title: "Result" },
    { title: "When" },
    { title: "Hosts" },
    { title: "Commit" },
    { title: "Build" },
    { title: "Because", flexible: true },
  ],
  rows: last.map(({ repo, build }) => {
    const { id, status, code, startedAt, hosts, sources, reason } = build;
    return [
      repo,
      statusText(
        status === "queued" || status === "running" ? status : outcomeOf({ verdict: status, code }),
        print.style,
      ),
      startedAt === undefined ? "" : whenText(new Date(startedAt), print),
      hosts.total === 0 ? "" : `${hosts.success}/${hosts.total}`,
      sources.find((source) => source.repo === repo)?.commit.slice(0, 7) ?? "",
      idText(id, print),
      print.style.clean(firstLine(reason ?? "")),
    ];
  }),
});

const hostTable = ({ hosts }: FleetStatus, print: ListPrint): Table => ({
  columns: [
    { title: "Host", flexible: true },
    { title: "Last result" },
    { title: "Fails since" },
    { title: "Commit" },
    { title: "Because", flexible: true },
  ],
  rows: hosts
    .filter(isUnwell)
    .map((host) => [
      `${host.repo}/${host.host}`,
      verdictText(outcomeOf(host), print.style),
      host.failsSince === undefined ? "" : whenText(new Date(host.failsSince), print),
      host.commit?.slice(0, 7) ?? "",
      print.style.clean(firstLine(host.reason ?? "")),
    ]),
});

const updateTable = (updates: readonly UpdateEvent[], print: ListPrint): Table => ({
  columns: [
    { title: "Repo" },
    { title: "Outcome" },
    { title: "When" },
    { title: "Open pull requests", flexible: true },
    { title: "Because", flexible: true },
  ],
  rows: updates.map(({ repo, outcome, at, pullRequests = [], reason }) => [
    repo,
    outcome === "failed" ? print.style.red(outcome) : outcome,
    whenText(new Date(at), print),
    print.style.clean(pullRequests.map(({ number, url }) => url ?? `#${number}`).join(", ")),
    print.style.clean(firstLine(reason ?? "")),
  ]),
});

function cacheLines({ cache }: FleetStatus, { style }: ListPrint): readonly string[] {
  if (cache === undefined) return [];
  const said =
    "reason" in cache
      ? `${style.red(style.glyphs.failure)} ${style.clean(cache.reason)}`
      : `${style.green(style.glyphs.success)} answers in ${cache.latencyMs.toFixed(1)} ms`;
  return [`${style.bold("Cache")}  ${style.clean(cache.url)}  ${said}`];
}
