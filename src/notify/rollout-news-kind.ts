// News of a rollout: what comes from hosts, gates and people is made fit to be shown, and loses what looks secret.
import {
  decodeRolloutNews,
  encodeRolloutNews,
  rolloutNewsId,
  type RolloutNews,
} from "../protocol/rollout/rollout-news.ts";
import { rolloutSentence, rolloutTitle } from "../words/rollout-sentence.ts";
import { bad, cleanText, good, type NewsKind } from "./news-kind.ts";

export const rolloutNews: NewsKind<RolloutNews> = {
  what: "news of a rollout",
  encode: encodeRolloutNews,
  decode: decodeRolloutNews,
  id: rolloutNewsId,
  cleaned,
  title: rolloutTitle,
  sentence: rolloutSentence,
  looks: (news) => {
    if (news.type === "started") return { tag: "rocket", priority: "default" };
    if (news.type === "halted" || news.outcome === "failed") return bad;
    return news.outcome === "aborted" ? { tag: "warning", priority: "default" } : good;
  },
};

function cleaned({ failed, ...news }: RolloutNews): RolloutNews {
  const clean = {
    ...news,
    by: cleanText(news.by),
    failed: {
      ...failed,
      hosts: failed.hosts.map(({ host, detail }) => ({ host, detail: detail && cleanText(detail) })),
    },
  };
  switch (clean.type) {
    case "started":
      return { ...clean, reason: clean.reason && cleanText(clean.reason) };
    case "halted":
      return { ...clean, detail: cleanText(clean.detail) };
    case "finished": {
      const { detail, abortedBy, reason } = clean;
      return {
        ...clean,
        detail: detail && cleanText(detail),
        abortedBy: abortedBy && cleanText(abortedBy),
        reason: reason && cleanText(reason),
      };
    }
  }
}
