import { expect, test } from "vitest";
import * as v from "valibot";
import { BranchNews } from "../protocol/branch-news.ts";
import { branchSentence, branchTitle } from "./branch-sentence.ts";

const base = {
  repo: "nixos-servers",
  branch: "main",
  build: "01JDB3K2M4N5P6Q7R8S9T0V1W2",
  commit: "9c41e7f2a8b3d4e5f60718293a4b5c6d7e8f9012",
  at: "2026-11-23T14:08:58.000Z",
  failing: { count: 0, hosts: [] as object[] },
  mended: { count: 0, hosts: [] as string[] },
  stillFailing: 0,
};
const web = {
  host: "web01",
  verdict: "build-failed",
  reason: "gitea-1.26.1: builder failed with exit code 2",
};
const where = "nixos-servers main at 9c41e7f:";

test.each<[object, string, string]>([
  [
    { failing: { count: 1, hosts: [web] }, stillFailing: 1 },
    "nixos-servers: 1 host fails",
    `${where} 1 host no longer builds: web01 (build failed: gitea-1.26.1: builder failed with exit code 2). 1 more still fails.`,
  ],
  [
    {
      failing: {
        count: 9,
        hosts: Array.from({ length: 9 }, (_, n) => ({ host: `h${n}`, verdict: "timed-out" })),
      },
      mended: { count: 2, hosts: ["db", "mail"] },
    },
    "nixos-servers: 9 hosts fail",
    `${where} 9 hosts no longer build: h0 (timed out), h1 (timed out), h2 (timed out), h3 (timed out), h4 (timed out) and 4 more. 2 hosts build again: db, mail.`,
  ],
  [
    { mended: { count: 1, hosts: ["db"] } },
    "nixos-servers: 1 host fixed",
    `${where} 1 host builds again: db.`,
  ],
  [
    { unlisted: "syntax error, unexpected end of file" },
    "nixos-servers: hosts cannot be listed",
    `${where} the hosts cannot be listed any more: syntax error, unexpected end of file.`,
  ],
  [{ unlisted: null }, "nixos-servers: hosts can be listed again", `${where} the hosts can be listed again.`],
])("news of a branch in a sentence %#", (more, title, sentence) => {
  const news = v.parse(BranchNews, { ...base, ...more });
  expect(branchTitle(news)).toBe(title);
  expect(branchSentence(news)).toBe(`${sentence} Build 01JDB3K2M4N5P6Q7R8S9T0V1W2`);
});
