import { expect, test } from "vitest";
import { compareConsumer, compareStream } from "./compare-settings.ts";
import { consumerSettings, streamSettings } from "./stream-settings.ts";

const events = streamSettings.find(({ name }) => name === "BUILD_EVENTS");
const requests = consumerSettings.find(({ create }) => create.durable_name === "builder");
if (events === undefined || requests === undefined) throw new Error("the table has lost its entries");

const hour = 3600 * 1_000_000_000;

test.each([
  ["a shorter memory", { max_age: hour }, ["BUILD_EVENTS.max_age", "1h", "at least 720h"]],
  ["a smaller message", { max_msg_size: 1024 }, ["BUILD_EVENTS.max_msg_size", "1KiB", "at least 1MiB"]],
  ["a limit where none may be", { max_msgs: 5 }, ["BUILD_EVENTS.max_msgs", "5", "unlimited"]],
  ["memory instead of a file", { storage: "memory" }, ["BUILD_EVENTS.storage", "memory", "file"]],
  ["other subjects", { subjects: ["x"] }, ["BUILD_EVENTS.subjects", '["x"]', '["build-events.*"]']],
  ["no direct reads", { allow_direct: false }, ["BUILD_EVENTS.allow_direct", "false", "true"]],
  [
    "no bound for each subject",
    { max_msgs_per_subject: -1 },
    ["BUILD_EVENTS.max_msgs_per_subject", "unlimited", "bounded, by at least 65536"],
  ],
  [
    "headers that empty a subject",
    { allow_rollup_hdrs: true },
    ["BUILD_EVENTS.allow_rollup_hdrs", "true", "false"],
  ],
  [
    "headers that let a message expire",
    { allow_msg_ttl: true },
    ["BUILD_EVENTS.allow_msg_ttl", "true", "not set"],
  ],
  ["no acknowledgements", { no_ack: true }, ["BUILD_EVENTS.no_ack", "true", "not set"]],
] as const)("refuses %s and names it", (_, change, [setting, is, required]) => {
  const differences = compareStream(events, { ...events.create, ...change } as never);
  expect(differences).toEqual([expect.objectContaining({ setting, is, required })]);
});

test.each([
  ["a longer memory", { max_age: 10_000 * hour }],
  ["an unlimited memory", { max_age: 0 }],
  ["more room", { max_bytes: -1 }],
  [
    "what a server adds by itself",
    { compression: "s2", republish: { ...events.create.republish, headers_only: false } },
  ],
])("accepts %s", (_, change) => {
  expect(compareStream(events, { ...events.create, ...change } as never)).toEqual([]);
});

test("a republish rule that is missing or bent is a difference", () => {
  const { republish, ...without } = events.create;
  expect(compareStream(events, without).map(({ setting }) => setting)).toEqual(["BUILD_EVENTS.republish"]);
  const headersOnly = { ...events.create, republish: { ...republish, headers_only: true } };
  expect(compareStream(events, headersOnly as never)).toHaveLength(1);
});

test("a consumer that gives up, forgets early or pushes is refused", () => {
  const changed = { ...requests.create, ack_wait: 1_000_000_000, max_deliver: 5, deliver_subject: "x" };
  expect(compareConsumer(requests, changed)).toEqual([
    expect.objectContaining({
      setting: "BUILD_REQUESTS.builder.ack_wait",
      is: "1s",
      required: "at least 1m",
    }),
    expect.objectContaining({
      setting: "BUILD_REQUESTS.builder.max_deliver",
      is: "5",
      required: "unlimited",
    }),
    expect.objectContaining({ setting: "BUILD_REQUESTS.builder.deliver_subject", required: "not set" }),
  ]);
});
