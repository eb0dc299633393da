// The waves of a rollout beside each other, in their order, with a card for each host. A wave of many hosts has a row of its
// own.
import { shortPath } from "../../../fleet/running-words.ts";
import {
  failedHosts,
  isPlanned,
  type Rollout,
  type RolloutHost,
  type RolloutWave,
} from "../../../protocol/rollout/rollout.ts";
import type { HostStates } from "../../../words/rollout-waits.ts";
import { count, rolloutHostWords, soakText } from "../../../words/rollout-words.ts";
import { hostPath } from "../../page/addresses.ts";
import { html, type Html } from "../../page/html.ts";
import { titled, type Row, type Section, type Tone } from "../../page/page.ts";
import { bar, commit, duration, icon, moment, nothing, since, state } from "../../page/parts.ts";

/** A column of more would be much longer than the page. */
const mostInColumn = 8;

export function waveBoard(rollout: Rollout, states: HostStates, now: Date): Section {
  if (!isPlanned(rollout)) return titled("waves", "Waves", unplanned(rollout));
  const wordsOf = rolloutHostWords(rollout, states, now);
  return {
    key: "waves",
    before: html`<h2>Waves</h2><div class="board">`,
    rows: rollout.waves.map((wave, at) => column(rollout, wave, at, wordsOf)),
    after: html`</div>`,
  };
}

function unplanned({ wanted }: Rollout): Html {
  const named = wanted.slice(0, 8).join(", ");
  return nothing(
    "It is not planned yet",
    html`<p>${count(wanted.length, "host")}: ${named}${wanted.length > 8 && ", …"}</p>`,
  );
}

type WordsOf = ReturnType<typeof rolloutHostWords>;

function column(rollout: Rollout, wave: RolloutWave, at: number, wordsOf: WordsOf): Section {
  const hosts = [...rollout.hosts.values()].filter((host) => host.wave === at);
  const over = hosts.filter(({ status }) => status !== "waiting" && status !== "ordered").length;
  const failed = failedHosts({ hosts: new Map(hosts.map((host) => [host.host, host])) }).length;
  const tone = toneOf(rollout, wave, hosts, { over, failed });
  return {
    key: `wave:${at}`,
    before: html`<div class="${hosts.length > mostInColumn ? "wave large" : "wave"}"><h3 id="wave-${at + 1}">${icon(tone)} ${wave.name} <span class="count">${at + 1} of ${rollout.waves.length}</span></h3>
<p class="progress wide">${bar(hosts.length === 0 ? 0 : over / hosts.length, tone)}<span class="number">${over} of ${count(hosts.length, "host")} over${failed > 0 && `, ${failed} failed`}</span></p>
<p class="dim small">${notesOf(rollout, wave)}</p><ul class="hosts">`,
    rows: hosts.map((host) => card(rollout, host, wordsOf(host))),
    after: html`</ul></div>`,
  };
}

/** Green only where every host runs it. */
function toneOf(
  { end }: Rollout,
  { startedAt }: RolloutWave,
  hosts: readonly RolloutHost[],
  { over, failed }: { readonly over: number; readonly failed: number },
): Tone {
  if (failed > 0) return "bad";
  if (over === hosts.length) {
    return hosts.every(({ status }) => status === "done" || status === "unchanged") ? "good" : "warn";
  }
  return startedAt === undefined || end !== undefined ? "idle" : "busy";
}

function notesOf({ end }: Rollout, wave: RolloutWave): Html {
  const { startedAt, manual, oneByOne } = wave;
  const began =
    startedAt !== undefined
      ? html`began ${moment(startedAt)}`
      : end === undefined
        ? "has not begun"
        : "never began";
  const notes = [
    soakText(wave),
    manual ? "waits for a person before it" : undefined,
    oneByOne ? "one host at a time" : undefined,
  ].filter((note) => note !== undefined);
  return html`${began}${notes.map((note) => `, ${note}`)}`;
}

function card(rollout: Rollout, host: RolloutHost, { tone, text, ms, note }: ReturnType<WordsOf>): Row {
  const key = `wave-host:${host.host}`;
  const from = commit(host.fromCommit) ?? (host.from && html`<code>${shortPath(host.from)}</code>`);
  const time = host.status === "ordered" ? since(host.order?.at) : duration(ms);
  return {
    key,
    html: html`<li class="${tone}" data-key="${key}">
<div><a class="name" href="${hostPath({ repo: rollout.repo, host: host.host })}">${host.host}</a>${host.role !== undefined && html` <span class="dim">${host.role}</span>`}${time !== undefined && html`<span class="end dim">${time}</span>`}</div>
<div class="said">${state(tone, text)}</div>${note !== undefined && html`<div class="dim note">${note}</div>`}
${from !== undefined && html`<div class="dim small">from ${from}</div>`}</li>`,
  };
}
