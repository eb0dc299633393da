import { expect, test } from "vitest";
import { aRolloutEvent, aRolloutId, created } from "../../../test/support/rollout-events.ts";
import {
  decodeRolloutNews,
  encodeRolloutNews,
  newsOf,
  rolloutNewsId,
  type RolloutNews,
} from "./rollout-news.ts";
import { foldRollout } from "./rollout.ts";

const id = aRolloutId();
const path = `/nix/store/${"a".repeat(32)}-nixos-system`;
const order = "01JDB3K2M4N5P6Q7R8S9T0V1W2";

const planned = (hosts: readonly object[]): object => ({
  type: "planned",
  part: 0,
  parts: 1,
  waves: [{ name: "canary" }, { name: "rest" }],
  hosts: hosts.map((host) => ({ wave: 0, path, ...host })),
});
const two = planned([{ host: "web01" }, { host: "db01", wave: 1 }]);
const ordered = { type: "ordered", orders: [{ host: "web01", order, kind: "activate", path }] };
const ended = (outcome: string, more: object = {}): object => ({
  type: "ended",
  results: [{ host: "web01", order, outcome, ...more }],
});
const finished = (outcome: string): object => ({ type: "finished", outcome, detail: "1 run it" });
const halted = { type: "halted", code: "HOSTS_FAILED", detail: "web01 failed", host: "web01" };

/** The news after these events, a second apart. */
function newsAfter(events: readonly object[], changes: object = {}): RolloutNews | undefined {
  const rollout = foldRollout([
    created(id, { hosts: ["web01", "db01"], ...changes }),
    ...events.map((event, index) => aRolloutEvent(id, event, index + 1)),
  ]);
  const news = rollout && newsOf(rollout);
  // What is told must also be kept.
  return news && decodeRolloutNews(encodeRolloutNews(news));
}

test.each<[string, readonly object[], object, RolloutNews["type"] | undefined]>([
  ["that it is waiting to nobody", [], {}, undefined],
  ["its start", [two], {}, "started"],
  ["nothing while it continues", [two, ordered, ended("completed")], {}, "started"],
  ["its halt", [two, ordered, ended("failed"), halted], {}, "halted"],
  [
    "nothing of a halt that people let pass",
    [two, ordered, halted, { type: "resumed", by: "kai" }],
    {},
    "started",
  ],
  ["nothing of a halt after an abort", [two, ordered, halted, { type: "aborted", by: "kai" }], {}, undefined],
  ["its end", [two, ordered, ended("completed"), finished("completed")], {}, "finished"],
  ["that it was aborted", [two, { type: "aborted", by: "kai" }, finished("aborted")], {}, "finished"],
  ["nothing of one that was superseded", [finished("superseded")], {}, undefined],
  [
    "nothing where every host runs it already",
    [planned([{ host: "web01", leftOut: "unchanged" }])],
    {},
    undefined,
  ],
  [
    "nothing of the end of such a one",
    [
      planned([
        { host: "web01", leftOut: "unchanged" },
        { host: "db01", leftOut: "absent" },
      ]),
      finished("completed-with-absent"),
    ],
    {},
    undefined,
  ],
  [
    "that nobody at all runs it",
    [planned([{ host: "web01", leftOut: "absent" }]), finished("completed-with-absent")],
    {},
    "finished",
  ],
  ["nothing of hosts that came back", [two], { trigger: "returned" }, undefined],
  [
    "nothing of their end",
    [two, ordered, ended("completed"), finished("completed")],
    { trigger: "returned" },
    undefined,
  ],
  [
    "that they failed",
    [two, ordered, ended("failed"), finished("failed")],
    { trigger: "returned" },
    "finished",
  ],
  ["that they were halted", [two, ordered, ended("failed"), halted], { trigger: "returned" }, "halted"],
])("people are told %s", (_, events, changes, type) => {
  expect(newsAfter(events, changes)?.type).toBe(type);
});

test("news of a halt name the host, why it failed, and how far the rollout is", () => {
  const detail = "gitea.service failed";
  expect(
    newsAfter([two, ordered, ended("rolled-back", { code: "UNHEALTHY", detail }), halted]),
  ).toMatchObject({
    type: "halted",
    code: "HOSTS_FAILED",
    host: "web01",
    planned: 2,
    there: 0,
    waves: 2,
    failed: { count: 1, hosts: [{ host: "web01", detail }] },
    absent: { count: 0, hosts: [] },
  });
});

test("each halt is news of its own, and the same one always has the same id", () => {
  const before = [two, ordered, ended("failed"), halted];
  const again = [...before, { type: "resumed", by: "kai" }, halted];
  const idAfter = (events: readonly object[]): string => {
    const news = newsAfter(events);
    return news === undefined ? "" : rolloutNewsId(news);
  };
  const ids = [before, again, before].map(idAfter);
  expect(ids[0]).toBe(ids[2]);
  expect(ids[1]).not.toBe(ids[0]);
  const start = idAfter([two]);
  const end = idAfter([two, ordered, ended("completed"), finished("completed")]);
  // As the outbox sorts the names of its files.
  expect([end, ...ids, start].toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    start,
    ids[0],
    ids[0],
    ids[1],
    end,
  ]);
});

test("thousands of hosts and long reasons stay news that can be kept", () => {
  const hosts = Array.from({ length: 200 }, (_, index) => `h${index}`);
  const orderOf = (index: number): string => `${order.slice(0, -3)}${String(100 + index)}`;
  const news = newsAfter(
    [
      planned(hosts.map((host) => ({ host }))),
      {
        type: "ordered",
        orders: hosts.map((host, index) => ({ host, order: orderOf(index), kind: "activate", path })),
      },
      {
        type: "ended",
        results: hosts.map((host, index) => ({
          host,
          order: orderOf(index),
          outcome: "failed",
          detail: "ü".repeat(2000),
        })),
      },
      { ...halted, detail: "x".repeat(2000) },
    ],
    { hosts },
  );
  expect(news?.failed.count).toBe(200);
  expect(news?.failed.hosts).toHaveLength(50);
});
