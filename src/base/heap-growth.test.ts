import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const module = JSON.stringify(join(import.meta.dirname, "heap-growth.ts"));

/** Mebibytes that a process holds at most, which replaces what it keeps over and over again. */
async function mostMemory(prepare: string): Promise<number> {
  const script = `${prepare}
    await new Promise((resolve) => setTimeout(resolve, 300));
    const kept = [];
    for (let at = 0; at < 2_000_000; at++) kept[at % 200_000] = { at, text: ("x".repeat(40) + at).slice(1) };
    console.log(process.resourceUsage().maxRSS / 1024);`;
  const flags = ["--max-semi-space-size=8", "--input-type=module"];
  const { stdout } = await run(process.execPath, [...flags, "--eval", script]);
  return Number(stdout);
}

test("a process that began without the flag holds less with it", async () => {
  const slowly = await mostMemory(`(await import(${module})).growHeapSlowly();`);
  expect(slowly).toBeLessThan(0.85 * (await mostMemory("")));
});
