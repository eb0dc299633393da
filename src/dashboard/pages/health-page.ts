// `/health`: each part of the whole, and what is not well.
import type { AlertState } from "../../fleet/alert-state.ts";
import { findClockFaults, type ClockFault } from "../../fleet/clock-faults.ts";
import { findProblems, isPresent } from "../../fleet/fleet-status.ts";
import type { StreamUse } from "../../bus/bus.ts";
import type { RunningHost } from "../../fleet/running-hosts.ts";
import { isAbsent } from "../../protocol/deploy/host-state.ts";
import { fullName } from "../../protocol/names.ts";
import { isHalted, type Rollout } from "../../protocol/rollout/rollout.ts";
import { formatBytes, formatDuration } from "../../words/duration.ts";
import { hostList } from "../../words/host-names.ts";
import { doctorCommand } from "../../words/next-commands.ts";
import { shortId } from "../../words/short-id.ts";
import { progressText } from "../../words/rollout-words.ts";
import { rolloutPath } from "../page/addresses.ts";
import { html, type Html, type HtmlValue } from "../page/html.ts";
import { section, titled, type Page, type Section, type Tone } from "../page/page.ts";
import { bar, commands, icon, moment, nothing, state, table } from "../page/parts.ts";
import { statusOfPicture } from "../state/fleet-picture.ts";
import type { PageContext } from "./page-context.ts";

/** Clocks that are named. */
const mostNamed = 8;

export function healthPage({ picture, now }: PageContext): Page {
  const problems = picture.isComplete ? findProblems(statusOfPicture(picture), now) : [];
  const present = picture.builders.filter((builder) => isPresent(builder, now));
  const versions = [...new Set(present.map(({ version }) => version))];
  const part = (name: string, is: Html, more: HtmlValue): readonly HtmlValue[] => [name, is, more];
  const isWell = problems.length === 0 && picture.isConnected;
  return {
    status: 200,
    title: isWell ? "✓ Health" : `✗ ${problems.length || "not connected"} · Health`,
    tone: isWell ? "good" : "bad",
    place: "/health",
    sections: [
      section(
        "head",
        html`<h1>Health</h1>`,
        !picture.isComplete
          ? nothing("Reading …")
          : problems.length === 0
            ? html`<p class="lead">${icon("good")} All is well.</p>`
            : html`<ul class="problems">${problems.map((problem) => html`<li>${icon("bad")} ${problem}</li>`)}</ul>`,
      ),
      titled(
        "parts",
        "Parts",
        table(
          "Parts of homelab-deploy",
          [
            { title: "Part", className: "broad" },
            { title: "State", className: "broad" },
            { title: "Details" },
          ],
          [
            part(
              "NATS",
              picture.isConnected ? state("good", "connected") : state("bad", "away"),
              html`data of ${moment(picture.asOf)}`,
            ),
            part(
              "Builders",
              present.length > 0 ? state("good", `${present.length} here`) : state("bad", "none is here"),
              versions.length > 1
                ? html`<span class="warn">their versions differ: ${versions.join(", ")}</span>`
                : versions.join(""),
            ),
            part(
              "Queue",
              picture.queue.waiting > 0
                ? state("busy", `${picture.queue.waiting} waiting`)
                : state("good", "empty"),
              picture.queue.oldestAt === undefined
                ? ""
                : html`the oldest ${moment(picture.queue.oldestAt.toISOString())}`,
            ),
            rolloutPart(picture.rollouts ?? []),
            part("Cache", cacheState(picture.cache), picture.cache?.url ?? "cache.url is not set"),
            listenerPart(picture.running, now),
            clockPart(findClockFaults(picture.running, present, now)),
            alertPart(picture.alerts),
          ],
        ),
      ),
      ...alertSection(picture.alerts),
      titled(
        "streams",
        "Streams",
        picture.streams.length === 0 ? nothing("Not read yet") : streamTable(picture.streams),
      ),
      titled(
        "commands",
        "On the command line",
        commands([
          ["check everything, with advice", doctorCommand],
          ["the same facts", "homelab-deploy status"],
        ]),
      ),
    ],
  };
}

function cacheState(cache: PageContext["picture"]["cache"]): Html {
  if (cache === undefined) return state("idle", "not configured");
  return "reason" in cache ? state("bad", "does not answer") : state("good", "answers");
}

