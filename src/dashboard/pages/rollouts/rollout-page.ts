// `/rollouts/ID`: one rollout. What it waits for, or why it was halted, comes first; then its waves with their hosts.
import { HomelabError } from "../../../base/errors.ts";
import { isRolloutId } from "../../../protocol/rollout/rollout-events.ts";
import type { Asked, Rollout } from "../../../protocol/rollout/rollout.ts";
import { rolloutCommand } from "../../../words/next-commands.ts";
import { rolloutActions, type RolloutAction } from "../../../words/rollout-actions.ts";
import {
  count,
  haltWords,
  progressText,
  rolloutStateWords,
  triggerWords,
} from "../../../words/rollout-words.ts";
import { shortId } from "../../../words/short-id.ts";
import { buildPath, hostPath, rolloutPath } from "../../page/addresses.ts";
import { html, type Html } from "../../page/html.ts";
import { section, titled, type Page, type Section } from "../../page/page.ts";
import { commands, commit, fact, icon, moment, state } from "../../page/parts.ts";
import type { PageContext } from "../page-context.ts";
import { rolloutTime, statesOf } from "./rollouts-page.ts";
import { waveBoard } from "./wave-board.ts";

export async function rolloutPage(context: PageContext, name: string, signal: AbortSignal): Promise<Page> {
  const { picture, fleet, now } = context;
  const rollout = isRolloutId(name) ? await fleet.rollout(name, signal) : undefined;
  if (rollout === undefined) {
    throw new HomelabError("usage", `there is no rollout ${JSON.stringify(name.slice(0, 40))}`, {
      code: "UNKNOWN_ROLLOUT",
      hint: "list them: homelab-deploy rollouts list",
    });
  }
  const states = statesOf(picture, rollout);
  const { tone, text } = rolloutStateWords(rollout, states, now);
  const short = shortId(
    rollout.id,
    (picture.rollouts ?? []).map(({ id }) => id),
  );
  const sign = { good: "✓", bad: "✗", busy: "▶", warn: "!", idle: "·" }[tone];
  return {
    status: 200,
    title: `${sign} ${progressText(rollout)} · Rollout ${short}`,
    tone,
    place: "/rollouts",
    sections: [
      section(
        "head",
        html`<p class="crumbs"><a href="/rollouts">Rollouts</a></p>
<h1>Rollout <span class="id">${short}</span></h1>
<p class="lead">${state(tone, text)}</p>
${haltCard(rollout)}${facts(rollout)}`,
      ),
      commandSection(rollout),
      waveBoard(rollout, states, now),
    ],
  };
}

/** Nothing once somebody let it continue. */
const haltCard = ({ repo, halted }: Rollout): Html | undefined =>
  halted &&
  html`<div class="card bad"><p>${icon("bad")} Halted ${moment(halted.at)} because ${haltWords[halted.code]}: ${halted.detail} <code>${halted.code}</code></p>${halted.host !== undefined && html`<p class="links"><a class="button" href="${hostPath({ repo, host: halted.host })}">Open ${halted.host}</a></p>`}</div>`;

function facts(rollout: Rollout): Html {
  const { id, repo, branch, build, trigger, created, paused, aborted, retryOf, waves } = rollout;
  const inWaves = waves.length === 0 ? "" : `, in ${count(waves.length, "wave")}`;
  return html`<dl class="facts">
${fact("Hosts", `${progressText(rollout)}${inWaves}`)}
${fact("To", html`${repo} ${commit(rollout.commit)}${branch !== undefined && html` <span class="dim">on ${branch}</span>`}`)}
${fact("Build", build && html`<a class="mono" href="${buildPath(build)}">${shortId(build, [])}</a>`)}
${fact("Asked for", asked(created))}
${fact("Trigger", triggerWords[trigger])}
${fact("Paused", paused && asked(paused))}
${fact("Aborted", aborted && asked(aborted))}
${fact("Time", rolloutTime(rollout))}
${fact("Retry of", retryOf && html`<a class="mono" href="${rolloutPath(retryOf)}">${shortId(retryOf, [])}</a>`)}
${fact("Id", html`<code>${id}</code>`)}</dl>`;
}

const asked = ({ by, at, reason }: Asked): Html =>
  html`by ${by} ${moment(at)}${reason !== undefined && html`: <span class="reason">${reason}</span>`}`;

const does: Readonly<Record<RolloutAction, string>> = {
  pause: "give no more orders",
  resume: "let it continue",
  abort: "end it",
  retry: "try the rest again",
};

const commandSection = (rollout: Rollout): Section =>
  titled(
    "commands",
    "On the command line",
    commands([
      ...rolloutActions(rollout).map((action) => [does[action], rolloutCommand(action, rollout.id)] as const),
      ["show it there", rolloutCommand("show", rollout.id)],
    ]),
  );
