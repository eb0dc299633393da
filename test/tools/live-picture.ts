// The picture of README.md: the live view of a real build of the demo's home lab, recorded on a terminal. `npm run picture`
// writes docs/images/live-view.svg. Needs `script` (util-linux) besides what the demo needs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import headless from "@xterm/headless";
import { program, startHomeLab } from "../demo/home-lab.ts";
import { waitForBuilder } from "../demo/stage.ts";
import { listenForInterruption } from "../support/interruption.ts";
import { createScratch } from "../support/scratch.ts";
import { type Frame, readLines, terminalSvg } from "../support/terminal-svg.ts";

const file = join(import.meta.dirname, "../../docs/images/live-view.svg");
const size = { columns: 98, rows: 19 } as const;
const frameMs = 500;
/** The end is what one wants to read. */
const lastFrameMs = 6000;
const patienceMs = 300_000;

const interruption = listenForInterruption();
await using scratch = await createScratch("homelab-deploy-picture-");
process.env["TMPDIR"] = scratch.directory;
await using lab = await startHomeLab(scratch.directory);
await waitForBuilder(lab, interruption.signal);
const frames = await record(["build", "--all", "--repo", "nixos-servers"]);
await writeFile(
  file,
  terminalSvg({
    ...size,
    title: "homelab-deploy build --all",
    description: "The live view of homelab-deploy build --all: what each host is building, and the result",
    frames,
    still: frames.length >> 1,
  }),
);
console.log(`${file}: ${frames.length} frames`);

/** Runs the command on a terminal of its own, and looks at the screen at equal distances. */
async function record(args: readonly string[]): Promise<readonly Frame[]> {
  const screen = new headless.Terminal({ cols: size.columns, rows: size.rows, allowProposedApi: true });
  const command = `stty cols ${size.columns} rows ${size.rows}; exec ${program} ${args.join(" ")}`;
  const child = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...lab.environment, TERM: "xterm-256color", COLORTERM: "", CI: "" },
  });
  child.stdout.on("data", (bytes: Buffer) => screen.write(bytes));
  const over = AbortSignal.any([interruption.signal, AbortSignal.timeout(patienceMs)]);
  const ended = once(child, "close", { signal: over });
  const seen: Frame[] = [];
  const look = (milliseconds: number): void => {
    const lines = readLines(screen);
    if (lines.some((line) => line.length > 0)) seen.push({ lines, milliseconds });
  };
  while (child.exitCode === null && child.signalCode === null) {
    look(frameMs);
    await Promise.race([ended, sleep(frameMs, undefined, { signal: over })]);
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}`);
  await new Promise<void>((resolve) => screen.write("", resolve));
  look(lastFrameMs);
  return seen;
}
