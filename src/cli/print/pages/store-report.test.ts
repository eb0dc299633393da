import * as v from "valibot";
import { expect, test } from "vitest";
import { decideDisk } from "../../../cache/decide-disk.ts";
import { decideRetention } from "../../../cache/decide-retention.ts";
import { measureRoots } from "../../../cache/measure-roots.ts";
import type { RootedCommit } from "../../../nix/gc-roots.ts";
import { parseCommit, parseHostName, parseRepoName, StorePath } from "../../../protocol/names.ts";
import { renderRetention } from "./retention-table.ts";
import { renderStoreReport } from "./store-report.ts";
import { createStyle } from "../style.ts";

const gib = 2 ** 30;
const now = new Date("2026-03-01");
const print = { style: createStyle({ ascii: false, colour: false }), now };
const path = (name: string): StorePath => v.parse(StorePath, `/nix/store/${"0".repeat(32)}-${name}`);
const rooted = (digit: string, daysAgo: number, more: Partial<RootedCommit> = {}): RootedCommit => ({
  repo: parseRepoName("nixos-servers"),
  commit: parseCommit(digit.repeat(40)),
  usedAt: new Date(now.getTime() - daysAgo * 24 * 3_600_000),
  wasHead: true,
  hosts: new Map(["web01", "db01"].map((host) => [parseHostName(host), path(`${host}-${digit}`)])),
  ...more,
});
const commits = [
  rooted("a", 1),
  rooted("b", 8),
  rooted("c", 15),
  rooted("d", 200, { pin: "runs on\u001b[31m the router" }),
];

test("what is kept, what goes, and why", () => {
  const plan = decideRetention(commits, {
    keepNewest: 2,
    deployed: new Set<never>(),
    openUpdates: new Set(),
    now,
  });
  expect(renderRetention(plan, print)).toBe(
    `Repo           Commit   Used       Kept     Dropped     Why kept
nixos-servers  aaaaaaa  24 h ago   2 hosts              newest
nixos-servers  bbbbbbb  8 d ago    2 hosts              newest
nixos-servers  ccccccc  15 d ago            everything
nixos-servers  ddddddd  200 d ago  2 hosts              pinned: runs on the router
`,
  );
});

test("how big it is, how it grows, and whether the disk is enough", () => {
  const bySystem = new Map(
    commits
      .slice(0, 2)
      .flatMap(({ hosts }) => [...hosts.values()].map((system) => [system, [system, path("base")]] as const)),
  );
  const sizes = new Map([
    ...[...bySystem.keys()].map((system) => [system, gib] as const),
    [path("base"), 2 * gib],
  ] as const);
  const size = measureRoots(commits.slice(0, 2), { bySystem, sizes });
  const disk = { totalBytes: 100 * gib, availableBytes: 40 * gib };
  const answer = decideDisk(size, 4, disk);
  expect(renderStoreReport({ size, disk, answer, keepNewest: 4, unbuilt: 1 }, print)).toBe(
    `Host                 Closure  Only its own
nixos-servers/web01  3.0 GiB       1.0 GiB
nixos-servers/db01   3.0 GiB       1.0 GiB

Repo           Commit   Used      Hosts     Adds
nixos-servers  aaaaaaa  24 h ago      2  2.0 GiB
nixos-servers  bbbbbbb  8 d ago       2  4.0 GiB

everything that is rooted: 6.0 GiB; the newest system of every host: 4.0 GiB
a commit usually adds 2.0 GiB; with nothing dropped the disk is full in 140 days
disk: 40 GiB of 100 GiB free
✓ the disk is enough: 4 commits of every host come to 10 GiB, which needs a disk of 13 GiB

rooted and not built, so not in these numbers: 1 system
sizes are of archives (NAR); on disk it can be less
`,
  );
});
