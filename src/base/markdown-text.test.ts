import fc from "fast-check";
import { expect, test } from "vitest";
import { markdownNodes } from "../../test/support/markdown-tree.ts";
import { codeBlock, codeSpan, tableHead, tableRow, tailOf, visibleText } from "./markdown-text.ts";

/** What a log can hold to get out of its block, or to look like something else. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 8 }),
      fc.constantFrom(
        "```",
        "````",
        "~~~",
        "`",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "    ",
        "\t",
        "|",
        "\\",
        "\\|",
        "@all",
        "#1",
        "closes #1",
        "![x](https://evil.example/x.png)",
        "[x](javascript:x)",
        "<img src=x>",
        "</code>",
        "</details>",
        "<!--",
        "-->",
        "https://evil.example",
        "www.evil.example",
        "\u202e",
        "\u200b",
        "\u001b[31m",
        "\u0000",
        "\u2028",
        "\ud800",
        "&lt;",
        "- ",
        "> ",
        "# ",
        "$x$",
        "[[x]]",
        "\u0085",
        "\u000b",
        "\u000c",
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

const dangerous = new Set([
  "link",
  "image",
  "html",
  "linkReference",
  "imageReference",
  "definition",
  "footnoteReference",
]);
const dangerousIn = (text: string): readonly string[] =>
  markdownNodes(text)
    .map(({ type }) => type)
    .filter((type) => dangerous.has(type));

test("any text is exactly one block of code", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const nodes = markdownNodes(`before\n\n${codeBlock(text)}\n\nafter`);
      expect(nodes.map(({ type }) => type)).toEqual([
        "root",
        "paragraph",
        "text",
        "code",
        "paragraph",
        "text",
      ]);
      expect(nodes[3]?.value).toBe(visibleText(text).replace(/\n$/, ""));
    }),
    { numRuns: 1_000 },
  );
});

test("any text is exactly one span of code, also in a table", () => {
  fc.assert(
    fc.property(hostile, hostile, (text, other) => {
      expect(dangerousIn(`x ${codeSpan(text)} y`)).toEqual([]);
      const table = `${tableHead(["a", "b"])}\n${tableRow([codeSpan(text), codeSpan(other)])}\n${tableRow(["x", "y"])}`;
      const types = markdownNodes(table).map(({ type }) => type);
      expect(types.filter((type) => type === "tableCell")).toHaveLength(6);
      expect(types.filter((type) => type === "inlineCode")).toHaveLength(
        [text, other].filter((each) => codeSpan(each) !== "–").length,
      );
      expect(types.filter((type) => dangerous.has(type))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("what is seen has no control and no hidden character, and stays as it is when it is read again", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const seen = visibleText(text);
      expect(seen).not.toMatch(
        /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/,
      );
      expect(seen.isWellFormed()).toBe(true);
      expect(visibleText(seen)).toBe(seen);
    }),
    { numRuns: 1_000 },
  );
});

test("long lines are cut, and empty ones are a dash", () => {
  expect(codeSpan("x".repeat(300))).toBe(`\`${"x".repeat(199)}…\``);
  expect(codeSpan(" \n ")).toBe("–");
  expect(codeSpan("a `b` c")).toBe("``a `b` c``");
  expect(codeSpan("`")).toBe("`` ` ``");
});

test("the tail of a log has whole lines, and no more bytes than it may", () => {
  expect(tailOf("a\nb\nc\n", 2, 100)).toBe("b\nc");
  expect(tailOf("aaaa\nbbbb\ncccc", 9, 9)).toBe("bbbb\ncccc");
  expect(tailOf("äöü", 9, 3)).toBe("ü");
  fc.assert(
    fc.property(hostile, fc.nat({ max: 40 }), (text, bytes) => {
      expect(Buffer.byteLength(tailOf(text, 50, bytes + 1))).toBeLessThanOrEqual(bytes + 1);
    }),
  );
});
