import { readFileSync } from "node:fs";
import { join } from "node:path";
import headless from "@xterm/headless";
import { expect, test } from "vitest";
import { type Line, readLines, terminalSvg } from "./support/terminal-svg.ts";

async function linesOf(text: string): Promise<readonly Line[]> {
  const terminal = new headless.Terminal({ cols: 20, rows: 2, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  return readLines(terminal);
}

test("what a terminal shows is read with its colours, and what scrolled away is not", async () => {
  const [first, second] = await linesOf("gone\r\n\u001b[32m✓\u001b[39m \u001b[1mweb01\u001b[22m\r\na<b");
  expect(first).toMatchObject([
    { column: 0, text: "✓", colour: "#56d364", isBold: false },
    { column: 2, text: "web01", isBold: true },
  ]);
  expect(second).toMatchObject([{ column: 0, text: "a<b" }]);
});

test("frames are shown one after another, lines that they share are drawn once, and text stays text", async () => {
  const frames = await Promise.all(
    ["same\r\na<b", "same\r\nc"].map(async (text) => ({ lines: await linesOf(text), milliseconds: 500 })),
  );
  const svg = terminalSvg({ columns: 20, rows: 2, title: "t", description: "d", frames, still: 1 });
  expect(svg.match(/>same</g)).toHaveLength(1);
  expect(svg.match(/<use href="#l0"/g)).toHaveLength(2);
  expect(svg).toContain("a&lt;b");
  expect(svg).toContain("@keyframes film{0%{transform:translateY(0px)}50%{transform:translateY(-38px)}}");
  expect(svg).toContain(".film{transform:translateY(-38px);animation:film 1s step-end infinite}");
  expect(svg).not.toContain("<script");
});

test("the picture of README.md is a recording that this makes", () => {
  const read = (file: string): string => readFileSync(join(import.meta.dirname, "..", file), "utf8");
  expect(read("README.md")).toContain("(docs/images/live-view.svg)");
  const picture = read("docs/images/live-view.svg");
  expect(picture).toContain("@keyframes film{0%");
  expect(picture).toMatch(/15 building/);
});
