import { expect, test } from "vitest";
import { streamSettings } from "../../../bus/server/stream-settings.ts";
import { judgeLimits } from "./check-nats-limits.ts";

const needs = { missing: streamSettings, existingBytes: 0, scale: 1, replicas: 1 };

test("each limit that is too small is one that the account has, with what to write where", () => {
  const account = { streams: 0, maxStreams: 3, maxFile: 1_000_000_000 };
  expect(judgeLimits({ maxPayload: 1024 * 1024, account }, needs)).toEqual([
    {
      check: "NATS limits",
      state: "wrong",
      message:
        "max_file of our account is 953.7MiB, must be at least 7.4GiB; max_streams of our account is 3, must be at least 13",
      hint: expect.stringContaining("jetstream { max_file: 7977566208, max_streams: 13 }"),
    },
  ]);
});

test("limits that the key may not see are not taken for large enough, and what it sees is judged", () => {
  expect(judgeLimits({ maxPayload: 1024 * 1024 }, needs)).toMatchObject([{ state: "unknown" }]);
  expect(judgeLimits({ maxPayload: 4096 }, needs)).toMatchObject([
    { state: "wrong", message: expect.stringContaining("max_payload") },
  ]);
  expect(judgeLimits({ account: { streams: 0 } }, needs)).toMatchObject([{ state: "ok" }]);
});
