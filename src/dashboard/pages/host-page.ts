// `/hosts/REPO/HOST`: one host. What fails and since when comes first, then its builds.
import { HomelabError } from "../../base/errors.ts";
import { composeHistory, type Breakage, type HostHistory } from "../../fleet/host-history.ts";
import type { RunningHost } from "../../fleet/running-hosts.ts";
import { conditionWords } from "../../fleet/running-words.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import { fullName, parseHostName, parseRepoName, type BuildId } from "../../protocol/names.ts";
import type { HostResult } from "../../protocol/results.ts";
import type { HostEffect, UpdateEvent } from "../../protocol/update-events.ts";
import { isSuccess, outcomeOf } from "../../protocol/verdicts.ts";
import { changedInputsSentence } from "../../words/changed-inputs.ts";
import { formatBytes, formatDuration } from "../../words/duration.ts";
import { buildPath } from "../page/addresses.ts";
import { html } from "../page/html.ts";
import { section, titled, type Page, type Section } from "../page/page.ts";
import {
  commands,
  commit,
  duration,
  fact,
  icon,
  moment,
  nothing,
  since,
  state,
  table,
} from "../page/parts.ts";
import { activityState, verdictState, type StateWord } from "../page/state-words.ts";
import { hostActivities, type FleetPicture, type HostActivity } from "../state/fleet-picture.ts";
import { shortId } from "../../words/short-id.ts";
import { deploymentsSection } from "./host-deployments.ts";
import { deployCommands, runningSection } from "./host-running.ts";
import type { PageContext } from "./page-context.ts";
import { openRollouts } from "./rollouts/rollouts-page.ts";
import { readBuildsOf } from "./read-builds-of.ts";

/** So many builds are looked at, as by `homelab-deploy hosts show`. */
const lookedAt = 30;
const newestBuilds = ({ builds }: FleetPicture): readonly BuildId[] =>
  builds
    .filter(({ startedAt }) => startedAt !== undefined)
    .slice(0, lookedAt)
    .map(({ id }) => id);

export async function hostPage(
  context: PageContext,
  repoName: string,
  hostName: string,
  signal: AbortSignal,
): Promise<Page> {
  const { picture, reader, fleet } = context;
  const name = { repo: parseRepoName(repoName), host: parseHostName(hostName) };
  const result = picture.hosts.find((each) => fullName(each) === fullName(name));
  const activity = hostActivities(picture).get(fullName(name));
  const running = picture.running.find((each) => fullName(each) === fullName(name));
  if (result === undefined && activity === undefined && running === undefined) {
    const near = didYouMean(
      name.host,
      [...picture.hosts, ...picture.running].map(({ host }) => host),
    );
    throw new HomelabError("usage", `no host ${fullName(name)} was built yet`, {
      code: "UNKNOWN_HOST",
      hint: near === undefined ? "see the fleet" : `did you mean ${near}?`,
    });
  }
  const [builds, updates, deployments] = await Promise.all([
    readBuildsOf(context, newestBuilds(picture), signal),
    reader.updates.of(name.repo, signal),
    running?.state === undefined ? [] : fleet.deployments(name, signal),
  ]);
  const history = composeHistory(name, { builds, updates });
  const said = saidOf(result, activity, running);
  const sign = { good: "✓", bad: "✗", busy: "▶", warn: "!", idle: "·" }[said.tone];
  const { usual, closure } = history;
  return {
    status: 200,
    title: `${sign} ${said.word} · ${name.host}`,
    tone: said.tone,
    place: "/",
    sections: [
      section(
        "head",
        html`<p class="crumbs"><a href="/">Fleet</a> / ${name.repo}</p><h1>${name.host} ${state(said.tone, said.word)}</h1>
${activity !== undefined && html`<p class="lead">${activityState(activity).word} ${activity.derivation !== undefined && html`<code>${activity.derivation.name}</code> `}in <a href="${buildPath(activity.build)}">build ${activity.build.slice(0, 10)}</a>, ${since(activity.since)}</p>`}
${result?.reason !== undefined && !isSuccess(result.verdict) && html`<pre class="reason-text" tabindex="0">${result.reason}</pre>`}
<dl class="facts">
${fact("Last build", result && html`<a href="${buildPath(result.build)}">${moment(result.at) ?? result.build}</a>`)}
${fact("Commit", commit(result?.commit))}
${fact("Cached", result?.cached === undefined ? undefined : result.cached ? "yes, all of it" : "no")}
${fact("Build time", usual && html`usually ${formatDuration(usual.newerMs)}${usual.olderMs !== undefined && `, before that ${formatDuration(usual.olderMs)}`}`)}
${fact("Closure", closure && html`${formatBytes(closure.bytes)}, ${closure.deltaBytes < 0 ? "-" : "+"}${formatBytes(Math.abs(closure.deltaBytes))} by the update of ${moment(closure.at)}`)}
${fact("System", result?.outPath && html`<code class="path">${result.outPath}</code>`)}</dl>`,
      ),
      ...openRollouts(picture, context.now, name),
      ...runningSection(running),
      ...breakageSection(history.breakage),
      ...(running?.state === undefined ? [] : [deploymentsSection(name, deployments)]),
      titled(
        "commands",
        "On the command line",
        commands([
          ...(running === undefined ? [] : deployCommands(running)),
          ["build it", `homelab-deploy build ${name.host} --repo ${name.repo}`],
          ["its history", `homelab-deploy hosts show ${fullName(name)}`],
          ...(result !== undefined && !isSuccess(result.verdict)
            ? [["why it fails", `homelab-deploy logs ${result.build} ${name.host} --failed`] as const]
            : []),
        ]),
      ),
      ...changesSection(name.host, updates),
      buildsSection(history, picture),
    ],
  };
}

