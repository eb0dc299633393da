// `/rollouts`: the newest rollouts, and what each waits for; and a line about each that runs, for Fleet and Host.
import type { HostAddress } from "../../../bus/deploy-bus.ts";
import { isHalted, type Rollout } from "../../../protocol/rollout/rollout.ts";
import type { HostStates } from "../../../words/rollout-waits.ts";
import { progressText, rolloutStateWords } from "../../../words/rollout-words.ts";
import { shortId } from "../../../words/short-id.ts";
import { rolloutPath } from "../../page/addresses.ts";
import { html, type Html } from "../../page/html.ts";
import { section, type Page, type Row, type Section, type Tone } from "../../page/page.ts";
import {
  commit,
  duration,
  moment,
  nothing,
  since,
  state,
  tableEnd,
  tableRow,
  tableStart,
} from "../../page/parts.ts";
import type { FleetPicture } from "../../state/fleet-picture.ts";
import type { PageContext } from "../page-context.ts";

const columns = [
  { title: "Rollout" },
  { title: "State", className: "wide" },
  { title: "Repo" },
  { title: "Commit" },
  { title: "Hosts" },
  { title: "Time", className: "right" },
  { title: "Asked for" },
  { title: "By" },
];

export function rolloutsPage({ picture, now }: PageContext): Page {
  const { rollouts = [] } = picture;
  const states = rollouts.map((rollout) => rolloutStateWords(rollout, statesOf(picture, rollout), now));
  const halted = rollouts.filter(isHalted).length;
  const running = rollouts.filter(({ end }) => end === undefined).length;
  const tone: Tone = halted > 0 ? "bad" : running > 0 ? "busy" : "idle";
  const title =
    halted > 0
      ? `✗ ${halted} halted · Rollouts`
      : running > 0
        ? `▶ ${running} running · Rollouts`
        : "Rollouts";
  const ids = rollouts.map(({ id }) => id);
  return {
    status: 200,
    title,
    tone,
    place: "/rollouts",
    sections: [
      section("head", html`<h1>Rollouts</h1>`),
      rollouts.length === 0
        ? section("rollouts", noRollouts(picture))
        : {
            key: "rollouts",
            before: tableStart(
              rollouts.length === 1 ? "1 rollout" : `the newest ${rollouts.length} rollouts`,
              columns,
            ),
            rows: rollouts.map((rollout, index): Row => {
              const key = `rollout:${rollout.id}`;
              const { id, repo, created } = rollout;
              return {
                key,
                html: tableRow(key, columns, [
                  html`<a class="name mono" href="${rolloutPath(id)}">${shortId(id, ids)}</a>`,
                  state(states[index]?.tone ?? "idle", states[index]?.text),
                  repo,
                  html`${commit(rollout.commit)}`,
                  progressText(rollout),
                  html`${rolloutTime(rollout)}`,
                  html`${moment(created.at)}`,
                  html`<span class="reason">${created.by}</span>`,
                ]),
              };
            }),
            after: tableEnd,
          },
    ],
  };
}

const noRollouts = ({ rollouts }: FleetPicture): Html =>
  rollouts === undefined
    ? nothing("Reading the rollouts …")
    : nothing(
        "No rollouts yet",
        html`<p>A rollout brings hosts to a commit in waves, and stops where something fails:</p><p><code>homelab-deploy deploy --all</code></p>`,
      );

/** How long it takes, or took; nothing before it began. */
export const rolloutTime = ({ startedAt, end }: Rollout): Html | undefined =>
  startedAt === undefined || end === undefined
    ? since(startedAt)
    : duration(Date.parse(end.at) - Date.parse(startedAt));

/** What its hosts say about themselves. */
export const statesOf = ({ running }: FleetPicture, { repo }: Rollout): HostStates =>
  new Map(
    running.flatMap((host) =>
      host.repo === repo && host.state !== undefined ? [[host.host, host.state]] : [],
    ),
  );

/** Whether one that is not over was halted. */
export const hasHalted = ({ rollouts = [] }: FleetPicture): boolean => rollouts.some(isHalted);

/** A line for each rollout that is not over; only those of a host, where one is named. */
export function openRollouts(picture: FleetPicture, now: Date, host?: HostAddress): readonly Section[] {
  const { rollouts = [] } = picture;
  const open = rollouts.filter(
    ({ end, repo, hosts, wanted }) =>
      end === undefined &&
      (host === undefined ||
        (repo === host.repo && (hosts.has(host.host) || (hosts.size === 0 && wanted.includes(host.host))))),
  );
  if (open.length === 0) return [];
  const ids = rollouts.map(({ id }) => id);
  const rows = open.map((rollout): Row => {
    const { id, repo, created } = rollout;
    const { tone, text } = rolloutStateWords(rollout, statesOf(picture, rollout), now);
    return {
      key: `open-rollout:${id}`,
      html: html`<div class="running ${tone}" data-key="open-rollout:${id}">
${state(tone, html`<a href="${rolloutPath(id)}">rollout ${shortId(id, ids)}</a> ${text}`)}
<span class="dim">${repo} ${commit(rollout.commit)}</span>
<span class="dim">${progressText(rollout)}</span>
<span class="end">${rolloutTime(rollout)} <span class="dim">by ${created.by}</span></span></div>`,
    };
  });
  return [{ key: "rollouts", before: html`<h2 class="unseen">Rollouts</h2>`, rows, after: html`` }];
}