/** Those that run, each a click away. */
function rolloutPart(rollouts: readonly Rollout[]): Part {
  const open = rollouts.filter(({ end }) => end === undefined);
  const halted = open.filter(isHalted);
  const ids = rollouts.map(({ id }) => id);
  const is =
    halted.length > 0
      ? state("bad", halted.length === 1 ? "1 is halted" : `${halted.length} are halted`)
      : open.length === 0
        ? state("good", "none runs")
        : state("busy", open.length === 1 ? "1 runs" : `${open.length} run`);
  return [
    "Rollouts",
    is,
    html`${(halted.length > 0 ? halted : open).map((rollout) => html`<div><a class="mono" href="${rolloutPath(rollout.id)}">${shortId(rollout.id, ids)}</a> <span class="dim">${rollout.repo}, ${progressText(rollout)}</span></div>`)}`,
  ];
}

type Part = readonly [name: string, is: Html, more: HtmlValue];

function listenerPart(hosts: readonly RunningHost[], now: Date): Part {
  const states = hosts.flatMap((host) => host.state ?? []);
  if (states.length === 0) return ["Listeners", state("idle", "none has ever reported"), ""];
  const absent = states.filter((each) => isAbsent(each, now));
  const versions = [...new Set(states.map(({ version }) => version))].toSorted();
  return [
    "Listeners",
    absent.length === 0
      ? state("good", `${states.length} here`)
      : state("warn", `${absent.length} of ${states.length} absent`),
    html`${versions.length > 1 ? html`<span class="warn">their versions differ: ${versions.join(", ")}</span>` : versions.join("")}${absent.length > 0 && html`<div class="dim">absent: ${hostList(absent.map(fullName))}</div>`}`,
  ];
}

function clockPart(faults: readonly ClockFault[]): Part {
  if (faults.length === 0) return ["Clocks", state("good", "agree"), "of builders and hosts that are here"];
  return [
    "Clocks",
    state("bad", faults.length === 1 ? "1 is wrong" : `${faults.length} are wrong`),
    html`${faults.slice(0, mostNamed).map(({ name, offsetMs }) => html`<div>${name}${offsetMs === undefined ? "" : `, ${formatDuration(Math.abs(offsetMs))} ${offsetMs > 0 ? "ahead" : "behind"}`}</div>`)}`,
  ];
}

function alertPart(alerts: AlertState | undefined): Part {
  if (alerts === undefined) {
    return ["Alerts", state("idle", "not configured"), "dashboard.links.prometheus is not set"];
  }
  if ("reason" in alerts) {
    return [
      "Alerts",
      state("warn", "unknown"),
      html`<span class="reason">${alerts.url}: ${alerts.reason}</span>`,
    ];
  }
  const firing = alerts.alerts.filter((alert) => alert.state === "firing");
  const isCritical = firing.some(({ severity }) => severity === "critical");
  const is =
    firing.length === 0
      ? state("good", "none fires")
      : state(isCritical ? "bad" : "warn", firing.length === 1 ? "1 fires" : `${firing.length} fire`);
  return ["Alerts", is, alerts.url];
}

const severityTones: Readonly<Record<string, Tone>> = { critical: "bad", warning: "warn" };

function alertSection(alerts: AlertState | undefined): readonly Section[] {
  if (alerts === undefined || "reason" in alerts || alerts.alerts.length === 0) return [];
  return [
    titled(
      "alerts",
      "Alerts",
      table(
        "Alerts of Prometheus",
        [{ title: "Alert" }, { title: "State" }, { title: "Since" }, { title: "Summary", className: "wide" }],
        alerts.alerts.map(({ name, severity, state: is, since: from, summary }) => [
          html`<span class="name">${name}</span>`,
          is === "pending"
            ? state("idle", `pending, ${severity}`)
            : state(severityTones[severity] ?? "idle", severity || "firing"),
          html`${moment(from)}`,
          html`<span class="reason">${summary}</span>`,
        ]),
      ),
    ),
  ];
}

const streamTable = (streams: readonly StreamUse[]): Html =>
  table(
    "What NATS stores",
    [{ title: "Stream" }, { title: "Messages", className: "right" }, { title: "Used" }],
    streams.map(({ name, messages, bytes, maxBytes }) => [
      html`<code>${name}</code>`,
      html`<span class="number">${messages.toLocaleString("en")}</span>`,
      maxBytes <= 0
        ? formatBytes(bytes)
        : html`<span class="progress">${bar(bytes / maxBytes, bytes / maxBytes > 0.9 ? "warn" : "busy")}<span class="number">${formatBytes(bytes)} of ${formatBytes(maxBytes)}</span></span>`,
    ]),
  );
