import { expect, test } from "vitest";
import * as v from "valibot";
import { RolloutNews } from "../protocol/rollout/rollout-news.ts";
import { rolloutSentence, rolloutTitle } from "./rollout-sentence.ts";

const id = "01JDB3K2M4N5P6Q7R8S9T0V1W2";
const none = { count: 0, hosts: [] };
const base = {
  rollout: id,
  repo: "nixos-servers",
  branch: "main",
  commit: "9c41e7f2a8b3d4e5f60718293a4b5c6d7e8f9012",
  trigger: "person",
  by: "kai",
  at: "2026-11-29T12:00:00.000Z",
  planned: 12,
  there: 3,
  waves: 4,
  failed: none,
  absent: none,
};
const failed = { count: 1, hosts: [{ host: "web01", detail: "gitea.service failed" }] };
const where = "nixos-servers main at 9c41e7f:";

test.each<[object, string, string]>([
  [
    { type: "started", trigger: "automatic", by: "deployer" },
    "nixos-servers: rollout started",
    `${where} a rollout to 12 hosts has started, in 4 waves: a new build.`,
  ],
  [
    { type: "started", reason: "the new mail server", waves: 1, absent: { count: 2, hosts: ["a", "b"] } },
    "nixos-servers: rollout started",
    `${where} a rollout to 12 hosts (2 absent) has started, in 1 wave: asked for by kai, the new mail server.`,
  ],
  [
    { type: "halted", code: "HOSTS_FAILED", detail: "1 host failed, and none may.", host: "web01", failed },
    "nixos-servers: rollout halted",
    `${where} the rollout was halted: 1 host failed, and none may (HOSTS_FAILED). 3 of 12 hosts run it. 1 host failed: web01 (gitea.service failed). To continue: homelab-deploy rollouts resume ${id}. To end it: homelab-deploy rollouts abort ${id}.`,
  ],
  [
    { type: "finished", outcome: "completed", there: 12 },
    "nixos-servers: rollout completed",
    `${where} the rollout has completed. 12 of 12 hosts run it.`,
  ],
  [
    {
      type: "finished",
      outcome: "completed-with-absent",
      there: 5,
      absent: { count: 7, hosts: ["a", "b", "c", "d", "e", "f", "g"] },
    },
    "nixos-servers: rollout completed, some hosts are away",
    `${where} the rollout has completed. 5 of 12 hosts run it. Absent, and deployed when they come back: a, b, c, d, e and 2 more.`,
  ],
  [
    { type: "finished", outcome: "failed", there: 1, failed },
    "nixos-servers: rollout failed",
    `${where} the rollout failed. 1 of 12 hosts runs it. 1 host failed: web01 (gitea.service failed). To try again: homelab-deploy rollouts retry ${id}.`,
  ],
  [
    { type: "finished", outcome: "aborted", abortedBy: "mia", reason: "wrong branch" },
    "nixos-servers: rollout aborted",
    `${where} the rollout was aborted by mia: wrong branch. 3 of 12 hosts run it.`,
  ],
])("news of a rollout in a sentence %#", (more, title, sentence) => {
  const news = v.parse(RolloutNews, { ...base, ...more });
  expect(rolloutTitle(news)).toBe(title);
  expect(rolloutSentence(news)).toBe(`${sentence} Rollout ${id}`);
});
