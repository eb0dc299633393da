import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

test("every colour of a log is readable on every surface that logs stand on, in both themes", async () => {
  const style = await readFile(new URL("../assets/style.css", import.meta.url), "utf8");
  const tokens = new Map(
    [...style.matchAll(/--(?<name>[\w-]+): light-dark\((?<light>#\w{6}), (?<dark>#\w{6})\)/g)].map(
      ({ groups }) => [groups?.["name"] ?? "", [groups?.["light"] ?? "", groups?.["dark"] ?? ""] as const],
    ),
  );
  const colours = [...Array.from({ length: 16 }, (_, index) => `c${index}`), "text", "dim"];
  const unreadable = colours.flatMap((name) =>
    ["surface", "ground"].flatMap((on) =>
      [0, 1].flatMap((theme) => {
        const [front, back] = [tokens.get(name)?.[theme], tokens.get(on)?.[theme]];
        if (front === undefined || back === undefined) return [`${name} or ${on} is no colour`];
        const ratio = contrast(front, back);
        return ratio >= 4.5 ? [] : [`${name} on ${on}: ${ratio.toFixed(2)}`];
      }),
    ),
  );
  expect(unreadable).toEqual([]);
});
