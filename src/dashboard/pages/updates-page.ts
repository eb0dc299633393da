// `/updates`: what the updates of each repo's flake inputs did.
import type { UpdateEvent, UpdateOutcome } from "../../protocol/update-events.ts";
import { html, safeAddress, type Html, type HtmlValue } from "../page/html.ts";
import { section, type Page, type Section, type Tone } from "../page/page.ts";
import { commands, commit, icon, moment, nothing, state, table } from "../page/parts.ts";
import type { PageContext } from "./page-context.ts";

const mostRuns = 20;
export const outcomeTones: Readonly<Record<UpdateOutcome, Tone>> = {
  landed: "good",
  proposed: "warn",
  declined: "idle",
  "no-change": "idle",
  failed: "bad",
};

export async function updatesPage({ picture, reader }: PageContext, signal: AbortSignal): Promise<Page> {
  const repos = picture.updates.map(({ repo }) => repo);
  const all = await Promise.all(
    repos.map(async (repo) => ({ repo, runs: await reader.updates.of(repo, signal) })),
  );
  const failed = picture.updates.filter(({ outcome }) => outcome === "failed").length;
  return {
    status: 200,
    title: failed > 0 ? `✗ ${failed} failed · Updates` : "Updates",
    tone: failed > 0 ? "bad" : "idle",
    place: "/updates",
    sections: [
      section("head", html`<h1>Updates</h1>`),
      ...(all.length === 0
        ? [
            section(
              "none",
              nothing(
                "No update ran yet",
                html`<p>An update moves flake inputs, builds every host with them, and lands only what builds:</p><p><code>homelab-deploy update --repo REPO</code></p>`,
              ),
            ),
          ]
        : all.map(({ repo, runs }) => repoSection(repo, runs))),
    ],
  };
}

function repoSection(repo: string, runs: readonly UpdateEvent[]): Section {
  const newest = runs.toReversed().slice(0, mostRuns);
  const [last] = newest;
  return section(
    `repo:${repo}`,
    html`<h2>${repo}</h2>`,
    last !== undefined && lastRun(last),
    table(
      `the newest ${newest.length === 1 ? "run" : `${newest.length} runs`}`,
      [
        { title: "Outcome" },
        { title: "When" },
        { title: "Inputs" },
        { title: "Hosts" },
        { title: "Commit" },
        { title: "Reason", className: "wide" },
      ],
      newest.map((run) => [
        state(outcomeTones[run.outcome], run.outcome),
        html`${moment(run.at)}`,
        run.inputs.join(", "),
        countsText(run.hosts),
        html`${commit(run.commit)}`,
        run.reason === undefined ? "" : html`<span class="reason">${run.reason.split("\n", 1)[0]}</span>`,
      ]),
    ),
    commands([["run one now", `homelab-deploy update --repo ${repo}`]]),
  );
}

export const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");

function lastRun(run: UpdateEvent): Html {
  const { outcome, inputs, at, effect, unavailable = [], pullRequests = [], downstream = {} } = run;
  const line = (name: string, value: HtmlValue): Html => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<div class="card ${outcomeTones[outcome]}"><h3>${icon(outcomeTones[outcome])} ${outcome} ${moment(at)}</h3>
<dl class="facts">${inputs.length > 0 && line("Inputs", inputs.join(", "))}
${(run.base !== undefined || run.commit !== undefined) && line("Commits", html`${commit(run.base)} → ${commit(run.commit)}`)}
${line("Hosts", countsText(run.hosts))}
${Object.entries(downstream).map(([repo, counts]) => line(`Hosts of ${repo}`, countsText(counts)))}
${effect !== undefined && line("Changes", `${effect.changed} hosts change, ${effect.unchanged} do not`)}
${run.reason !== undefined && line("Reason", html`<span class="reason">${run.reason}</span>`)}
${safeAddress(run.url) !== undefined && pullRequests.every(({ url }) => url !== run.url) && line("Pull request", link(run.url, "open it"))}
${
  pullRequests.length > 0 &&
  line(
    "Open pull requests",
    pullRequests.map(
      ({ number, url, createdAt }) =>
        html`<div>${link(url, `#${number}`)} <span class="dim">${moment(createdAt)}</span></div>`,
    ),
  )
}</dl>
${unavailable.length > 0 && html`<ul class="notes">${unavailable.map(({ input, reason, runs, needsPerson }) => html`<li>${icon(needsPerson ? "bad" : "warn")} <b>${input}</b> could not be reached (${runs} ${runs === 1 ? "run" : "runs"} in a row): ${reason}</li>`)}</ul>`}</div>`;
}

/** An address from a forge: only one that leads to a page becomes a link. */
export function link(address: string | undefined, text: string): Html {
  const href = safeAddress(address);
  return href === undefined ? html`${text}` : html`<a href="${href}" rel="noopener noreferrer">${text}</a>`;
}
