// What a host runs, boots and may go back to, and what to do about it.
import type { RunningHost } from "../../fleet/running-hosts.ts";
import { runsText, shortPath } from "../../fleet/running-words.ts";
import { seenAt, type HostState } from "../../protocol/deploy/host-state.ts";
import { formatBytes } from "../../words/duration.ts";
import {
  deployCommand,
  diffCommand,
  holdCommand,
  rebootCommand,
  releaseCommand,
  rollbackCommand,
} from "../../words/next-commands.ts";
import { html, type Html } from "../page/html.ts";
import { titled, type Section } from "../page/page.ts";
import { fact, icon, moment } from "../page/parts.ts";
import { conditionState } from "../page/state-words.ts";

/** Nothing of a host that never spoke. */
export function runningSection(running: RunningHost | undefined): readonly Section[] {
  if (running?.state === undefined) return [];
  const { state, behind, conditions } = running;
  const { permanent, bootDefault, booted, previous, reboot, failedUnits, labels } = state;
  const generation =
    permanent.generation === undefined
      ? undefined
      : html` <span class="dim">generation ${permanent.generation}</span>`;
  return [
    titled(
      "running",
      "Runs",
      html`<p class="conditions">${conditions.map((condition) => conditionState(condition))}</p>
${driftNote(running)}
<dl class="facts systems">
${fact("Running", html`${system(state.running.path, "no store path")} <span class="dim">${runsText(running)}${state.running.since !== undefined && html`, since ${moment(state.running.since)}`}</span>`)}
${fact("Booted", same(booted.path, state.running.path) ?? system(booted.path, "unknown"))}
${fact("Permanent", html`${same(permanent.path, state.running.path) ?? system(permanent.path, "unknown")}${generation}`)}
${fact("Boots next", same(bootDefault.path, state.running.path) ?? system(bootDefault.path, "unknown: its boot loader cannot be read"))}
${fact("Goes back to", system(previous?.path, "nowhere: it knows no good system before"))}</dl>
<dl class="facts">
${fact("Behind", behind === undefined ? "unknown" : behind === 0 ? "no: the newest commit runs" : `${behind} ${behind === 1 ? "commit" : "commits"}`)}
${fact("Reboot", reboot !== undefined && reboot.needed.length > 0 ? html`needed for ${reboot.needed.join(", ")}${reboot.since !== undefined && html`, since ${moment(reboot.since)}`}` : "not needed")}
${fact("Failed units", failedUnits.length === 0 ? undefined : html`${failedUnits.map((unit) => html`<code>${unit}</code> `)}`)}
${fact("Wave", state.wave)}
${fact("Role", [state.tier, state.role].filter((each) => each !== undefined).join(", "))}
${fact(
  "Labels",
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(", "),
)}
${fact("Free", freeText(state))}
${fact("Seen", html`${moment(seenAt(state))} <span class="dim">homelab-deploy ${state.version}</span>`)}</dl>`,
    ),
  ];
}

/** `as it runs`, where it is that system. */
const same = (path: string | null, running: string | null): Html | undefined =>
  path !== null && path === running ? html`<span class="dim">the running system</span>` : undefined;

const system = (path: string | null | undefined, without: string): Html =>
  path === null || path === undefined
    ? html`<span class="dim">${without}</span>`
    : html`<code title="${path}">${shortPath(path)}</code>`;

function freeText({ store, boot }: Pick<HostState, "store" | "boot">): string {
  const parts = [
    ...(store === undefined ? [] : [`${formatBytes(store.freeBytes)} for the store`]),
    ...(boot === undefined ? [] : [`${formatBytes(boot.freeBytes)} in /boot`]),
  ];
  return parts.join(", ");
}

const driftMeanings: Readonly<Record<HostState["drift"][number], string>> = {
  "hand-made": "what runs was brought by no order",
  "auto-upgrade": "system.autoUpgrade changes this host by itself",
  profile: "the profile is not what was made permanent",
  "boot-default": "the next boot takes another system than what was made permanent",
};

function driftNote({ state }: RunningHost): Html | undefined {
  const drift = state?.drift ?? [];
  if (drift.length === 0) return undefined;
  return html`<div class="card warn"><p>${icon("warn")} It drifted: ${drift.map((kind) => driftMeanings[kind]).join("; ")}.</p></div>`;
}

/** What is ordered or marked on the command line; what does not apply is left out. */
export function deployCommands(running: RunningHost): readonly (readonly [string, string])[] {
  const { state } = running;
  if (state === undefined) return [];
  const isHeld = running.conditions.some(({ type }) => type === "held");
  const needsReboot = (state.reboot?.needed.length ?? 0) > 0;
  return [
    ["what a deploy would change", diffCommand(running)],
    ["deploy the newest", deployCommand(running)],
    ...(state.previous === undefined ? [] : [["go back", rollbackCommand(running)] as const]),
    ...(needsReboot ? [["reboot it", rebootCommand(running)] as const] : []),
    isHeld
      ? ["end the hold", releaseCommand(running)]
      : ["keep it from being deployed", holdCommand(running)],
  ];
}
