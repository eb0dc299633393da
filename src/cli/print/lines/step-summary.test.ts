import fc from "fast-check";
import { expect, test } from "vitest";
import { scriptBuild } from "../../../../test/support/build-events.ts";
import { codeBlock, codeSpan, stepSummary } from "./step-summary.ts";

test("foreign text is code that it cannot leave", () => {
  expect(codeSpan("plain")).toBe("` plain `");
  expect(codeSpan("a`b``c")).toBe("``` a`b``c ```");
  expect(codeSpan("a|b\nc\u001b[2J")).toBe("` a\\|b c `");
  expect(codeSpan("")).toBe("");
  expect(codeBlock(["```", "# not a title", "````"])).toBe("`````text\n```\n# not a title\n````\n`````");
});

const ticks = fc.string({ unit: fc.constantFrom("`", "a", "\n", "~", "|"), maxLength: 20 });

test("no text holds the fence that it is within", () => {
  fc.assert(
    fc.property(fc.array(ticks), (texts) => {
      const block = codeBlock(texts).split("\n");
      const fence = block.at(-1) ?? "";
      expect(fence).toMatch(/^`{3,}$/);
      for (const line of block.slice(1, -1)) expect(line).not.toContain(fence);
    }),
  );
});

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
