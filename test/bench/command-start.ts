import { spawn } from "node:child_process";
import { once } from "node:events";
import { nodeFlags } from "../support/node-flags.ts";
import { atMost, milliseconds, type BenchContext, type BenchResult } from "./bench.ts";
import { median } from "./measure.ts";

const rounds = 15;

/** Nothing listens there: what is said before anything answers. */
const nowhere = "nats://127.0.0.1:1";

/** What a person waits for until a command says something on the terminal. */
export async function runCommandStart({ program }: BenchContext): Promise<readonly BenchResult[]> {
  const ours = (...args: string[]): readonly string[] => [...nodeFlags, program, ...args];
  const commands = [
    { what: "--help", args: ours("--help"), most: 1.5 },
    { what: "build", args: ours("build", "host01", "--server", nowhere), most: 3 },
    { what: "build --local", args: ours("build", "host01", "--local"), most: 5 },
  ];
  const bare: number[] = [];
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    bare.push(await firstOutput(["-e", "process.stdout.write(String(0))"]));
    for (const { what, args } of commands)
      times.set(what, [...(times.get(what) ?? []), await firstOutput(args)]);
  }
  const node = median(bare);
  return commands.map(({ what, most }) => {
    const our = median(times.get(what) ?? []);
    return {
      what: `first output of ${what} on a terminal, median of ${rounds}`,
      ours: milliseconds(our),
      baseline: `${milliseconds(node)} node -e`,
      ratio: our / node,
      goal: atMost(our / node, most),
    };
  });
}

/** Milliseconds until Node with these arguments writes on its terminal. */
async function firstOutput(args: readonly string[]): Promise<number> {
  const command = [process.execPath, ...args].map((word) => `'${word}'`).join(" ");
  const startedAt = performance.now();
  const child = spawn("script", ["--quiet", "--flush", "--command", command, "/dev/null"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  await once(child.stdout, "data");
  const took = performance.now() - startedAt;
  child.stdout.resume();
  await ended;
  return took;
}
