import fc from "fast-check";
import { expect, test } from "vitest";
import { formatAgo, formatDuration } from "../../words/duration.ts";
import { agoText, spanText } from "../assets/times.js";

test("the browser writes times as the command line does", () => {
  const now = new Date("2026-11-29T12:00:00Z");
  fc.assert(
    fc.property(fc.integer({ min: -10, max: 40 * 86_400 }), (seconds) => {
      expect(spanText(seconds)).toBe(formatDuration(seconds * 1000));
      expect(agoText(seconds)).toBe(formatAgo(new Date(now.getTime() - seconds * 1000), now));
    }),
  );
});
