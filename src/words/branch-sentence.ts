// News of a branch in a few words, for webhooks and phones.
import type { BranchNews } from "../protocol/branch-news.ts";
import { hosts, listed } from "./host-names.ts";
import { verdictWords } from "./verdict-words.ts";

const mostNamed = 5;
const reasonLength = 120;

/** `nixos-servers: 2 hosts fail`. ASCII, because names are. */
export function branchTitle({ repo, failing, mended, unlisted }: BranchNews): string {
  if (typeof unlisted === "string") return `${repo}: hosts cannot be listed`;
  if (failing.count > 0) return `${repo}: ${hosts(failing.count)} ${failing.count === 1 ? "fails" : "fail"}`;
  if (mended.count > 0) return `${repo}: ${hosts(mended.count)} fixed`;
  return `${repo}: hosts can be listed again`;
}

/** `nixos-servers, main at 9c41e7f: 1 host no longer builds: web01 (build failed: …). 2 hosts build again: db, mail.` */
export function branchSentence(news: BranchNews): string {
  const { repo, branch, commit, build, failing, mended, stillFailing, unlisted } = news;
  const where = [repo, branch, commit === undefined ? undefined : `at ${commit.slice(0, 7)}`];
  const named = failing.hosts.slice(0, mostNamed).map(({ host, verdict, reason }) => {
    const because = reason === undefined ? "" : `: ${shortened(reason)}`;
    return `${host} (${verdictWords[verdict]}${because})`;
  });
  return [
    `${where.filter((part) => part !== undefined).join(" ")}:`,
    ...(typeof unlisted === "string" ? [`the hosts cannot be listed any more: ${shortened(unlisted)}.`] : []),
    ...(unlisted === null ? ["the hosts can be listed again."] : []),
    ...(failing.count === 0
      ? []
      : [`${hosts(failing.count)} no longer ${verb(failing.count)}: ${withMore(named, failing.count)}.`]),
    ...(mended.count === 0
      ? []
      : [
          `${hosts(mended.count)} ${verb(mended.count)} again: ${withMore(mended.hosts.slice(0, mostNamed), mended.count)}.`,
        ]),
    ...(stillFailing === 0 ? [] : [`${stillFailing} more still ${stillFailing === 1 ? "fails" : "fail"}.`]),
    `Build ${build}`,
  ].join(" ");
}

const verb = (count: number): string => (count === 1 ? "builds" : "build");

const withMore = (named: readonly string[], count: number): string =>
  count > named.length
    ? `${listed(named, named.length)} and ${count - named.length} more`
    : listed(named, count);

const shortened = (reason: string): string =>
  reason.length > reasonLength ? `${reason.slice(0, reasonLength).toWellFormed()}…` : reason;
