import { expect, test } from "vitest";
import { requireRoom } from "./disk-floor.ts";

const gib = 2 ** 30;
const withFree = (availableBytes: number | undefined) => ({
  diskSpace: async () =>
    availableBytes === undefined ? undefined : { availableBytes, totalBytes: 100 * gib },
  minFreeBytes: 2 * gib,
});

test("builds as long as the floor is free, and where it is unknown what is", async () => {
  await expect(requireRoom(withFree(2 * gib))).resolves.toBeUndefined();
  await expect(requireRoom(withFree(undefined))).resolves.toBeUndefined();
});

test("says how much is free, and how much must be", async () => {
  await expect(requireRoom(withFree(2 * gib - 1e9))).rejects.toMatchObject({
    kind: "unavailable",
    code: "DISK_FLOOR",
    message: "the store's disk has 1.1 GiB free, and nothing is built below 2.0 GiB",
  });
});
