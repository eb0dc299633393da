// `/queue`: what waits, what is worked on, and who works.
import { isPresent } from "../../fleet/fleet-status.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { BuilderStatus } from "../../protocol/builder-status.ts";
import { Priority } from "../../protocol/request.ts";
import { formatBytes } from "../../words/duration.ts";
import { shortId } from "../../words/short-id.ts";
import { sourceText } from "../../words/source-text.ts";
import { buildPath } from "../page/addresses.ts";
import { html, type Html, type HtmlValue } from "../page/html.ts";
import { section, titled, type Page, type Section } from "../page/page.ts";
import { bar, commands, moment, nothing, since, state, table } from "../page/parts.ts";
import type { FleetPicture, OpenBuild } from "../state/fleet-picture.ts";
import type { PageContext } from "./page-context.ts";

export function queuePage({ picture, now }: PageContext): Page {
  const { waiting } = picture.queue;
  return {
    status: 200,
    title: waiting > 0 ? `${waiting} queued · Queue` : "Queue",
    tone: waiting > 0 ? "busy" : "idle",
    place: "/queue",
    sections: [
      section("head", html`<h1>Queue</h1>`),
      waitingSection(picture),
      runningSection(picture),
      builderSection(picture, now),
    ],
  };
}

function waitingSection({ queue }: FleetPicture): Section {
  const { waiting, oldestAt, targets } = queue;
  if (waiting === 0) return titled("waiting", "Waiting", nothing("No request waits for a builder"));
  return titled(
    "waiting",
    "Waiting",
    html`<p class="lead">${waiting === 1 ? "1 request waits" : `${waiting} requests wait`} for a builder${oldestAt !== undefined && html`, the oldest ${since(oldestAt.toISOString())}`}</p>`,
    targets.length > 0 &&
      table(
        "What they are about",
        [{ title: "Hosts" }, { title: "Requests", className: "right" }],
        targets.map(({ target, count }) => [`${target.repo}/${target.host}`, count]),
      ),
    commands([["cancel one", "homelab-deploy builds cancel ID"]]),
  );
}

const lanes = Priority.options;

/** What runs in each lane: `interactive` never waits for `batch`. */
function laneTable(open: readonly OpenBuild[]): Html {
  const columns = [
    { title: "Lane" },
    { title: "Builds", className: "right" },
    { title: "Hosts to evaluate", className: "right" },
    { title: "Derivations to build", className: "right" },
    { title: "Hosts left", className: "right" },
  ];
  const left = (part: { readonly done: number; readonly total: number } | undefined): number =>
    part === undefined ? 0 : part.total - part.done;
  const rows = lanes.map((lane) => {
    const builds = open.filter(({ state: build }) => build.priority === lane);
    const sum = (of: (build: OpenBuild) => number): Html =>
      html`<span class="number">${builds.reduce((total, build) => total + of(build), 0)}</span>`;
    return [
      builds.length === 0 ? state("idle", lane) : state("busy", lane),
      html`<span class="number">${builds.length}</span>`,
      sum(({ progress }) => left(progress?.evaluations)),
      sum(({ progress }) => left(progress?.builds)),
      sum(({ state: build }) => build.hosts.size - doneIn(build)),
    ];
  });
  return table("Lanes", columns, rows);
}

const doneIn = ({ hosts }: BuildState): number =>
  [...hosts.values()].filter(({ finished }) => finished !== undefined).length;

function runningSection(picture: FleetPicture): Section {
  const ids = picture.builds.map(({ id }) => id);
  const open = [...picture.open.values()].toSorted((a, b) => laneOf(a) - laneOf(b));
  if (open.length === 0) return titled("running", "Running", nothing("Nothing is being built"));
  const part = (of: { readonly done: number; readonly total: number } | undefined): HtmlValue =>
    of && html`<span class="number">${of.done}/${of.total}</span>`;
  const rows = open.map(({ state: build, progress }) => {
    const done = doneIn(build);
    return [
      html`<a class="name mono" href="${buildPath(build.id)}">${shortId(build.id, ids)}</a>`,
      build.priority ?? "",
      html`<span class="progress">${bar(build.hosts.size === 0 ? 0 : done / build.hosts.size)}<span class="number">${done}/${build.hosts.size}</span></span>`,
      part(progress?.evaluations),
      part(progress?.builds),
      html`${since(build.startedAt)}`,
      build.builder ?? "",
      build.sources.map(sourceText).join(", "),
    ];
  });
  const columns = ["Build", "Lane", "Hosts done", "Evaluated", "Derivations", "Time", "Builder", "Source"];
  return titled(
    "running",
    "Running",
    laneTable(open),
    table(
      "Builds that run",
      columns.map((title) => ({ title })),
      rows,
    ),
  );
}

const laneOf = ({ state: build }: OpenBuild): number => lanes.findIndex((lane) => lane === build.priority);

function builderSection({ builders }: FleetPicture, now: Date): Section {
  if (builders.length === 0) {
    return titled(
      "builders",
      "Builders",
      nothing(
        "No builder was ever here",
        html`<p>Start one: <code>homelab-deploy builder --config FILE</code>, or see <code>homelab-deploy doctor</code></p>`,
      ),
    );
  }
  const columns = [
    "Name",
    "State",
    "Seen",
    "Builds",
    "Evaluators",
    "Disk free",
    "Systems",
    "Version",
    "Nix",
    "Repos",
  ];
  return titled(
    "builders",
    "Builders",
    table(
      "Builders",
      columns.map((title) => ({ title })),
      builders.map((builder) => builderRow(builder, now)),
    ),
  );
}

function builderRow(builder: BuilderStatus, now: Date): readonly (Html | string | number)[] {
  const isHere = isPresent(builder, now);
  return [
    builder.name,
    isHere ? state("good", "here") : state("warn", "gone"),
    isHere ? html`since ${moment(builder.startedAt)}` : html`${moment(builder.at)}`,
    isHere ? builder.builds.length : "",
    builder.evaluationSlots,
    diskCell(builder),
    builder.systems.join(", "),
    builder.version,
    builder.nixVersion,
    builder.repos.join(", "),
  ];
}

export function diskCell({ disk }: Pick<BuilderStatus, "disk">): Html {
  if (disk === undefined) return html`<span class="dim">not told</span>`;
  const share = disk.availableBytes / disk.totalBytes;
  return html`<span class="progress">${bar(1 - share, share < 0.05 ? "bad" : share < 0.15 ? "warn" : "busy")}<span class="number">${formatBytes(disk.availableBytes)} of ${formatBytes(disk.totalBytes)}</span></span>`;
}
