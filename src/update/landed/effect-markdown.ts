import { codeSpan } from "../../base/markdown-text.ts";
import type { CommentWish } from "../../forge/forge.ts";
import type { Commit } from "../../protocol/names.ts";
import type { LandedEffect } from "../../protocol/update-events.ts";
import { effectLines, effectSentence } from "./effect-words.ts";

/** On the pull request by which it landed. Names in it are from a store, so each line is code. */
export function effectComment(commit: Commit, effect: LandedEffect): CommentWish {
  const marker = "<!-- homelab-deploy:landed -->";
  const lines = effectLines(effect).map((line) => `- ${codeSpan(line, 600)}`);
  const opening = `**Landed as ${codeSpan(commit.slice(0, 12))}.**`;
  return {
    marker,
    body: [marker, opening, "", codeSpan(effectSentence(effect), 600), "", ...lines].join("\n"),
  };
}
