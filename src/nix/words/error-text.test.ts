import fc from "fast-check";
import { expect, test } from "vitest";
import { boundedDetails, oneLine } from "./error-text.ts";

test("messages are one bounded line and details are bounded, whatever is said", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 3000 }), fc.nat({ max: 20 }), (text, times) => {
      const long = text.repeat(times);
      expect(oneLine(long)).not.toContain("\n");
      expect(oneLine(long).length).toBeLessThanOrEqual(300);
      expect(Buffer.byteLength(boundedDetails(long))).toBeLessThanOrEqual(8 * 1024);
    }),
  );
  const long = `${"first\n".repeat(2000)}last`;
  expect(boundedDetails(long)).toMatch(/^first\n[^]*\n\[…\]\n[^]*last$/);
});
