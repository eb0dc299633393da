// News of a branch: what comes from builds is made fit to be shown, and loses what looks secret.
import {
  branchNewsId,
  decodeBranchNews,
  encodeBranchNews,
  type BranchNews,
} from "../protocol/branch-news.ts";
import { branchSentence, branchTitle } from "../words/branch-sentence.ts";
import { bad, cleanText, good, type NewsKind } from "./news-kind.ts";

export const branchNews: NewsKind<BranchNews> = {
  what: "news of a branch",
  encode: encodeBranchNews,
  decode: decodeBranchNews,
  id: branchNewsId,
  cleaned,
  title: branchTitle,
  sentence: branchSentence,
  looks: ({ failing, unlisted }) => (failing.count > 0 || typeof unlisted === "string" ? bad : good),
};

function cleaned({ failing, unlisted, ...news }: BranchNews): BranchNews {
  return {
    ...news,
    failing: {
      ...failing,
      hosts: failing.hosts.map(({ reason, ...host }) =>
        reason === undefined ? host : { ...host, reason: cleanText(reason) },
      ),
    },
    ...(unlisted === undefined ? {} : { unlisted: unlisted && cleanText(unlisted) }),
  };
}
