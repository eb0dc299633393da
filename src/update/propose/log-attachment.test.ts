import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { attachmentName, createLogAttachment, type LogAttachment } from "./log-attachment.ts";

async function attach(chunks: readonly (string | Uint8Array)[], secrets: readonly string[] = []) {
  const writer = createLogAttachment("x.log.gz", secrets);
  for (const chunk of chunks) writer.write(Buffer.from(chunk as string));
  const attachment: LogAttachment = await writer.end();
  return { ...attachment, text: gunzipSync(attachment.bytes).toString() };
}

test("keeps a log as it is, but for controls", async () => {
  const { text } = await attach(["building\n\u001b[31mred\u001b[0m\n", "10 %\r100 %\nend"]);
  expect(text).toBe("building\nred\n100 %\nend\n");
});

test("takes secrets out before anything else", async () => {
  const { text } = await attach(["a hunter2-", "hunter2 b\n"], ["hunter2-hunter2"]);
  expect(text).toBe("a [redacted] b\n");
});

test("finds a secret that has colours and hidden characters in it", async () => {
  const { text } = await attach(["hunt\u001b[31mer2-\u200bhunter2\n"], ["hunter2-hunter2"]);
  expect(text).toBe("[redacted]\n");
});

test(
  "keeps the first 200 and the last 2,000 lines of a long log, and says how many are missing",
  { timeout: 30_000 },
  async () => {
    const line = (number: number): string => `${number} ${"x".repeat(100)}\n`;
    const lines = Array.from({ length: 60_000 }, (_, number) => line(number));
    const { text } = await attach([lines.join("")]);
    expect(text).toBe(
      [...lines.slice(0, 200), `[… ${60_000 - 2_200} lines left out …]\n`, ...lines.slice(-2_000)].join(""),
    );
  },
);

test("a log of long lines has no more than 5 MiB, and its end", async () => {
  const lines = Array.from({ length: 300 }, (_, number) => `${number} ${"x".repeat(60_000)}\n`);
  const { text } = await attach(lines);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(5 * 1024 * 1024);
  expect(text.endsWith(lines.at(-1) ?? "-")).toBe(true);
  expect(text.startsWith(lines[0] ?? "-")).toBe(true);
  expect(Number(/… (?<omitted>\d+) lines left out/.exec(text)?.groups?.["omitted"])).toBeGreaterThan(100);
});

test("a log without line ends, or of no text, is one too", async () => {
  const { text } = await attach([Buffer.alloc(8 * 1024 * 1024, 0xff)]);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(5 * 1024 * 1024);
  expect((await attach([])).text).toBe("");
});

test("the same log gives the same bytes, however it is cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.nat({ max: 50 }), async (log, cut) => {
      const bytes = Buffer.from(log);
      const whole = await attach([bytes]);
      expect((await attach([bytes.subarray(0, cut), bytes.subarray(cut)])).bytes).toEqual(whole.bytes);
    }),
    { numRuns: 50 },
  );
});

test("names are safe for any file system", () => {
  const hash = "a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6";
  expect(attachmentName("web", `/nix/store/${hash}-openssl-3.0.14.drv`)).toBe(
    "web-openssl-3.0.14-a1b2c3d4.log.gz",
  );
  expect(attachmentName("../../etc", "/x/y-../..$(id)")).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]*\.log\.gz$/);
  fc.assert(
    fc.property(fc.string(), fc.string({ maxLength: 400 }), (host, path) => {
      const name = attachmentName(host, path);
      expect(name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]*\.log\.gz$/);
      expect(name).not.toContain("..");
      expect(name.length).toBeLessThan(200);
    }),
  );
});