/** A deployment that went wrong, what is built for it now, or what its newest build came to; else what it says. */
function saidOf(
  result: HostResult | undefined,
  activity: HostActivity | undefined,
  running: RunningHost | undefined,
): StateWord {
  const [worst] = (running?.conditions ?? []).map(conditionWords);
  const deployed = worst && { tone: worst.tone, word: worst.text };
  const built = result && verdictState(outcomeOf(result));
  if (built?.tone !== "bad" && deployed?.tone === "bad") return deployed;
  if (activity !== undefined) return activityState(activity);
  return built ?? deployed ?? verdictState(undefined);
}

function breakageSection(breakage: Breakage | undefined): readonly Section[] {
  if (breakage === undefined) return [];
  const { first, lastGood, inputs } = breakage;
  return [
    titled(
      "breakage",
      "Fails",
      html`<div class="card bad"><p>${icon("bad")} ${
        lastGood === undefined
          ? html`in every build that was looked at, down to ${commit(first.commit) ?? "an unknown commit"}`
          : html`since ${commit(first.commit) ?? "an unknown commit"}, <a href="${buildPath(first.build)}">built ${moment(first.at)}</a>; ${commit(lastGood.commit) ?? "an unknown commit"} was the <a href="${buildPath(lastGood.build)}">last that succeeded</a>`
      }</p>${lastGood !== undefined && html`<p>Inputs: ${changedInputsSentence(inputs)}.</p>`}</div>`,
    ),
  ];
}

/** What the last update that changed it brings, once it is deployed. */
function changesSection(host: string, updates: readonly UpdateEvent[]): readonly Section[] {
  for (const { effect, at } of updates.toReversed()) {
    const found = effect?.hosts.find((each) => each.host === host);
    if (found !== undefined) return [changes(found, at)];
  }
  return [];
}

const changes = ({ packages, packageCount, reboot }: HostEffect, at: string): Section =>
  titled(
    "changes",
    "Packages changed by the last update",
    html`<p class="dim">${moment(at)}${reboot.length > 0 && html` · <span class="warn">a reboot is needed for ${reboot.join(", ")}</span>`}</p>`,
    packages.length === 0
      ? html`<p>No package changed its version.</p>`
      : table(
          `${packages.length} of ${packageCount} packages`,
          [{ title: "Package" }, { title: "Before" }, { title: "After" }],
          packages.map(({ name, from, to }) => [
            name,
            from === "" ? "not there" : from,
            to === "" ? "removed" : to,
          ]),
        ),
  );

function buildsSection({ repo, host, builds }: HostHistory, { builds: all, open }: FleetPicture): Section {
  const ids = all.map(({ id }) => id);
  if (builds.length === 0)
    return titled("builds", "Builds", nothing("None of the newest builds was for this host"));
  return titled(
    "builds",
    "Builds",
    table(
      `the newest ${builds.length === 1 ? "build" : `${builds.length} builds`} of this host`,
      [
        { title: "Build" },
        { title: "Result" },
        { title: "When" },
        { title: "Time", className: "right" },
        { title: "Commit" },
        { title: "Branch" },
        { title: "Reason", className: "wide" },
      ],
      builds.map((build) => {
        const now = open.get(build.build)?.state.hosts.get(`${repo}/${host}`);
        const { tone, word } =
          now !== undefined
            ? activityState({ host: now, isEvaluating: false })
            : verdictState(
                build.verdict === undefined
                  ? undefined
                  : outcomeOf({ verdict: build.verdict, code: build.code }),
              );
        return [
          html`<a class="name mono" href="${buildPath(build.build)}">${shortId(build.build, ids)}</a>`,
          state(tone, word),
          html`${moment(build.at)}`,
          html`${duration(build.durationMs)}`,
          html`${commit(build.commit)}`,
          build.branch ?? "",
          build.reason === undefined
            ? ""
            : html`<span class="reason">${build.reason.split("\n", 1)[0]}</span>`,
        ];
      }),
    ),
  );
}
