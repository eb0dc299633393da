import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { aRolloutEvent, aRolloutId, created } from "../../../test/support/rollout-events.ts";
import { silentLog } from "../../base/log.ts";
import { tellByNtfy, tellWithText } from "../../notify/news-kind.ts";
import type { NtfyMessage } from "../../notify/ntfy.ts";
import { createOutbox } from "../../notify/outbox.ts";
import { rolloutNews } from "../../notify/rollout-news-kind.ts";
import type { WebhookMessage } from "../../notify/webhook.ts";
import type { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import { foldRollout, type Rollout } from "../../protocol/rollout/rollout.ts";
import { createRolloutNotices } from "./rollout-notices.ts";

const signal = AbortSignal.timeout(120_000);

/** A state directory, and deployers that use it one after another. */
const test = base.extend("lab", async ({}, { onCleanup }) => {
  const stateDirectory = await mkdtemp(join(tmpdir(), "homelab-notices-"));
  onCleanup(async () => rm(stateDirectory, { recursive: true, force: true }));
  const told: WebhookMessage[] = [];
  let isReachable = true;
  return {
    told,
    texts: () => told.map(({ text }) => text.replace(/^\S+ master at \w+: /, "").replace(/[:.,].*/s, "")),
    reachable: (is: boolean) => {
      isReachable = is;
    },
    kept: async () => readdir(join(stateDirectory, "news/webhook")).catch(() => []),
    remembered: async () => readFile(join(stateDirectory, "told.json"), "utf8"),
    startDeployer() {
      const directory = join(stateDirectory, "news/webhook");
      const tell = tellWithText(rolloutNews, async (message) => {
        if (!isReachable) throw new Error("nobody there");
        told.push(message);
      });
      const outbox = createOutbox(directory, rolloutNews, tell, silentLog);
      return {
        ...createRolloutNotices({ outbox, stateDirectory, clock: createFakeClock(), log: silentLog }),
        flush: async () => outbox.flush(signal),
      };
    },
  };
});

const path = `/nix/store/${"a".repeat(32)}-nixos-system`;
const halted = (detail: string): object => ({ type: "halted", code: "GATE_FAILED", detail });

const ids = new Map<number, RolloutId>();

/** The one of this number: it has begun, and then this. */
function rollout(number: number, ...more: readonly object[]): Rollout {
  const id = ids.get(number) ?? aRolloutId(number);
  ids.set(number, id);
  const plan = {
    type: "planned",
    part: 0,
    parts: 1,
    waves: [{ name: "all" }],
    hosts: [{ host: "web01", wave: 0, path }],
  };
  const folded = foldRollout([
    created(id),
    ...[plan, ...more].map((event, index) => aRolloutEvent(id, event, number + index + 1)),
  ]);
  if (folded === undefined) throw new Error("it was created");
  return folded;
}

test("each event is told once, however often it is looked at, also by the next deployer", async ({ lab }) => {
  const first = lab.startDeployer();
  for (const each of [rollout(1), rollout(1), rollout(1, halted("the gate errors: 0"))])
    await first.look(each);
  await first.flush();
  const second = lab.startDeployer();
  await second.look(rollout(1, halted("the gate errors: 0")));
  await second.look(rollout(1, halted("the gate errors: 0"), { type: "finished", outcome: "failed" }));
  await second.flush();
  expect(lab.texts()).toEqual([
    "a rollout to 1 host has started",
    "the rollout was halted",
    "the rollout failed",
  ]);
});

test("what nobody could be told is kept, and told when they are back", async ({ lab }) => {
  const notices = lab.startDeployer();
  lab.reachable(false);
  await notices.look(rollout(1));
  await notices.look(rollout(1, halted("x")));
  await notices.flush();
  expect(lab.told).toEqual([]);
  expect(await lab.kept()).toHaveLength(2);
  lab.reachable(true);
  await lab.startDeployer().flush();
  expect(lab.texts()).toEqual(["a rollout to 1 host has started", "the rollout was halted"]);
});

test("a deployer that died before it told finds it again in the log", async ({ lab }) => {
  await lab.startDeployer().look(rollout(1));
  const next = lab.startDeployer();
  await next.restore([rollout(1, halted("x")), rollout(60)]);
  await next.flush();
  expect(lab.texts()).toEqual([
    "a rollout to 1 host has started",
    "the rollout was halted",
    "a rollout to 1 host has started",
  ]);
});

test("a deployer that is new tells nothing of what was before it", async ({ lab }) => {
  const notices = lab.startDeployer();
  await notices.restore([rollout(1, halted("x")), rollout(2)]);
  await notices.flush();
  expect(lab.texts()).toEqual([]);
  // But what comes now, also of the same rollout.
  await notices.look(rollout(1, halted("x"), { type: "finished", outcome: "failed" }));
  await notices.flush();
  expect(lab.texts()).toEqual(["the rollout failed"]);
});

test("what was told is remembered of so many only, and news of a flood are bounded", async ({ lab }) => {
  const notices = lab.startDeployer();
  lab.reachable(false);
  for (let number = 0; number < 1100; number++) await notices.look(rollout(number * 10));
  await notices.flush();
  expect((JSON.parse(await lab.remembered()) as { told: string[] }).told).toHaveLength(1000);
  expect(await lab.kept()).toHaveLength(200);
});

test("what comes from outside is cleaned of controls and secrets, for every receiver", async ({ lab }) => {
  const token = `ghp_${"a1B2".repeat(9)}`;
  const notices = lab.startDeployer();
  const bad = rollout(1, halted(`\u001b[31mthe gate said ${token}`));
  await notices.look(bad);
  await notices.flush();
  const pushed: NtfyMessage[] = [];
  const byNtfy = tellByNtfy(rolloutNews, async (message) => void pushed.push(message));
  const kept = rolloutNews.decode(
    rolloutNews.encode({ ...(lab.told[0]?.event as ReturnType<typeof rolloutNews.decode>) }),
  );
  await byNtfy({ ...kept, by: `kai\u0007 ${token}` }, signal);
  const all = JSON.stringify([lab.told, pushed]);
  expect(all).toContain("the gate said");
  expect(all).not.toContain(token);
  expect(all).not.toContain("\\u001b");
  expect(pushed).toMatchObject([{ title: "servers: rollout halted", tag: "x", priority: "high" }]);
});
