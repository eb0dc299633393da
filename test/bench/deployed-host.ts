// What a host pays for being deployed to: a listener that waits, an activator for each of its messages, and the time that a
// deploy takes beside what the new system itself needs.
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startDeployLab, type DeployLab } from "../support/lab/deploy-lab.ts";
import { nodeInHost, whyNoLab } from "../support/lab/lab.ts";
import { atMost, mebibytes, milliseconds, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { median, parseCpuTime, parseResidentBytes } from "./measure.ts";

const watchedMs = 180_000;
const messages = 11;
const deploys = 5;
const settleMs = 1_000;
/** Whoever else uses the machine must not undo what is measured. */
const patient = { policy: { timeouts: { settle: settleMs / 1000, confirm: 120, activate: 120, hold: 120 } } };

export async function runDeployedHost({ program }: BenchContext): Promise<readonly BenchResult[]> {
  const why = whyNoLab();
  if (why !== undefined) throw new Error(`there is no host to deploy to: ${why}`);
  const compiled = dirname(dirname(program));
  await using lab = await startDeployLab({ first: patient, second: patient }, { compiled });
  await lab.spoken();
  return [
    ...(await measureListener(lab)),
    await measureActivator(lab),
    await measureDeploys(lab),
    await measureSize(join(lab.lab.sharedDirectory, "homelab-deploy")),
  ];
}

async function measureListener({ host }: DeployLab): Promise<readonly BenchResult[]> {
  const unit = "homelab-deploy-listener";
  const pid = (await host.run("systemctl", "show", "--property=MainPID", "--value", unit)).trim();
  const cpu = async (): Promise<number> => {
    const { own, descendants } = parseCpuTime(await host.run("cat", `/proc/${pid}/stat`));
    return own + descendants;
  };
  const before = await cpu();
  await sleep(watchedMs);
  const perHour = ((await cpu()) - before) * (3_600_000 / watchedMs);
  const bytes = parseResidentBytes(await host.run("cat", `/proc/${pid}/status`)) ?? Number.NaN;
  return [
    {
      what: "a listener that is connected and waits: memory",
      ours: mebibytes(bytes),
      goal: atMost(bytes / 1024 ** 2, 90, " MiB"),
    },
    {
      what: `the same, with the programs that it runs: CPU of ${watchedMs / 60_000} min for an hour`,
      ours: seconds(perHour),
      goal: atMost(perHour, 20, " s"),
    },
  ];
}

/** From the connection to the answer: systemd starts a process for each. */
async function measureActivator({ host }: DeployLab): Promise<BenchResult> {
  const script = `
    const { connect } = require("node:net");
    const message = JSON.stringify({ type: "network", oldNats: true, witnesses: [] }) + "\\n";
    const ask = () => new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const socket = connect("/run/homelab-deploy/activate.sock").on("error", reject);
      socket.once("data", () => resolve(performance.now() - startedAt)).write(message);
    });
    (async () => {
      for (let i = 0; i < ${messages}; i++) console.log(await ask());
      process.exit(0);
    })();`;
  const said = await host.run(nodeInHost, "--eval", script);
  const times = said.trim().split("\n").map(Number);
  const fastest = Math.min(...times);
  return {
    what: `activator: from a connection to its answer, fastest of ${messages} (median ${milliseconds(median(times))})`,
    ours: milliseconds(fastest),
    goal: atMost(fastest / 1000, 0.3, " s"),
  };
}

/** There and back, with closures that are fetched already. What the new system needs is left out: its switch, and settling. */
async function measureDeploys(lab: DeployLab): Promise<BenchResult> {
  await deploy(lab, "second");
  const times: number[] = [];
  for (let round = 0; round < deploys; round++) {
    const from = (await lab.events()).length;
    await deploy(lab, round % 2 === 0 ? "first" : "second");
    const events = (await lab.events()).slice(from);
    const at = (type: string): number =>
      Date.parse(events.find((event) => event.type === type)?.at ?? "it has no such event");
    const ordered = events.find((event) => event.type === "received")?.serial ?? Number.NaN;
    times.push(at("finished") - ordered - (at("activated") - at("activating")) - settleMs);
  }
  const fastest = Math.min(...times);
  return {
    what: `order to completed, without switch and settling, fastest of ${deploys} (median ${seconds(median(times) / 1000)})`,
    ours: seconds(fastest / 1000),
    goal: atMost(fastest / 1000, 5, " s"),
  };
}

async function deploy(lab: DeployLab, name: string): Promise<void> {
  const { exitCode, stdout, stderr } = await lab.deploy(name, "--allow-downgrade");
  if (exitCode !== 0)
    throw new Error(`${name} was not deployed (exit ${String(exitCode)}): ${stdout}${stderr}`);
}

/** Node, the compiled program and its libraries. Libraries that Node shares with the system are not in it. */
async function measureSize(directory: string): Promise<BenchResult> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return {
    what: "what a host gets for it: Node, program and libraries",
    ours: mebibytes(bytes),
    goal: atMost(bytes / 1024 ** 2, 150, " MiB"),
  };
}
