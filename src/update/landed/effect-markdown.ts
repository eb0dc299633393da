import { codeSpan } from "../../base/markdown-text.ts";
import type { CommentSpecification } from "../../forge/forge.ts";
import type { Commit } from "../../protocol/names.ts";
import type { HostEffect, LandedEffect } from "../../protocol/update-events.ts";
import { packageWords, rebootWords, sizeWords, stayWords } from "./effect-words.ts";

const marker = "<!-- homelab-deploy:landed -->";

/** On the pull request by which it landed. Names in it are from a store and from a flake, so they are code. */
export function effectComment(commit: Commit, effect: LandedEffect): CommentSpecification {
  const { hosts, changed, unchanged, unknown } = effect;
  const more = changed - hosts.length;
  const lines = [
    ...hosts.map(hostLine),
    ...(more > 0 ? [`${more} more ${more === 1 ? "host changes" : "hosts change"}`] : []),
    ...(unchanged > 0 ? [stayWords(unchanged)] : []),
    ...unknown.map(({ reason, hosts: some, count }) => {
      const rest = count - some.length;
      const names = some.map((host) => codeSpan(host)).join(", ");
      return `not known here: ${names}${rest > 0 ? ` and ${rest} more` : ""}: ${reason}`;
    }),
  ];
  const opening = `**Landed as ${codeSpan(commit.slice(0, 12))}.** What it changes on the hosts, once deployed:`;
  return { marker, body: [marker, opening, "", ...lines.map((line) => `- ${line}`)].join("\n") };
}

function hostLine(effect: HostEffect): string {
  const words = packageWords(effect);
  const packages = effect.packageCount === 0 ? words : codeSpan(words, 600);
  const facts = [packages, sizeWords(effect), ...rebootWords(effect)];
  return `${codeSpan(effect.host)}: ${facts.join("; ")}`;
}
