import fc from "fast-check";
import { expect, test } from "vitest";
import { newBuildId } from "../protocol/ulid.ts";
import { parseBuildId } from "../protocol/names.ts";
import { shortId } from "./short-id.ts";

test("ten characters, and as many more as tell builds of the same millisecond apart", () => {
  const all = ["01JDB3K2M4N5P6Q7R8S9T0V1W2", "01JDB3K2M4N5Z6Q7R8S9T0V1W2", "01JDB3K2M5N5P6Q7R8S9T0V1W2"].map(
    parseBuildId,
  );
  expect(all.map((id) => shortId(id, all))).toEqual(["01JDB3K2M4N5P", "01JDB3K2M4N5Z", "01JDB3K2M5"]);
});

test("no two builds have the same short id, and each is the beginning of one id only", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 8 }), (times) => {
      const all = times.map((time) => newBuildId(new Date(time)));
      for (const id of all) {
        const short = shortId(id, all);
        expect(short.length).toBeGreaterThanOrEqual(10);
        expect(all.filter((other) => other.startsWith(short))).toEqual([id]);
      }
    }),
  );
});
