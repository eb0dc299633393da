import { expect, test } from "vitest";
import {
  accountLimitsOf,
  adviseLimits,
  decideLimits,
  describeLimit,
  fittingScale,
  type AccountLimits,
} from "./server-limits.ts";
import { streamSettings, totalBytes } from "./stream-settings.ts";

const unlimited: AccountLimits = { streams: 0 };
const all = { missing: streamSettings, existingBytes: 0, scale: 1, replicas: 1 };
const none = { missing: [], existingBytes: totalBytes(1), scale: 1, replicas: 1 };

test("an account without limits is enough, whatever else is in it", () => {
  const account = { ...unlimited, streams: 500, reservedFile: 1e15 };
  expect(decideLimits({ maxPayload: 1024 * 1024, account }, all)).toEqual([]);
  expect(decideLimits({}, all)).toEqual([]);
});

test("what others in the account have taken counts", () => {
  const account = { maxFile: totalBytes(1) + 99, maxStreams: 9, streams: 3, reservedFile: 100 };
  expect(decideLimits({ account }, all)).toEqual([
    { setting: "max_file", is: totalBytes(1) + 99, required: totalBytes(1) + 100 },
    { setting: "max_streams", is: 9, required: 3 + streamSettings.length },
  ]);
});

test("streams that exist need no more room, and no other limit than they had", () => {
  const account = { maxFile: totalBytes(1), maxStreamBytes: 1, maxStreams: 5, streams: 5 };
  expect(decideLimits({ account }, none)).toEqual([]);
  // One that was lowered since is found on servers that do not say what is reserved, too.
  expect(decideLimits({ account: { ...account, maxFile: 1 } }, none)).toHaveLength(1);
});

test("a scale is advised only when it makes the streams fit", () => {
  const limits = { account: { ...unlimited, maxFile: 1e9, maxStreams: 3 } };
  expect(fittingScale(limits, all)).toBe(0.1);
  expect(fittingScale({ account: { ...unlimited, maxFile: 0 } }, all)).toBeUndefined();
  expect(fittingScale({ account: { ...unlimited, maxStreams: 3 } }, all)).toBeUndefined();
  const advice = adviseLimits(decideLimits(limits, all), 0.1);
  expect(advice).toBe(
    "set in the server's configuration: accounts { OUR_ACCOUNT { jetstream { max_file: 7977566208, max_streams: 13 } } } (accounts that are JWTs: nsc edit account --js-disk-storage 7977566208 --js-streams 13); or, instead of more room, create smaller streams: homelab-deploy nats setup --scale 0.1",
  );
});

test("only the limit of a message may be that of the whole server", () => {
  const problems = decideLimits({ maxPayload: 4096, account: { ...unlimited, maxConsumers: 1 } }, none);
  expect(problems.map(describeLimit)).toEqual([
    "max_payload of the server or of our account is 4KiB, must be at least 528KiB",
    "max_consumers of our account is 1, must be at least 3",
  ]);
});

const limits = {
  max_memory: -1,
  max_storage: 0,
  max_streams: -1,
  max_consumers: 0,
  max_ack_pending: 5,
  storage_max_stream_bytes: -1,
};

test("no storage is a limit, and no count below one", () => {
  expect(accountLimitsOf({ streams: 2, consumers: 1, limits })).toEqual({
    maxFile: 0,
    maxAckPending: 5,
    streams: 2,
  });
});

test("with limits for each number of replicas, those of one count", () => {
  const tiers = { R1: { streams: 1, limits: { ...limits, max_streams: 4 } }, R3: { streams: 9, limits } };
  expect(accountLimitsOf({ streams: 10, limits, tiers })).toMatchObject({ maxStreams: 4, streams: 1 });
});
