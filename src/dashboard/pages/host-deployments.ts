// What a host did with its orders: each with its phases, checks and how it ended.
import type { HostAddress } from "../../bus/deploy-bus.ts";
import type { DeployOutcome } from "../../protocol/deploy/deploy-codes.ts";
import type { Deployment, PhaseSpan } from "../../protocol/deploy/deployment.ts";
import { isRolloutId } from "../../protocol/rollout/rollout-events.ts";
import { shortPath } from "../../fleet/running-words.ts";
import { deployEndText } from "../../words/deploy-words.ts";
import { formatBytes, formatDuration } from "../../words/duration.ts";
import { outputPath, rolloutPath } from "../page/addresses.ts";
import { html, type Html } from "../page/html.ts";
import { titled, type Section, type Tone } from "../page/page.ts";
import { commit, duration, fact, icon, moment, nothing, since, state, table } from "../page/parts.ts";

/** @param deployments newest first */
export function deploymentsSection(host: HostAddress, deployments: readonly Deployment[]): Section {
  if (deployments.length === 0) {
    return titled("deployments", "Deployments", nothing("No deployment of this host is recorded"));
  }
  return titled(
    "deployments",
    "Deployments",
    html`${deployments.map((deployment, index) => deploymentCard(host, deployment, index === 0))}`,
  );
}

const tones: Readonly<Record<DeployOutcome, Tone>> = {
  completed: "good",
  unchanged: "good",
  fetched: "good",
  rejected: "bad",
  expired: "warn",
  superseded: "idle",
  failed: "bad",
  "rolled-back": "bad",
  "rollback-failed": "bad",
};

/** While it continues it is never shown as over. */
function stateOf({ phase, end }: Deployment): Html {
  if (end !== undefined) return state(tones[end.outcome], deployEndText(end));
  if (phase === "staged") return state("warn", "waits for a reboot");
  return state(phase === "rolling-back" ? "warn" : "busy", phase);
}

function deploymentCard(host: HostAddress, deployment: Deployment, isNewest: boolean): Html {
  const { order, received, startedAt, end, phases, checks, units, rollBack, warnings } = deployment;
  const to =
    commit(received?.commit) ??
    (received?.path !== undefined && html`<code>${shortPath(received.path)}</code>`);
  const took = end === undefined ? since(startedAt) : duration(Date.parse(end.at) - Date.parse(startedAt));
  const tone = end === undefined ? "busy" : tones[end.outcome];
  const summary = html`<summary>${stateOf(deployment)} <span class="dim">${received?.kind} ${to || ""} ${received?.action} · ${moment(startedAt)}${received !== undefined && html` by ${received.by}`} · ${took}</span></summary>`;
  const id = `deployment-${order ?? startedAt}`;
  const body = html`${received?.reason !== undefined && html`<p><span class="dim">Ordered because:</span> ${received.reason}</p>`}
${rollBack !== undefined && end?.outcome !== "rolled-back" && html`<p>${icon("bad")} ${end === undefined ? "Rolling back" : "Rollback was tried"} because: ${rollBack.why} <code>${rollBack.code}</code></p>`}
${warnings.map((text) => html`<p>${icon("warn")} ${text}</p>`)}
${phaseBar(phases)}
${phaseFacts(deployment)}
${checks !== undefined && checks.length > 0 && checkTable(checks)}
${units !== undefined && unitNote(units)}
${order !== undefined && phases.some(({ phase }) => phase === "activating") && html`<p class="links"><a class="button" href="${outputPath(host, order)}">Open its output</a></p>`}
<p class="dim small">${order !== undefined && html`Order <code>${order}</code>`}${received !== undefined && html`, serial ${received.serial}`}${deployment.from !== undefined && html`, from <code title="${deployment.from}">${shortPath(deployment.from)}</code>`}${received?.rollout !== undefined && html`, wave ${received.rollout.wave} of rollout ${rolloutLink(received.rollout.id)}`}</p>`;
  const isOpen = isNewest || end === undefined;
  return html`<div class="card ${tone}">${
    isOpen
      ? html`<details class="deployment" id="${id}" open>${summary}${body}</details>`
      : html`<details class="deployment" id="${id}">${summary}${body}</details>`
  }</div>`;
}

const rolloutLink = (id: string): Html =>
  isRolloutId(id) ? html`<a class="mono" href="${rolloutPath(id)}">${id}</a>` : html`<code>${id}</code>`;

const barWidth = 720;

/** Where its time went; the table below says the same in numbers. */
function phaseBar(phases: readonly PhaseSpan[]): Html | undefined {
  const spans = phases.filter(({ ms }) => ms !== undefined && ms > 0);
  const total = spans.reduce((sum, { ms = 0 }) => sum + ms, 0);
  if (total === 0 || spans.length < 2) return undefined;
  let x = 0;
  const parts = spans.map(({ phase, ms = 0 }, index) => {
    const width = (ms / total) * barWidth;
    const part = html`<rect class="${phase === "rolling-back" ? "bad" : index % 2 === 0 ? "busy" : "second"}" x="${x.toFixed(1)}" width="${Math.max(1, width - 1).toFixed(1)}" height="10"><title>${phase} ${formatDuration(ms)}</title></rect>`;
    x += width;
    return part;
  });
  return html`<svg class="phases" viewBox="0 0 ${barWidth} 10" preserveAspectRatio="none" aria-hidden="true">${parts}</svg>`;
}

function phaseFacts({ phases, fetch, reboot, staged }: Deployment): Html {
  const more = (phase: string): string | undefined => {
    if (phase === "fetching" && fetch !== undefined) {
      return fetch.paths === 0 ? "everything was there" : `${formatBytes(fetch.bytes)}, ${fetch.paths} paths`;
    }
    if (phase === "preflight" && reboot !== undefined && reboot.length > 0) {
      return `needs a reboot for ${reboot.join(", ")}`;
    }
    return phase === "staged" ? staged : undefined;
  };
  return html`<dl class="facts">${phases
    .filter(({ phase }) => phase !== "finished")
    .map(({ phase, since: began, ms }) => {
      const note = more(phase);
      const time = ms === undefined ? since(began) : duration(ms);
      return fact(phase, html`${time}${note !== undefined && html` <span class="dim">${note}</span>`}`);
    })}</dl>`;
}

const checkTable = (checks: NonNullable<Deployment["checks"]>): Html =>
  table(
    "Checks",
    [
      { title: "Check" },
      { title: "Result" },
      { title: "Time", className: "right" },
      { title: "More", className: "wide" },
    ],
    checks.map(({ name, ok, ms, detail, critical }) => [
      name,
      ok
        ? state("good", "passed")
        : state(critical ? "bad" : "warn", critical ? "failed" : "failed, not critical"),
      ms < 1000 ? `${ms} ms` : html`${duration(ms)}`,
      detail ?? "",
    ]),
  );

function unitNote({ new: failed, lost }: NonNullable<Deployment["units"]>): Html | undefined {
  if (failed.length + lost.length === 0) return undefined;
  return html`<p>${icon("bad")} ${[
    ...(failed.length === 0 ? [] : [`${failed.join(", ")} failed`]),
    ...(lost.length === 0 ? [] : [`${lost.join(", ")} no longer runs`]),
  ].join("; ")}</p>`;
}
