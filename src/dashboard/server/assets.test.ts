import { expect, test } from "vitest";
import { readAssets, withoutComments } from "./assets.ts";

test("all scripts together stay below 5 KiB as they are sent, and the style below 8 KiB", async () => {
  const assets = await readAssets();
  const bytes = (name: string): number => assets.find(assets.address(name))?.gzipped.length ?? Number.NaN;
  const scripts = ["theme.js", "client.js", "times.js", "log.js"].map(bytes);
  expect(scripts.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(5 * 1024);
  expect(bytes("style.css")).toBeLessThanOrEqual(8 * 1024);
});

test("only whole lines are taken out, and ends of lines that mean nothing", () => {
  expect(withoutComments('// a\n  const url = "http://x"; // b\n/* c\n d */\n.e { f: g }\n')).toBe(
    'const url = "http://x"; // b\n.e { f: g }',
  );
  expect(withoutComments("if (a)\n  b(\n    c,\n  );\nelse {\n  d()\n  e\n}\n")).toBe(
    "if (a)\nb(c,);else {d()\ne\n}",
  );
});

test("a file that there is not is not found", async () => {
  const assets = await readAssets();
  expect(assets.find("/assets/x/client.js")).toBeUndefined();
  expect(assets.find(assets.address("../run-dashboard.ts"))).toBeUndefined();
});
