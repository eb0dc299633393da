import { expect, test } from "vitest";
import { scriptBuild } from "../../../../test/support/build-events.ts";
import { stepSummary } from "./step-summary.ts";

test("a thousand failures with long logs stay far below a mebibyte", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `web${i}`);
  const script = scriptBuild().accepted(names);
  for (const name of names.slice(0, 100)) {
    script.derivationFailed(`drv-${name}`, [name], {
      tail: Array.from({ length: 20 }, () => "x".repeat(16_000)),
    });
  }
  script.hostsFinished("build-failed", names, { reason: "y".repeat(16_000) }).finished("failed");
  const markdown = stepSummary(script.state);
  expect(Buffer.byteLength(markdown)).toBeLessThan(700_000);
  expect(markdown).toContain("800 hosts more");
  expect(markdown).toContain("more failures");
});

test("nothing is hidden in foreign text", () => {
  const script = scriptBuild().accepted(["web"]);
  script.derivationFailed("drv", ["web"], { tail: ["ok\u200b\u202e evil\u2066", "`` ` ``"] });
  script.hostsFinished("build-failed", ["web"], { reason: "a\u200b|b" }).finished("failed");
  const markdown = stepSummary(script.state);
  expect(markdown).not.toMatch(/[\u200b\u202e\u2066]/);
  expect(markdown).toContain("ok evil");
  expect(markdown).toContain("`a¦b`");
});
