// News of a rollout in a few words, for webhooks and phones.
import type { RolloutNews } from "../protocol/rollout/rollout-news.ts";
import { hosts, listed } from "./host-names.ts";
import { abortRolloutCommand, resumeRolloutCommand, retryRolloutCommand } from "./next-commands.ts";

type NewsOf<Type extends RolloutNews["type"]> = Extract<RolloutNews, { readonly type: Type }>;

const mostNamed = 5;
const detailLength = 160;

/** `nixos-servers: rollout halted`. ASCII, because names are. */
export function rolloutTitle(news: RolloutNews): string {
  return `${news.repo}: rollout ${news.type === "finished" ? outcomeWords[news.outcome] : news.type}`;
}

const outcomeWords: Readonly<Record<NewsOf<"finished">["outcome"], string>> = {
  completed: "completed",
  "completed-with-absent": "completed, some hosts are away",
  failed: "failed",
  aborted: "aborted",
  superseded: "superseded",
};

/** `nixos-servers main at 9c41e7f: the rollout was halted: …. 3 of 12 hosts run it. …` */
export function rolloutSentence(news: RolloutNews): string {
  const { repo, branch, commit, rollout } = news;
  const where = [repo, branch, `at ${commit.slice(0, 7)}`].filter((part) => part !== undefined).join(" ");
  return [`${where}:`, ...partsOf(news), `Rollout ${rollout}`].join(" ");
}

function partsOf(news: RolloutNews): readonly string[] {
  switch (news.type) {
    case "started":
      return [startedText(news)];
    case "halted":
      return [
        `the rollout was halted: ${sentence(news.detail)} (${news.code}).`,
        progressText(news),
        ...failedText(news),
        `To continue: ${resumeRolloutCommand(news.rollout)}. To end it: ${abortRolloutCommand(news.rollout)}.`,
      ];
    case "finished":
      return [finishedText(news), progressText(news), ...failedText(news), ...adviceAfter(news)];
  }
}

function startedText({ trigger, by, reason, planned, waves, absent }: NewsOf<"started">): string {
  const asked = `asked for by ${by}${reason === undefined ? "" : `, ${sentence(reason)}`}`;
  const why = trigger === "automatic" ? "a new build" : asked;
  const away = absent.count === 0 ? "" : ` (${absent.count} absent)`;
  return `a rollout to ${hosts(planned)}${away} has started, in ${waves === 1 ? "1 wave" : `${waves} waves`}: ${why}.`;
}

function finishedText({ outcome, abortedBy, reason }: NewsOf<"finished">): string {
  if (outcome !== "aborted") return `the rollout ${outcome === "failed" ? "failed" : "has completed"}.`;
  const who = abortedBy === undefined ? "" : ` by ${abortedBy}`;
  return `the rollout was aborted${who}${reason === undefined ? "" : `: ${sentence(reason)}`}.`;
}

const progressText = ({ there, planned }: RolloutNews): string =>
  `${there} of ${hosts(planned)} ${there === 1 ? "runs" : "run"} it.`;

const failedText = ({ failed: { count, hosts: named } }: RolloutNews): readonly string[] =>
  count === 0
    ? []
    : [
        `${hosts(count)} failed: ${withMore(
          named.map(({ host, detail }) => (detail === undefined ? host : `${host} (${shortened(detail)})`)),
          count,
        )}.`,
      ];

function adviceAfter({ outcome, absent, rollout }: NewsOf<"finished">): readonly string[] {
  const away =
    absent.count === 0
      ? []
      : [`Absent, and deployed when they come back: ${withMore(absent.hosts, absent.count)}.`];
  const again = outcome === "failed" ? [`To try again: ${retryRolloutCommand(rollout)}.`] : [];
  return [...away, ...again];
}

function withMore(named: readonly string[], count: number): string {
  const shown = named.slice(0, mostNamed);
  return count > shown.length ? `${shown.join(", ")} and ${count - shown.length} more` : listed(shown, count);
}

/** Without the dot at its end: a sentence continues behind it. */
const sentence = (words: string): string => shortened(words).replace(/\.$/, "");

const shortened = (words: string): string =>
  words.length > detailLength ? `${words.slice(0, detailLength).toWellFormed()}…` : words;
