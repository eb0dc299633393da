// A test that a busy machine can fail is a bug: none measures speed, and a deadline only ends what hangs.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const leastMs = 30_000;

interface Rule {
  readonly what: string;
  readonly finds: (text: string) => readonly string[];
}

const matches = (text: string, pattern: RegExp): readonly RegExpExecArray[] => [...text.matchAll(pattern)];

const rules: readonly Rule[] = [
  {
    what: "how long something took has no upper bound",
    finds: (text) =>
      matches(text, /(?:performance\.now\(\) - \w+|[dD]urationMs|elapsed\w*)\)\.toBeLessThan\w*\(/g).map(
        ([found]) => found,
      ),
  },
  {
    what: "polls and tests have at least half a minute",
    finds: (text) =>
      // A request that is to get no answer needs no time.
      matches(text, /(?<!request\([^\n]*)\{ timeout: (?<ms>[\d_]+)/g)
        .filter(({ groups }) => Number(groups?.["ms"]?.replaceAll("_", "")) < leastMs)
        .map(([found]) => found),
  },
  {
    what: "vi.waitFor, which gives up after a second, has a timeout",
    finds: (text) =>
      matches(text, /vi\.waitFor\((?<call>[\s\S]{0,600})/g)
        .filter(({ groups }) => !(groups?.["call"] ?? "").includes("timeout: "))
        .map(([found]) => found),
  },
];

const files = globSync("{src,test}/**/*.test.ts", { cwd: root }).filter(
  (file) => file !== "test/deadlines.test.ts",
);

test.each(rules)("$what", ({ finds }) => {
  expect(files.length).toBeGreaterThan(100);
  const found = files.flatMap((file) =>
    finds(readFileSync(join(root, file), "utf8")).map((text) => `${file}: ${text}`),
  );
  expect(found).toEqual([]);
});

test("what the rules are about is found", () => {
  const text = `
    expect(performance.now() - started).toBeLessThan(1000);
    await expect.poll(() => x, { timeout: 10_000 }).toBe(1);
    await nats.request(subject, payload, { timeout: 250 });
    await vi.waitFor(() => expect(x).toBe(1));`;
  expect(rules.map(({ finds }) => finds(text).length)).toEqual([1, 1, 1]);
});
